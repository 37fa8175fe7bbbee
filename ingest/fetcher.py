"""One GET, one answer: `HttpFetcher` over HTTP, `FakeFetcher` from a mapping; redirects followed by hand."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.cookiejar import CookieJar
from importlib import metadata
from typing import Any, NamedTuple

import httpx

from ingest import urls
from ingest.addresses import AddressPolicy
from ingest.charset import media_type
from ingest.decoding import ACCEPT_ENCODING, BodyDecoder
from ingest.errors import BadInput, FetchError, TooLarge
from ingest.models import Fetcher, FetchRequest, FetchResponse
from ingest.transport import GuardedTransport, Resolve, resolve_host

__all__ = ["MAX_BYTES", "FakeFetcher", "Hop", "HttpFetcher", "default_user_agent", "follow", "is_text"]

MAX_BYTES = 32 * 1024 * 1024
"""The default cap on a decoded body, in bytes."""

_OTHER_BODY_BYTES = 65_536  # of an error or a redirect: enough to see what it is
_ACCEPT = "text/html, application/xhtml+xml, text/markdown;q=0.8, text/plain;q=0.7, */*;q=0.5"
_TEXT_TYPES = frozenset(
    {
        "application/xhtml+xml",
        "application/xml",
        "application/json",
        "application/markdown",
        "application/x-markdown",
        "application/x-ndjson",
        "application/rss+xml",
        "application/atom+xml",
    }
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# They belong to the address they were given for, not to where it redirects.
_NOT_PASSED_ON = frozenset({"if-none-match", "if-modified-since"})
_CREDENTIALS = frozenset({"authorization", "cookie"})


def default_user_agent() -> str:
    """`SYNCLINE_USER_AGENT` from the environment, else this version's own name, with `SYNCLINE_CONTACT` in it.

    The contact, a mail address or a web page, is how the operator of a site reaches whoever runs the crawl.
    """
    contact = os.environ.get("SYNCLINE_CONTACT", "").strip()
    about = f"documentation indexer; +{contact}" if contact else "documentation indexer"
    return os.environ.get("SYNCLINE_USER_AGENT") or f"syncline/{metadata.version('syncline')} ({about})"


def is_text(content_type: str) -> bool:
    """True for a Content-Type that a page or a list of pages may have; a missing one counts as text."""
    kind = media_type(content_type)
    return not kind or kind.startswith("text/") or kind in _TEXT_TYPES


class HttpFetcher:
    """The `Fetcher` over HTTP/1.1: no redirects, no cookies, no proxies, capped in bytes and in time.

    `max_bytes` holds on the wire and after decompression (`TooLarge`). `timeout` is the total of one request
    in seconds, the wait for a free connection included; `connect_timeout` that of resolving and connecting.
    `headers` go with every request to every host, so they are no place for credentials. `concurrency` is the
    number of connections. Of an answer that is no success (status 300 and above) at most 64 KiB are read. The
    body of an answer that is not text is left on the server and comes back empty, unless the request's own
    Accept header names its media type.
    """

    def __init__(
        self,
        *,
        user_agent: str | None = None,
        max_bytes: int = MAX_BYTES,
        timeout: float = 60.0,
        connect_timeout: float = 10.0,
        policy: AddressPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        concurrency: int = 8,
        resolve: Resolve = resolve_host,
    ) -> None:
        if concurrency < 1:
            raise BadInput(f"concurrency is {concurrency}; it must be at least 1")
        self._max_bytes = max_bytes
        self._timeout = timeout
        agent = user_agent or default_user_agent()
        if not (agent.isascii() and agent.isprintable()):
            raise BadInput(
                "the user agent may only hold printable ASCII (see SYNCLINE_USER_AGENT and SYNCLINE_CONTACT)"
            )
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(policy or AddressPolicy(), connections=concurrency, resolve=resolve),
            headers={
                "User-Agent": agent,
                "Accept": _ACCEPT,
                "Accept-Encoding": ACCEPT_ENCODING,
                **(headers or {}),
            },
            cookies=_NoCookies(),
            timeout=httpx.Timeout(timeout, connect=connect_timeout),
            follow_redirects=False,
            trust_env=False,
        )

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._fetch(request)
        except TimeoutError as error:
            reason = f"not answered in full within {self._timeout:g} seconds"
            raise FetchError(request.url, "timeout", reason, transient=True) from error

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _fetch(self, request: FetchRequest) -> FetchResponse:
        address = urls.parse(request.url)
        if address is None:
            raise FetchError(request.url, "protocol", "not an http or https address")
        with _httpx_errors(address):
            # httpx would escape the path anew; the server gets it as the page wrote it.
            target = "/" + address.split("/", 3)[3]
            sent = self._client.build_request(
                "GET",
                address,
                headers=dict(request.headers),
                extensions={"target": target.encode("ascii"), "address": address},
            )
            response = await self._client.send(sent, stream=True)
        try:
            body = await self._body(request, response)
        finally:
            await response.aclose()
        headers = dict(response.headers)
        if "x-robots-tag" in headers:  # an agent named in one of them must not reach into the next
            headers["x-robots-tag"] = "\n".join(response.headers.get_list("x-robots-tag"))
        return FetchResponse(address, response.status_code, headers, body)

    async def _body(self, request: FetchRequest, response: httpx.Response) -> bytes:
        if not _wanted(request, response.headers.get("content-type", "")):
            return b""
        cap = self._max_bytes if request.max_bytes is None else min(request.max_bytes, self._max_bytes)
        if response.status_code < 300:
            return await self._read(request.url, response, cap)
        try:
            return await self._read(request.url, response, min(cap, _OTHER_BODY_BYTES))
        except TooLarge as error:
            return error.partial
        except FetchError:  # the status is the answer; its page is only evidence
            return b""

    async def _read(self, url: str, response: httpx.Response, cap: int) -> bytes:
        """The decoded body. A declared length counts only against the fetcher's own cap: a request with a
        smaller one (robots.txt) wants what fits, and finds it in `TooLarge.partial`."""
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and len(declared) < 20 and int(declared) > self._max_bytes:
            raise TooLarge(url, f"its body has {int(declared):,} bytes; at most {cap:,} are read")
        decoder = BodyDecoder(url, response.headers.get("content-encoding", ""), max_bytes=cap)
        on_wire = 0
        async for chunk in response.aiter_raw():
            decoder.feed(chunk)
            on_wire += len(chunk)
            if on_wire > cap:
                raise TooLarge(url, f"its body is larger than {cap:,} bytes", partial=decoder.body)
        return decoder.finish()


class FakeFetcher:
    """The `Fetcher` that answers from a mapping of addresses: an answer, an error to raise, or the text of a
    page.

    An address that is not in it is a 404. Caps hold as over HTTP. `requests` lists what was asked for, in
    order.
    """

    def __init__(self, pages: Mapping[str, FetchResponse | FetchError | str]) -> None:
        self.pages = dict(pages)
        self.requests: list[FetchRequest] = []

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        address = urls.parse(request.url)
        if address is None:
            raise FetchError(request.url, "protocol", "not an http or https address")
        self.requests.append(replace(request, url=address))
        page = self.pages.get(address, FetchResponse(address, 404))
        if isinstance(page, FetchError):
            raise page
        if isinstance(page, str):
            page = FetchResponse(address, 200, {"content-type": "text/html; charset=utf-8"}, page.encode())
        cap = MAX_BYTES if request.max_bytes is None else request.max_bytes
        headers = {name.lower(): value for name, value in page.headers.items()}
        body = page.body if _wanted(request, headers.get("content-type", "")) else b""
        if page.status >= 300:
            body = body[: min(cap, _OTHER_BODY_BYTES)]
        if len(body) > cap:
            raise TooLarge(request.url, f"its body is larger than {cap:,} bytes", partial=body[:cap])
        return replace(page, url=address, headers=headers, body=body)

    async def aclose(self) -> None:
        return None


class Hop(NamedTuple):
    """An address that redirected, and how; 301 and 308 are permanent (RFC 9110 section 15.4)."""

    url: str
    status: int

    @property
    def permanent(self) -> bool:
        return self.status in (301, 308)


async def follow(
    fetcher: Fetcher,
    request: FetchRequest,
    *,
    admit: Callable[[str], Awaitable[str | None]] | None = None,
    forward: Callable[[FetchResponse], str | None] | None = None,
    max_redirects: int = 10,
) -> tuple[FetchResponse, list[Hop]]:
    """Fetch and follow redirects: the last answer, and the addresses that redirected on the way to it.

    `forward` says where an answer leads that is no redirect, or None. `admit` is asked about each target before
    it is fetched and gives the reason to refuse it, or None. A refusal, a loop, more than `max_redirects` and a
    target that is not http or https are `FetchError`s of kind `redirects`. A redirect without a Location is the
    last answer. Validators go to the first address only, credentials to its origin only.
    """
    hops: list[Hop] = []
    seen = {urls.parse(request.url) or request.url}
    while True:
        response = await fetcher.fetch(request)
        location = response.headers.get("location") if response.status in _REDIRECTS else None
        if location is None and forward is not None:
            location = forward(response)
        if location is None:
            return response, hops
        hops.append(Hop(response.url, response.status))
        target = urls.resolve(response.url, location)
        reason = None
        if target is None:
            reason = "redirects to what is not a plain http or https address"
        elif target in seen:
            reason = f"redirects in a circle, back to {target}"
        elif len(hops) > max_redirects:
            reason = f"redirects more than {max_redirects} times"
        elif admit is not None and (refusal := await admit(target)) is not None:
            reason = f"redirects to {target}: {refusal}"
        if target is None or reason is not None:
            raise FetchError(hops[0].url, "redirects", reason or "")
        seen.add(target)
        request = _onward(request, response.url, target)


def _onward(request: FetchRequest, source: str, target: str) -> FetchRequest:
    dropped = _NOT_PASSED_ON
    if urls.origin(source) != urls.origin(target):
        dropped |= _CREDENTIALS
    kept = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
    return replace(request, url=target, headers=kept)


def _wanted(request: FetchRequest, content_type: str) -> bool:
    accept = next((value for name, value in request.headers.items() if name.lower() == "accept"), "")
    named = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return is_text(content_type) or media_type(content_type) in named


@contextmanager
def _httpx_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(url, "protocol", f"the request failed: {error}") from error


class _NoCookies(CookieJar):
    """Keeps nothing: what a crawl gets must not depend on what it fetched before."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        return None
