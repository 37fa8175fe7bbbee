"""Entities and the records in them, read and deleted, in Postgres."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from engine.checks import check_count, check_external_ids
from engine.clean import clean_text, digest
from engine.database import Connection, Database
from engine.filters import And, Comparison, Filter, Not, Or, parse, to_sql
from engine.models import RecordInput
from engine.names import check_name, spellings, unknown_connection, unknown_entity, unknown_name
from engine.queries import query
from engine.rows import Row, merge_row, rows_of
from engine.sorting import parse_sort, sort_sql

__all__ = ["PostgresRecords", "condition", "ensure_entity", "entity_key", "merged_rows"]


class PostgresRecords:
    """The part of `PostgresEngine` that keeps entities, and reads and deletes their records."""

    _database: Database

    async def create_entity(self, *, connection_id: str, name: str) -> dict[str, Any]:
        """The entity as it is, made where there is none."""
        (row,) = await self._database.fetch(query("create_entity"), entity_key(connection_id, name))
        return row

    async def get_entity(self, *, connection_id: str, name: str) -> dict[str, Any]:
        """The entity: id, names, start_url, last_sync_id and times; UnknownEntity where there is none."""
        rows = await self._database.fetch(query("get_entity"), entity_key(connection_id, name))
        if rows:
            return rows[0]
        known = [(row["connection_id"], row["name"]) for row in await self._known()]
        raise unknown_entity(connection_id, name, known)

    async def delete_entity(self, *, connection_id: str, name: str) -> bool:
        """Delete an entity with its records and pages. Its vectors stay, for texts that come back."""
        return bool(await self._database.fetch(query("delete_entity"), entity_key(connection_id, name)))

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
        data, then by external id in code point order."""
        where, values = condition(filter)
        order, paths = sort_sql(parse_sort(sort), _column)
        values |= {**entity_key(connection_id, name), **paths}
        if external_ids is not None:
            where = sql.SQL("{} AND record.external_hash = ANY(%(hashes)s)").format(where)
            values["hashes"] = [digest(external_id) for external_id in check_external_ids(external_ids)]
        values["limit"] = None if limit is None else check_count("limit", limit)
        values["offset"] = check_count("offset", offset)
        statement = sql.SQL(
            "SELECT record.external_id, record.data FROM syncline.record JOIN syncline.entity "
            "ON entity.id = record.entity_id WHERE entity.key = %(key)s "
            'AND {} ORDER BY {} record.external_id COLLATE "C" '
            "LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint"
        ).format(where, sql.SQL(order))
        return await self._database.fetch(statement, values)

    async def delete_records(self, *, connection_id: str, name: str, external_ids: Sequence[str]) -> int:
        """Delete records by external id, in one transaction; how many there were. Other ids are ignored."""
        entity = entity_key(connection_id, name)
        hashes = [digest(external_id) for external_id in check_external_ids(external_ids)]
        if not hashes:
            return 0

        async def delete(connection: Connection) -> int:
            held = await (await connection.execute(query("touch_entity"), entity)).fetchone()
            if held is None:
                return 0
            values = {"entity": held["id"], "hashes": hashes}
            return (await connection.execute(query("delete_by_hash"), values)).rowcount

        return await self._database.transact(delete)

    async def find_entity(self, entity: str, *, connection_id: str | None = None) -> dict[str, Any]:
        """`id`, `connection_id` and `name` of the entity of this name or start URL; InvalidQuery if none."""
        names = spellings(entity)
        connection_id = None if connection_id is None else clean_text(connection_id)
        values = {"names": names, "given": names[0], "connection_id": connection_id}
        rows = await self._database.fetch(query("resolve_entity"), values)
        if rows:
            return rows[0]
        raise unknown_name(entity, [row["name"] for row in await self._known(connection_id)])

    async def _restrict(self, entity: str | None, connection_id: str | None) -> list[int] | None:
        """Ids of the entities that a search keeps to, None for all; InvalidQuery where there is none."""
        if entity is not None:
            return [(await self.find_entity(entity, connection_id=connection_id))["id"]]
        if connection_id is None:
            return None
        found = await self._known(connection_id)
        if found:
            return [row["id"] for row in found]
        raise unknown_connection(connection_id, [row["connection_id"] for row in await self._known()])

    async def _known(self, connection_id: str | None = None) -> list[dict[str, Any]]:
        return await self._database.fetch(query("entity_names"), {"connection_id": connection_id})


def entity_key(connection_id: str, name: str) -> dict[str, object]:
    """What names an entity, checked, as statements take it."""
    connection_id, name = check_name("connection_id", connection_id), check_name("name", name)
    return {"connection_id": connection_id, "name": name, "key": digest(f"{connection_id}\0{name}")}


async def ensure_entity(connection: Connection, entity: Mapping[str, object], start_url: str | None = None) -> int:
    """The entity's id; its row is locked until the transaction ends, so that its writers take turns."""
    cursor = await connection.execute(query("ensure_entity"), {**entity, "start_url": start_url})
    row = await cursor.fetchone()
    assert row is not None, "INSERT ... RETURNING gives a row"
    return int(row["id"])


async def merged_rows(
    connection: Connection, entity: Mapping[str, object], records: Sequence[RecordInput]
) -> list[Row]:
    """Records as they are once merged into those that the entity has."""
    rows = rows_of(records)
    values = {**entity, "hashes": [row.external_hash for row in rows]}
    cursor = await connection.execute(query("whole_records"), values)
    held = {row["external_id"]: _row(row) for row in await cursor.fetchall()}
    return [
        merge_row(held[row.external_id], record) if row.external_id in held else row
        for row, record in zip(rows, records, strict=True)
    ]


def _row(stored: Mapping[str, Any]) -> Row:
    data, start = stored["data"], stored["span_start"]
    text = stored["content"]
    if text is None and isinstance(data.get("markdown"), str):
        text = data["markdown"]
    return Row(
        external_id=stored["external_id"],
        data=data,
        text=text,
        embed_text=stored["embed_text"],
        headings=tuple(stored["headings"]),
        anchor=stored["anchor"],
        span=None if start is None else (start, stored["span_end"]),
        position=stored["position"],
        weight=stored["weight"],
        terms=tuple(stored["terms"]),
    )


def condition(filter: Mapping[str, object] | None) -> tuple[sql.Composable, dict[str, object]]:
    """A filter over the records' data as SQL, built of constants and parameter names only (promise E4)."""
    parsed = parse(filter)
    text, values = to_sql(parsed, "record.data" if _reads_markdown(parsed) else "record.facts")
    return sql.SQL(text), values


def _reads_markdown(filter: Filter) -> bool:
    match filter:
        case And(parts) | Or(parts):
            return any(map(_reads_markdown, parts))
        case Not(part):
            return _reads_markdown(part)
        case Comparison(path):
            return _column(path) == "record.data"


def _column(path: Sequence[str]) -> str:
    return "record.data" if path[0] == "markdown" else "record.facts"
