"""An embedding space: one table of vectors, keyed by the hash of the text they were made from. One space is active.

Vectors are committed as soon as they are computed and nothing refers to them yet (promise E1).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from pgvector import HalfVector, Vector
from psycopg import sql

from engine.clean import clean_text
from engine.database import Connection, Database
from engine.errors import EmbedderError, StoreUnavailable, TextRefused
from engine.models import Embeddings
from engine.protocols import Embedder
from engine.queries import query

__all__ = [
    "Space",
    "SpaceType",
    "SpaceVectors",
    "activate_space",
    "active_space",
    "add_space",
    "all_spaces",
    "build_index",
    "checked_vectors",
    "create_space",
    "hold_active",
]

SpaceType = Literal["vector", "halfvec", "bit"]

MOST_VECTOR = 2_000  # dimensions that HNSW indexes as `vector`
MOST_HALFVEC = 4_000
MOST_BIT = 16_000  # what a column of vectors holds
# Numbers in the vectors that an exact scan reads in about the time that the graph takes with a join: 10,000
# vectors of 256 dimensions, 1,600 of 1,536.
SCANNED_NUMBERS = 2_500_000
INDEX_LOCK = 0x48_4E_53_57  # "HNSW"
SPACE_LOCK = 0x53_50_41_43  # "SPAC": shared by writers, taken alone by whoever makes another space the active one
PROGRESS_SECONDS = 2.0
REFINED = 4  # times the candidates that a graph of bits names, since their exact order is known only afterwards


@dataclass(frozen=True, slots=True)
class Space:
    """A row of `embedding_space`: `weight` is the cosine's share of the score.

    `type` says how vectors are kept and indexed: as they are, in half precision, or as they are with a graph of one bit
    a dimension, whose candidates are scored exactly.
    """

    id: int
    name: str
    dimensions: int
    type: SpaceType
    weight: float
    active: bool = True

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

    @property
    def column(self) -> sql.SQL:
        """Type of the table's column."""
        return sql.SQL("halfvec") if self.type == "halfvec" else sql.SQL("vector")

    @property
    def indexed(self) -> sql.Composable:
        """What the graph is over, and its operator class."""
        if self.type == "bit":
            return sql.SQL("({} bit_hamming_ops)").format(self._bits)
        return sql.SQL("(embedding {})").format(
            sql.SQL("halfvec_cosine_ops" if self.type == "halfvec" else "vector_cosine_ops")
        )

    @property
    def distance(self) -> sql.Composable:
        """What the graph orders by: the distance to the value `vector`."""
        if self.type == "bit":
            return sql.SQL("{} <~> binary_quantize(%(vector)s)").format(self._bits)
        return sql.SQL("embedding <=> %(vector)s")

    @property
    def _bits(self) -> sql.Composable:
        return sql.SQL("(binary_quantize(embedding)::bit({}))").format(sql.Literal(self.dimensions))

    def value(self, vector: Any) -> Vector | HalfVector:
        """A vector that `checked_vectors` gave, as the table's column takes it."""
        return HalfVector(vector) if self.type == "halfvec" else Vector(vector)


async def active_space(connection: Connection) -> Space | None:
    """The space that search uses, or None while nothing was ever embedded."""
    cursor = await connection.execute(query("active_space"))
    row = await cursor.fetchone()
    return Space(**row) if row else None


async def all_spaces(connection: Connection) -> list[Space]:
    """Every space, in the order in which they were made."""
    cursor = await connection.execute(query("all_spaces"))
    return [Space(**row) for row in await cursor.fetchall()]


