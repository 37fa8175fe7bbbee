"""The crawl as a stream: its order, its limits, its refusals, and what a second crawl does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ingest import CrawledPage, FakeFetcher, SkippedPage, crawl
from ingest.errors import BadInput, FetchError, StartRefused
from ingest.ledger import KnownPage
from ingest.models import FetchRequest, FetchResponse
from ingest.pace import Politeness

BASE = "https://x.org/docs/"
ROBOTS = "https://x.org/robots.txt"
OUTSIDE = "https://x.org/a"
Answer = FetchResponse | FetchError | str
Found = CrawledPage | SkippedPage


def page(name: str, *links: str, head: str = "") -> str:
    anchors = "".join(f"<a href='{link}'>to {link}</a> " for link in links)
    return f"<head>{head}<title>{name}</title></head><h1>{name}</h1><p>This is {name}.</p>{anchors}"


def answer(status: int = 200, body: str = "", **headers: str) -> FetchResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FetchResponse("", status, {"content-type": "text/html", **named}, body.encode())


def robots(text: str) -> FetchResponse:
    return FetchResponse("", 200, {"content-type": "text/plain"}, text.encode())


def site(pages: Mapping[str, Answer]) -> FakeFetcher:
    """A site below BASE; names that are whole addresses are kept."""
    return FakeFetcher({name if "://" in name else BASE + name: found for name, found in pages.items()})


def run(pages: Mapping[str, Answer] | FakeFetcher, start: str = BASE, **options: Any) -> list[Found]:
    fetcher = pages if isinstance(pages, FakeFetcher) else site(pages)
    options.setdefault("discover", "links")  # test_discovery.py is about the site's lists

    async def main() -> list[Found]:
        async with aclosing(crawl(start, fetcher=fetcher, **options)) as stream:
            return [found async for found in stream]

    return asyncio.run(main())


def told(found: Sequence[Found]) -> list[str]:
    """The stream in short: names of pages, and of what was left out with its outcome."""
    return [
        one.url.removeprefix(BASE) if isinstance(one, CrawledPage) else f"{one.url.removeprefix(BASE)}:{one.outcome}"
        for one in found
    ]


def reason(found: Sequence[Found], name: str) -> str:
    (left,) = [one for one in found if isinstance(one, SkippedPage) and one.url == BASE + name]
    return left.reason


# --- a ledger that remembers ----------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    url: str
    address: str
    depth: int
    stored: bool = False
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    extractor: str | None = None
    links: Sequence[str] = ()
    gone: bool = False


@dataclass
class RecordingLedger:
    """What a store's ledger does, in memory; `store` stands for the page swap."""

    rows: dict[str, Row] = field(default_factory=dict)
    settled: dict[str, tuple[str, str]] = field(default_factory=dict)
    frontier: list[str] = field(default_factory=list)
    opened: int = 0
    taken: list[str] = field(default_factory=list)
    extractors: list[str | None] = field(default_factory=list)

    async def open(self) -> "RecordingLedger":
        self.opened += 1
        self.settled, self.frontier, self.taken = {}, [], []
        return self

    def store(self, found: CrawledPage) -> None:
        row = self.rows[found.url]
        self.rows[found.url] = Row(
            row.url, row.address, row.depth, True, found.etag, found.last_modified, found.content_hash,
            found.extractor, tuple(found.links),
        )  # fmt: skip
        self.settled[found.url] = ("stored", "")

    async def known(self) -> AsyncIterator[Sequence[tuple[str, str, int]]]:
        yield [(row.url, row.address, row.depth) for row in self.rows.values()]

    async def revisit(self, known: Sequence[tuple[str, str, int]], *, extractor: str | None = None) -> None:
        self.extractors.append(extractor)
        await self.discover(known)

    async def discover(
        self, found: Sequence[tuple[str, str, int]], *, listed: Mapping[str, float] | None = None
    ) -> None:
        for url, address, depth in found:
            row = self.rows.setdefault(url, Row(url, address, depth))
            self.rows[url] = replace(row, depth=min(row.depth, depth))
            if url not in self.frontier and url not in self.taken:
                self.frontier.append(url)

    async def take(self, count: int, *, max_depth: int | None = None) -> Sequence[KnownPage]:
        ready, self.frontier[:] = self.frontier[:count], self.frontier[count:]
        self.taken += ready
        return [self.rows[url] for url in ready]

    async def settle(self, url: str, outcome: str, reason: str, facts: Mapping[str, object]) -> None:
        self.settled[url] = (outcome, reason)

    async def holder(self, content_hash: str) -> str | None:
        return next((row.url for row in self.rows.values() if row.content_hash == content_hash), None)

    async def waiting(self) -> int:
        return len({*self.frontier, *self.taken} - set(self.settled))

    async def counted(self) -> int:
        return 0


