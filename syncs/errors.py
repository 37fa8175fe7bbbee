"""What can go wrong around a sync's own code.

    SyncError
    ├── InvalidSyncDefinition  create_sync was given options that do not make a sync
    ├── DuplicateSync          two syncs of one runtime share a key or an id
    ├── MissingEngine          a runtime without an engine
    ├── UnknownSync            no sync of the runtime has this key or id
    ├── UnusableApp            `module:name` does not lead to a runtime
    ├── RunCancelled           the result of a started run that was cancelled
    ├── DeadlineExceeded       a run was not done in its time; it is marked failed
    └── InvalidData            data does not fit a schema; `problems` says where and why
        ├── InvalidInput       nothing was run
        └── InvalidOutput      the sync ran, and its run is marked failed

What `execute` itself raises is none of these: it reaches the caller as it is.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = [
    "DeadlineExceeded",
    "DuplicateSync",
    "InvalidData",
    "InvalidInput",
    "InvalidOutput",
    "InvalidSyncDefinition",
    "MissingEngine",
    "RunCancelled",
    "SyncError",
    "UnknownSync",
    "UnusableApp",
    "did_you_mean",
]


class SyncError(Exception):
    """Base of every error that the runtime raises on purpose."""


class InvalidSyncDefinition(SyncError):
    """The options of `create_sync` do not make a sync; the message names the option."""


class DuplicateSync(SyncError):
    """Two syncs of one runtime share a key or an id."""


class MissingEngine(SyncError):
    """A runtime was made without an engine."""


class UnknownSync(SyncError):
    """No sync of the runtime has this key or id; the message names the nearest."""


class UnusableApp(SyncError):
    """`module:name` does not lead to a runtime; the message says which part is wrong."""


class RunCancelled(SyncError):
    """A started run was cancelled, so that it has no result; the cause is the cancellation."""


class DeadlineExceeded(SyncError, TimeoutError):
    """A run was not done within its `timeout`; it was cancelled and is marked failed."""


class InvalidData(SyncError):
    """Data does not fit a sync's schema.

    `sync` and `run_id` say where; `problems` is a list of (field path, reason), never with the value itself:
    it may be a secret.
    """

    what = "data"

    def __init__(self, sync: str, run_id: str, problems: Sequence[tuple[str, str]]) -> None:
        listed = "; ".join(f"{path}: {reason}" if path else reason for path, reason in problems)
        super().__init__(f"sync {sync!r}, run {run_id}: invalid {self.what}: {listed}")
        self.sync = sync
        self.run_id = run_id
        self.problems = tuple(problems)


class InvalidInput(InvalidData):
    """The input does not fit the input schema; nothing was run and no row written."""

    what = "input"


class InvalidOutput(InvalidData):
    """What `execute` returned does not fit the output schema; the run is marked failed."""

    what = "output"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known ones, or all where none is near."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=3)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"there are {', '.join(map(repr, names))}" if names else "there are none"
