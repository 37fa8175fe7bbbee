"""The way to the network: an httpx transport that dials only addresses it has checked (promise C7).

The name is resolved once, every answer is checked, and one of the checked addresses is what is dialled, so
that a name that resolves differently a moment later gains nothing. TLS still names and verifies the host. No
proxies.
"""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import httpcore2
import httpx

from ingest.addresses import AddressPolicy
from ingest.errors import BlockedAddress, FetchError

__all__ = ["GuardedTransport", "Resolve", "fetch_error", "resolve_host"]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to IP addresses, in the order to try them; `OSError` where the name does not resolve."""


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses that the system's resolver gives for a host, each once."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx over a connection pool of httpcore2 whose connections go through an `AddressPolicy`.

    The path in the request's extension `target` goes on the wire as it is. Every failure is a `FetchError`,
    named after the extension `address`.
    """

    def __init__(self, policy: AddressPolicy, *, connections: int, resolve: Resolve = resolve_host) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=15.0,
            network_backend=_GuardedBackend(policy, resolve),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.extensions.get("address", request.url))
        target = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _mapped(url):
            answer = await self._pool.handle_async_request(
                httpcore2.Request(request.method, target, headers=request.headers.raw, extensions=request.extensions)
            )
        # httpcore2 types a stream as what a request may also have; a response's is its own closable one.
        stream = _Stream(url, cast("_PoolStream", answer.stream))
        return _Answer(answer.status, headers=answer.headers, stream=stream)

    async def aclose(self) -> None:
        await self._pool.aclose()


def fetch_error(url: str, error: Exception) -> FetchError:
    """The `FetchError` for an exception of httpcore2 or of the operating system."""
    if isinstance(error, _Refused):
        return BlockedAddress(url, str(error))
    if isinstance(error, _Unresolved):
        return FetchError(url, "dns", str(error), transient=error.transient)
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):
        return FetchError(url, "tls", f"no secure connection: {_detail(cause)}")
    if isinstance(error, httpcore2.ConnectError) and cause is not None and cause.errno:
        # The words for the number only: the system's own sentence holds the address.
        reason = f"no connection to the host: {os.strerror(cause.errno).lower()}"
        return FetchError(url, "refused", reason, transient=True)
    for cls, kind, reason, transient in _KINDS:
        if isinstance(error, cls):
            detail = _detail(error)
            if kind == "protocol" and ("disconnected" in detail or "peer closed" in detail):
                return FetchError(url, "reset", "the server closed the connection early", transient=True)
            return FetchError(url, kind, f"{reason}: {detail}" if detail else reason, transient=transient)
    return FetchError(url, "protocol", f"the request failed: {_detail(error) or type(error).__name__}")


# Most specific first. A protocol error is often a proxy's bad moment, hence worth another try.
_KINDS: tuple[tuple[type[Exception], str, str, bool], ...] = (
    (httpcore2.ConnectTimeout, "refused", "no connection to the host in time", True),
    (httpcore2.PoolTimeout, "timeout", "no connection became free in time", True),
    (httpcore2.TimeoutException, "timeout", "the server does not answer in time", True),
    (httpcore2.ConnectError, "refused", "no connection to the host", True),
    (httpcore2.NetworkError, "reset", "the connection broke", True),
    (httpcore2.ConnectionNotAvailable, "reset", "the connection was no longer available", True),
    (httpcore2.RemoteProtocolError, "protocol", "the answer is not valid HTTP", True),
    (httpcore2.LocalProtocolError, "protocol", "the request is not valid HTTP", False),
    (httpcore2.ProtocolError, "protocol", "HTTP was not followed", False),
    (httpcore2.UnsupportedProtocol, "protocol", "only http and https can be fetched", False),
    (httpcore2.ProxyError, "protocol", "a proxy failed", True),
    (OSError, "reset", "the connection broke", True),
)
_MAPPED: tuple[type[Exception], ...] = tuple(row[0] for row in _KINDS)


@contextmanager
def _mapped(url: str) -> Iterator[None]:
    try:
        yield
    except _MAPPED as error:
        raise fetch_error(url, error) from error


def _cause(error: BaseException) -> OSError | None:
    """The error of the operating system or of TLS that `error` was raised for, through the layers between."""
    at: BaseException | None = error
    while at is not None and not (isinstance(at, OSError) and at.errno):
        at = at.__cause__ or at.__context__
    return at


def _detail(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


class _Refused(httpcore2.ConnectError):
    """The policy refuses an address of the host."""


class _Unresolved(httpcore2.ConnectError):
    def __init__(self, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.transient = transient


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves, checks and dials; `httpcore2`'s own backend then gets an IP address and never a name."""

    def __init__(self, policy: AddressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._dial = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        deadline = None if timeout is None else time.monotonic() + timeout
        addresses = await self._checked(host, port, timeout)
        failure: Exception = _Unresolved(f"the host {host} has no address", transient=False)
        for tried, address in enumerate(addresses):
            # An address that swallows packets must leave time for the ones after it.
            share = None
            if deadline is not None:
                share = max(0.0, deadline - time.monotonic()) / (len(addresses) - tried)
            try:
                return await self._dial.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise _Refused("refused, because it is a local socket")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _checked(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise _Unresolved(f"the host name {host} is not resolved in time", transient=True) from error
        except (OSError, UnicodeError) as error:
            # EAI_AGAIN is a resolver that did not answer; the other codes say that there is no such name.
            transient = isinstance(error, OSError) and error.errno == socket.EAI_AGAIN
            raise _Unresolved(f"the host name {host} does not resolve", transient=transient) from error
        for address in addresses:
            reason = self._policy.refusal(host, port, address)
            if reason is not None:
                raise _Refused(reason)
        return addresses


class _PoolStream(AsyncIterable[bytes]):
    async def aclose(self) -> None: ...


class _Stream(httpx.AsyncByteStream):
    def __init__(self, url: str, stream: _PoolStream) -> None:
        self._url = url
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _mapped(self._url):
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        with _mapped(self._url):
            await self._stream.aclose()


class _Answer(httpx.Response):
    """A response whose Location the client leaves alone: `follow` reads it by the URL standard."""

    @property
    def has_redirect_location(self) -> bool:
        return False
