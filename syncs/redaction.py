"""What of a run's input, output and errors may be kept: a bounded copy, without secrets."""

import json
import math
import re
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from uuid import UUID

from pydantic import BaseModel

__all__ = ["MASK", "snapshot", "without_secrets"]

MASK = "***"
LIMIT = 16 * 1024  # characters of JSON in one column of a run's row
_DEEPEST = 12

_SECRET = r"(?:pass(?:word|wd|phrase)|secret|token(?!iz)|(?:api|access|private)[-_]?key|authorization|credential)"
_SECRET_NAME = re.compile(rf"{_SECRET}|cookie|(?:^|[-_])(?:dsn|pwd|auth)(?:$|[-_])|database_url", re.IGNORECASE)
# Counts and limits of a model's tokens are no secrets.
_COUNT_NAME = re.compile("token", re.IGNORECASE)
_SECRETS_IN_TEXT = (
    (re.compile(r"(?<=://)[^/?#\s]*@"), f"{MASK}@"),
    (
        re.compile(rf"((?:^|[?&;,\s'\"(])[\w-]{{0,40}}?{_SECRET}[\w-]{{0,40}}=['\"]?)[^&;\s'\")]+", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\bsk-[\w-]{16,}"), f"sk-{MASK}"),
)


def without_secrets(text: str) -> str:
    """`text` with passwords in URLs, `secret=value` pairs, bearer tokens and OpenAI keys masked."""
    for pattern, instead in _SECRETS_IN_TEXT:
        text = pattern.sub(instead, text)
    return text


def snapshot(value: object, limit: int = LIMIT) -> dict[str, object]:
    """A JSON object for a run's row: secrets masked, and cut until its JSON is within `limit` characters.

    Lists and texts are cut before fields are, so that the counts beside a long list survive. A value that is
    not an object becomes `{"value": ...}`.
    """
    for items, characters in ((limit, limit), (50, 1_000), (10, 200), (2, 80), (0, 40)):
        try:
            copied = _Copy(items, characters, limit).of(value, 0)
        except _OverLimit:
            continue
        return copied if isinstance(copied, dict) else {} if copied is None else {"value": copied}
    return {"truncated": f"more than {limit} characters"}


class _OverLimit(Exception):
    """The copy is longer than its limit; tried again with shorter lists."""


class _Copy:
    def __init__(self, items: int, characters: int, limit: int) -> None:
        self._items = items
        self._characters = characters
        self._left = limit

    def of(self, value: object, depth: int) -> object:
        pairs = _pairs(value)
        if pairs is not None:
            return self._object(pairs, depth) if depth < _DEEPEST else self._spend(MASK)
        if isinstance(value, list | tuple | Set):
            return self._list(list(value), depth) if depth < _DEEPEST else self._spend(MASK)
        return self._spend(self._scalar(value))

    def _object(self, pairs: Mapping[str, object], depth: int) -> dict[str, object]:
        copied: dict[str, object] = {}
        for key, item in pairs.items():
            self._spend(key)
            copied[key] = self._spend(MASK) if _is_secret(key, item) else self.of(item, depth + 1)
        return copied

    def _list(self, values: list[object], depth: int) -> list[object]:
        copied = [self.of(item, depth + 1) for item in values[: self._items]]
        more = len(values) - len(copied)
        return [*copied, self._spend(f"... {more} more")] if more else copied

    def _scalar(self, value: object) -> object:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, str):
            text = without_secrets(value)
            more = len(text) - self._characters
            return f"{text[: self._characters]}... {more} more" if more > 0 else text
        if isinstance(value, Enum):
            return self._scalar(value.value)
        if isinstance(value, date | time | timedelta | Decimal | UUID | PurePath):
            return without_secrets(str(value))
        return f"<{type(value).__name__}>"  # its own text may be anything, a secret included

    def _spend(self, copied: object) -> object:
        self._left -= len(json.dumps(copied)) + 2
        if self._left < 0:
            raise _OverLimit
        return copied


def _pairs(value: object) -> dict[str, object] | None:
    """The named parts of a mapping, a pydantic model or a dataclass; None for anything else."""
    if isinstance(value, BaseModel):
        omits = {name: field.exclude_if for name, field in type(value).model_fields.items()}
        return {name: item for name, item in value if (omit := omits.get(name)) is None or not omit(item)}
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: getattr(value, part.name) for part in fields(value)}
    return None


def _is_secret(name: str, value: object) -> bool:
    if value is None or isinstance(value, bool) or not _SECRET_NAME.search(name):
        return False
    return not (isinstance(value, int | float) and _COUNT_NAME.search(name))
