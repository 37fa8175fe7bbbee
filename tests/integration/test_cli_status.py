"""`syncline status`, `doctor` and `db grant-search`: how the store is, and who may search it."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine.embedders.fake import HashEmbedder
from engine.errors import StoreUnavailable
from engine.models import PageInput, RecordInput
from engine.postgres import PostgresEngine
from syncs import Runtime
from syncs.tools import ToolError, catalogue

pytestmark = pytest.mark.slow

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
DAY = 86_400.0


def run(url: str, scenario: Callable[[PostgresEngine], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        async with PostgresEngine(url, embedder=HashEmbedder(8)) as engine:
            return await scenario(engine)

    return asyncio.run(main())


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def page(name: str, age: float = 0.0) -> PageInput:
    url = f"https://x.org/{name}"
    records: list[RecordInput] = [{"external_id": f"{url}_chunk_0", "data": {"markdown": f"a kite {name}"}}]
    return PageInput(
        url=url, records=records, markdown=f"a kite {name}", content_hash=name, fetched_at=time.time() - age
    )


async def crawl(engine: PostgresEngine) -> None:
    """A whole crawl that finds one page gone and one that nothing names."""
    ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={})
    known = [(f"https://x.org/{name}", f"https://x.org/{name}", 1) for name in "abcd"]
    await ledger.discover(known)
    await engine.swap_pages(**SITE, pages=[page("a"), page("b", 30 * DAY), page("c"), page("d")])
    await ledger.end(finished=True)
    ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r2", options={})
    await ledger.revisit(known)
    await ledger.discover(known[:1])
    for name in "abd":
        await ledger.settle(f"https://x.org/{name}", "unchanged", "304", {})
    await ledger.settle("https://x.org/c", "skipped", "404", {"gone": True})
    await ledger.mark_orphans()
    await ledger.end(finished=True)
    await engine.retire_pages(**SITE)


def test_an_empty_store_is_told_and_well(in_process, database_url: str) -> None:
    found = in_process("status", "--json", "--db", database_url)
    assert (found.json["pages"], found.json["records"], found.json["embedder"]) == (0, 0, None)
    assert "none yet" in in_process("status", "--db", database_url).out
    doctor = in_process("doctor", "--json", "--db", database_url)
    assert doctor.code == 0
    assert [(check["check"], check["ok"]) for check in doctor.json] == [
        ("database", True), ("pgvector", True), ("right to write", True), ("connections", True), ("embedder", True),
        ("OPENAI_API_KEY", True), ("tokenizer", True), ("browser", True), ("session", True),
    ]  # fmt: skip


def test_what_cannot_be_used_is_told_line_by_line(in_process, database_url: str) -> None:
    ill = in_process("doctor", "--db", database_url, SYNCLINE_EMBEDDER="openai", SYNCLINE_SESSION="/no/file")
    assert ill.code == 1
    assert "NO  embedder: " in ill.out
    assert "OPENAI_API_KEY" in ill.out
    assert "NO  settings: " in ill.out
    down = in_process("doctor", "--db", "postgresql://u:hunter2@127.0.0.1:1/x")
    assert (down.code, "NO  database: " in down.out, "ok  tokenizer: " in down.out) == (1, True, True)
    assert "hunter2" not in down.out


def test_an_embedded_store_s_disk_is_looked_at(in_process, place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncs.cli.doctor.LEAST_FREE", 1 << 80)
    ill = in_process("doctor", "--db", f"{place}/store")
    assert (ill.code, "NO  disk: " in ill.out, "free some space" in ill.out) == (1, True, True)


def test_a_store_s_sites_spaces_and_indexes_are_told(in_process, database_url: str) -> None:
    run(database_url, crawl)
    found = in_process("status", "--json", "--db", database_url).json
    (site,) = found["sites"]
    assert {name: site[name] for name in ("pages", "due", "orphans", "gone", "waiting")} == {
        "pages": 3, "due": 1, "orphans": 2, "gone": 1, "waiting": 0,
    }  # fmt: skip
    assert site["oldest"] < site["newest"]
    assert [(space["name"], space["vectors"], space["graph"]) for space in found["spaces"]] == [
        ("hash:words@8", 4, "none")
    ]
    assert all(index["valid"] for index in found["indexes"])
    assert {"record_lexemes", "record_external_id", "page_content"} < {index["name"] for index in found["indexes"]}
    assert {"record", "page", "vector_1"} < {table["name"] for table in found["tables"]}
    said = in_process("status", "--db", database_url).out
    for part in ("site       CRAWL_https://x.org/: 3 pages", "1 due, 2 orphans, 1 gone", "* hash:words@8: 4 vectors"):
        assert part in said

    execute(
        database_url,
        "DELETE FROM syncline.vector_1 WHERE hash = (SELECT embed_hash FROM syncline.record ORDER BY id LIMIT 1)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'syncline.record_embed_hash'::regclass",
    )
    doctor = in_process("doctor", "--db", database_url)
    assert doctor.code == 1
    assert "NO  vectors: 1 texts have no vector of hash:words@8: syncline retry" in doctor.out
    assert "NO  indexes: record_embed_hash is not valid: run REINDEX" in doctor.out
    assert "record_embed_hash is not valid" in in_process("status", "--db", database_url).out


def test_a_graph_that_is_there_missing_or_being_built_is_told(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.space.SCANNED_NUMBERS", 8)
    monkeypatch.setattr("engine.health.SCANNED_NUMBERS", 8)

    async def scenario(engine: PostgresEngine) -> None:
        async def graph() -> str:
            (space,) = (await engine.health())["spaces"]
            return str(space["graph"])

        await engine.swap_pages(**SITE, pages=[page(name) for name in "abc"])
        assert await graph() == "missing"
        await engine.optimize()
        assert await graph() == "ready"

    run(database_url, scenario)


# --- a role that may search ---------------------------------------------------------------------------------


@pytest.fixture
def role(database_url: str) -> Iterator[str]:
    """A role without any right of its own."""
    name = f"reader {uuid4().hex}"
    execute(database_url, f'CREATE ROLE "{name}" LOGIN')
    yield name
    execute(database_url, f'DROP OWNED BY "{name}" CASCADE', f'DROP ROLE "{name}"')


def test_a_role_that_was_granted_it_searches_and_reads_and_changes_nothing(
    in_process, database_url: str, role: str
) -> None:
    run(database_url, crawl)
    granted = in_process("db", "grant-search", role, "--json", "--db", database_url)
    assert granted.json == {"role": role, "granted": "search"}
    url = make_conninfo(database_url, user=role)

    async def read(engine: PostgresEngine) -> None:
        for mode in ("hybrid", "vector", "text"):
            assert len(await engine.search("kite", mode=mode)) == 3
        found = await engine.get_page("https://x.org/a")
        assert found is not None
        assert found["markdown"] == "a kite a"
        assert [site["pages"] for site in await engine.sites()] == [3]
        assert await engine.writable() is False
        for change in (
            engine.swap_pages(**SITE, pages=[page("e")]),
            engine.delete_entity(**SITE),
            engine.gc(),
            engine.import_lines([line async for line in engine.export_lines()], replace=True),
        ):
            with pytest.raises(StoreUnavailable, match=r"refuses \(permission denied.*connect as the role that set up"):
                await change
        with pytest.raises(StoreUnavailable, match="permission denied for table run"):
            await engine.get_runs()

    run(url, read)
    for words in (("search", "kite", "--mode", "text"), ("page", "https://x.org/a"), ("sites",), ("status",)):
        ran = in_process(*words, "--db", url)
        assert (ran.code, bool(ran.out)) == (0, True), ran.err
    refused = in_process("remove", SITE["name"], "--db", url)
    assert (refused.code, "permission denied" in refused.error) == (1, True)


def test_an_agent_s_tools_work_with_the_role_and_refuse_the_runs_in_words(database_url: str, role: str) -> None:
    async def prepare(engine: PostgresEngine) -> None:
        await crawl(engine)
        await engine.grant_search(role)

    async def read(engine: PostgresEngine) -> None:
        tools = {tool.name: tool for tool in catalogue(Runtime(engine=engine, syncs={}), read_only=True)}
        for name, asked in (
            ("search", {"query": "kite"}),
            ("page", {"url": "https://x.org/a"}),
            ("sites", {}),
            ("status", {}),
        ):
            assert await tools[name].call(asked)
        with pytest.raises(ToolError, match="permission denied for table run"):
            await tools["runs"].call({})

    run(database_url, prepare)
    run(make_conninfo(database_url, user=role), read)


def test_a_model_that_is_added_later_is_searched_by_the_role_too(database_url: str, role: str) -> None:
    other = HashEmbedder(4, model="later")

    async def switch(engine: PostgresEngine) -> None:
        await crawl(engine)
        await engine.grant_search(role)
        await engine.add_space(other)
        await engine.use_space(other)

    async def main() -> None:
        async with PostgresEngine(make_conninfo(database_url, user=role), embedder=other) as engine:
            assert len(await engine.search("kite", mode="vector")) == 3

    run(database_url, switch)
    asyncio.run(main())


def test_a_role_that_is_not_there_or_may_not_grant_is_told(in_process, database_url: str, role: str) -> None:
    for unknown in ("nobody here", "n" * 64):
        ran = in_process("db", "grant-search", unknown, "--db", database_url)
        assert (ran.code, f"has no role '{unknown}'" in ran.error) == (1, True)
    assert in_process("db", "grant-search", role, "--db", database_url).code == 0
    ran = in_process("db", "grant-search", "pg_monitor", "--db", make_conninfo(database_url, user=role))
    assert (ran.code, "connect as the role that set up the store" in ran.error) == (1, True)
    ran = in_process("db", "grant-search", "r\0le", "--db", database_url)
    assert (ran.code, bool(ran.error)) == (1, True)


def test_a_store_that_only_its_owner_may_bring_up_to_date_says_so(
    database_url: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.queries import migrations

    run(database_url, lambda engine: engine.grant_search(role))
    later = (migrations()[-1][0] + 1, "later.sql", "ALTER TABLE syncline.record ADD COLUMN later text")
    monkeypatch.setattr("engine.migrate.migrations", lambda: [*migrations(), later])
    with pytest.raises(StoreUnavailable, match=r"made by an earlier Syncline.*let the role that made it run"):
        run(make_conninfo(database_url, user=role), lambda engine: engine.sites())
