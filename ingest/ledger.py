"""The crawler's memory across runs, as a seam: what is known of each page, and what is still to be taken up.

The engine implements it without importing this package: every method takes and returns builtins or these
read-only protocols. `MemoryLedger` is the one for a crawl without a store.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

__all__ = ["KnownPage", "MemoryLedger", "PageLedger"]


class KnownPage(Protocol):
    """One address of the frontier, with what the last visit left (empty or None where there was none)."""

    @property
    def url(self) -> str:
        """Identity: the normal form."""

    @property
    def address(self) -> str:
        """What is sent to the server: the address as the page wrote it, without fragment."""

    @property
    def depth(self) -> int:
        """Links from the start page."""

    @property
    def stored(self) -> bool:
        """True where the store holds this page's content, so that validators and hash may be trusted."""

    @property
    def etag(self) -> str | None:
        """The validator of RFC 9110 section 8.8.3, as the server sent it."""

    @property
    def last_modified(self) -> str | None:
        """The validator of RFC 9110 section 8.8.2, as the server sent it."""

    @property
    def content_hash(self) -> str | None:
        """Hash of the extracted content that the store holds."""

    @property
    def extractor(self) -> str | None:
        """Version of the extraction that made it."""

    @property
    def links(self) -> Sequence[str]:
        """Addresses that the page linked to."""

    @property
    def gone(self) -> bool:
        """True where an earlier visit found the page gone, and it has not been there since."""


class PageLedger(Protocol):
    """Frontier and fetch facts of one crawl. `stored` is written by the page swap of the store, not here."""

    def known(self) -> AsyncIterator[Sequence[tuple[str, str, int]]]:
        """Every page known from earlier crawls as (url, address, depth), in order of discovery, batched."""

    async def revisit(self, known: Sequence[tuple[str, str, int]], *, extractor: str | None = None) -> None:
        """Take pages of earlier crawls up again, which says nothing of a link to them. With `extractor`, the
        version of the extraction, those that are not due are left alone: they are settled as they are."""

    async def discover(
        self, found: Sequence[tuple[str, str, int]], *, listed: Mapping[str, float] | None = None
    ) -> None:
        """Add (url, address, depth) to the frontier: something names these addresses. Of one that this crawl
        already knows, the depth may become smaller. `listed` says by url when a list of the site's says that the
        page changed (Unix time): one that was left alone as not due, and was fetched before that, is due."""

    async def take(self, count: int, *, max_depth: int | None = None) -> Sequence[KnownPage]:
        """The next at most `count` addresses, in order of discovery, none of them taken twice in this run.
        Addresses deeper than `max_depth` stay waiting."""

    async def settle(self, url: str, outcome: str, reason: str, facts: Mapping[str, object]) -> None:
        """Record that this crawl is done with `url` without storing it. `facts` may hold `etag`, `last_modified` and
        `fetched_at` (Unix time); of an unchanged page `metadata`, where it was read, and `links`, where it has other
        ones now; `alias_of` for a duplicate; and `gone`: True where the visit is positive evidence that the page is
        not to be kept (promise E3)."""

    async def holder(self, content_hash: str) -> str | None:
        """The URL of the page that the store holds with this content, or None."""

    async def waiting(self) -> int:
        """How many addresses are known and not yet settled in this crawl."""

    async def counted(self) -> int:
        """How many pages earlier runs of this same, unfinished crawl stored or found unchanged."""


@dataclass(frozen=True, slots=True)
class _Address:
    url: str
    address: str
    depth: int
    stored: bool = False
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    extractor: str | None = None
    links: Sequence[str] = ()
    gone: bool = False


class MemoryLedger:
    """A ledger that forgets everything with the process: every page is new."""

    def __init__(self) -> None:
        self._frontier: OrderedDict[str, _Address] = OrderedDict()
        self._seen: set[str] = set()

    async def known(self) -> AsyncIterator[Sequence[tuple[str, str, int]]]:
        """Nothing: there was no earlier crawl."""
        earlier: list[list[tuple[str, str, int]]] = []
        for batch in earlier:
            yield batch

    async def revisit(self, known: Sequence[tuple[str, str, int]], *, extractor: str | None = None) -> None:
        """There was no earlier crawl."""

    async def discover(
        self, found: Sequence[tuple[str, str, int]], *, listed: Mapping[str, float] | None = None
    ) -> None:
        """Add what was not seen before, and bring nearer what waits."""
        for url, address, depth in found:
            waiting = self._frontier.get(url)
            if url not in self._seen:
                self._seen.add(url)
                self._frontier[url] = _Address(url, address, depth)
            elif waiting is not None and depth < waiting.depth:
                self._frontier[url] = replace(waiting, depth=depth)

    async def take(self, count: int, *, max_depth: int | None = None) -> Sequence[KnownPage]:
        """Remove the next addresses from the frontier."""
        chosen: list[_Address] = []
        for entry in self._frontier.values():
            if len(chosen) == count:
                break
            if max_depth is None or entry.depth <= max_depth:
                chosen.append(entry)
        for entry in chosen:
            del self._frontier[entry.url]
        return chosen

    async def settle(self, url: str, outcome: str, reason: str, facts: Mapping[str, object]) -> None:
        """Nothing to keep."""

    async def holder(self, content_hash: str) -> str | None:
        """Nothing is stored."""
        return None

    async def waiting(self) -> int:
        """What was not taken."""
        return len(self._frontier)

    async def counted(self) -> int:
        """There was no earlier run."""
        return 0
