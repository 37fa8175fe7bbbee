"""The crawl: from a start URL to a stream of pages, in the order in which they were discovered.

Pages are fetched several at a time and handed out in the order of the frontier, so the same site gives the
same stream, whatever answers first; memory holds a window of pages, never the site.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from typing import Literal

from ingest.errors import BadInput
from ingest.fetcher import HttpFetcher
from ingest.frontier import Frontier
from ingest.ledger import MemoryLedger, PageLedger
from ingest.models import CrawledPage, Fetcher, SkippedPage
from ingest.scope import Scope
from ingest.start import open_start, policy_for
from ingest.urls import check_url
from ingest.visit import Visit, Visitor

__all__ = ["check_scope", "crawl"]

RobotsMode = Literal["obey", "ignore"]


async def crawl(
    url: str,
    *,
    path_regex: str | None = None,
    limit: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_depth: int | None = None,
    concurrency: int = 8,
    robots: RobotsMode = "obey",
    open_ledger: Callable[[], Awaitable[PageLedger]] | None = None,
    fetcher: Fetcher | None = None,
    executor: Executor | None = None,
) -> AsyncGenerator[CrawledPage | SkippedPage, None]:
    """Crawl a site and yield every in-scope address that was taken up, as a page or as what became of it.

    `limit` counts pages that are new, changed or unchanged. `open_ledger` gives the memory of earlier crawls;
    it is called once the start page is known to be crawlable, so that a refused start leaves no trace.
    `fetcher` replaces HTTP; `executor` runs the conversion of pages (default: the event loop's threads).
    Raises BadInput for arguments that are wrong as typed, before anything is sent, and StartRefused where the
    start URL cannot be crawled.
    """
    scope = check_scope(url, path_regex, include, exclude, max_depth)
    if limit is not None and limit < 1:
        raise BadInput(f"limit is {limit}; it must be at least 1")
    if concurrency < 1:
        raise BadInput(f"concurrency is {concurrency}; it must be at least 1")
    if robots not in ("obey", "ignore"):
        raise BadInput(f"robots is {robots!r}; it must be 'obey' or 'ignore'")
    own = fetcher is None
    client = fetcher or HttpFetcher(concurrency=concurrency, policy=await policy_for(scope.start))
    try:
        visitor = Visitor(client, robots=robots, concurrency=concurrency, executor=executor)
        scope, first = await open_start(visitor, scope)
        frontier = Frontier(await open_ledger() if open_ledger else MemoryLedger(), scope)
        await frontier.open(start=first)
        async with aclosing(_stream(visitor, frontier, limit, concurrency)) as pages:
            async for page in pages:
                yield page
    finally:
        if own:
            await client.aclose()


def check_scope(
    url: str,
    path_regex: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_depth: int | None = None,
) -> Scope:
    """The scope of a crawl, checked as typed: BadInput for a URL or a regular expression that is none."""
    return Scope(check_url(url), path_regex, tuple(include), tuple(exclude), max_depth)


async def _stream(
    visitor: Visitor, frontier: Frontier, limit: int | None, concurrency: int
) -> AsyncGenerator[CrawledPage | SkippedPage, None]:
    """Keep a window of visits under way, and settle and hand them out in order."""
    window: deque[asyncio.Task[Visit]] = deque()
    try:
        while True:
            room = 2 * concurrency - len(window)
            if limit is not None:
                room = min(room, limit - frontier.counted - len(window))
            for known in await frontier.take(room):
                window.append(asyncio.create_task(visitor.visit(known)))
            if not window:
                return
            visit = await window[0]
            window.popleft()
            yield await frontier.settle(visit)
    finally:
        for task in window:
            task.cancel()
        await asyncio.gather(*window, return_exceptions=True)
