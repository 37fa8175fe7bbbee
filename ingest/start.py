"""The start of a crawl: whether the start URL can be crawled at all, what it is, and from where its scope is taken."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from ingest.addresses import AddressPolicy
from ingest.charset import decode_text, media_type
from ingest.discovery import Lists, Source
from ingest.errors import FetchError, StartRefused
from ingest.fetcher import follow
from ingest.forwarding import forward_target
from ingest.llms_txt import names_list, read_llms_txt
from ingest.models import FetchRequest, FetchResponse
from ingest.page import is_page
from ingest.scope import Scope, Verdict
from ingest.sitemaps import SITEMAP_ACCEPT, Listed, Sitemap
from ingest.transport import resolve_host
from ingest.urls import origin, resolve
from ingest.visit import Visitor

__all__ = ["Opened", "open_start", "policy_for"]

_LIST_NAMES = (".xml", ".gz", ".rss", ".atom", ".rdf")
_LIST_TYPES = frozenset(
    {
        "application/xml",
        "text/xml",
        "application/rss+xml",
        "application/atom+xml",
        "application/rdf+xml",
        "application/gzip",
        "application/x-gzip",
        "application/octet-stream",
    }
)


@dataclass(frozen=True)
class Opened:
    """A start that can be crawled: its scope, and its start page or, where it is a list, what that names."""

    scope: Scope
    page: str | None
    listed: AsyncIterator[Source] | None = None


async def policy_for(start: str) -> AddressPolicy:
    """The addresses that a crawl from `start` may dial: public ones, and its own origin if that is local."""
    where = origin(start)
    try:
        addresses = await resolve_host(where.host, where.port)
    except (OSError, UnicodeError):
        raise StartRefused(
            f"The host {where.host} does not resolve: check the spelling, and that this machine has a network."
        ) from None
    return AddressPolicy.for_start(where.host, where.port, addresses)


async def open_start(visitor: Visitor, lists: Lists) -> Opened:
    """Fetch the start through its redirects, and see what it is; the scope is based on where it ends.

    A page's answer is left with the visitor, so that it is not asked for twice. A sitemap, a feed, an llms.txt
    or a text file of addresses is a list: what it names is where the crawl starts. Raises StartRefused.
    """
    scope = lists.scope
    start = scope.start
    _check_robots(start, await visitor.robots.check(start))

    async def refusal(target: str) -> str | None:
        if not scope.holds_host(target):
            return f"another host; to crawl that one, start from {target}"
        verdict = await visitor.robots.check(target)
        return None if verdict.allowed else verdict.rule

    listish = start.partition("?")[0].lower().endswith(_LIST_NAMES)
    request = FetchRequest(start, {"Accept": SITEMAP_ACCEPT} if listish else {})
    try:
        response, hops = await follow(visitor.fetcher, request, admit=refusal, forward=forward_target)
    except FetchError as error:
        advice = "" if error.kind == "redirects" else ". Check the URL and that the server is up"
        raise StartRefused(f"{error}{advice}.") from error
    _check_status(start, response)
    scope = scope.rebase(response.url) if hops else scope
    lists.scope = scope
    source, inner = await _as_list(response, lists)
    if source is not None:
        scope = lists.scope = scope.rebase(resolve(response.url, ".") or response.url)  # a list is in its folder
        _check_list(scope, source, inner)
        return Opened(scope, None, _sources(lists, source, inner))
    _check_page(start, response)
    visitor.keep(response)
    return Opened(scope, response.url)


async def _as_list(response: FetchResponse, lists: Lists) -> tuple[Source | None, Sitemap]:
    """What the start lists, and the sitemap that it is; None for a page."""
    url, kind = response.url, response.headers.get("content-type", "")
    if names_list(url):
        links = read_llms_txt(response.body, url, kind)
        return (None if links is None else Source("llms.txt", url, [Listed(link) for link in links])), Sitemap()
    media = media_type(kind)
    path = url.partition("?")[0].lower()
    lines = media == "text/plain" and path.endswith(".txt") and _only_addresses(decode_text(response.body, kind))
    if not (lines or media in _LIST_TYPES or path.endswith(_LIST_NAMES)):
        return None, Sitemap()
    found = await lists.read(response, named=False)
    return (None, Sitemap()) if found is None else (Source("sitemap", url, found.pages), found)


async def _sources(lists: Lists, first: Source, sitemap: Sitemap) -> AsyncIterator[Source]:
    yield first
    for inner in sitemap.sitemaps:
        if lists.scope.holds_host(inner.address):
            async for source in lists.sitemap(inner.address):
                yield source


def _only_addresses(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return bool(lines) and all(line.startswith(("http://", "https://")) and " " not in line for line in lines)


def _check_list(scope: Scope, source: Source, sitemap: Sitemap) -> None:
    if sitemap.sitemaps or any(scope.admit(one.address).allowed for one in source.listed):
        return
    if not source.listed:
        raise StartRefused(f"{source.url} lists no addresses: start from a page of the site.")
    first = source.listed[0].address
    raise StartRefused(
        f"{source.url} lists {len(source.listed):,} addresses and none of them is in scope; of the first, {first}, "
        f"{scope.admit(first).rule}. Start from a page of the site, or give --include or --path-regex."
    )


def _check_robots(start: str, verdict: Verdict) -> None:
    if verdict.allowed:
        return
    own = verdict.rule.startswith("robots.txt")
    advice = "If the site is your own, use --robots ignore" if own else "Check the URL and that the server is up"
    raise StartRefused(f"{start} cannot be crawled: {verdict.rule}. {advice}.")


def _check_status(start: str, response: FetchResponse) -> None:
    where = _where(start, response)
    if response.status in (404, 410):
        raise StartRefused(f"{where} answers {response.status}: there is no such page. Check the URL.")
    if response.status in (401, 403):
        raise StartRefused(f"{where} answers {response.status}: the site wants a login or refuses crawlers.")
    if not 200 <= response.status < 300:
        raise StartRefused(f"{where} answers {response.status}: try again later, or check the URL.")


def _check_page(start: str, response: FetchResponse) -> None:
    kind = response.headers.get("content-type", "")
    if not is_page(kind):
        where = _where(start, response)
        raise StartRefused(
            f"{where} is {kind.partition(';')[0]}, not a page: start from an HTML page that links there."
        )


def _where(start: str, response: FetchResponse) -> str:
    return start if response.url == start else f"{start} (redirected to {response.url})"
