"""Names of entities: what one may be, how it may be asked for, and what to say where there is none."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from engine.clean import clean_text
from engine.errors import InvalidQuery, InvalidRecord, UnknownEntity

__all__ = ["check_name", "spellings", "unknown_connection", "unknown_entity", "unknown_name"]

MOST_LISTED = 10
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_name(kind: str, name: object) -> str:
    """`name` of an entity or a connection: 1 to 8,000 characters, none of them a control character."""
    if not isinstance(name, str) or not name.strip() or len(name) > 8_000 or _CONTROL.search(name):
        raise InvalidRecord(f"The {kind} {name!r} must be text of 1 to 8,000 characters without control characters.")
    return clean_text(name)


def spellings(entity: str) -> list[str]:
    """What an entity that is asked for by its name or start URL may be called, as it was given first."""
    given = clean_text(entity)
    plain = given.rstrip("/")
    names = [given, plain, f"{plain}/"]
    return [*names, *(f"CRAWL_{name}" for name in names)]


def unknown_name(entity: str, known: Sequence[str]) -> InvalidQuery:
    """The error for an entity that a search asks for in vain."""
    return InvalidQuery(f"No site or entity is called {entity!r}. Known: {_listed(entity, known)}.")


def unknown_connection(connection_id: str, known: Sequence[str]) -> InvalidQuery:
    """The error for a connection without an entity."""
    listed = _listed(connection_id, sorted(set(known)))
    return InvalidQuery(f"No entity belongs to the connection {connection_id!r}. Known: {listed}.")


def unknown_entity(connection_id: str, name: str, known: Sequence[tuple[str, str]]) -> UnknownEntity:
    """The error for an entity that is not there; `known` are (connection_id, name)."""
    own = [other for connection, other in known if connection == connection_id]
    others = [f"{other} (connection {connection})" for connection, other in known]
    listed = _listed(name, own or others) if known else "none yet; sync_records or create_entity makes it"
    return UnknownEntity(f"No entity of the connection {connection_id!r} is called {name!r}. Known: {listed}.")


def _listed(asked: str, known: Sequence[str]) -> str:
    """The known names, the nearest first, but no more than a message can hold."""
    if not known:
        return "the store is empty; crawl a site first"
    nearest = get_close_matches(asked, known, n=3)
    names = [*nearest, *(name for name in known if name not in nearest)]
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
