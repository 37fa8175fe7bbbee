"""Records into Postgres rows and vectors, queries into hits. Knows nothing of pages' origin or of chunking."""

from typing import TYPE_CHECKING

from engine.errors import (
    CostCeiling,
    EmbedderError,
    EmbedderRefused,
    EngineError,
    InvalidExport,
    InvalidFilter,
    InvalidQuery,
    InvalidRecord,
    SpaceMismatch,
    StoreUnavailable,
    TextRefused,
    UnknownEmbedder,
    UnknownEntity,
)
from engine.limits import Limits
from engine.mock import MockEngine
from engine.models import Embeddings, GcReport, ImportReport, PageInput, RecordInput, SearchHit, SyncReport
from engine.protocols import Embedder, Engine

if TYPE_CHECKING:
    from engine.embedders import describe_choice, open_embedder
    from engine.embedders.fake import HashEmbedder
    from engine.postgres import PostgresEngine
    from engine.spaces import Comparison

__all__ = [
    "Comparison",
    "CostCeiling",
    "Embedder",
    "EmbedderError",
    "EmbedderRefused",
    "Embeddings",
    "Engine",
    "EngineError",
    "GcReport",
    "HashEmbedder",
    "ImportReport",
    "InvalidExport",
    "InvalidFilter",
    "InvalidQuery",
    "InvalidRecord",
    "Limits",
    "MockEngine",
    "PageInput",
    "PostgresEngine",
    "RecordInput",
    "SearchHit",
    "SpaceMismatch",
    "StoreUnavailable",
    "SyncReport",
    "TextRefused",
    "UnknownEmbedder",
    "UnknownEntity",
    "describe_choice",
    "open_embedder",
]


def __getattr__(name: str) -> object:
    """Import on first use what pulls in a database driver or numpy: the sync runtime needs neither."""
    if name == "PostgresEngine":
        from engine.postgres import PostgresEngine

        return PostgresEngine
    if name == "Comparison":
        from engine.spaces import Comparison

        return Comparison
    if name == "HashEmbedder":
        from engine.embedders.fake import HashEmbedder

        return HashEmbedder
    if name in ("describe_choice", "open_embedder"):
        from engine import embedders

        return getattr(embedders, name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
