"""Politeness towards each host: how many requests at once, how far apart, and when to leave it alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from ingest.errors import BadInput, FetchError

__all__ = ["Pace", "parse_retry_after"]

_FIRST_BACKOFF = 1.0  # seconds between requests after the first 429 or 503
_MAX_BACKOFF = 60.0
_HALF_LIFE = 30.0  # seconds after which the added delay has halved
_NEGLIGIBLE = 0.05


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
    slots: asyncio.Semaphore
    delay: float  # seconds between the starts of two requests, as configured or asked for by Crawl-delay
    not_before: float = 0.0  # clock time of the next start
    backoff: float = 0.0  # seconds added to the delay at `slowed_at`, halving from then on
    slowed_at: float = 0.0

    def current_delay(self, now: float) -> float:
        added = self.backoff * 0.5 ** ((now - self.slowed_at) / _HALF_LIFE)
        return self.delay + (added if added > _NEGLIGIBLE else 0.0)


class Pace:
    """Gives out slots for requests, host by host; one host that is slowed down holds up no other.

    At most `per_host` requests run at once and their starts are `delay` seconds apart. A host that wants to
    be left alone for more than `max_wait` seconds gets no slot: `FetchError` of kind `paused`, worth a later
    run.
    """

    def __init__(
        self,
        *,
        per_host: int = 8,
        delay: float = 0.0,
        max_wait: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if per_host < 1:
            raise BadInput(f"concurrency is {per_host}; it must be at least 1")
        self._per_host = per_host
        self._delay = delay
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        """Wait for this host's turn, and hold one of its slots for the length of the block."""
        state = self._host(host)
        async with state.slots:
            while (wait := state.not_before - self._clock()) > 0:
                if wait > self._max_wait:
                    reason = f"the host asks to be left alone for {wait:,.0f} seconds; try again after that"
                    raise FetchError(host, "paused", reason, transient=True)
                await self._sleep(wait)
            now = self._clock()
            state.not_before = now + state.current_delay(now)
            yield

    def set_delay(self, host: str, seconds: float) -> None:
        """At least `seconds` between the starts of two requests to this host (Crawl-delay)."""
        state = self._host(host)
        state.delay = max(self._delay, seconds)

    def slow_down(self, host: str, retry_after: float | None = None) -> None:
        """The host answered 429 or 503: double its added delay; nothing starts for `retry_after` seconds."""
        state, now = self._host(host), self._clock()
        added = state.current_delay(now) - state.delay
        state.backoff = min(max(added * 2, _FIRST_BACKOFF), _MAX_BACKOFF)
        state.slowed_at = now
        pause = state.backoff if retry_after is None else retry_after
        state.not_before = max(state.not_before, now + pause)

    def _host(self, host: str) -> _Host:
        state = self._hosts.get(host)
        if state is None:
            state = self._hosts[host] = _Host(asyncio.Semaphore(self._per_host), self._delay)
        return state
