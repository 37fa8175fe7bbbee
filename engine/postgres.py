"""`PostgresEngine`: the store in Postgres with pgvector, as one object that opens on first use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import sql

from engine.checks import check_question, check_sync_id
from engine.clean import clean_text, digest
from engine.crawls import PostgresLedger
from engine.database import Connection, Database
from engine.departures import GRACE, MOST_LEAVING, too_many
from engine.embedders.batches import count_bytes
from engine.embedding import Estimator, PlannedVectors, VectorStore
from engine.health import PostgresHealth
from engine.limits import Limits
from engine.models import PageInput, RecordInput, RetireReport, SearchHit, SyncReport
from engine.pages import page_rows, write_pages, write_records
from engine.protocols import Embedder, SearchMode
from engine.queries import query as named
from engine.records import condition, ensure_entity, entity_key, merged_rows
from engine.rehearsal import rolled_back
from engine.rows import Row, rows_of
from engine.runs import PostgresRuns
from engine.search import Question, find, refresh_statistics
from engine.space import SpaceVectors, active_space, build_index, checked_vectors
from engine.telemetry import embed
from engine.transfer import PostgresTransfer
from engine.vectors import still_active

__all__ = ["PostgresEngine"]

STALE_STATISTICS = 0.1


class PostgresEngine(PostgresTransfer, PostgresHealth, PostgresRuns):
    """Records, pages, runs and search in one Postgres database.

    `url` is a DSN or the folder of an embedded server; None means `DATABASE_URL`, else the embedded server in
    the user's data folder. `embedder` is an `Embedder` or the name of one; without it the database's active
    space decides, else the environment. `count_tokens` counts the tokens of a text for OpenAI's models;
    bytes, which are never fewer, stand in for it. `limits` of connections and time are the environment's by default.
    Nothing is opened before the first call. Use it as `async with`, or call `aclose`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        embedder: Embedder | str | None = None,
        count_tokens: Callable[[str], int] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._database = Database(url, limits)
        self._given = embedder
        self._count_tokens = count_tokens or count_bytes
        self._embedder: Embedder | None = None
        self._outdated: list[Embedder] = []  # of spaces that are no longer the active one
        self._choosing = asyncio.Lock()
        self._counted = 0  # records at the last look at the statistics ...
        self._uncounted = 0  # ... and written by this engine since

    async def __aenter__(self) -> "PostgresEngine":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections and embedder; an embedded server stops with its last user."""
        opened, self._outdated = self._outdated, []
        if self._embedder is not None and self._embedder is not self._given:
            opened.append(self._embedder)
            self._embedder = None
        for embedder in opened:
            await embedder.aclose()
        await self._database.aclose()

    @property
    def where(self) -> str:
        """What the store is, for people."""
        return self._database.where

    async def conninfo(self) -> str:
        """libpq connection string of the opened database."""
        await self._database.open()
        return self._database.conninfo

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator["PostgresEngine"]:
        """An engine on which everything is done as on this one, and nothing stays: what is written is rolled back,
        nothing is embedded, and reports say what would be. Entities written to are locked for as long as it is open."""
        embedder = await self.embedder()
        async with rolled_back(self._database) as database:
            yield _Rehearsal(database, embedder)

    async def sync_records(
        self,
        *,
        connection_id: str,
        name: str,
        records: Sequence[RecordInput],
        merge: bool = False,
        last_sync_id: str | None = None,
    ) -> SyncReport:
        """Insert or replace records by external id, in one transaction; the entity's other records stay.

        With `merge`, a record that is there keeps what is not given. Raises InvalidRecord, before anything is
        written, for a malformed record or an id given twice.
        """
        entity, sync_id = entity_key(connection_id, name), check_sync_id(last_sync_id)
        given = rows_of(records)
        if not given and sync_id is None:
            return SyncReport()
        embedded: set[bytes] = set()
        space: str | None = None

        async def resolve(connection: Connection) -> list[Row]:
            return await merged_rows(connection, entity, records) if merge else given

        async def write(connection: Connection) -> SyncReport | None:
            key = await ensure_entity(connection, entity)
            rows = await resolve(connection)
            if not await still_active(connection, space):
                embedded.clear()
            if not embedded.issuperset(_hashes(rows)):
                return None
            report = await write_records(connection, key, rows, keep_pages=merge)
            if sync_id is not None:
                await connection.execute(named("keep_sync_id"), {"id": key, "last_sync_id": sync_id})
            return report

        spent, report = SyncReport(), None
        while report is None:  # again only where another writer changed a text that is merged into, or the space
            rows = await self._database.transact(resolve) if merge else given
            computed, space = await self._embed([row for row in rows if row.embed_hash not in embedded])
            spent += computed
            embedded.update(_hashes(rows))
            report = await self._database.transact(write)
        self._uncounted += report.added + report.updated
        if self._uncounted > STALE_STATISTICS * self._counted:
            await self.optimize(tolerance=STALE_STATISTICS)
        return report + spent

    async def swap_pages(
        self,
        *,
        connection_id: str,
        name: str,
        pages: Sequence[PageInput],
        max_cost: float | None = None,
        on_embedded: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Commit the vectors of what is new, then swap pages, records and ledger rows in one transaction.

        Raises CostCeiling before a batch of texts that would bring the cost above `max_cost` US dollars.
        """
        entity = entity_key(connection_id, name)
        items = page_rows(pages)
        if not items:
            return SyncReport()
        rows = [row for item in items for row in item.rows]
        spent, report, space = SyncReport(), None, None

        async def write(connection: Connection) -> SyncReport | None:
            if not await still_active(connection, space):
                return None
            return await write_pages(connection, await ensure_entity(connection, entity), items)

        while report is None:  # again only where another space became the active one meanwhile
            left = None if max_cost is None else max_cost - spent.cost_usd
            computed, space = await self._embed(rows, max_cost=left, on_embedded=on_embedded)
            spent += computed
            report = await self._database.transact(write)
        return report + spent

    async def stored_pages(
        self, *, connection_id: str, name: str, other_than: str | None = None, after: int = 0, count: int = 50
    ) -> list[dict[str, Any]]:
        """Up to `count` stored pages with an id above `after`, by id; `other_than` leaves out those chunked
        with these settings."""
        values = {**entity_key(connection_id, name), "other_than": other_than, "after": after, "count": count}
        return await self._database.fetch(named("stored_pages"), values)

    async def get_page(self, url: str) -> dict[str, object] | None:
        """A known page by its URL (fragment ignored), stored ones first; None where no site has it."""
        plain = clean_text(url.partition("#")[0])
        rows = await self._database.fetch(named("get_page"), {"url_hash": digest(plain)})
        return rows[0] if rows else None

    async def open_ledger(
        self,
        *,
        connection_id: str,
        name: str,
        start_url: str,
        run_id: str,
        options: Mapping[str, object],
        incidental: Collection[str] = (),
    ) -> PostgresLedger:
        """The crawl ledger of an entity: the crawl is begun or, where the same one was cut off, gone on with.

        Raises EngineError where another process is crawling the entity.
        """
        key, start = entity_key(connection_id, name), clean_text(start_url)
        entity = await self._database.transact(lambda connection: ensure_entity(connection, key, start))
        connection = await self._database.hold()
        ledger = PostgresLedger(self._database, connection, entity, name, clean_text(run_id))
        try:
            await ledger.begin(options, incidental)
        except BaseException:
            await connection.close()
            raise
        return ledger

    async def retire_pages(
        self, *, connection_id: str, name: str, most: float = MOST_LEAVING, grace: float = GRACE, prune: bool = False
    ) -> RetireReport:
        """Take the pages that visits found gone out of the store: records at once, ledger rows after `grace`
        seconds. Nothing leaves where more than the share `most` of the stored pages would. With `prune`, pages
        that the last crawl had nothing to do with leave, too. Vectors stay, for pages that come back."""
        key = entity_key(connection_id, name)

        async def retire(connection: Connection) -> RetireReport:
            entity = await ensure_entity(connection, key)
            cursor = await connection.execute(named("leaving_pages"), {"entity": entity, "prune": prune})
            row = await cursor.fetchone()
            assert row is not None, "an aggregate gives a row"
            leaving = row["leaving"]
            if too_many(len(leaving), row["stored"], most):
                return RetireReport(refused=len(leaving))
            cursor = await connection.execute(named("hide_pages"), {"ids": leaving})
            records = cursor.rowcount
            await connection.execute(named("purge_pages"), {"entity": entity, "grace": grace})
            return RetireReport(pages=len(leaving), records=records)

        return await self._database.transact(retire)

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
        """The best `k` records, best first; of one entity (a name or a start URL), of one connection, or of all.

        Raises InvalidFilter, and InvalidQuery for an empty query, a `k` below one, an unknown mode, entity or
        connection.
        """
        check_question(query, k, mode)
        where, values = condition(filter)
        entities = await self._restrict(entity, connection_id)
        if entities is not None:
            values["entities"] = entities
            where = sql.SQL("record.entity_id = ANY(%(entities)s) AND {}").format(where)
        space = await self._database.transact(active_space) if mode != "text" else None
        text = clean_text(query)
        vector = None
        if space is not None:
            embedder = await self._embedder_of(space)
            embeddings = await embed(embedder, [text], "query")
            vector = checked_vectors(embedder, space, embeddings, 1)[0]
        restricted = entities is not None or bool(filter)
        question = Question(text, k, where, values, space, vector, mode != "vector", restricted)
        return await self._database.transact(lambda connection: find(connection, question))

    async def optimize(self, *, tolerance: float = 0.0, on_progress: Callable[[str], None] | None = None) -> None:
        """Bring the text index's statistics up to date and build the vector index where it is worth one.

        The build uses two workers, lets others read, and says through `on_progress` how many vectors are in.
        """
        counted = await self._database.transact(lambda connection: refresh_statistics(connection, tolerance=tolerance))
        if counted is not None:
            self._counted, self._uncounted = counted, 0
        space = await self._database.transact(active_space)
        if space is not None:
            await build_index(self._database, space, on_progress)

    async def sites(self) -> list[dict[str, Any]]:
        """Every entity with its counts of pages and records and the time of its last fetch."""
        return await self._database.fetch(named("sites"))

    async def status(self) -> dict[str, Any]:
        """Versions, counts and size of the store, and its active space."""
        (row,) = await self._database.fetch(named("status"))
        space = await self._database.transact(active_space)
        return {"store": self.where, **row, "embedder": space.name if space else None}


class _Rehearsal(PostgresEngine):
    """An engine on a database that is rolled back, with an embedder that only estimates."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        super().__init__(embedder=Estimator(embedder))
        self._database = database
        self._planned: PlannedVectors | None = None

    async def optimize(self, *, tolerance: float = 0.0, on_progress: Callable[[str], None] | None = None) -> None:
        """Nothing: statistics and indexes would be for nobody."""

    async def _vector_store(self) -> tuple[VectorStore, Embedder, str | None]:
        embedder = await self.embedder()
        if self._planned is None:
            space = await self._database.transact(active_space)
            held = SpaceVectors(self._database, space, embedder, planning=True) if space is not None else None
            self._planned = PlannedVectors(held)
        return self._planned, embedder, None


def _hashes(rows: Sequence[Row]) -> set[bytes]:
    """Keys of the texts that are to be embedded."""
    return {row.embed_hash for row in rows if row.embed_hash is not None}
