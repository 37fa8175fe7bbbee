"""The filter language: JSON in, a small typed tree out, and two back ends with one meaning.

    {"lang": "en"}                                   the field equals the value
    {"price": {"gte": 10, "lt": 20}}                 every operator holds
    {"and": [...]}   {"or": [...]}   {"not": {...}}  of filters; several keys in one object mean "and"

A field is a path of names joined by dots; a name that is a whole number also indexes a list (from 0, negative
from the end). Values are text, numbers, booleans or null.

- `eq`, `in`: same type and same value; numbers compare by value (`1` equals `1.0`), `true` is not `1`.
- `gt`, `gte`, `lt`, `lte`: numbers with numbers only, booleans with booleans (false first), text with text only:
  as points in time where both are dates of `engine.dates`, by code point (as COLLATE "C") otherwise.
- `contains`: the list holds an item equal to the value, or the text holds the value as a part.
- `exists`: true where the field is there, null included; false where it is not.
- `ne`, `not_in` are the opposite of `eq`, `in`. So a missing field, or one of another type, matches none but
  `ne`, `not_in`, `not` and `exists: false`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from engine.dates import PATTERN, time_of, time_sql
from engine.errors import InvalidFilter

__all__ = [
    "And",
    "Comparison",
    "Filter",
    "Not",
    "Operator",
    "Or",
    "Scalar",
    "comparable",
    "field_path",
    "find",
    "matches",
    "parse",
    "to_sql",
]

Scalar: TypeAlias = str | int | float | bool | None
Operator: TypeAlias = Literal["eq", "gt", "gte", "lt", "lte", "in", "contains", "exists"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test of one field; `value` is a tuple for `in`, a boolean for `exists`, a scalar otherwise."""

    path: tuple[str, ...]
    operator: Operator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class And:
    """True where every part is; without parts, always."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where a part is."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is not."""

    part: "Filter"


Filter: TypeAlias = Comparison | And | Or | Not

PATH_FORM = "names of letters, digits, _ and -, joined by dots"
_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "exists")
_JOINERS = ("and", "or", "not")
_NAME = re.compile(r"[\w-]+")
_INDEX = re.compile(r"-?[0-9]{1,4000}")  # Python reads no number that is much longer
_DEEPEST = 32  # nested and/or/not: far above any real filter, far below the interpreter's stack
_MOST_BITS = 4096
_SIGNS = MappingProxyType({"gt": ">", "gte": ">=", "lt": "<", "lte": "<="})


class _Missing(Enum):
    MISSING = "missing"


MISSING = _Missing.MISSING


# --- JSON into the tree -------------------------------------------------------------------------------------


def parse(filter: Mapping[str, object] | None) -> Filter:
    """The typed tree of a JSON filter; `None` and `{}` match everything.

    Raises `InvalidFilter`, which names the operator or the field, and the nearest operator there is.
    """
    return And(()) if filter is None else _parse(filter, 0)


def _parse(filter: object, depth: int) -> Filter:
    if not isinstance(filter, Mapping):
        raise InvalidFilter(f"a filter is a JSON object, not {type(filter).__name__}")
    if depth > _DEEPEST:
        raise InvalidFilter(f"a filter may nest at most {_DEEPEST} levels of and, or, not")
    parts = tuple(_parse_item(key, value, depth) for key, value in filter.items())
    return parts[0] if len(parts) == 1 else And(parts)


def _parse_item(key: object, value: object, depth: int) -> Filter:
    if key == "not":
        return Not(_parse(value, depth + 1))
    if key in ("and", "or"):
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise InvalidFilter(f"filter: {key!r} takes a list of at least one filter")
        parts = tuple(_parse(part, depth + 1) for part in value)
        return And(parts) if key == "and" else Or(parts)
    path = field_path(key)
    if path is None:
        raise InvalidFilter(f"filter: {key!r} is not a field path ({PATH_FORM}){_nearest(str(key), _JOINERS)}")
    if not isinstance(value, Mapping):
        return _comparison(path, "eq", value)
    if not value:
        raise InvalidFilter(f"filter: the field {key!r} has no operator; there are {', '.join(_OPERATORS)}")
    tests = tuple(_comparison(path, name, operand) for name, operand in value.items())
    return tests[0] if len(tests) == 1 else And(tests)


