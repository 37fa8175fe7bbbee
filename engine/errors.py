"""What can go wrong between a record and a row.

EngineError
├── InvalidRecord        a record, name or page is malformed; nothing was written
├── InvalidFilter        an unknown operator or a malformed field path
├── InvalidQuery         an empty query, an unknown mode, sort or entity, a number out of range
├── InvalidExport        what is to be imported is no whole export; nothing was written
├── UnknownEntity        no entity has this name under this connection
├── StoreUnavailable     the database cannot be used: down, no right, no pgvector, too old, not ours
└── EmbedderError        embedding failed, or the embedder does not fit the store
    ├── UnknownEmbedder  no such provider or model, or its package is missing
    ├── EmbedderRefused  the provider says no for good: a missing or wrong key, no quota, no such model
    ├── TextRefused      the model takes other texts, and not this one
    ├── CostCeiling      the next batch would cost more than was allowed
    └── SpaceMismatch    the embedder differs from the database's active space
"""

from engine.models import SyncReport

__all__ = [
    "CostCeiling",
    "EmbedderError",
    "EmbedderRefused",
    "EngineError",
    "InvalidExport",
    "InvalidFilter",
    "InvalidQuery",
    "InvalidRecord",
    "SpaceMismatch",
    "StoreUnavailable",
    "TextRefused",
    "UnknownEmbedder",
    "UnknownEntity",
]


class EngineError(Exception):
    """Base of every error that `engine` raises on purpose."""


class InvalidRecord(EngineError):
    """A record, name or page is malformed; nothing was written."""


class InvalidExport(EngineError):
    """What is to be imported is no export, damaged, cut off, or of another version; nothing was written."""


class InvalidFilter(EngineError):
    """A filter names an unknown operator or a malformed field path (promise E4)."""


class InvalidQuery(EngineError):
    """An empty query, an unknown mode or entity, a malformed sort, or a `k`, limit or offset out of range."""


class UnknownEntity(EngineError):
    """No entity has this name under this connection; the message names the nearest that there are."""


class StoreUnavailable(EngineError):
    """The database cannot be used. The message says what is missing and what to do, never the password."""


class EmbedderError(EngineError):
    """Embedding failed; what was computed before is kept."""


class UnknownEmbedder(EmbedderError):
    """No such provider or model; the message lists those that there are."""


class EmbedderRefused(EmbedderError):
    """The provider refuses for good: a missing or wrong key, no quota, an unknown model."""


class TextRefused(EmbedderError):
    """The model does not take a text, for its length or its content; others it takes."""


class CostCeiling(EmbedderError):
    """The next batch would pass the ceiling on what embedding may cost: it was not sent. `spent` is what the call had
    embedded before, which is kept."""

    def __init__(self, message: str, spent: SyncReport) -> None:
        super().__init__(message)
        self.spent = spent


class SpaceMismatch(EmbedderError):
    """The given embedder is not the one that the database's active space was made with."""
