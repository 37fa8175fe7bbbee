"""The frontier of one crawl: what to visit next, and what a visit means for what is known."""

from collections import deque
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ingest.discovery import Source
from ingest.ledger import KnownPage, PageLedger
from ingest.markdown_page import markdown_copies
from ingest.models import CrawledPage, Outcome, SkippedPage
from ingest.scope import Scope
from ingest.sitemaps import Listed, changed_at
from ingest.traps import Budget, Trap
from ingest.urls import identity
from ingest.visit import Visit

__all__ = ["Found", "Frontier"]

BATCH = 64  # addresses taken from the ledger at once
MOST_REDIRECTS = 10
_UNKNOWN, _NEVER = 1 << 30, -1  # the depth of an address that was not met, and of one that is part of a trap
_MOST_ORIGINS = 50_000  # addresses of which it is remembered where they were found, until they are visited
REMEMBERED = 4_096  # links whose verdict is kept: the pages of a site mostly link to the same places


@dataclass(frozen=True, slots=True)
class Found:
    """An address that the crawl takes up: how far from the start, what named it, and the rule that admits it.

    `source` is `start`, `link`, `redirect`, `canonical`, `sitemap`, `llms.txt`, `list` or `known` (from an
    earlier crawl); `modified` is what a sitemap says of it.
    """

    url: str
    depth: int
    source: str
    rule: str
    modified: str = ""


