"""Sites into the store from the lines of an export: one transaction for all of it, so that nothing is half-imported."""

from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from engine.bulk import copy_records
from engine.clean import clean_json, digest
from engine.crawls import CRAWL_LOCK
from engine.database import Connection
from engine.errors import EngineError, InvalidRecord
from engine.models import ImportReport, RecordInput
from engine.portable import LineReader
from engine.queries import query
from engine.records import entity_key
from engine.rows import rows_of
from engine.space import Space, SpaceType, add_space, all_spaces, hold_active

__all__ = ["import_into"]

MOST_PAGES = 100
MOST_ROWS = 1_000
MOST_BYTES = 16 << 20  # of lines


async def import_into(connection: Connection, lines: Iterable[bytes], *, replace: bool) -> ImportReport:
    """Write an export, in the transaction of the connection.

    Raises InvalidExport for lines that are no whole export, and EngineError where the store has an entity of the export
    and `replace` is not given.
    """
    reader = LineReader(lines)
    try:
        return await _Import(connection, replace_held=replace).run(reader)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise reader.error(str(error).partition("\n")[0]) from None
    except (InvalidRecord, LookupError, TypeError, ValueError) as error:
        raise reader.error(f"{type(error).__name__}: {error}") from None


@dataclass(slots=True)
class _Import:
    """One import: what is read and not written yet, by batches."""

    connection: Connection
    replace_held: bool
    entities: list[int] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    vectors: defaultdict[int, dict[bytes, Any]] = field(default_factory=lambda: defaultdict(dict))
    size: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    async def run(self, reader: LineReader) -> ImportReport:
        """Write all of it; the counts."""
        given = reader.head()["spaces"]
        spaces = [(await self._space(space), _numbers(space["type"])) for space in given]
        active = await hold_active(self.connection)
        for kind, value in reader:
            match kind:
                case "entity":
                    await self._flush()
                    self.entities.append(await self._open(value))
                case "page":
                    self.pages.append(cast("dict[str, Any]", clean_json(value)))
                    await self._grow(reader.size)
                case "record":
                    self.records.append(value)
                    await self._grow(reader.size)
                case "vector":
                    space, numbers = spaces[value["space"]]
                    await self._add_vector(space, numbers, value)
                case "failure":
                    values = {"space": spaces[value["space"]][0].id, "hash": bytes.fromhex(value["hash"])}
                    await self.connection.execute(query("import_failure"), {**value, **values})
        await self._flush()
        for space, _ in spaces:
            await self._keep(space)
        await self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        missing = await self._missing(active)
        return ImportReport(entities=len(self.entities), missing=missing, **self.counts)

    async def _space(self, given: Mapping[str, Any]) -> Space:
        """The space of the store by this name; made where there is none."""
        name, dimensions, kind = given["name"], given["dimensions"], given["type"]
        weight = given["weight"]
        sound = kind in get_args(SpaceType) and isinstance(name, str) and type(dimensions) is int and dimensions > 0
        if not sound or not isinstance(weight, int | float) or not 0 <= weight <= 1:
            raise TypeError(f"a space that is none: {name!r}")
        found = [space for space in await all_spaces(self.connection) if space.name == name]
        if not found:
            found = [await add_space(self.connection, name, dimensions, kind, weight=float(weight))]
        if found[0].dimensions != dimensions:
            raise EngineError(
                f"The export has vectors of {name} with {dimensions:,} dimensions, and those of the store have "
                f"{found[0].dimensions:,}: import it into another store, or drop that space first."
            )
        return found[0]

    async def _open(self, given: dict[str, Any]) -> int:
        """Make the entity, in the place of the one that is there if that is wanted."""
        key = entity_key(given["connection_id"], given["name"])
        held = await (await self.connection.execute(query("held_entity"), key)).fetchone()
        there = EngineError(
            f"The store has {key['name']} (connection {key['connection_id']}) already, so nothing was imported: with "
            "--replace (replace=True) the export takes its place."
        )
        if held is not None and not self.replace_held:
            raise there
        if held is not None:
            lock = [CRAWL_LOCK, held["id"] % 2**31]
            cursor = await self.connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s) AS mine", lock)
            if not (await cursor.fetchone() or {"mine": False})["mine"]:
                raise EngineError(f"{key['name']} is being crawled, so nothing was imported: wait for it, or stop it.")
            await self.connection.execute(query("delete_entity"), key)
        values = {**key, "entity": Jsonb(clean_json(given))}
        try:
            (row,) = await (await self.connection.execute(query("import_entity"), values)).fetchall()
        except psycopg.errors.UniqueViolation:  # made meanwhile
            raise there from None
        return int(row["id"])

    async def _add_vector(self, space: Space, numbers: str, value: Mapping[str, Any]) -> None:
        import numpy as np

        vector = np.frombuffer(b64decode(value["embedding"], validate=True), dtype=numbers)
        if len(vector) != space.dimensions or not np.isfinite(vector).all() or not vector.any():
            raise ValueError(f"an embedding that is no vector of {space.dimensions:,} numbers")
        waiting = self.vectors[space.id]
        waiting[bytes.fromhex(value["hash"])] = space.value(vector.astype(numbers[1:]))
        if len(waiting) >= MOST_ROWS:
            await self._keep(space)

    async def _grow(self, size: int) -> None:
        """One more page or record waits; write them where they are many, or large."""
        self.size += size
        if self.size > MOST_BYTES or len(self.pages) >= MOST_PAGES or len(self.records) >= MOST_ROWS:
            await self._flush()

    async def _flush(self) -> None:
        """Write the pages and records that wait; they are of the entity that was opened last."""
        pages, records, self.pages, self.records, self.size = self.pages, self.records, [], [], 0
        if pages:
            values = {"entity": self.entities[-1], "pages": Jsonb(pages)}
            await self.connection.execute(query("import_pages"), values)
        if records:
            urls = [record.pop("page") for record in records]
            ids = await self._page_ids({url for url in urls if url is not None})
            rows = rows_of(cast("list[RecordInput]", records))
            items = [(None if url is None else ids[url], row) for url, row in zip(urls, rows, strict=True)]
            await copy_records(self.connection, self.entities[-1], items)
        self.counts.update(pages=len(pages), records=len(records))

    async def _page_ids(self, urls: set[str]) -> dict[str, int]:
        values = {"entity": self.entities[-1], "hashes": [digest(url) for url in urls]}
        rows = await (await self.connection.execute(query("imported_pages"), values)).fetchall()
        return {row["url"]: row["id"] for row in rows}

    async def _keep(self, space: Space) -> None:
        vectors = self.vectors.pop(space.id, {})
        if vectors:
            statement = sql.SQL(query("keep_vectors")).format(vectors=space.table)
            values = {"hashes": list(vectors), "vectors": list(vectors.values()), "space": space.id}
            await self.connection.execute(statement, values)
        self.counts.update(vectors=len(vectors))

    async def _missing(self, active: Space | None) -> int:
        """Texts of what was imported that search by meaning does not find: the store's model has no vector of them."""
        if active is None:
            return 0
        statement = sql.SQL(query("texts_to_embed")).format(vectors=active.table)
        values = {"entities": self.entities, "space": active.id}
        (row,) = await (await self.connection.execute(statement, values)).fetchall()
        return int(row["n"])


def _numbers(kind: str) -> str:
    """The type of the numbers of an export's vectors, as numpy names it."""
    return "<f2" if kind == "halfvec" else "<f4"
