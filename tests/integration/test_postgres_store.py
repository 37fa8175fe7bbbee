"""What goes into real Postgres comes out of it, whole, in order, and embedded once."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import psycopg
import pytest

from engine.bm25 import record_weights
from engine.embedders.fake import HashEmbedder
from engine.errors import StoreUnavailable
from engine.models import PageInput, RecordInput
from engine.postgres import PostgresEngine
from engine.queries import migrations

pytestmark = pytest.mark.slow

Scenario = Callable[[PostgresEngine], Coroutine[Any, Any, object]]
SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
URL = "https://x.org/a"


def run(url: str, scenario: Scenario, embedder: Any = None) -> None:
    async def main() -> None:
        async with PostgresEngine(url, embedder=embedder or HashEmbedder()) as engine:
            await scenario(engine)

    asyncio.run(main())


def page(url: str, *texts: str, **facts: Any) -> PageInput:
    chunks: list[RecordInput] = [
        {
            "external_id": f"{url}_chunk_{number}",
            "data": {"markdown": text},
            "embed_text": f"Crumb\n{text}",
            "position": number,
            "span": (number * 10, number * 10 + 5),
        }
        for number, text in enumerate(texts)
    ]
    return PageInput(url=url, records=chunks, content_hash="|".join(texts), fetched_at=1.7e9, **facts)


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


# --- migrations ---------------------------------------------------------------------------------------------


OPEN_STORE = """
import asyncio, sys
from engine import PostgresEngine

async def main():
    async with PostgresEngine(sys.argv[1]) as engine:
        print((await engine.status())["records"])

