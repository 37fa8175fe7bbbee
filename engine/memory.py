"""What a `MockEngine` holds: entities with their records and pages, and the crawler's ledger over them."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from engine.alignment import align
from engine.clean import clean_json
from engine.departures import missing_after, state_after, too_many
from engine.errors import EngineError
from engine.freshness import is_due
from engine.models import PageInput, RetireReport, SyncReport
from engine.rows import Row

__all__ = ["MemoryEntity", "MemoryPage", "MemoryRecord", "MockLedger", "change", "swap"]

BATCH = 1_000
# Outcomes of a visit after which the store goes on holding what it held of the page.
KEEPING = frozenset({"unchanged", "failed", "quarantined"})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A record and the URL of its page, None where it has none."""

    row: Row
    page: str | None


@dataclass(slots=True)
class MemoryPage:
    """A row of the page ledger. `content_hash` is None until the page is stored."""

    id: int
    url: str
    address: str
    depth: int
    crawl: int = 0
    settled: int = 0
    passed: int = 0
    named: int = 0
    missed: bool = False
    taken_by: str | None = None
    state: str = "waiting"
    reason: str = ""
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    extractor: str | None = None
    chunk_settings: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    markdown: str | None = None
    anchors: list[Any] = field(default_factory=list)
    links: Sequence[str] = ()
    aliases: Sequence[str] = ()
    fetched_at: datetime | None = None
    changed_at: datetime | None = None
    missing_since: datetime | None = None
    listed_at: datetime | None = None
    orphan_since: datetime | None = None

    @property
    def stored(self) -> bool:
        """True where the store holds the page's content."""
        return self.content_hash is not None

    @property
    def gone(self) -> bool:
        """True where a visit found it gone."""
        return self.missing_since is not None

    def store(self, page: PageInput, crawl: int) -> None:
        """Take over everything that a swap brings."""
        if self.content_hash != page.content_hash:
            self.changed_at = datetime.now(UTC)
        self.state, self.reason, self.settled, self.missing_since, self.missed = "stored", "", crawl, None, False
        self.depth, self.links = page.depth, tuple(page.links)
        self.aliases = tuple(sorted({*self.aliases, *page.aliases}))
        self.etag, self.last_modified, self.content_hash = page.etag, page.last_modified, page.content_hash
        self.extractor, self.chunk_settings = page.extractor, page.chunk_settings
        self.metadata = deepcopy(dict(page.metadata))
        self.anchors = list(page.anchors)
        self.markdown = page.markdown
        self.fetched_at = datetime.fromtimestamp(page.fetched_at, UTC)


@dataclass(slots=True)
class MemoryEntity:
    """A named collection: its records by external id, its pages by URL, and the crawl that is under way."""

    id: int
    connection_id: str
    name: str
    start_url: str | None = None
    last_sync_id: str | None = None
    created_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(init=False)
    records: dict[str, MemoryRecord] = field(default_factory=dict)
    pages: dict[str, MemoryPage] = field(default_factory=dict)
    crawl: int = 0
    crawl_options: dict[str, Any] | None = None
    crawl_finished: bool = True
    crawling: bool = False
    last_page_id: int = 0

    def __post_init__(self) -> None:
        self.updated_at = self.created_at

    def describe(self) -> dict[str, Any]:
        """The entity's own row."""
        names = ("id", "connection_id", "name", "start_url", "last_sync_id", "created_at", "updated_at")
        return {name: getattr(self, name) for name in names}

    def retire(self, *, most: float, grace: float, prune: bool) -> RetireReport:
        """Take the pages that are gone out, with their records, as `retire_pages` does."""
        stored = [page for page in self.pages.values() if page.stored]
        leaving = {page.url for page in stored if page.missing_since or (prune and page.crawl < self.crawl)}
        if too_many(len(leaving), len(stored), most):
            return RetireReport(refused=len(leaving))
        for page in [self.pages[url] for url in leaving]:
            page.state = "gone" if page.state == "stored" else page.state
            page.missing_since = page.missing_since or _now()
            page.content_hash = page.etag = page.last_modified = None
        kept = {key: record for key, record in self.records.items() if record.page not in leaving}
        report = RetireReport(pages=len(leaving), records=len(self.records) - len(kept))
        self.records = kept
        self.purge(grace)
        return report

    def purge(self, grace: float) -> int:
        """Forget the pages that left more than `grace` seconds ago; how many."""
        expired = [
            url
            for url, page in self.pages.items()
            if page.state == "gone"
            and not page.stored
            and page.missing_since
            and (_now() - page.missing_since).total_seconds() > grace
        ]
        for url in expired:
            del self.pages[url]
        return len(expired)

    def touch(self) -> None:
        """Something is written to the entity now."""
        self.updated_at = _now()

    def page(self, url: str, address: str, depth: int) -> MemoryPage:
        """The page with this URL; a new one waits."""
        if url not in self.pages:
            self.last_page_id += 1
            self.pages[url] = MemoryPage(self.last_page_id, url, address, depth)
        return self.pages[url]

    def records_of(self, url: str) -> list[MemoryRecord]:
        """A page's records in their order; those without a position last, as they were written."""
        found = [record for record in self.records.values() if record.page == url]
        return sorted(found, key=lambda record: (record.row.position is None, record.row.position or 0))


