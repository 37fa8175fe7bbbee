"""How fast a server is asked, by the headers of its answers; the clock is the test's own."""

import asyncio
import math
from dataclasses import dataclass, field

import pytest

from engine.embedders.pace import Pace


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock=clock, sleep=clock.sleep)


def limits(kind: str, limit: int, remaining: int, reset: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": str(remaining),
        f"x-ratelimit-reset-{kind}": reset,
    }


def turns(pace: Pace, *tokens: int) -> None:
    async def run() -> None:
        for one in tokens:
            await pace.turn(one)

    asyncio.run(run())


def test_without_headers_nothing_waits(pace: Pace, clock: Clock) -> None:
    pace.learn(200, {})
    turns(pace, *[100_000] * 50)
    assert clock.slept == []
    assert pace.most_tokens == math.inf


def test_what_is_left_is_used_at_once_and_more_when_it_is_back(pace: Pace, clock: Clock) -> None:
    pace.learn(200, limits("tokens", 1000, 400, "6s"))  # 100 a second come back
    turns(pace, 400)
    assert clock.slept == []
    turns(pace, 300)
    assert clock.slept == [pytest.approx(3)]
    assert pace.most_tokens == 1000


def test_requests_are_counted_beside_tokens(pace: Pace, clock: Clock) -> None:
    pace.learn(200, limits("tokens", 1000, 1000, "0s") | limits("requests", 60, 2, "58s"))
    turns(pace, 1, 1, 1)
    assert clock.slept == [pytest.approx(1)]


def test_a_request_that_is_larger_than_the_limit_waits_for_all_of_it_and_goes(pace: Pace, clock: Clock) -> None:
    pace.learn(200, limits("tokens", 1000, 0, "10s"))
    turns(pace, 5000)
    assert clock.now == pytest.approx(1010)


def test_an_answer_that_does_not_know_of_later_requests_gives_nothing_back(pace: Pace, clock: Clock) -> None:
    pace.learn(200, limits("tokens", 1000, 900, "1s"))
    turns(pace, 800)
    pace.learn(200, limits("tokens", 1000, 900, "1s"))
    turns(pace, 300)
    assert clock.slept == [pytest.approx(2)]


def test_what_others_use_up_is_seen_in_the_next_answer(pace: Pace, clock: Clock) -> None:
    pace.learn(200, limits("tokens", 1000, 900, "1s"))
    pace.learn(200, limits("tokens", 1000, 0, "10s"))
    turns(pace, 500)
    assert clock.slept == [pytest.approx(5)]


def test_tokens_that_were_counted_and_not_billed_are_given_back(pace: Pace, clock: Clock) -> None:
    pace.learn(200, limits("tokens", 1000, 900, "1s"))
    turns(pace, 900)
    pace.settle(900, 200)
    turns(pace, 700)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1s", 1), ("1.5s", 1.5), ("120ms", 0.12), ("1m30s", 90), ("1m0.5s", 60.5), ("90", 90), ("1m", 60)],
)
def test_times_are_read_as_openai_and_others_write_them(pace: Pace, clock: Clock, reset: str, seconds: float) -> None:
    pace.learn(200, limits("requests", 1, 0, reset))
    turns(pace, 0)
    assert clock.now == pytest.approx(1000 + seconds)


@pytest.mark.parametrize("reset", ["", "soon", "nan", "inf", "2026-11-23T10:00:00Z"])
def test_a_limit_whose_reset_cannot_be_read_is_not_kept_to(pace: Pace, clock: Clock, reset: str) -> None:
    pace.learn(200, limits("requests", 1, 0, reset))
    turns(pace, 0)
    assert clock.slept == []


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", [{"retry-after": "7"}, {"retry-after-ms": "7000", "retry-after": "9"}])
def test_a_refusal_that_names_a_pause_holds_back_every_request(
    pace: Pace, clock: Clock, status: int, header: dict[str, str]
) -> None:
    pace.learn(status, header)
    turns(pace, 1, 1)
    assert clock.slept == [7]


@pytest.mark.parametrize("header", [{"retry-after": "86400"}, {"retry-after": "nan"}, {"retry-after": "-3"}, {}])
def test_a_pause_that_is_too_long_or_none_holds_back_nothing(pace: Pace, clock: Clock, header: dict[str, str]) -> None:
    pace.learn(429, header)
    turns(pace, 1)
    assert clock.slept == []


def test_a_limit_that_is_whole_again_only_tomorrow_is_left_to_the_server(pace: Pace, clock: Clock) -> None:
    pace.learn(200, limits("requests", 10, 0, "24h0m0s"))
    turns(pace, 1)
    assert clock.slept == []
