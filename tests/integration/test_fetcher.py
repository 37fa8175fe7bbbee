"""The fetcher against real sockets on loopback: what goes out, what is refused, and how failures end."""

import asyncio
import gzip
import itertools
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard

from ingest.addresses import AddressPolicy
from ingest.errors import BlockedAddress, FetchError, TooLarge
from ingest.fetcher import HttpFetcher, follow
from ingest.models import FetchRequest, FetchResponse

HTML = {"Content-Type": "text/html"}


def resolver(*answers: Sequence[str]) -> Callable[[str, int], Any]:
    """A name service whose answers come in turn; one more question than answers is an error."""
    left = iter(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return next(left)

    return resolve


def fetch(url: str, *, port: int | None = None, host: str = "127.0.0.1", **settings: Any) -> FetchResponse:
    """One request by a fetcher of its own, which may reach `host:port`."""
    allowed = [] if port is None else [(host, port)]
    headers = settings.pop("request_headers", {})

    async def run() -> FetchResponse:
        fetcher = HttpFetcher(policy=AddressPolicy(allowed), **settings)
        try:
            return await fetcher.fetch(FetchRequest(url, headers))
        finally:
            await fetcher.aclose()

    return asyncio.run(run())


def failure(url: str, **settings: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, **settings)
    assert caught.value.url == url
    return caught.value


@pytest.mark.promise("C5")
@pytest.mark.parametrize(
    "path", ["/%7Euser/%c3%a9?q=%2C&r=[]|^", "/a//b;c=1/", "/a?", "/a?b=1+2%20'", "/%", "/a[1]{2}"]
)
def test_the_address_goes_over_the_wire_as_the_page_wrote_it(site_server: Any, path: str) -> None:
    from ingest.urls import parse

    fetch(site_server.url + path, port=site_server.port)
    assert site_server.url + site_server.paths[0] == parse(site_server.url + path)


def test_the_request_says_who_asks_and_offers_only_what_can_be_decoded(site_server: Any) -> None:
    fetch(site_server.url + "/", port=site_server.port, headers={"X-Mine": "1"})
    headers = site_server.requests[0].headers
    assert headers["user-agent"].startswith("syncline/")
    assert headers["accept-encoding"] == "zstd, br, gzip, deflate"
    assert headers["x-mine"] == "1"
    assert headers["host"] == f"127.0.0.1:{site_server.port}"


def test_no_cookie_is_kept(site_server: Any) -> None:
    site_server.routes["/"] = (200, {"Set-Cookie": "a=b; Path=/"}, b"x")

    async def run() -> None:
        fetcher = HttpFetcher(policy=AddressPolicy([("127.0.0.1", site_server.port)]))
        for _ in range(2):
            await fetcher.fetch(FetchRequest(site_server.url + "/"))
        await fetcher.aclose()

    asyncio.run(run())
    assert ["cookie" in request.headers for request in site_server.requests] == [False, False]


def test_no_proxy_of_the_environment_is_used(site_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(site_server.url + "/", port=site_server.port).status == 404


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("GZIP", gzip.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ],
)
def test_an_encoded_page_comes_back_decoded(site_server: Any, encoding: str, encode: Callable[[bytes], bytes]) -> None:
    page = b"<p>hello</p>" * 10_000
    site_server.routes["/"] = (200, {**HTML, "Content-Encoding": encoding}, encode(page))
    assert fetch(site_server.url + "/", port=site_server.port).body == page


def test_a_body_that_is_not_what_its_encoding_says_is_an_error(site_server: Any) -> None:
    site_server.routes["/"] = (200, {**HTML, "Content-Encoding": "gzip"}, gzip.compress(b"x" * 1000)[:-5])
    assert failure(site_server.url + "/", port=site_server.port).kind == "encoding"
    site_server.routes["/"] = (404, {**HTML, "Content-Encoding": "gzip"}, b"not gzip")
    answer = fetch(site_server.url + "/", port=site_server.port)
    assert (answer.status, answer.body) == (404, b"")


def endless(piece: bytes = b"x" * 10_000) -> Iterator[bytes]:
    return itertools.repeat(piece)


@pytest.mark.promise("C6")
def test_an_endless_page_ends_at_the_cap(site_server: Any) -> None:
    site_server.routes["/"] = lambda request: (200, HTML, endless())
    with pytest.raises(TooLarge):
        fetch(site_server.url + "/", port=site_server.port, max_bytes=100_000)


@pytest.mark.promise("C6")
def test_a_bomb_ends_at_the_cap(site_server: Any) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    site_server.routes["/"] = (200, {**HTML, "Content-Encoding": "gzip"}, bomb)
    with pytest.raises(TooLarge):
        fetch(site_server.url + "/", port=site_server.port, max_bytes=1_000_000)


@pytest.mark.promise("C6")
def test_a_declared_length_over_the_cap_is_refused_before_the_body(site_server: Any) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000000000000\r\n\r\n"
    site_server.routes["/"] = head
    error = failure(site_server.url + "/", port=site_server.port)
    assert (error.kind, error.reason) == (
        "too_large",
        "its body has 1,000,000,000,000 bytes; at most 33,554,432 are read",
    )


@pytest.mark.promise("C6")
@pytest.mark.parametrize("kind", ["application/pdf", "video/mp4"])
def test_the_body_of_a_film_is_not_waited_for(site_server: Any, kind: str) -> None:
    site_server.routes["/"] = lambda request: (200, {"Content-Type": kind}, endless())
    answer = fetch(site_server.url + "/", port=site_server.port)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, kind, b"")