class MockLedger:
    """One crawl's view of an entity's pages. What is stored is written by the page swap, not here."""

    def __init__(
        self, entity: MemoryEntity, run_id: str, options: Mapping[str, object], incidental: Collection[str] = ()
    ) -> None:
        if entity.crawling:
            raise EngineError(f"{entity.name} is being crawled already: wait for it, or stop it.")
        self._entity = entity
        self._run = run_id
        before: dict[str, Any] = entity.crawl_options or {}
        wanted: Any = clean_json(options)
        changed = {name for name in {*before, *wanted} if before.get(name) != wanted.get(name)}
        self.resumed = not entity.crawl_finished and changed <= set(incidental)
        if not self.resumed:
            entity.crawl += 1
        entity.crawling, entity.crawl_options, entity.crawl_finished = True, wanted, False
        self._crawl = entity.crawl

    async def known(self) -> AsyncIterator[Sequence[tuple[str, str, int]]]:
        """Every known page as (url, address, depth), in order of discovery, by batches."""
        pages = [(page.url, page.address, page.depth) for page in self._entity.pages.values()]
        for start in range(0, len(pages), BATCH):
            yield pages[start : start + BATCH]

    async def revisit(self, known: Sequence[tuple[str, str, int]], *, extractor: str | None = None) -> None:
        """Take pages of earlier crawls up again; with `extractor`, those that are not due are settled as they are."""
        for page in [self._entity.pages[url] for url, _, _ in known]:
            if page.crawl < self._crawl:
                page.crawl = self._crawl
                if extractor is not None and not is_due(page, extractor=extractor, now=_now()):
                    page.settled = page.passed = self._crawl

    async def discover(
        self, found: Sequence[tuple[str, str, int]], *, listed: Mapping[str, float] | None = None
    ) -> None:
        """Add (url, address, depth) to the frontier: something names them. What this crawl knows already is left
        alone, but that it comes nearer, and is due where `listed` says that it changed since it was fetched."""
        for url, address, depth in found:
            page = self._entity.page(url, address, depth)
            page.crawl = page.named = self._crawl
            page.orphan_since = None
            page.depth = min(page.depth, depth)
            if listed is not None and url in listed:
                page.listed_at = datetime.fromtimestamp(listed[url], UTC)
                if page.passed == self._crawl and page.fetched_at and page.listed_at > page.fetched_at:
                    page.settled, page.passed = self._crawl - 1, 0

    async def take(self, count: int, *, max_depth: int | None = None) -> Sequence[MemoryPage]:
        """The next addresses in order of discovery, each taken once in this run."""
        free = [
            page
            for page in self._waiting()
            if page.taken_by != self._run and (max_depth is None or page.depth <= max_depth)
        ]
        for page in free[:count]:
            page.taken_by = self._run
        return [copy(page) for page in free[:count]]

    async def settle(self, url: str, outcome: str, reason: str, facts: Mapping[str, Any]) -> None:
        """This crawl is done with `url` without storing it. What the store holds of the page stays for now; with
        the fact `gone`, until `retire_pages`."""
        page = self._entity.pages.get(url)
        if page is not None:
            page.settled, page.reason, page.missed = self._crawl, reason, outcome != "unchanged"
            page.links = tuple(facts.get("links", page.links))
            page.metadata = cast("dict[str, Any]", clean_json(facts.get("metadata", page.metadata)))
            said = missing_after(outcome, facts)
            page.state = "stored" if page.stored and outcome in KEEPING else state_after(outcome, facts)
            page.missing_since = {"gone": page.missing_since or _now(), "unknown": page.missing_since}.get(said)
            page.etag = facts.get("etag") or page.etag
            page.last_modified = facts.get("last_modified") or page.last_modified
            if facts.get("fetched_at") is not None:
                page.fetched_at = datetime.fromtimestamp(facts["fetched_at"], UTC)
        held = self._entity.pages.get(facts.get("alias_of", ""))
        if held is not None:
            held.aliases = tuple(sorted({*held.aliases, url}))

    async def holder(self, content_hash: str) -> str | None:
        """The stored page with this content."""
        pages = self._entity.pages.values()
        return next((page.url for page in pages if page.content_hash == content_hash), None)

    async def waiting(self) -> int:
        """Addresses of this crawl's frontier that are not settled."""
        return len(self._waiting())

    async def counted(self) -> int:
        """Pages that this crawl has stored or found unchanged, earlier runs of it included."""
        pages = [page for page in self._entity.pages.values() if page.crawl == self._crawl == page.settled]
        return sum(page.state == "stored" and page.passed < self._crawl for page in pages)

    async def passed_over(self) -> int:
        """Pages that this crawl left alone, as not due."""
        return sum(page.passed == self._crawl for page in self._entity.pages.values())

    async def mark_orphans(self) -> int:
        """Mark the stored pages that this crawl found alive and nothing in it names; how many they are."""
        pages = [page for page in self._entity.pages.values() if page.crawl == page.settled == self._crawl]
        alive = [page for page in pages if page.stored and not page.missed]
        for page in alive:
            page.orphan_since = (page.orphan_since or _now()) if page.named < page.crawl else None
        return sum(page.orphan_since is not None for page in alive)

    async def end(self, *, finished: bool) -> None:
        """Let go of the crawl; an unfinished one is gone on with by the next run with the same options."""
        self._entity.crawling = False
        self._entity.crawl_finished = self._entity.crawl_finished or finished

    def _waiting(self) -> list[MemoryPage]:
        pages = self._entity.pages.values()
        return [page for page in pages if page.crawl == self._crawl and page.settled < self._crawl]


def change(old: MemoryRecord | None, new: MemoryRecord) -> SyncReport:
    """What it is called when `new` takes the place of `old`."""
    if old is None:
        return SyncReport(added=1)
    before, after = old.row, new.row
    if (before.content_hash, before.place(), old.page) == (after.content_hash, after.place(), new.page):
        return SyncReport(unchanged=1)
    same = (before.content_hash, before.embed_hash, before.headings, before.terms) == (
        after.content_hash,
        after.embed_hash,
        after.headings,
        after.terms,
    )
    elsewhere = (before.external_id, before.position) != (after.external_id, after.position)
    return SyncReport(moved=1) if same and elsewhere else SyncReport(updated=1)


def swap(old: Sequence[MemoryRecord], new: Sequence[MemoryRecord]) -> SyncReport:
    """What it is called when a page's `new` records take the place of its `old` ones."""
    pairs, gone, fresh = align([stored.row.content_hash for stored in old], [stored.row.content_hash for stored in new])
    report = SyncReport(added=len(fresh), deleted=len(gone))
    for before, after in pairs:
        report += change(old[before], new[after])
    return report
