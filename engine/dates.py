"""Dates and times within JSON, which has no type for them: text of ISO 8601's form, compared as a time (pure).

`2024-01-02` (its midnight), `2024-01-02T15:04:05.123456+01:00`, with a space for the T, without seconds, with an
offset of any usual form (`Z`, `+01`, `+0100`, `+01:00`) or without one, which means UTC. Digits beyond the
microsecond are left out. A day that no calendar has is just text.
"""

import re
from datetime import datetime, timedelta

__all__ = ["PATTERN", "time_of", "time_sql"]

# One pattern for Python and for Postgres, exact to the leap year, so that a cast of what matches cannot fail.
_LONG = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
_SHORT = "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
_FEBRUARY = "02-(?:0[1-9]|1[0-9]|2[0-8])"
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
_DAY = f"(?!0000)(?:[0-9]{{4}}-(?:{_LONG}|{_SHORT}|{_FEBRUARY})|{_LEAP})"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
PATTERN = f"^{_DAY}(?:[T ]{_CLOCK}{_OFFSET}?)?$"

_MATCH = re.compile(PATTERN)
_PARTS = re.compile(r"(.{10})(?:[T ](.{5})(:..)?(\.[0-9]{1,6})?[0-9]*(Z|[+-].*)?)?")
_FIRST = datetime.min


def time_of(text: str) -> timedelta | None:
    """The time since the first day of the calendar, in UTC; None where the text is no date."""
    if len(text) < 10 or text.endswith("\n") or not _MATCH.match(text):
        return None
    parts = _PARTS.fullmatch(text)
    assert parts is not None, "what matches the pattern has these parts"
    day, minutes, seconds, fraction, offset = parts.groups()
    local = datetime.fromisoformat(f"{day}T{minutes or '00:00'}{seconds or ':00'}{(fraction or '.0').ljust(7, '0')}")
    return local - _FIRST - _shift(offset)


def _shift(offset: str | None) -> timedelta:
    if offset is None or offset == "Z":
        return timedelta(0)
    digits = offset[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -shift if offset[0] == "-" else shift


def time_sql(text: str) -> str:
    """SQL for the timestamptz of an SQL expression whose text matches `PATTERN`."""
    # After the tenth character a sign or a Z can only be the offset. Postgres would round what Python leaves out.
    zoned = f"(CASE WHEN substr({text}, 11) ~ '[Z+-]' THEN {text} ELSE {text} || 'Z' END)"
    return rf"regexp_replace({zoned}, '(\.[0-9]{{6}})[0-9]+', '\1')::timestamptz"
