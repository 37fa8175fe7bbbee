"""A run that was started and is not waited for: what it reports, its end, and how to cancel it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from syncs.context import Progress
from syncs.errors import RunCancelled

__all__ = ["RunHandle"]

Out = TypeVar("Out", covariant=True)

MOST_REPORTS = 1_000


class RunHandle(Generic[Out]):
    """What `Runtime.start` returns. The run is a task of the running event loop and goes on by itself."""

    def __init__(self, sync: str, run_id: str) -> None:
        self.sync = sync
        self.run_id = run_id
        self._reports: deque[Progress] = deque(maxlen=MOST_REPORTS)
        self._told = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[Out] | None = None

    def __repr__(self) -> str:
        return f"<RunHandle of {self.sync}, run {self.run_id}, {'done' if self.done else 'running'}>"

    @property
    def done(self) -> bool:
        """True once the run has ended, whatever the end is."""
        return self._task is not None and self._task.done()

    async def events(self) -> AsyncIterator[Progress]:
        """What the run and its children report, from the first report on, until the run ends.

        A reader that is more than 1,000 reports behind misses the oldest; counters are totals.
        """
        seen = 0
        while True:
            news = self._news
            ended = self.done
            while seen < self._told:
                seen = max(seen, self._told - len(self._reports))
                report = self._reports[seen - self._told]
                seen += 1
                yield report
            if ended:
                return
            if news is self._news:
                await news.wait()

    def cancel(self) -> bool:
        """Ask the run to end; False where it has ended. `result` then raises `RunCancelled`."""
        return self._task is not None and self._task.cancel()

    async def result(self) -> Out:
        """The validated output, once the run has ended.

        Raises what the run raised, and `RunCancelled` where it was cancelled. Cancelling who waits here does
        not cancel the run.
        """
        assert self._task is not None, "attached by Runtime.start"
        await asyncio.wait({self._task})
        try:
            return self._task.result()
        except asyncio.CancelledError as cancelled:
            raise RunCancelled(f"sync {self.sync!r}, run {self.run_id}: cancelled") from cancelled

    def attach(self, task: "asyncio.Task[Out]") -> None:
        """Follow the task that is the run."""
        self._task = task
        task.add_done_callback(lambda _: self._wake())

    def tell(self, report: Progress) -> None:
        """Take a report of the run."""
        self._reports.append(report)
        self._told += 1
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
