"""Records in bulk: new ones by binary COPY, moved ones by one statement, however many pages they are of.

Binary, because the text form of a vector costs ten times as much to read. The rows are clean (`rows`): one value that
Postgres refuses would fail the whole COPY.
"""

import struct
from collections.abc import Sequence

from psycopg.types.json import Jsonb

from engine.database import Connection
from engine.packing import (
    END,
    HEADER,
    pack_fields,
    pack_float,
    pack_integer,
    pack_json,
    pack_long,
    pack_range,
    pack_texts,
)
from engine.queries import query
from engine.rows import Row

__all__ = ["copy_records", "move_records"]

_AT_ONCE = 25  # rows


async def copy_records(connection: Connection, entity: int, items: Sequence[tuple[int | None, Row]]) -> None:
    """Add records, each with the page that it is of."""
    async with connection.cursor() as cursor, cursor.copy(query("copy_records")) as copy:
        await copy.write(HEADER)
        for start in range(0, len(items), _AT_ONCE):
            rows = items[start : start + _AT_ONCE]
            await copy.write(b"".join([_packed(entity, page, row) for page, row in rows]))
        await copy.write(END)


def _packed(entity: int, page: int | None, row: Row) -> bytes:
    """A record as the statement `copy_records` takes it."""
    lexemes, bm25 = row.text_index or (None, None)
    values = (
        pack_long(entity),
        None if page is None else pack_long(page),
        row.external_id.encode(),
        row.external_hash,
        pack_json(row.data),
        None if row.content is None else row.content.encode(),
        None if row.embed_text is None else row.embed_text.encode(),
        row.content_hash,
        row.embed_hash,
        None if row.position is None else pack_integer(row.position),
        None if row.span is None else pack_range(*row.span),
        None if row.anchor is None else row.anchor.encode(),
        pack_texts(row.headings),
        pack_texts(row.terms),
        pack_float(row.weight),
        lexemes,
        bm25,
    )
    return struct.pack("!h", len(values)) + pack_fields(values)


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
