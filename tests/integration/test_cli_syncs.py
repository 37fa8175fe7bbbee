"""`syncline syncs`, `sync` and `runs`: the built-in syncs and those of a user's runtime."""

import json
import os
import signal
from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.slow

APP = """
import asyncio
from dataclasses import dataclass

from pydantic import SecretStr

from engine import PostgresEngine
from syncs import Runtime, SyncContext, create_sync


@dataclass
class Order:
    customer: str
    password: SecretStr
    items: int = 1


@create_sync(description="Count what was ordered.")
async def count(ctx: SyncContext[Order]) -> dict[str, object]:
    return {"success": ctx.context.items > 0, "items": ctx.context.items}


@create_sync(id="place-order")
async def place(ctx: SyncContext[Order]) -> dict[str, object]:
    ctx.progress("counting", orders=1)
    return await ctx.sync(count, ctx.context)


@create_sync(id="for-ever")
async def wait(ctx: SyncContext[None]) -> None:
    ctx.progress("begun")
    await asyncio.Event().wait()


runtime = Runtime(engine=PostgresEngine(), syncs={"count": count, "place": place, "wait": wait})
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> str:
    """A runtime of a user's own in the current folder; its engine is DATABASE_URL's."""
    (tmp_path / "orders.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    return "orders:runtime"


@pytest.mark.promise("S4")
def test_the_built_in_syncs_are_listed_and_run(syncline, site_server, chain, database_url: str) -> None:
    site_server.routes = chain(3)
    (listed,) = syncline("syncs", "--json", "--db", database_url).json
    assert (listed["key"], listed["id"]) == ("site_crawl", "site-crawl-sync")
    assert listed["input_schema"]["required"] == ["url"]
    shown = syncline("syncs", "--db", database_url).out
    assert "site_crawl (site-crawl-sync)" in shown
    assert "takes url, [path_regex], [limit]" in shown
    asked = json.dumps({"url": f"{site_server.url}/docs/"})
    ran = syncline("sync", "site_crawl", "--input", asked, "--run-id", "mine", "--db", database_url)
    assert ran.code == 0, ran.err
    assert ran.json["report"]["pages"]["stored"] == 3
    assert ran.json["crawl_data"] == []
    assert "sync site-crawl-sync, run mine" in ran.err
    (row,) = syncline("runs", "--json", "--db", database_url).json
    assert (row["id"], row["state"], row["counters"]["stored"]) == ("mine", "succeeded", 3)


@pytest.mark.promise("S2")
def test_a_users_sync_runs_with_its_own_engine_and_its_run_is_shown(syncline, app: str, tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"customer": "Ada", "password": "hunter2", "items": 3}')
    ran = syncline("sync", "place-order", "--app", app, "--input", "@order.json", "--json", "--run-id", "r1")
    assert ran.code == 0, ran.err
    assert ran.json == {"run_id": "r1", "sync": "place-order", "output": {"success": True, "items": 3}}
    shown = syncline("runs", "r1", "--json")
    assert shown.json["input"] == {"customer": "Ada", "password": "***", "items": 3}
    (child,) = shown.json["children"]
    assert (child["sync"], child["parent"], child["output"]) == ("count", "r1", {"success": True, "items": 3})
    told = syncline("runs", "r1").out
    assert "succeeded" in told
    assert "child" in told
    assert "hunter2" not in shown.out + told
    none = '{"customer": "Ada", "password": "hunter2", "items": 0}'
    assert syncline("sync", "count", "--app", app, "--input", none).code == 1
    assert len(syncline("runs", "--limit", "2", "--json").json) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cuont", "--input", "{}"], "no sync is registered as 'cuont'; did you mean 'count'?"),
        (["count", "--input", "{"], "--input is not JSON"),
        (["count", "--input", "@nowhere.json"], "--input @nowhere.json cannot be read"),
        (["count", "--input", '{"password": "hunter2"}'], "customer: Field required"),
        (["count", "--input", "{}", "--db", "x"], "--db and --app exclude each other"),
    ],
)
def test_what_is_wrong_as_typed_is_said_and_nothing_is_run(
    in_process, app: str, words: list[str], message: str
) -> None:
    ran = in_process("sync", *words, "--app", app)
    assert ran.code == 2
    assert message in ran.error
    assert "hunter2" not in ran.err


@pytest.mark.parametrize(
    ("app", "code", "message"),
    [
        ("orders", 2, "write it as module:name"),
        ("broken:runtime", 1, "broken:runtime could not be loaded: KeyError: 'x'"),
    ],
)
def test_an_app_that_cannot_be_loaded_is_one_sentence(
    in_process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: str, code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("{}['x']")
    ran = in_process("syncs", "--app", app)
    assert ran.code == code
    assert message in ran.error


@pytest.mark.promise("S2")
def test_a_deadline_fails_the_run_and_an_interrupt_cancels_it(syncline, app: str, rows) -> None:
    late = syncline("sync", "wait", "--app", app, "--timeout", "0.05", "--run-id", "late")
    assert late.code == 1
    assert "not done within 0.05 seconds" in late.error
    process = syncline.start("sync", "wait", "--app", app, "--run-id", "stopped")
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    stopped = syncline.end(process)
    assert stopped.code == 130
    assert {row["id"]: row["state"] for row in rows("SELECT id, state FROM syncline.run")} == {
        "late": "failed",
        "stopped": "cancelled",
    }


@pytest.mark.promise("S2")
def test_a_run_that_was_killed_is_found_dead_by_its_missing_heartbeat(
    syncline, app: str, database_url: str, rows
) -> None:
    process = syncline.start("sync", "wait", "--app", app, "--run-id", "killed")
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    os.kill(process.pid, signal.SIGKILL)
    syncline.end(process)
    (alive,) = syncline("runs", "--json").json
    assert alive["state"] == "running", "its last heartbeat is fresh"
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE syncline.run SET heartbeat_at = heartbeat_at - interval '1 minute'")
    (dead,) = syncline("runs", "--json").json
    assert (dead["id"], dead["state"]) == ("killed", "died")
    syncline("sync", "count", "--app", app, "--input", '{"customer": "Ada", "password": "x"}')
    marked = {row["id"]: row for row in rows("SELECT id, state, error, ended_at FROM syncline.run")}["killed"]
    assert marked["state"] == "died"
    assert marked["ended_at"] is not None
    assert "no sign of life for 30 seconds" in marked["error"]
