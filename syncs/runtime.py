"""The runtime: syncs by key and id, run in the current process, one call at a time and nothing behind it.

No retries, no schedule, no queue (promise S3): a job system that wraps `Runtime.sync` brings its own.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, overload
from uuid import uuid4

from engine.protocols import Engine
from syncs.context import Progress, SyncContext
from syncs.errors import (
    DeadlineExceeded,
    DuplicateSync,
    InvalidInput,
    InvalidOutput,
    MissingEngine,
    SyncError,
    UnknownSync,
    did_you_mean,
)
from syncs.handle import RunHandle
from syncs.runs import OnProgress, Run, to_its_end
from syncs.schemas import validated
from syncs.sync import Sync
from syncs.telemetry import run_span
from syncs.vectors import Vectors

__all__ = ["Runtime"]

In = TypeVar("In")
Out = TypeVar("Out")

MOST_RUN_ID = 200


class Runtime:
    """Syncs, and what they are given: an engine, agents, vector stores and a language model.

    `syncs` is a mapping of key to sync; a key and an id both name a sync, in one namespace. `on_progress` is
    told what runs report, on the event loop. As `async with`, the runtime ends the runs that were started, and
    closes the engine and the language model, at its exit.
    """

    def __init__(
        self,
        *,
        engine: Engine | None = None,
        syncs: Mapping[str, Sync[Any, Any]] | None = None,
        agents: Mapping[str, Any] | None = None,
        vectors: Mapping[str, Any] | None = None,
        llm: Any = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if engine is None:
            raise MissingEngine("a runtime needs engine=PostgresEngine(...), or engine=MockEngine() for a test")
        self.engine = engine
        self.syncs: Mapping[str, Sync[Any, Any]] = dict(syncs or {})
        self.agents = dict(agents or {})
        self.vectors = Vectors(engine, vectors)
        self.llm = llm
        self._listeners: tuple[OnProgress, ...] = () if on_progress is None else (on_progress,)
        self._started: set[asyncio.Task[Any]] = set()
        self._names = _names(self.syncs)

    async def __aenter__(self) -> "Runtime":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the runs that were started and go on, then close the engine, and the language model if it can be."""
        for task in self._started:
            task.cancel()
        await asyncio.gather(*self._started, return_exceptions=True)  # what one raised is its handle's to tell
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.engine.aclose)
            if hasattr(self.llm, "aclose"):
                closing.push_async_callback(self.llm.aclose)

    @overload
    async def sync(
        self,
        sync: Sync[In, Out],
        input: In | Mapping[str, object] | None = None,
        *,
        run_id: str | None = None,
        timeout: float | None = None,
    ) -> Out: ...

    @overload
    async def sync(
        self, sync: str, input: object = None, *, run_id: str | None = None, timeout: float | None = None
    ) -> Any: ...

    async def sync(
        self,
        sync: str | Sync[Any, Any],
        input: object = None,
        *,
        run_id: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run a sync, named by key or id or given itself, and return its validated output.

        Without `input`, the sync's `payload` is used. `run_id` names the run's row (a job's id, say); without
        it, one is made. After `timeout` seconds the run is cancelled and marked failed. Raises `UnknownSync`,
        `InvalidInput` before anything is run, `InvalidOutput`, `DeadlineExceeded`, and whatever `execute`
        raises, as it is. When the task is cancelled, the run is ended as cancelled first.
        """
        call = self._checked(sync, input, run_id, timeout)
        return await self._run(call, parent=None, listeners=self._listeners)

    @overload
    def start(
        self,
        sync: Sync[In, Out],
        input: In | Mapping[str, object] | None = None,
        *,
        run_id: str | None = None,
        timeout: float | None = None,
    ) -> RunHandle[Out]: ...

    @overload
    def start(
        self, sync: str, input: object = None, *, run_id: str | None = None, timeout: float | None = None
    ) -> RunHandle[Any]: ...

    def start(
        self,
        sync: str | Sync[Any, Any],
        input: object = None,
        *,
        run_id: str | None = None,
        timeout: float | None = None,
    ) -> RunHandle[Any]:
        """Begin a run and return its handle, without waiting: `events()`, `cancel()` and `await result()`.

        The run is a task of the running event loop: there is no queue behind it, and it ends with the process
        or with the runtime. The sync and its input are checked at once, as `sync` checks them.
        """
        call = self._checked(sync, input, run_id, timeout)
        handle: RunHandle[Any] = RunHandle(call.id, call.run_id)
        task = asyncio.get_running_loop().create_task(
            self._run(call, parent=None, listeners=(*self._listeners, handle.tell)), name=f"run {call.run_id}"
        )
        self._started.add(task)
        task.add_done_callback(self._started.discard)
        handle.attach(task)
        return handle

    def _checked(
        self, named: str | Sync[Any, Any], given: object, run_id: str | None, timeout: float | None
    ) -> "_Call":
        sync, sync_id = self._find(named)
        run_id = _checked_run_id(run_id)
        if timeout is not None and not timeout > 0:
            raise SyncError(f"sync {sync_id!r}: timeout is {timeout}: give seconds above 0, or None for no deadline")
        given = sync.payload if given is None else given
        value = validated(sync.input_adapter, given, error=InvalidInput, sync=sync_id, run_id=run_id)
        return _Call(sync, sync_id, run_id, value, timeout)

    async def _run(self, call: "_Call", *, parent: str | None, listeners: tuple[OnProgress, ...]) -> Any:
        with run_span(call.id, call.run_id, parent) as span:
            run = Run(
                self.engine,
                sync=call.id,
                run_id=call.run_id,
                parent=parent,
                input=call.input,
                listeners=listeners,
                span=span,
            )
            async with run:
                returned = await _within(call, _execute(call.sync, self._context(run, call.input), run))
                run.output = validated(
                    call.sync.output_adapter, returned, error=InvalidOutput, sync=call.id, run_id=call.run_id
                )
        return run.output

    async def _child(
        self, parent: Run, sync: str | Sync[Any, Any], input: object = None, timeout: float | None = None
    ) -> Any:
        call = self._checked(sync, input, None, timeout)
        return await self._run(call, parent=parent.run_id, listeners=parent.listeners)

    def named(self, name: str) -> Sync[Any, Any]:
        """The sync with this key or id; UnknownSync where there is none."""
        return self._find(name)[0]

    def _find(self, named: str | Sync[Any, Any]) -> tuple[Sync[Any, Any], str]:
        """The sync and its id."""
        if isinstance(named, str):
            if named not in self._names:
                raise UnknownSync(f"no sync is registered as {named!r}; {did_you_mean(named, self._names)}")
            return self._names[named]
        for key, sync in self.syncs.items():
            if sync is named:
                return sync, sync.id or key
        raise UnknownSync(f"the sync {named.id!r} is not registered: add it to the runtime's syncs")

    def _context(self, run: Run, value: Any) -> SyncContext[Any]:
        return SyncContext(
            context=value,
            engine=self.engine,
            run_id=run.run_id,
            log=run.log,
            run=run,
            child=partial(self._child, run),
            agents=self.agents,
            vectors=self.vectors,
            llm=self.llm,
        )


@dataclass(frozen=True, slots=True)
class _Call:
    """A sync to run, with its checked input."""

    sync: Sync[Any, Any]
    id: str
    run_id: str
    input: Any
    timeout: float | None


def _names(syncs: Mapping[str, Sync[Any, Any]]) -> dict[str, tuple[Sync[Any, Any], str]]:
    """Key and id -> (sync, id). DuplicateSync where a name means two syncs."""
    names: dict[str, tuple[Sync[Any, Any], str]] = {}
    for key, sync in syncs.items():
        for name in {key, sync.id or key}:
            if name in names and names[name][0] is not sync:
                raise DuplicateSync(f"{name!r} names two syncs: keys and ids share one namespace")
            names[name] = (sync, sync.id or key)
    return names


def _checked_run_id(run_id: str | None) -> str:
    if run_id is None:
        return str(uuid4())
    if not run_id.strip() or len(run_id) > MOST_RUN_ID or not run_id.isprintable():
        raise SyncError(f"a run_id is printable text of 1 to {MOST_RUN_ID} characters")
    return run_id


async def _within(call: _Call, work: Awaitable[object]) -> object:
    """The result of `work`; DeadlineExceeded where it was not there in time."""
    try:
        async with asyncio.timeout(call.timeout) as deadline:
            return await work
    except (TimeoutError, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if not deadline.expired() or (task is not None and task.cancelling()):
            raise
        raise DeadlineExceeded(
            f"sync {call.id!r}, run {call.run_id}: not done within {call.timeout:g} seconds; give it more time "
            "(timeout=...), or less to do"
        ) from error


async def _execute(sync: Sync[Any, Any], context: SyncContext[Any], run: Run) -> object:
    """Call `execute`: a coroutine function here, a plain one in a thread, so that the event loop goes on."""
    execute = sync.execute
    if inspect.iscoroutinefunction(execute) or inspect.iscoroutinefunction(type(execute).__call__):
        returned: object = execute(context)
    else:
        # Nothing can stop a thread: a cancellation tells the function, and waits for its return.
        thread = asyncio.ensure_future(asyncio.to_thread(execute, context))
        returned = await to_its_end(thread, run.cancel)
    return await returned if inspect.isawaitable(returned) else returned