def run_stored(ledger: RecordingLedger, pages: Mapping[str, Answer] | FakeFetcher, **options: Any) -> list[Found]:
    found = run(pages, open_ledger=ledger.open, **options)
    for one in found:
        if isinstance(one, CrawledPage):
            ledger.store(one)
    return found


# --- order and limits -----------------------------------------------------------------------------


class SlowSite(FakeFetcher):
    """Each answer waits for so many turns of the loop."""

    def __init__(self, pages: Mapping[str, Answer], turns: Callable[[int], int]) -> None:
        super().__init__(site(pages).pages)
        self.turns = turns
        self.running = self.most = self.cancelled = 0

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(self.turns(len(self.requests))):
                await asyncio.sleep(0)
            return await super().fetch(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


TREE = {
    "": page("start", "a", "b", "c"),
    "a": page("a", "a1", "a2", "b"),
    "b": page("b", "b1"),
    "c": page("c", "a1", "c1"),
    **{name: page(name) for name in ("a1", "a2", "b1", "c1")},
}
ORDER = ["", "a", "b", "c", "a1", "a2", "b1", "c1"]


@pytest.mark.parametrize("concurrency", [1, 3, 8])
@pytest.mark.parametrize("turns", [lambda n: 0, lambda n: 40 - n, lambda n: n * 7 % 11], ids=["0", "z", "m"])
def test_the_stream_is_in_order_of_discovery_whatever_answers_first(
    turns: Callable[[int], int], concurrency: int
) -> None:
    fetcher = SlowSite(TREE, turns)
    assert told(run(fetcher, concurrency=concurrency)) == ORDER
    assert fetcher.most <= concurrency
    assert concurrency == 1 or turns(1) == 0 or fetcher.most > 1


@pytest.mark.promise("C6")
def test_limit_counts_new_and_unchanged_pages_and_leaves_the_rest_waiting() -> None:
    pages = {"": page("start", "gone", "a", "b", "c"), **{n: page(n) for n in "abc"}}
    ledger = RecordingLedger()
    assert told(run_stored(ledger, pages, limit=2)) == ["", "gone:skipped", "a"]
    assert asyncio.run(ledger.waiting()) == 2
    assert told(run_stored(ledger, pages, limit=3)) == [":unchanged", "gone:skipped", "a:unchanged", "b"]
    assert asyncio.run(ledger.waiting()) == 1
    assert told(run(pages, limit=1)) == [""]


@pytest.mark.promise("C6")
def test_no_page_over_the_limit_is_asked_for() -> None:
    fetcher = site({"": page("start", *"abcdef"), **{n: page(n) for n in "abcdef"}})
    run(fetcher, limit=3, concurrency=8)
    assert [asked.url for asked in fetcher.requests] == [ROBOTS, BASE, BASE + "a", BASE + "b"]


@pytest.mark.promise("C6")
@pytest.mark.parametrize(("depth", "expected"), [(0, ORDER[:1]), (1, ORDER[:4]), (2, ORDER), (None, ORDER)])
def test_max_depth_is_exact(depth: int | None, expected: list[str]) -> None:
    assert told(run(TREE, max_depth=depth)) == expected


@pytest.mark.promise("C11")
def test_an_endless_site_ends_by_its_limit() -> None:
    class Endless(FakeFetcher):
        async def fetch(self, request: FetchRequest) -> FetchResponse:
            number = len(self.requests)
            self.pages[request.url] = page(f"n{number}", f"{number}x", f"{number}y")
            return await super().fetch(request)

    assert len(run(Endless({ROBOTS: ""}), limit=50, robots="ignore")) == 50


def test_closing_the_stream_early_cancels_what_is_under_way() -> None:
    fetcher = SlowSite(TREE, lambda n: 0 if n < 3 else 10_000)

    async def main() -> tuple[Found, int, int]:
        async with aclosing(crawl(BASE, fetcher=fetcher, concurrency=8, discover="links")) as stream:
            first = [await anext(stream), await anext(stream)]
            for _ in range(5):
                await asyncio.sleep(0)
            under_way = fetcher.running
        return first[1], under_way, len(asyncio.all_tasks())

    second, under_way, tasks = asyncio.run(main())
    assert second.url == BASE + "a"
    assert under_way > 0
    assert fetcher.cancelled == under_way
    assert (fetcher.running, tasks) == (0, 1)


# --- wrong input and a start that cannot be crawled -----------------------------------------------


@pytest.mark.promise("C2")
@pytest.mark.parametrize(
    ("start", "options", "part"),
    [
        ("x.org/docs", {}, "did you mean https://x.org/docs"),
        ("ftp://x.org/", {}, "the scheme ftp"),
        (BASE, {"path_regex": "("}, "path_regex '(' is not a regular expression"),
        (BASE, {"include": ["*"]}, "include '*'"),
        (BASE, {"exclude": ["a", "["]}, "exclude '['"),
        (BASE, {"limit": 0}, "limit is 0"),
        (BASE, {"limit": -3}, "limit is -3"),
        (BASE, {"concurrency": 0}, "concurrency is 0"),
        (BASE, {"max_depth": -1}, "max_depth is -1"),
        (BASE, {"robots": "maybe"}, "robots is 'maybe'"),
    ],
)
def test_wrong_input_is_told_before_any_request(start: str, options: dict[str, Any], part: str) -> None:
    fetcher = site(TREE)
    ledger = RecordingLedger()
    with pytest.raises(BadInput) as caught:
        run(fetcher, start, open_ledger=ledger.open, **options)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (fetcher.requests, ledger.opened) == ([], 0)


@pytest.mark.promise("C11")
@pytest.mark.parametrize(
    ("pages", "parts"),
    [
        ({"": answer(404)}, ["answers 404", "Check the URL"]),
        ({"": answer(410)}, ["answers 410"]),
        ({"": answer(403)}, ["answers 403", "login or refuses crawlers"]),
        ({"": answer(500)}, ["answers 500", "try again later"]),
        ({"": answer(content_type="application/pdf")}, ["is application/pdf, not a page"]),
        ({"": answer(301, location="https://y.org/docs/")}, ["start from https://y.org/docs/"]),
        ({"": answer(body="<meta http-equiv=refresh content='0; url=https://y.org/'>")}, ["start from https://y.org/"]),
        ({"": answer(301, location="/a"), OUTSIDE: answer(302, location=BASE)}, ["in a circle"]),
        ({"": answer(301, location="/a"), OUTSIDE: answer(404)}, [f"redirected to {OUTSIDE}", "404"]),
        ({"": FetchError(BASE, "refused", "the host refused the connection")}, ["refused", "server is up"]),
        ({ROBOTS: robots("User-agent: *\nDisallow: /docs/")}, ["robots.txt", "--robots ignore"]),
        ({ROBOTS: robots("User-agent: *\nContent-Signal: ai-input=no")}, ["ai-input=no"]),
        ({ROBOTS: answer(503)}, ["robots.txt answers 503"]),
        ({"": answer(301, location="no/a"), ROBOTS: robots("User-agent: *\nDisallow: /docs/no")},
         ["redirects to https://x.org/docs/no/a", "robots.txt disallows it"]),
    ],
)  # fmt: skip
def test_a_start_that_cannot_be_crawled_is_refused_in_one_sentence_and_leaves_no_trace(
    pages: dict[str, Answer], parts: list[str]
) -> None:
    ledger = RecordingLedger()
    with pytest.raises(StartRefused) as caught:
        run(pages, open_ledger=ledger.open, politeness=Politeness(first_wait=0, first_backoff=0))
    message = str(caught.value)
    assert [part for part in (BASE, *parts) if part not in message] == []
    assert "\n" not in message
    assert message.endswith(".")
    assert ".." not in message
    assert ledger.opened == 0


@pytest.mark.promise("C2")
def test_a_start_that_redirects_on_its_host_moves_the_scope_there() -> None:
    pages = {
        "": answer(302, location="/docs/en/"),
        "en/": page("en", "a", "/docs/de/"),
        "en/a": page("a"),
        "de/": page("de"),
    }
    fetcher = site(pages)
    assert told(run(fetcher)) == ["en/", "en/a"]
    assert [asked.url for asked in fetcher.requests].count(BASE + "en/") == 1


@pytest.mark.promise("C2")
def test_a_start_that_only_sends_on_is_a_redirect() -> None:
    pages = {
        "": "<meta http-equiv=refresh content='1; url=latest/'>Redirecting to <a href=latest/>latest</a>",
        "latest/": page("latest", "a", "/docs/old/"),
        "latest/a": page("a"),
        "old/": page("old"),
    }
    fetcher = site(pages)
    assert told(run(fetcher)) == ["latest/", "latest/a"]
    assert [asked.url for asked in fetcher.requests].count(BASE + "latest/") == 1


def test_a_page_that_only_sends_on_is_an_alias_of_where_it_leads() -> None:
    pages = {"": page("start", "a"), "a": "<meta http-equiv=refresh content='0; url=b'>", "b": page("b")}
    found = run(pages)
    assert told(found) == ["", "a:duplicate", "b"]
    assert reason(found, "a") == f"redirects to {BASE}b"


@pytest.mark.promise("C2")
def test_a_start_page_that_does_not_match_is_read_for_its_links() -> None:
    found = run({"": page("start", "a", "b"), "a": page("a"), "b": page("b")}, path_regex="a$")
    assert told(found) == [":skipped", "a"]
    assert "read for its links only" in reason(found, "")


# --- robots ---------------------------------------------------------------------------------------


@pytest.mark.promise("C1")
def test_links_that_robots_txt_disallows_are_listed_and_not_asked_for() -> None:
    fetcher = site({**TREE, ROBOTS: robots("User-agent: *\nDisallow: /docs/b")})
    found = run(fetcher)
    assert told(found) == ["", "a", "b:skipped", "c", "a1", "a2", "c1"]
    assert reason(found, "b") == "robots.txt disallows it"
    assert BASE + "b" not in [asked.url for asked in fetcher.requests]
    ignoring = site(fetcher.pages)
    assert told(run(ignoring, robots="ignore")) == ORDER
    assert ROBOTS not in [asked.url for asked in ignoring.requests]


@pytest.mark.promise("C1")
def test_noindex_and_nofollow_are_obeyed() -> None:
    pages = {
        "": page("start", "a", "b", "c"),
        "a": page("a", "a1", head="<meta name=robots content=noindex>"),
        "b": answer(200, page("b", "b1"), x_robots_tag="nofollow"),
        "c": answer(200, page("c", "c1"), x_robots_tag="none"),
        "a1": page("a1"),
        "b1": page("b1"),
        "c1": page("c1"),
    }
    assert told(run(pages)) == ["", "a:skipped", "b", "c:skipped", "a1"]


# --- findings, duplicates -------------------------------------------------------------------------


@pytest.mark.promise("C11")
def test_everything_that_was_taken_up_is_in_the_stream_once_with_its_reason() -> None:
    links = ["gone", "big", "file.pdf", "empty", "old", "out", "twin", "v?utm_source=x", "loop", "ok"]
    pages: dict[str, Answer] = {
        "": page("start", *links),
        "big": FetchError(BASE + "big", "too_large", "its body is larger than 9 bytes"),
        "file.pdf": answer(content_type="application/pdf"),
        "empty": page("").replace("This is .", ""),
        "old": answer(301, location="ok"),
        "out": answer(301, location="/blog/"),
        "twin": page("start", *links),
        "loop": answer(302, location="loop"),
        "v": page("v", head="<link rel=canonical href='/docs/v.html'>"),
        "v?utm_source=x": page("v", head="<link rel=canonical href='/docs/v.html'>"),
        "v.html": page("v"),
        "ok": page("ok"),
    }  # fmt: skip
    found = run(pages)
    assert told(found) == [
        "", "gone:skipped", "big:failed", "file.pdf:skipped", "empty:quarantined", "old:duplicate",
        "out:skipped", "twin:duplicate", "v:duplicate", "loop:skipped", "ok", "v.html",
    ]  # fmt: skip
    assert all(one.reason for one in found if isinstance(one, SkippedPage))
    assert reason(found, "gone") == "404 Not Found"
    assert reason(found, "twin") == f"the same content as {BASE}"
    assert not any(one.transient for one in found if isinstance(one, SkippedPage))


def test_links_from_frames_and_base_lead_on() -> None:
    pages = {
        "": '<base href="/docs/in/"><frameset><frame src="f"></frameset>',
        "in/f": page("f", "g"),
        "in/g": page("g"),
    }
    assert told(run(pages)) == [":quarantined", "in/f", "in/g"]


# --- a second crawl -------------------------------------------------------------------------------


def test_a_second_crawl_of_the_same_site_finds_everything_unchanged() -> None:
    ledger = RecordingLedger()
    assert told(run_stored(ledger, TREE)) == ORDER
    assert told(run_stored(ledger, TREE)) == [f"{name}:unchanged" for name in ORDER]


@pytest.mark.promise("C9")
def test_a_304_gives_the_links_that_are_stored() -> None:
    pages = {"": page("start", "a"), "a": answer(200, page("a", "b"), etag='"1"'), "b": page("b")}
    ledger = RecordingLedger()
    run_stored(ledger, pages)
    del ledger.rows[BASE + "b"]  # known only from the links of `a` now
    fetcher = site({**pages, "a": answer(304)})
    assert told(run_stored(ledger, fetcher)) == [":unchanged", "a:unchanged", "b"]
    sent = {asked.url: asked.headers for asked in fetcher.requests}
    assert sent[BASE + "a"] == {"If-None-Match": '"1"'}


@pytest.mark.promise("C9")
def test_a_forced_crawl_asks_without_validators_and_takes_every_page_as_changed() -> None:
    pages = {"": page("start", "a"), "a": answer(200, page("a"), etag='"1"')}
    ledger = RecordingLedger()
    run_stored(ledger, pages)
    fetcher = site(pages)
    assert told(run_stored(ledger, fetcher, revisit="force")) == ["", "a"]
    assert all(not asked.headers for asked in fetcher.requests if asked.url.startswith(BASE))
    assert told(run_stored(ledger, site(pages), revisit="due")) == [":unchanged", "a:unchanged"]
    first, forced, due = ledger.extractors
    assert (first, forced, due) == (None, None, ledger.rows[BASE].extractor)


@pytest.mark.promise("C10")
def test_a_page_that_was_read_and_not_stored_is_read_again() -> None:
    ledger = RecordingLedger()
    pages = {"": page("start", "a"), "a": answer(200, page("a"), etag='"1"')}
    run(pages, open_ledger=ledger.open)  # nothing is stored
    fetcher = site(pages)
    assert told(run_stored(ledger, fetcher)) == ["", "a"]
    assert all(not asked.headers for asked in fetcher.requests if asked.url.startswith(BASE))


@pytest.mark.promise("E3")
def test_a_stored_page_whose_fetch_fails_is_failed_and_stays() -> None:
    ledger = RecordingLedger()
    pages: dict[str, Answer] = {"": page("start", "a"), "a": page("a")}
    run_stored(ledger, pages)
    before = ledger.rows[BASE + "a"]
    pages["a"] = FetchError(BASE + "a", "tls", "its certificate is wrong")
    assert told(run_stored(ledger, pages)) == [":unchanged", "a:failed"]
    assert ledger.settled[BASE + "a"] == ("failed", "its certificate is wrong")
    assert ledger.rows[BASE + "a"] == before


@pytest.mark.promise("E3")
def test_a_page_that_nothing_links_to_any_more_is_visited_all_the_same() -> None:
    ledger = RecordingLedger()
    run_stored(ledger, {"": page("start", "a"), "a": page("a")})
    assert told(run_stored(ledger, {"": page("start"), "a": page("a", "x")})) == ["", "a", "x:skipped"]


@pytest.mark.promise("C8")
def test_a_stored_page_that_became_empty_is_quarantined_and_its_last_good_version_stays() -> None:
    ledger = RecordingLedger()
    run_stored(ledger, {"": page("start", "a"), "a": page("a")})
    before = ledger.rows[BASE + "a"]
    found = run_stored(ledger, {"": page("start", "a"), "a": answer(200, "<div id=app></div>", etag='"new"')})
    assert told(found) == [":unchanged", "a:quarantined"]
    assert ledger.rows[BASE + "a"] == before


def test_what_was_fetched_is_heard_before_the_page_that_is_read_from_it() -> None:
    heard: list[FetchResponse] = []
    found = run(
        {
            "": page("start", "a"),
            "a": page("a"),
        },
        heard=heard.append,
    )
    assert told(found) == ["", "a"]
    assert [one.url for one in heard] == [BASE, f"{BASE}a"]
    assert heard[0].body == page("start", "a").encode()
