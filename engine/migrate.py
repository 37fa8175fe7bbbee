"""Making a database the store: its version, pgvector, and the numbered migrations, one process at a time."""

from typing import Any

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
    """Bring the database of an autocommit connection up to date.

    Raises StoreUnavailable where the server or pgvector is too old, pgvector or a right is missing, or a
    later Syncline made the store. The lock is let go of with the connection.
    """
    _check_server(connection, where)
    try:
        await connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        await _ensure_extension(connection, where)
        await _apply(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        user, database = connection.info.user, connection.info.dbname
        raise StoreUnavailable(
            f"The user {user} may not set up or use the store in {where} ({reason_of(error)}): let an owner "
            f'GRANT CREATE ON DATABASE "{database}" TO "{user}" for a new store, or the rights on the schema '
            "syncline for one that is there."
        ) from None


def _check_server(connection: _Plain, where: str) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        raise StoreUnavailable(
            f"{where} runs PostgreSQL {connection.info.server_version // 10_000}, and Syncline needs "
            f"{OLDEST_SERVER // 10_000} or later: upgrade the server, or use the embedded Postgres."
        )


async def _ensure_extension(connection: _Plain, where: str) -> None:
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
    if installed is None:
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.errors.InsufficientPrivilege:
            raise StoreUnavailable(
                f"The user {connection.info.user} may not create the extension pgvector in {where}: let a "
                "superuser run CREATE EXTENSION vector in that database once."
            ) from None


async def _apply(connection: _Plain) -> None:
    exists = await connection.execute("SELECT to_regclass('syncline.migration') IS NOT NULL")
    (present,) = await exists.fetchone() or (False,)
    if not present:
        async with connection.transaction():
            await connection.execute("CREATE SCHEMA IF NOT EXISTS syncline")
            await connection.execute(
                "CREATE TABLE syncline.migration (number integer PRIMARY KEY, name text NOT NULL, "
                "applied_at timestamptz NOT NULL DEFAULT now())"
            )
    cursor = await connection.execute("SELECT number FROM syncline.migration")
    applied = {number for (number,) in await cursor.fetchall()}
    known = migrations()
    if applied - {number for number, _, _ in known}:
        raise StoreUnavailable(
            f"The store was made by a later Syncline (migration {max(applied)}): upgrade Syncline to use it."
        )
    for number, name, statements in known:
        if number in applied:
            continue
        async with connection.transaction():
            await connection.execute(sql.SQL(statements))
            await connection.execute("INSERT INTO syncline.migration (number, name) VALUES (%s, %s)", [number, name])