async def hold_active(connection: Connection) -> Space | None:
    """The active space, which stays the active one until the end of the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [SPACE_LOCK])
    return await active_space(connection)


async def activate_space(connection: Connection, embedder: Embedder) -> Space:
    """The active space, whatever its model; where there is none yet, a first one for `embedder`."""
    await connection.execute("LOCK TABLE syncline.embedding_space IN SHARE ROW EXCLUSIVE MODE")
    return await active_space(connection) or await create_space(connection, embedder)


async def create_space(connection: Connection, embedder: Embedder, kind: SpaceType | None = None) -> Space:
    """The space of an embedder, made with its table where there is none; the first one is the active one.

    Raises EmbedderError where pgvector cannot index so many dimensions as `kind` (None: as it can).
    """
    return await add_space(connection, embedder.name, embedder.dimensions, _kind(embedder, kind))


async def add_space(
    connection: Connection, name: str, dimensions: int, kind: SpaceType, *, weight: float | None = None
) -> Space:
    """The space of this name, made with its table where there is none. `weight` is a new one's, None for the usual."""
    await connection.execute("LOCK TABLE syncline.embedding_space IN SHARE ROW EXCLUSIVE MODE")
    for space in await all_spaces(connection):
        if space.name == name:
            return space
    values = {"name": name, "dimensions": dimensions, "type": kind, "weight": weight}
    cursor = await connection.execute(query("add_space"), values)
    row = await cursor.fetchone()
    assert row is not None, "INSERT ... RETURNING gives a row"
    space = Space(**row)
    await connection.execute(
        sql.SQL(
            "CREATE TABLE {} (hash bytea PRIMARY KEY, embedding {}({}) NOT NULL, "
            "created_at timestamptz NOT NULL DEFAULT now())"
        ).format(space.table, space.column, sql.Literal(space.dimensions))
    )
    return space


def _kind(embedder: Embedder, kind: SpaceType | None) -> SpaceType:
    limits: Mapping[SpaceType, int] = {"vector": MOST_VECTOR, "halfvec": MOST_HALFVEC, "bit": MOST_BIT}
    fitting = [name for name, most in limits.items() if embedder.dimensions <= most]
    if not fitting or (kind is not None and kind not in fitting):
        name = embedder.name.split("@")[0]
        raise EmbedderError(
            f"{embedder.name} has {embedder.dimensions:,} dimensions, and pgvector indexes at most "
            f"{limits[kind or 'bit']:,} as {kind or 'bit'}: shorten it with {name}@1536 where the model allows"
            + (f", or take {' or '.join(fitting)}." if fitting else ", or take another model.")
        )
    return kind or fitting[0]


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
        new = {
            "hashes": list(vectors),
            "vectors": [self._space.value(vector) for vector in checked],
            "space": self._space.id,
        }
        failures = [
            {"hash": key, "space": self._space.id, "reason": clean_text(reason)}
            for key, reason in sorted(refused.items())
        ]

        async def insert(connection: Connection) -> None:
            async with connection.cursor() as cursor:
                if checked:
                    await cursor.execute(self._statement("keep_vectors"), new)
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
        array = np.asarray(vectors, dtype=np.float16 if space.type == "halfvec" else np.float32)
    if not np.isfinite(array).all() or not array.any(axis=1).all():
        raise EmbedderError(f"{embedder.name} answered a vector that is zero or not finite.")
    return list(array)


async def build_index(database: Database, space: Space, on_progress: Callable[[str], None] | None = None) -> bool:
    """Build the space's HNSW index where it has grown worth one and has none; True if one was built.

    One process at a time: the others leave it to that one, and search exactly until it is there.
    """
    building = asyncio.create_task(_built(database, space))
    try:
        while not (await asyncio.wait({building}, timeout=PROGRESS_SECONDS))[0]:
            for row in await database.fetch(query("index_progress"), {"table": f"syncline.vector_{space.id}"}):
                if on_progress is not None:
                    on_progress(f"indexing: {row['vectors']:,} vectors, {row['share']:.0%}")
        return building.result()
    finally:
        building.cancel()  # without effect where it is done
        await asyncio.gather(building, return_exceptions=True)


async def _built(database: Database, space: Space) -> bool:
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
        sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw {}").format(
            sql.Identifier(space.index), space.table, space.indexed
        )
    )
    return True
