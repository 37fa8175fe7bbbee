"""`MockEngine`: the whole engine in memory, for tests and first steps; what it holds is gone with it.

It passes the same suite as `PostgresEngine` in everything but the order of what search finds.
"""

import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy, deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from engine.checks import check_count, check_external_ids, check_question, check_sync_id
from engine.clean import clean_text
from engine.departures import GRACE, MOST_LEAVING
from engine.embedding import Estimator, PlannedVectors, VectorStore
from engine.filters import matches, parse
from engine.memory import MemoryEntity, MemoryRecord, MockLedger, change, swap
from engine.memory_runs import MemoryRuns
from engine.memory_vectors import MemoryEmbedding, MemoryVectors
from engine.models import GcReport, PageInput, RecordInput, RetireReport, SearchHit, SyncReport
from engine.names import check_name, spellings, unknown_connection, unknown_entity, unknown_name
from engine.protocols import Embedder, SearchMode
from engine.rows import Row, merge_row, pages_of, rows_of, taken_id, texts_of
from engine.sorting import parse_sort, sorted_by
from engine.words import words

__all__ = ["MockEngine"]

_STORED = (
    "id", "url", "markdown", "anchors", "metadata", "depth", "etag", "last_modified", "content_hash",
    "extractor", "chunk_settings",
)  # fmt: skip


