"""How a store is: its indexes, tables and pages, and who may read it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from engine.crawls import Visited
from engine.database import Connection
from engine.errors import StoreUnavailable
from engine.freshness import is_due
from engine.queries import query
from engine.space import SCANNED_NUMBERS, all_spaces
from engine.spaces import PostgresSpaces

__all__ = ["PostgresHealth"]

BATCH = 5_000
READ_TO_SEARCH = ("corpus", "embed_failure", "embedding_space", "entity", "migration", "page", "record", "word")


class PostgresHealth(PostgresSpaces):
    """The part of `PostgresEngine` that looks after the store."""

    async def health(self) -> dict[str, Any]:
        """Lists of `spaces` (as `spaces` gives them, with `graph`: ready, building, missing, or none, which is none
        needed), `indexes`, `tables` and `sites`, the latter with their oldest and newest fetch, and how many of their
        pages are due for a refresh, orphans, gone, or waiting for the crawl to go on."""
        building = {row["table"] for row in await self._database.fetch(query("graphs_under_way"))}
        spaces = []
        for number, space in await self._numbered_spaces():
            if f"syncline.vector_{number}" in building:
                graph = "building"
            elif space["indexed"]:
                graph = "ready"
            else:
                graph = "missing" if space["vectors"] > SCANNED_NUMBERS // space["dimensions"] else "none"
            spaces.append({**space, "graph": graph})
        return {
            "spaces": spaces,
            "indexes": await self._database.fetch(query("index_health")),
            "tables": await self._database.fetch(query("table_health")),
            "sites": await self._page_states(),
        }

    async def server_settings(self) -> dict[str, Any]:
        """Whether the server writes to the disk (`fsync`) and cleans up (`autovacuum`), its `max_connections`, how many
        `connections` there are, and whether a pooler is in between (`pooled`)."""
        (row,) = await self._database.fetch(query("server_settings"))
        return {**row, "pooled": self._database.pooled}

    async def writable(self) -> bool:
        """True where the store's tables may be written; nothing is."""
        (row,) = await self._database.fetch(query("writable"))
        return bool(row["writable"])

    async def grant_search(self, role: str) -> None:
        """Let a role of the server search and read what is stored, what will be stored included, and no more.

        Raises StoreUnavailable where there is no such role, or where this one may not grant it that.
        """

        async def grant(connection: Connection) -> None:
            if await (await connection.execute(query("known_role"), {"role": role})).fetchone() is None:
                raise StoreUnavailable(
                    f"{self._database.where} has no role {role!r}: let an administrator create it first (CREATE ROLE)."
                )
            tables = [*READ_TO_SEARCH, *(f"vector_{space.id}" for space in await all_spaces(connection))]
            names = sql.SQL(", ").join(sql.Identifier("syncline", table) for table in tables)
            to = sql.Identifier(role)
            await connection.execute(sql.SQL("GRANT USAGE ON SCHEMA syncline TO {}").format(to))
            await connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(names, to))
            # Of the vectors of models that are added later.
            await connection.execute(
                sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA syncline GRANT SELECT ON TABLES TO {}").format(to)
            )
            # Without the right to grant, a GRANT is but a warning.
            values = {"role": role, "tables": tables}
            row = await (await connection.execute(query("may_search"), values)).fetchone()
            if row is None or not row["may"]:
                raise StoreUnavailable(
                    f"The rights to search {self._database.where} cannot be granted by {connection.info.user}: connect "
                    "as the role that set up the store."
                )

        await self._database.transact(grant)

    async def _numbered_spaces(self) -> list[tuple[int, dict[str, Any]]]:
        numbers = {space.name: space.id for space in await self._database.transact(all_spaces)}
        return [(numbers[space["name"]], space) for space in await self.spaces() if space["name"] in numbers]

    async def _page_states(self) -> list[dict[str, Any]]:
        now, after, due = datetime.now(UTC), 0, Counter[int]()
        while rows := await self._database.fetch(query("stored_visits"), {"after": after, "count": BATCH}):
            after = rows[-1]["id"]
            for row in rows:
                entity = row.pop("entity_id")
                del row["id"]
                visited = Visited(**row)
                due[entity] += is_due(visited, extractor=visited.extractor or "", now=now)
        states = await self._database.fetch(query("page_states"))
        return [{**row, "due": due[row.pop("id")]} for row in states]
