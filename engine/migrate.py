"""Making a database the store: its version, pgvector, and the numbered migrations, one process at a time."""

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from engine.errors import StoreUnavailable
from engine.failures import reason_of
from engine.queries import migrations

__all__ = ["migrate"]

OLDEST_SERVER = 140_000
OLDEST_VECTOR = (0, 8)
MIGRATION_LOCK = 0x53_59_4E_43  # "SYNC": one migrating process at a time in a database

_Plain = psycopg.AsyncConnection[Any]


async def migrate(connection: _Plain, where: str) -> None:
    """Bring the database of an autocommit connection up to date; a store that is up to date is only read.

    Raises StoreUnavailable where the server or pgvector is too old, pgvector or a right is missing, or a
    later Syncline made the store. Everything is one transaction, which holds the lock: so it is safe behind a pooler,
    and what fails leaves the store as it was.
    """
    _check_server(connection, where)
    made = False
    try:
        installed = await _check_extension(connection, where)
        applied = await _applied(connection)
        made = bool(applied)
        if installed and not _pending(applied):
            return
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
            if not installed:
                await _create_extension(connection, where)
            await _apply(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _without_rights(connection, where, error, made) from None


def _without_rights(connection: _Plain, where: str, error: psycopg.Error, made: bool) -> StoreUnavailable:
    user, database = connection.info.user, connection.info.dbname
    if made:
        return StoreUnavailable(
            f"The store in {where} was made by an earlier Syncline, and the user {user} may not bring it up to date "
            f"({reason_of(error)}): let the role that made it run `syncline status` once with this version."
        )
    return StoreUnavailable(
        f"The user {user} may not set up or use the store in {where} ({reason_of(error)}): let an owner "
        f'GRANT CREATE ON DATABASE "{database}" TO "{user}" for a new store, or the rights on the schema '
        f"syncline for one that is there (`syncline db grant-search {user}`)."
    )


def _check_server(connection: _Plain, where: str) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        raise StoreUnavailable(
            f"{where} runs PostgreSQL {connection.info.server_version // 10_000}, and Syncline needs "
            f"{OLDEST_SERVER // 10_000} or later: upgrade the server, or use the embedded Postgres."
        )
    encoding = connection.info.parameter_status("server_encoding") or "UTF8"
    if encoding != "UTF8":
        raise StoreUnavailable(
            f"{where} is a database of the encoding {encoding}, which cannot hold every page: create one with "
            "ENCODING 'UTF8' TEMPLATE template0, or use the embedded Postgres."
        )


async def _check_extension(connection: _Plain, where: str) -> bool:
    """Whether pgvector is set up in the database; StoreUnavailable where it cannot be, or is too old."""
    cursor = await connection.execute(
        "SELECT default_version, installed_version FROM pg_available_extensions WHERE name = 'vector'"
    )
    row = await cursor.fetchone()
    if row is None:
        raise StoreUnavailable(
            f"{where} has no pgvector: install it on the server (Debian: postgresql-NN-pgvector; "
            "https://github.com/pgvector/pgvector), or use the embedded Postgres."
        )
    available, installed = row
    version = str(installed or available)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VECTOR:
        remedy = "run ALTER EXTENSION vector UPDATE" if installed and installed != available else "install a newer one"
        raise StoreUnavailable(f"{where} has pgvector {version}, and Syncline needs 0.8 or later: {remedy}.")
    return installed is not None


async def _create_extension(connection: _Plain, where: str) -> None:
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.errors.InsufficientPrivilege:
        raise StoreUnavailable(
            f"The user {connection.info.user} may not create the extension pgvector in {where}: let a "
            "superuser run CREATE EXTENSION vector in that database once."
        ) from None


async def _applied(connection: _Plain) -> set[int]:
    """The migrations that the database has; none where it is not a store yet."""
    exists = await connection.execute("SELECT to_regclass('syncline.migration') IS NOT NULL")
    (present,) = await exists.fetchone() or (False,)
    if not present:
        return set()
    cursor = await connection.execute("SELECT number FROM syncline.migration")
    return {number for (number,) in await cursor.fetchall()}


def _pending(applied: set[int]) -> list[tuple[int, str, LiteralString]]:
    """The migrations that the database lacks; StoreUnavailable where it has some that are not known here."""
    known = migrations()
    if applied - {number for number, _, _ in known}:
        raise StoreUnavailable(
            f"The store was made by a later Syncline (migration {max(applied)}): upgrade Syncline to use it."
        )
    return [migration for migration in known if migration[0] not in applied]


async def _apply(connection: _Plain) -> None:
    applied = await _applied(connection)
    if not applied:
        await connection.execute("CREATE SCHEMA IF NOT EXISTS syncline")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS syncline.migration (number integer PRIMARY KEY, name text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
    for number, name, statements in _pending(applied):
        await connection.execute(sql.SQL(statements))
        await connection.execute("INSERT INTO syncline.migration (number, name) VALUES (%s, %s)", [number, name])
