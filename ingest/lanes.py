"""Visits under way, in a lane for each host: in order on one host, while a slow host holds up no other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ingest.ledger import KnownPage
from ingest.polite import host_of

__all__ = ["Lanes"]

Visited = TypeVar("Visited")

MOST_HELD = 512
"""Addresses that wait in memory for their host's lane, once a crawl has met a second host."""

_MOST_LANES = 8  # full ones, of all that are under way


class Lanes(Generic[Visited]):
    """Runs `visit` on what is added, at most `width` at a time on one host.

    `next` hands out what is finished, for each host in the order in which it was added; with one host, that
    is the order altogether.
    """

    def __init__(self, visit: Callable[[KnownPage], Awaitable[Visited]], *, width: int) -> None:
        self._visit = visit
        self._width = width
        self._held: dict[str, deque[KnownPage]] = {}
        self._running: dict[str, deque[asyncio.Task[Visited]]] = {}

    def __len__(self) -> int:
        return self._holding() + self._under_way()

    @property
    def room(self) -> int:
        """How many addresses may be added now."""
        free = self._width - len(self)
        return free if len(self._held) < 2 else max(free, MOST_HELD - self._holding())

    def add(self, known: KnownPage) -> None:
        """Visit an address as soon as its lane has room."""
        host = host_of(known.address)
        self._held.setdefault(host, deque()).append(known)
        self._running.setdefault(host, deque())
        self._start(host)

    async def next(self) -> Visited | None:
        """The next visit that is finished; None where nothing is under way."""
        heads = {lane[0]: host for host, lane in self._running.items() if lane}
        if not heads:
            return None
        done, _ = await asyncio.wait(heads, return_when=asyncio.FIRST_COMPLETED)
        host = next(host for head, host in heads.items() if head in done)
        found = self._running[host].popleft().result()
        # The lane that was served goes to the end, so that each has its turn.
        self._running[host] = self._running.pop(host)
        for waiting in list(self._running):
            self._start(waiting)
        return found

    async def aclose(self) -> None:
        """Cancel what is under way."""
        tasks = [task for lane in self._running.values() for task in lane]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, host: str) -> None:
        lane, held = self._running[host], self._held[host]
        while held and len(lane) < self._width and self._under_way() < _MOST_LANES * self._width:
            lane.append(asyncio.ensure_future(self._visit(held.popleft())))

    def _holding(self) -> int:
        return sum(map(len, self._held.values()))

    def _under_way(self) -> int:
        return sum(map(len, self._running.values()))
