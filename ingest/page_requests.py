"""What a rendered page's browser asks for, answered by the crawl's own fetcher or refused.

Needs the extra `syncline[render]`.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest import urls
from ingest.errors import FetchError, TooLarge
from ingest.fetcher import follow
from ingest.models import Fetcher, FetchRequest, FetchResponse
from ingest.polite import WORTH_RETRYING
from ingest.robots import RobotsPolicy
from ingest.urls import Origin

if TYPE_CHECKING:
    from playwright.async_api import Request, Route

__all__ = ["Answers", "PageRequests", "RenderLimits"]

_AT_ONCE = 6  # requests of one page: what a browser does on one host
_SCRIPTS = "text/javascript, application/javascript, application/x-javascript, application/ecmascript"
# A media type must be named for its body to be read, unless it is text.
_DATA = (
    "application/json, application/ld+json, application/vnd.api+json, application/hal+json, application/x-yaml, "
    "application/yaml, application/wasm, application/octet-stream"
)
_ACCEPT: Mapping[str, str] = MappingProxyType(
    {
        "script": f"{_SCRIPTS}, {_DATA}, */*;q=0.1",
        "xhr": f"{_DATA}, {_SCRIPTS}, */*;q=0.5",
        "fetch": f"{_DATA}, {_SCRIPTS}, */*;q=0.5",
    }
)
# The document may run scripts and ask for data, and nothing else: no frames, workers, plugins, pictures, forms,
# and by the sandbox no popups, downloads or dialogs either (Content Security Policy Level 3).
_POLICY = (
    "sandbox allow-scripts allow-same-origin; frame-src 'none'; worker-src 'none'; object-src 'none'; "
    "img-src 'none'; media-src 'none'; font-src 'none'; manifest-src 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What one page may take: requests, bytes of their answers, seconds beside waiting for them and in all, and
    characters of its document."""

    requests: int = 200
    bytes: int = 32 * 1024 * 1024
    seconds: float = 15.0
    total_seconds: float = 120.0
    characters: int = 32 * 1024 * 1024


class Answers:
    """What scripts of earlier pages asked for, so that a site gives each of its scripts once a crawl.

    Successful answers that do not say `no-store`, the oldest of them forgotten when they are over `most` bytes.
    """

    def __init__(self, most: int = 64 * 1024 * 1024) -> None:
        self._most = most
        self._size = 0
        self._kept: dict[tuple[str, str], FetchResponse] = {}

    def get(self, address: str, accept: str) -> FetchResponse | None:
        """The answer that was kept for this request."""
        return self._kept.get((address, accept))

    def keep(self, address: str, accept: str, answer: FetchResponse) -> None:
        """Keep an answer, where it may be."""
        stored = "no-store" in answer.headers.get("cache-control", "").lower()
        if stored or not 200 <= answer.status < 300 or len(answer.body) > self._most // 4:
            return
        before = self._kept.pop((address, accept), None)
        self._size += len(answer.body) - (len(before.body) if before is not None else 0)
        self._kept[address, accept] = answer
        while self._size > self._most:
            self._size -= len(self._kept.pop(next(iter(self._kept))).body)


