"""When a page leaves the store: on evidence that it is gone, never because it was not met (promise E3)."""

from collections.abc import Mapping

__all__ = ["GRACE", "MOST_LEAVING", "missing_after", "state_after", "too_many"]

GRACE = 30 * 86_400.0
"""Seconds for which the ledger row of a page that left is kept, to say when and why it did."""

MOST_LEAVING = 0.5
"""Share of the stored pages that may leave at once: more is a broken site, or one that moved."""


def missing_after(outcome: str, facts: Mapping[str, object]) -> str:
    """What a visit without a page says of it: `gone`, `there`, or `unknown`, which leaves what was known."""
    if facts.get("gone"):
        return "gone"
    return "there" if outcome == "unchanged" else "unknown"


def state_after(outcome: str, facts: Mapping[str, object]) -> str:
    """The state of a page that is not stored: its outcome, and for one that is gone and no other page's copy, that."""
    return "gone" if facts.get("gone") and outcome == "skipped" else outcome


def too_many(leaving: int, stored: int, most: float) -> bool:
    """True where so many of the stored pages may not leave in one run."""
    return leaving > most * stored
