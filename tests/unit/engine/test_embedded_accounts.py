"""Which account of the system runs the server for root."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.embedded.accounts import Account, default_account, server_account
from engine.errors import StoreUnavailable


def accounts(*names: str) -> Callable[[str], SimpleNamespace]:
    """A machine that has these accounts only."""

    def find(name: str) -> SimpleNamespace:
        if name not in names:
            raise KeyError(name)
        return SimpleNamespace(pw_uid=70 + len(name), pw_gid=7, pw_name=name)

    return find


@pytest.mark.parametrize(
    ("there", "taken"),
    [(("postgres", "nobody"), "postgres"), (("nobody",), "nobody"), (("other", "postgres"), "postgres")],
)
def test_an_account_that_is_there_is_taken_and_none_is_made(
    there: tuple[str, ...], taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.embedded.accounts.pwd.getpwnam", accounts(*there))
    assert default_account() == Account(70 + len(taken), 7, taken)


def test_a_machine_without_such_an_account_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.embedded.accounts.pwd.getpwnam", accounts())
    with pytest.raises(StoreUnavailable, match=r"no account 'postgres' or 'nobody'.*useradd --system postgres"):
        default_account()


def test_who_is_not_root_runs_the_server_himself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert server_account(tmp_path) is None
