"""Pages found by the site's own lists: sitemaps, llms.txt, markdown copies; and what stays left out."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from ingest import CrawledPage, FakeFetcher, SkippedPage, crawl
from ingest.discovery import MAX_SITEMAP_DEPTH
from ingest.errors import FetchError, StartRefused
from ingest.models import FetchRequest, FetchResponse, Outcome

pytestmark = pytest.mark.promise("C3")

ROOT = "https://x.org/"
Found = CrawledPage | SkippedPage
Pages = Mapping[str, FetchResponse | FetchError | str]


def page(name: str, *links: str, head: str = "") -> str:
    anchors = "".join(f"<a href='{link}'>to {link}</a> " for link in links)
    return f"<head>{head}<title>{name}</title></head><h1>{name}</h1><p>This is {name}.</p>{anchors}"


def answer(body: str | bytes, kind: str = "application/xml", status: int = 200, **headers: str) -> FetchResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FetchResponse(
        "", status, {"content-type": kind, **named}, body if isinstance(body, bytes) else body.encode()
    )


def robots(text: str) -> FetchResponse:
    return answer(text, "text/plain")


def markdown(text: str, **headers: str) -> FetchResponse:
    return answer(text, "text/markdown", **headers)


def urlset(*locs: str) -> FetchResponse:
    return answer(f"<urlset>{''.join(f'<url><loc>{loc}</loc></url>' for loc in locs)}</urlset>")


def index(*locs: str) -> FetchResponse:
    return answer(f"<sitemapindex>{''.join(f'<sitemap><loc>{loc}</loc></sitemap>' for loc in locs)}</sitemapindex>")


def site(pages: Pages) -> FakeFetcher:
    return FakeFetcher({name if "://" in name else ROOT + name: found for name, found in pages.items()})


def run(pages: Pages | FakeFetcher, start: str = ROOT, **options: Any) -> list[Found]:
    fetcher = pages if isinstance(pages, FakeFetcher) else site(pages)

    async def main() -> list[Found]:
        async with aclosing(crawl(start, fetcher=fetcher, **options)) as stream:
            return [found async for found in stream]

    return asyncio.run(main())


def told(found: Sequence[Found]) -> list[str]:
    return [
        one.url.removeprefix(ROOT) if isinstance(one, CrawledPage) else f"{one.url.removeprefix(ROOT)}:{one.outcome}"
        for one in found
    ]


def stored(found: Sequence[Found]) -> list[str]:
    return [one.url.removeprefix(ROOT) for one in found if isinstance(one, CrawledPage)]


def reason(found: Sequence[Found], name: str) -> str:
    (left,) = [one for one in found if isinstance(one, SkippedPage) and one.url == ROOT + name]
    return left.reason


# --- sitemaps -------------------------------------------------------------------------------------


def test_pages_of_a_sitemap_follow_the_start_pages_links() -> None:
    pages = {"": page("start", "c"), "sitemap.xml": urlset("/a", "/c", "/b")} | {n: page(n) for n in "abc"}
    found = run(pages)
    assert told(found) == ["", "c", "a", "b"]
    assert [one.depth for one in found if isinstance(one, CrawledPage)] == [0, 1, 1, 1]


def test_the_sitemaps_that_robots_txt_names_are_read_instead_of_the_usual_one() -> None:
    fetcher = site(
        {
            "": page("start"),
            "robots.txt": robots(
                "Sitemap: https://x.org/one.xml.gz\nSitemap: /two.txt\nSitemap: https://y.org/s.xml\n"
            ),
            "one.xml.gz": answer(gzip.compress(urlset("/a").body), "application/gzip"),
            "two.txt": answer("https://x.org/b\n", "text/plain"),
            "a": page("a"),
            "b": page("b"),
        }
    )
    assert stored(run(fetcher)) == ["", "a", "b"]
    asked = [request.url for request in fetcher.requests]
    assert ROOT + "sitemap.xml" not in asked
    assert "https://y.org/s.xml" not in asked


def test_a_sitemap_in_the_start_folder_is_found_and_its_pages_stay_in_scope() -> None:
    pages = {
        "docs/": page("start"),
        "docs/sitemap.xml": urlset("/docs/a", "/blog/b", "https://y.org/docs/c", "file:///etc/passwd"),
        "docs/a": page("a"),
        "blog/b": page("b"),
    }
    assert stored(run(pages, ROOT + "docs/")) == ["docs/", "docs/a"]


def test_an_index_is_followed_through_circles_and_dead_ends() -> None:
    pages = {
        "": page("start"),
        "sitemap_index.xml": index("/one.xml", "/sitemap_index.xml", "/gone.xml", "/page", "https://y.org/s.xml"),
        "one.xml": urlset("/a"),
        "page": page("page"),
        "a": page("a"),
    }
    found = run(pages)
    assert told(found) == ["", "a", "gone.xml:skipped", "page:skipped"]
    assert reason(found, "gone.xml") == "the sitemap answers 404"
    assert reason(found, "page") == "is no sitemap"


@pytest.mark.promise("C6")
def test_an_index_of_indexes_ends_at_the_depth_cap_and_says_so() -> None:
    pages: dict[str, Any] = {"": page("start"), "sitemap.xml": index("/1.xml")}
    pages |= {f"{n}.xml": index(f"/{n + 1}.xml") for n in range(1, 10)}
    found = run(pages)
    assert told(found) == ["", f"{MAX_SITEMAP_DEPTH - 1}.xml:skipped"]


def test_a_site_without_lists_costs_few_requests_and_no_word_in_the_report() -> None:
    fetcher = site({"docs/": page("start")})
    assert told(run(fetcher, ROOT + "docs/")) == ["docs/"]
    assert [request.url.removeprefix(ROOT) for request in fetcher.requests] == [
        "robots.txt", "docs/", "docs/llms.txt", "llms.txt", "docs/sitemap.xml", "sitemap.xml", "sitemap_index.xml",
    ]  # fmt: skip


@pytest.mark.promise("C11")
def test_a_named_sitemap_that_cannot_be_had_makes_the_crawl_incomplete() -> None:
    pages = {
        "": page("start"),
        "robots.txt": robots("Sitemap: https://x.org/s.xml"),
        "s.xml": FetchError(ROOT + "s.xml", "protocol", "it breaks off"),
    }
    (_, failed) = run(pages)
    assert isinstance(failed, SkippedPage)
    assert (failed.url, failed.outcome, failed.reason) == (ROOT + "s.xml", Outcome.FAILED, "it breaks off")


@pytest.mark.promise("C1")
def test_a_sitemap_that_robots_txt_forbids_is_not_read() -> None:
    fetcher = site(
        {"": page("start"), "robots.txt": robots("User-agent: *\nDisallow: /*.xml$"), "sitemap.xml": urlset("/a")}
    )
    assert stored(run(fetcher)) == [""]
    assert not any(request.url.endswith(".xml") for request in fetcher.requests)


@pytest.mark.parametrize("options", [{"discover": "links"}, {"max_depth": 0}])
def test_lists_are_not_read_where_they_are_not_wanted(options: dict[str, Any]) -> None:
    fetcher = site({"": page("start", "b"), "sitemap.xml": urlset("/a"), "a": page("a"), "b": page("b")})
    assert "a" not in stored(run(fetcher, **options))
    assert not any("sitemap" in request.url or "llms" in request.url for request in fetcher.requests)


def test_the_order_is_the_same_whatever_answers_first() -> None:
    pages = {"": page("start", "z"), "robots.txt": robots("Sitemap: /one.xml\nSitemap: /two.xml"), "z": page("z", "a")}
    pages |= {"one.xml": urlset("/c", "/a"), "two.xml": urlset("/b"), "llms.txt": answer("- [d](/d)", "text/plain")}
    pages |= {name: page(name) for name in "abcd"}

    class Jumbled(FakeFetcher):
        async def fetch(self, request: FetchRequest) -> FetchResponse:
            for _ in range(hash(request.url) % 50):
                await asyncio.sleep(0)
            return await super().fetch(request)

    expected = ["", "z", "c", "a", "b", "d"]
    assert [stored(run(Jumbled(site(pages).pages), concurrency=n)) for n in (1, 3, 8)] == [expected] * 3


# --- llms.txt and markdown copies -----------------------------------------------------------------


def test_an_llms_txt_names_pages_and_neither_it_nor_the_full_text_is_one() -> None:
    pages = {
        "": page("start", "llms.txt", "llms-full.txt"),
        "llms.txt": answer("# X\n\n- [A](/a)\n- [full](/llms-full.txt)\n- [off](https://y.org/b)", "text/plain"),
        "llms-full.txt": answer("# X\n\nall", "text/plain"),
        "a": page("a"),
    }
    assert told(run(pages)) == ["", "a"]
    assert stored(run(pages, ROOT + "llms-full.txt")) == ["llms-full.txt"]


def test_the_html_page_is_taken_instead_of_the_copy_that_an_llms_txt_names() -> None:
    fetcher = site(
        {"": page("start"), "llms.txt": answer("- [A](/a.md)", "text/plain"), "a": page("a"), "a.md": markdown("# a")}
    )
    assert told(run(fetcher)) == ["", "a"]
    assert ROOT + "a.md" not in [request.url for request in fetcher.requests]


def test_the_copy_is_taken_where_there_is_no_html_page() -> None:
    found = run({"": page("start"), "llms.txt": answer("- [A](/a.md)", "text/plain"), "a.md": markdown("# A\n\ntext")})
    assert told(found) == ["", "a:duplicate", "a.md"]
    assert "only its markdown copy" in reason(found, "a")


def test_a_page_and_its_own_copy_are_stored_once() -> None:
    link = '<link rel="alternate" type="text/markdown" href="/raw/b">'
    pages = {
        "": page("start", "a", "b", "raw/b"),
        "a": page("a", "a.md"),
        "b": page("b", head=link),
        "a.md": markdown("# a copy"),
        "raw/b": markdown("# b copy"),
    }
    assert told(run(pages)) == ["", "a", "b", "raw/b:duplicate"]


SHELL = "<head>{head}<title>App</title></head><div id='root'></div><script src='x.js'></script>"


@pytest.mark.parametrize(
    ("shell", "copy"),
    [
        (answer(SHELL.format(head="<link rel=alternate type='text/markdown' href='a.md'>"), "text/html"), "a.md"),
        (answer(SHELL.format(head=""), "text/html", link="<a.md>; rel=alternate; type=text/markdown"), "a.md"),
    ],
)
def test_a_page_without_text_is_read_from_the_copy_that_it_names(shell: FetchResponse, copy: str) -> None:
    found = run({"": page("start", "a"), "a": shell, copy: markdown("# A\n\nThe text. [b](b)"), "b": page("b")})
    assert stored(found) == ["", "a", "b"]
    (a,) = [one for one in found if isinstance(one, CrawledPage) and one.url == ROOT + "a"]
    assert (a.title, a.markdown, a.etag) == ("A", "# A\n\nThe text. [b](b)", None)


class Negotiating(FakeFetcher):
    """Answers with markdown where the request would rather have it."""

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        response = await super().fetch(request)
        wanted = request.headers.get("Accept", "").startswith("text/markdown")
        if not wanted or not request.url.endswith("/a"):
            return response
        return FetchResponse(request.url, 200, {"content-type": "text/markdown"}, b"# A as markdown")


def test_a_page_without_text_is_asked_for_as_markdown() -> None:
    pages = site({"": page("start", "a", "c"), "a": SHELL, "c": SHELL}).pages
    assert told(run(Negotiating(pages))) == ["", "a", "c:quarantined"]


def test_html_is_preferred_and_markdown_on_request() -> None:
    pages = site({"": page("start", "a"), "a": page("a", "b"), "b": page("b")}).pages
    texts = {}
    for prefer in ("html", "markdown"):
        found = run(Negotiating(pages), prefer=prefer)
        texts[prefer] = {one.url.removeprefix(ROOT): one.markdown for one in found if isinstance(one, CrawledPage)}
    assert texts["html"]["a"].startswith("# a\n\nThis is a.")
    assert texts["markdown"]["a"] == "# A as markdown"


def test_a_preferred_copy_keeps_the_pages_address_and_links() -> None:
    pages = {
        "": page("start", "a"),
        "a": page("a", "b", head='<link rel="alternate" type="text/markdown" href="a.md">'),
        "a.md": markdown("# A\n\nfrom the copy"),
        "b": page("b"),
    }
    found = run(pages, prefer="markdown")
    assert stored(found) == ["", "a", "b"]
    assert [one.markdown for one in found if isinstance(one, CrawledPage)][1] == "# A\n\nfrom the copy"


# --- a list as the start --------------------------------------------------------------------------

RSS = "<rss><item><link>/docs/a</link></item><item><link>/docs/b</link></item></rss>"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("docs/map.xml", urlset("/docs/a", "/docs/b", "/blog/c")),
        ("docs/map.xml.gz", answer(gzip.compress(urlset("/docs/a", "/docs/b").body), "application/gzip")),
        ("docs/index.xml", index("/docs/inner.xml")),
        ("docs/llms.txt", answer("# X\n- [a](/docs/a)\n- [b](/docs/b)", "text/plain")),
        ("docs/urls.txt", answer("https://x.org/docs/a\nhttps://x.org/docs/b\n", "text/plain")),
        ("docs/feed", answer(RSS, "application/rss+xml")),
    ],
)  # fmt: skip
def test_a_list_as_start_gives_its_pages_and_their_links(name: str, body: FetchResponse) -> None:
    pages = {name: body, "docs/inner.xml": urlset("/docs/a", "/docs/b"), "docs/a": page("a", "d"), "docs/b": page("b")}
    pages |= {"docs/d": page("d"), "blog/c": page("c")}
    found = run(pages, ROOT + name)
    assert stored(found) == ["docs/a", "docs/b", "docs/d"]
    assert stored(run(pages, ROOT + name, max_depth=0)) == ["docs/a", "docs/b"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (urlset("https://y.org/a"), "lists 1 addresses and none of them is in scope"),
        (urlset(), "lists no addresses"),
        (answer("<x/>"), "not a page"),
    ],
)
def test_a_list_without_a_page_in_scope_is_refused(body: FetchResponse, message: str) -> None:
    with pytest.raises(StartRefused, match=message):
        run({"s.xml": body}, ROOT + "s.xml")


# --- scope on request -----------------------------------------------------------------------------


@pytest.mark.promise("C2")
def test_subdomains_are_in_scope_on_request() -> None:
    api, other = "https://api.x.org/v1/", "https://api.x.org.evil.org/"
    pages = {"docs/": page("start", api, other, "/blog"), api: page("api"), other: page("evil"), "blog": page("blog")}
    assert stored(run(pages, ROOT + "docs/")) == ["docs/"]
    assert stored(run(pages, ROOT + "docs/", subdomains=True)) == ["docs/", api]


@pytest.mark.promise("C5")
def test_links_are_followed_without_their_query_on_request() -> None:
    pages = {
        "": page("start", "a?sort=1", "a?sort=2"),
        "a?sort=1": page("one"),
        "a?sort=2": page("two"),
        "a": page("a"),
    }
    assert stored(run(pages)) == ["", "a?sort=1", "a?sort=2"]
    assert stored(run(pages, ignore_query=True)) == ["", "a"]
