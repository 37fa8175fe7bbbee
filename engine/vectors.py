"""The embedder of a Postgres store, its vectors, and what became of the texts that have none."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from psycopg import sql

from engine.checks import check_count
from engine.clean import clean_text
from engine.database import Connection, Database
from engine.departures import GRACE
from engine.embedders import describe_choice, open_embedder
from engine.embedding import BATCH, VectorStore, check_price, embed_missing
from engine.errors import CostCeiling, SpaceMismatch, TextRefused
from engine.models import GcReport, SyncReport
from engine.protocols import DEAD_AFTER, Embedder
from engine.queries import query
from engine.rows import Row, texts_of
from engine.space import Space, SpaceVectors, activate_space, active_space, all_spaces, hold_active

__all__ = ["PostgresVectors", "still_active"]


class PostgresVectors:
    """The part of `PostgresEngine` that embeds."""

    _database: Database
    _given: Embedder | str | None
    _count_tokens: Callable[[str], int]
    _embedder: Embedder | None
    _outdated: list[Embedder]
    _choosing: asyncio.Lock

    async def embedder(self) -> Embedder:
        """The embedder in use: the active space's. Raises SpaceMismatch where another one was given."""
        return await self._embedder_of(await self._database.transact(active_space))

    async def _embedder_of(self, space: Space | None) -> Embedder:
        """The embedder of the active space, which another process may have changed since the last call."""
        async with self._choosing:
            held = self._embedder
            if held is not None and (space is None or space.name == held.name):
                return held
            self._embedder = await self._choose_embedder(space)
            if held is not None and held is not self._given:
                self._outdated.append(held)  # others may be embedding with it
            return self._embedder

    async def _choose_embedder(self, space: Space | None) -> Embedder:
        given = self._given
        if given is None or isinstance(given, str):
            wanted = given if given is not None or space is None else space.name
            sizes = {space.name: space.dimensions} if space is not None else {}
            given = await open_embedder(wanted, count_tokens=self._count_tokens, sizes=sizes)
        if space is not None and given.name != space.name:
            if given is not self._given:
                await given.aclose()
            raise SpaceMismatch(
                f"The store was embedded with {space.name}, and {given.name} was asked for, whose vectors cannot be "
                f"compared with those: leave out --embedder, or change the store's model with `syncline embeddings "
                f"add {given.name}` and `syncline embeddings use {given.name}`."
            )
        return given

    async def describe_embedder(self) -> str:
        """One sentence: the embedder in use, and why."""
        embedder = await self.embedder()
        if self._given is None and await self._database.transact(active_space) is not None:
            return f"Embedding with {embedder.name}: the store was made with it."
        if self._given is None or isinstance(self._given, str):
            return describe_choice(self._given)
        return f"Embedding with {embedder.name}: the program chose it."

    async def check(self, *, max_cost: float | None = None, ask: bool = True) -> str:
        """Open the store and embed one word: a wrong key or model is known before anything is written.

        Without `ask` nothing is embedded, for what may need no vector. Returns the embedder's name. Raises
        StoreUnavailable or EmbedderError, the latter too where `max_cost` could not be kept.
        """
        embedder = await self.embedder()
        if max_cost is not None:
            check_price(embedder, max_cost)
        if ask:
            for reason in (await embedder.embed(["syncline"], kind="query")).refused.values():
                raise TextRefused(reason)
        return embedder.name

    async def embed_failures(
        self, *, connection_id: str | None = None, name: str | None = None, limit: int = 10
    ) -> list[dict[str, Any]]:
        """Records whose text the model does not take: url, entity, external_id, reason, tries and failed_at."""
        values = {"connection_id": _text(connection_id), "name": _text(name), "limit": check_count("limit", limit)}
        return await self._database.fetch(query("embed_failures"), values)

    async def retry_embeddings(
        self, *, max_cost: float | None = None, on_embedded: Callable[[int], None] | None = None
    ) -> SyncReport:
        """Embed every text in the store that has no vector: those that were set aside, and any that lost theirs.

        `computed` and `failed` of the report say what became of them. Raises as `swap_pages` does.
        """
        space = await self._database.transact(active_space)
        if space is None:
            return SyncReport()
        embedder = await self._embedder_of(space)
        return await self._fill(space, embedder, max_cost=max_cost, on_embedded=on_embedded, again=True)

    async def _fill(
        self,
        space: Space,
        embedder: Embedder,
        *,
        max_cost: float | None,
        on_embedded: Callable[[int], None] | None,
        again: bool,
    ) -> SyncReport:
        """Embed the texts of the store that have no vector in the space; those that were set aside if `again`."""
        report, after = SyncReport(), b""
        store = SpaceVectors(self._database, space, embedder)
        statement = sql.SQL(query("texts_without_vector")).format(vectors=space.table)
        while rows := await self._database.fetch(statement, {"after": after, "count": BATCH}):
            after = rows[-1]["hash"]
            texts = [(row["hash"], row["text"]) for row in rows]
            left = None if max_cost is None else max_cost - report.cost_usd
            try:
                report += await embed_missing(
                    store, embedder, texts, max_cost=left, on_embedded=on_embedded, again=again
                )
            except CostCeiling as stopped:
                raise CostCeiling(str(stopped), report + stopped.spent) from None
        return report

    async def gc(self, *, runs_older_than: float | None = None) -> GcReport:
        """Forget what nothing needs: vectors and failures of texts that no record has, tombstones of pages that left
        more than `GRACE` seconds ago, and, where asked, runs that ended more than `runs_older_than` seconds ago.

        Safe beside runs: what is younger than the oldest live run is spared, since its record may be on its way. A
        program that writes records outside of a run should not at that moment; `retry_embeddings` would mend it.
        """

        async def forget(connection: Connection) -> GcReport:
            (live,) = await (await connection.execute(query("oldest_live_run"), {"dead_after": DEAD_AFTER})).fetchall()
            vectors = spared = 0
            for space in await all_spaces(connection):
                statement = sql.SQL(query("forget_vectors")).format(vectors=space.table)
                (counts,) = await (await connection.execute(statement, live)).fetchall()
                vectors, spared = vectors + counts["vectors"], spared + counts["spared"]
            failures = (await connection.execute(query("forget_unused_failures"), live)).rowcount
            pages = (await connection.execute(query("purge_every_page"), {"grace": GRACE})).rowcount
            runs = 0
            if runs_older_than is not None:
                values = {"older_than": runs_older_than, "dead_after": DEAD_AFTER}
                runs = (await connection.execute(query("prune_runs"), values)).rowcount
            return GcReport(vectors=vectors, spared=spared, failures=failures, pages=pages, runs=runs)

        return await self._database.transact(forget)

    async def _vector_store(self) -> tuple[VectorStore, Embedder, str | None]:
        """Where vectors go now, what makes them, and the name of the space; None for one that cannot change."""
        while True:
            space = await self._database.transact(active_space)
            embedder = await self._embedder_of(space)
            if space is None:
                space = await self._database.transact(partial(activate_space, embedder=embedder))
            if space.name == embedder.name:
                return SpaceVectors(self._database, space, embedder), embedder, space.name

    async def _embed(
        self,
        rows: Sequence[Row],
        *,
        max_cost: float | None = None,
        on_embedded: Callable[[int], None] | None = None,
    ) -> tuple[SyncReport, str | None]:
        """Embed the texts of the rows that have no vector; the space in which they have one now."""
        texts = texts_of(rows)
        if not texts:
            return SyncReport(), None
        store, embedder, space = await self._vector_store()
        return await embed_missing(store, embedder, texts, max_cost=max_cost, on_embedded=on_embedded), space


async def still_active(connection: Connection, space: str | None) -> bool:
    """Whether the space is the active one, as it then stays until the end of the transaction; None is."""
    if space is None:
        return True
    active = await hold_active(connection)
    return active is not None and active.name == space


def _text(given: str | None) -> str | None:
    return None if given is None else clean_text(given)
