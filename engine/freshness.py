"""When a stored page is to be asked for again: on evidence that it changed, else by how rarely it does."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

__all__ = ["LONGEST", "SHARE", "SHORTEST", "Visited", "is_due", "lifetime"]

SHARE = 0.1
"""Share of the time since a page last changed for which it counts as fresh: the "typical setting" of RFC 9111
section 4.2.2."""

SHORTEST, LONGEST = timedelta(hours=1), timedelta(weeks=1)
"""Bounds of that time."""


class Visited(Protocol):
    """What is known of a page from its visits."""

    @property
    def stored(self) -> bool:
        """True where the store holds its content."""

    @property
    def missed(self) -> bool:
        """True where the last visit did not get the page."""

    @property
    def extractor(self) -> str | None:
        """Version of the extraction that made what is stored."""

    @property
    def last_modified(self) -> str | None:
        """When it last changed, as its server says (RFC 9110 section 8.8.2)."""

    @property
    def changed_at(self) -> datetime | None:
        """When what is stored last changed."""

    @property
    def fetched_at(self) -> datetime | None:
        """When it was last seen on its site."""

    @property
    def listed_at(self) -> datetime | None:
        """When it last changed, as the site's own lists say."""


def is_due(page: Visited, *, extractor: str, now: datetime) -> bool:
    """True where a refresh asks for the page: it is not stored, was not had the last time, was made by another version
    of the extraction, is listed as changed since, or is older than its lifetime."""
    if not page.stored or page.missed or page.extractor != extractor or page.fetched_at is None:
        return True
    if page.listed_at is not None and page.listed_at > page.fetched_at:
        return True
    return now - page.fetched_at >= lifetime(page, page.fetched_at)


def lifetime(page: Visited, fetched_at: datetime) -> timedelta:
    """For how long after its last fetch a page counts as fresh."""
    changed_at = _http_time(page.last_modified) or page.changed_at or fetched_at
    return min(max(SHARE * (fetched_at - changed_at), SHORTEST), LONGEST)


def _http_time(written: str | None) -> datetime | None:
    """A date of HTTP (RFC 9110 section 5.6.7), or None for what is none."""
    try:
        moment = parsedate_to_datetime(written or "")
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, TypeError):
        return None
