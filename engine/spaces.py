"""Several embedding models side by side: another one is filled from the stored texts, compared, and switched to.

Search goes on with the active space meanwhile, and nothing is crawled again (promise E6).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from engine.checks import check_question
from engine.clean import clean_text
from engine.database import Connection
from engine.embedders import EmbedderName, open_embedder
from engine.errors import CostCeiling, EmbedderError, InvalidQuery, UnknownEmbedder
from engine.models import SearchHit, SyncReport
from engine.protocols import Embedder
from engine.queries import query
from engine.search import Question, find
from engine.space import (
    SPACE_LOCK,
    Space,
    SpaceType,
    active_space,
    all_spaces,
    build_index,
    checked_vectors,
    create_space,
)
from engine.telemetry import embed
from engine.vectors import PostgresVectors

__all__ = ["Comparison", "PostgresSpaces"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one query finds by meaning alone in the active space and in another, best first."""

    query: str
    active: Sequence[SearchHit]
    other: Sequence[SearchHit]

    @property
    def places(self) -> list[tuple[SearchHit, int | None, int | None]]:
        """Every hit with its place in the active space and in the other, from 1; None where it is not among them."""
        active, other = _places(self.active), _places(self.other)
        hits = {_identity(hit): hit for hit in (*self.active, *self.other)}
        return [(hit, active.get(identity), other.get(identity)) for identity, hit in hits.items()]

    @property
    def overlap(self) -> float:
        """Share of the active space's hits that the other finds too, from 0 to 1."""
        return len(_places(self.active).keys() & _places(self.other).keys()) / max(len(self.active), 1)

    @property
    def same_first(self) -> bool:
        """Whether the best hit is the same."""
        return [_identity(hit) for hit in self.active[:1]] == [_identity(hit) for hit in self.other[:1]]


def _identity(hit: SearchHit) -> tuple[str, str]:
    return hit.entity, hit.external_id


def _places(hits: Sequence[SearchHit]) -> dict[tuple[str, str], int]:
    return {_identity(hit): place for place, hit in enumerate(hits, 1)}


