"""What a crawl tells of each visit beside the page: when, how long, how large, and what named the address."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

from ingest import CrawledPage, FakeFetcher, FetchError, FetchRequest, FetchResponse, SkippedPage, crawl
from ingest.pace import Politeness
from ingest.polite import PoliteFetcher

BASE = "https://x.org/docs/"
Answer = FetchResponse | FetchError | str
Found = dict[str, CrawledPage | SkippedPage]


def page(name: str, *links: str, head: str = "") -> str:
    anchors = "".join(f"<a href='{link}'>to {link}</a> " for link in links)
    return f"<head>{head}<title>{name}</title></head><h1>{name}</h1><p>This is {name}.</p>{anchors}"


def run(pages: Mapping[str, Answer]) -> Found:
    fetcher = FakeFetcher({name if "://" in name else BASE + name: found for name, found in pages.items()})

    async def main() -> Found:
        politeness = Politeness(tries=1)
        async with aclosing(crawl(BASE, fetcher=fetcher, politeness=politeness)) as stream:
            return {found.url.removeprefix(BASE): found async for found in stream}

    return asyncio.run(main())


SITE: Mapping[str, Answer] = {
    "": page("start", "a", "moved", "dead", "same"),
    "a": page("a", "b", "a", "broken"),
    "b": page("b", "a"),
    "same": page("b", "a"),
    "moved": FetchResponse("", 301, {"location": "/docs/target"}),
    "target": page("target"),
    "broken": FetchError(BASE + "broken", "timeout", "not answered", transient=True),
    "https://x.org/sitemap.xml": FetchResponse(
        "", 200, {"content-type": "application/xml"}, b"<urlset><url><loc>/docs/listed</loc></url></urlset>"
    ),
    "listed": page("listed"),
}


def test_every_address_says_what_named_it_first_and_where() -> None:
    told = {name: (one.visit.source, one.visit.found_on.removeprefix(BASE)) for name, one in run(SITE).items()}
    assert told == {
        "": ("start", ""),
        "a": ("link", ""),
        "moved": ("link", ""),
        "dead": ("link", ""),
        "same": ("link", ""),
        "listed": ("sitemap", "https://x.org/sitemap.xml"),
        "b": ("link", "a"),
        "broken": ("link", "a"),
        "target": ("redirect", "moved"),
    }
    assert {name: one.visit.depth for name, one in run(SITE).items()} == {
        "": 0, "a": 1, "moved": 1, "dead": 1, "same": 1, "listed": 1, "b": 2, "broken": 2, "target": 1
    }  # fmt: skip


def test_a_page_that_was_read_tells_its_size_and_what_was_kept_whatever_becomes_of_it() -> None:
    found = run(SITE)
    for name in ("a", "b"):
        visit = found[name].visit
        body = SITE[name]
        assert isinstance(body, str)
        assert visit.bytes == len(body)
        assert visit.kept is not None
        assert visit.kept.characters > 0
        assert (visit.seconds is None, visit.at is None, visit.empty) == (False, False, False)
    assert isinstance(found["b"], SkippedPage)  # a copy of `same`


def test_what_was_not_read_has_no_figures_and_what_was_not_asked_for_no_time() -> None:
    robots = FetchResponse("", 200, {"content-type": "text/plain"}, b"User-agent: *\nDisallow: /docs/a")
    found = run({**SITE, "https://x.org/robots.txt": robots})
    assert (found["dead"].visit.kept, found["dead"].visit.bytes) == (None, 0)
    assert (found["a"].visit.at, found["a"].visit.seconds, found["a"].visit.bytes) == (None, None, None)


def test_an_empty_page_is_told_from_one_that_is_not_the_sites_own() -> None:
    login = "<title>Log in</title><form><p>Log in</p><input type=password></form>"
    found = run({"": page("start", "empty", "login"), "empty": "<p> </p>", "login": login})
    assert found["empty"].visit.empty
    assert not found["login"].visit.empty
    assert not found[""].visit.empty


def test_the_time_is_that_of_all_tries_without_the_waits() -> None:
    now = 0.0

    class Slow:
        """Takes two seconds for an answer, and fails at first."""

        def __init__(self, *answers: int) -> None:
            self.answers = list(answers)

        async def fetch(self, request: FetchRequest) -> FetchResponse:
            nonlocal now
            now += 2
            status = self.answers.pop(0)
            if status in (0, -1):
                raise FetchError(request.url, "reset", "cut off", transient=status == 0)
            return FetchResponse(request.url, status)

        async def aclose(self) -> None:
            return None

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += 100 + seconds

    async def seconds(*answers: int) -> float | None:
        fetcher = PoliteFetcher(Slow(*answers), Politeness(tries=2), clock=lambda: now, sleep=sleep)
        try:
            return (await fetcher.fetch(FetchRequest(BASE))).seconds
        except FetchError as error:
            return error.seconds

    assert asyncio.run(seconds(200)) == 2
    assert asyncio.run(seconds(500, 404)) == 4
    assert asyncio.run(seconds(500, 500)) == 4
    assert asyncio.run(seconds(0, 0)) == 4
    assert asyncio.run(seconds(-1)) == 2
