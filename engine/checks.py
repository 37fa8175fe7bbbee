"""What every engine refuses, in the same words, before it looks at what is stored (pure)."""

from collections.abc import Sequence

from engine.clean import clean_text
from engine.errors import EngineError, InvalidQuery, InvalidRecord

__all__ = [
    "check_beat",
    "check_count",
    "check_end",
    "check_external_ids",
    "check_question",
    "check_run_id",
    "check_sync_id",
]

MOST_ROWS = 2**63 - 1  # a bigint
MOST_RUN_ID = 1_000
MODES = ("hybrid", "vector", "text")


def check_question(query: str, k: int, mode: str) -> None:
    """InvalidQuery for a search without words, hits or a known mode."""
    if not query.strip():
        raise InvalidQuery("The query is empty: say what to look for.")
    if k < 1:
        raise InvalidQuery(f"k is {k}: ask for at least one hit.")
    if mode not in MODES:
        raise InvalidQuery(f"Unknown search mode {mode!r}: hybrid, vector or text.")


def check_count(name: str, count: object) -> int:
    """`count` rows to give or to leave out; InvalidQuery where it is no whole number from 0 on."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise InvalidQuery(f"{name} is {count!r}: it must be a whole number from 0 on.")
    return min(count, MOST_ROWS)


def check_external_ids(external_ids: object) -> list[str]:
    """Ids as they are stored; InvalidRecord where they are no list of texts."""
    if isinstance(external_ids, str) or not isinstance(external_ids, Sequence):
        raise InvalidRecord("external_ids must be a list of texts.")
    if not all(isinstance(external_id, str) for external_id in external_ids):
        raise InvalidRecord("external_ids must be a list of texts.")
    return [clean_text(external_id) for external_id in external_ids]


def check_sync_id(last_sync_id: object) -> str | None:
    """A cursor as it is stored; InvalidRecord where it is no text."""
    if last_sync_id is None:
        return None
    if not isinstance(last_sync_id, str):
        raise InvalidRecord(f"last_sync_id must be text, not {type(last_sync_id).__name__}.")
    return clean_text(last_sync_id)


def check_run_id(run_id: str) -> str:
    """A run's id as it is stored; EngineError for one that is empty or over 1,000 bytes, which no index holds."""
    cleaned = clean_text(run_id)
    if not 1 <= len(cleaned.encode()) <= MOST_RUN_ID:
        raise EngineError(f"The id of a run must be text of 1 to {MOST_RUN_ID:,} bytes, not {len(cleaned.encode()):,}.")
    return cleaned


def check_beat(state: str | None) -> None:
    """EngineError for a state that a run that is alive cannot have."""
    if state not in (None, "running", "cancelling"):
        raise EngineError(f"A run that is alive is running or cancelling, not {state!r}.")


def check_end(state: str) -> None:
    """EngineError for a state that a run cannot end with."""
    if state not in ("succeeded", "failed", "cancelled"):
        raise EngineError(f"A run ends as succeeded, failed or cancelled, not {state!r}.")
