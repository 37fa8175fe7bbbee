"""Looking at a crawl before it is made: the addresses it would take, and the rule that decides on one address."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ingest.crawler import Settings, open_crawl, stream
from ingest.errors import BadInput, StartRefused
from ingest.frontier import Found
from ingest.given import read_given, site_url
from ingest.urls import check_url, identity, is_local

__all__ = ["Explanation", "explain", "map_site"]

_HTTP = re.compile(r"https?:", re.IGNORECASE)


async def map_site(
    url: str,
    *,
    path_regex: str | None = None,
    limit: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_depth: int | None = None,
    subdomains: bool = False,
    ignore_query: bool = False,
    settings: Settings | None = None,
) -> AsyncGenerator[Found, None]:
    """The addresses that a crawl with these arguments would take up, in its order; nothing is stored.

    Every page nearer than `max_depth` is read for its links, the others are only listed: with 0 that is the
    start alone, with 1 what the start page, the sitemaps and the llms.txt name. `limit` ends it after so many
    addresses. Whether an address answers, and is a page, shows only when it is fetched. Raises as `crawl` does.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"limit is {limit}; it must be at least 1")
    given = read_given(url, path_regex, include, exclude, max_depth, subdomains=subdomains, ignore_query=ignore_query)
    settings, reads = settings or Settings(), given.follow and max_depth != 0
    # What is as deep as asked for is listed, and not read.
    scope = replace(given.scope, max_depth=max_depth - 1 if max_depth else None)
    waiting: list[Found] = []
    told = 0
    if not reads:
        settings = replace(settings, discover="links")
    async with (
        open_crawl(replace(given, scope=scope), settings, watch=waiting.append) as opened,
        aclosing(stream(*opened, None, settings.concurrency)) as settled,
    ):
        while True:
            for found in waiting:
                if found.rule:  # a start page that is read for its links only has none
                    yield found
                    told += 1
                if told == limit:
                    return
            waiting.clear()
            if not reads or await anext(settled, None) is None:
                return


@dataclass(frozen=True)
class Explanation:
    """Why a crawl takes an address or leaves it: `scope` and `robots` are the rules of each, as parts of a
    sentence; `robots` is empty where the scope leaves it out already, and for local files."""

    url: str
    address: str
    allowed: bool
    scope: str
    robots: str
    start: str
    notes: Sequence[str] = ()


async def explain(
    url: str,
    *,
    start: str | None = None,
    path_regex: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    subdomains: bool = False,
    ignore_query: bool = False,
    settings: Settings | None = None,
) -> Explanation:
    """Whether a crawl from `start` (default: the address itself) takes up `url`, and by which rule.

    The start page and the host's robots.txt are fetched, the address itself is not: what its answer says
    (noindex, nofollow, canonical, a redirect, that it is no page) is not known here. Raises BadInput.
    """
    given = read_given(
        start or url, path_regex, include, exclude, None, subdomains=subdomains, ignore_query=ignore_query
    )
    address = check_url(url) if _HTTP.match(url.strip()) else site_url(url)
    settings = replace(settings or Settings(), discover="links")
    notes = ["what the page itself says (noindex, nofollow, canonical, a redirect) is known only when it is fetched"]
    scope, robots, allowed = given.scope, "", True
    try:
        async with open_crawl(given, settings) as (visitor, _, lists):
            scope = lists.scope
            if not is_local(address) and scope.admit(address).allowed:
                verdict = await visitor.robots.check(address)
                robots, allowed = verdict.rule, verdict.allowed
    except StartRefused as refused:
        notes.insert(0, f"the start cannot be crawled: {refused}")
        allowed = False
    followed = scope.followed(address)
    if followed != address:
        notes.insert(0, f"links to it are followed as {followed}")
    rule = scope.admit(followed)
    return Explanation(identity(url), address, allowed and rule.allowed, rule.rule, robots, scope.start, tuple(notes))
