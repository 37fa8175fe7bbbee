"""The runtime: syncs by key and id, run in the current process, one call at a time and nothing behind it.

No retries, no schedule, no queue (promise S3): a job system that wraps `Runtime.sync` brings its own.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, overload
from uuid import uuid4

from engine.protocols import Engine
from syncs.context import Progress, SyncContext
from syncs.errors import (
    DuplicateSync,
    InvalidInput,
    InvalidOutput,
    MissingEngine,
    SyncError,
    UnknownSync,
    did_you_mean,
)
from syncs.runs import Run, to_its_end
from syncs.schemas import validated
from syncs.sync import Sync

__all__ = ["Runtime"]

In = TypeVar("In")
Out = TypeVar("Out")

MOST_RUN_ID = 200


class Runtime:
    """Syncs, and what they are given: an engine, agents, vector stores and a language model.

    `syncs` is a mapping of key to sync; a key and an id both name a sync, in one namespace. `on_progress` is
    told what runs report, on the event loop. As `async with`, the runtime closes the engine at its exit.
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
        self.vectors = dict(vectors or {})
        self.llm = llm
        self._on_progress = on_progress
        self._names = _names(self.syncs)

    async def __aenter__(self) -> "Runtime":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the engine."""
        await self.engine.aclose()

    @overload
    async def sync(
        self,
        sync: Sync[In, Out],
        input: In | Mapping[str, object] | None = None,
        *,
        run_id: str | None = None,
    ) -> Out: ...

    @overload
    async def sync(self, sync: str, input: object = None, *, run_id: str | None = None) -> Any: ...

    async def sync(self, sync: str | Sync[Any, Any], input: object = None, *, run_id: str | None = None) -> Any:
        """Run a sync, named by key or id or given itself, and return its validated output.

        Without `input`, the sync's `payload` is used. `run_id` names the run's row (a job's id, say); without
        it, one is made. Raises `UnknownSync`, `InvalidInput` before anything is run, `InvalidOutput`, and
        whatever `execute` raises, as it is. When the task is cancelled, the run is ended as cancelled first.
        """
        return await self._run(sync, input, run_id=run_id, parent=None)

    async def _run(self, named: str | Sync[Any, Any], given: object, *, run_id: str | None, parent: str | None) -> Any:
        sync, sync_id = self._find(named)
        run_id = _checked_run_id(run_id)
        given = sync.payload if given is None else given
        value = validated(sync.input_adapter, given, error=InvalidInput, sync=sync_id, run_id=run_id)
        run = Run(
            self.engine,
            sync=sync_id,
            run_id=run_id,
            parent=parent,
            input=value,
            on_progress=self._on_progress,
        )
        async with run:
            returned = await _call(sync, self._context(run, value), run)
            run.output = validated(sync.output_adapter, returned, error=InvalidOutput, sync=sync_id, run_id=run_id)
        return run.output

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
            child=partial(self._run, run_id=None, parent=run.run_id),
            agents=self.agents,
            vectors=self.vectors,
            llm=self.llm,
        )


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


async def _call(sync: Sync[Any, Any], context: SyncContext[Any], run: Run) -> object:
    """Call `execute`: a coroutine function here, a plain one in a thread, so that the event loop goes on."""
    execute = sync.execute
    if inspect.iscoroutinefunction(execute) or inspect.iscoroutinefunction(type(execute).__call__):
        returned: object = execute(context)
    else:
        # Nothing can stop a thread: a cancellation tells the function, and waits for its return.
        thread = asyncio.ensure_future(asyncio.to_thread(execute, context))
        returned = await to_its_end(thread, run.cancel)
    return await returned if inspect.isawaitable(returned) else returned
