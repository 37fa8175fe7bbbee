"""What a crawl would take, and why it takes an address or leaves it."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from ingest import Explanation, FakeFetcher, Found, Settings, crawl, explain, map_site
from ingest.errors import BadInput
from ingest.models import FetchResponse

ROOT = "https://x.org/"


def page(name: str, *links: str) -> str:
    return f"<h1>{name}</h1><p>This is {name}.</p>" + "".join(f"<a href='{link}'>{link}</a>" for link in links)


def text(body: str, kind: str = "text/plain", status: int = 200, **headers: str) -> FetchResponse:
    return FetchResponse("", status, {"content-type": kind, **headers}, body.encode())


SITEMAP = "<urlset><url><loc>/docs/m</loc><lastmod>2024-05-01</lastmod></url><url><loc>/blog</loc></url></urlset>"
PAGES = {
    "docs/": page("start", "a", "/blog", "https://y.org/"),
    "docs/a": page("a", "b"),
    "docs/b": page("b", "c"),
    "docs/c": page("c"),
    "docs/m": page("m"),
    "docs/l": page("l"),
    "docs/private": page("private"),
    "sitemap.xml": text(SITEMAP, "application/xml"),
    "llms.txt": text("# X\n- [l](/docs/l)"),
    "robots.txt": text("User-agent: *\nDisallow: /docs/private"),
    "old": text("", "text/html", 301, location="/docs/"),
}


def site() -> FakeFetcher:
    return FakeFetcher({ROOT + name: found for name, found in PAGES.items()})


def mapped(fetcher: FakeFetcher, start: str = ROOT + "docs/", **options: Any) -> list[Found]:
    async def main() -> list[Found]:
        async with aclosing(map_site(start, settings=Settings(fetcher=fetcher), **options)) as stream:
            return [found async for found in stream]

    return asyncio.run(main())


def explained(url: str, **options: Any) -> Explanation:
    return asyncio.run(explain(url, settings=Settings(fetcher=site()), **options))


@pytest.mark.promise("C3")
def test_a_map_is_what_the_crawl_then_takes_with_its_sources() -> None:
    found = mapped(site())
    assert [(one.url.removeprefix(ROOT), one.depth, one.source) for one in found] == [
        ("docs/", 0, "start"),
        ("docs/a", 1, "link"),
        ("docs/m", 1, "sitemap"),
        ("docs/l", 1, "llms.txt"),
        ("docs/b", 2, "link"),
        ("docs/c", 3, "link"),
    ]
    assert {one.rule for one in found} == {"it is inside the start URL's folder /docs/"}
    assert [one.modified for one in found] == ["", "", "2024-05-01", "", "", ""]

    async def taken() -> list[str]:
        async with aclosing(crawl(ROOT + "docs/", fetcher=site())) as stream:
            return [one.url async for one in stream]

    assert asyncio.run(taken()) == [one.url for one in found]


@pytest.mark.parametrize(
    ("options", "names", "asked"),
    [
        ({"max_depth": 0}, ["docs/"], ["docs/"]),
        ({"max_depth": 1}, ["docs/", "docs/a", "docs/m", "docs/l"], ["docs/"]),
        ({"max_depth": 2}, ["docs/", "docs/a", "docs/m", "docs/l", "docs/b"], ["docs/", "docs/a", "docs/l", "docs/m"]),
        ({"limit": 2}, ["docs/", "docs/a"], ["docs/"]),
        ({"path_regex": "/a$|/b$", "max_depth": 2}, ["docs/a", "docs/b"], ["docs/", "docs/a"]),
    ],
)
def test_only_pages_nearer_than_the_depth_are_read(options: dict[str, Any], names: list[str], asked: list[str]) -> None:
    fetcher = site()
    assert [one.url.removeprefix(ROOT) for one in mapped(fetcher, **options)] == names
    read = sorted(request.url.removeprefix(ROOT) for request in fetcher.requests)
    assert [name for name in read if name.startswith("docs/") and "." not in name] == asked


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(BadInput, match="limit is 0"):
        mapped(site(), limit=0)


@pytest.mark.promise("C2")
@pytest.mark.parametrize(
    ("url", "options", "allowed", "scope", "robots"),
    [
        ("docs/a", {}, True, "it is inside the start URL's folder /docs/", "robots.txt allows it"),
        ("blog", {}, False, "it is outside the start URL's folder /docs/", ""),
        ("docs/private", {}, False, "it is inside the start URL's folder /docs/", "robots.txt disallows it"),
        ("docs/a", {"path_regex": "^/b"}, False, "path_regex '^/b' is not found in /docs/a", ""),
        ("docs/a", {"exclude": ["a$"]}, False, "exclude 'a$' matches", ""),
        ("docs/llms-full.txt", {}, False, "an llms.txt names or repeats the site's pages, and is none", ""),
        ("https://y.org/docs/a", {}, False, "y.org is another host than x.org", ""),
        ("https://api.x.org/a", {"subdomains": True}, True, "it is on a subdomain of x.org", None),
    ],
)
def test_an_address_is_explained_by_its_rule(
    url: str, options: dict[str, Any], allowed: bool, scope: str, robots: str | None
) -> None:
    said = explained(url if "://" in url else ROOT + url, start=ROOT + "docs/", **options)
    assert (said.allowed, said.scope) == (allowed, scope)
    assert robots is None or said.robots.startswith(robots)
    assert any("noindex" in note for note in said.notes)


def test_the_scope_is_taken_from_where_the_start_leads() -> None:
    said = explained(ROOT + "docs/a", start=ROOT + "old")
    assert (said.allowed, said.start) == (True, ROOT + "docs/")


def test_a_start_that_cannot_be_crawled_is_said() -> None:
    said = explained(ROOT + "docs/x/y", start=ROOT + "docs/x/")
    assert not said.allowed
    assert "404" in said.notes[0]
    assert said.scope == "it is inside the start URL's folder /docs/x/"


def test_a_query_that_is_ignored_is_said() -> None:
    said = explained(ROOT + "docs/a?x=1", start=ROOT + "docs/", ignore_query=True)
    assert said.notes[0] == f"links to it are followed as {ROOT}docs/a"
