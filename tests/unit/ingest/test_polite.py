"""Asking again and in turn: what is worth another try, how often, and what it does to the host."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ingest.errors import FetchError
from ingest.models import FetchRequest, FetchResponse
from ingest.pace import Politeness
from ingest.polite import PoliteFetcher, host_of

pytestmark = pytest.mark.promise("C4")
A = "https://x.org/a"
Answer = FetchResponse | FetchError
RESET = FetchError(A, "reset", "the connection broke", transient=True)
REFUSED = FetchError(A, "refused", "no connection to the host", transient=True)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Site:
    """Answers for each host in turn, the last one for ever; each takes `seconds`."""

    def __init__(self, clock: Clock, answers: Mapping[str, list[Answer]], seconds: float = 0.0) -> None:
        self.clock = clock
        self.answers = {host: list(found) for host, found in answers.items()}
        self.seconds = seconds
        self.asked: list[tuple[float, str]] = []

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        self.asked.append((self.clock.now, request.url))
        self.clock.now += self.seconds
        left = self.answers[host_of(request.url)]
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, FetchError):
            raise found
        return found

    async def aclose(self) -> None:
        return None


def status(code: int, **headers: str) -> FetchResponse:
    return FetchResponse(A, code, {name.replace("_", "-"): value for name, value in headers.items()})


def ask(answers: list[Answer], seconds: float = 0.0, **rules: Any) -> tuple[FetchResponse | FetchError, Site, Clock]:
    clock = Clock()
    site = Site(clock, {"x.org:443": answers}, seconds)
    polite = PoliteFetcher(site, Politeness(**rules), clock=clock, sleep=clock.sleep)
    try:
        return asyncio.run(polite.fetch(FetchRequest(A))), site, clock
    except FetchError as error:
        return error, site, clock


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_status_is_asked_again(code: int) -> None:
    found, site, _ = ask([status(code), status(200)])
    assert isinstance(found, FetchResponse)
    assert (found.status, len(site.asked)) == (200, 2)


@pytest.mark.parametrize("code", [200, 204, 304, 301, 400, 401, 403, 404, 410, 451, 501, 505])
def test_a_final_status_is_not(code: int) -> None:
    found, site, _ = ask([status(code)])
    assert isinstance(found, FetchResponse)
    assert (found.status, len(site.asked)) == (code, 1)


def test_failures_that_may_pass_are_tried_again_and_others_are_not() -> None:
    assert len(ask([RESET, RESET, status(200)])[1].asked) == 3
    found, site, _ = ask([FetchError(A, "too_large", "too large")])
    assert (isinstance(found, FetchError), len(site.asked)) == (True, 1)


def test_the_last_error_is_raised_and_the_last_answer_given() -> None:
    assert ask([RESET])[0] is RESET
    found, site, _ = ask([RESET, status(500), status(502)])
    assert isinstance(found, FetchResponse)
    assert (found.status, len(site.asked)) == (502, 3)


def test_the_wait_doubles_and_is_scattered() -> None:
    waits = []
    for _ in range(20):
        _, site, _ = ask([status(500)], first_wait=1.0)
        first, second, third = (at for at, _ in site.asked)
        waits.append((second - first, third - second))
    assert all(0.5 <= one <= 1.5 and 1.0 <= two <= 3.0 for one, two in waits)
    assert len(set(waits)) > 10


def test_no_try_starts_once_the_patience_is_used_up() -> None:
    assert len(ask([RESET], seconds=60)[1].asked) == 1
    assert len(ask([RESET], seconds=30)[1].asked) == 2
    assert len(ask([status(500)], seconds=30, tries=9)[1].asked) == 2


def test_retry_after_is_waited_for() -> None:
    _, site, clock = ask([status(503, retry_after="20"), status(200)])
    assert len(site.asked) == 2
    assert 20 <= clock.now < 30


@pytest.mark.parametrize("code", [429, 503])
def test_a_host_that_wants_a_day_of_rest_is_asked_once(code: int) -> None:
    found, site, clock = ask([status(code, retry_after="86400"), status(200)])
    assert isinstance(found, FetchError)
    assert (found.kind, found.transient, len(site.asked)) == ("paused", True, 1)
    assert clock.now < 2


def test_a_host_at_rest_does_not_hold_up_another() -> None:
    clock = Clock()
    site = Site(clock, {"x.org:443": [status(503, retry_after="100"), status(200)], "y.org:443": [status(200)]})
    polite = PoliteFetcher(site, clock=clock, sleep=clock.sleep)

    async def run() -> None:
        addresses = ["https://x.org/0", *(f"https://y.org/{n}" for n in range(5))]
        await asyncio.gather(*(polite.fetch(FetchRequest(address)) for address in addresses))

    asyncio.run(run())
    assert [url for _, url in site.asked] == [
        "https://x.org/0",
        *(f"https://y.org/{n}" for n in range(5)),
        "https://x.org/0",
    ]
    assert site.asked[-2][0] < 1
    assert site.asked[-1][0] >= 100


def test_a_host_that_is_down_is_given_up_in_the_end_and_pages_that_break_do_not_take_it_down() -> None:
    async def run(failure: Answer, then: list[Answer]) -> tuple[int, str]:
        clock = Clock()
        site = Site(clock, {"x.org:443": [failure] * 3 * 9 + then})
        polite = PoliteFetcher(site, clock=clock, sleep=clock.sleep)
        last = ""
        for number in range(40):
            try:
                last = str((await polite.fetch(FetchRequest(f"https://x.org/{number}"))).status)
            except FetchError as error:
                last = error.kind
        return len(site.asked), last

    assert asyncio.run(run(REFUSED, [REFUSED])) == (30, "paused")
    assert asyncio.run(run(RESET, [status(200)])) == (27 + 31, "200")
