"""Which OS account runs the server. PostgreSQL refuses to run as root, so root runs it as another account."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import StoreUnavailable

if sys.platform != "win32":
    import pwd

__all__ = ["ROOT_FOLDER", "Account", "can_enter", "default_account", "run_as", "server_account"]

ROOT_FOLDER = Path("/var/lib/syncline/postgres")


class Account(NamedTuple):
    """An OS account other than our own."""

    uid: int
    gid: int
    name: str


def server_account(folder: Path) -> Account | None:
    """The account that runs the server of a data folder; None is our own, as it always is unless we are root.

    Root takes the owner of the data; where that is root or there is none yet, `postgres`, else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    for place in (folder / "data", folder):
        if place.exists() and (owner := place.stat()).st_uid != 0:
            return _account_of(owner)
    return default_account()


def default_account() -> Account:
    """`postgres` if the machine has it, else `nobody`."""
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise StoreUnavailable(
        "Postgres does not run as root and there is no account 'postgres' or 'nobody' to run it as: "
        "create one (useradd --system postgres), or work as an ordinary user"
    )


def _account_of(owner: os.stat_result) -> Account:
    """With the account's own group: that of a folder which root made may be root's."""
    try:
        entry = pwd.getpwuid(owner.st_uid)
    except KeyError:
        return Account(owner.st_uid, owner.st_gid, str(owner.st_uid))
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def run_as(account: Account | None, command: Sequence[str], *, hold: Sequence[int] = ()) -> tuple[int, str]:
    """Run a short command to its end as the account: its exit code, and what it wrote.

    `hold` are descriptors of locks that it keeps if we are killed. `OSError` where it cannot be run.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        cwd="/",
        pass_fds=hold,
        env={**os.environ, "LC_ALL": "C"},
        errors="replace",
        encoding="utf-8",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    return done.returncode, done.stdout


def can_enter(account: Account | None, folder: Path) -> bool:
    """Whether the account reaches the folder, or the nearest part of its path that exists.

    Found out by trying: access lists and mounts have their say too.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return run_as(account, ["/bin/sh", "-c", 'cd -- "$0"', os.fspath(folder)])[0] == 0
