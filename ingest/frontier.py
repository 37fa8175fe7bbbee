"""The frontier of one crawl: what to visit next, and what each visit means for what is known."""

from collections import deque
from collections.abc import Sequence

from ingest.ledger import KnownPage, PageLedger
from ingest.models import CrawledPage, Outcome, SkippedPage
from ingest.scope import Scope
from ingest.urls import identity
from ingest.visit import Visit

__all__ = ["Frontier"]

BATCH = 64  # addresses taken from the ledger at once
MOST_REDIRECTS = 10


class Frontier:
    """Takes addresses from the ledger in order, and settles visits in that same order."""

    def __init__(self, ledger: PageLedger, scope: Scope) -> None:
        self._ledger = ledger
        self._scope = scope
        self._ready: deque[KnownPage] = deque()
        self._may_hold_more = True
        # Addresses as hashes: a site's addresses would not fit in memory, their hashes do.
        self._depths: dict[int, int] = {}
        self._chains: dict[int, tuple[int, ...]] = {}
        self._replaced: set[int] = set()
        self._contents: dict[str, str] = {}
        self._start = ""
        self.counted = 0
        """Pages new, changed or unchanged so far: what a limit is held against."""

    async def open(self, *, start: str) -> None:
        """Begin with the start page, then every page of earlier crawls that is in scope (promise E3)."""
        self._start = identity(start)
        await self._discover([start], depth=0, forced=True)
        async for batch in self._ledger.known():
            found = [(url, address, depth) for url, address, depth in batch if self._scope.admit(url).allowed]
            found = [entry for entry in found if entry[0] != self._start]
            self._depths.update((hash(url), depth) for url, _, depth in found)
            await self._ledger.discover(found)
        self.counted = await self._ledger.counted()

    async def take(self, count: int) -> Sequence[KnownPage]:
        """At most `count` addresses to visit now; empty where none is known at the moment."""
        if len(self._ready) < count and self._may_hold_more:
            taken = await self._ledger.take(BATCH, max_depth=self._scope.max_depth)
            self._may_hold_more = len(taken) == BATCH
            self._ready.extend(taken)
        return [self._ready.popleft() for _ in range(min(count, len(self._ready)))] if count > 0 else []

    async def settle(self, visit: Visit) -> CrawledPage | SkippedPage:
        """Discover what the visit linked to and decide what its page is."""
        known = visit.known
        depth = self._depths.get(hash(known.url), known.depth)
        await self._discover(visit.links, depth=depth + 1)
        if visit.redirect is not None:
            return await self._settle_redirect(visit, visit.redirect, depth)
        if known.url == self._start and (visit.page is not None or visit.outcome is Outcome.UNCHANGED):
            verdict = self._scope.admit(known.url)
            if not verdict.allowed:
                reason = f"the start page is read for its links only: {verdict.rule}"
                return await self._skip(visit, Outcome.SKIPPED, reason)
        if visit.page is None:
            return await self._skip(visit, visit.outcome or Outcome.FAILED, visit.reason)
        if visit.canonical is not None and self._scope.admit(visit.canonical).allowed:
            await self._discover([visit.canonical], depth=depth)
            canonical = identity(visit.canonical)
            return await self._skip(visit, Outcome.DUPLICATE, f"its canonical address is {canonical}", canonical)
        twin = await self._twin(visit.page)
        if twin is not None:
            return await self._skip(visit, Outcome.DUPLICATE, f"the same content as {twin}", twin)
        self._contents[visit.page.content_hash] = known.url
        self._note_replaced(known)
        self.counted += 1
        return visit.page

    async def _skip(self, visit: Visit, outcome: Outcome, reason: str, alias_of: str | None = None) -> SkippedPage:
        facts: dict[str, object] = {"fetched_at": visit.fetched_at, "alias_of": alias_of}
        if outcome is Outcome.UNCHANGED:
            # Only then: validators of what was not stored would turn the next answer into a 304 for it.
            facts |= {"etag": visit.etag, "last_modified": visit.last_modified}
        elif outcome in (Outcome.SKIPPED, Outcome.DUPLICATE):
            self._note_replaced(visit.known)
        known = {name: value for name, value in facts.items() if value is not None}
        await self._ledger.settle(visit.known.url, outcome.value, reason, known)
        self.counted += outcome is Outcome.UNCHANGED
        return SkippedPage(visit.known.url, outcome, reason, visit.transient)

    async def _settle_redirect(self, visit: Visit, target: str, depth: int) -> SkippedPage:
        """A redirect's target is an address like any other, as deep; circles and long chains end."""
        url, goal = visit.known.url, identity(target)
        chain = (*self._chains.pop(hash(url), ()), hash(url))
        verdict = self._scope.admit(target)
        if hash(goal) in chain:
            return await self._skip(visit, Outcome.SKIPPED, f"redirects in a circle, to {target}")
        if len(chain) > MOST_REDIRECTS:
            return await self._skip(visit, Outcome.SKIPPED, f"redirects more than {MOST_REDIRECTS} times")
        if not verdict.allowed:
            return await self._skip(visit, Outcome.SKIPPED, f"redirects to {target}: {verdict.rule}")
        self._chains[hash(goal)] = chain
        await self._discover([target], depth=depth)
        return await self._skip(visit, Outcome.DUPLICATE, f"redirects to {target}", goal)

    async def _discover(self, addresses: Sequence[str], *, depth: int, forced: bool = False) -> None:
        """Add what is new to the frontier, and what was known as farther from the start."""
        found = []
        for address in addresses:
            url = identity(address)
            if self._depths.get(hash(url), depth + 1) > depth and (forced or self._scope.admit(url).allowed):
                found.append((url, address, depth))
                self._depths[hash(url)] = depth
        if found:
            await self._ledger.discover(found)
            self._may_hold_more = True

    def _note_replaced(self, known: KnownPage) -> None:
        """What the store holds of this page is not what the page is now."""
        if known.stored:
            self._replaced.add(hash(known.url))

    async def _twin(self, page: CrawledPage) -> str | None:
        """Another page with this content. One that this crawl found gone or changed is none."""
        held = self._contents.get(page.content_hash) or await self._ledger.holder(page.content_hash)
        if held is None or held == page.url:
            return None
        stale = hash(held) in self._replaced and self._contents.get(page.content_hash) != held
        return None if stale else held
