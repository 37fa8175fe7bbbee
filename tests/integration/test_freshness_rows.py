"""What a change to a site writes: unchanged pages their ledger rows, in batches; new metadata one row; and other chunk
settings fetch nothing."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.embedders.fake import HashEmbedder
from engine.postgres import PostgresEngine
from syncs import Runtime
from syncs.crawl import CrawlReport, site_crawl

pytestmark = pytest.mark.slow

PAGES = 48
Crawl = Callable[..., Coroutine[Any, Any, CrawlReport]]


def validated(answer: tuple[int, Mapping[str, str], str]) -> Callable[[Any], Any]:
    """The answer with an ETag, and 304 to whoever has it."""
    status, headers, body = answer
    etag = f'"{hash(body)}"'

    def route(request: Any) -> Any:
        if request.headers.get("if-none-match") == etag:
            return 304, {"ETag": etag}, b""
        return status, {**headers, "ETag": etag}, body

    return route


def versions(url: str, table: str) -> dict[int, str]:
    """The transaction that wrote each row of a table last."""
    key = "hash" if table == "vector_1" else "id"
    with psycopg.connect(url) as connection:
        return dict(connection.execute(f"SELECT {key}, xmin::text FROM syncline.{table}").fetchall())


def stored(url: str, entity: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(
            "SELECT external_id, data, embed_text, position, span::text, anchor, headings, terms, weight, "
            "lexemes::text, bm25::text, chunk_settings FROM syncline.record JOIN syncline.page ON page.id = page_id "
            "WHERE record.entity_id = (SELECT id FROM syncline.entity WHERE name = %s) ORDER BY external_id",
            [entity],
        ).fetchall()


@pytest.fixture
def on_site(site_server, chain, database_url: str) -> Callable[[Callable[[Crawl], Coroutine[Any, Any, None]]], None]:
    """Runs a scenario with a site whose pages have validators, crawled once; it is given what crawls it again."""

    def run(scenario: Callable[[Crawl], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            site_server.routes = {path: validated(answer) for path, answer in chain(PAGES).items()}
            engine = PostgresEngine(database_url, embedder=HashEmbedder(8))
            async with Runtime(engine=engine, syncs={"site_crawl": site_crawl}) as runtime:

                async def crawl(**options: object) -> CrawlReport:
                    site_server.requests.clear()
                    asked = {"url": f"{site_server.url}/docs/", "return_pages": "none", "name": "a", **options}
                    return (await runtime.sync(site_crawl, {"discover": "links", **asked})).report

                assert (await crawl()).pages.stored == PAGES
                await scenario(crawl)

        asyncio.run(main())

    return run


@pytest.mark.promise("C9", "E2")
def test_unchanged_pages_write_their_ledger_rows_alone_and_in_batches(on_site, database_url: str) -> None:
    async def scenario(crawl: Crawl) -> None:
        before = {table: versions(database_url, table) for table in ("record", "vector_1")}
        report = await crawl()
        assert (report.pages.unchanged, report.embeddings.computed, report.embeddings.reused) == (PAGES, 0, 0)
        assert {table: versions(database_url, table) for table in before} == before
        pages = versions(database_url, "page")
        assert len(pages) == PAGES
        assert len(set(pages.values())) <= PAGES // 16 + 2

    on_site(scenario)


@pytest.mark.promise("E2")
def test_new_metadata_of_a_page_is_one_row(on_site, site_server, chain, database_url: str) -> None:
    async def scenario(crawl: Crawl) -> None:
        status, headers, body = chain(PAGES)["/docs/p7"]
        described = body.replace("<title>", "<meta name=description content='What it is about'><title>")
        site_server.routes["/docs/p7"] = validated((status, headers, described))
        before = {table: versions(database_url, table) for table in ("record", "vector_1")}
        report = await crawl()
        assert (report.pages.stored, report.pages.unchanged, report.embeddings.computed) == (0, PAGES, 0)
        assert {table: versions(database_url, table) for table in before} == before
        with psycopg.connect(database_url) as connection:
            told = connection.execute("SELECT url FROM syncline.page WHERE metadata->>'description' <> ''").fetchall()
        assert told == [(f"{site_server.url}/docs/p7",)]

    on_site(scenario)


def test_other_chunk_settings_take_what_is_stored_and_fetch_no_page(on_site, site_server, database_url: str) -> None:
    async def scenario(crawl: Crawl) -> None:
        answered: list[int] = []

        def counted(route: Callable[[Any], Any]) -> Callable[[Any], Any]:
            def answer(request: Any) -> Any:
                given = route(request)
                answered.append(given[0])
                return given

            return answer

        for path, route in list(site_server.routes.items()):
            if path != "/docs/":  # which is always read
                site_server.routes[path] = counted(route)
        report = await crawl(target_size=64)
        assert set(answered) == {304}
        assert report.pages.unchanged == PAGES
        assert report.chunks.added > PAGES
        await crawl(target_size=64, name="afresh")
        assert stored(database_url, "a") == stored(database_url, "afresh") != []
        again = await crawl(target_size=64)
        assert (again.chunks.added, again.chunks.updated, again.embeddings.computed) == (0, 0, 0)

    on_site(scenario)
