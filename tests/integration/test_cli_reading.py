"""`syncline scrape`, `map` and `explain`, and `crawl` of a local folder: a site that is looked at, stored or not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import MockEngine
from ingest import BadInput
from syncs import Runtime
from syncs.crawl import site_crawl
from syncs.tools import catalogue


@pytest.fixture
def site(site_server: Any, make_page: Callable[..., Any]) -> Any:
    """A start page, a page that it links to, and one that only the sitemap names."""
    site_server.routes = {
        "/robots.txt": (
            200,
            {"Content-Type": "text/plain"},
            "User-agent: *\nDisallow: /docs/private\nSitemap: /map.xml",
        ),
        "/map.xml": (200, {"Content-Type": "application/xml"}, "<urlset><url><loc>/docs/b</loc></url></urlset>"),
        "/docs/": make_page(
            "Start", "<h1 id='top'>Start</h1><p>Welcome. <a href='/docs/a'>a</a> <a href='/blog'>b</a></p>"
        ),
        "/docs/a": make_page("A", "<h1>A</h1><p>Page a.</p>"),
        "/docs/b": make_page("B", "<h1>B</h1><p>Page b.</p>"),
        "/docs/empty": make_page("Empty", ""),
        "/moved": (302, {"Location": "http://127.0.0.2:9/"}, ""),
    }
    return site_server


def test_scrape_prints_a_page_as_markdown(in_process: Any, site: Any) -> None:
    ran = in_process("scrape", f"{site.url}/docs/")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "# Start")
    assert sorted(site.paths) == ["/docs/", "/robots.txt"]


def test_scrape_as_json_has_metadata_anchors_and_links(in_process: Any, site: Any) -> None:
    page = in_process("scrape", f"{site.url}/docs/", "--json").json
    assert set(page) == {"url", "metadata", "markdown", "anchors", "links"}
    assert page["metadata"]["title"] == "Start"
    assert page["anchors"][0][1:] == ["top", 1, "Start"]
    assert page["links"] == [f"{site.url}/docs/a", f"{site.url}/blog"]


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/docs/gone", 1, "answers 404"),
        ("/docs/empty", 1, "no text was found"),
        ("/docs/private", 1, "robots.txt disallows it"),
        ("/moved", 1, "another host"),
    ],
)
def test_scrape_says_why_there_is_no_page(in_process: Any, site: Any, path: str, code: int, said: str) -> None:
    ran = in_process("scrape", site.url + path)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.error


def test_scrape_reads_a_local_file(in_process: Any, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Local\n\nText.")
    ran = in_process("scrape", str(tmp_path / "a.md"))
    assert (ran.code, ran.out) == (0, "# Local\n\nText.\n")
    assert in_process("scrape", str(tmp_path / "b.md")).code == 2


@pytest.mark.promise("C3")
def test_map_lists_what_a_crawl_would_take(in_process: Any, site: Any) -> None:
    ran = in_process("map", f"{site.url}/docs/")
    assert (ran.code, ran.out.split()) == (0, [f"{site.url}/docs/", f"{site.url}/docs/a", f"{site.url}/docs/b"])
    listed = in_process("map", f"{site.url}/docs/", "--json", "--max-depth", "1").json
    assert [(one["depth"], one["source"]) for one in listed] == [(0, "start"), (1, "link"), (1, "sitemap")]
    assert all("/docs/" in one["rule"] for one in listed)
    assert len(in_process("map", f"{site.url}/docs/", "--discover", "links").out.split()) == 2


@pytest.mark.promise("C2")
def test_explain_names_the_rule(in_process: Any, site: Any) -> None:
    ran = in_process("explain", f"{site.url}/docs/private", "--start", f"{site.url}/docs/")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"{site.url}/docs/private: left out"
    assert "robots.txt disallows it" in ran.out
    said = in_process("explain", f"{site.url}/blog", "--start", f"{site.url}/docs/", "--json").json
    assert (said["allowed"], said["scope"]) == (False, "it is outside the start URL's folder /docs/")


@pytest.mark.parametrize(
    "words",
    [
        ("scrape", "not a url"),
        ("scrape", "https://x.org/", "--prefer", "pdf"),
        ("map", "https://x.org/", "--discover", "guess"),
        ("map", "https://x.org/", "--path-regex", "("),
        ("map", "/no/such/folder"),
        ("explain", "https://x.org/", "--exclude", "("),
    ],
)
def test_what_is_wrong_as_typed_is_wrong_input(in_process: Any, words: tuple[str, ...]) -> None:
    ran = in_process(*words)
    assert ran.code == 2
    assert words[1].rpartition("/")[2] in ran.error or words[-1] in ran.error


@pytest.mark.slow
@pytest.mark.promise("C3")
def test_a_folder_is_crawled_searched_and_crawled_again_for_nothing(
    in_process: Any, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "guide").mkdir()
    (tmp_path / "index.html").write_text("<h1 id='home'>Home</h1><p>The walrus lives here.</p>")
    (tmp_path / "guide" / "deep.md").write_text("# Deep\n\nNothing links to the narwhal.")
    first = in_process("crawl", str(tmp_path), "--json", "--db", database_url)
    assert (first.code, first.json["pages"]["stored"]) == (0, 2)
    assert first.json["entity"] == f"CRAWL_file://{tmp_path}/"
    again = in_process("crawl", str(tmp_path), "--json", "--db", database_url)
    assert again.json["pages"]["unchanged"] == 2
    hits = in_process("search", "narwhal", "--json", "--db", database_url, "--entity", str(tmp_path)).json
    assert hits[0]["url"] == f"file://{tmp_path}/guide/deep.md"


@pytest.mark.promise("C7")
def test_an_agent_cannot_name_a_folder_of_this_machine(tmp_path: Path) -> None:
    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl})
        (tool,) = [tool for tool in catalogue(runtime) if tool.name == "site_crawl"]
        assert "local" not in tool.input_schema["properties"]
        with pytest.raises(BadInput, match="local=True"):
            await runtime.sync("site_crawl", {"url": str(tmp_path)})

    asyncio.run(main())