class PostgresSpaces(PostgresVectors):
    """The part of `PostgresEngine` that keeps several embedding spaces."""

    async def spaces(self) -> list[dict[str, Any]]:
        """Every space: name, dimensions, type, active, weight, and how many texts have a vector in it (`vectors`), have
        none (`missing`), or were set aside (`failed`); its `bytes`, and whether its graph is built (`indexed`)."""

        async def describe(connection: Connection) -> list[dict[str, Any]]:
            described = []
            for space in await all_spaces(connection):
                values = {
                    "space": space.id,
                    "table": f"syncline.vector_{space.id}",
                    "index": f"syncline.{space.index}",
                }
                statement = sql.SQL(query("describe_space")).format(vectors=space.table)
                (counts,) = await (await connection.execute(statement, values)).fetchall()
                described.append(
                    {
                        "name": space.name,
                        "dimensions": space.dimensions,
                        "type": space.type,
                        "active": space.active,
                        "weight": space.weight,
                        **counts,
                    }
                )
            return described

        return await self._database.transact(describe)

    async def add_space(
        self,
        embedder: Embedder | str,
        *,
        type: SpaceType | None = None,
        max_cost: float | None = None,
        on_embedded: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Embed every stored text with another model, beside the active one; again goes on with what is missing.

        `type` is how its vectors are kept: `vector`, `halfvec` (half the size) or `bit` (a graph of one bit a
        dimension, rescored exactly); None: the first that pgvector indexes for so many dimensions. Raises as
        `retry_embeddings` does; what was paid for stays.
        """
        opened = await self._opened(embedder)
        try:
            space = await self._database.transact(lambda connection: create_space(connection, opened, type))
            if type is not None and space.type != type:
                raise EmbedderError(
                    f"The space {space.name} is there, as {space.type}: drop it first, to add it as {type}."
                )
            report = await self._fill(space, opened, max_cost=max_cost, on_embedded=on_embedded, again=False)
            await build_index(self._database, space)
            return report
        finally:
            if opened is not embedder:
                await opened.aclose()

    async def use_space(
        self,
        embedder: Embedder | str,
        *,
        weight: float | None = None,
        max_cost: float | None = None,
        on_embedded: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Make a space the active one, once it has every text: those that came since it was added are embedded first.

        `weight` is the share of its cosine in the score, from 0 to 1. Searches and crawls that are under way go on, in
        this space from their next call. An engine that was given another embedder refuses from then on.
        """
        if weight is not None and not 0 <= weight <= 1:
            raise InvalidQuery(f"weight is {weight}: it must be from 0 to 1.")
        space = await self._space(embedder)
        opened = await self._opened(embedder)
        report = SyncReport()
        try:
            switched = False
            while not switched:
                left = None if max_cost is None else max_cost - report.cost_usd
                try:
                    report += await self._fill(space, opened, max_cost=left, on_embedded=on_embedded, again=False)
                except CostCeiling as stopped:
                    raise CostCeiling(str(stopped), report + stopped.spent) from None
                await build_index(self._database, space)
                switched = await self._database.transact(lambda connection: _switched(connection, space, weight))
            return report
        finally:
            if opened is not embedder:
                await opened.aclose()

    async def compare_spaces(
        self, embedder: Embedder | str, queries: Sequence[str], *, k: int = 10
    ) -> list[Comparison]:
        """What each query finds by meaning alone in the active space and in another, at most `k` hits each."""
        for text in queries:
            check_question(text, k, "vector")
        other = await self._space(embedder)
        active = await self._database.transact(active_space)
        if active is None:
            raise EmbedderError("The store has no embedding space yet: crawl a site first.")
        current = await self._embedder_of(active)
        opened = await self._opened(embedder)
        try:
            return [
                Comparison(
                    text,
                    await self._nearest(active, current, text, k),
                    await self._nearest(other, opened, text, k),
                )
                for text in queries
            ]
        finally:
            if opened is not embedder:
                await opened.aclose()

    async def drop_space(self, name: str) -> None:
        """Forget a space with its vectors; EmbedderError for the active one."""
        space = await self._space(name)

        async def drop(connection: Connection) -> None:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SPACE_LOCK])
            active = await active_space(connection)
            if active is not None and active.id == space.id:
                raise EmbedderError(
                    f"{space.name} is what search uses: make another one the active one first, with "
                    "`syncline embeddings use`."
                )
            await connection.execute(query("drop_space"), {"id": space.id})
            await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(space.table))

        await self._database.transact(drop)

    async def _nearest(self, space: Space, embedder: Embedder, text: str, k: int) -> list[SearchHit]:
        embeddings = await embed(embedder, [clean_text(text)], "query")
        vector = checked_vectors(embedder, space, embeddings, 1)[0]
        question = Question(text, k, sql.SQL("true"), {}, space, vector, lexical=False, restricted=False)
        return await self._database.transact(lambda connection: find(connection, question))

    async def _space(self, embedder: Embedder | str) -> Space:
        """The space of an embedder, whose name may be written in any of its forms."""
        name = embedder if isinstance(embedder, str) else embedder.name
        spaces = await self._database.transact(all_spaces)
        found = [space for space in spaces if space.name in (name, _full_name(name))]
        if not found:
            known = ", ".join(space.name for space in spaces) or "none yet"
            raise UnknownEmbedder(f"The store has no embedding space {name!r}; there is {known}.")
        return found[0]

    async def _opened(self, embedder: Embedder | str) -> Embedder:
        if isinstance(embedder, str):
            return await open_embedder(embedder, count_tokens=self._count_tokens)
        return embedder


async def _switched(connection: Connection, space: Space, weight: float | None) -> bool:
    """Make the space the active one; False where a text has no vector in it yet."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [SPACE_LOCK])
    statement = sql.SQL(query("any_missing")).format(vectors=space.table)
    (row,) = await (await connection.execute(statement, {"space": space.id})).fetchall()
    if row["missing"]:
        return False
    await connection.execute(query("deactivate_space"), {"id": space.id})
    await connection.execute(query("use_space"), {"id": space.id, "weight": weight})
    return True


def _full_name(name: str) -> str:
    try:
        return str(EmbedderName.parse(name))
    except UnknownEmbedder:
        return name
