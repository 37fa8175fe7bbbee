"""The tool that refreshes a site: which site is meant, with which options it is crawled, and what is refused."""

import asyncio
from typing import Any

import pytest

from engine import MockEngine
from syncs import Runtime
from syncs.crawl import site_crawl
from syncs.tools import Tool, ToolError, catalogue

pytestmark = [pytest.mark.promise("S4"), pytest.mark.promise("C9")]

SITE = {"connection_id": "SYSTEM", "name": "CRAWL_https://docs.example.org/"}


def html(title: str, *links: str) -> tuple[int, dict[str, str], str]:
    anchors = "".join(f"<a href='{link}'>{link}</a> " for link in links)
    return 200, {"Content-Type": "text/html"}, f"<main><h1>{title}</h1><p>What {title} says.</p>{anchors}</main>"


def runtime(engine: MockEngine) -> Runtime:
    return Runtime(engine=engine, syncs={"site_crawl": site_crawl})


def tool(engine: MockEngine) -> Tool:
    return {each.name: each for each in catalogue(runtime(engine))}["refresh_site"]


def test_a_site_is_crawled_again_by_name_with_its_options_where_it_is_due(site_server) -> None:
    site_server.routes = {"/docs/": html("start", "a", "b", "c"), **{f"/docs/{n}": html(n) for n in "abc"}}
    start = f"{site_server.url}/docs/"

    async def main() -> None:
        engine = MockEngine()
        asked = {"url": start, "name": "guide", "exclude": ["c$"], "concurrency": 1, "discover": "links", "limit": 9}
        await runtime(engine).sync("site_crawl", asked)
        site_server.routes |= {"/docs/": html("start", "a", "b", "c", "d"), "/docs/d": html("d")}
        for site in ("guide", start, start.upper().replace("/DOCS/", "/docs")):
            site_server.requests.clear()
            answer: dict[str, Any] = await tool(engine).call({"site": site})
            assert (answer["success"], answer["site"]) == (True, "guide")
            first = site == "guide"
            assert [path for path in site_server.paths if path != "/robots.txt"] == (
                ["/docs/", "/docs/d"] if first else ["/docs/"]
            )
            counts = answer["report"]["pages"]
            assert (counts["stored"], counts["not_due"]) == ((2, 2) if first else (0, 3))
        (row,) = await engine.sites()
        assert row["options"]["revisit"] == "due"
        assert {name: row["options"][name] for name in ("exclude", "concurrency", "limit")} == {
            "exclude": ["c$"], "concurrency": 1, "limit": 9,
        }  # fmt: skip
        assert not row["unfinished"]
        (run,) = [each for each in await engine.get_runs(limit=50) if each["input"].get("revisit") == "all"]
        assert run["input"]["name"] == "guide"

    asyncio.run(main())


def refused(engine: MockEngine, site: str) -> str:
    with pytest.raises(ToolError) as refusal:
        asyncio.run(tool(engine).call({"site": site}))
    return str(refusal.value)


def test_what_cannot_be_refreshed_is_said() -> None:
    engine = MockEngine()

    async def fill() -> None:
        await engine.create_entity(**SITE)
        ledger = await engine.open_ledger(
            connection_id="SYSTEM", name="notes", start_url="file:///home/me/notes", run_id="r", options={}
        )
        await ledger.end(finished=True)

    asyncio.run(fill())
    assert "no site is called 'docs'; there are" in refused(engine, "docs")
    assert "was not crawled" in refused(engine, "https://docs.example.org")
    assert "syncline crawl --refresh brings it up to date there" in refused(engine, "notes")


def test_what_another_version_kept_and_this_one_does_not_know_is_left_out(site_server) -> None:
    site_server.routes = {"/docs/": html("start", "a"), "/docs/a": html("a")}
    start = f"{site_server.url}/docs/"

    async def main() -> dict[str, Any]:
        engine = MockEngine()
        options = {"url": start, "path_regex": None, "colour": "green", "max_cost": None}
        ledger = await engine.open_ledger(
            connection_id="SYSTEM", name="old", start_url=start, run_id="r", options=options
        )
        await ledger.end(finished=True)
        return await tool(engine).call({"site": "old"})

    assert asyncio.run(main())["report"]["pages"]["stored"] == 2
