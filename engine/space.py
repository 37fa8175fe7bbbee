"""The active embedding space: one table of vectors, keyed by the hash of the text they were made from.

Vectors are committed as soon as they are computed and nothing refers to them yet (promise E1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from pgvector import HalfVector, Vector
from psycopg import sql

from engine.clean import clean_text
from engine.database import Connection, Database
from engine.errors import EmbedderError, StoreUnavailable, TextRefused
from engine.models import Embeddings
from engine.protocols import Embedder
from engine.queries import query

__all__ = ["Space", "SpaceVectors", "activate_space", "active_space", "build_index", "checked_vectors"]

MOST_VECTOR = 2_000  # dimensions that HNSW indexes as `vector`
MOST_HALFVEC = 4_000
# Numbers in the vectors that an exact scan reads in about the time that the graph takes with a join: 10,000
# vectors of 256 dimensions, 1,600 of 1,536.
SCANNED_NUMBERS = 2_500_000
INDEX_LOCK = 0x48_4E_53_57  # "HNSW"


@dataclass(frozen=True, slots=True)
class Space:
    """A row of `embedding_space`: `type` is vector or halfvec, `weight` the cosine's share of the score."""

    id: int
    name: str
    dimensions: int
    type: str
    weight: float

    @property
    def table(self) -> sql.Identifier:
        """The space's own table."""
        return sql.Identifier("syncline", f"vector_{self.id}")

    @property
    def index(self) -> str:
        """Name of the table's graph."""
        return f"vector_{self.id}_hnsw"

    @property
    def scanned(self) -> int:
        """Up to so many vectors, comparing every one is as fast as the graph, and exact."""
        return SCANNED_NUMBERS // self.dimensions

    def value(self, vector: Any) -> Vector | HalfVector:
        """A vector that `checked_vectors` gave, as the table's column takes it."""
        return Vector(vector) if self.type == "vector" else HalfVector(vector)


async def active_space(connection: Connection) -> Space | None:
    """The space that search uses, or None while nothing was ever embedded."""
    cursor = await connection.execute(query("active_space"))
    row = await cursor.fetchone()
    return Space(**row) if row else None


async def activate_space(connection: Connection, embedder: Embedder) -> Space:
    """Create the first space, for `embedder`, with its table; the caller has found that there is none."""
    if embedder.dimensions > MOST_HALFVEC:
        raise EmbedderError(
            f"{embedder.name} has {embedder.dimensions} dimensions, and pgvector indexes at most "
            f"{MOST_HALFVEC}: shorten it with {embedder.name.split('@')[0]}@1536 where the model allows, "
            "or take another model."
        )
    kind = "vector" if embedder.dimensions <= MOST_VECTOR else "halfvec"
    await connection.execute("LOCK TABLE syncline.embedding_space IN SHARE ROW EXCLUSIVE MODE")
    existing = await active_space(connection)
    if existing is not None:
        return existing
    cursor = await connection.execute(
        query("add_space"), {"name": embedder.name, "dimensions": embedder.dimensions, "type": kind}
    )
    row = await cursor.fetchone()
    assert row is not None, "INSERT ... RETURNING gives a row"
    space = Space(**row)
    await connection.execute(
        sql.SQL(
            "CREATE TABLE {} (hash bytea PRIMARY KEY, embedding {}({}) NOT NULL, "
            "created_at timestamptz NOT NULL DEFAULT now())"
        ).format(space.table, sql.SQL(kind), sql.Literal(space.dimensions))
    )
    return space