class PageRequests:
    """Answers the requests of one page's browser: `take` is the handler of its routes.

    The document itself is answered from what the crawl has fetched. Scripts and data are fetched where their
    robots.txt allows it, by `fetcher`, with nothing of the browser's own headers; from the origin `withheld`
    only for a page of that origin, because its answers are for the session's owner. Style sheets are answered
    empty, all else is refused. `lacked` says what a script did not get first, `failure` what the page cannot do
    without: an answer of its own site that failed for now, or a limit.
    """

    def __init__(
        self,
        document: FetchResponse,
        fetcher: Fetcher,
        robots: RobotsPolicy,
        *,
        limits: RenderLimits,
        answers: Answers,
        withheld: Origin | None = None,
    ) -> None:
        self._document = document
        self._fetcher = fetcher
        self._robots = robots
        self._limits = limits
        self._answers = answers
        self._withheld = withheld if withheld != urls.origin(document.url) else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._left = limits.bytes
        self._asked = 0
        self._opened = False
        self.leads_to: list[str] = []
        """Where scripts wanted to go instead of the document."""
        self.lacked = ""
        self.failure: FetchError | None = None
        self.changed = time.monotonic()
        """When a request last came or was answered, by the monotonic clock."""

    @property
    def pending(self) -> bool:
        """True while an answer is awaited."""
        return bool(self._tasks)

    def take(self, route: "Route") -> None:
        """Answer this request, in a task of its own."""
        self.changed = time.monotonic()
        self._asked += 1
        task = asyncio.ensure_future(self._settle(route))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Stop answering."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self, route: "Route") -> None:
        from playwright.async_api import Error

        try:
            await self._answer(route, route.request)
        except Error:  # the page has gone, or does not want it any more
            return
        finally:
            self.changed = time.monotonic()

    async def _answer(self, route: "Route", request: "Request") -> None:
        kind = request.resource_type
        if self._asked > self._limits.requests:
            reason = f"its scripts ask for more than {self._limits.requests} things"
            self.failure = self.failure or FetchError(self._document.url, "render", reason)
            await route.abort("blockedbyclient")
        elif request.is_navigation_request():
            await self._navigate(route, request)
        elif request.url.startswith(("blob:", "data:")):  # made by the page itself
            await route.continue_()
        elif kind == "stylesheet":
            await route.fulfill(status=200, content_type="text/css", body="")
        elif kind in _ACCEPT and request.method == "GET":
            try:
                answer = await self._fetch(request.url, _ACCEPT[kind])
            except FetchError as error:
                self._lack(error)
                await route.abort("blockedbyclient")
                return
            headers = {"content-type": answer.headers.get("content-type", "")}
            await route.fulfill(status=answer.status, headers=headers, body=answer.body)
        else:
            await route.abort("blockedbyclient")

    async def _navigate(self, route: "Route", request: "Request") -> None:
        if not self._opened:
            self._opened = True
            kind = self._document.headers.get("content-type", "") or "text/html"
            headers = {"content-type": kind, "content-security-policy": _POLICY}
            await route.fulfill(status=200, headers=headers, body=self._document.body)
            return
        target = urls.parse(request.url)
        if request.frame.parent_frame is None and request.method == "GET" and target is not None:
            self.leads_to = list(dict.fromkeys([*self.leads_to, target]))[: self._limits.requests]
        await route.abort("aborted")  # the document stays

    async def _fetch(self, url: str, accept: str) -> FetchResponse:
        address = urls.parse(url)
        if address is None:
            raise FetchError(url, "protocol", "not an http or https address")
        kept = self._answers.get(address, accept)
        if kept is not None:
            return kept
        refusal = await self._refusal(address)
        if refusal is not None:
            raise FetchError(address, "refused", refusal)
        async with self._room:
            request = FetchRequest(address, {"Accept": accept}, max_bytes=max(self._left, 1))
            try:
                answer, _ = await follow(self._fetcher, request, admit=self._refusal)
            except TooLarge as error:
                reason = f"over the {self._limits.bytes:,} bytes that a page's scripts may load"
                raise TooLarge(address, reason) from error
            self._left -= len(answer.body)
        if not 200 <= answer.status < 300:
            transient = answer.status in WORTH_RETRYING
            self._lack(FetchError(address, "protocol", f"it answers {answer.status}", transient=transient))
        self._answers.keep(address, accept, answer)
        return answer

    async def _refusal(self, address: str) -> str | None:
        """Why a script may not have this address, or None."""
        if self._withheld is not None and urls.origin(address) == self._withheld:
            return "the session is for that site's own pages"
        verdict = await self._robots.check(address)
        return None if verdict.allowed else verdict.rule

    def _lack(self, error: FetchError) -> None:
        said = f"{error.url.partition('?')[0]}: {error.reason}"
        self.lacked = self.lacked or said
        needed = error.transient or isinstance(error, TooLarge)
        if needed and self.failure is None and urls.same_host(error.url, self._document.url):
            reason = f"its scripts did not get what they asked for ({said})"
            self.failure = FetchError(self._document.url, "render", reason, transient=error.transient)
