"""The start of a crawl: whether the start URL can be crawled at all, and from where its scope is taken."""

from ingest.addresses import AddressPolicy
from ingest.errors import FetchError, StartRefused
from ingest.fetcher import follow
from ingest.models import FetchRequest, FetchResponse
from ingest.page import is_page
from ingest.scope import Scope, Verdict
from ingest.transport import resolve_host
from ingest.urls import origin, same_host
from ingest.visit import Visitor

__all__ = ["open_start", "policy_for"]


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


async def open_start(visitor: Visitor, scope: Scope) -> tuple[Scope, str]:
    """Fetch the start page through its redirects; the scope based on where it ends, and that address.

    The answer is left with the visitor, so that the start page is not asked for twice. Raises StartRefused.
    """
    start = scope.start
    _check_robots(start, await visitor.robots.check(start))

    async def refusal(target: str) -> str | None:
        if not same_host(start, target):
            return f"another host; to crawl that one, start from {target}"
        verdict = await visitor.robots.check(target)
        return None if verdict.allowed else verdict.rule

    try:
        response, hops = await follow(visitor.fetcher, FetchRequest(start), admit=refusal)
    except FetchError as error:
        advice = "" if error.kind == "redirects" else ". Check the URL and that the server is up"
        raise StartRefused(f"{error}{advice}.") from error
    _check_answer(start, response)
    visitor.keep(response)
    return (scope.rebase(response.url) if hops else scope), response.url


def _check_robots(start: str, verdict: Verdict) -> None:
    if verdict.allowed:
        return
    own = verdict.rule.startswith("robots.txt")
    advice = "If the site is your own, use --robots ignore" if own else "Check the URL and that the server is up"
    raise StartRefused(f"{start} cannot be crawled: {verdict.rule}. {advice}.")


def _check_answer(start: str, response: FetchResponse) -> None:
    where = start if response.url == start else f"{start} (redirected to {response.url})"
    if response.status in (404, 410):
        raise StartRefused(f"{where} answers {response.status}: there is no such page. Check the URL.")
    if response.status in (401, 403):
        raise StartRefused(f"{where} answers {response.status}: the site wants a login or refuses crawlers.")
    if not 200 <= response.status < 300:
        raise StartRefused(f"{where} answers {response.status}: try again later, or check the URL.")
    kind = response.headers.get("content-type", "")
    if not is_page(kind):
        raise StartRefused(
            f"{where} is {kind.partition(';')[0]}, not a page: start from an HTML page that links there."
        )
