"""One Postgres database: a pool of connections to a migrated store, and transactions that are tried again."""

import asyncio
import os
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Literal
from psycopg_pool import AsyncConnectionPool

from engine.adapters import register_types
from engine.embedded import EmbeddedServer
from engine.errors import StoreUnavailable
from engine.failures import describe_dsn, is_passing, parse_dsn, reason_of, store_error
from engine.limits import Limits
from engine.migrate import migrate
from engine.telemetry import transaction_span

__all__ = ["PATIENT", "Connection", "Database"]

Connection = psycopg.AsyncConnection[dict[str, Any]]
Result = TypeVar("Result")

# A server that is gone without a word is noticed within about a minute.
REACHED = MappingProxyType(
    {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
)
PREPARED_AFTER = 5  # executions
TRIES = 5
FIRST_PAUSE = 0.1  # seconds at most before the second try; twice as long before each further one

PATIENT = (
    "SELECT set_config(name, '0', true) FROM pg_settings "
    "WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
)
"""For a transaction that waits for something else than the database: that is not idleness."""

_DSN = re.compile(r"postgres(ql)?:|\s*\w+\s*=|.*://")


class Database:
    """A pool of connections to a migrated store, opened on first use.

    `url` is a DSN, or a folder for an embedded server; None means `DATABASE_URL`, else the embedded server in
    the user's data folder. `limits` are the environment's where there are none. Everything raises StoreUnavailable,
    never an error of the driver.

    Nothing outlives its transaction on a connection, neither a setting nor a lock, and behind a pooler no prepared
    statement: a pooler gives every transaction another session (promise E1 holds through it, too).
    """

    def __init__(self, url: str | None = None, limits: Limits | None = None) -> None:
        self._url = url or os.environ.get("DATABASE_URL") or None
        self._limits = limits or Limits.from_environment(os.environ)
        self._begin: SQL | Composed = SQL("BEGIN")
        self.pooled = False
        """True where a pooler is between this and the server."""
        self._server: EmbeddedServer | None = None
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._opening = asyncio.Lock()
        self.conninfo = ""

    @property
    def where(self) -> str:
        """What the store is, for people: a folder, or host and database."""
        if self._url is None:
            return "the embedded Postgres"
        return describe_dsn(self._url) if _is_dsn(self._url) else f"the embedded Postgres in {self._url}"

    async def open(self) -> AsyncConnectionPool[Connection]:
        """Connect and migrate, where that has not been done yet."""
        async with self._opening:
            if self._pool is not None:
                return self._pool
            if self._url is not None and _is_dsn(self._url):
                self.conninfo = _server_conninfo(self._url)
            else:
                self._server = await EmbeddedServer.open(Path(self._url) if self._url else None)
                self.conninfo = self._server.conninfo
            async with AsyncExitStack() as undo:
                undo.push_async_callback(self._release_server)
                await self._migrate()
                self._pool = await self._open_pool()
                undo.pop_all()
            return self._pool

    async def transact(self, work: Callable[[Connection], Awaitable[Result]], *, tries: int = TRIES) -> Result:
        """Run `work` in a transaction that commits at its end and rolls back on an error.

        What passes by itself (a deadlock, a lost connection, a restart of the server) is tried again, at most
        `tries` times: so `work` must do all of its work in the database, or be fit to be done twice.
        """
        tried = 1
        with transaction_span():
            while True:
                try:
                    async with self.connection() as connection:
                        await connection.execute(self._begin)
                        return await work(connection)
                except psycopg.Error as error:
                    if tried == tries or not is_passing(error):
                        raise store_error(error, self.where) from error
                await asyncio.sleep(random.uniform(0, FIRST_PAUSE * 2 ** (tried - 1)))
                tried += 1

    async def fetch(
        self, statement: LiteralString | SQL | Composed, values: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        """The rows of one statement in a transaction of its own; none where it returns none."""

        async def run(connection: Connection) -> list[dict[str, Any]]:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

        return await self.transact(run)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool. A cancellation at the moment at which one comes free is not lost: the pool
        waits by `asyncio.wait_for`, which may lose it before Python 3.12."""
        pool = self._pool or await self.open()
        before = _cancellations()
        async with pool.connection() as connection:
            if _cancellations() > before:
                raise asyncio.CancelledError
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection that reads the store as it is now, for as long as that takes."""
        try:
            async with self.connection() as connection:
                await connection.execute(
                    SQL("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {}").format(SQL(PATIENT))
                )
                yield connection
        except psycopg.Error as error:
            raise store_error(error, self.where) from error

    async def hold(self) -> Connection:
        """A connection outside the pool, in a transaction for what lives as long as it: the caller closes it.

        The transaction is open and has seen nothing, so that it holds up no vacuum and no other writer.
        """
        await self.open()
        try:
            connection = await psycopg.AsyncConnection.connect(
                await self._address(), row_factory=dict_row, autocommit=True, prepare_threshold=None
            )
            async with AsyncExitStack() as undo:
                undo.push_async_callback(connection.close)
                await connection.execute(SQL("BEGIN; {}").format(SQL(PATIENT)))
                undo.pop_all()
            return connection
        except psycopg.Error as error:
            raise store_error(error, self.where) from None

    async def aclose(self) -> None:
        """Close the connections; the embedded server stops when this was its last user."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
        await self._release_server()

    async def _migrate(self) -> None:
        try:
            connection = await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            password = conninfo_to_dict(self.conninfo).get("password")
            reason = reason_of(error)
            if password:
                reason = reason.replace(str(password), "***")
            raise StoreUnavailable(
                f"Cannot connect to {self.where}: {reason}. Check that the server runs and that the address, "
                "user and password are right, or leave out --db and DATABASE_URL for the embedded Postgres."
            ) from None
        try:
            async with connection:
                await migrate(connection, self.where)
                await self._look(connection)
        except psycopg.Error as error:
            raise store_error(error, self.where) from error

    async def _look(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Find out whether a pooler is in between, whose process is not the one that answers, and whether the server
        limits a statement's time itself."""
        cursor = await connection.execute(
            "SELECT pg_backend_pid() = %s, current_setting('statement_timeout') = '0'", [connection.info.backend_pid]
        )
        direct, unlimited = await cursor.fetchone() or (True, True)
        self.pooled = not direct
        if unlimited and self._limits.statement:
            # In one round trip, and for the transaction alone.
            self._begin = SQL("BEGIN; SET LOCAL statement_timeout = {}").format(
                Literal(max(round(self._limits.statement * 1000), 1))
            )

    async def _open_pool(self) -> AsyncConnectionPool[Connection]:
        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._address,
            # Transactions are begun by `transact`, with their limits.
            kwargs={
                "row_factory": dict_row,
                "autocommit": True,
                "prepare_threshold": None if self.pooled else PREPARED_AFTER,
            },
            min_size=1,
            max_size=self._limits.connections,
            check=AsyncConnectionPool.check_connection,
            configure=register_types,
            timeout=self._limits.wait,
            open=False,
        )
        try:
            await pool.open(wait=True, timeout=self._limits.wait)
        except psycopg.Error as error:
            raise store_error(error, self.where) from error
        return pool

    async def _address(self) -> str:
        """Where to connect. An embedded server that was killed is started again: opening it does that."""
        if self._server is not None:
            fresh = await EmbeddedServer.open(self._server.folder)
            await fresh.close()
        return self.conninfo

    async def _release_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.close()


def _cancellations() -> int:
    """How often the task that runs has been asked to stop."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _is_dsn(url: str) -> bool:
    return bool(_DSN.match(url))


def _server_conninfo(dsn: str) -> str:
    """`dsn` checked and completed. libpq's message repeats a malformed DSN, password and all: not shown."""
    try:
        parts = parse_dsn(dsn)
    except (psycopg.ProgrammingError, UnicodeError):
        raise StoreUnavailable(
            "The database address is malformed (its text is not shown, since it may hold a password): write "
            "it as postgresql://user:password@host:5432/name, special characters percent-encoded."
        ) from None
    return make_conninfo("", **{**REACHED, "application_name": "syncline", **parts})