class Frontier:
    """Takes addresses from the ledger in order, and settles visits in that same order.

    `lists` are the site's lists of its pages: they are read when the start page is settled, after its links.
    `copies` are markdown copies of pages, by the page's identity. With `follow` off, no links are followed.
    With `due_for`, the version of the extraction in use, pages of earlier crawls that are not due are left alone.
    `watch` is told of each address that is new to this crawl.
    """

    def __init__(
        self,
        ledger: PageLedger,
        scope: Scope,
        *,
        lists: AsyncIterable[Source] | None = None,
        copies: Mapping[str, str] | None = None,
        follow: bool = True,
        due_for: str | None = None,
        watch: Callable[[Found], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._scope = scope
        self._lists = lists
        self._follow = follow
        self._due_for = due_for
        self._watch = watch
        self._ready: deque[KnownPage] = deque()
        self._may_hold_more = True
        # Addresses as hashes: a site's addresses would not fit in memory, their hashes do.
        self._depths: dict[int, int] = {}
        self._origins: dict[int, tuple[str, str]] = {}  # what named an address, and on which page or list
        self._unnamed: set[int] = set()  # pages of earlier crawls that nothing has named so far
        self._chains: dict[int, tuple[int, ...]] = {}
        self._replaced: set[int] = set()
        self._contents: dict[str, str] = {}
        self._copies = dict(copies or {})
        self._is_copy: set[int] = set()
        self._budget = Budget()
        self._admitted = lru_cache(REMEMBERED)(self._judge)
        self._start = ""
        self.counted = 0
        """Pages new, changed or unchanged so far: what a limit is held against."""

    @property
    def traps(self) -> Sequence[Trap]:
        """Addresses without end that were met, and left out."""
        return self._budget.traps

    async def open(self, *, start: str | None, listed: AsyncIterable[Source] | None = None) -> None:
        """Begin with the start page, then every page of earlier crawls that is in scope (promise E3), or that is due
        of these, and what a given list names."""
        if start is not None:
            self._start = identity(start)
            await self._discover([start], depth=0, source="start", forced=True)
        async for batch in self._ledger.known():
            found = [entry for entry in batch if entry[0] != self._start and self._revisits(entry[0])]
            self._depths.update((hash(url), depth) for url, _, depth in found)
            self._unnamed.update(hash(url) for url, _, _ in found)
            await self._ledger.revisit(found, extractor=self._due_for)
            for url, _, depth in found:
                self._tell(url, depth, "known", "")
        if listed is not None:
            async for source in listed:
                await self._discover_listed(source, depth=0)
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
        named_by, found_on = self._origins.pop(hash(known.url), ("", ""))
        visit = replace(visit, facts=replace(visit.facts, depth=depth, source=named_by, found_on=found_on))
        usable = visit.page is not None or visit.outcome is Outcome.UNCHANGED
        if hash(known.url) in self._is_copy and known.url != self._start:
            return await self._skip(visit, Outcome.DUPLICATE, "the markdown copy of a page")
        if usable:
            self._note_copies(visit)
        await self._discover_links(visit.links, known.url, depth=depth + 1, follow=self._follow)
        if known.stored and visit.outcome in (Outcome.FAILED, Outcome.QUARANTINED):
            # The last good version stays, and what it links to is linked to.
            await self._discover_links(known.links, known.url, depth=depth + 1, follow=False)
        if known.url == self._start and self._lists is not None:
            async for source in self._lists:
                await self._discover_listed(source, depth=1)
        if visit.redirect is not None:
            return await self._settle_redirect(visit, visit.redirect, depth)
        if known.url == self._start and usable:
            verdict = self._scope.admit(known.url)
            if not verdict.allowed:
                reason = f"the start page is read for its links only: {verdict.rule}"
                return await self._skip(visit, Outcome.SKIPPED, reason)
        if visit.page is None:
            return await self._settle_without_page(visit, depth)
        return await self._settle_page(visit, visit.page, depth)

    async def _settle_page(self, visit: Visit, page: CrawledPage, depth: int) -> CrawledPage | SkippedPage:
        known = visit.known
        if visit.canonical is not None and self._scope.admit(visit.canonical).allowed:
            await self._discover([visit.canonical], depth=depth, source="canonical", found_on=known.url)
            canonical = identity(visit.canonical)
            reason = f"its canonical address is {canonical}"
            return await self._skip(replace(visit, gone=known.stored), Outcome.DUPLICATE, reason, canonical)
        twin = await self._twin(page)
        if twin is not None:
            # What the store may hold of it is what it was before.
            return await self._skip(
                replace(visit, gone=known.stored), Outcome.DUPLICATE, f"the same content as {twin}", twin
            )
        self._contents[page.content_hash] = known.url
        self._note_replaced(known)
        self.counted += 1
        return replace(page, visit=visit.facts)

    async def _settle_without_page(self, visit: Visit, depth: int) -> SkippedPage:
        """What could not be read, or need not be stored. A markdown copy stands in for a page that is not there."""
        outcome, copy = visit.outcome or Outcome.FAILED, self._copies.get(visit.known.url)
        if copy is not None and outcome is not Outcome.UNCHANGED and not visit.transient:
            await self._discover([copy], depth=depth, source="llms.txt", found_on=visit.known.url)
            reason = f"only its markdown copy can be read, {copy} ({visit.reason})"
            return await self._skip(visit, Outcome.DUPLICATE, reason)
        return await self._skip(visit, outcome, visit.reason)

    async def _skip(self, visit: Visit, outcome: Outcome, reason: str, alias_of: str | None = None) -> SkippedPage:
        facts: dict[str, object] = {"fetched_at": visit.fetched_at, "alias_of": alias_of, "gone": visit.gone or None}
        if outcome is Outcome.UNCHANGED:
            # Only then: validators of what was not stored would turn the next answer into a 304 for it.
            facts |= {"etag": visit.etag, "last_modified": visit.last_modified, "metadata": visit.metadata}
            if tuple(visit.links) != tuple(visit.known.links):
                facts["links"] = visit.links
        elif outcome in (Outcome.SKIPPED, Outcome.DUPLICATE):
            self._note_replaced(visit.known)
        known = {name: value for name, value in facts.items() if value is not None}
        await self._ledger.settle(visit.known.url, outcome.value, reason, known)
        self.counted += outcome is Outcome.UNCHANGED
        return SkippedPage(visit.known.url, outcome, reason, visit.transient, visit.facts)

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
        if url in self._copies:
            self._copies.setdefault(goal, self._copies[url])
        await self._discover([target], depth=depth, source="redirect", found_on=url)
        return await self._skip(visit, Outcome.DUPLICATE, f"redirects to {target}", goal)

    async def _discover_listed(self, source: Source, *, depth: int) -> None:
        """Add what a list names; of a page and its markdown copy, the page."""
        originals = {copy: page for page, copy in self._copies.items()} if source.name == "llms.txt" else {}
        for start in range(0, len(source.listed), 1_000):
            batch = source.listed[start : start + 1_000]
            listed = [
                Listed(self._scope.followed(originals.get(one.address, one.address)), one.modified) for one in batch
            ]
            times = dict(listed)
            await self._discover(list(times), depth=depth, source=source.name, found_on=source.url, times=times)

    async def _discover_links(self, links: Sequence[str], found_on: str, *, depth: int, follow: bool) -> None:
        """Add what a page links to; with `follow` off, only note that it is linked to."""
        if not follow and not self._unnamed:
            return
        followed = [self._scope.followed(link) for link in links]
        await self._discover(followed, depth=depth, found_on=found_on, follow=follow)

    async def _discover(
        self,
        addresses: Sequence[str],
        *,
        depth: int,
        source: str = "link",
        forced: bool = False,
        found_on: str = "",
        follow: bool = True,
        times: Mapping[str, str] | None = None,
    ) -> None:
        """Add what is new to the frontier, what was known as farther from the start, and what is said of a page of an
        earlier crawl: that something names it, and when it changed. With `follow` off, only that."""
        found: list[tuple[str, str, int]] = []
        listed: dict[str, float] = {}
        origin = (source, found_on)
        linked_from = found_on if source == "link" else ""
        for address in addresses:
            url, rule = self._admitted(address)
            known_as = self._depths.get(hash(url), _UNKNOWN)
            if known_as == _NEVER or (not forced and (rule is None or hash(url) in self._is_copy)):
                continue
            written = (times or {}).get(address, "")
            changed = changed_at(written)
            nearer = follow and depth < known_as
            named = hash(url) in self._unnamed and url != linked_from
            if not nearer and not named and changed is None:
                continue
            if known_as == _UNKNOWN and not forced and self._budget.admit(url, found_on=linked_from) is not None:
                self._depths[hash(url)] = _NEVER
                continue
            if (known_as == _UNKNOWN or named) and len(self._origins) < _MOST_ORIGINS:
                self._origins[hash(url)] = origin
            self._unnamed.discard(hash(url))
            if changed is not None:
                listed[url] = changed
            if known_as == _UNKNOWN:
                self._tell(url, depth, source, rule or "", written)
            self._depths[hash(url)] = min(depth, known_as) if follow else known_as
            found.append((url, address, self._depths[hash(url)]))
        if found:
            await self._ledger.discover(found, listed=listed)
            self._may_hold_more = True

    def _judge(self, address: str) -> tuple[str, str | None]:
        """The identity of an address and the rule that admits it, or None."""
        url = identity(address)
        verdict = self._scope.admit(address)
        return url, verdict.rule if verdict.allowed else None

    def _revisits(self, url: str) -> bool:
        return self._scope.admit(url).allowed and self._scope.followed(url) == url

    def _tell(self, url: str, depth: int, source: str, rule: str, modified: str = "") -> None:
        if self._watch is not None:
            self._watch(Found(url, depth, source, rule, modified))

    def _note_copies(self, visit: Visit) -> None:
        """The page is usable, so its markdown copies are no pages of their own."""
        copies = markdown_copies(visit.known.url)
        linked = {identity(link) for link in visit.links if link.endswith(".md")} if copies else set()
        if visit.markdown_copy is not None:
            linked.add(identity(visit.markdown_copy))
            copies |= {identity(visit.markdown_copy)}
        self._is_copy.update(hash(url) for url in copies & linked if url != visit.known.url)

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