@pytest.mark.promise("C6")
def test_an_error_page_without_end_is_cut(site_server: Any) -> None:
    site_server.routes["/"] = lambda request: (429, HTML, endless())
    assert fetch(site_server.url + "/", port=site_server.port).status == 429


@pytest.mark.promise("C6")
def test_a_page_that_never_finishes_ends_at_the_total_deadline(site_server: Any) -> None:
    done = threading.Event()

    def drip(request: Any) -> Any:
        def pieces() -> Iterator[bytes]:
            while not done.wait(0.02):
                yield b"x"

        return 200, HTML, pieces()

    site_server.routes["/"] = drip
    try:
        error = failure(site_server.url + "/", port=site_server.port, timeout=0.3)
    finally:
        done.set()
    assert (error.kind, error.transient) == ("timeout", True)
    assert "0.3 seconds" in error.reason


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (b"", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10\r\n\r\nabc", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "reset"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
            "protocol",
        ),
        (b"nonsense\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", "protocol"),
    ],
)
def test_a_broken_answer_is_a_fetch_error(site_server: Any, wire: bytes, kind: str) -> None:
    site_server.routes["/"] = wire
    error = failure(site_server.url + "/", port=site_server.port)
    assert (error.kind, error.transient) == (kind, True)


def test_a_host_that_refuses_is_a_fetch_error(closed_port: int) -> None:
    error = failure(f"http://127.0.0.1:{closed_port}/", port=closed_port)
    assert (error.kind, error.transient) == ("refused", True)
    assert error.reason == "no connection to the host: connection refused"


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no such name"), False),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), True),
        (UnicodeError("label too long"), False),
    ],
)
def test_a_name_that_does_not_resolve_is_a_fetch_error(error: Exception, transient: bool) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise error

    found = failure("http://docs.test/", resolve=resolve)
    assert (found.kind, found.transient) == ("dns", transient)
    assert found.reason == "the host name docs.test does not resolve"


def test_a_name_without_addresses_does_not_resolve() -> None:
    assert failure("http://docs.test/", resolve=resolver([])).kind == "dns"


def test_a_name_service_that_does_not_answer_ends_with_the_time_for_connecting() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    assert failure("http://docs.test/", resolve=resolve, connect_timeout=0.05).kind == "dns"


# --- the guard ------------------------------------------------------------------------------------


@pytest.mark.promise("C7")
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]", "127.1", "１２７.0.0.1"]
)
def test_a_literal_of_a_local_address_is_refused_in_every_spelling(site_server: Any, host: str) -> None:
    with pytest.raises(BlockedAddress) as caught:
        fetch(f"http://{host}:{site_server.port}/")
    assert (caught.value.kind, caught.value.transient) == ("blocked_address", False)
    assert site_server.requests == []


@pytest.mark.promise("C7")
@pytest.mark.parametrize("answer", [["127.0.0.1"], ["169.254.169.254"], ["93.184.216.34", "10.0.0.5"], ["fd00::1"]])
def test_a_name_with_a_single_refused_answer_is_not_dialled(site_server: Any, answer: list[str]) -> None:
    url = f"http://docs.test:{site_server.port}/"
    error = failure(url, resolve=resolver(answer))
    assert error.kind == "blocked_address"
    assert not any(address in str(error) for address in answer)
    assert site_server.requests == []


