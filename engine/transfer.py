"""Sites out of a store and into another, with their vectors: nothing is crawled or embedded again."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing

from engine.database import PATIENT, Connection, Database
from engine.exports import exported_lines
from engine.imports import import_into
from engine.models import ImportReport
from engine.records import PostgresRecords

__all__ = ["PostgresTransfer"]


class PostgresTransfer(PostgresRecords):
    """The part of `PostgresEngine` that takes sites to other stores."""

    _database: Database

    async def optimize(self, *, tolerance: float = 0.0, on_progress: Callable[[str], None] | None = None) -> None:
        """Bring statistics and indexes up to date."""
        raise NotImplementedError

    async def export_lines(
        self, entity: str | None = None, *, connection_id: str | None = None, every_space: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The lines of an export: one entity (a name or a start URL), one connection's, or all, as they are now.

        With the vectors of the active space, or of `every_space`. Vectors that no record uses, runs, and statistics are
        left out. Memory does not grow with the store. Raises InvalidQuery for an entity or connection that is not
        there.
        """
        entities = await self._restrict(entity, connection_id)
        async with (
            self._database.snapshot() as connection,
            aclosing(exported_lines(connection, entities, every_space=every_space)) as lines,
        ):
            async for line in lines:
                yield line

    async def import_lines(self, lines: Iterable[bytes], *, replace: bool = False) -> ImportReport:
        """Write the entities of an export, which may be an open file, in one transaction: all of it or nothing.

        Raises InvalidExport where it is damaged, cut off, or of another version, and EngineError where the store has
        one of the entities, unless `replace`.
        """

        async def write(connection: Connection) -> ImportReport:
            await connection.execute(PATIENT)
            return await import_into(connection, lines, replace=replace)

        report = await self._database.transact(write, tries=1)  # the lines are read once
        await self.optimize()
        return report
