"""A database on which everything can be done and nothing stays: one transaction, rolled back at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool

from engine.database import PATIENT, Connection, Database
from engine.failures import store_error

__all__ = ["RolledBack", "rolled_back"]

Result = TypeVar("Result")

# What deferred constraints would say at a commit is said now.
CHECKED = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"


class RolledBack(Database):
    """Another database, as it would be after all that is done here. Its transactions are savepoints in one; a lost
    connection ends it, since there is nothing to go on with."""

    def __init__(self, database: Database, connection: Connection) -> None:
        super().__init__()
        self._real = database
        self._connection = connection
        self._turn = asyncio.Lock()  # savepoints nest, and must not cross
        self.conninfo = database.conninfo

    @property
    def where(self) -> str:
        """What the real store is."""
        return self._real.where

    async def open(self) -> AsyncConnectionPool[Connection]:
        """It is open."""
        return await self._real.open()

    async def transact(self, work: Callable[[Connection], Awaitable[Result]], *, tries: int = 1) -> Result:
        """Run `work` as a part of what is rolled back."""
        try:
            async with self._turn, self._connection.transaction():
                result = await work(self._connection)
                await self._connection.execute(CHECKED)
                return result
        except psycopg.Error as error:
            raise store_error(error, self.where) from error

    async def hold(self) -> Connection:
        """A connection of its own, as the real database gives it: a crawl's lock holds for a rehearsal, too."""
        return await self._real.hold()

    async def aclose(self) -> None:
        """The real database stays open."""


@asynccontextmanager
async def rolled_back(database: Database) -> AsyncIterator[Database]:
    """The database for the length of the block."""
    async with database.connection() as connection, connection.transaction(force_rollback=True):
        await connection.execute(PATIENT)
        yield RolledBack(database, connection)
