"""What a sync's `execute` is given: its input, the engine, and the run that it is part of."""

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from engine.protocols import Engine

if TYPE_CHECKING:
    from syncs.runs import Run
    from syncs.sync import Sync

__all__ = ["Progress", "RunLog", "SyncContext"]

In = TypeVar("In")
ChildIn = TypeVar("ChildIn")
ChildOut = TypeVar("ChildOut")


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a run: what it said, and all its counters so far."""

    sync: str
    run_id: str
    message: str
    counters: Mapping[str, object]


class RunLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records carry `sync` and `run_id`, as attributes and before the message."""

    def __init__(self, sync: str, run_id: str) -> None:
        super().__init__(logging.getLogger("syncs.run"), {"sync": sync, "run_id": run_id})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        ids = dict(self.extra or {})
        return f"[{ids['sync']} {ids['run_id']}] {msg}", {
            **kwargs,
            "extra": {**(kwargs.get("extra") or {}), **ids},
        }


@dataclass(frozen=True, slots=True)
class SyncContext(Generic[In]):
    """The one argument of `execute`.

    `context` is the validated input; `engine`, `agents`, `vectors` and `llm` are what the runtime was given;
    `log` is bound to the run.
    """

    context: In
    engine: Engine
    run_id: str
    log: logging.LoggerAdapter[logging.Logger]
    run: "Run" = field(repr=False)
    child: "Callable[[str | Sync[Any, Any], object, float | None], Awaitable[Any]]" = field(repr=False)
    agents: Mapping[str, Any] = field(default_factory=dict)
    vectors: Mapping[str, Any] = field(default_factory=dict)
    llm: Any = None

    @property
    def cancelled(self) -> bool:
        """True once the run is being cancelled: nothing can interrupt a plain function, so it asks this."""
        return self.run.cancelled

    def progress(self, message: str = "", /, **counters: int | float | str | None) -> None:
        """Report where the run is: to the runtime's listener now, to the run's row with the next heartbeat.

        Counters are totals, not steps; those not named keep their value.
        """
        self.run.progress(message, counters)

    @overload
    async def sync(
        self,
        sync: "Sync[ChildIn, ChildOut]",
        input: ChildIn | Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> ChildOut: ...

    @overload
    async def sync(self, sync: str, input: object = None, *, timeout: float | None = None) -> Any: ...

    async def sync(self, sync: "str | Sync[Any, Any]", input: object = None, *, timeout: float | None = None) -> Any:
        """Run another sync of the same runtime as a child of this run, and return its output."""
        return await self.child(sync, input, timeout)
