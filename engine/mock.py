"""`MockEngine`: the whole engine in memory, for tests and first steps; what it holds is gone with it.

It passes the same suite as `PostgresEngine` in everything but the order of what search finds.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urldefrag

from engine.alignment import align
from engine.clean import clean_json
from engine.errors import EngineError, InvalidQuery, InvalidRecord
from engine.filters import matches, parse
from engine.memory import MemoryEntity, MemoryRecord, MockLedger
from engine.models import PageInput, RecordInput, SearchHit, SyncReport
from engine.protocols import Embedder, SearchMode
from engine.rows import Row, check_name, rows_of
from engine.words import words

__all__ = ["MockEngine"]

_STORED = (
    "id", "url", "markdown", "anchors", "metadata", "depth", "etag", "last_modified", "content_hash",
    "extractor", "chunk_settings",
)  # fmt: skip


class MockEngine:
    """Records, pages, runs and search in memory.

    With an `embedder`, texts are embedded once and counted as Postgres counts them; search goes by shared
    words, whatever the mode.
    """

    def __init__(self, *, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._entities: dict[tuple[str, str], MemoryEntity] = {}
        self._vectors: dict[bytes, Sequence[float]] = {}
        self._runs: dict[str, dict[str, object]] = {}

    async def __aenter__(self) -> "MockEngine":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Nothing to close: the embedder belongs to whoever gave it."""

    # --- records --------------------------------------------------------------------------------------------

    async def sync_records(self, *, connection_id: str, name: str, records: Sequence[RecordInput]) -> SyncReport:
        """Insert or replace records by external id; others of the entity stay."""
        check_name("connection_id", connection_id)
        check_name("name", name)
        rows = rows_of(records)
        if not rows:
            return SyncReport()
        report = await self._embed(rows, None)
        entity = self._open(connection_id, name)
        for row in rows:
            report += _change(entity.records.get(row.external_id), MemoryRecord(row, None))
            entity.records[row.external_id] = MemoryRecord(row, None)
        return report

    async def get_records(
        self, *, connection_id: str, name: str, filter: Mapping[str, object] | None = None
    ) -> list[dict[str, object]]:
        """The records of an entity as `{external_id, data}`, by external id."""
        wanted = parse(filter)
        entity = self._entities.get((connection_id, name))
        return [
            {"external_id": key, "data": deepcopy(stored.row.data)}
            for key, stored in sorted(entity.records.items() if entity else ())
            if matches(wanted, stored.row.data)
        ]

    async def delete_entity(self, *, connection_id: str, name: str) -> bool:
        """Delete an entity with its records and pages; False where there is none. Its vectors stay."""
        return self._entities.pop((connection_id, name), None) is not None

    # --- pages ----------------------------------------------------------------------------------------------

    async def swap_pages(
        self,
        *,
        connection_id: str,
        name: str,
        pages: Sequence[PageInput],
        on_embedded: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Replace whole pages and their records, old and new aligned by content and then by order."""
        check_name("connection_id", connection_id)
        check_name("name", name)
        swapped = self._check_pages(connection_id, name, pages)
        if not swapped:
            return SyncReport()
        report = await self._embed([row for _, rows in swapped for row in rows], on_embedded)
        entity = self._open(connection_id, name)
        olds = [entity.records_of(page.url) for page, _ in swapped]
        for record in (record for old in olds for record in old):
            del entity.records[record.row.external_id]
        for (page, rows), old in zip(swapped, olds, strict=True):
            new = [MemoryRecord(row, page.url) for row in rows]
            report += _swap(old, new)
            entity.records.update({record.row.external_id: record for record in new})
            entity.page(page.url, page.url, page.depth).store(page, entity.crawl)
        return report

    def _check_pages(
        self, connection_id: str, name: str, pages: Sequence[PageInput]
    ) -> list[tuple[PageInput, list[Row]]]:
        swapped = [(page, rows_of(page.records)) for page in pages]
        urls = {page.url for page in pages}
        if len(urls) < len(pages):
            raise InvalidRecord("A page is given twice in one call.")
        entity = self._entities.get((connection_id, name))
        seen = {key for key, stored in entity.records.items() if stored.page not in urls} if entity else set()
        for row in (row for _, rows in swapped for row in rows):
            if row.external_id in seen:
                raise InvalidRecord(f"external_id {row.external_id!r} belongs to another page or record already.")
            seen.add(row.external_id)
        return swapped

    async def get_page(self, url: str) -> dict[str, object] | None:
        """A known page by its URL (fragment ignored): a stored one first, the latest of several."""
        asked = urldefrag(url).url
        never = datetime.fromtimestamp(0, UTC)
        found = [(held, held.pages[asked]) for held in self._entities.values() if asked in held.pages]
        if not found:
            return None
        entity, page = max(found, key=lambda item: (item[1].stored, item[1].fetched_at or never))
        names = ("url", "state", "reason", "metadata", "markdown", "anchors", "fetched_at", "changed_at")
        row: dict[str, object] = {name: deepcopy(getattr(page, name)) for name in names}
        title = page.metadata.get("title", "")
        return {**row, "title": title, "entity": entity.name, "aliases": list(page.aliases)}

    # --- crawls and sites ---------------------------------------------------------------------------------

    async def check(self) -> str:
        """The embedder's name, proved to work; "none" without one."""
        if self._embedder is None:
            return "none"
        await self._embedder.embed(["syncline"], kind="query")
        return self._embedder.name

    async def open_ledger(
        self, *, connection_id: str, name: str, start_url: str, run_id: str, options: Mapping[str, object]
    ) -> MockLedger:
        """Begin a crawl of an entity, or go on with the same one that was cut off."""
        entity = self._open(connection_id, name)
        entity.start_url = start_url
        return MockLedger(entity, run_id, options)

    async def stored_pages(
        self, *, connection_id: str, name: str, other_than: str | None = None, after: int = 0, count: int = 50
    ) -> list[dict[str, Any]]:
        """Stored pages with an id above `after`, by id; not those chunked with the settings `other_than`."""
        entity = self._open(connection_id, name)
        pages = [
            page
            for page in entity.pages.values()
            if page.stored and page.id > after and (other_than is None or page.chunk_settings != other_than)
        ]
        return [
            {
                **{name: deepcopy(getattr(page, name)) for name in _STORED},
                "links": list(page.links),
                "aliases": list(page.aliases),
                "fetched_at": page.fetched_at.timestamp() if page.fetched_at else None,
            }
            for page in pages[:count]
        ]

    async def optimize(self, *, tolerance: float = 0.0) -> None:
        """Nothing to do: there are no statistics and no index."""

    async def sites(self) -> list[dict[str, Any]]:
        """Every entity with its counts of pages and records and the time of its last fetch, by name."""
        return [
            {
                "name": held.name,
                "connection_id": held.connection_id,
                "start_url": held.start_url,
                "pages": sum(page.stored for page in held.pages.values()),
                "records": len(held.records),
                "fetched_at": max((page.fetched_at for page in held.pages.values() if page.fetched_at), default=None),
                "unfinished": held.crawl_options is not None,
            }
            for _, held in sorted(self._entities.items(), key=lambda item: (item[0][1], item[0][0]))
        ]

    async def status(self) -> dict[str, Any]:
        """Counts of the store, and the embedder of its vectors."""
        sites = await self.sites()
        return {
            "store": "memory",
            "entities": len(sites),
            "pages": sum(site["pages"] for site in sites),
            "records": sum(site["records"] for site in sites),
            "embedder": self._embedder.name if self._embedder is not None and self._vectors else None,
        }

    # --- search ---------------------------------------------------------------------------------------------

    async def search(
        self,
        query: str,
        *,
        entity: str | None = None,
        k: int = 10,
        mode: SearchMode = "hybrid",
        filter: Mapping[str, object] | None = None,
    ) -> list[SearchHit]:
        """The best `k` records that share a word with the query, best first. `entity` is a name or a URL.

        Raises InvalidQuery for an empty query, a `k` below one, an unknown mode or entity.
        """
        if not query.strip():
            raise InvalidQuery("The query is empty: ask for a word at least.")
        if k < 1:
            raise InvalidQuery(f"k is {k}: ask for one hit at least.")
        if mode not in ("hybrid", "vector", "text"):
            raise InvalidQuery(f"The mode {mode!r} is unknown; there are hybrid, vector and text.")
        wanted, asked = parse(filter), set(words(query))
        hits = [
            replace(_hit(held, stored), score=score)
            for held in (self._entities.values() if entity is None else [self._resolve(entity)])
            for stored in held.records.values()
            if (score := sum(stored.row.weights.get(word, 0.0) for word in asked)) > 0
            and matches(wanted, stored.row.data)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.entity, hit.external_id))[:k]

    def _resolve(self, entity: str) -> MemoryEntity:
        plain = entity.rstrip("/")
        names = {entity, plain, f"{plain}/", f"CRAWL_{entity}", f"CRAWL_{plain}", f"CRAWL_{plain}/"}
        found = [held for held in self._entities.values() if held.name in names or held.start_url in names]
        if not found:
            known = ", ".join(held.name for held in self._entities.values()) or "none yet"
            raise InvalidQuery(f"No entity is called {entity!r}. Known: {known}.")
        return min(found, key=lambda held: (held.connection_id != "SYSTEM", held.connection_id))

    # --- runs -----------------------------------------------------------------------------------------------

    async def start_run(
        self, run_id: str, *, sync: str, input: Mapping[str, object], parent: str | None = None
    ) -> None:
        """Open a run's row, as running. A run that is started again under its id starts over."""
        now = datetime.now(UTC)
        self._runs.pop(run_id, None)
        self._runs[run_id] = {
            "id": run_id,
            "parent": parent,
            "sync": sync,
            "state": "running",
            "input": clean_json(input),
            "output": None,
            "counters": {},
            "error": None,
            "started_at": now,
            "heartbeat_at": now,
            "ended_at": None,
        }

    async def beat_run(self, run_id: str, counters: Mapping[str, object] | None = None) -> None:
        """Say that the run is alive; `counters`, where given, replace those of the row."""
        run = self._run(run_id)
        run["heartbeat_at"] = datetime.now(UTC)
        if counters is not None:
            run["counters"] = clean_json(counters)

    async def end_run(
        self, run_id: str, *, state: str, output: Mapping[str, object] | None = None, error: str | None = None
    ) -> None:
        """Close a run's row with its state."""
        run, now = self._run(run_id), datetime.now(UTC)
        run.update(state=state, output=clean_json(output), error=error, heartbeat_at=now, ended_at=now)

    async def get_runs(self, *, run_id: str | None = None, limit: int = 20) -> list[dict[str, object]]:
        """The latest runs, the newest first, or the one run asked for."""
        newest = [deepcopy(run) for key, run in reversed(self._runs.items()) if run_id in (None, key)]
        return newest[:limit]

    def _run(self, run_id: str) -> dict[str, object]:
        if run_id not in self._runs:
            raise EngineError(f"There is no run {run_id!r}: start_run opens one.")
        return self._runs[run_id]

    # --- inside ---------------------------------------------------------------------------------------------

    def _open(self, connection_id: str, name: str) -> MemoryEntity:
        return self._entities.setdefault((connection_id, name), MemoryEntity(connection_id, name))

    async def _embed(self, rows: Sequence[Row], on_embedded: Callable[[int], None] | None) -> SyncReport:
        """Embed the texts that have no vector yet; the same text is never embedded twice (promise E2)."""
        if self._embedder is None:
            return SyncReport()
        texts = {row.embed_hash: row.embed_text for row in rows if row.embed_hash and row.embed_text}
        missing = {key: text for key, text in texts.items() if key not in self._vectors}
        report = SyncReport(reused=len(texts) - len(missing))
        if not missing:
            return report
        embeddings = await self._embedder.embed(list(missing.values()), kind="document")
        self._vectors.update(zip(missing, embeddings.vectors, strict=True))
        if on_embedded is not None:
            on_embedded(len(missing))
        return report + SyncReport(
            computed=len(missing),
            tokens=embeddings.tokens,
            windowed=embeddings.windowed,
            cost_usd=embeddings.cost_usd,
        )