@pytest.mark.promise("C7")
def test_a_redirect_to_a_private_address_is_refused(make_site_server: Callable[[], Any]) -> None:
    site, inside = make_site_server(), make_site_server()
    site.routes["/"] = (302, {"Location": inside.url + "/secret"}, b"")

    async def run() -> None:
        fetcher = HttpFetcher(policy=AddressPolicy([("127.0.0.1", site.port)]))
        try:
            await follow(fetcher, FetchRequest(site.url + "/"))
        finally:
            await fetcher.aclose()

    with pytest.raises(BlockedAddress):
        asyncio.run(run())
    assert (site.paths, inside.paths) == (["/"], [])


@pytest.mark.promise("C7")
def test_the_address_that_was_checked_is_the_one_that_is_dialled(site_server: Any) -> None:
    # A second question would have no answer: the name is asked about once, and nothing else is dialled.
    url = f"http://docs.test:{site_server.port}/"
    answer = fetch(url, port=site_server.port, host="docs.test", resolve=resolver(["127.0.0.1"]))
    assert (answer.status, answer.url) == (404, url)
    assert site_server.requests[0].headers["host"] == f"docs.test:{site_server.port}"


def test_the_next_address_is_tried_when_one_refuses(site_server: Any) -> None:
    url = f"http://docs.test:{site_server.port}/"
    addresses = resolver(["::1", "127.0.0.2", "127.0.0.1"])
    assert fetch(url, port=site_server.port, host="docs.test", resolve=addresses).status == 404


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path, system_part: Callable[[str], Path]) -> Path:
    """A file with the key and the self-signed certificate of docs.test."""
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        system_part("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += ["-nodes", "-days", "2", "-subj", "/CN=docs.test", "-addext", "subjectAltName=DNS:docs.test"]
    subprocess.run([*command, "-keyout", key, "-out", file], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[tuple[int, list[str | None]]]:
    """A server for docs.test that answers one request; its port and the names that clients asked for."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda connection, name, context: names.append(name)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65_536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
        except OSError:  # the client refuses the certificate, or never comes
            return

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], names
    with socket.socket() as knock:
        knock.connect_ex(listener.getsockname())
    listener.close()
    thread.join()


@pytest.mark.needs("openssl")
def test_the_host_is_named_and_verified_over_tls_whatever_address_is_dialled(
    tls_server: tuple[int, list[str | None]], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    port, names = tls_server
    url = f"https://docs.test:{port}/"
    answer = fetch(url, port=port, host="docs.test", resolve=resolver(["127.0.0.1"]))
    assert (answer.body, names) == (b"hi", ["docs.test"])


@pytest.mark.needs("openssl")
def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls_server: tuple[int, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    port, _ = tls_server
    error = failure(f"https://docs.test:{port}/", port=port, host="docs.test", resolve=resolver(["127.0.0.1"]))
    assert (error.kind, error.transient) == ("tls", False)


def test_a_server_without_tls_is_a_tls_failure(site_server: Any) -> None:
    site_server.routes["/"] = b"never"
    assert failure(f"https://127.0.0.1:{site_server.port}/", port=site_server.port).kind == "tls"


# --- connections ----------------------------------------------------------------------------------


@pytest.mark.promise("C4")
def test_no_more_connections_are_open_than_the_concurrency_says(site_server: Any) -> None:
    together = threading.Barrier(3, timeout=10)
    lock = threading.Lock()
    running: list[int] = [0]
    most: list[int] = [0]

    def answer(request: Any) -> Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait()
        with lock:
            running[0] -= 1
        return 200, HTML, b"x"

    site_server.routes["/"] = answer

    async def run() -> None:
        fetcher = HttpFetcher(policy=AddressPolicy([("127.0.0.1", site_server.port)]), concurrency=3)
        await asyncio.gather(*(fetcher.fetch(FetchRequest(site_server.url + "/")) for _ in range(9)))
        await fetcher.aclose()

    asyncio.run(run())
    assert (len(site_server.requests), most[0]) == (9, 3)


def test_a_cancelled_request_leaves_its_connection_to_the_next(site_server: Any) -> None:
    arrived, done = threading.Event(), threading.Event()

    def hang(request: Any) -> Any:
        arrived.set()
        done.wait(10)
        return 200, HTML, b"late"

    site_server.routes.update({"/hang": hang, "/": (200, HTML, b"x")})

    async def run() -> bytes:
        fetcher = HttpFetcher(policy=AddressPolicy([("127.0.0.1", site_server.port)]), concurrency=1)
        task = asyncio.create_task(fetcher.fetch(FetchRequest(site_server.url + "/hang")))
        await asyncio.to_thread(arrived.wait, 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        body = (await fetcher.fetch(FetchRequest(site_server.url + "/"))).body
        await fetcher.aclose()
        return body

    try:
        assert asyncio.run(run()) == b"x"
    finally:
        done.set()