class MockEngine(MemoryEmbedding, MemoryRuns):
    """Records, pages, runs and search in memory.

    With an `embedder`, texts are embedded once and counted as Postgres counts them; search goes by shared
    words, whatever the mode.
    """

    def __init__(self, *, embedder: Embedder | None = None) -> None:
        super().__init__()
        self._embedder = embedder
        self._entities: dict[tuple[str, str], MemoryEntity] = {}
        self._vectors = MemoryVectors()
        self._store: VectorStore = self._vectors
        self._made = 0  # entities ever made: an id is given once

    async def __aenter__(self) -> "MockEngine":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Nothing to close: the embedder belongs to whoever gave it."""

    # --- records --------------------------------------------------------------------------------------------

    async def create_entity(self, *, connection_id: str, name: str) -> dict[str, Any]:
        """The entity as it is, made where there is none."""
        return self._open(_key(connection_id, name)).describe()

    async def get_entity(self, *, connection_id: str, name: str) -> dict[str, Any]:
        """The entity: id, names, start_url, last_sync_id and times; UnknownEntity where there is none."""
        entity = self._entities.get(_key(connection_id, name))
        if entity is None:
            raise unknown_entity(connection_id, name, sorted(self._entities))
        return entity.describe()

    async def sync_records(
        self,
        *,
        connection_id: str,
        name: str,
        records: Sequence[RecordInput],
        merge: bool = False,
        last_sync_id: str | None = None,
    ) -> SyncReport:
        """Insert or replace records by external id; others of the entity stay.

        With `merge`, a record that is there keeps what is not given.
        """
        key, sync_id = _key(connection_id, name), check_sync_id(last_sync_id)
        rows = rows_of(records)
        if not rows and sync_id is None:
            return SyncReport()
        spent, embedded = SyncReport(), None
        while embedded != (changed := self._changed(key, records, rows, merge)):
            spent += await self._embed([new.row for new in changed])
            embedded = changed  # another task may have changed a record meanwhile
        entity = self._write_to(key)
        entity.last_sync_id = entity.last_sync_id if sync_id is None else sync_id
        report = spent
        for new in changed:
            report += change(entity.records.get(new.row.external_id), new)
            entity.records[new.row.external_id] = new
        return report

    def _changed(
        self, key: tuple[str, str], records: Sequence[RecordInput], rows: Sequence[Row], merge: bool
    ) -> list[MemoryRecord]:
        """The records as they will be."""
        held = self._entities[key].records if merge and key in self._entities else {}
        changed = []
        for row, record in zip(rows, records, strict=True):
            old = held.get(row.external_id)
            changed.append(MemoryRecord(merge_row(old.row, record), old.page) if old else MemoryRecord(row, None))
        return changed

    async def get_records(
        self,
        *,
        connection_id: str,
        name: str,
        external_ids: Sequence[str] | None = None,
        filter: Mapping[str, object] | None = None,
        sort: Sequence[str] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, object]]:
        """The records of an entity as `{external_id, data}`, all or those with these ids, sorted by fields of their
        data, then by external id."""
        wanted, fields, first = parse(filter), parse_sort(sort), check_count("offset", offset)
        end = None if limit is None else first + check_count("limit", limit)
        ids = None if external_ids is None else frozenset(check_external_ids(external_ids))
        entity = self._entities.get(_key(connection_id, name))
        held = sorted(entity.records.items()) if entity else []
        found = [
            (key, stored.row.data)
            for key, stored in held
            if (ids is None or key in ids) and matches(wanted, stored.row.data)
        ]
        return [
            {"external_id": key, "data": deepcopy(data)}
            for key, data in sorted_by(fields, found, lambda item: item[1])[first:end]
        ]

    async def delete_records(self, *, connection_id: str, name: str, external_ids: Sequence[str]) -> int:
        """Delete records by external id; how many there were. Other ids are ignored."""
        key, ids = _key(connection_id, name), check_external_ids(external_ids)
        if not ids or key not in self._entities:
            return 0
        records = self._write_to(key).records
        return sum(records.pop(external_id, None) is not None for external_id in ids)

    async def delete_entity(self, *, connection_id: str, name: str) -> bool:
        """Delete an entity with its records and pages; False where there is none. Its vectors stay."""
        return self._entities.pop(_key(connection_id, name), None) is not None

    # --- pages ----------------------------------------------------------------------------------------------

    async def swap_pages(
        self,
        *,
        connection_id: str,
        name: str,
        pages: Sequence[PageInput],
        max_cost: float | None = None,
        on_embedded: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Replace whole pages and their records, old and new aligned by content and then by order."""
        key, swapped = _key(connection_id, name), pages_of(pages)
        if not swapped:
            return SyncReport()
        given = [row for _, rows in swapped for row in rows]
        report = await self._embed(given, max_cost=max_cost, on_embedded=on_embedded)
        self._check_ids(key, swapped)
        entity = self._write_to(key)
        olds = [entity.records_of(page.url) for page, _ in swapped]
        for record in (record for old in olds for record in old):
            del entity.records[record.row.external_id]
        for (page, rows), old in zip(swapped, olds, strict=True):
            new = [MemoryRecord(row, page.url) for row in rows]
            report += swap(old, new)
            entity.records.update({record.row.external_id: record for record in new})
            entity.page(page.url, page.url, page.depth).store(page, entity.crawl)
        return report

    def _check_ids(self, key: tuple[str, str], swapped: Sequence[tuple[PageInput, Sequence[Row]]]) -> None:
        """InvalidRecord where a new external id belongs to a record that is not swapped here."""
        urls = {page.url for page, _ in swapped}
        held = self._entities[key].records if key in self._entities else {}
        for page, row in ((page, row) for page, rows in swapped for row in rows):
            taken = held.get(row.external_id)
            if taken is not None and taken.page not in urls:
                raise taken_id(row.external_id, page.url, taken.page)

    async def get_page(self, url: str) -> dict[str, object] | None:
        """A known page by its URL (fragment ignored): a stored one first, the latest of several."""
        asked = clean_text(url.partition("#")[0])
        never = datetime.fromtimestamp(0, UTC)
        found = [(held, held.pages[asked]) for held in self._entities.values() if asked in held.pages]
        if not found:
            return None
        entity, page = max(found, key=lambda item: (item[1].stored, item[1].fetched_at or never))
        times = ("fetched_at", "changed_at", "missing_since", "orphan_since")
        names = ("url", "state", "reason", "metadata", "anchors", *times)
        row: dict[str, object] = {name: deepcopy(getattr(page, name)) for name in names}
        row["markdown"] = page.markdown if page.stored else None
        title = page.metadata.get("title", "")
        return {**row, "title": title, "entity": entity.name, "aliases": list(page.aliases)}

    # --- crawls and sites ---------------------------------------------------------------------------------

    async def open_ledger(
        self,
        *,
        connection_id: str,
        name: str,
        start_url: str,
        run_id: str,
        options: Mapping[str, object],
        incidental: Collection[str] = (),
    ) -> MockLedger:
        """Begin a crawl of an entity, or go on with the same one that was cut off."""
        entity = self._write_to(_key(connection_id, name))
        entity.start_url = clean_text(start_url)
        return MockLedger(entity, run_id, options, incidental)

    async def stored_pages(
        self, *, connection_id: str, name: str, other_than: str | None = None, after: int = 0, count: int = 50
    ) -> list[dict[str, Any]]:
        """Stored pages with an id above `after`, by id; not those chunked with the settings `other_than`."""
        entity = self._entities.get(_key(connection_id, name))
        pages = [
            page
            for page in (entity.pages.values() if entity else ())
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

    async def retire_pages(
        self,
        *,
        connection_id: str,
        name: str,
        most: float = MOST_LEAVING,
        grace: float = GRACE,
        prune: bool = False,
    ) -> RetireReport:
        """Take the pages that visits found gone out of the store, as `PostgresEngine` does."""
        entity = self._open(_key(connection_id, name))
        entity.touch()
        return entity.retire(most=most, grace=grace, prune=prune)

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator["MockEngine"]:
        """An engine on which everything is done as on this one, and nothing stays; reports say what would be."""
        rehearsal = copy(self)
        rehearsal._entities, rehearsal._runs = deepcopy(self._entities), deepcopy(self._runs)
        rehearsal._embedder = None if self._embedder is None else Estimator(self._embedder)
        rehearsal._store = PlannedVectors(self._vectors)
        yield rehearsal

    async def gc(self, *, runs_older_than: float | None = None) -> GcReport:
        """Forget what nothing needs, as `PostgresEngine` does."""
        used = dict(texts_of(record.row for _, record in self._records()))
        vectors, spared, failures = self._vectors.forget(used, self._oldest_live())
        pages = sum(held.purge(GRACE) for held in self._entities.values())
        runs = 0 if runs_older_than is None else self._prune_runs(runs_older_than)
        return GcReport(vectors=vectors, spared=spared, failures=failures, pages=pages, runs=runs)

    async def optimize(self, *, tolerance: float = 0.0, on_progress: Callable[[str], None] | None = None) -> None:
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
                "options": deepcopy(held.crawl_options),
                "unfinished": not held.crawl_finished,
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
            "embedder": self._embedder.name if self._embedder is not None and self._vectors.vectors else None,
        }

    # --- search ---------------------------------------------------------------------------------------------

    async def search(
        self,
        query: str,
        *,
        entity: str | None = None,
        connection_id: str | None = None,
        k: int = 10,
        mode: SearchMode = "hybrid",
        filter: Mapping[str, object] | None = None,
    ) -> list[SearchHit]:
        """The best `k` records that share a word with the query, best first; of one entity (a name or a start
        URL), of one connection, or of all.

        Raises InvalidFilter, and InvalidQuery for an empty query, a `k` below one, an unknown mode, entity or
        connection.
        """
        check_question(query, k, mode)
        wanted, asked = parse(filter), set(words(query))
        hits = [
            replace(_hit(held, stored), score=score)
            for held in self._restrict(entity, connection_id)
            for stored in held.records.values()
            if (score := sum(stored.row.weights.get(word, 0.0) for word in asked)) > 0
            and matches(wanted, stored.row.data)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.entity, hit.external_id))[:k]

    def _restrict(self, entity: str | None, connection_id: str | None) -> Sequence[MemoryEntity]:
        """The entities that a search keeps to; InvalidQuery where there is none."""
        connection_id = None if connection_id is None else clean_text(connection_id)
        every = self._held()
        held = [each for each in every if connection_id in (None, each.connection_id)]
        if entity is None:
            if connection_id is None or held:
                return held
            raise unknown_connection(connection_id, [each.connection_id for each in every])
        names = spellings(entity)
        found = [each for each in held if each.name in names or each.start_url in names]
        if not found:
            raise unknown_name(entity, [each.name for each in held])
        first = min(found, key=lambda each: (each.name != names[0], each.connection_id != "SYSTEM", each.connection_id))
        return [first]

    def _held(self) -> list[MemoryEntity]:
        return [entity for _, entity in sorted(self._entities.items())]

    # --- inside ---------------------------------------------------------------------------------------------

    def _open(self, key: tuple[str, str]) -> MemoryEntity:
        """The entity, made where there is none."""
        if key not in self._entities:
            self._made += 1
            self._entities[key] = MemoryEntity(self._made, *key)
        return self._entities[key]

    def _write_to(self, key: tuple[str, str]) -> MemoryEntity:
        """The entity, which is written to now."""
        entity = self._open(key)
        entity.touch()
        return entity


def _key(connection_id: str, name: str) -> tuple[str, str]:
    return check_name("connection_id", connection_id), check_name("name", name)


def _hit(entity: MemoryEntity, stored: MemoryRecord) -> SearchHit:
    row = stored.row
    page = entity.pages.get(stored.page) if stored.page is not None else None
    titles = (page.metadata.get("title") if page else None, row.data.get("title"), "")
    urls = (stored.page, row.data.get("source_url"), "")
    return SearchHit(
        url=next(_text(url) for url in urls if url is not None),
        anchor=row.anchor,
        title=next(_text(title) for title in titles if title is not None),
        headings=row.headings,
        markdown=row.text or "",
        score=0.0,
        external_id=row.external_id,
        entity=entity.name,
        fetched_at=page.fetched_at if page else None,
        changed_at=page.changed_at if page else None,
    )


def _text(value: object) -> str:
    """A JSON value as text, as Postgres writes one."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