def field_path(key: object) -> tuple[str, ...] | None:
    """The names of a field path, None where it is malformed."""
    names = tuple(key.split(".")) if isinstance(key, str) else ()
    return names if names and all(_NAME.fullmatch(name) for name in names) else None


def _comparison(path: tuple[str, ...], name: object, operand: object) -> Filter:
    where = ".".join(path)
    match name:
        case "eq" | "gt" | "gte" | "lt" | "lte" | "contains":
            value = _scalar(operand, where)
            if name in _SIGNS and value is None:
                raise InvalidFilter(f"filter: {name!r} of {where!r} cannot compare with null")
            return Comparison(path, name, value)
        case "ne":
            return Not(Comparison(path, "eq", _scalar(operand, where)))
        case "in" | "not_in":
            if not isinstance(operand, Sequence) or isinstance(operand, str):
                raise InvalidFilter(f"filter: {name!r} of {where!r} takes a list of values")
            inside = Comparison(path, "in", tuple(_scalar(item, where) for item in operand))
            return inside if name == "in" else Not(inside)
        case "exists":
            if not isinstance(operand, bool):
                raise InvalidFilter(f"filter: 'exists' of {where!r} takes true or false")
            return Comparison(path, "exists", operand)
    hint = _nearest(str(name), _OPERATORS)
    known = ", ".join(_OPERATORS)
    raise InvalidFilter(f"filter: unknown operator {name!r} at {where!r}{hint}; there are {known}")


def _scalar(value: object, where: str) -> Scalar:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidFilter(f"filter: the text for {where!r} holds a NUL or half a surrogate pair")
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() <= _MOST_BITS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InvalidFilter(
        f"filter: {where!r} compares with text, a finite number, a boolean or null; a list goes with 'in'"
    )


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


# --- the tree against Python data ---------------------------------------------------------------------------


def matches(filter: Filter, data: object) -> bool:
    """Whether JSON-like `data` matches, with exactly the meaning that `to_sql` has in Postgres."""
    match filter:
        case And(parts):
            return all(matches(part, data) for part in parts)
        case Or(parts):
            return any(matches(part, data) for part in parts)
        case Not(part):
            return not matches(part, data)
        case Comparison(path, name, value):
            found = find(data, path)
            if name == "exists":
                return (found is not MISSING) == value
            return found is not MISSING and _holds(found, name, value)


def find(data: object, path: Sequence[str]) -> object:
    """What is at a path of JSON-like data, `MISSING` where nothing is."""
    for name in path:
        if isinstance(data, Mapping) and name in data:
            data = data[name]
        elif isinstance(data, list) and _INDEX.fullmatch(name) and -len(data) <= int(name) < len(data):
            data = data[int(name)]
        else:
            return MISSING
    return data


def _holds(found: object, name: Operator, value: Scalar | tuple[Scalar, ...]) -> bool:
    if isinstance(value, tuple):
        return any(comparable(found) == comparable(item) for item in value)
    if name == "contains":
        if isinstance(found, str):
            return isinstance(value, str) and value in found
        return isinstance(found, list) and any(comparable(item) == comparable(value) for item in found)
    (kind, left), (other, right) = comparable(found), comparable(value)
    if kind == other == "string" and name in _SIGNS:
        times = time_of(left), time_of(right)
        left, right = (left, right) if None in times else times
    return kind == other and _in_order(left, name, right)


def _in_order(left: Any, name: Operator, right: Any) -> bool:
    match name:
        case "gt":
            return bool(left > right)
        case "gte":
            return bool(left >= right)
        case "lt":
            return bool(left < right)
        case "lte":
            return bool(left <= right)
    return bool(left == right)


