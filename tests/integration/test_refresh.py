"""A site crawled again: only what is due, or everything by force; what nothing links to; what comes back."""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest

from engine import PostgresEngine
from engine.embedders.fake import HashEmbedder
from engine.queries import migrations
from syncs import Runtime
from syncs.crawl import CrawlReport, site_crawl

pytestmark = [pytest.mark.slow]

PAGES = 8


class Site:
    """A crawled site: crawl it again, look at what was asked for, let time pass."""

    def __init__(self, runtime: Runtime, server: Any, database_url: str) -> None:
        self.runtime = runtime
        self.server = server
        self.start = f"{server.url}/docs/"
        self._database_url = database_url

    async def crawl(self, **options: object) -> CrawlReport:
        self.server.requests.clear()
        asked = {"url": self.start, "return_pages": "none", "discover": "links", **options}
        return (await self.runtime.sync(site_crawl, asked)).report

    @property
    def asked(self) -> list[str]:
        """The pages that the last crawl asked for, the start page left out. Concurrent ones are in any order."""
        paths = [path.removeprefix("/docs/") for path in self.server.paths if path.startswith("/docs/")]
        return [path for path in paths if path]

    def age(self, hours: float, *names: str) -> None:
        """As if these pages had been fetched so many hours earlier."""
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                "UPDATE syncline.page SET fetched_at = fetched_at - make_interval(secs => %s) WHERE url = ANY(%s)",
                [hours * 3_600, [self.start + name for name in names]],
            )

    async def orphans(self) -> list[str]:
        names = [f"p{n}" for n in range(1, PAGES)]
        rows = [await self.runtime.engine.get_page(self.start + name) for name in names]
        return [name for name, row in zip(names, rows, strict=True) if row and row["orphan_since"]]


