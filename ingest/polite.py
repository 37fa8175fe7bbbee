"""A `Fetcher` that asks politely: it waits for the host's turn, and asks again where that is worth it.

Everything that a crawl asks of a site goes through one of these: its start, robots.txt, pages, sitemaps.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ingest.errors import FetchError
from ingest.models import Fetcher, FetchRequest, FetchResponse
from ingest.pace import Pace, Politeness, parse_retry_after
from ingest.urls import origin, parse

__all__ = ["WORTH_RETRYING", "PoliteFetcher", "host_of"]

WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that another try may change (RFC 9110 section 15, RFC 8470 for 425)."""

_SLOW_DOWN = frozenset({429, 503})
_NO_HOST = frozenset({"refused", "dns"})  # kinds of failure that say nothing of the page, but of the host


def host_of(address: str) -> str:
    """What a pace is kept for: the host and port of an address."""
    where = origin(address)
    return f"{where.host}:{where.port}"


class PoliteFetcher:
    """Requests through `fetcher`, in turn and again.

    A failed connection, a timeout, a broken answer and the statuses of `WORTH_RETRYING` are tried again, as
    `Politeness` says; the last answer or error is the result. 429 and 503 slow the host down, and their
    Retry-After is kept.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        politeness: Politeness | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rules = politeness or Politeness()
        self.pace = Pace(self._rules, clock=clock, sleep=sleep)
        self._fetcher = fetcher
        self._clock = clock
        self._sleep = sleep

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        """The answer, once it is this host's turn. `FetchError` of kind `paused` where the host gets no turn."""
        address = parse(request.url)
        if address is None:
            return await self._fetcher.fetch(request)
        host = host_of(address)
        wait, spent = self._rules.first_wait, 0.0
        for tries_left in reversed(range(self._rules.tries)):
            async with self.pace.slot(host) as started:
                found = await self._ask(host, request, started)
            spent += self._clock() - started
            if isinstance(found, FetchResponse) and found.status not in WORTH_RETRYING:
                return replace(found, seconds=spent)
            if not tries_left or spent > self._rules.patience:
                break
            await self._sleep(wait * random.uniform(0.5, 1.5))
            wait *= 2
        if isinstance(found, FetchError):
            self.pace.failed(host)
            found.seconds = spent
            raise found
        if found.status in _SLOW_DOWN:
            self.pace.failed(host)
        return replace(found, seconds=spent)

    async def aclose(self) -> None:
        """Close the fetcher behind this one."""
        await self._fetcher.aclose()

    async def _ask(self, host: str, request: FetchRequest, started: float) -> FetchResponse | FetchError:
        """One request, and what it says of the host; a failure that another try may mend is a value."""
        try:
            response = await self._fetcher.fetch(request)
        except FetchError as error:
            error.seconds = self._clock() - started
            if not error.transient:
                raise
            if error.kind in _NO_HOST:
                self.pace.slow_down(host, started=started)
            return error
        if response.status in _SLOW_DOWN:
            self.pace.slow_down(host, _retry_after(response), started=started)
        else:
            self.pace.answered(host, started=started)
        return response


def _retry_after(response: FetchResponse) -> float | None:
    written = response.headers.get("retry-after")
    return parse_retry_after(written, now=time.time()) if written else None
