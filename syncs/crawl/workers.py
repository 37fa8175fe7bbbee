"""Processes for the CPU work of a crawl, where the program can have them."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

__all__ = ["RenewedPool", "open_executor"]

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
    pool = RenewedPool(partial(_pool, workers), partial(_pool, 1))
    cut_off = True
    try:
        yield pool
        cut_off = False
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if cut_off:  # a worker may be busy for long with a page that nobody wants any more
            for worker in multiprocessing.active_children():
                worker.kill()


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_follow_parent)


class RenewedPool(Executor):
    """A pool that outlives its workers: a call that ends its process is alone in failing, with BrokenExecutor.

    When a worker dies, its pool and every call in it are lost, and nothing says which one did it. So there is
    a new pool for what comes, and each of the lost calls is made once more, alone, in a process of its own.
    """

    def __init__(self, make: Callable[[], Executor], make_single: Callable[[], Executor]) -> None:
        self._make = make
        self._make_single = make_single
        self._pool = make()
        self._lock = threading.Lock()
        self._alone = ThreadPoolExecutor(1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` in a worker; a second time, alone, if the worker's pool breaks."""
        call = partial(fn, *args, **kwargs)
        result: Future[Any] = Future()
        result.set_running_or_notify_cancel()
        self._submit(call).add_done_callback(partial(self._settle, call, result))
        return result

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers, as the pool's own `shutdown` does."""
        self._alone.shutdown(wait=wait, cancel_futures=cancel_futures)
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _submit(self, call: Callable[[], Any]) -> Future[Any]:
        with self._lock:
            try:
                return self._pool.submit(call)
            except BrokenExecutor:
                self._pool.shutdown(wait=False)
                self._pool = self._make()
                return self._pool.submit(call)

    def _settle(self, call: Callable[[], Any], result: Future[Any], done: Future[Any]) -> None:
        if done.cancelled():
            result.set_exception(BrokenExecutor("the pool was shut down"))
        elif isinstance(done.exception(), BrokenExecutor):
            try:
                again = self._alone.submit(self._by_itself, call)
            except RuntimeError:  # the pool is being shut down, which is what broke it
                result.set_exception(BrokenExecutor("the pool was shut down"))
            else:
                again.add_done_callback(partial(_copy, result))
        else:
            _copy(result, done)

    def _by_itself(self, call: Callable[[], Any]) -> Any:
        with self._make_single() as single:
            return single.submit(call).result()


def _copy(result: Future[Any], done: Future[Any]) -> None:
    error = BrokenExecutor("the pool was shut down") if done.cancelled() else done.exception()
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(done.result())


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
