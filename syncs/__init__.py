"""The runtime: functions as registered, validated, observable syncs."""

from syncs.context import Progress, SyncContext
from syncs.discovery import load_runtime
from syncs.errors import (
    DeadlineExceeded,
    DuplicateSync,
    InvalidData,
    InvalidInput,
    InvalidOutput,
    InvalidSyncDefinition,
    MissingEngine,
    RunCancelled,
    SyncError,
    UnknownSync,
    UnusableApp,
)
from syncs.extraction import ExtractionFailed, extract
from syncs.handle import RunHandle
from syncs.llm import LLM, Completion, LLMError
from syncs.runtime import Runtime
from syncs.sync import Sync, create_sync
from syncs.vectors import VectorItem, VectorMatch, VectorStore

__all__ = [
    "LLM",
    "Completion",
    "DeadlineExceeded",
    "DuplicateSync",
    "ExtractionFailed",
    "InvalidData",
    "InvalidInput",
    "InvalidOutput",
    "InvalidSyncDefinition",
    "LLMError",
    "MissingEngine",
    "Progress",
    "RunCancelled",
    "RunHandle",
    "Runtime",
    "Sync",
    "SyncContext",
    "SyncError",
    "UnknownSync",
    "UnusableApp",
    "VectorItem",
    "VectorMatch",
    "VectorStore",
    "create_sync",
    "extract",
    "load_runtime",
]