def _change(old: MemoryRecord | None, new: MemoryRecord) -> SyncReport:
    """What it is called when `new` takes the place of `old`."""
    if old is None:
        return SyncReport(added=1)
    before, after = old.row, new.row
    if (before.content_hash, before.place(), old.page) == (after.content_hash, after.place(), new.page):
        return SyncReport(unchanged=1)
    same = (before.content_hash, before.embed_hash, before.headings) == (
        after.content_hash,
        after.embed_hash,
        after.headings,
    )
    elsewhere = (before.external_id, before.position) != (after.external_id, after.position)
    return SyncReport(moved=1) if same and elsewhere else SyncReport(updated=1)


def _swap(old: Sequence[MemoryRecord], new: Sequence[MemoryRecord]) -> SyncReport:
    pairs, gone, fresh = align([stored.row.content_hash for stored in old], [stored.row.content_hash for stored in new])
    report = SyncReport(added=len(fresh), deleted=len(gone))
    for before, after in pairs:
        report += _change(old[before], new[after])
    return report


def _hit(entity: MemoryEntity, stored: MemoryRecord) -> SearchHit:
    row = stored.row
    page = entity.pages.get(stored.page) if stored.page is not None else None
    title = page.metadata.get("title", "") if page is not None else row.data.get("title", "")
    return SearchHit(
        url=stored.page or str(row.data.get("source_url", "")),
        anchor=row.anchor,
        title=str(title),
        headings=row.headings,
        markdown=row.text or "",
        score=0.0,
        external_id=row.external_id,
        entity=entity.name,
    )
