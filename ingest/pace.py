"""Politeness towards each host: how many requests at once, how far apart, and when to leave it alone.

The number of requests at once follows TCP (RFC 5681): it begins at two, grows with every answer, is halved
when the host says 429 or 503, and then grows by one a round. The delay between requests doubles with each
such refusal and fades while there is none.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from ingest.errors import BadInput, FetchError

__all__ = ["Pace", "Politeness", "parse_retry_after"]

_FIRST_WINDOW = 2.0  # requests at once to a host that has not answered yet
_HALF_LIFE = 30.0  # seconds after which the added delay has halved
_NEGLIGIBLE = 0.05
# An answer is slow that takes so many seconds, and so many times as long as the host's quickest.
_SLOW_SECONDS, _SLOW_FACTOR = 2.0, 4.0


@dataclass(frozen=True, slots=True)
class Politeness:
    """How a crawl treats each host. Times are in seconds.

    `per_host` is the most requests at once, `delay` the least time between the starts of two. An address is
    asked for at most `tries` times, with `first_wait` before the second, doubled for each further one and
    scattered by half; none of them starts once `patience` seconds went by in requests for it. The first
    refusal adds `first_backoff` between requests, doubled up to `max_backoff`. A host that wants to be left
    alone for more than `max_wait` is, for the rest of the crawl, and so is one where `most_failures` addresses
    in a row could not be had.
    """

    per_host: int = 8
    delay: float = 0.0
    tries: int = 3
    first_wait: float = 0.5
    patience: float = 45.0
    first_backoff: float = 1.0
    max_backoff: float = 60.0
    max_wait: float = 120.0
    most_failures: int = 10

    def __post_init__(self) -> None:
        if self.per_host < 1:
            raise BadInput(f"concurrency is {self.per_host}; it must be at least 1")
        if self.tries < 1:
            raise BadInput(f"tries is {self.tries}; it must be at least 1")


def parse_retry_after(value: str, *, now: float) -> float | None:
    """The seconds to wait from a Retry-After header: a number or an HTTP date (RFC 9110 section 10.2.3).

    `now` is the Unix time in seconds. None if it cannot be read; a date in the past is 0; at most 1e9.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), 1e9)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, at.timestamp() - now), 1e9)


@dataclass
class _Host:
    delay: float  # seconds between the starts of two requests, as configured or asked for by Crawl-delay
    window: float  # most requests at once, as far as the host has earned it
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    running: int = 0
    next_start: float = 0.0  # clock time
    paused_until: float = 0.0
    backoff: float = 0.0  # seconds added to the delay at `slowed_at`, halving from then on
    slowed_at: float | None = None
    quickest: float = float("inf")  # seconds
    failures: int = 0  # addresses in a row that could not be had

    def current_delay(self, now: float) -> float:
        added = self.backoff * 0.5 ** ((now - (self.slowed_at or 0.0)) / _HALF_LIFE)
        return self.delay + (added if added > _NEGLIGIBLE else 0.0)


class Pace:
    """Gives out slots for requests, host by host; one host that is slowed down holds up no other.

    A host that is to be left alone gets no slot: `FetchError` of kind `paused`, worth a later run.
    """

    def __init__(
        self,
        politeness: Politeness | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rules = politeness or Politeness()
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[float]:
        """Wait for this host's turn, and hold one of its slots for the length of the block.

        Gives the clock time at which the turn began, for `answered` and `slow_down`.
        """
        state = self._host(host)
        async with state.changed:
            await state.changed.wait_for(lambda: state.running < int(state.window))
            state.running += 1
        try:
            await self._turn(host, state)
            yield self._clock()
        finally:
            state.running -= 1
            async with state.changed:
                state.changed.notify_all()

    async def _turn(self, host: str, state: _Host) -> None:
        while True:
            now = self._clock()
            self._check(host, state, now)
            wait = max(state.next_start, state.paused_until) - now
            if wait <= 0:
                state.next_start = now + state.current_delay(now)
                return
            await self._sleep(wait)

    def _check(self, host: str, state: _Host, now: float) -> None:
        if state.failures >= self._rules.most_failures:
            reason = f"the host was given up after {state.failures} addresses in a row that could not be had"
        elif state.paused_until - now > self._rules.max_wait:
            wait = state.paused_until - now
            reason = f"the host asks to be left alone for {wait:,.0f} seconds; try again after that"
        elif state.delay > self._rules.max_wait and state.next_start > now:
            reason = f"the host asks for {state.delay:,.0f} seconds between two requests, which no crawl waits"
        else:
            return
        raise FetchError(host, "paused", reason, transient=True)

    def resting(self, host: str) -> float:
        """The seconds for which nothing may start at this host; 0 for one that is free."""
        state, now = self._host(host), self._clock()
        return max(0.0, max(state.next_start, state.paused_until) - now)

    def set_delay(self, host: str, seconds: float) -> None:
        """At least `seconds` between the starts of two requests to this host (Crawl-delay)."""
        self._host(host).delay = max(self._rules.delay, seconds)

    def answered(self, host: str, *, started: float) -> None:
        """The host answered a request that began at `started`: more at once, or one less if it was slow."""
        state = self._host(host)
        state.failures = 0
        took = self._clock() - started
        state.quickest = min(state.quickest, took)
        if took > _SLOW_SECONDS and took > _SLOW_FACTOR * state.quickest:
            state.window = max(1.0, state.window - 1)
        else:
            grown = state.window + (1 if state.slowed_at is None else 1 / state.window)
            state.window = min(grown, float(self._rules.per_host))

    def slow_down(self, host: str, retry_after: float | None = None, *, started: float | None = None) -> None:
        """The host answered 429 or 503: half as many at once, twice the added delay, and a pause.

        Nothing starts for `retry_after` seconds, or as long as the delay that is added. Of several requests
        that were under way together (`started` before the last slow-down), only the first counts.
        """
        state, now = self._host(host), self._clock()
        news = state.slowed_at is None or started is None or started > state.slowed_at
        if news:
            added = state.current_delay(now) - state.delay
            state.backoff = min(max(added * 2, self._rules.first_backoff), self._rules.max_backoff)
            state.window = max(1.0, state.window / 2)
            state.slowed_at = now
        if news or retry_after is not None:
            pause = state.backoff if retry_after is None else retry_after
            state.paused_until = max(state.paused_until, now + pause)

    def failed(self, host: str) -> None:
        """An address of this host could not be had, after all its tries."""
        self._host(host).failures += 1

    def _host(self, host: str) -> _Host:
        state = self._hosts.get(host)
        if state is None:
            window = min(_FIRST_WINDOW, float(self._rules.per_host))
            state = self._hosts[host] = _Host(self._rules.delay, window)
        return state
