"""robots.txt: the rules of RFC 9309, and what each answer for it means."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ingest.errors import BlockedAddress, FetchError
from ingest.fetcher import FakeFetcher
from ingest.models import FetchResponse
from ingest.pace import Pace
from ingest.robots import RobotsPolicy, RobotsRules, forbids_ai_input, robots_rules
from ingest.scope import Verdict

pytestmark = pytest.mark.promise("C1")
PAGE = "https://x.org/docs/a"
ROBOTS = "https://x.org/robots.txt"


def test_every_case_that_the_rfc_demands_is_decided_as_googles_parser_decides(
    corpus: Callable[[str], Any],
) -> None:
    cases = [case for case in corpus("robots_google.json") if case["tier"] == "rfc"]
    wrong = [
        case
        for case in cases
        if RobotsRules(case["robots_txt"].encode(case["encoding"]), case["user_agent"]).check(case["url"]).allowed
        != case["allowed"]
    ]
    assert len(cases) == 76
    assert wrong == []


# What RFC 9309 leaves open, and why we differ: (tier, test, how many of its cases).
DIFFERENT = frozenset(
    {
        ("lenient", "ID_Encoding", 3),  # section 2.2.2 compares decoded forms; Google's parser compares bytes
        ("lenient", "derived_bom_partial1", 1),  # half a byte order mark: the first line is no known one
        ("lenient", "derived_bom_partial2", 1),
        ("google", "GoogleOnly_LineTooLong", 2),  # Google cuts a line at 16,664 bytes; here it is read whole
    }
)


def test_the_cases_that_the_rfc_leaves_open_differ_only_where_it_is_explained(corpus: Callable[[str], Any]) -> None:
    cases = [case for case in corpus("robots_google.json") if case["tier"] != "rfc"]
    different = Counter(
        (case["tier"], case["test"])
        for case in cases
        if RobotsRules(case["robots_txt"].encode(case["encoding"]), case["user_agent"]).check(case["url"]).allowed
        != case["allowed"]
    )
    assert len(cases) == 96
    assert {(*name, count) for name, count in different.items()} == DIFFERENT


def test_every_real_file_is_decided_as_googles_parser_decides(corpus: Callable[[str], Any]) -> None:
    real = corpus("robots_real.json")
    wrong = [
        case
        for case in real["cases"]
        if RobotsRules(real["files"][case["file"]].encode(), case["user_agent"]).check(case["url"]).allowed
        != case["allowed"]
    ]
    assert len(real["cases"]) == 1359
    assert wrong == []


def allowed(robots_txt: str, path: str = "/a") -> bool:
    return RobotsRules(robots_txt.encode(), "syncline").check(f"https://x.org{path}").allowed


def test_the_group_that_names_the_agent_replaces_the_one_for_all() -> None:
    text = "User-agent: *\nDisallow: /\n\nUser-agent: Syncline/1.0\nDisallow: /b\n"
    assert allowed(text, "/a")
    assert not allowed(text, "/b")
    assert not allowed("User-agent: *\nDisallow: /\n\nUser-agent: synclinebot\nAllow: /\n")


def test_a_rule_before_any_group_says_nothing() -> None:
    assert allowed("Disallow: /\nUser-agent: *\nDisallow: /b\n")


def test_a_line_end_that_only_unicode_knows_does_not_make_a_rule() -> None:
    assert allowed("User-agent: *\nDisallow: /b\u2028Disallow: /\n")


def test_crawl_delay_and_sitemaps_are_read() -> None:
    rules = RobotsRules(
        b"Sitemap: https://x.org/s.xml\nUser-agent: *\nCrawl-delay: 2.5\nsitemap: /t.xml\nDisallow: /b",
        "syncline",
    )
    assert rules.crawl_delay == 2.5
    assert rules.sitemaps == ["https://x.org/s.xml", "/t.xml"]
    for nonsense in (b"-1", b"nan", b"inf", b"soon", b""):
        assert RobotsRules(b"User-agent: *\nCrawl-delay: " + nonsense, "syncline").crawl_delay is None


def test_a_crawl_delay_of_another_agent_is_not_ours() -> None:
    rules = RobotsRules(b"User-agent: slurp\nCrawl-delay: 9\n\nUser-agent: *\nDisallow: /b", "syncline")
    assert rules.crawl_delay is None


@pytest.mark.parametrize(
    ("value", "forbidden"),
    [
        ("search=yes, ai-input=no, ai-train=no", True),
        ("AI-Input = NO", True),
        ("search=yes,ai-train=no", False),
        ("ai-input=yes", False),
        ("use=reference, ai-inputs=no", False),
        ("ai-input", False),
        ("", False),
    ],
)
def test_only_ai_input_no_forbids_what_this_package_does(value: str, forbidden: bool) -> None:
    assert forbids_ai_input(value) is forbidden
    assert allowed(f"User-agent: *\nContent-Signal: {value}\nAllow: /") is not forbidden


def test_a_content_signal_holds_for_its_group_and_before_the_first_for_all() -> None:
    assert allowed("User-agent: other\nContent-Signal: ai-input=no\nAllow: /")
    assert allowed("User-agent: *\nContent-Signal: ai-input=no\n\nUser-agent: syncline\nAllow: /") is True
    assert not allowed("Content-Signal: ai-input=no\nUser-agent: syncline\nAllow: /")


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        ("noindex, nofollow", {"noindex", "nofollow"}),
        ("NoIndex", {"noindex"}),
        ("googlebot: noindex, nofollow", set()),
        ("googlebot: nofollow\nnoindex", {"noindex"}),  # two headers: an agent holds to the end of its own
        ("syncline: noindex\ngooglebot: nofollow", {"noindex"}),
        ("*: none", {"none"}),
        ("max-snippet: 20, noindex", {"max-snippet: 20", "noindex"}),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST", {"unavailable_after: 25 jun 2030 15:00:00 pst"}),
        ("", {""}),
    ],
)
def test_rules_for_other_agents_are_not_ours(value: str, rules: set[str]) -> None:
    assert robots_rules(value) - {""} == rules - {""}


@pytest.mark.promise("C4")
def test_a_crawl_delay_is_told_to_the_pace_before_the_first_page() -> None:
    pace = Pace()
    fetcher = FakeFetcher({ROBOTS: plain("User-agent: *\nCrawl-delay: 7")})

    async def run() -> float:
        await RobotsPolicy(fetcher, pace=pace).check(PAGE)
        async with pace.slot("x.org:443"):
            return pace.resting("x.org:443")

    assert 6 < asyncio.run(run()) <= 7


def verdict(pages: dict[str, FetchResponse | FetchError | str], **settings: Any) -> Verdict:
    return asyncio.run(RobotsPolicy(FakeFetcher(pages), **settings).check(PAGE))


def plain(text: str) -> FetchResponse:
    return FetchResponse(ROBOTS, 200, {"content-type": "text/plain"}, text.encode())


def test_a_page_that_robots_txt_disallows_is_refused_with_the_rule() -> None:
    assert verdict({ROBOTS: plain("User-agent: *\nDisallow: /docs")}) == (False, "robots.txt disallows it")
    assert verdict({ROBOTS: plain("User-agent: *\nDisallow: /blog")}) == (True, "robots.txt allows it")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429])
def test_an_answer_that_robots_txt_is_not_there_allows_everything(status: int) -> None:
    assert verdict({ROBOTS: FetchResponse(ROBOTS, status)}).allowed


@pytest.mark.parametrize(
    "answer",
    [
        FetchResponse(ROBOTS, 500),
        FetchResponse(ROBOTS, 503),
        FetchError(ROBOTS, "timeout", "slow", transient=True),
        FetchError(ROBOTS, "reset", "gone", transient=True),
        BlockedAddress(ROBOTS, "private"),
    ],
)
def test_a_robots_txt_that_cannot_be_had_forbids_everything(answer: FetchResponse | FetchError) -> None:
    assert not verdict({ROBOTS: answer}).allowed


def redirects(count: int) -> dict[str, FetchResponse | FetchError | str]:
    names = [ROBOTS, *(f"https://y.org/{n}" for n in range(count))]
    pages: dict[str, FetchResponse | FetchError | str] = {
        here: FetchResponse(here, 302, {"Location": there}) for here, there in itertools.pairwise(names)
    }
    return {**pages, names[-1]: plain("User-agent: *\nDisallow: /docs")}


def test_redirects_are_followed_to_another_host_and_given_up_in_the_end() -> None:
    assert not verdict(redirects(5)).allowed
    assert verdict(redirects(11)).allowed
    assert verdict({ROBOTS: FetchResponse(ROBOTS, 301, {"Location": "/robots.txt"})}).allowed


def test_what_is_past_500_kib_is_ignored_and_what_is_before_holds() -> None:
    filler = "#" * 79 + "\n"
    start = "User-agent: *\nDisallow: /blog\n"
    assert verdict({ROBOTS: plain(start + filler * 7000 + "Disallow: /docs\n")}).allowed
    assert not verdict({ROBOTS: plain(start + "Disallow: /docs\n" + filler * 7000)}).allowed


def test_robots_txt_is_fetched_once_for_an_origin() -> None:
    fetcher = FakeFetcher({ROBOTS: plain("User-agent: *\nCrawl-delay: 3\nSitemap: /s.xml")})
    policy = RobotsPolicy(fetcher)

    async def run() -> None:
        await asyncio.gather(*(policy.check(f"https://x.org/{n}") for n in range(9)))
        assert await policy.crawl_delay(PAGE) == 3
        assert await policy.sitemaps(PAGE) == ["/s.xml"]
        await policy.check("https://x.org:8443/")

    asyncio.run(run())
    assert [request.url for request in fetcher.requests] == [ROBOTS, "https://x.org:8443/robots.txt"]


def test_robots_txt_can_be_ignored_on_request() -> None:
    fetcher = FakeFetcher({ROBOTS: plain("User-agent: *\nDisallow: /\nCrawl-delay: 3")})
    policy = RobotsPolicy(fetcher, mode="ignore")
    assert asyncio.run(policy.check(PAGE)) == (True, "robots.txt is ignored on request")
    assert asyncio.run(policy.crawl_delay(PAGE)) is None
    assert fetcher.requests == []
