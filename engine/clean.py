"""Text and JSON as Postgres can hold them: no NUL, no lone surrogates, no NaN."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256

__all__ = ["canonical", "clean_json", "clean_text", "digest"]

MOST_LEVELS = 100
MOST_BITS = 4_096
# From here on Python writes a float with an exponent, and jsonb, with decimal numbers, gives back digits.
_WHOLE = 1e16
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """`text` with NUL and lone surrogates, for which Postgres refuses a whole batch, replaced by U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text  # most text, at a hundredth of the cost
    return _UNSTORABLE.sub("\ufffd", text)


def clean_json(value: object) -> object:
    """`value` as it comes back from jsonb: strings cleaned, NaN and infinities null, tuples as lists, keys as
    text, floats from 1e16 on as integers.

    Raises TypeError for what JSON has no form for, for integers of more than 4,096 bits, and for lists and
    objects nested more than 100 levels deep.
    """
    return _clean(value, 0)


def _clean(value: object, level: int) -> object:
    if level > MOST_LEVELS:
        raise TypeError(f"lists and objects nested more than {MOST_LEVELS} levels deep")
    match value:
        case str():
            return clean_text(value)
        case float():
            return _clean_float(value)
        case None | bool():
            return value
        case int():
            if value.bit_length() > MOST_BITS:
                raise TypeError(f"an integer of more than {MOST_BITS:,} bits")
            return value
        case Mapping():
            return {clean_text(str(key)): _clean(item, level + 1) for key, item in value.items()}
        case Sequence() if not isinstance(value, (bytes, bytearray)):
            return [_clean(item, level + 1) for item in value]
    raise TypeError(f"{type(value).__name__}, which is not JSON")


def _clean_float(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return value + 0.0 if abs(value) < _WHOLE else int(Decimal(repr(value)))  # -0.0 + 0.0 is 0.0


def canonical(value: object) -> str:
    """One text for equal JSON: in Python `True == 1`, and in a store they are two values."""
    return json.dumps(value, sort_keys=True)


def digest(text: str) -> bytes:
    """SHA-256 of the text in UTF-8: the key of vectors, external ids and URLs; a btree key has its limit."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
