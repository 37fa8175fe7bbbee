"""Processes for the CPU work of a crawl: who gets them, and that they end."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from types import SimpleNamespace

import pytest

from syncs.crawl.workers import open_executor


@pytest.fixture
def as_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pretends that the program was started by this name."""
    return lambda name: monkeypatch.setattr(sys, "argv", [name])


@pytest.mark.parametrize("name", ["script.py", "ipykernel_launcher.py", "syncline.py", ""])
def test_a_script_a_notebook_and_a_shell_get_threads(as_command: Callable[[str], None], name: str) -> None:
    as_command(name)
    with open_executor() as executor:
        assert executor is None


@pytest.mark.parametrize("name", ["/usr/local/bin/syncline", "syncline.exe"])
def test_the_command_gets_processes(as_command: Callable[[str], None], name: str) -> None:
    as_command(name)
    with open_executor() as executor:
        assert executor is not None
    assert multiprocessing.active_children() == []


def test_the_module_run_as_a_program_gets_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=SimpleNamespace(name="syncs.cli.__main__")))
    with open_executor() as executor:
        assert executor is not None


@pytest.mark.slow
def test_a_worker_never_sees_ctrl_c(as_command: Callable[[str], None]) -> None:
    as_command("syncline")
    with open_executor() as executor:
        assert executor is not None
        blocked = executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ())
        assert signal.SIGINT in blocked.result(30)
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.slow
def test_a_busy_worker_ends_when_the_crawl_is_cut_off(as_command: Callable[[str], None]) -> None:
    as_command("syncline")
    workers = []

    def cut_off() -> None:
        with open_executor() as executor:
            assert executor is not None
            executor.submit(time.sleep, 600)
            workers.extend(multiprocessing.active_children())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert len(multiprocessing.connection.wait([worker.sentinel for worker in workers], 30)) == 1


@pytest.mark.slow
@pytest.mark.promise("C11")
def test_a_call_that_kills_its_worker_fails_alone_and_the_pool_goes_on(as_command: Callable[[str], None]) -> None:
    as_command("syncline")
    with open_executor() as executor:
        assert executor is not None
        calls = [executor.submit(*call) for call in [(abs, -1), (os._exit, 9), (abs, -2), (abs, -3)]]
        assert [calls[number].result(60) for number in (0, 2, 3)] == [1, 2, 3]
        with pytest.raises(BrokenExecutor):
            calls[1].result(60)
        assert [executor.submit(abs, number).result(60) for number in (-4, -5)] == [4, 5]
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(60)


@pytest.mark.slow
def test_calls_that_are_lost_when_the_pool_is_cut_off_end_with_an_error(as_command: Callable[[str], None]) -> None:
    as_command("syncline")
    calls = []

    def cut_off() -> None:
        with open_executor() as executor:
            assert executor is not None
            calls.extend(executor.submit(time.sleep, 600) for _ in range(12))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert all(isinstance(call.exception(60), BrokenExecutor) for call in calls)
