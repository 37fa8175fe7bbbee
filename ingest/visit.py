"""One visit to one address: robots, fetch, read, judge; the result is a value, whatever happens."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass, field, replace
from typing import Literal

from ingest.answers import REDIRECTS, canonical_header, phrase, redirect_target
from ingest.charset import media_type
from ingest.errors import FetchError
from ingest.extract import Selectors
from ingest.forwarding import forward, forward_target
from ingest.ledger import KnownPage
from ingest.markdown_page import MARKDOWN_ACCEPT, declared_copy, is_markdown
from ingest.missing import MissingPages, Probe
from ingest.models import (
    CrawledPage,
    Fetcher,
    FetchRequest,
    FetchResponse,
    Freshness,
    MarkdownPage,
    Outcome,
    VisitFacts,
)
from ingest.pace import Politeness
from ingest.page import EXTRACTOR, content_hash, is_page, read_page
from ingest.polite import WORTH_RETRYING, PoliteFetcher
from ingest.quarantine import Finding, challenge, login_redirect, needs_scripts, not_a_page
from ingest.rendering import Renderer
from ingest.robots import RobotsPolicy, forbids_ai_input, robots_rules
from ingest.urls import identity, same_host

__all__ = ["Visit", "Visitor"]

_PERMANENT = frozenset({301, 308})
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit found: a page, or an outcome with its reason, or the target of a redirect; and links.

    `canonical` is the page's canonical address, where it is another spelling of this one and a page, too;
    `markdown_copy` is what it names as its content in markdown. `gone` is positive evidence that the page is not
    to be kept (promise E3): 404, 410, noindex, a permanent redirect, a refusal by robots.txt or a content signal.
    """

    known: KnownPage
    page: CrawledPage | None = None
    outcome: Outcome | None = None
    reason: str = ""
    transient: bool = False
    links: Sequence[str] = ()
    redirect: str | None = None
    canonical: str | None = None
    markdown_copy: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    fetched_at: float | None = None
    metadata: Mapping[str, object] | None = None
    gone: bool = False
    facts: VisitFacts = field(default_factory=VisitFacts)

    @property
    def freshness(self) -> Freshness | None:
        """What the visit tells of the page; None where it does not tell: what is stored stays."""
        if self.page is not None:
            return self.page.freshness
        if self.outcome is Outcome.UNCHANGED:
            return Freshness.BACK if self.known.gone else Freshness.UNCHANGED
        return Freshness.GONE if self.gone else None


