"""The store behind PgBouncer in transaction mode, where every transaction may be in another session."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.embedders.fake import HashEmbedder
from engine.errors import EngineError
from engine.models import PageInput, RecordInput
from engine.postgres import PostgresEngine
from engine.queries import migrations

pytestmark = [pytest.mark.slow, pytest.mark.needs("pgbouncer")]

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
SESSIONS = 3  # fewer than an engine's connections, so that they have to be shared

PORT = 6432  # no port of the machine: a part of the name of the socket

SETTINGS = """
[databases]
* = host={host} port={server} user={user}
[pgbouncer]
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
logfile =
pidfile =
"""


@pytest.fixture
def pooled_url(database_url: str, place: Path, system_part: Callable[[str], Path]) -> Iterator[str]:
    """The address of the test's database through a PgBouncer of its own."""
    server = conninfo_to_dict(database_url)
    sockets = Path(str(server["host"]))
    settings = place / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(
            host=sockets, server=server["port"], user=server["user"], sessions=SESSIONS, folder=place, port=PORT
        )
    )
    # It refuses to run as root, and the server's socket is open to the server's account.
    account = sockets.stat().st_uid if os.geteuid() == 0 else None
    if account is not None:
        os.chown(place, account, -1)
    pooler = subprocess.Popen(
        [os.fspath(system_part("pgbouncer")), "-q", os.fspath(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=account,
    )
    url = make_conninfo("", host=os.fspath(place), port=PORT, user="anybody", dbname=str(server["dbname"]))
    try:
        until_connected(url, pooler)
        yield url
    finally:
        pooler.terminate()
        pooler.wait(60)


def until_connected(url: str, pooler: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while not answers(url):
        assert pooler.poll() is None, "pgbouncer has ended"
        assert time.monotonic() < end, "pgbouncer does not answer within a minute"
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def page(url: str, *texts: str) -> PageInput:
    chunks: list[RecordInput] = [
        {"external_id": f"{url}_chunk_{number}", "data": {"markdown": text}, "position": number}
        for number, text in enumerate(texts)
    ]
    return PageInput(url=url, records=chunks, content_hash="|".join(texts), fetched_at=1.7e9)


def advisory_locks(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    assert found is not None
    return int(found[0])


def sessions(url: str) -> list[tuple[Any, ...]]:
    """Settings and locks that were left in the pooler's sessions, each looked at in a transaction."""
    connections = [psycopg.connect(url, prepare_threshold=None) for _ in range(SESSIONS)]
    # All of the transactions are open at once, so each is in another session.
    found = [connection.execute(LEFT).fetchone() or () for connection in connections]
    for connection in connections:
        connection.close()
    return found


LEFT = """
SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('work_mem'),
       current_setting('maintenance_work_mem'), current_setting('idle_in_transaction_session_timeout'),
       current_setting('plan_cache_mode'), current_setting('transaction_read_only'),
       (SELECT count(*) FROM pg_prepared_statements)
"""

OPEN_STORE = """
import asyncio, sys
from engine import PostgresEngine

async def main():
    async with PostgresEngine(sys.argv[1]) as engine:
        print((await engine.status())["records"])

asyncio.run(main())
"""


def test_eight_processes_may_open_a_new_store_at_once_and_leave_no_lock(pooled_url: str, database_url: str) -> None:
    command = [sys.executable, "-c", OPEN_STORE, pooled_url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["0"] * 8
    assert advisory_locks(database_url) == 0
    with psycopg.connect(database_url) as connection:
        applied = connection.execute("SELECT number FROM syncline.migration ORDER BY number").fetchall()
    assert applied == [(number,) for number, _, _ in migrations()]


def test_writers_readers_and_runs_share_a_few_sessions_and_leave_nothing_in_them(
    pooled_url: str, database_url: str
) -> None:
    async def main() -> None:
        async with PostgresEngine(pooled_url, embedder=HashEmbedder()) as engine:

            async def work(number: int) -> None:
                url = f"https://x.org/{number}"
                await engine.start_run(f"r{number}", sync="s", input={})
                for text in ("a kite", "a glider", "a kite again"):
                    await engine.swap_pages(**SITE, pages=[page(url, f"{text} {number}", "both")])
                    await engine.beat_run(f"r{number}", {"n": number})
                    assert await engine.search(f"{number}", entity=SITE["name"], filter={"markdown": {"ne": ""}})
                await engine.end_run(f"r{number}", state="succeeded")

            # More than five times each, after which psycopg would prepare a statement.
            await asyncio.gather(*map(work, range(12)))
            await engine.optimize()
            await engine.gc()
            assert len(await engine.get_records(**SITE)) == 24

    fresh = sessions(pooled_url)
    asyncio.run(main())
    assert sessions(pooled_url) == fresh
    assert advisory_locks(database_url) == 0


def test_a_crawl_s_lock_holds_through_the_pooler_and_is_let_go_of(pooled_url: str, database_url: str) -> None:
    async def main() -> None:
        async with (
            PostgresEngine(pooled_url, embedder=HashEmbedder()) as one,
            PostgresEngine(pooled_url, embedder=HashEmbedder()) as other,
        ):
            ledger = await one.open_ledger(**SITE, start_url="https://x.org/", run_id="r1", options={})
            await ledger.discover([("https://x.org/", "https://x.org/", 0)])
            with pytest.raises(EngineError, match="being crawled by another process"):
                await other.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={})
            await one.swap_pages(**SITE, pages=[page("https://x.org/", "text")])
            with pytest.raises(EngineError, match="being crawled by another process"):
                await other.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={})
            await ledger.end(finished=True)
            again = await other.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={})
            assert again.resumed is False
            await again.end(finished=True)

    asyncio.run(main())
    assert advisory_locks(database_url) == 0


def test_a_site_is_planned_crawled_and_searched_through_the_pooler(
    syncline, site_server, chain, pooled_url: str, database_url: str
) -> None:
    site_server.routes = chain(40)
    crawl = ("crawl", f"{site_server.url}/docs/", "--name", "a", "--json", "--db", pooled_url)
    planned = syncline(*crawl, "--plan")
    assert planned.json["pages"]["stored"] == 40
    done = syncline(*crawl)
    assert (done.code, done.json["status"], done.json["chunks"]) == (0, "complete", planned.json["chunks"])
    (best, *_) = syncline("search", "word7", "--json", "--db", pooled_url).json
    assert best["url"] == f"{site_server.url}/docs/p7"
    assert syncline("search", "word7", "--json", "--db", database_url).json[0] == best
    again = syncline(*crawl)
    assert (again.json["pages"]["unchanged"], again.json["embeddings"]["computed"]) == (40, 0)


def test_a_crawl_that_is_killed_leaves_no_lock_behind_the_pooler(
    syncline, site_server, chain, pooled_url: str, database_url: str
) -> None:
    site_server.routes = chain(4)
    crawl = ("crawl", f"{site_server.url}/docs/", "--name", "a", "--json", "--db", pooled_url)
    running: list[Any] = []

    def kill(request: object) -> Any:
        if running:
            os.kill(running.pop().pid, signal.SIGKILL)
        return chain(4)["/docs/p3"]

    site_server.routes["/docs/p3"] = kill
    running.append(syncline.start(*crawl))
    assert syncline.end(running[0]).code == -signal.SIGKILL
    done = syncline(*crawl)
    assert (done.code, done.json["status"]) == (0, "complete")
    assert advisory_locks(database_url) == 0
