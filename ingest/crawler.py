"""The crawl: from a start URL to a stream of pages, in the order in which they were discovered.

Pages are fetched several at a time and handed out in the order of the frontier, so the same site gives the
same stream, whatever answers first; memory holds a window of pages, never the site.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from ingest.browser import Render, find_browser, missing_browser
from ingest.discovery import Lists, Source, copies_of
from ingest.errors import BadInput
from ingest.extract import Selectors
from ingest.fetcher import HttpFetcher
from ingest.frontier import Found, Frontier
from ingest.given import Given, read_given
from ingest.lanes import Lanes
from ingest.ledger import MemoryLedger, PageLedger
from ingest.llms_txt import is_llms_txt
from ingest.models import CrawledPage, Fetcher, FetchResponse, Outcome, SkippedPage
from ingest.pace import Politeness
from ingest.rendering import Renderer
from ingest.scope import Scope
from ingest.session import Session, SessionFetcher
from ingest.start import Opened, open_start, policy_for
from ingest.urls import Origin, origin
from ingest.visit import Visitor

__all__ = ["Discover", "Prefer", "Revisit", "RobotsMode", "Settings", "check_scope", "crawl", "open_crawl", "stream"]

RobotsMode = Literal["obey", "ignore"]
Discover = Literal["all", "links"]
Prefer = Literal["html", "markdown"]
Revisit = Literal["all", "due", "force"]
_BATCH = 1_000  # files of a folder listed at once


@dataclass(frozen=True)
class Settings:
    """How a crawl asks and where it looks, as `crawl` explains its arguments; BadInput for a value that is none."""

    concurrency: int = 8
    robots: RobotsMode = "obey"
    discover: Discover = "all"
    prefer: Prefer = "html"
    politeness: Politeness | None = None
    session: Session | None = None
    fetcher: Fetcher | None = None
    executor: Executor | None = None
    selectors: Selectors | None = None
    revisit: Revisit = "all"
    render: Render = "auto"
    heard: Callable[[FetchResponse], None] | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise BadInput(f"concurrency is {self.concurrency}; it must be at least 1")
        for name, values in (
            ("robots", ("obey", "ignore")),
            ("discover", ("all", "links")),
            ("prefer", ("html", "markdown")),
            ("revisit", ("all", "due", "force")),
            ("render", ("never", "auto", "always")),
        ):
            value = getattr(self, name)
            if value not in values:
                raise BadInput(f"{name} is {value!r}; it must be {' or '.join(map(repr, values))}")


async def crawl(
    url: str,
    *,
    path_regex: str | None = None,
    limit: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_depth: int | None = None,
    subdomains: bool = False,
    ignore_query: bool = False,
    discover: Discover = "all",
    prefer: Prefer = "html",
    concurrency: int = 8,
    robots: RobotsMode = "obey",
    revisit: Revisit = "all",
    render: Render = "auto",
    politeness: Politeness | None = None,
    session: Session | None = None,
    open_ledger: Callable[[], Awaitable[PageLedger]] | None = None,
    fetcher: Fetcher | None = None,
    executor: Executor | None = None,
    content_selector: str | None = None,
    remove_selector: str | None = None,
    heard: Callable[[FetchResponse], None] | None = None,
) -> AsyncGenerator[CrawledPage | SkippedPage, None]:
    """Crawl a site and yield every in-scope address that was taken up, as a page or as what became of it.

    `url` is a page, a sitemap or an llms.txt; or a local folder, HTML or markdown file, or file of addresses.
    `limit` counts pages that are new, changed or unchanged. `subdomains` takes in the hosts below the start's;
    `ignore_query` follows links without their query. `discover="links"` reads neither sitemaps nor llms.txt;
    `prefer="markdown"` takes a page's markdown where the site has it, which has no anchors.
    `open_ledger` gives the memory of earlier crawls; it is called once the start page is known to be crawlable,
    so that a refused start leaves no trace. Of the pages that it knows, `revisit` takes up all; those that are
    "due" (never stored, not had the last time, changed by the site's own lists, or old for how rarely they change);
    or all by "force", as if they had changed.
    `politeness` is how each host is asked (default: `concurrency` at once); `session` are credentials for the
    origin of `url` (default: the file that SYNCLINE_SESSION names).
    `fetcher` replaces HTTP; `executor` runs the conversion of pages (default: the event loop's threads).
    `content_selector` and `remove_selector` are CSS: what of each page is its content, and what is not.
    `render` runs the scripts of pages in a browser: "auto" of those that are empty without, where the extra
    `syncline[render]` and a Chromium are there; "always" of all, and BrowserMissing where they are not.
    `heard` is given the answer to each visit, as it was fetched, before it is read.
    Raises BadInput for arguments that are wrong as typed, before anything is sent, and StartRefused where the
    start URL cannot be crawled.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"limit is {limit}; it must be at least 1")
    selectors = Selectors(content_selector, remove_selector).check()
    settings = Settings(
        concurrency, robots, discover, prefer, politeness, session, fetcher, executor, selectors, revisit, render, heard
    )
    if max_depth == 0:  # nothing that a list names would be taken
        settings = replace(settings, discover="links")
    given = read_given(url, path_regex, include, exclude, max_depth, subdomains=subdomains, ignore_query=ignore_query)
    async with (
        open_crawl(given, settings, open_ledger) as (visitor, frontier, lists),
        aclosing(stream(visitor, frontier, lists, limit, concurrency)) as pages,
    ):
        async for page in pages:
            yield page


def check_scope(
    url: str,
    path_regex: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_depth: int | None = None,
    *,
    subdomains: bool = False,
    ignore_query: bool = False,
) -> Scope:
    """The scope of a crawl, checked as typed: BadInput for a start or a regular expression that is none."""
    return read_given(
        url, path_regex, include, exclude, max_depth, subdomains=subdomains, ignore_query=ignore_query
    ).scope


@asynccontextmanager
async def open_crawl(
    given: Given,
    settings: Settings,
    open_ledger: Callable[[], Awaitable[PageLedger]] | None = None,
    watch: Callable[[Found], None] | None = None,
) -> AsyncIterator[tuple[Visitor, Frontier, Lists]]:
    """Everything that a crawl needs, once its start was found crawlable. `watch` is told of each address found."""
    start = given.scope.start
    client = settings.fetcher or given.fetcher
    program = _browser(settings, given)
    renderer: Renderer | None = None
    own = client is None
    if client is None:
        client = HttpFetcher(concurrency=settings.concurrency, policy=await policy_for(start))
    try:
        session = None if given.fetcher is not None else settings.session or Session.from_environment()
        visitor = _visitor(client if session is None else SessionFetcher(client, session, start), settings, given)
        if program is not None:
            renderer = _renderer(program, visitor, settings, origin(start) if session is not None else None)
            visitor.render_with(renderer)
        elif given.fetcher is None and (missing := missing_browser(settings.render)):
            visitor.unrendered = f"it is not rendered, because {missing}"
        lists = Lists(visitor.fetcher, visitor.robots, given.scope, settings.executor)
        opened = await _opened(visitor, lists, given)
        # An llms-full.txt as the start is asked for instead of the pages that it repeats.
        full = opened.page is not None and is_llms_txt(opened.page)
        searched = opened.page is not None and given.fetcher is None and settings.discover == "all" and not full
        llms = await lists.llms_txt() if searched else None
        copies = copies_of(llms, opened.scope) if llms is not None else {}
        visitor.copies = copies
        frontier = Frontier(
            await open_ledger() if open_ledger else MemoryLedger(),
            opened.scope,
            lists=_found_lists(lists, llms) if searched else None,
            copies=copies,
            follow=given.follow and not full,
            due_for=visitor.extractor if settings.revisit == "due" else None,
            watch=watch,
        )
        await frontier.open(start=opened.page, listed=opened.listed)
        yield visitor, frontier, lists
    finally:
        try:
            if renderer is not None:
                await renderer.aclose()
        finally:
            if own:
                await client.aclose()


async def stream(
    visitor: Visitor, frontier: Frontier, lists: Lists, limit: int | None, concurrency: int
) -> AsyncGenerator[CrawledPage | SkippedPage, None]:
    """Keep visits under way, and settle and hand them out: in order on one host, and no host waits for another."""
    lanes = Lanes(visitor.visit, width=2 * concurrency)
    try:
        while True:
            room = lanes.room
            if limit is not None:
                room = min(room, limit - frontier.counted - len(lanes))
            for known in await frontier.take(room):
                lanes.add(known)
            visit = await lanes.next()
            if visit is None:
                break
            yield await frontier.settle(visit)
        for finding in lists.findings:
            yield finding
        for trap in frontier.traps:
            yield SkippedPage(trap.url, Outcome.SKIPPED, f"{trap.reason}; {trap.left_out:,} links were left out")
    finally:
        await lanes.aclose()


def _visitor(fetcher: Fetcher, settings: Settings, given: Given) -> Visitor:
    return Visitor(
        fetcher,
        robots="ignore" if given.fetcher is not None else settings.robots,
        prefer=settings.prefer,
        concurrency=settings.concurrency,
        politeness=settings.politeness,
        executor=settings.executor,
        selectors=settings.selectors,
        force=settings.revisit == "force",
        heard=settings.heard,
    )


def _browser(settings: Settings, given: Given) -> Path | None:
    if given.fetcher is None:
        return find_browser(settings.render)
    if settings.render == "always":
        raise BadInput(f"{given.scope.start} is local, and only pages of a website are rendered: leave render out")
    return None


def _renderer(program: Path, visitor: Visitor, settings: Settings, withheld: Origin | None) -> Renderer:
    return Renderer(
        program,
        visitor.fetcher,
        visitor.robots,
        always=settings.render == "always",
        withheld=withheld,
        at_once=settings.concurrency,
    )


async def _opened(visitor: Visitor, lists: Lists, given: Given) -> Opened:
    if given.listed is None:
        return await open_start(visitor, lists)

    async def listed() -> AsyncIterator[Source]:
        files = iter(given.listed or ())
        while batch := tuple(islice(files, _BATCH)):
            yield Source("list", given.scope.start, batch)

    return Opened(given.scope, None, listed())


async def _found_lists(lists: Lists, llms: Source | None) -> AsyncIterable[Source]:
    """The lists of a site that are looked for: sitemaps first, so that a page is known before its markdown copy."""
    async for source in lists.sitemaps():
        yield source
    if llms is not None:
        yield llms
