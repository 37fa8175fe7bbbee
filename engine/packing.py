"""Values in the binary form that Postgres reads them in, packed in one pass: an adapter for each costs twice as much.

Each as its type's receive function reads it: `jsonb_recv`, `range_recv`, `array_recv`, `tsvectorrecv`, and
`sparsevec_recv` of pgvector. The rows are those of COPY in PostgreSQL's documentation ("Binary Format").
"""

import json
import struct
from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "END",
    "HEADER",
    "Packed",
    "pack_fields",
    "pack_float",
    "pack_integer",
    "pack_json",
    "pack_long",
    "pack_range",
    "pack_sparse",
    "pack_texts",
    "pack_words",
]

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What a COPY begins with."""

END = b"\xff\xff"
"""What it ends with."""

_NULL = b"\xff" * 4  # a length of -1
_JSONB_VERSION = b"\x01"
_WITH_LOWER_BOUND = 2
_TEXT = 25  # the type's number
_NO_TEXTS = bytes(8) + b"\0\0\0\x19"

pack_integer = struct.Struct("!i").pack
pack_long = struct.Struct("!q").pack
pack_float = struct.Struct("!d").pack
_range = struct.Struct("!Biiii").pack
_array = struct.Struct("!5i").pack


class Packed(bytes):
    """A value as a parameter of a statement, whose place there says what type it is."""


def pack_fields(values: Sequence[bytes | None]) -> bytes:
    """Values one after the other, each after its length; None is NULL."""
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (pack_integer(len(value)), value)
    return b"".join(parts)


def pack_json(value: object) -> bytes:
    """As `jsonb`."""
    return _JSONB_VERSION + json.dumps(value).encode()


def pack_range(start: int, end: int) -> bytes:
    """As `int4range`, without its end."""
    return _range(_WITH_LOWER_BOUND, 4, start, 4, end)


def pack_texts(texts: Sequence[str]) -> bytes:
    """As `text[]`."""
    if not texts:
        return _NO_TEXTS
    return _array(1, 0, _TEXT, len(texts), 1) + pack_fields([text.encode() for text in texts])


def pack_words(words: Collection[str]) -> bytes:
    """Distinct words as a `tsvector` without positions."""
    return pack_integer(len(words)) + "".join([f"{word}\0\0\0" for word in words]).encode()


def pack_sparse(weights: Mapping[int, float], dimensions: int) -> bytes:
    """Weights by place as a `sparsevec`."""
    places = sorted(weights)
    count = len(places)
    return struct.pack(f"!{count + 3}i{count}f", dimensions, count, 0, *places, *map(weights.__getitem__, places))