class Visitor:
    """Visits addresses through one fetcher, politely. Conversion runs in `executor`, off the event loop.

    `fetcher` is how everything else of the crawl asks the site, too: in turn, and again where that helps. With
    `force`, no page is asked for by its validators, and each is taken as changed. `extractor` is the version of the
    extraction. `heard` is given the answer to each visit before it is read.
    `concurrency` is the most requests at once to one host where `politeness` is not given.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        robots: Literal["obey", "ignore"] = "obey",
        prefer: Literal["html", "markdown"] = "html",
        selectors: Selectors | None = None,
        force: bool = False,
        concurrency: int = 8,
        politeness: Politeness | None = None,
        executor: Executor | None = None,
        heard: Callable[[FetchResponse], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        polite = PoliteFetcher(fetcher, politeness or Politeness(per_host=concurrency), clock=clock, sleep=sleep)
        self.fetcher: Fetcher = polite
        self.pace = polite.pace
        self.robots = RobotsPolicy(polite, mode=robots, pace=polite.pace)
        self._obeys = robots == "obey"
        self._executor = executor
        self._missing = MissingPages(self._probe)
        self._kept: dict[str, FetchResponse] = {}
        self._accept = {"Accept": MARKDOWN_ACCEPT} if prefer == "markdown" else {}
        self._selectors = selectors or Selectors()
        self._force = force
        self._heard = heard
        self.extractor = EXTRACTOR + self._selectors.version + ("-markdown" if prefer == "markdown" else "")
        self.copies: Mapping[str, str] = {}
        """Markdown copies of pages that the site lists, by the identity of the page."""
        self._renderer: Renderer | None = None
        self.unrendered = ""
        """Why pages that need a browser are not rendered, if that is to be said."""

    def render_with(self, renderer: Renderer) -> None:
        """Run the scripts of the pages that `renderer` wants. One that wants all makes a version of its own."""
        self._renderer = renderer
        if renderer.always:
            self.extractor += "-rendered"

    def keep(self, response: FetchResponse) -> None:
        """Use this answer, once, instead of asking for its address again."""
        self._kept[identity(response.url)] = response

    async def visit(self, known: KnownPage) -> Visit:
        """Fetch and read one address. Never raises for what the site does: that is an outcome."""
        verdict = await self.robots.check(known.address)
        if not verdict.allowed:
            refused = verdict.rule.startswith("robots.txt")
            outcome = Outcome.SKIPPED if refused else Outcome.FAILED
            return Visit(known, outcome=outcome, reason=verdict.rule, transient=not refused, gone=refused)
        facts = VisitFacts()
        try:
            response = self._kept.pop(known.url, None) or await self._fetch_spelling(known)
            facts = VisitFacts(time.time(), response.seconds, len(response.body))
            if self._heard is not None:
                self._heard(response)
            visit = await self._judge(known, response)
        except FetchError as error:
            facts = facts if facts.at is not None else VisitFacts(time.time(), error.seconds)
            return Visit(known, outcome=Outcome.FAILED, reason=error.reason, transient=error.transient, facts=facts)
        except BrokenExecutor:
            reason = "its conversion ended the process that did it"
            return Visit(known, outcome=Outcome.FAILED, reason=reason, facts=facts)
        visit = replace(visit, facts=replace(visit.facts, at=facts.at, seconds=facts.seconds, bytes=facts.bytes))
        if visit.page is None or visit.canonical is None:
            return visit
        return replace(visit, canonical=await self._confirmed(visit.canonical, known.url))

    async def _fetch_spelling(self, known: KnownPage) -> FetchResponse:
        """The answer for this page; a redirect to another spelling of its own address is followed here."""
        tried: list[str] = []
        address = known.address
        while True:
            response = await self.fetcher.fetch(FetchRequest(address, self._headers(known)))
            tried.append(address)
            target = redirect_target(response)
            if target is None or target in tried or identity(target) != known.url:
                return response
            address = target

    def _headers(self, known: KnownPage) -> dict[str, str]:
        return ({} if self._force else _validators(known, self.extractor)) | self._accept

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
            response = await self.fetcher.fetch(FetchRequest(canonical))
            kind = response.headers.get("content-type", "")
            if not 200 <= response.status < 300 or not is_page(kind):
                return None
            named = (await self._read(response, kind)).canonical
        except (FetchError, BrokenExecutor):
            return None
        return canonical if named is None or identity(named) == other else None

    async def _read(self, response: FetchResponse, kind: str) -> MarkdownPage:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, read_page, response.body, response.url, kind, self._selectors)

    async def _as_markdown(self, visit: Visit, response: FetchResponse) -> MarkdownPage | None:
        """The page in markdown: the copy that it or the site's llms.txt names, else what the server has for a
        client that wants markdown. None where that has no text."""
        if is_markdown(media_type(response.headers.get("content-type", "")), response.url):
            return None
        copy = visit.markdown_copy or self.copies.get(visit.known.url)
        addresses = [copy] if copy is not None and same_host(copy, response.url) else []
        for address in addresses if self._accept else [*addresses, response.url]:
            if not (await self.robots.check(address)).allowed:
                continue
            try:
                answer = await self.fetcher.fetch(FetchRequest(address, {"Accept": MARKDOWN_ACCEPT}))
            except FetchError:
                continue
            kind = answer.headers.get("content-type", "")
            if 200 <= answer.status < 300 and is_markdown(media_type(kind), answer.url):
                page = await self._read(answer, kind)
                if any(character.isalnum() for character in page.markdown):
                    return page
        return None

    async def _probe(self, address: str) -> Probe | None:
        if not (await self.robots.check(address)).allowed:
            return None
        response = await self.fetcher.fetch(FetchRequest(address))
        target = redirect_target(response) or forward_target(response)
        if target is not None:
            return Probe("", target)
        kind = response.headers.get("content-type", "")
        if not is_page(kind):
            return None
        page = await self._read(response, kind)
        renderer = self._renderer_for(response, page)
        if renderer is not None:
            rendering = await renderer.render(response)
            page = await self._read(rendering.response, rendering.kind)
        return Probe(page.markdown)

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
        if status in REDIRECTS:
            return _redirected(known, response)
        onward = forward(response)
        if onward is not None:
            return _sent_on(known, response, onward.target, gone=onward.at_once)
        if status in _GONE:
            return Visit(known, outcome=Outcome.SKIPPED, reason=phrase(status), gone=True)
        if not 200 <= status < 300:
            return _refused(known, response)
        kind = response.headers.get("content-type", "")
        if not is_page(kind):
            return Visit(known, outcome=Outcome.SKIPPED, reason=f"{kind.partition(';')[0].strip()} is not a page")
        if self._obeys and forbids_ai_input(response.headers.get("content-signal", "")):
            reason = "the header Content-Signal says ai-input=no"
            return Visit(known, outcome=Outcome.SKIPPED, reason=reason, gone=True)
        page = await self._read(response, kind)
        renderer = self._renderer_for(response, page)
        if renderer is None or not renderer.always:
            visit = await self._weigh(known, response, page)
            if visit.outcome is not Outcome.QUARANTINED:
                return visit
            if renderer is None:
                lacks = self.unrendered and needs_scripts(response, page)
                return replace(visit, reason=f"{visit.reason}; {self.unrendered}") if lacks else visit
        rendering = await renderer.render(response)
        rendered = rendering.page(await self._read(rendering.response, rendering.kind), page)
        visit = await self._weigh(known, rendering.response, rendered, rendered=True)
        visit = replace(visit, facts=replace(visit.facts, rendered=True))
        if visit.outcome is Outcome.QUARANTINED:
            return replace(visit, reason=f"{visit.reason}, in a browser, too")
        return visit

    def _renderer_for(self, response: FetchResponse, page: MarkdownPage) -> Renderer | None:
        renderer = self._renderer
        return renderer if renderer is not None and renderer.wants(response, page) else None

    async def _weigh(
        self, known: KnownPage, response: FetchResponse, page: MarkdownPage, *, rendered: bool = False
    ) -> Visit:
        rules = robots_rules(response.headers.get("x-robots-tag", ""))
        nofollow = self._obeys and (page.nofollow or not rules.isdisjoint(("nofollow", "none")))
        noindex = self._obeys and (page.noindex or not rules.isdisjoint(("noindex", "none")))
        visit = Visit(
            known,
            links=() if nofollow else page.links,
            canonical=page.canonical or canonical_header(response),
            markdown_copy=page.markdown_copy or declared_copy(response.headers.get("link", ""), response.url),
            etag=response.headers.get("etag"),
            last_modified=response.headers.get("last-modified"),
            fetched_at=time.time(),
            facts=VisitFacts(kept=page.kept),
        )
        wrong = not_a_page(response, page)
        if wrong is None and await self._missing.holds(response, page):
            wrong = Finding("a soft 404: what the site answers for pages that are not there")
        if (wrong is not None and wrong.own) or (wrong is None and self._accept):
            found = await self._as_markdown(visit, response)
            if found is not None:
                title, description = found.title or page.title, found.description or page.description
                page = replace(
                    page, markdown=found.markdown, anchors=found.anchors, title=title, description=description
                )
                # They would vouch for the HTML.
                leads = (*visit.links, *(() if nofollow else found.links))
                visit = replace(visit, links=leads, etag=None, last_modified=None, facts=VisitFacts(kept=found.kept))
                wrong = None
        if wrong is not None:
            visit = replace(visit, outcome=Outcome.QUARANTINED, reason=wrong.reason, transient=wrong.transient)
            facts = replace(visit.facts, empty=wrong.own)
            return replace(visit, links=visit.links if wrong.own else (), facts=facts)
        if noindex:
            reason = "noindex: the page asks not to be indexed"
            return replace(visit, outcome=Outcome.SKIPPED, reason=reason, gone=True)
        digest = content_hash(page)
        same = known.stored and known.content_hash == digest and known.extractor == self.extractor
        crawled = replace(_crawled(known, visit, page, digest, self.extractor), rendered=rendered)
        if same and not self._force:
            reason = "the same content as before"
            return replace(visit, outcome=Outcome.UNCHANGED, reason=reason, metadata=crawled.metadata)
        return replace(visit, page=crawled)


def _redirected(known: KnownPage, response: FetchResponse) -> Visit:
    target = redirect_target(response)
    if target is None:
        return Visit(known, outcome=Outcome.SKIPPED, reason=f"{response.status} without a usable Location")
    return _sent_on(known, response, target, gone=response.status in _PERMANENT)


def _sent_on(known: KnownPage, response: FetchResponse, target: str, *, gone: bool) -> Visit:
    """The target of a redirect, unless it is a login; `gone` if it redirects for good."""
    if login_redirect(response.url, target, response.status):
        reason = f"redirects to a login instead of the page: {target.partition('?')[0]}"
        return Visit(known, outcome=Outcome.QUARANTINED, reason=reason)
    return Visit(known, redirect=target, gone=gone)


def _refused(known: KnownPage, response: FetchResponse) -> Visit:
    """An answer that is an error, or a challenge that is sent as one."""
    status = response.status
    who = challenge(status, response.headers, response.body)
    if who is not None:
        reason = f"a bot challenge ({who}) instead of the page, with {phrase(status)}"
        return Visit(known, outcome=Outcome.QUARANTINED, reason=reason, transient=True)
    wants_login = ": the page wants a login" if status == 401 else ""
    reason = f"{phrase(status)}{wants_login}"
    return Visit(known, outcome=Outcome.FAILED, reason=reason, transient=status in WORTH_RETRYING)


def _crawled(known: KnownPage, visit: Visit, page: MarkdownPage, digest: str, extractor: str) -> CrawledPage:
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
        extractor=extractor,
        fetched_at=visit.fetched_at or 0.0,
        canonical=page.canonical,
        breadcrumb=page.breadcrumb,
        modified=page.modified,
        generator=page.generator,
        freshness=Freshness.BACK if known.gone else Freshness.CHANGED if known.stored else Freshness.NEW,
    )


def _validators(known: KnownPage, extractor: str) -> dict[str, str]:
    """Conditional request headers (RFC 9110 section 13.1), where the store holds what they validate."""
    if not known.stored or known.extractor != extractor:
        return {}
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _stem(url: str) -> str:
    """What spellings of one page have in common."""
    path = url.split("://", 1)[-1].partition("?")[0].lower().rstrip("/")
    for name in ("/index.html", "/index.htm", "/index.php"):
        path = path.removesuffix(name)
    return path.removesuffix(".md").removesuffix(".html")
