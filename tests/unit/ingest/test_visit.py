"""One visit: what each answer of a site means, and how often and how fast it is asked for."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ingest.errors import FetchError
from ingest.fetcher import FakeFetcher
from ingest.models import Fetcher, FetchRequest, FetchResponse, Freshness, Outcome
from ingest.page import EXTRACTOR, content_hash, html_to_markdown
from ingest.visit import Visit, Visitor

A = "https://x.org/docs/a"
HTML = {"content-type": "text/html"}
PAGE = "<title>A</title><h1>A</h1><p>Text of a.</p><a href='b'>b</a>"
HASH = content_hash(html_to_markdown(PAGE, A))


@dataclass(frozen=True)
class Known:
    url: str = A
    address: str = A
    depth: int = 1
    stored: bool = False
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    extractor: str | None = None
    links: tuple[str, ...] = ()
    gone: bool = False


STORED = Known(
    stored=True,
    etag='"1"',
    last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
    content_hash=HASH,
    extractor=EXTRACTOR,
    links=("https://x.org/docs/kept",),
)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Answers(FakeFetcher):
    """A site whose address A gives these answers in turn, the last one for ever."""

    def __init__(self, *answers: FetchResponse | FetchError | str) -> None:
        super().__init__({})
        self.left = list(answers)

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        if request.url == A:
            self.pages[A] = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return await super().fetch(request)

    @property
    def asked(self) -> int:
        return sum(request.url == A for request in self.requests)


def answer(status: int, headers: Mapping[str, str] = HTML, body: str = "") -> FetchResponse:
    return FetchResponse(A, status, headers, body.encode())


def visit(fetcher: Fetcher, known: Known = Known(), clock: Clock | None = None, **settings: Any) -> Visit:
    clock = clock or Clock()
    visitor = Visitor(fetcher, clock=clock, sleep=clock.sleep, **settings)
    return asyncio.run(visitor.visit(known))


def test_a_page_is_read_with_its_facts() -> None:
    headers = {**HTML, "etag": '"2"', "last-modified": "then"}
    found = visit(Answers(answer(200, headers, PAGE)))
    assert found.page is not None
    assert (found.page.url, found.page.title, found.page.depth) == (A, "A", 1)
    assert (found.page.etag, found.page.last_modified) == ('"2"', "then")
    assert (found.page.content_hash, found.page.extractor) == (HASH, EXTRACTOR)
    assert found.page.links == found.links == ("https://x.org/docs/b",)
    assert found.page.fetched_at > 0


# --- what an answer means -------------------------------------------------------------------------


@pytest.mark.promise("C11")
@pytest.mark.parametrize(
    ("status", "headers", "outcome", "reason"),
    [
        (404, HTML, Outcome.SKIPPED, "404 Not Found"),
        (410, HTML, Outcome.SKIPPED, "410 Gone"),
        (403, HTML, Outcome.FAILED, "403 Forbidden"),
        (501, HTML, Outcome.FAILED, "501 Not Implemented"),
        (799, HTML, Outcome.FAILED, "status 799"),
        (304, HTML, Outcome.FAILED, "304 Not Modified"),
        (302, HTML, Outcome.SKIPPED, "302 without a usable Location"),
        (302, {"location": "mailto:a@b.c"}, Outcome.SKIPPED, "302 without a usable Location"),
        (200, {"content-type": "application/pdf; x=y"}, Outcome.SKIPPED, "application/pdf is not a page"),
        (200, {**HTML, "content-signal": "ai-input=no"}, Outcome.SKIPPED, "Content-Signal"),
    ],
)
def test_an_answer_that_is_no_page_has_an_outcome_and_a_reason(
    status: int, headers: Mapping[str, str], outcome: Outcome, reason: str
) -> None:
    fetcher = Answers(answer(status, headers, PAGE))
    found = visit(fetcher)
    assert (found.page, found.outcome, found.transient) == (None, outcome, False)
    assert reason in found.reason
    assert fetcher.asked == 1


@pytest.mark.promise("C8")
@pytest.mark.parametrize("body", ["", "<body><script>app()</script><nav>menu</nav>", "<p>\u200b </p>"])
def test_a_page_without_text_is_quarantined(body: str) -> None:
    found = visit(Answers(answer(200, HTML, body)), STORED)
    assert (found.outcome, found.reason) == (Outcome.QUARANTINED, "no text was found in it")


@pytest.mark.promise("C1")
@pytest.mark.parametrize(
    ("headers", "head", "indexed", "followed"),
    [
        ({}, "", True, True),
        ({"x-robots-tag": "noindex"}, "", False, True),
        ({"x-robots-tag": "nofollow"}, "", True, False),
        ({"x-robots-tag": "none"}, "", False, False),
        ({"x-robots-tag": "googlebot: noindex"}, "", True, True),
        ({"x-robots-tag": "syncline: noindex, nofollow"}, "", False, False),
        ({}, "<meta name=robots content=noindex>", False, True),
        ({}, "<meta name=robots content=nofollow>", True, False),
        ({"x-robots-tag": "nofollow"}, "<meta name=robots content=noindex>", False, False),
    ],
)
def test_noindex_and_nofollow_are_obeyed_wherever_they_stand(
    headers: Mapping[str, str], head: str, indexed: bool, followed: bool
) -> None:
    page = answer(200, {**HTML, **headers}, head + PAGE)
    found = visit(Answers(page))
    assert (found.page is not None, bool(found.links)) == (indexed, followed)
    assert indexed or (found.outcome is Outcome.SKIPPED and "noindex" in found.reason)
    ignored = visit(Answers(page), robots="ignore")
    assert ignored.page is not None
    assert ignored.links


@pytest.mark.promise("C1")
def test_robots_txt_is_asked_first_and_what_it_forbids_is_not_requested() -> None:
    fetcher = Answers(PAGE)
    fetcher.pages["https://x.org/robots.txt"] = "User-agent: *\nDisallow: /docs/a"
    fetcher.pages["https://x.org/robots.txt"] = FetchResponse(
        "", 200, {"content-type": "text/plain"}, b"User-agent: *\nDisallow: /docs/a"
    )
    found = visit(fetcher)
    assert (found.outcome, found.reason, found.transient) == (
        Outcome.SKIPPED,
        "robots.txt disallows it",
        False,
    )
    assert fetcher.asked == 0


@pytest.mark.promise("E3")
def test_a_robots_txt_that_cannot_be_had_is_a_failure_and_not_a_refusal() -> None:
    fetcher = Answers(PAGE)
    fetcher.pages["https://x.org/robots.txt"] = FetchResponse("", 503)
    found = visit(fetcher, STORED)
    assert (found.outcome, found.transient, fetcher.asked) == (Outcome.FAILED, True, 0)


# --- again ----------------------------------------------------------------------------------------


def test_a_503_is_asked_again_and_its_retry_after_is_kept() -> None:
    clock = Clock()
    fetcher = Answers(answer(503, {"retry-after": "20"}), PAGE)
    found = visit(fetcher, clock=clock)
    assert found.page is not None
    assert fetcher.asked == 2
    assert clock.now >= 20


@pytest.mark.promise("C11")
@pytest.mark.parametrize(
    "failure", [answer(503), answer(500), FetchError(A, "reset", "the connection broke", transient=True)]
)
def test_what_fails_three_times_is_failed_and_worth_a_later_run(failure: FetchResponse | FetchError) -> None:
    clock = Clock()
    fetcher = Answers(failure)
    found = visit(fetcher, STORED, clock)
    assert (found.outcome, found.transient, fetcher.asked) == (Outcome.FAILED, True, 3)
    assert found.reason in ("503 Service Unavailable", "500 Internal Server Error", "the connection broke")
    assert clock.now > 0.7


def test_what_will_not_change_is_not_asked_for_again() -> None:
    fetcher = Answers(FetchError(A, "too_large", "its body is larger than 9 bytes"))
    found = visit(fetcher)
    assert (found.outcome, found.transient, fetcher.asked) == (Outcome.FAILED, False, 1)
    assert found.reason == "its body is larger than 9 bytes"


def test_a_host_that_wants_a_long_rest_is_left_alone() -> None:
    clock = Clock()
    fetcher = Answers(answer(429, {"retry-after": "86400"}), PAGE)
    found = visit(fetcher, clock=clock)
    assert (found.outcome, found.transient, fetcher.asked) == (Outcome.FAILED, True, 1)
    assert "left alone for 86," in found.reason
    assert clock.now < 60


@pytest.mark.promise("C9")
def test_validators_are_sent_and_a_304_gives_the_stored_links() -> None:
    fetcher = Answers(answer(304))
    found = visit(fetcher, STORED)
    assert fetcher.requests[-1].headers == {
        "If-None-Match": '"1"',
        "If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT",
    }
    assert (found.outcome, found.links) == (Outcome.UNCHANGED, STORED.links)


@pytest.mark.promise("C9")
@pytest.mark.parametrize("changed", [{"stored": False}, {"extractor": "0"}, {"extractor": None}])
def test_validators_are_not_sent_for_what_is_not_stored_or_was_read_by_another_version(
    changed: dict[str, Any],
) -> None:
    fetcher = Answers(PAGE)
    found = visit(fetcher, Known(**{**vars(STORED), **changed}))
    assert fetcher.requests[-1].headers == {}
    assert found.page is not None


@pytest.mark.promise("C9")
def test_the_same_content_is_unchanged_whatever_the_validators_say() -> None:
    found = visit(Answers(answer(200, {**HTML, "etag": '"2"'}, PAGE + "<script>now()</script>")), STORED)
    assert (found.page, found.outcome, found.etag) == (None, Outcome.UNCHANGED, '"2"')
    assert found.links == ("https://x.org/docs/b",)


@pytest.mark.promise("C9")
def test_a_description_that_changed_leaves_the_page_unchanged_and_is_told() -> None:
    found = visit(Answers(answer(200, HTML, '<meta name="description" content="New">' + PAGE)), STORED)
    assert found.outcome is Outcome.UNCHANGED
    assert found.metadata == {"source_url": STORED.url, "title": "A", "description": "New"}


# --- addresses ------------------------------------------------------------------------------------


def test_a_redirect_is_handed_over_and_not_followed() -> None:
    fetcher = Answers(answer(301, {"location": "../b?x#y"}))
    found = visit(fetcher)
    assert (found.redirect, found.page) == ("https://x.org/b?x", None)
    assert fetcher.asked == 1


@pytest.mark.parametrize(("seconds", "gone"), [(0, True), (2, False)])
def test_a_document_that_only_sends_on_is_a_redirect_and_for_good_where_it_does_so_at_once(
    seconds: int, gone: bool
) -> None:
    html = f"<meta http-equiv=refresh content='{seconds}; url=../b'><meta name=robots content=noindex>Moved."
    found = visit(Answers(answer(200, HTML, html)), STORED)
    assert (found.redirect, found.gone, found.outcome) == ("https://x.org/b", gone, None)


def test_a_document_that_only_sends_to_a_login_is_quarantined() -> None:
    found = visit(Answers(answer(200, HTML, "<meta http-equiv=refresh content='0; url=/login?next=/docs/a'>")))
    assert found.outcome is Outcome.QUARANTINED
    assert "redirects to a login" in found.reason


@pytest.mark.promise("C5")
def test_a_redirect_to_another_spelling_of_the_same_page_is_followed_at_once() -> None:
    written = "https://x.org/docs/%7Ea"
    fetcher = FakeFetcher(
        {
            written: FetchResponse("", 301, {"location": "/docs/~a"}),
            "https://x.org/docs/~a": PAGE,
        }
    )
    found = visit(fetcher, Known(url="https://x.org/docs/~a", address=written))
    assert found.page is not None
    assert found.page.url == "https://x.org/docs/~a"


def test_a_redirect_to_itself_ends() -> None:
    fetcher = Answers(answer(302, {"location": A}))
    assert visit(fetcher).redirect == A
    assert fetcher.asked == 1


def canonical(url: str) -> str:
    return f"<link rel=canonical href='{url}'>{PAGE}"


@pytest.mark.promise("C5")
@pytest.mark.parametrize(
    ("named", "other", "believed"),
    [
        ("https://x.org/docs/a/", PAGE, True),
        ("https://x.org/docs/a.html", PAGE, True),
        ("https://x.org/docs/a?lang=en", canonical("https://x.org/docs/a?lang=en"), True),
        ("https://x.org/docs/A", PAGE, True),
        (A, PAGE, False),
        ("https://x.org/", PAGE, False),  # a site that names its home page everywhere
        ("https://y.org/docs/a/", PAGE, False),
        ("http://x.org/docs/a", PAGE, False),
        ("https://x.org/docs/a/", answer(404), False),
        ("https://x.org/docs/a/", answer(301, {"location": A}), False),  # it leads back
        ("https://x.org/docs/a/", canonical(A), False),  # each names the other
        ("https://x.org/docs/a/", answer(200, {"content-type": "application/pdf"}), False),
        ("https://x.org/docs/a/", FetchError(A, "refused", "refused"), False),
    ],
)
def test_a_canonical_address_is_believed_where_it_is_another_spelling_and_a_page(
    named: str, other: FetchResponse | FetchError | str, believed: bool
) -> None:
    fetcher = Answers(canonical(named))
    fetcher.pages[named] = other
    found = visit(fetcher)
    assert found.page is not None
    assert found.canonical == (named if believed else None)


def test_a_kept_answer_is_used_once() -> None:
    async def run() -> tuple[Visit, Visit, int]:
        fetcher = Answers(PAGE)
        visitor = Visitor(fetcher)
        visitor.keep(answer(200, HTML, PAGE + "<p>kept</p>"))
        return await visitor.visit(Known()), await visitor.visit(Known()), fetcher.asked

    first, second, asked = asyncio.run(run())
    assert first.page is not None
    assert second.page is not None
    assert ("kept" in first.page.markdown, "kept" in second.page.markdown, asked) == (True, False, 1)


# --- not the page ---------------------------------------------------------------------------------


@pytest.mark.promise("C8")
@pytest.mark.parametrize(
    ("found", "reason", "transient", "follows"),
    [
        (
            answer(403, {**HTML, "cf-mitigated": "challenge"}),
            "challenge (Cloudflare) instead of the page, with 403",
            True,
            False,
        ),
        (answer(200, HTML, "<title>Just a moment...</title><a href=x>x</a>"), "challenge (Cloudflare)", True, False),
        (
            answer(302, {"location": "/login?next=%2Fdocs%2Fa"}),
            "a login instead of the page: https://x.org/login",
            False,
            False,
        ),
        (answer(200, HTML, "<h1>Sign in</h1><input type=password><a href=b>b</a>"), "login form", False, False),
        (answer(200, HTML, "<nav><a href=b>b</a></nav>"), "no text was found", False, True),
        (
            answer(200, HTML, "<div id=root></div><script></script><nav><a href=b>b</a></nav>"),
            "JavaScript",
            False,
            True,
        ),
    ],
)
def test_what_is_not_the_page_is_quarantined_and_proves_nothing(
    found: FetchResponse, reason: str, transient: bool, follows: bool
) -> None:
    seen = visit(Answers(found), STORED)
    assert (seen.outcome, seen.transient, bool(seen.links)) == (Outcome.QUARANTINED, transient, follows)
    assert reason in seen.reason
    assert "next=" not in seen.reason
    assert (seen.page, seen.gone, seen.freshness) == (None, False, None)


class MissingSite(FakeFetcher):
    """A site that answers every address below /docs/ with 200."""

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        if "/docs/" in request.url and request.url not in self.pages:
            self.pages[request.url] = f"<title>Not found</title><p>There is no page {request.url} here.</p>"
        return await super().fetch(request)


@pytest.mark.promise("C8")
def test_a_soft_404_is_quarantined_and_a_random_address_is_asked_for_it_once() -> None:
    fetcher = MissingSite({})

    async def run() -> list[Visit]:
        visitor = Visitor(fetcher)
        return [
            await visitor.visit(Known(f"https://x.org/docs/{name}", f"https://x.org/docs/{name}")) for name in "abc"
        ]

    found = asyncio.run(run())
    assert [(one.outcome, "soft 404" in one.reason) for one in found] == [(Outcome.QUARANTINED, True)] * 3
    assert len(fetcher.requests) == 1 + 3 + 1  # robots.txt, the pages, the random address


@pytest.mark.promise("C1", "C8")
def test_no_random_address_is_asked_for_where_robots_txt_forbids_it() -> None:
    fetcher = MissingSite({"https://x.org/robots.txt": plain("User-agent: *\nDisallow: /docs/n0")})
    assert visit(fetcher).page is not None
    assert len(fetcher.requests) == 2


def plain(text: str) -> FetchResponse:
    return FetchResponse("", 200, {"content-type": "text/plain"}, text.encode())


# --- freshness ------------------------------------------------------------------------------------


@pytest.mark.promise("E3")
@pytest.mark.parametrize(
    ("found", "known", "freshness", "gone"),
    [
        (answer(200, HTML, PAGE), Known(), Freshness.NEW, False),
        (answer(200, HTML, PAGE + "<p>more</p>"), STORED, Freshness.CHANGED, False),
        (answer(200, HTML, PAGE), STORED, Freshness.UNCHANGED, False),
        (answer(304), STORED, Freshness.UNCHANGED, False),
        (answer(200, HTML, PAGE), Known(gone=True), Freshness.BACK, False),
        (answer(200, HTML, PAGE + "<p>more</p>"), replace(STORED, gone=True), Freshness.BACK, False),
        (answer(304), replace(STORED, gone=True), Freshness.BACK, False),
        (answer(404), replace(STORED, gone=True), Freshness.GONE, True),
        (answer(404), STORED, Freshness.GONE, True),
        (answer(410), STORED, Freshness.GONE, True),
        (answer(200, {**HTML, "x-robots-tag": "noindex"}, PAGE), STORED, Freshness.GONE, True),
        (answer(200, {**HTML, "content-signal": "ai-input=no"}, PAGE), STORED, Freshness.GONE, True),
        (answer(301, {"location": "/docs/b"}), STORED, Freshness.GONE, True),
        (answer(308, {"location": "/docs/b"}), STORED, Freshness.GONE, True),
        (answer(302, {"location": "/docs/b"}), STORED, None, False),
        (answer(307, {"location": "/docs/b"}), STORED, None, False),
        (answer(401), STORED, None, False),
        (answer(403), STORED, None, False),
        (answer(500), STORED, None, False),
        (answer(503), STORED, None, False),
        (FetchError(A, "reset", "gone", transient=True), STORED, None, False),
        (answer(200, {"content-type": "application/pdf"}), STORED, None, False),
    ],
)
def test_only_positive_evidence_says_that_a_page_is_gone(
    found: FetchResponse | FetchError, known: Known, freshness: Freshness | None, gone: bool
) -> None:
    seen = visit(Answers(found), known)
    assert (seen.freshness, seen.gone) == (freshness, gone)


@pytest.mark.promise("E3")
def test_a_new_refusal_by_robots_txt_says_that_a_page_is_gone_and_a_robots_txt_that_fails_does_not() -> None:
    fetcher = Answers(PAGE)
    fetcher.pages["https://x.org/robots.txt"] = plain("User-agent: *\nDisallow: /docs/a")
    assert visit(fetcher, STORED).freshness is Freshness.GONE
    fetcher.pages["https://x.org/robots.txt"] = FetchResponse("", 500)
    assert visit(fetcher, STORED).freshness is None


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.promise("C5")
@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('<https://x.org/docs/a/>; rel="canonical"', "https://x.org/docs/a/"),
        ("</docs/a/>; rel=canonical", "https://x.org/docs/a/"),
        ('<b>; rel="next", </docs/a/>; title="a, b"; rel="self Canonical"', "https://x.org/docs/a/"),
        ('</docs/a/>; rel="canonicals"', None),
        ('</docs/a/>; title="canonical"', None),
        ("nonsense <", None),
    ],
)
def test_a_canonical_address_may_stand_in_a_header(link: str, expected: str | None) -> None:
    fetcher = Answers(answer(200, {**HTML, "link": link}, PAGE))
    fetcher.pages["https://x.org/docs/a/"] = PAGE
    assert visit(fetcher).canonical == expected


class DyingExecutor(Executor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("a worker died"))
        return future


@pytest.mark.promise("C11")
def test_a_page_whose_conversion_kills_its_process_is_failed_and_not_the_crawl() -> None:
    found = visit(Answers(PAGE), executor=DyingExecutor())
    assert (found.outcome, found.transient) == (Outcome.FAILED, False)
    assert "ended the process" in found.reason


@pytest.mark.promise("C4")
def test_a_crawl_delay_holds_from_the_first_page_on() -> None:
    clock = Clock()
    fetcher = Answers(PAGE)
    fetcher.pages["https://x.org/robots.txt"] = plain("User-agent: *\nCrawl-delay: 30")

    async def run() -> list[float]:
        visitor = Visitor(fetcher, clock=clock, sleep=clock.sleep)
        times = []
        for _ in range(3):
            await visitor.visit(Known())
            times.append(clock.now)
        return times

    assert asyncio.run(run()) == [0, 30, 60]
