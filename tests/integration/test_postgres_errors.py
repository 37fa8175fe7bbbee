"""A database that cannot be used is one sentence with its remedy, never a password or a driver's error."""

import asyncio
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine import migrate
from engine.database import Connection, Database
from engine.embedded import server_status
from engine.embedders.fake import HashEmbedder
from engine.errors import EngineError, StoreUnavailable
from engine.limits import Limits
from engine.models import PageInput
from engine.postgres import PostgresEngine

pytestmark = pytest.mark.slow

SECRET = "hunter2"
SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}


def run(url: str, scenario: Callable[[PostgresEngine], Coroutine[Any, Any, object]]) -> None:
    async def main() -> None:
        async with PostgresEngine(url, embedder=HashEmbedder()) as engine:
            await scenario(engine)

    asyncio.run(main())


def refusal(url: str) -> str:
    """What the engine says about a database that it cannot use."""

    async def main() -> str:
        async with PostgresEngine(url) as engine:
            with pytest.raises(StoreUnavailable) as caught:
                await engine.sites()
            error: BaseException | None = caught.value
            said = ""
            while error is not None:  # what `--debug` would print too
                said += str(error)
                error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
            assert SECRET not in said
            assert SECRET not in engine.where
            return str(caught.value)

    return asyncio.run(main())


def page(url: str, text: str) -> PageInput:
    return PageInput(url, [{"external_id": f"{url}#0", "data": {"markdown": text}}], fetched_at=1.7e9)


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


