"""Politeness towards a host, on a clock that only sleeping moves."""

import asyncio
import itertools
from email.utils import formatdate

import pytest

from ingest.errors import BadInput, FetchError
from ingest.pace import Pace, Politeness, parse_retry_after

pytestmark = pytest.mark.promise("C4")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def starts(pace: Pace, clock: Clock, count: int, host: str = "h") -> list[float]:
    found = []
    for _ in range(count):
        async with pace.slot(host):
            found.append(clock.now)
    return found


def test_without_a_delay_nobody_waits() -> None:
    clock = Clock()
    assert asyncio.run(starts(Pace(clock=clock, sleep=clock.sleep), clock, 3)) == [0, 0, 0]
    assert clock.slept == []


def test_starts_are_apart_by_the_delay_or_the_crawl_delay_if_it_is_longer() -> None:
    clock = Clock()
    pace = Pace(Politeness(delay=2), clock=clock, sleep=clock.sleep)
    assert asyncio.run(starts(pace, clock, 3)) == [0, 2, 4]
    pace.set_delay("slow", 5)
    pace.set_delay("fast", 1)
    assert asyncio.run(starts(pace, clock, 2, "slow")) == [4, 9]
    assert asyncio.run(starts(pace, clock, 2, "fast")) == [9, 11]


def test_starts_are_apart_when_many_wait_at_once() -> None:
    clock = Clock()
    pace = Pace(Politeness(per_host=4, delay=1), clock=clock, sleep=clock.sleep)
    found = []

    async def one() -> None:
        async with pace.slot("h"):
            found.append(clock.now)

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(6)))

    asyncio.run(all_of_them())
    assert len(found) == 6
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(found))


def test_no_more_than_the_limit_run_at_once_on_one_host() -> None:
    pace = Pace(Politeness(per_host=2))
    running = {"a": 0, "b": 0}
    most = {"a": 0, "b": 0}

    async def one(host: str) -> None:
        async with pace.slot(host):
            running[host] += 1
            most[host] = max(most[host], running[host])
            await asyncio.sleep(0)
            running[host] -= 1

    async def all_of_them() -> None:
        await asyncio.gather(*(one(host) for host in "aaaaabbbbb"))

    asyncio.run(all_of_them())
    assert most == {"a": 2, "b": 2}


def test_retry_after_holds_back_this_host_and_no_other() -> None:
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    pace.slow_down("h", 30)
    assert asyncio.run(starts(pace, clock, 1, "other")) == [0]
    assert asyncio.run(starts(pace, clock, 1)) == [30]


def test_refusals_add_a_growing_delay_that_decays() -> None:
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    pace.slow_down("h")
    pace.slow_down("h")
    first, second, third = asyncio.run(starts(pace, clock, 3))
    assert first == 2
    assert 1 < second - first < 2
    assert 1 < third - second < second - first
    clock.now += 1000
    a, b, c = asyncio.run(starts(pace, clock, 3))
    assert a == b == c


def test_the_added_delay_has_a_limit() -> None:
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    for _ in range(50):
        pace.slow_down("h")
    assert asyncio.run(starts(pace, clock, 1)) == [60]


def test_a_host_that_wants_to_be_left_alone_for_long_gets_no_slot() -> None:
    clock = Clock()
    pace = Pace(Politeness(max_wait=100), clock=clock, sleep=clock.sleep)
    pace.slow_down("h", 86_400)
    with pytest.raises(FetchError, match="86,400 seconds") as caught:
        asyncio.run(starts(pace, clock, 1))
    assert (caught.value.kind, caught.value.transient, clock.slept) == ("paused", True, [])


def test_a_failed_request_gives_its_slot_back() -> None:
    pace = Pace(Politeness(per_host=1))

    async def run() -> None:
        for _ in range(2):
            with pytest.raises(FetchError):
                async with pace.slot("h"):
                    raise FetchError("http://h/", "reset", "gone")

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(BadInput, match="concurrency is 0"):
        Politeness(per_host=0)
    with pytest.raises(BadInput, match="tries is 0"):
        Politeness(tries=0)


async def at_once(pace: Pace, count: int = 50) -> int:
    """How many requests the host is asked at once when many wait."""
    running = most = 0

    async def one() -> None:
        nonlocal running, most
        async with pace.slot("h"):
            running += 1
            most = max(most, running)
            for _ in range(3):
                await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(one() for _ in range(count)))
    return most


def test_a_host_gets_two_requests_at_once_until_it_has_answered_and_then_more() -> None:
    async def run() -> list[int]:
        clock = Clock()
        pace = Pace(clock=clock, sleep=clock.sleep)
        found = []
        for _ in range(8):
            found.append(await at_once(pace))
            pace.answered("h", started=clock.now)
        return found

    assert asyncio.run(run()) == [2, 3, 4, 5, 6, 7, 8, 8]


def test_a_refusal_halves_what_runs_at_once_and_answers_bring_it_back_slowly() -> None:
    async def run() -> list[int]:
        clock = Clock()
        pace = Pace(Politeness(first_backoff=0, max_backoff=0), clock=clock, sleep=clock.sleep)
        found = []
        for refusals, answers in ((0, 9), (1, 0), (0, 4), (0, 1), (9, 0)):
            for _ in range(refusals):
                pace.slow_down("h")
            for _ in range(answers):
                pace.answered("h", started=clock.now)
            found.append(await at_once(pace))
        return found

    assert asyncio.run(run()) == [8, 4, 4, 5, 1]


def test_answers_that_become_slow_take_one_off_what_runs_at_once() -> None:
    async def run() -> list[int]:
        clock = Clock()
        pace = Pace(clock=clock, sleep=clock.sleep)
        found = []
        for seconds, answers in ((0.1, 9), (10, 2), (0.3, 1)):
            for _ in range(answers):
                pace.answered("h", started=clock.now - seconds)
            found.append(await at_once(pace))
        return found

    assert asyncio.run(run()) == [8, 6, 7]


def test_of_requests_that_were_refused_together_one_counts() -> None:
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    clock.now = 5.0
    for _ in range(8):
        pace.slow_down("h", started=4.0)
    assert pace.resting("h") == 1
    clock.now = 10.0
    pace.slow_down("h", started=6.5)
    assert 1 < pace.resting("h") <= 2
    assert pace.resting("other") == 0


def test_a_host_where_nothing_can_be_had_is_given_up_and_one_answer_brings_it_back() -> None:
    clock = Clock()
    pace = Pace(Politeness(most_failures=3), clock=clock, sleep=clock.sleep)
    for _ in range(2):
        pace.failed("h")
    pace.answered("h", started=clock.now)
    for _ in range(3):
        asyncio.run(starts(pace, clock, 1))
        pace.failed("h")
    with pytest.raises(FetchError, match="given up after 3 addresses in a row") as caught:
        asyncio.run(starts(pace, clock, 1))
    assert (caught.value.kind, caught.value.transient) == ("paused", True)
    assert asyncio.run(starts(pace, clock, 1, "other")) == [clock.now]


def test_a_crawl_delay_that_no_crawl_waits_ends_after_the_first_request() -> None:
    clock = Clock()
    pace = Pace(Politeness(max_wait=100), clock=clock, sleep=clock.sleep)
    pace.set_delay("h", 90)
    assert asyncio.run(starts(pace, clock, 3)) == [0, 90, 180]
    pace.set_delay("h", 86_400)
    with pytest.raises(FetchError, match="86,400 seconds between two requests"):
        asyncio.run(starts(pace, clock, 2))


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        ("9" * 400, 1e9),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        ("Fri, 99 Foo 9999 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds
