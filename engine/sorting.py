"""Sorting records by fields of their data: `("price", "-meta.date")` into a key for Python and for Postgres.

A field is a path as in a filter; a `-` before it sorts the other way round. Types come one after the other:
booleans (false first), numbers, dates of `engine.dates` by time, other text by code point. What has no order (null,
lists, objects, no such field) comes last in both directions. Equal ones are in the order of their external ids.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.dates import PATTERN, time_of, time_sql
from engine.errors import InvalidQuery
from engine.filters import PATH_FORM, comparable, field_path, find

__all__ = ["SortField", "parse_sort", "sort_sql", "sorted_by"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class SortField:
    """One field to sort by."""

    path: tuple[str, ...]
    descending: bool


def parse_sort(sort: Sequence[str]) -> tuple[SortField, ...]:
    """The fields to sort by, the first one first; InvalidQuery names a malformed one."""
    if isinstance(sort, str) or not isinstance(sort, Sequence):
        raise InvalidQuery(f"sort is {sort!r}: it must be a list of field paths, as ['-price', 'name'].")
    return tuple(map(_parse_field, sort))


def _parse_field(written: object) -> SortField:
    descending = isinstance(written, str) and written.startswith("-")
    path = field_path(written[1:] if isinstance(written, str) and descending else written)
    if path is None:
        raise InvalidQuery(f"sort: {written!r} is not a field path ({PATH_FORM}; a - before it for descending).")
    return SortField(path, descending)


def sorted_by(
    fields: Sequence[SortField], items: Iterable[Item], data: Callable[[Item], Mapping[str, Any]]
) -> list[Item]:
    """`items`, which are in the order of their external ids, sorted by fields of their data."""
    ordered = list(items)
    for field in reversed(fields):
        places = [(_place(find(data(item), field.path)), item) for item in ordered]
        placed = [(place, item) for place, item in places if place is not None]
        placed.sort(key=lambda pair: pair[0], reverse=field.descending)
        ordered = [item for _, item in placed] + [item for place, item in places if place is None]
    return ordered


def _place(value: object) -> tuple[int, Any] | None:
    match comparable(value):
        case ("boolean", flag):
            return 0, flag
        case ("number", number):
            return 1, number
        case ("string", text):
            time = time_of(text)
            return (3, text) if time is None else (2, time)
    return None


def sort_sql(fields: Sequence[SortField], column: Callable[[tuple[str, ...]], str]) -> tuple[str, dict[str, object]]:
    """The terms of an ORDER BY, each with a comma after it, and their named parameters.

    `column` names the jsonb column to read a path from; every path is a parameter (promise E4).
    """
    terms = ""
    values: dict[str, object] = {}
    for number, field in enumerate(fields):
        name = f"sort_{number}"
        values[name] = list(field.path)
        direction = "DESC" if field.descending else "ASC"
        for term in _terms(f"({column(field.path)} #> %({name})s::text[])", "%(sort_date)s::text"):
            terms += f"{term} {direction} NULLS LAST, "
    if fields:
        values["sort_date"] = PATTERN
    return terms, values


def _terms(found: str, pattern: str) -> Sequence[str]:
    """A value's type, then what it is within its type: exactly one of the rest is not null."""
    text, kind = f"({found} #>> '{{}}')", f"jsonb_typeof({found})"
    # CASE, not AND: a cast must not run on a value of another type, and AND promises no order.
    date = f"CASE WHEN {text} ~ {pattern} THEN "
    return (
        f"CASE {kind} WHEN 'boolean' THEN 0 WHEN 'number' THEN 1 WHEN 'string' THEN {date} 2 ELSE 3 END END",
        f"CASE {kind} WHEN 'boolean' THEN {text}::boolean::int::numeric WHEN 'number' THEN {text}::numeric END",
        f"CASE {kind} WHEN 'string' THEN {date} {time_sql(text)} END END",
        f"CASE {kind} WHEN 'string' THEN {date} NULL ELSE {text} END END COLLATE \"C\"",
    )
