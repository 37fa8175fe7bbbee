"""The runtime: functions as registered, validated, observable syncs."""

from syncs.context import Progress, SyncContext
from syncs.errors import (
    DuplicateSync,
    InvalidData,
    InvalidInput,
    InvalidOutput,
    InvalidSyncDefinition,
    MissingEngine,
    SyncError,
    UnknownSync,
)
from syncs.runtime import Runtime
from syncs.sync import Sync, create_sync

__all__ = [
    "DuplicateSync",
    "InvalidData",
    "InvalidInput",
    "InvalidOutput",
    "InvalidSyncDefinition",
    "MissingEngine",
    "Progress",
    "Runtime",
    "Sync",
    "SyncContext",
    "SyncError",
    "UnknownSync",
    "create_sync",
]
