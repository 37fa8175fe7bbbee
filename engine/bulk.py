"""Records in bulk: new ones by binary COPY, moved ones by one statement, however many pages they are of.

Binary, because the text form of a vector costs ten times as much to read. The rows are clean (`rows`): one value that
Postgres refuses would fail the whole COPY.
"""

from collections.abc import Sequence

from pgvector import SparseVector
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from engine.bm25 import DIMENSIONS
from engine.database import Connection
from engine.lexemes import Lexemes
from engine.queries import query
from engine.rows import Row

__all__ = ["copy_records", "lexemes", "move_records", "sparse_vector"]

_TYPES = (
    *("int8", "int8", "text", "bytea", "jsonb", "text", "text", "bytea", "bytea", "int4", "int4range", "text"),
    *("text[]", "text[]", "float8", "tsvector", "sparsevec"),
)  # of the columns that `copy_records` names


async def copy_records(connection: Connection, entity: int, items: Sequence[tuple[int | None, Row]]) -> None:
    """Add records, each with the page that it is of."""
    async with connection.cursor() as cursor, cursor.copy(query("copy_records")) as copy:
        copy.set_types(_TYPES)
        for page, row in items:
            await copy.write_row(
                (
                    entity,
                    page,
                    row.external_id,
                    row.external_hash,
                    Jsonb(row.data),
                    row.content,
                    row.embed_text,
                    row.content_hash,
                    row.embed_hash,
                    row.position,
                    None if row.span is None else Range(*row.span),
                    row.anchor,
                    list(row.headings),
                    list(row.terms),
                    row.weight,
                    lexemes(row),
                    sparse_vector(row),
                )
            )


async def move_records(connection: Connection, items: Sequence[tuple[int, int | None, Row]]) -> None:
    """Give records their new place, id and data; text, vector and words stay as they are."""
    rows = [row for _, _, row in items]
    values = {
        "ids": [key for key, _, _ in items],
        "pages": [page for _, page, _ in items],
        "external_ids": [row.external_id for row in rows],
        "hashes": [row.external_hash for row in rows],
        "data": [Jsonb(row.data) for row in rows],
        "positions": [row.position for row in rows],
        "starts": [row.span[0] if row.span else None for row in rows],
        "ends": [row.span[1] if row.span else None for row in rows],
        "anchors": [row.anchor for row in rows],
        "weights": [row.weight for row in rows],
    }
    await connection.execute(query("move_records"), values)


def lexemes(row: Row) -> Lexemes | None:
    """The words of a record; None where it has none."""
    return Lexemes(row.weights) if row.weights else None


def sparse_vector(row: Row) -> SparseVector | None:
    """The weights of a record's words; None where it has no words."""
    return SparseVector(row.sparse(), DIMENSIONS) if row.weights else None