class SpaceVectors:
    """The vectors of a space, as a `VectorStore`. `planning` reads only."""

    def __init__(self, database: Database, space: Space, embedder: Embedder, *, planning: bool = False) -> None:
        self._database = database
        self._space = space
        self._embedder = embedder
        self._planning = planning

    async def known(self, hashes: Sequence[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Those that have a vector, and those that were set aside. Vectors that no record uses are young again, so that
        `gc` spares them until the records are there."""
        values = {"hashes": list(hashes), "space": self._space.id}

        async def read(connection: Connection) -> list[dict[str, Any]]:
            if not self._planning:
                await connection.execute(self._statement("touch_vectors"), values)
            return await (await connection.execute(self._statement("known_texts"), values)).fetchall()

        rows = await self._database.transact(read)
        return {row["hash"] for row in rows if not row["failed"]}, {row["hash"] for row in rows if row["failed"]}

    async def keep(self, vectors: Mapping[bytes, Sequence[float]], refused: Mapping[bytes, str]) -> None:
        """Commit vectors, and texts that the model does not take. Raises EmbedderError for vectors that are wrong."""
        given = list(vectors.values())
        checked = checked_vectors(self._embedder, self._space, Embeddings(given), len(given)) if given else []
        new = {"hashes": list(vectors), "vectors": [self._space.value(vector) for vector in checked]}
        failures = [
            {"hash": key, "space": self._space.id, "reason": clean_text(reason)}
            for key, reason in sorted(refused.items())
        ]

        async def insert(connection: Connection) -> None:
            async with connection.cursor() as cursor:
                if checked:
                    await cursor.execute(self._statement("keep_vectors"), new)
                    values = {"hashes": list(vectors), "space": self._space.id}
                    await cursor.execute(query("forget_failures"), values)
                if failures:
                    await cursor.executemany(query("keep_failure"), failures)

        await self._database.transact(insert)

    def _statement(self, name: str) -> sql.Composed:
        return sql.SQL(query(name)).format(vectors=self._space.table)


def checked_vectors(embedder: Embedder, space: Space, embeddings: Embeddings, expected: int) -> list[Any]:
    """The vectors in the column's precision. Raises EmbedderError for what pgvector would take in silence (a
    zero vector's cosine is NaN) or fail on with the whole batch."""
    import numpy as np

    vectors = embeddings.vectors
    for reason in embeddings.refused.values():
        raise TextRefused(reason)
    if len(vectors) != expected:
        raise EmbedderError(f"{embedder.name} answered {len(vectors)} vectors for {expected} texts.")
    for vector in vectors:
        if len(vector) != space.dimensions:
            raise EmbedderError(
                f"{embedder.name} answered a vector of {len(vector)} dimensions, and the store's space "
                f"{space.name} has {space.dimensions}: use the model that the space was made with."
            )
    with np.errstate(over="ignore"):
        array = np.asarray(vectors, dtype=np.float32 if space.type == "vector" else np.float16)
    if not np.isfinite(array).all() or not array.any(axis=1).all():
        raise EmbedderError(f"{embedder.name} answered a vector that is zero or not finite.")
    return list(array)


async def build_index(database: Database, space: Space) -> bool:
    """Build the space's HNSW index where it has grown worth one and has none; True if one was built.

    One process at a time: the others leave it to that one, and search exactly until it is there.
    """
    try:
        return await database.transact(lambda connection: _build_index(connection, space, workers=2))
    except StoreUnavailable as error:
        # A parallel build needs shared memory for its whole graph, and a container has 64 MB of it.
        if not isinstance(error.__cause__, psycopg.errors.DiskFull):
            raise
        return await database.transact(lambda connection: _build_index(connection, space, workers=0))


async def _build_index(connection: Connection, space: Space, workers: int) -> bool:
    cursor = await connection.execute(
        sql.SQL(
            "SELECT pg_try_advisory_xact_lock({}, {}) AS mine, to_regclass({}) IS NOT NULL AS built, "
            "(SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {}) AS first) AS vectors"
        ).format(
            sql.Literal(INDEX_LOCK),
            sql.Literal(space.id),
            sql.Literal(f"syncline.{space.index}"),
            space.table,
            sql.Literal(space.scanned + 1),
        )
    )
    row = await cursor.fetchone()
    if row is None or not row["mine"] or row["built"] or row["vectors"] <= space.scanned:
        return False
    await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
    await connection.execute("SET LOCAL statement_timeout = 0")
    await connection.execute(sql.SQL("SET LOCAL max_parallel_maintenance_workers = {}").format(sql.Literal(workers)))
    await connection.execute(
        sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (embedding {})").format(
            sql.Identifier(space.index), space.table, sql.SQL(f"{space.type}_cosine_ops")
        )
    )
    return True
