"""A hostile site on loopback, crawled once: one row for each behaviour, expected and seen.

`crawl_pages` serves every behaviour of one page from one site; `crawl_sites` takes those of whole hosts, each
from a server of its own. Nothing waits longer than the short caps that the crawls are given.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import NamedTuple

from hostile_pages import (
    BROKEN,
    ENCODINGS,
    ENDLESS,
    HEAVY,
    PLAIN,
    REDIRECTS,
    STATUSES,
    TEXTS,
    Behaviour,
    endless_body,
    moved,
    never,
    page,
)
from hostile_server import HostileServer, Reply, Route, running
from hostile_traps import INFINITE, INSIDE, PRETENCE, ROBOTS, RULES

from ingest import CrawledPage, HttpFetcher, SkippedPage, StartRefused, crawl
from ingest.addresses import AddressPolicy
from ingest.pace import Politeness

BEHAVIOURS = (
    *REDIRECTS,
    *BROKEN,
    *ENCODINGS,
    *ENDLESS,
    *HEAVY,
    *TEXTS,
    *STATUSES,
    *PRETENCE,
    *RULES,
    *INSIDE,
    *INFINITE,
)
CAP = 2 << 20  # bytes of a page
SECONDS = 2.0  # for one request
QUICK = Politeness(tries=2, first_wait=0.01, first_backoff=0.01, max_backoff=0.02, max_wait=0.3, most_failures=1000)


class Row(NamedTuple):
    """One behaviour: what was expected of it, and what came."""

    group: str
    does: str
    expected: str
    seen: str
    requests: int
    held: bool


@dataclass(frozen=True)
class Site:
    """A host that misbehaves. `expected` is the stream in short, or a part of the refusal of its start."""

    does: str
    expected: str
    routes: Mapping[str, Route]
    most: int = 99


async def stream(server: HostileServer, politeness: Politeness = QUICK) -> list[CrawledPage | SkippedPage]:
    """Everything that a crawl of the server's /docs/ yields, under short caps."""
    policy = AddressPolicy([("127.0.0.1", server.port)])
    fetcher = HttpFetcher(policy=policy, timeout=SECONDS, max_bytes=CAP)
    try:
        # Without a browser, whose caps are not these; tests/integration/test_rendering_guard.py has one of its own.
        found = crawl(f"{server.url}/docs/", fetcher=fetcher, politeness=politeness, render="never")
        async with aclosing(found) as pages:
            return [_shortened(one) async for one in pages]
    finally:
        await fetcher.aclose()


def _shortened(found: CrawledPage | SkippedPage) -> CrawledPage | SkippedPage:
    """What a crawl does not need again is not kept: this test measures the crawl's memory."""
    if isinstance(found, SkippedPage):
        return found
    return replace(found, markdown=found.markdown[:2_000] + found.markdown[2_000:][-2_000:], links=())


def crawl_pages() -> tuple[list[Row], list[SkippedPage], float]:
    """One row for each behaviour of a page, the traps that were named, and the seconds it took."""
    server, canary = HostileServer(), HostileServer()
    canary.routes["*"] = page("internal secret")
    links = itertools.chain.from_iterable(behaviour.linked or (behaviour.path,) for behaviour in BEHAVIOURS)
    server.routes["/robots.txt"] = ROBOTS
    server.routes["/docs/"] = page("start", "".join(f'<a href="{link}">{link[:40]}</a>' for link in [*links, "last"]))
    server.routes["/docs/last"] = page("the last page")
    with running(server, canary):
        for name, route in itertools.chain.from_iterable(behaviour.routes.items() for behaviour in BEHAVIOURS):
            server.routes[name if name.startswith("/") else f"/docs/{name}"] = _aimed(route, canary.port)
        began = time.monotonic()
        found = asyncio.run(stream(server))
        seconds = time.monotonic() - began
    base = f"{server.url}/docs/"
    by_url = {one.url.removeprefix(base): one for one in reversed(found)}
    hits = {name.removeprefix("/docs/"): count for name, count in server.hits.items()}
    rows = [
        _row(behaviour, by_url.get(behaviour.path), sum(hits.get(name, 0) for name in behaviour.routes))
        for behaviour in BEHAVIOURS
    ]
    rows.append(Row("after all that", "an ordinary page", "stored", _seen(by_url.get("last")), 1, "last" in by_url))
    inside = len(canary.requests)
    rows.append(Row("inside", "all of it: requests to the internal port", "0", str(inside), inside, inside == 0))
    traps = [one for one in found if isinstance(one, SkippedPage) and one.reason.startswith("trap: ")]
    return rows, traps, seconds


def _aimed(route: Route, port: int) -> Route:
    """The route with the internal port in the places that are kept for it."""
    if not isinstance(route, Reply) or "{canary}" not in f"{route.body!r}{route.headers}":
        return route
    assert isinstance(route.body, bytes | str)
    body = route.body if isinstance(route.body, bytes) else route.body.replace("{canary}", str(port))
    return replace(route, body=body, headers=tuple((n, v.replace("{canary}", str(port))) for n, v in route.headers))


def _row(behaviour: Behaviour, found: CrawledPage | SkippedPage | None, requests: int) -> Row:
    outcome, _, part = behaviour.expected.partition(": ")
    seen = _seen(found)
    held = seen.partition(": ")[0] == outcome and part in seen and requests <= behaviour.most
    if isinstance(found, CrawledPage):
        held = held and behaviour.holds in found.markdown
    return Row(behaviour.group, behaviour.does, behaviour.expected, seen, requests, held)


