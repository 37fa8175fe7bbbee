"""The form in which sites are taken elsewhere: lines of JSON with a head, and an end that proves them whole (pure).

    {"syncline": {"format": 1, "version": ..., "made_at": ..., "spaces": [{"name", "dimensions", "type", ...}]}}
    {"entity": {...}}                       what follows is the entity's, up to the next one
    {"page": {...}}                         a known page, stored or not, in the order of discovery
    {"record": {"page": url or null, ...}}  in the order in which they were written
    {"vector": {"space": 0, "hash": hex, "embedding": base64}}
    {"failure": {"space": 0, "hash": hex, "reason", "tries"}}
    {"end": {"entities", "pages", "records", "vectors", "failures", "sha256"}}

The digest is that of all lines before the end. An embedding is base64 of little-endian numbers: float16 in a space of
the type halfvec, float32 in the others. `hash` is the SHA-256 of the text that was embedded.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from engine.errors import InvalidExport

__all__ = ["FORMAT", "MOST_LINE", "LineReader", "LineWriter"]

FORMAT = 1
MOST_LINE = 512 << 20  # bytes: more than any line has, and less than takes a machine down
_COUNTED = MappingProxyType(
    {"entity": "entities", "page": "pages", "record": "records", "vector": "vectors", "failure": "failures"}
)


def _is_time(value: object) -> bool:
    """No time, or one that Python has, too: a store that holds another, such as infinity, cannot be read any more."""
    if value is None:
        return True
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value).astimezone(UTC))
    except (ValueError, OverflowError):
        return False


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64


def _is_place(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


# What the database would take in another form, and the next reader of it would not.
_FORMS: Mapping[str, Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {
        "entity": {
            "crawl_options": lambda value: value is None or _is_object(value),
            **dict.fromkeys(("created_at", "updated_at"), _is_time),
        },
        "page": {
            **dict.fromkeys(("url", "address", "state"), _is_text),
            "metadata": _is_object,
            "anchors": lambda value: isinstance(value, list),
            **dict.fromkeys(("links", "aliases"), _are_texts),
            **dict.fromkeys(("fetched_at", "changed_at", "missing_since", "listed_at", "orphan_since"), _is_time),
        },
        "record": {"page": lambda value: value is None or _is_text(value)},
        "vector": {"space": _is_place, "hash": _is_hash},
        "failure": {"space": _is_place, "hash": _is_hash},
    }
)


class LineWriter:
    """Turns values into lines, and counts them."""

    def __init__(self) -> None:
        self._digest = sha256()
        self._counts: Counter[str] = Counter()

    def line(self, kind: str, value: Mapping[str, Any]) -> bytes:
        """One line."""
        line = _encode(kind, value)
        self._digest.update(line)
        self._counts.update([kind])
        return line

    def end(self) -> bytes:
        """The last line."""
        return _encode("end", {**_totals(self._counts), "sha256": self._digest.hexdigest()})


class LineReader:
    """Turns lines into (kind, value). Raises InvalidExport, which names the line, for what is no whole export."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._digest = sha256()
        self._counts: Counter[str] = Counter()
        self._number = 0
        self.size = 0
        """Bytes of the line that was read last."""

    def head(self) -> dict[str, Any]:
        """The first line's value."""
        line = self._next()
        kind, value = self._decode(line) if line else ("", {})
        if kind != "syncline":
            raise InvalidExport("This is no export of Syncline: its first line does not say so.")
        if value.get("format") != FORMAT:
            raise InvalidExport(
                f"The export has the format {value.get('format')!r} (Syncline {value.get('version')}), and this "
                f"version reads {FORMAT}: import it with the version that made it."
            )
        self._digest.update(line)
        return value

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        while line := self._next():
            kind, value = self._decode(line)
            if kind == "end":
                self._check(value)
                return
            if kind not in _COUNTED:
                raise self.error(f"{kind!r} is unknown")
            wrong = [name for name, fits in _FORMS[kind].items() if not fits(value.get(name))]
            if wrong:
                raise self.error(f"the {wrong[0]} of a {kind} is none")
            self._digest.update(line)
            self._counts.update([kind])
            yield kind, value
        raise InvalidExport(f"The export is cut off after line {self._number:,}: nothing was imported.")

    def error(self, reason: str) -> InvalidExport:
        """The error for the line that was read last, or one shortly before."""
        return InvalidExport(f"The export is damaged near line {self._number:,} ({reason}): nothing was imported.")

    def _next(self) -> bytes:
        line = next(self._lines, b"")
        if len(line) > MOST_LINE:
            raise self.error(f"a line of more than {MOST_LINE >> 20} MiB")
        self._number += bool(line)
        self.size = len(line)
        return line

    def _decode(self, line: bytes) -> tuple[str, dict[str, Any]]:
        try:
            decoded = json.loads(line)
        except (ValueError, RecursionError):
            decoded = None
        match decoded:
            case dict() if len(decoded) == 1:
                ((kind, value),) = decoded.items()
                if isinstance(value, dict):
                    return kind, value
        raise InvalidExport(
            f"Line {self._number:,} is no line of an export, or is cut off in the middle: nothing was imported."
        )

    def _check(self, end: Mapping[str, Any]) -> None:
        if end != {**_totals(self._counts), "sha256": self._digest.hexdigest()}:
            raise InvalidExport(
                "The export is not as it was made: its digest or its counts differ; nothing was imported."
            )
        if self._next().strip():
            raise self.error("there is more after its end")


def _encode(kind: str, value: Mapping[str, Any]) -> bytes:
    return json.dumps({kind: value}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _totals(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[kind] for kind, name in _COUNTED.items()}