asyncio.run(main())
"""


def test_eight_processes_may_open_a_new_store_at_once(database_url: str) -> None:
    command = [sys.executable, "-c", OPEN_STORE, database_url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["0"] * 8
    assert rows(database_url, "SELECT number FROM syncline.migration ORDER BY number") == [
        (number,) for number, _, _ in migrations()
    ]


def test_eight_tasks_may_open_one_engine_at_once(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        found = await asyncio.gather(*(engine.sites() for _ in range(8)))
        assert found == [[]] * 8

    run(database_url, scenario)


def test_an_older_store_is_brought_up_to_date_with_what_it_holds(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record: RecordInput = {"external_id": "a", "data": {"n": 1}}
    run(database_url, lambda engine: engine.sync_records(**SITE, records=[record]))
    number = migrations()[-1][0] + 1
    added = [
        (number, "later.sql", "ALTER TABLE syncline.record ADD COLUMN later text; SELECT 1;"),
        (number + 1, "last.sql", "UPDATE syncline.record SET later = 'set'"),
    ]
    monkeypatch.setattr("engine.migrate.migrations", lambda: [*migrations(), *added])
    for _ in range(2):
        run(database_url, lambda engine: engine.sites())
        assert rows(database_url, "SELECT external_id, later FROM syncline.record") == [("a", "set")]


def test_a_migration_that_fails_leaves_the_store_as_it_was(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(database_url, lambda engine: engine.sites())
    number = migrations()[-1][0] + 1
    broken = (number, "broken.sql", "ALTER TABLE syncline.record ADD COLUMN later text; SELECT 1 / 0;")
    with monkeypatch.context() as patch:
        patch.setattr("engine.migrate.migrations", lambda: [*migrations(), broken])
        with pytest.raises(StoreUnavailable, match="division by zero"):
            run(database_url, lambda engine: engine.sites())
    run(database_url, lambda engine: engine.sites())
    assert (number,) not in rows(database_url, "SELECT number FROM syncline.migration")


# --- alignment ----------------------------------------------------------------------------------------------


def test_a_chunk_that_only_moved_keeps_its_row_its_words_and_its_vector(database_url: str) -> None:
    parts = "SELECT id, external_id, lexemes::text, bm25::text FROM syncline.record ORDER BY position"
    vectors = "SELECT hash, xmin::text FROM syncline.vector_1"

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(URL, "alpha", "beta", "gamma")])
        before, bought = rows(database_url, parts), rows(database_url, vectors)
        report = await engine.swap_pages(**SITE, pages=[page(URL, "new", "alpha", "beta", "gamma")])
        assert (report.added, report.moved, report.computed, report.reused) == (1, 3, 1, 3)
        after = rows(database_url, parts)
        assert [each[0] for each in after[1:]] == [each[0] for each in before]
        assert [each[1] for each in after] == [f"{URL}_chunk_{number}" for number in range(4)]
        assert [each[2:] for each in after[1:]] == [each[2:] for each in before]
        assert set(bought) < set(rows(database_url, vectors))

    run(database_url, scenario)


def test_words_of_any_signs_reach_the_text_index_as_they_are(database_url: str) -> None:
    text = "it's --no-verify a\\b C++ <!-- 'quoted' :* naïve 日本語 😀x"

    async def scenario(engine: PostgresEngine) -> None:
        for words in (text, f"{text} again"):  # once by COPY, once by an update
            await engine.swap_pages(**SITE, pages=[page(URL, words)])
            held = rows(database_url, "SELECT tsvector_to_array(lexemes), bm25::text FROM syncline.record")
            expected = record_weights(f"Crumb\n{words}", ())
            assert [(sorted(lexemes), weights.count(":")) for lexemes, weights in held] == [
                (sorted(expected), len(expected))
            ]

    run(database_url, scenario)


def test_a_page_that_did_not_change_writes_no_record(database_url: str) -> None:
    state = "SELECT id, xmin::text FROM syncline.record ORDER BY id"

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(URL, "alpha", "beta")])
        before = rows(database_url, state)
        await engine.swap_pages(**SITE, pages=[page(URL, "alpha", "beta", etag='"2"')])
        assert rows(database_url, state) == before

    run(database_url, scenario)


# --- embeddings ---------------------------------------------------------------------------------------------


@pytest.mark.promise("E2")
def test_what_was_embedded_once_is_not_embedded_again_by_another_process(database_url: str) -> None:
    first, second = HashEmbedder(), HashEmbedder()

    async def write(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(URL, "alpha", "beta")])
        assert await engine.delete_entity(**SITE)

    async def write_again(engine: PostgresEngine) -> None:
        moved = page("https://y.org/", "beta", "alpha", metadata={"title": "other"})
        report = await engine.swap_pages(connection_id="SYSTEM", name="other", pages=[moved])
        assert (report.computed, report.reused, report.tokens) == (0, 2, 0)

    run(database_url, write, first)
    run(database_url, write_again, second)
    assert (first.texts, second.texts) == (2, 0)


def test_two_writers_of_the_same_texts_do_not_block_each_other_for_good(database_url: str) -> None:
    words = [f"text {number}" for number in range(300)]

    async def scenario(engine: PostgresEngine) -> None:
        other = PostgresEngine(database_url, embedder=HashEmbedder())
        await asyncio.gather(
            *(
                each.swap_pages(connection_id="c", name=name, pages=[page(f"https://{name}/", *order)])
                for each, name, order in ((engine, "up", words), (other, "down", words[::-1]))
            )
        )
        await other.aclose()

    run(database_url, scenario)
    assert rows(database_url, "SELECT count(*) FROM syncline.vector_1") == [(300,)]
    assert rows(database_url, "SELECT count(*) FROM syncline.record") == [(600,)]


def test_a_space_of_more_dimensions_than_a_vector_index_takes_holds_half_precision(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(URL, "alpha", "beta")])
        (best, _) = await engine.search("alpha", mode="vector")
        assert best.markdown == "alpha"

    run(database_url, scenario, HashEmbedder(3_000))
    assert rows(database_url, "SELECT type FROM syncline.embedding_space") == [("halfvec",)]


# --- the ledger ---------------------------------------------------------------------------------------------


@pytest.mark.promise("E3")
def test_pages_are_kept_in_the_order_of_discovery(database_url: str) -> None:
    found = [(f"https://x.org/{(number * 7919) % 5_000}", "", number % 3) for number in range(5_000)]

    async def scenario(engine: PostgresEngine) -> None:
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={})
        await ledger.discover(found[:1_000] + found[:500])
        await ledger.discover(found[500:])
        known = [each async for batch in ledger.known() for each in batch]
        assert [url for url, _, _ in known] == [url for url, _, _ in found]
        taken: list[str] = []
        while batch := await ledger.take(999):
            taken += [each.url for each in batch]
        assert taken == [url for url, _, _ in found]
        await ledger.end(finished=True)

    run(database_url, scenario)


def test_discovering_what_is_known_writes_nothing(database_url: str) -> None:
    found = [(f"https://x.org/{number}", "", 1) for number in range(10)]
    state = "SELECT url, depth, xmin::text, xmax::text FROM syncline.page ORDER BY seq"

    async def scenario(engine: PostgresEngine) -> None:
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={})
        await ledger.discover(found)
        before = rows(database_url, state)
        await ledger.discover([(url, address, 2) for url, address, _ in found])
        assert rows(database_url, state) == before
        await ledger.discover([(found[3][0], "", 0)])
        assert [depth for _, depth, _, _ in rows(database_url, state)] == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
        await ledger.end(finished=True)

    run(database_url, scenario)


# --- the ledger -----------------------------------------------------------------------------------------------


@pytest.mark.promise("C9", "C10")
def test_unchanged_pages_are_settled_many_to_a_transaction_and_one_that_is_back_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.crawls.UNCHANGED", 3)
    monkeypatch.setattr("engine.crawls.UNCHANGED_SECONDS", float("inf"))
    urls = [f"https://x.org/{name}" for name in "abcdefg"]

    def settled() -> str:
        statement = "SELECT url FROM syncline.page WHERE reason = 'as before' ORDER BY url"
        return "".join(url[-1] for (url,) in rows(database_url, statement))

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(url, url) for url in urls])
        ledger = await engine.open_ledger(**SITE, start_url=URL, run_id="r1", options={})
        await ledger.settle(urls[4], "skipped", "gone", {"gone": True})
        await ledger.end(finished=True)
        ledger = await engine.open_ledger(**SITE, start_url=URL, run_id="r2", options={})
        await ledger.revisit([(url, url, 1) for url in urls])
        assert len(await ledger.take(10)) == len(urls)
        seen = []
        for url in urls:
            await ledger.settle(url, "unchanged", "as before", {"etag": '"2"'})
            seen.append(settled())
        assert seen == ["", "", "abc", "abc", "abcde", "abcde", "abcde"]
        assert (await engine.retire_pages(**SITE)).pages == 0
        assert await ledger.waiting() == 0
        assert settled() == "abcdefg"
        await ledger.end(finished=True)
        assert {row["etag"] for row in await engine.stored_pages(**SITE)} == {'"2"'}

    run(database_url, scenario)
