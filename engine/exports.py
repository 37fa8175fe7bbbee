"""Sites out of the store, as lines (`portable`): one snapshot, read by batches, so that memory does not grow."""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from psycopg import sql

from engine.database import Connection
from engine.portable import FORMAT, LineWriter
from engine.queries import query
from engine.space import Space, all_spaces

__all__ = ["exported_lines"]

PAGES = 20
ROWS = 500


async def exported_lines(
    connection: Connection, entities: Sequence[int] | None, *, every_space: bool
) -> AsyncGenerator[bytes, None]:
    """The lines of an export of these entities, None for all: with the vectors of the active space, or of every one.

    The connection is in a transaction that sees one snapshot.
    """
    writer = LineWriter()
    spaces = [space for space in await all_spaces(connection) if space.active or every_space]
    spaces.sort(key=lambda space: not space.active)  # the first one of an empty store becomes its active one
    yield writer.line("syncline", _head(spaces))
    rows = await _rows(connection, sql.SQL(query("exported_entities")), ids=entities)
    for row in rows:
        yield writer.line("entity", row["entity"])
        async for page in _pages(connection, row["id"]):
            yield writer.line("page", page)
        async for record in _records(connection, row["id"]):
            yield writer.line("record", record)
    held = [row["id"] for row in rows]
    for place, space in enumerate(spaces):
        async for vector in _vectors(connection, space, held):
            yield writer.line("vector", {"space": place, **vector})
        async for failure in _failures(connection, space, held):
            yield writer.line("failure", {"space": place, **failure})
    yield writer.end()


def _head(spaces: Sequence[Space]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "version": version("syncline"),
        "made_at": datetime.now(UTC).isoformat(),
        "spaces": [
            {
                "name": space.name,
                "dimensions": space.dimensions,
                "type": space.type,
                "weight": space.weight,
                "active": space.active,
            }
            for space in spaces
        ],
    }


async def _rows(connection: Connection, statement: sql.SQL | sql.Composed, **values: object) -> list[dict[str, Any]]:
    return await (await connection.execute(statement, values)).fetchall()


async def _pages(connection: Connection, entity: int) -> AsyncIterator[dict[str, Any]]:
    statement, after = sql.SQL(query("exported_pages")), -1
    while rows := await _rows(connection, statement, entity=entity, after=after, count=PAGES):
        after = rows[-1]["seq"]
        for row in rows:
            yield row["page"]


async def _records(connection: Connection, entity: int) -> AsyncIterator[dict[str, Any]]:
    statement, after = sql.SQL(query("exported_records")), 0
    while rows := await _rows(connection, statement, entity=entity, after=after, count=ROWS):
        after = rows[-1]["id"]
        for row in rows:
            yield {"page": row["page"], "external_id": row["external_id"], "data": row["data"], **dict(_given(row))}


def _given(row: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The rest of a stored record as one that is given, without what it would be anyway."""
    if row["content"] is not None:
        yield "text", row["content"]
    yield "embed_text", row["embed_text"] or ""
    if row["span_start"] is not None:
        yield "span", [row["span_start"], row["span_end"]]
    for name in ("position", "anchor"):
        if row[name] is not None:
            yield name, row[name]
    for name in ("headings", "terms"):
        if row[name]:
            yield name, row[name]
    if row["weight"] != 1:
        yield "weight", row["weight"]


async def _vectors(connection: Connection, space: Space, entities: Sequence[int]) -> AsyncIterator[dict[str, Any]]:
    statement, after = sql.SQL(query("exported_vectors")).format(vectors=space.table), b""
    values = {"entities": entities, "count": ROWS}
    while rows := await (await connection.execute(statement, {**values, "after": after}, binary=True)).fetchall():
        after = rows[-1]["hash"]
        for row in rows:
            numbers = row["embedding"].to_numpy().astype("<f2" if space.type == "halfvec" else "<f4")
            yield {"hash": row["hash"].hex(), "embedding": b64encode(numbers.tobytes()).decode()}


async def _failures(connection: Connection, space: Space, entities: Sequence[int]) -> AsyncIterator[dict[str, Any]]:
    statement, after = sql.SQL(query("exported_failures")), b""
    values = {"space": space.id, "entities": entities, "count": ROWS}
    while rows := await _rows(connection, statement, after=after, **values):
        after = rows[-1]["hash"]
        for row in rows:
            yield {**row, "hash": row["hash"].hex()}
