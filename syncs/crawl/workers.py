"""Processes for the CPU work of a crawl, where the program can have them."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path

__all__ = ["open_executor"]

MOST_WORKERS = 8


@contextmanager
def open_executor() -> Iterator[Executor | None]:
    """A pool of processes for the length of the block; None, which means threads, where none can be had.

    A spawned process imports the program's main module again. That is harmless for the command line; a script
    without a `__main__` guard, a notebook and a shell would run twice or fail, so they get threads.
    """
    if not _may_spawn():
        yield None
        return
    workers = min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        MOST_WORKERS,
    )
    pool = ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_follow_parent)
    cut_off = True
    try:
        yield pool
        cut_off = False
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if cut_off:  # a worker may be busy for long with a page that nobody wants any more
            for worker in multiprocessing.active_children():
                worker.kill()


class _Worker(SpawnProcess):
    """A process that never sees the Ctrl-C of its process group: what that means is the parent's to decide.

    It starts with the signal blocked, since it would show a traceback while it still imports.
    """

    def start(self) -> None:
        if sys.platform == "win32":
            super().start()
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    Process = _Worker


def _may_spawn() -> bool:
    """True in the `syncline` command, whose main module is known to be importable without effect."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    command = Path(sys.argv[0]).name in ("syncline", "syncline.exe")
    return command or (spec is not None and spec.name == "syncs.cli.__main__")


def _follow_parent() -> None:
    """End with the parent, however it dies; a worker's own end of the queue would keep it waiting."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, which has no signal masks
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
