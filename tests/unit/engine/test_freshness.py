"""When a stored page is due: on evidence, else by a tenth of the time since it last changed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.freshness import LONGEST, SHORTEST, is_due, lifetime

pytestmark = pytest.mark.promise("C9")

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Page:
    stored: bool = True
    missed: bool = False
    extractor: str | None = "v1"
    last_modified: str | None = None
    changed_at: datetime | None = NOW - 20 * DAY
    fetched_at: datetime | None = NOW - HOUR
    listed_at: datetime | None = None


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        ({}, False),
        ({"stored": False}, True),
        ({"missed": True}, True),
        ({"extractor": "v0"}, True),
        ({"extractor": None}, True),
        ({"fetched_at": None}, True),
        ({"listed_at": NOW - timedelta(minutes=59)}, True),
        ({"listed_at": NOW - 2 * HOUR}, False),
        ({"fetched_at": NOW - 43 * HOUR}, False),
        ({"fetched_at": NOW - 44 * HOUR}, True),
    ],
)
def test_a_page_is_due_on_evidence_or_by_its_age(facts: dict[str, Any], due: bool) -> None:
    assert is_due(Page(**facts), extractor="v1", now=NOW) is due


@pytest.mark.parametrize(
    ("unchanged_for", "said", "fresh_for"),
    [
        (20 * DAY, None, 2 * DAY),
        (5 * HOUR, None, SHORTEST),
        (timedelta(0), None, SHORTEST),
        (-DAY, None, SHORTEST),
        (3_000 * DAY, None, LONGEST),
        (5 * HOUR, 20 * DAY, 2 * DAY),  # what the server says comes first
        (20 * DAY, -DAY, SHORTEST),
    ],
)
def test_a_page_is_fresh_for_a_tenth_of_the_time_since_it_changed_within_bounds(
    unchanged_for: timedelta, said: timedelta | None, fresh_for: timedelta
) -> None:
    header = None if said is None else f"{NOW - said:%a, %d %b %Y %H:%M:%S GMT}"
    assert lifetime(Page(changed_at=NOW - unchanged_for, last_modified=header), NOW) == fresh_for


@pytest.mark.parametrize("header", ["", "yesterday", "Mon, 99 Foo 2026", "0", "\x00"])
def test_a_last_modified_that_is_no_date_says_nothing(header: str) -> None:
    assert lifetime(Page(last_modified=header), NOW) == 2 * DAY


def test_a_page_whose_change_nobody_knows_of_is_fresh_for_the_shortest_time() -> None:
    assert lifetime(Page(changed_at=None), NOW) == SHORTEST
