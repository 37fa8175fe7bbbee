"""One run of a sync: its row in the engine, its heartbeat, and its end, whatever the end is (promise S2)."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, TypeVar

from pydantic import ValidationError

from engine.errors import EngineError
from engine.protocols import Engine
from syncs.context import Progress, RunLog
from syncs.redaction import snapshot, without_secrets
from syncs.schemas import problems_of

__all__ = ["Run", "to_its_end"]

T = TypeVar("T")

HEARTBEAT_SECONDS = 2.0
END_SECONDS = 15.0  # how long a cancelled run may take to write its end
MOST_ERROR_CHARACTERS = 4_000

OnProgress = Callable[[Progress], None]


class Run:
    """The body of an `async with` is the run: the row is opened before it and closed after it.

    The state at the end is `succeeded`, `cancelled` (CancelledError or KeyboardInterrupt) or `failed`; what
    the body raised goes on unchanged.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        sync: str,
        run_id: str,
        parent: str | None,
        input: object,
        on_progress: OnProgress | None,
    ) -> None:
        self.sync = sync
        self.run_id = run_id
        self.output: object = None
        self.log = RunLog(sync, run_id)
        self._engine = engine
        self._parent = parent
        self._input = input
        self._on_progress = on_progress
        self._counters: Mapping[str, object] = {}
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """True once the run is being cancelled; may be asked from any thread."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Tell a plain function that it should return."""
        self._cancelled.set()

    def progress(self, message: str, counters: Mapping[str, object]) -> None:
        """Keep the counters for the next heartbeat and tell the listener, on the event loop."""
        self._counters = {**self._counters, **counters}
        if self._on_progress is None:
            return
        report = Progress(self.sync, self.run_id, message, self._counters)
        if threading.get_ident() == self._thread:
            self._on_progress(report)
        else:
            self._loop.call_soon_threadsafe(self._on_progress, report)

    async def __aenter__(self) -> "Run":
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        try:
            await self._write(self._start())
        except asyncio.CancelledError as error:
            # The row may be there by now, and a row has an end.
            await self._finish(error)
            raise
        self._heart = asyncio.create_task(self._beat(), name=f"heartbeat of run {self.run_id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.cancel()
        if error is not None and not isinstance(error, asyncio.CancelledError):
            error.add_note(f"in sync {self.sync}, run {self.run_id}")
        await self._finish(error)

    async def _finish(self, error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError):
            self.cancel()
        try:
            await self._write(self._end(error))
        except (EngineError, OSError) as unwritten:
            if error is None:
                raise
            error.add_note(f"the end of the run could not be written: {unwritten}")

    async def _start(self) -> None:
        await self._engine.start_run(self.run_id, sync=self.sync, input=snapshot(self._input), parent=self._parent)

    async def _end(self, error: BaseException | None) -> None:
        await self._engine.beat_run(self.run_id, snapshot(self._counters))
        if error is None:
            await self._engine.end_run(self.run_id, state="succeeded", output=snapshot(self.output))
        elif isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
            await self._engine.end_run(self.run_id, state="cancelled")
        else:
            await self._engine.end_run(self.run_id, state="failed", error=_described(error))

    async def _write(self, work: Coroutine[Any, Any, None]) -> None:
        """Write to the row whatever happens, but for no longer than `END_SECONDS` after a cancellation."""
        task = asyncio.ensure_future(work)

        def hurry() -> None:
            self._loop.call_later(END_SECONDS, task.cancel)

        if self.cancelled:
            hurry()
        await to_its_end(task, hurry)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await self._engine.beat_run(self.run_id, snapshot(self._counters))
            except (EngineError, OSError) as error:
                # A store that is away for a moment is no reason to end the run: its own calls will say so.
                self.log.warning("the run's heartbeat could not be written: %s", error)


async def to_its_end(task: "asyncio.Future[T]", on_cancel: Callable[[], object]) -> T:
    """The result of `task`, which goes on when the waiting task is cancelled.

    `on_cancel` is told of the cancellation, and it is raised once `task` is done.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    if cancelled is None:
        return task.result()
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        cancelled.add_note(f"meanwhile there was {failure!r}")
    raise cancelled


def _described(error: BaseException) -> str:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, ValidationError):  # raised by the sync's own code; its text would hold the values
        listed = "; ".join(f"{path}: {why}" for path, why in problems_of(error))
        reason = f"ValidationError: {error.title}: {listed}"
    text = without_secrets(reason)
    return text if len(text) <= MOST_ERROR_CHARACTERS else f"{text[:MOST_ERROR_CHARACTERS]}..."
