"""One visit to one address: robots, pace, fetch, read; the result is a value, whatever happens."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal

from ingest.errors import FetchError
from ingest.ledger import KnownPage
from ingest.models import CrawledPage, Fetcher, FetchRequest, FetchResponse, MarkdownPage, Outcome
from ingest.pace import Pace, parse_retry_after
from ingest.page import EXTRACTOR, content_hash, is_page, read_page
from ingest.robots import RobotsPolicy, forbids_ai_input, robots_rules
from ingest.urls import identity, origin, resolve

__all__ = ["Visit", "Visitor"]

TRIES = 3
FIRST_WAIT = 0.5  # seconds, doubled at each further try
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})
_SLOW_DOWN = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit found: a page, or an outcome with its reason, or the target of a redirect; and links.

    `canonical` is the page's canonical address, where it is another spelling of this one and a page, too.
    """

    known: KnownPage
    page: CrawledPage | None = None
    outcome: Outcome | None = None
    reason: str = ""
    transient: bool = False
    links: Sequence[str] = ()
    redirect: str | None = None
    canonical: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    fetched_at: float | None = None


class Visitor:
    """Visits addresses through one fetcher, politely. Conversion runs in `executor`, off the event loop."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        robots: Literal["obey", "ignore"] = "obey",
        concurrency: int = 8,
        executor: Executor | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.fetcher = fetcher
        self.robots = RobotsPolicy(fetcher, mode=robots)
        self._obeys = robots == "obey"
        self._pace = Pace(per_host=concurrency, clock=clock, sleep=sleep)
        self._sleep = sleep
        self._executor = executor
        self._kept: dict[str, FetchResponse] = {}

    def keep(self, response: FetchResponse) -> None:
        """Use this answer, once, instead of asking for its address again."""
        self._kept[identity(response.url)] = response

    async def visit(self, known: KnownPage) -> Visit:
        """Fetch and read one address. Never raises for what the site does: that is an outcome."""
        verdict = await self.robots.check(known.address)
        if not verdict.allowed:
            refused = verdict.rule.startswith("robots.txt")
            outcome = Outcome.SKIPPED if refused else Outcome.FAILED
            return Visit(known, outcome=outcome, reason=verdict.rule, transient=not refused)
        try:
            response = self._kept.pop(known.url, None) or await self._fetch_spelling(known)
        except FetchError as error:
            return Visit(known, outcome=Outcome.FAILED, reason=error.reason, transient=error.transient)
        visit = await self._judge(known, response)
        if visit.page is None or visit.canonical is None:
            return visit
        return replace(visit, canonical=await self._confirmed(visit.canonical, known.url))

    async def _fetch_spelling(self, known: KnownPage) -> FetchResponse:
        """The answer for this page; a redirect to another spelling of its own address is followed here."""
        tried: list[str] = []
        address = known.address
        while True:
            response = await self._fetch(address, _validators(known))
            tried.append(address)
            target = _target(response)
            if target is None or target in tried or identity(target) != known.url:
                return response
            address = target

    async def _confirmed(self, canonical: str, url: str) -> str | None:
        """The canonical address of the page `url`, where that may be believed.

        Sites name the wrong one, often the home page, or one that leads back. So the two must differ only in
        query, trailing slash, index page or letter case, and the other must be a page that names no third
        one. Other copies are known by their content.
        """
        other = identity(canonical)
        if other == url or other.partition(":")[0] != url.partition(":")[0] or _stem(other) != _stem(url):
            return None
        if not (await self.robots.check(canonical)).allowed:
            return None
        try:
            response = await self._fetch(canonical, {})
        except FetchError:
            return None
        kind = response.headers.get("content-type", "")
        if not 200 <= response.status < 300 or not is_page(kind):
            return None
        named = (await self._read(response, kind)).canonical
        return canonical if named is None or identity(named) == other else None

    async def _read(self, response: FetchResponse, kind: str) -> MarkdownPage:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, read_page, response.body, response.url, kind)

    async def _fetch(self, address: str, headers: Mapping[str, str]) -> FetchResponse:
        request = FetchRequest(address, headers)
        host = origin(address)
        name = f"{host.host}:{host.port}"
        if (delay := await self.robots.crawl_delay(address)) is not None:
            self._pace.set_delay(name, delay)
        wait = FIRST_WAIT
        for tries_left in reversed(range(TRIES)):
            try:
                async with self._pace.slot(name):
                    response = await self.fetcher.fetch(request)
            except FetchError as error:
                if not error.transient or not tries_left or error.kind == "paused":
                    raise
            else:
                if response.status in _SLOW_DOWN:
                    self._pace.slow_down(name, _retry_after(response))
                if response.status not in _WORTH_RETRYING or not tries_left:
                    return response
            await self._sleep(wait * random.uniform(0.5, 1.5))
            wait *= 2
        raise AssertionError("the last try returns or raises")

    async def _judge(self, known: KnownPage, response: FetchResponse) -> Visit:
        status = response.status
        if status == 304 and known.stored:
            return Visit(
                known,
                outcome=Outcome.UNCHANGED,
                reason="304 Not Modified",
                links=known.links,
                fetched_at=time.time(),
            )
        if status in _REDIRECTS:
            target = _target(response)
            if target is None:
                return Visit(known, outcome=Outcome.SKIPPED, reason=f"{status} without a usable Location")
            return Visit(known, redirect=target)
        if status in _GONE:
            return Visit(known, outcome=Outcome.SKIPPED, reason=_phrase(status))
        if status in _WORTH_RETRYING:
            return Visit(known, outcome=Outcome.FAILED, reason=_phrase(status), transient=True)
        if not 200 <= status < 300:
            return Visit(known, outcome=Outcome.FAILED, reason=_phrase(status))
        kind = response.headers.get("content-type", "")
        if not is_page(kind):
            return Visit(known, outcome=Outcome.SKIPPED, reason=f"{kind.partition(';')[0].strip()} is not a page")
        if self._obeys and forbids_ai_input(response.headers.get("content-signal", "")):
            return Visit(known, outcome=Outcome.SKIPPED, reason="the header Content-Signal says ai-input=no")
        return self._weigh(known, response, await self._read(response, kind))

    def _weigh(self, known: KnownPage, response: FetchResponse, page: MarkdownPage) -> Visit:
        rules = robots_rules(response.headers.get("x-robots-tag", ""))
        nofollow = self._obeys and (page.nofollow or not rules.isdisjoint(("nofollow", "none")))
        noindex = self._obeys and (page.noindex or not rules.isdisjoint(("noindex", "none")))
        visit = Visit(
            known,
            links=() if nofollow else page.links,
            canonical=page.canonical,
            etag=response.headers.get("etag"),
            last_modified=response.headers.get("last-modified"),
            fetched_at=time.time(),
        )
        if noindex:
            return replace(visit, outcome=Outcome.SKIPPED, reason="noindex: the page asks not to be indexed")
        if not any(character.isalnum() for character in page.markdown):
            return replace(visit, outcome=Outcome.QUARANTINED, reason="no text was found in it")
        digest = content_hash(page)
        if known.stored and known.content_hash == digest and known.extractor == EXTRACTOR:
            return replace(visit, outcome=Outcome.UNCHANGED, reason="the same content as before")
        return replace(visit, page=_crawled(known, visit, page, digest))


def _crawled(known: KnownPage, visit: Visit, page: MarkdownPage, digest: str) -> CrawledPage:
    return CrawledPage(
        url=known.url,
        markdown=page.markdown,
        anchors=page.anchors,
        title=page.title,
        description=page.description,
        language=page.language,
        links=visit.links,
        depth=known.depth,
        etag=visit.etag,
        last_modified=visit.last_modified,
        content_hash=digest,
        extractor=EXTRACTOR,
        fetched_at=visit.fetched_at or 0.0,
    )


def _validators(known: KnownPage) -> dict[str, str]:
    """Conditional request headers (RFC 9110 section 13.1), where the store holds what they validate."""
    if not known.stored or known.extractor != EXTRACTOR:
        return {}
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _target(response: FetchResponse) -> str | None:
    """Where a redirect leads; None for another answer, and where there is no http or https address in it."""
    location = response.headers.get("location")
    if response.status not in _REDIRECTS or location is None:
        return None
    return resolve(response.url, location)


def _stem(url: str) -> str:
    """What spellings of one page have in common."""
    path = url.split("://", 1)[-1].partition("?")[0].lower().rstrip("/")
    for name in ("/index.html", "/index.htm", "/index.php"):
        path = path.removesuffix(name)
    return path.removesuffix(".html")


def _retry_after(response: FetchResponse) -> float | None:
    written = response.headers.get("retry-after")
    return parse_retry_after(written, now=time.time()) if written else None


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"
