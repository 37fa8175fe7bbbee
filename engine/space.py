"""The active embedding space: one table of vectors, keyed by the hash of the text they were made from.

Vectors are committed as soon as they are computed and nothing refers to them yet (promise E1), and a text
whose hash is there already is not embedded again (promise E2).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from pgvector import HalfVector, Vector
from psycopg import sql

from engine.database import Connection, Database
from engine.errors import EmbedderError, StoreUnavailable
from engine.models import Embeddings, SyncReport
from engine.protocols import Embedder
from engine.queries import query
from engine.telemetry import embed

__all__ = ["Space", "activate_space", "active_space", "build_index", "checked_vectors", "embed_missing"]

BATCH = 256
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


async def embed_missing(
    database: Database,
    space: Space,
    embedder: Embedder,
    texts: Mapping[bytes, str],
    on_embedded: Callable[[int], None] | None = None,
) -> SyncReport:
    """Embed those of `texts` (hash -> text) that the space does not hold, and commit them batch by batch."""
    held = await database.fetch(
        sql.SQL("SELECT hash FROM {} WHERE hash = ANY(%(hashes)s)").format(space.table),
        {"hashes": list(texts)},
    )
    missing = sorted(texts.keys() - {row["hash"] for row in held})
    report = SyncReport(reused=len(held))
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        embeddings = await embed(embedder, [texts[key] for key in batch], "document")
        vectors = checked_vectors(embedder, space, embeddings, len(batch))
        await _store(database, space, batch, vectors)
        report += SyncReport(
            computed=len(batch),
            tokens=embeddings.tokens,
            windowed=embeddings.windowed,
            cost_usd=embeddings.cost_usd,
        )
        if on_embedded is not None:
            on_embedded(len(batch))
    return report


async def _store(database: Database, space: Space, keys: Sequence[bytes], vectors: Sequence[Any]) -> None:
    """Commit vectors. Their keys are sorted: two processes with the same texts do not block each other."""
    statement = sql.SQL("INSERT INTO {} (hash, embedding) VALUES (%b, %b) ON CONFLICT DO NOTHING").format(space.table)
    rows = [(key, space.value(vector)) for key, vector in zip(keys, vectors, strict=True)]

    async def insert(connection: Connection) -> None:
        async with connection.cursor() as cursor:
            await cursor.executemany(statement, rows)

    await database.transact(insert)


def checked_vectors(embedder: Embedder, space: Space, embeddings: Embeddings, expected: int) -> list[Any]:
    """The vectors in the column's precision. Raises EmbedderError for what pgvector would take in silence (a
    zero vector's cosine is NaN) or fail on with the whole batch."""
    import numpy as np

    vectors = embeddings.vectors
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
