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
from syncs.telemetry import RunSpan

__all__ = ["OnProgress", "Run", "to_its_end"]

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
        listeners: tuple[OnProgress, ...],
        span: RunSpan,
    ) -> None:
        self.sync = sync
        self.run_id = run_id
        self.listeners = listeners
        self.output: object = None
        self.log = RunLog(sync, run_id)
        self._engine = engine
        self._parent = parent
        self._input = input
        self._span = span
        self._counters: Mapping[str, object] = {}
        self._cancelled = threading.Event()
        self._beats: set[asyncio.Task[None]] = set()

    @property
    def cancelled(self) -> bool:
        """True once the run is being cancelled; may be asked from any thread."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Tell a plain function that it should return, and the row that it was told."""
        if not self.cancelled:
            self._cancelled.set()
            self._start_beating(self._beat("cancelling"))

    def progress(self, message: str, counters: Mapping[str, object]) -> None:
        """Keep the counters for the next heartbeat and tell the listeners, on the event loop."""
        self._counters = {**self._counters, **counters}
        report = Progress(self.sync, self.run_id, message, self._counters)
        if threading.get_ident() == self._thread:
            self._tell(report)
        elif self.listeners:
            self._loop.call_soon_threadsafe(self._tell, report)

    def _tell(self, report: Progress) -> None:
        for listener in self.listeners:
            listener(report)

    async def __aenter__(self) -> "Run":
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        try:
            await self._write(self._start())
        except asyncio.CancelledError as error:
            # The row may be there by now, and a row has an end.
            await self._finish(error)
            raise
        self._start_beating(self._keep_beating())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            error.add_note(f"in sync {self.sync}, run {self.run_id}")
        await self._finish(error)

    async def _finish(self, error: BaseException | None) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._cancelled.set()
        state, reason = _outcome(error)
        self._span.end(state, reason)
        try:
            await self._write(self._end(state, reason))
        except (EngineError, OSError) as unwritten:
            if error is None:
                raise
            error.add_note(f"the end of the run could not be written: {unwritten}")

    async def _start(self) -> None:
        await self._engine.start_run(self.run_id, sync=self.sync, input=snapshot(self._input), parent=self._parent)

    async def _end(self, state: str, reason: str | None) -> None:
        for beat in self._beats:
            beat.cancel()
        await asyncio.gather(*self._beats, return_exceptions=True)  # none may be written after the end
        await self._engine.end_run(
            self.run_id,
            state=state,
            counters=snapshot(self._counters),
            output=snapshot(self.output) if state == "succeeded" else None,
            error=reason,
        )

    async def _write(self, work: Coroutine[Any, Any, None]) -> None:
        """Write to the row whatever happens, but for no longer than `END_SECONDS` after a cancellation."""
        task = asyncio.ensure_future(work)

        def hurry() -> None:
            self._loop.call_later(END_SECONDS, task.cancel)

        if self.cancelled:
            hurry()
        await to_its_end(task, hurry)

    def _start_beating(self, beats: Coroutine[Any, Any, None]) -> None:
        self._beats.add(self._loop.create_task(beats, name=f"heartbeat of run {self.run_id}"))

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._beat("cancelling" if self.cancelled else None)

    async def _beat(self, state: str | None = None) -> None:
        try:
            await self._engine.beat_run(self.run_id, snapshot(self._counters), state=state)
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


def _outcome(error: BaseException | None) -> tuple[str, str | None]:
    """The state of a run that ended so, and its error without secrets."""
    if error is None:
        return "succeeded", None
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "cancelled", None
    return "failed", _described(error)


def _described(error: BaseException) -> str:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, ValidationError):  # raised by the sync's own code; its text would hold the values
        listed = "; ".join(f"{path}: {why}" for path, why in problems_of(error))
        reason = f"ValidationError: {error.title}: {listed}"
    text = without_secrets(reason)
    return text if len(text) <= MOST_ERROR_CHARACTERS else f"{text[:MOST_ERROR_CHARACTERS]}..."