With = Callable[[Callable[[Site], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def on_site(site_server, chain, database_url: str) -> With:
    """Runs a coroutine function with a site of eight pages that was crawled once. Its pages have validators."""

    def run(scenario: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            site_server.routes = {path: validated(answer) for path, answer in chain(PAGES).items()}
            engine = PostgresEngine(database_url, embedder=HashEmbedder())
            async with Runtime(engine=engine, syncs={"site_crawl": site_crawl}) as runtime:
                site = Site(runtime, site_server, database_url)
                assert (await site.crawl()).pages.stored == PAGES
                await scenario(site)

        asyncio.run(main())

    return run


def validated(answer: tuple[int, dict[str, str], str]) -> Callable[[Any], Any]:
    """The answer with an ETag, and 304 to whoever has it."""
    status, headers, body = answer
    etag = f'"{hash(body)}"'

    def route(request: Any) -> Any:
        if request.headers.get("if-none-match") == etag:
            return 304, {"ETag": etag}, b""
        return status, {**headers, "ETag": etag}, body

    return route


def linking(make_page: Any, *names: str) -> Any:
    links = " ".join(f'<a href="{name}">{name}</a>' for name in names)
    return validated(make_page("Start", f"<h1>Start</h1><p>It begins, and leads on.</p>{links}"))


@pytest.mark.promise("C9")
def test_a_refresh_asks_only_for_what_is_due(on_site: With, site_server, make_page) -> None:
    async def scenario(site: Site) -> None:
        report = await site.crawl(revisit="due")
        assert site.asked == []
        assert (report.status, report.pages.unchanged, report.pages.discovered) == ("complete", 1, 1)
        assert (report.pages.not_due, report.pages.waiting, report.pages.deleted) == (7, 0, 0)

        site.age(2, "p2", "p5")
        site_server.routes["/docs/p5"] = validated(make_page("Five", "<h1>Five</h1><p>Now it is another one.</p>"))
        site_server.routes["/docs/"] = linking(make_page, *(f"p{n}" for n in range(1, 9)))
        site_server.routes["/docs/p8"] = make_page("Eight", "<h1>Eight</h1><p>There is one more.</p>")
        report = await site.crawl(revisit="due", prune=True)
        assert sorted(site.asked) == ["p2", "p5", "p8"]
        assert (report.pages.stored, report.pages.unchanged, report.pages.not_due) == (3, 1, 5)
        assert report.pages.deleted == 0

        site_server.routes["/docs/p1"] = (403, {}, b"not now")
        del site_server.routes["/docs/p3"]
        report = await site.crawl()
        assert (report.pages.failed, report.pages.skipped, report.pages.deleted) == (1, 1, 1)
        site_server.routes["/docs/p1"] = make_page("One", "<h1>One</h1><p>Here I am again.</p>")
        report = await site.crawl(revisit="due")
        assert sorted(site.asked) == ["p1", "p3"]
        assert (report.pages.stored, report.status) == (1, "complete")

    on_site(scenario)


@pytest.mark.promise("C9", "C10")
def test_a_limit_of_a_refresh_counts_what_is_asked_for_and_the_next_one_goes_on(on_site: With) -> None:
    async def scenario(site: Site) -> None:
        site.age(2, "p1", "p2", "p3")
        report = await site.crawl(revisit="due", limit=3)
        assert sorted(site.asked) == ["p1", "p2"]
        assert (report.status, report.pages.unchanged, report.pages.waiting) == ("limited", 3, 1)
        report = await site.crawl(revisit="due", limit=3)
        assert site.asked == ["p3"]
        assert (report.status, report.pages.waiting, report.pages.not_due) == ("complete", 0, 6)

    on_site(scenario)


@pytest.mark.promise("C3", "C9")
def test_a_page_that_the_sitemap_says_changed_is_due(on_site: With, site_server) -> None:
    async def scenario(site: Site) -> None:
        def listed(n: int, ago: float) -> str:
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))
            return f"<url><loc>{site.start}p{n}</loc><lastmod>{moment}</lastmod></url>"

        site.age(0.5, "p1", "p2", "p3")
        body = f"<urlset>{listed(1, 86_400)}{listed(2, 60)}</urlset>"
        site_server.routes["/sitemap.xml"] = (200, {"Content-Type": "application/xml"}, body)
        report = await site.crawl(revisit="due", discover="all")
        assert [path for path in site.asked if path.startswith("p")] == ["p2"]
        assert (report.pages.unchanged, report.pages.not_due) == (2, 6)
        await site.crawl(revisit="due", discover="all")
        assert [path for path in site.asked if path.startswith("p")] == []

    on_site(scenario)


@pytest.mark.promise("C3", "C9")
def test_a_site_given_as_a_sitemap_is_refreshed_by_what_it_lists(on_site: With, site_server, make_page) -> None:
    async def scenario(site: Site) -> None:
        def sitemap(*names: str) -> tuple[int, dict[str, str], str]:
            listed = "".join(f"<url><loc>{site.start}{name}</loc></url>" for name in names)
            return 200, {"Content-Type": "application/xml"}, f"<urlset>{listed}</urlset>"

        address = f"{site_server.url}/docs/sitemap.xml"
        site_server.routes["/docs/sitemap.xml"] = sitemap("p1", "p2")
        site_server.routes["/docs/p9"] = make_page("Nine", "<h1>Nine</h1><p>There is one more.</p>")
        assert (await site.crawl(url=address)).pages.stored == 2
        report = await site.crawl(url=address, revisit="due")
        assert site.asked == ["sitemap.xml"]
        assert (report.status, report.pages.discovered, report.pages.not_due) == ("complete", 0, 2)
        site_server.routes["/docs/sitemap.xml"] = sitemap("p1", "p9")
        report = await site.crawl(url=address, revisit="due")
        assert site.asked == ["sitemap.xml", "p9"]
        assert (report.pages.stored, report.pages.not_due) == (1, 2)
        await site.crawl(url=address)
        assert await site.orphans() == ["p2"]

    on_site(scenario)


@pytest.mark.promise("C9", "E2")
def test_a_forced_crawl_fetches_and_stores_everything_and_embeds_nothing(on_site: With, site_server) -> None:
    async def scenario(site: Site) -> None:
        report = await site.crawl(revisit="force")
        assert len(site.asked) == 7
        assert not any("if-none-match" in request.headers for request in site_server.requests)
        assert (report.pages.stored, report.pages.unchanged, report.embeddings.computed) == (PAGES, 0, 0)
        assert (report.chunks.unchanged > 0, report.chunks.added, report.chunks.updated) == (True, 0, 0)

    on_site(scenario)


@pytest.mark.promise("E3")
def test_a_page_that_nothing_links_to_any_more_stays_and_is_marked(on_site: With, site_server, make_page) -> None:
    async def scenario(site: Site) -> None:
        # p1, which does not change, goes on linking to p2; p3 links to itself only, p4 to nothing.
        p1 = make_page("One", '<h1>One</h1><p>One leads to two.</p><a href="p2">two</a>')
        p3 = make_page("Three", '<h1>Three</h1><p>Three is for itself.</p><a href="p3">three</a>')
        site_server.routes |= {"/docs/p1": validated(p1), "/docs/p3": validated(p3)}
        report = await site.crawl()
        assert (report.notes, await site.orphans()) == ([], [])

        site_server.routes["/docs/"] = linking(make_page, "p1", "p5", "p6", "p7")
        await site.crawl(revisit="due")
        assert await site.orphans() == [], "a refresh sees a part of the links only"
        await site.crawl(limit=2)
        assert await site.orphans() == [], "so does a limit"
        report = await site.crawl()
        assert (report.status, report.pages.deleted) == ("complete", 0)
        assert report.notes[0].startswith("Stored pages that no page of this crawl links to and no list names: 2.")
        assert await site.orphans() == ["p3", "p4"]

        site_server.routes["/docs/"] = linking(make_page, "p1", "p4", "p5", "p6", "p7")
        sitemap = f"<urlset><url><loc>{site.start}p3</loc></url></urlset>"
        site_server.routes["/sitemap.xml"] = (200, {"Content-Type": "application/xml"}, sitemap)
        await site.crawl(revisit="due")
        assert await site.orphans() == ["p3"], "a link is evidence in a refresh, too"
        report = await site.crawl(discover="all")
        assert (report.notes, await site.orphans()) == ([], [])

    on_site(scenario)


@pytest.mark.promise("E2", "E3")
def test_a_page_that_comes_back_is_told_and_embeds_nothing(on_site: With, site_server) -> None:
    async def scenario(site: Site) -> None:
        kept = site_server.routes.pop("/docs/p3")
        report = await site.crawl()
        assert (report.pages.deleted, report.pages.back) == (1, 0)
        site_server.routes["/docs/p3"] = kept
        report = await site.crawl()
        assert (report.pages.stored, report.pages.back, report.embeddings.computed) == (1, 1, 0)
        assert "back" not in (await site.crawl()).model_dump()["pages"]

    on_site(scenario)


def test_a_store_of_the_first_version_is_brought_up_to_date(database_url: str) -> None:
    (_, name, statements), *_ = migrations()
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE EXTENSION vector; CREATE SCHEMA syncline")
        connection.execute(
            "CREATE TABLE syncline.migration (number int PRIMARY KEY, name text, applied_at timestamptz)"
        )
        connection.execute(statements)
        connection.execute("INSERT INTO syncline.migration VALUES (1, %s, now())", [name])
        connection.execute(
            "INSERT INTO syncline.entity (connection_id, name, crawl, crawl_options) "
            """VALUES ('SYSTEM', 'cut', 1, '{"limit": 3}'), ('SYSTEM', 'done', 1, NULL)"""
        )
        connection.execute(
            "INSERT INTO syncline.page (entity_id, url, url_hash, address, state, content_hash) VALUES "
            "(2, 'a', 'a', 'a', 'failed', 'h'), (2, 'b', 'b', 'b', 'stored', 'h'), (2, 'c', 'c', 'c', 'failed', NULL)"
        )

    async def main() -> list[dict[str, Any]]:
        async with PostgresEngine(database_url, embedder=HashEmbedder()) as engine:
            return await engine.sites()

    told = [(row["name"], row["options"], row["unfinished"]) for row in asyncio.run(main())]
    assert told == [("cut", {"limit": 3}, True), ("done", None, False)]
    with psycopg.connect(database_url) as connection:
        missed = connection.execute("SELECT url FROM syncline.page WHERE missed").fetchall()
    assert missed == [("a",)]


def test_refresh_and_force_exclude_each_other(in_process) -> None:
    ran = in_process("crawl", "http://127.0.0.1:9/", "--refresh", "--force")
    assert ran.code == 2
    assert ran.error == "--refresh leaves out pages that --force would fetch: give one of the two."


def test_page_says_that_nothing_links_to_it(in_process, site_server, chain, make_page, database_url: str) -> None:
    site_server.routes = chain(3)
    words = (f"{site_server.url}/docs/", "--json", "--db", database_url)
    assert in_process("crawl", *words).code == 0
    site_server.routes["/docs/"] = linking(make_page, "p1")
    assert in_process("crawl", *words).code == 0
    said = "Nothing on its site links to this page any more, as of "
    assert said in in_process("page", f"{site_server.url}/docs/p2", "--db", database_url).err
    assert said not in in_process("page", f"{site_server.url}/docs/p1", "--db", database_url).err


def test_page_says_why_and_since_when_a_page_is_gone(
    in_process, site_server, chain, make_page, database_url: str
) -> None:
    site_server.routes = chain(3)
    words = (f"{site_server.url}/docs/", "--json", "--db", database_url)
    assert in_process("crawl", *words).code == 0
    del site_server.routes["/docs/p2"]
    assert in_process("crawl", *words).code == 0
    gone = in_process("page", f"{site_server.url}/docs/p2", "--db", database_url)
    assert gone.code == 1
    assert re.search(r"/docs/p2 is not stored: 404 Not Found, since \d{4}-\d\d-\d\d \d\d:\d\d\. ", gone.error)