def _seen(found: CrawledPage | SkippedPage | None) -> str:
    if found is None:
        return "not taken up"
    return f"{found.outcome}: {found.reason}" if isinstance(found, SkippedPage) else "stored"


# --- hosts ----------------------------------------------------------------------------------------


def in_turn(*replies: Route) -> Route:
    """A route that answers with each in turn, the last one for ever."""
    left = list(replies)

    def answer(_: str) -> Reply:
        found = left.pop(0) if len(left) > 1 else left[0]
        assert isinstance(found, Reply)
        return found

    return answer


def busy(status: int, retry_after: str) -> Reply:
    return Reply("busy", status, (("Content-Type", "text/html"), ("Retry-After", retry_after)))


PAGES: Mapping[str, Route] = {
    "/docs/": page("start", "".join(f"<a href={n}>{n}</a>" for n in range(9))),
    **{f"/docs/{n}": page(f"page {n}") for n in range(9)},
}
ALL = "10 stored"
DAY = "86400"


def robots(*replies: Route) -> dict[str, Route]:
    return {**PAGES, "/robots.txt": in_turn(*replies) if len(replies) > 1 else replies[0]}


SITES = (
    Site("robots.txt answers 500", "robots.txt answers 500", robots(Reply("", 500)), most=2),
    Site("robots.txt answers 503 once", ALL, robots(Reply("", 503), Reply("", headers=PLAIN))),
    Site("robots.txt never answers", "robots.txt cannot be fetched", robots(never), most=2),
    Site("robots.txt closes the connection", "robots.txt cannot be fetched", robots(b""), most=2),
    Site("robots.txt answers 403", ALL, robots(Reply("", 403))),
    Site("robots.txt without end", ALL, robots(endless_body)),
    Site("robots.txt redirects in a circle", ALL, robots(moved("/robots.txt"))),
    Site("robots.txt redirects to an internal port", "which forbids everything", robots(moved("http://127.0.0.1:1/"))),
    Site(
        "robots.txt redirects to the metadata service",
        "which forbids everything",
        robots(moved("http://169.254.169.254/")),
    ),
    Site("robots.txt is an HTML page", ALL, robots(page("not found"))),
    Site(
        "robots.txt forbids everything",
        "robots.txt disallows it",
        robots(Reply("User-agent: *\nDisallow: /", headers=PLAIN)),
        1,
    ),
    Site(
        "the start answers 503 once, with a Retry-After",
        ALL,
        {**PAGES, "/docs/": in_turn(busy(503, "0"), PAGES["/docs/"])},
    ),
    Site("the start answers 503 for ever", "answers 503", {"/docs/": busy(503, "0")}, most=3),
    Site("the start wants a day of rest", "left alone for 86,", {"/docs/": busy(429, DAY)}, most=2),
    Site(
        "one page wants a day of rest, by a date",
        "failed",
        {
            "/docs/": page("start", "".join(f"<a href={n}>{n}</a>" for n in range(80))),
            "/docs/*": page("a page"),
            "/docs/0": lambda _: busy(429, formatdate(time.time() + 86_400, usegmt=True)),
        },
        most=40,
    ),
    Site("a page answers 429 once", ALL, {**PAGES, "/docs/3": in_turn(busy(429, "0"), PAGES["/docs/3"])}),
    Site("a page answers 500 once", ALL, {**PAGES, "/docs/3": in_turn(Reply("", 500), PAGES["/docs/3"])}),
    Site(
        "every page but the start answers 503",
        "1 stored, 9 failed",
        {"/docs/": PAGES["/docs/"], "/docs/*": busy(503, "0")},
        most=40,
    ),
    Site(
        "every page is a challenge",
        "1 quarantined",
        {
            "/docs/*": Reply(
                "<title>Just a moment...</title><p>wait</p>",
                headers=(("Content-Type", "text/html"), ("cf-mitigated", "challenge")),
            )
        },
    ),
    Site(
        "the start redirects to another host",
        "start from http://127.0.0.1:1/",
        {"/docs/": moved("http://127.0.0.1:1/")},
    ),
    Site("the start redirects in a circle", "in a circle", {"/docs/": moved("/docs/")}),
    Site(
        "asks for a day between two requests",
        "1 stored, 9 failed",
        robots(Reply(f"User-agent: *\nCrawl-delay: {DAY}", headers=PLAIN)),
        most=3,
    ),
)


def crawl_sites() -> list[Row]:
    """One row for each behaviour of a host, each from a server of its own."""
    servers = [HostileServer(dict(site.routes)) for site in SITES]

    async def one(server: HostileServer) -> str:
        try:
            async with a_few:
                found = await stream(server)
        except StartRefused as refused:
            return str(refused)
        counts: dict[str, int] = {}
        for page_ in found:
            outcome = str(page_.outcome) if isinstance(page_, SkippedPage) else "stored"
            counts[outcome] = counts.get(outcome, 0) + 1
        return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())

    async def every() -> list[str]:
        return list(await asyncio.gather(*(one(server) for server in servers)))

    a_few = asyncio.Semaphore(4)
    with running(*servers):
        seen = asyncio.run(every())
    return [
        Row(
            "host",
            site.does,
            site.expected,
            _portless(told, server),
            len(server.requests),
            site.expected in told and len(server.requests) <= site.most,
        )
        for site, server, told in zip(SITES, servers, seen, strict=True)
    ]


def _portless(told: str, server: HostileServer) -> str:
    return told.replace(f":{server.port}", "")