# --- addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://me:{SECRET} x@localhost/db",
        f"postgresql://me:{SECRET}%zz@localhost/db",
        f"postgresql://me:{SECRET}@[::1/db",
        f"postgresql://me:a@{SECRET}@localhost/db",
        f"postgresql://me:a/{SECRET}@localhost/db",
        f"postgresql://me:a?{SECRET}@localhost/db",
        f"postgresql://me:{SECRET}@localhost:port/db",
        f"postgres:/me:{SECRET}@localhost/db",
        f"http://me:{SECRET}@localhost/db",
        f"host=localhost password={SECRET} x",
        f"host=localhost password='{SECRET}",
        f"postgresql://me:{SECRET}@localhost/db?nonsense=1",
        f"postgresql://me:{SECRET}@localhost/db?sslmode=bogus",
        f"postgresql://me:{SECRET}@localhost/db?connect_timeout=soon",
        f"postgresql://me:{SECRET}\ud800@localhost/db",
    ],
)
def test_a_malformed_address_is_refused_without_showing_it(dsn: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert "address" in refusal(dsn)
    assert list(tmp_path.iterdir()) == []  # and not taken for a folder


def test_a_database_that_is_down_is_named_with_host_and_port() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    said = refusal(f"postgresql://me:{SECRET}@127.0.0.1:{port}/docs")
    assert f"Cannot connect to docs on 127.0.0.1:{port}" in said
    assert "Connection refused" in said
    assert "Check that the server runs" in said
    said = refusal(f"postgresql://me:{SECRET}@127.0.0.1:{port},127.0.0.2:{port}/docs")
    assert "Connection refused" in said


def test_a_database_that_is_not_there_is_said(postgres_server: str) -> None:
    assert 'database "nowhere" does not exist' in refusal(make_conninfo(postgres_server, dbname="nowhere"))


@pytest.fixture
def guarded_port() -> Iterator[int]:
    """A server that asks for a password and refuses it (PostgreSQL documentation, section 54.7)."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                while struct.unpack("!ii", client.recv(8))[1] != 196608:  # SSL and GSS are declined
                    client.sendall(b"N")
                client.recv(4096)
                client.sendall(b"R" + struct.pack("!ii", 8, 3))
                client.recv(4096)
                fields = f'SFATAL\0C28P01\0Mpassword authentication failed for user "me" ({SECRET})\0\0'.encode()
                client.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_a_wrong_password_is_said_and_not_shown(guarded_port: int) -> None:
    said = refusal(f"postgresql://me:{SECRET}@127.0.0.1:{guarded_port}/docs")
    assert 'password authentication failed for user "me"' in said


# --- servers that do not fit --------------------------------------------------------------------------------


def test_a_store_made_by_a_later_version_is_left_alone(database_url: str) -> None:
    run(database_url, lambda engine: engine.sites())
    execute(database_url, "INSERT INTO syncline.migration (number, name) VALUES (9000, 'later')")
    assert "later Syncline (migration 9000): upgrade" in refusal(database_url)


def test_a_server_that_is_too_old_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "OLDEST_SERVER", 990_000)
    said = refusal(database_url)
    assert "needs 99 or later: upgrade the server" in said


def test_a_database_in_another_encoding_is_refused_before_anything_is_made(postgres_server: str) -> None:
    name = f"latin_{uuid4().hex}"
    execute(
        postgres_server,
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0",
    )
    url = make_conninfo(postgres_server, dbname=name)
    try:
        assert "of the encoding LATIN1, which cannot hold every page" in refusal(url)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT to_regnamespace('syncline')").fetchone() == (None,)
    finally:
        execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("extensions", "said"),
    [
        (
            "SELECT NULL::text AS name, NULL::text AS default_version, NULL::text AS installed_version",
            "no pgvector",
        ),
        (
            "SELECT 'vector', '0.7.4', NULL::text",
            "has pgvector 0.7.4, and Syncline needs 0.8 or later: install",
        ),
        (
            "SELECT 'vector', '0.8.1', '0.5.1'",
            "pgvector 0.5.1, and Syncline needs 0.8 or later: run ALTER EXTENSION",
        ),
    ],
)
def test_a_server_without_pgvector_or_with_an_old_one_is_refused(database_url: str, extensions: str, said: str) -> None:
    columns = "(name, default_version, installed_version)"
    execute(
        database_url,
        "CREATE SCHEMA fake",
        f"CREATE VIEW fake.pg_available_extensions {columns} AS {extensions}",
    )
    assert said in refusal(make_conninfo(database_url, options="-c search_path=fake,pg_catalog"))
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regnamespace('syncline')").fetchone() == (None,)


# --- rights -------------------------------------------------------------------------------------------------


@pytest.fixture
def guest(database_url: str) -> Iterator[str]:
    """A role without any right of its own."""
    name = f"guest_{uuid4().hex}"
    execute(database_url, f"CREATE ROLE {name} LOGIN")
    yield name
    execute(database_url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def test_a_user_without_rights_is_told_which_to_ask_for(database_url: str, guest: str) -> None:
    url = make_conninfo(database_url, user=guest)
    assert f"{guest} may not create the extension pgvector" in refusal(url)
    execute(database_url, "CREATE EXTENSION vector")
    assert "GRANT CREATE ON DATABASE" in refusal(url)
    run(database_url, lambda engine: engine.swap_pages(**SITE, pages=[page("https://x.org/", "a kite")]))
    assert "rights on the schema syncline" in refusal(url)
    execute(
        database_url,
        f"GRANT USAGE ON SCHEMA syncline TO {guest}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA syncline TO {guest}",
    )

    async def reader(engine: PostgresEngine) -> None:
        assert [hit.markdown for hit in await engine.search("kite")] == ["a kite"]
        assert await engine.writable() is False
        with pytest.raises(StoreUnavailable, match=r"permission denied.*connect as the role that set up"):
            await engine.sync_records(**SITE, records=[{"external_id": "a", "data": {}}])

    run(url, reader)


def test_a_read_only_database_is_searched_and_says_so_when_written_to(database_url: str) -> None:
    run(database_url, lambda engine: engine.swap_pages(**SITE, pages=[page("https://x.org/", "a kite")]))

    async def reader(engine: PostgresEngine) -> None:
        assert len(await engine.search("kite")) == 1
        assert await engine.writable() is False
        with pytest.raises(StoreUnavailable, match=r"read-only.*connect to the primary"):
            await engine.delete_entity(**SITE)

    run(make_conninfo(database_url, options="-c default_transaction_read_only=on"), reader)


# --- what happens on the way --------------------------------------------------------------------------------


def with_database(
    url: str, scenario: Callable[[Database], Coroutine[Any, Any, None]], limits: Limits | None = None
) -> None:
    async def main() -> None:
        database = Database(url, limits)
        try:
            await scenario(database)
        finally:
            await database.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (psycopg.errors.DiskFull, "is full: free some space"),
        (psycopg.errors.LockNotAvailable, "lock_timeout"),
        (psycopg.errors.UndefinedTable, "see the server's log"),
        (psycopg.errors.NumericValueOutOfRange, "see the server's log"),
        (psycopg.InterfaceError, "see the server's log"),
    ],
)
def test_a_failed_statement_is_not_tried_again_and_says_what_to_do(
    database_url: str, error: type[psycopg.Error], said: str
) -> None:
    tries = []

    async def work(connection: Connection) -> None:
        tries.append(1)
        raise error("the reason")

    async def scenario(database: Database) -> None:
        with pytest.raises(StoreUnavailable, match=rf"the reason.*{said}|{said}"):
            await database.transact(work)

    with_database(database_url, scenario)
    assert len(tries) == 1


def test_a_statement_that_takes_too_long_says_which_setting_stopped_it(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        with pytest.raises(StoreUnavailable, match=r"statement timeout.*raise its statement_timeout"):
            await database.fetch("SELECT pg_sleep(60)")

    with_database(make_conninfo(database_url, options="-c statement_timeout=200"), scenario)


def test_a_statement_over_the_engine_s_own_limit_names_the_setting(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        with pytest.raises(StoreUnavailable, match=r"statement timeout.*SYNCLINE_STATEMENT_TIMEOUT"):
            await database.fetch("SELECT pg_sleep(60)")

    with_database(database_url, scenario, Limits(statement=0.2))


def test_a_call_that_gets_no_connection_names_the_settings(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        asked = asyncio.Event()

        async def hold(connection: Connection) -> None:
            asked.set()
            with pytest.raises(StoreUnavailable, match=r"came free in time: raise SYNCLINE_POOL_SIZE or SYNCLINE_POOL"):
                await database.fetch("SELECT 1")

        await database.transact(hold)
        assert asked.is_set()
        assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]

    with_database(database_url, scenario, Limits(connections=1, wait=0.1))


def test_a_call_that_is_cancelled_when_it_is_given_a_connection_is_cancelled(database_url: str) -> None:
    async def cancelled_after(database: Database, steps: int) -> bool:
        """A call that waits for the one connection is cancelled so many steps of the loop after that is free."""
        held, free = asyncio.Event(), asyncio.Event()

        async def hold(connection: Connection) -> None:
            held.set()
            await free.wait()

        holder = asyncio.create_task(database.transact(hold))
        await held.wait()
        waiter = asyncio.create_task(database.fetch("SELECT 1"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert (await database.open()).get_stats()["requests_waiting"] == 1
        free.set()
        await holder
        for _ in range(steps):
            await asyncio.sleep(0)
        asked = waiter.cancel()
        await asyncio.wait({waiter})
        return waiter.cancelled() or not asked

    async def scenario(database: Database) -> None:
        assert [steps for steps in range(20) if not await cancelled_after(database, steps)] == []

    with_database(database_url, scenario, Limits(connections=1))


def test_the_open_transaction_of_a_crawl_s_lock_holds_up_no_vacuum_and_has_no_time_limit(database_url: str) -> None:
    held = (
        "SELECT backend_xid, backend_xmin, state FROM pg_stat_activity WHERE pid = ("
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    url = make_conninfo(database_url, options="-c idle_in_transaction_session_timeout=200")

    async def scenario(engine: PostgresEngine) -> None:
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r1", options={})
        with psycopg.connect(database_url) as connection:
            assert connection.execute(held).fetchall() == [(None, None, "idle in transaction")]
            connection.execute("SELECT pg_sleep(0.5)")
            assert len(connection.execute(held).fetchall()) == 1
        await ledger.end(finished=True)

    run(url, scenario)


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected, psycopg.errors.AdminShutdown])
def test_what_passes_is_tried_five_times_and_then_said(
    database_url: str, error: type[psycopg.Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.database.FIRST_PAUSE", 0.001)
    tries: list[int] = []

    async def work(connection: Connection) -> str:
        tries.append(1)
        if len(tries) < 5 or len(tries) > 6:
            raise error("the reason")
        return "done"

    async def scenario(database: Database) -> None:
        assert await database.transact(work) == "done"
        assert len(tries) == 5
        tries.extend([1, 1])
        with pytest.raises(StoreUnavailable, match="the reason"):
            await database.transact(work)
        assert len(tries) == 7 + 5

    with_database(database_url, scenario)


def test_two_transactions_that_wait_for_each_other_both_succeed(database_url: str) -> None:
    async def scenario(database: Database) -> None:
        for name in "ab":
            await database.fetch(
                "INSERT INTO syncline.entity (key, connection_id, name) VALUES (%(name)s::text::bytea, 'c', %(name)s)",
                {"name": name},
            )
        locked = {"a": asyncio.Event(), "b": asyncio.Event()}

        async def both(first: str, second: str) -> None:
            async def work(connection: Connection) -> None:
                change = "UPDATE syncline.entity SET crawl = crawl + 1 WHERE name = %s"
                await connection.execute(change, [first])
                locked[first].set()
                await locked[second].wait()
                await connection.execute(change, [second])

            await database.transact(work)

        await asyncio.gather(both("a", "b"), both("b", "a"))
        assert await database.fetch("SELECT crawl FROM syncline.entity") == [{"crawl": 2}] * 2

    with_database(database_url, scenario)


def test_connections_that_are_cut_do_not_stop_a_writer(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        cuts = 0
        with psycopg.connect(database_url, autocommit=True) as other:
            for number in range(60):
                write = asyncio.create_task(
                    engine.swap_pages(**SITE, pages=[page(f"https://x.org/{number}", f"text {number}")])
                )
                while number % 4 == 1 and not write.done() and cuts < number / 4:
                    await asyncio.sleep(0)
                    cut = other.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'syncline' "
                        "AND datname = current_database()"
                    ).fetchall()
                    cuts += bool(cut)
                await write
        assert cuts >= 10
        assert [site["pages"] for site in await engine.sites()] == [60]
        assert len(await engine.get_records(**SITE)) == 60

    run(database_url, scenario)


def test_more_calls_than_connections_wait_for_their_turn(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page("https://x.org/", "a kite")])
        hits = await asyncio.gather(*(engine.search("kite", entity=SITE["name"]) for _ in range(50)))
        assert [len(each) for each in hits] == [1] * 50

    run(database_url, scenario)


def test_a_crawl_goes_on_after_its_connection_was_cut_and_ends(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r1", options={})
        await ledger.discover([("https://x.org/", "https://x.org/", 0)])
        execute(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert len(await ledger.take(1)) == 1
        await ledger.end(finished=True)
        again = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={})
        assert again.resumed is False
        await again.end(finished=False)

    run(database_url, scenario)


def test_a_crawl_of_an_entity_is_refused_to_another_process_until_the_first_is_gone(
    database_url: str,
) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        first = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r1", options={})
        other = PostgresEngine(database_url)
        with pytest.raises(EngineError, match="being crawled by another process"):
            await other.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={})
        execute(
            database_url,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        ledger = await other.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={})
        assert ledger.resumed is True
        await ledger.end(finished=True)
        await first.end(finished=False)
        await other.aclose()

    run(database_url, scenario)


def test_a_crawl_waits_a_moment_for_the_lock_of_one_that_is_just_ending(database_url: str) -> None:
    locks = "SELECT granted FROM pg_locks WHERE locktype = 'advisory' ORDER BY granted"

    async def scenario(engine: PostgresEngine) -> None:
        first = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r1", options={})
        next_one = asyncio.create_task(engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={}))
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as looking:
            while await (await looking.execute(locks)).fetchall() != [(False,), (True,)]:
                assert not next_one.done()
            await first.end(finished=True)
            ledger = await next_one
            assert ledger.resumed is False
            await ledger.end(finished=True)
            assert await (await looking.execute(locks)).fetchall() == []

    run(database_url, scenario)


def test_an_embedded_server_that_was_killed_is_started_again(open_folder: Path) -> None:
    folder = open_folder / f"killed-{uuid4().hex[:8]}"

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page("https://x.org/", "a kite")])
        for _ in range(2):
            process = (await server_status(folder)).process
            assert process is not None
            os.kill(process, signal.SIGKILL)
            assert [hit.markdown for hit in await engine.search("kite")] == ["a kite"]
        await engine.swap_pages(**SITE, pages=[page("https://x.org/", "a glider")])
        assert [hit.markdown for hit in await engine.search("glider")] == ["a glider"]

    run(os.fspath(folder), scenario)
    assert not asyncio.run(server_status(folder)).running
