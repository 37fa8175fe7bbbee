"""Pages that leave a site leave the store, on evidence only, and come back for nothing (promise E3)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine import PostgresEngine
from engine.embedders.fake import HashEmbedder
from ingest import StartRefused
from syncs import Runtime
from syncs.crawl import CrawlReport, site_crawl

pytestmark = [pytest.mark.slow, pytest.mark.promise("E3")]


class Site:
    """A crawled site: crawl it again, and ask which of its pages search finds."""

    def __init__(self, runtime: Runtime, start: str) -> None:
        self.runtime = runtime
        self.start = start

    async def crawl(self, **options: object) -> CrawlReport:
        asked = {"url": self.start, "return_pages": "none", "discover": "links", **options}
        output = await self.runtime.sync(site_crawl, asked)
        return output.report

    async def found(self) -> set[str]:
        hits = await self.runtime.engine.search("what there is to say of number", k=100, mode="text")
        return {hit.url.removeprefix(self.start) for hit in hits if hit.url != self.start}


@pytest.fixture
def on_site(site_server, chain, database_url: str) -> Callable[[Callable[[Site], Coroutine[Any, Any, None]]], None]:
    """Runs a coroutine function with a site of eight pages that was crawled once."""

    def run(scenario: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            site_server.routes = chain(8)
            engine = PostgresEngine(database_url, embedder=HashEmbedder())
            async with Runtime(engine=engine, syncs={"site_crawl": site_crawl}) as runtime:
                site = Site(runtime, f"{site_server.url}/docs/")
                assert (await site.crawl()).pages.stored == 8
                await scenario(site)

        asyncio.run(main())

    return run


def test_what_is_gone_leaves_and_what_only_fails_or_is_not_linked_stays(on_site, site_server, make_page) -> None:
    async def scenario(site: Site) -> None:
        kept = dict(site_server.routes)
        del site_server.routes["/docs/p1"]
        site_server.routes["/docs/p2"] = (410, {}, b"gone for good")
        site_server.routes["/docs/p3"] = (
            200,
            {"Content-Type": "text/html", "X-Robots-Tag": "noindex"},
            kept["/docs/p3"][2],
        )
        site_server.routes["/docs/p4"] = (301, {"Location": "/docs/p5"}, b"")
        site_server.routes["/docs/p6"] = (404, {}, b"")
        start = make_page("Start", '<h1>Start</h1><p>It begins.</p><a href="p5">five</a> <a href="p6">six</a>')
        site_server.routes["/docs/"] = start
        report = await site.crawl()
        assert report.pages.deleted == 0
        assert report.status == "partial"
        assert report.notes[0].startswith("5 stored pages are gone from the site, and none was taken out")
        assert await site.found() == {f"p{n}" for n in range(1, 8)}

        site_server.routes["/docs/p6"] = kept["/docs/p6"]
        site_server.routes["/docs/p7"] = (403, {}, b"not now")
        report = await site.crawl()
        assert (report.pages.deleted, report.notes) == (4, [])
        assert report.chunks.deleted >= 4
        assert await site.found() == {"p5", "p6", "p7"}

        site_server.routes.update(kept)
        report = await site.crawl()
        assert (report.pages.deleted, report.embeddings.computed) == (0, 0)
        assert await site.found() == {f"p{n}" for n in range(1, 8)}

    on_site(scenario)


def test_a_new_refusal_of_robots_txt_takes_pages_out(on_site, site_server) -> None:
    async def scenario(site: Site) -> None:
        rules = "User-agent: *\nDisallow: /docs/p1\n"
        site_server.routes["/robots.txt"] = (200, {"Content-Type": "text/plain"}, rules)
        report = await site.crawl()
        assert (report.pages.deleted, report.status) == (1, "complete")
        assert await site.found() == {f"p{n}" for n in range(2, 8)}

    on_site(scenario)


def test_a_narrower_crawl_leaves_the_rest_alone_unless_it_prunes(on_site) -> None:
    async def scenario(site: Site) -> None:
        report = await site.crawl(exclude=["p[12]$"])
        assert report.pages.deleted == 0
        assert await site.found() == {f"p{n}" for n in range(1, 8)}
        report = await site.crawl(exclude=["p[12]$"], prune=True)
        assert report.pages.deleted == 2
        assert await site.found() == {f"p{n}" for n in range(3, 8)}

    on_site(scenario)


def test_a_site_that_is_away_loses_nothing(on_site, site_server) -> None:
    async def scenario(site: Site) -> None:
        start = site_server.routes["/docs/"]
        site_server.routes = {"/docs/": start}
        report = await site.crawl()
        assert report.pages.deleted == 0
        assert await site.found() == {f"p{n}" for n in range(1, 8)}
        site_server.routes = {}
        with pytest.raises(StartRefused, match="answers 404"):
            await site.crawl()
        assert await site.found() == {f"p{n}" for n in range(1, 8)}

    on_site(scenario)
