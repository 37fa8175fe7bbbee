"""Which texts are dates, and what time they are."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dates import time_of

OFFSETS = st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def since(moment: datetime) -> timedelta:
    return moment - datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-01-02", datetime(2024, 1, 2)),
        ("2024-02-29", datetime(2024, 2, 29)),
        ("2000-02-29", datetime(2000, 2, 29)),
        ("2024-01-02T03:04", datetime(2024, 1, 2, 3, 4)),
        ("2024-01-02 03:04:05", datetime(2024, 1, 2, 3, 4, 5)),
        ("2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5)),
        ("2024-01-02T03:04:05.5Z", datetime(2024, 1, 2, 3, 4, 5, 500_000)),
        ("2024-01-02T03:04:05.123456999Z", datetime(2024, 1, 2, 3, 4, 5, 123_456)),
        ("2024-01-02T03:04:05+02:30", datetime(2024, 1, 2, 0, 34, 5)),
        ("2024-01-02T03:04:05-0230", datetime(2024, 1, 2, 5, 34, 5)),
        ("2024-01-01 23:04+01", datetime(2024, 1, 1, 22, 4)),
    ],
)
def test_a_date_in_any_usual_form_is_a_point_in_time(text: str, utc: datetime) -> None:
    assert time_of(text) == since(utc.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "", "2024", "2024-01", "20240102", "2024-1-2", "2024-13-01", "2024-00-01", "2024-04-31", "2024-01-32",
        "2024-01-00", "2023-02-29", "1900-02-29", "2024-02-30", "0000-01-01", "02024-01-02", "2024-01-02T",
        "2024-01-02T24:00", "2024-01-02T03:60", "2024-01-02T03:04:60", "2024-01-02T03:04:05.", "2024-01-02Z",
        "2024-01-02T03", "2024-01-02T03:04:05+16:00", "2024-01-02T03:04:05+1", "2024-01-02T03:04:05 Z",
        "2024-01-02t03:04:05z", " 2024-01-02", "2024-01-02 ", "2024-01-02\n", "2024-01-02T03:04\n", "٢٠٢٤-٠١-٠٢",
        "2024-01-02-draft", "soon",
    ],
)  # fmt: skip
def test_anything_else_is_just_text(text: str) -> None:
    assert time_of(text) is None


@given(st.datetimes(timezones=OFFSETS))
def test_what_python_writes_is_read_as_the_same_time(moment: datetime) -> None:
    assert time_of(moment.isoformat()) == since(moment)
    assert time_of(str(moment)) == since(moment)


@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
def test_exactly_the_days_of_the_calendar_are_dates(year: int, month: int, day: int) -> None:
    try:
        known: date | None = date(year, month, day)
    except ValueError:
        known = None
    assert (time_of(f"{year:04}-{month:02}-{day:02}") is not None) == (known is not None)