def comparable(value: object) -> tuple[str, Any]:
    """A value's JSON type and what it compares by. A list or an object equals no scalar."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        # The shortest decimal form is what JSON carries, and so what Postgres compares.
        return "number", Decimal(value if isinstance(value, int) else repr(value))
    if isinstance(value, str):
        return "string", value
    return ("null", None) if value is None else ("container", None)


# --- the tree into SQL --------------------------------------------------------------------------------------


def to_sql(filter: Filter, column: str = "data", prefix: str = "filter") -> tuple[str, dict[str, object]]:
    """A boolean SQL expression that is never null, and its named parameters (psycopg's `%(name)s`).

    `column` is a jsonb column, with its table if need be (`r.data`); `prefix` starts the parameters' names.
    Every path and every value is a parameter (promise E4).
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", column):
        raise ValueError(f"{column!r} is not a column name")
    builder = _SqlBuilder(column, prefix)
    return builder.expression(filter), builder.parameters


@dataclass(slots=True)
class _SqlBuilder:
    column: str
    prefix: str
    parameters: dict[str, object] = field(default_factory=dict)

    def bind(self, value: object, cast: str) -> str:
        name = f"{self.prefix}_{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s::{cast}"

    def expression(self, filter: Filter) -> str:
        match filter:
            case And(parts):
                return "(" + " AND ".join(map(self.expression, parts)) + ")" if parts else "TRUE"
            case Or(parts):
                return "(" + " OR ".join(map(self.expression, parts)) + ")"
            case Not(part):
                return f"(NOT {self.expression(part)})"
            case Comparison(path, name, value):
                return self.comparison(self.bind(list(path), "text[]"), name, value)

    def comparison(self, path: str, name: Operator, value: Scalar | tuple[Scalar, ...]) -> str:
        found = f"({self.column} #> {path})"
        if name == "exists":
            return f"({found} IS {'NOT ' if value else ''}NULL)"
        if isinstance(value, tuple):
            values = self.bind([json.dumps(item) for item in value], "text[]")
            return f"COALESCE({found} = ANY({values}::jsonb[]), FALSE)"
        if name == "eq":
            return f"COALESCE({found} = {self.bind(json.dumps(value), 'jsonb')}, FALSE)"
        if name == "contains":
            return self.contains(path, found, value)
        return self.order(path, found, _SIGNS[name], value)

    def contains(self, path: str, found: str, value: Scalar) -> str:
        item = self.bind(json.dumps([value]), "jsonb")
        part = ""
        if isinstance(value, str):
            part = f" WHEN 'string' THEN strpos({self.column} #>> {path}, {self.bind(value, 'text')}) > 0"
        return f"(CASE jsonb_typeof({found}) WHEN 'array' THEN {found} @> {item}{part} ELSE FALSE END)"

    def order(self, path: str, found: str, sign: str, value: Scalar) -> str:
        text = f"({self.column} #>> {path})"
        if isinstance(value, bool):
            kind, test = "boolean", f"{text}::boolean {sign} {self.bind(value, 'boolean')}"
        elif isinstance(value, str):
            kind, test = "string", self.text_order(text, sign, value)
        else:
            kind, test = "number", f"{text}::numeric {sign} {self.bind(json.dumps(value), 'numeric')}"
        # CASE, not AND: the cast must not run on a value of another type, and AND promises no order.
        return f"(CASE jsonb_typeof({found}) WHEN '{kind}' THEN {test} ELSE FALSE END)"

    def text_order(self, text: str, sign: str, value: str) -> str:
        operand = self.bind(value, "text")
        by_code_point = f'{text} COLLATE "C" {sign} {operand}'
        if time_of(value) is None:
            return by_code_point
        # In a subquery the operand is read once, not for every record.
        by_time = f"{time_sql(text)} {sign} (SELECT {time_sql(operand)})"
        return f"(CASE WHEN {text} ~ {self.bind(PATTERN, 'text')} THEN {by_time} ELSE {by_code_point} END)"
