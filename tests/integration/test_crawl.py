"""The crawl over real HTTP on loopback: traps end, the rest is read, and a refused start says why."""

import asyncio
import gzip
import itertools
import socket
import threading
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

import ingest.start
from ingest import CrawledPage, HttpFetcher, SkippedPage, StartRefused, crawl
from ingest.addresses import AddressPolicy
from ingest.pace import Politeness

HTML = {"Content-Type": "text/html"}
Found = CrawledPage | SkippedPage


def html(name: str, *links: str) -> tuple[int, dict[str, str], str]:
    anchors = "".join(f"<a href='{link}'>{link}</a> " for link in links)
    return (200, HTML, f"<title>{name}</title><h1 id='top'>{name}</h1><p>This is {name}.</p>{anchors}")


def run(url: str, **options: Any) -> list[Found]:
    async def main() -> list[Found]:
        async with aclosing(crawl(url, **options)) as stream:
            return [found async for found in stream]

    return asyncio.run(main())


def told(base: str, found: list[Found]) -> list[str]:
    return [one.url.removeprefix(base) + (f":{one.outcome}" if isinstance(one, SkippedPage) else "") for one in found]


@pytest.mark.promise("C6", "C11")
def test_traps_end_and_the_pages_around_them_are_read(site_server: Any) -> None:
    bomb = gzip.compress(b"<p>x</p>" + b"\0" * (64 << 20))
    links = ["endless", "bomb", "doc.pdf", "moved", "gone", "latin", "broken", "secret", "last"]
    site_server.routes.update(
        {
            "/robots.txt": (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /d/secret"),
            "/d/": html("start", *links),
            "/d/endless": lambda _: (200, HTML, itertools.repeat(b"<p>more</p>" * 10_000)),
            "/d/bomb": (200, {**HTML, "Content-Encoding": "gzip"}, bomb),
            "/d/doc.pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF-1.7"),
            "/d/moved": (301, {"Location": "/d/new"}, b""),
            "/d/new": html("new"),
            "/d/latin": (
                200,
                {"Content-Type": "text/html; charset=iso-8859-1"},
                "<p>Größe</p>".encode("latin-1"),
            ),
            "/d/broken": (200, {**HTML, "Content-Encoding": "gzip"}, b"not gzip"),
            "/d/last": html("last"),
        }
    )
    base = site_server.url + "/d/"
    found = run(base, fetcher=None)
    assert told(base, found) == [
        "", "endless:failed", "bomb:failed", "doc.pdf:skipped", "moved:duplicate", "gone:skipped", "latin",
        "broken:failed", "secret:skipped", "last", "new",
    ]  # fmt: skip
    reasons = {one.url: one.reason for one in found if isinstance(one, SkippedPage)}
    assert "33,554,432 bytes" in reasons[base + "endless"]
    assert "33,554,432 bytes" in reasons[base + "bomb"]
    assert all(reasons.values())
    assert next(one.markdown for one in found if one.url == base + "latin") == "Größe"
    assert "/d/secret" not in site_server.paths


@pytest.mark.slow
@pytest.mark.promise("C6", "C11")
def test_a_page_that_never_answers_is_failed_for_now_and_the_rest_is_read(site_server: Any) -> None:
    over = threading.Event()

    def silent(_: object) -> tuple[int, dict[str, str], str]:
        over.wait(30)
        return html("late")

    site_server.routes.update({"/": html("start", "slow", "a"), "/slow": silent, "/a": html("a")})
    fetcher = HttpFetcher(policy=AddressPolicy([("127.0.0.1", site_server.port)]), timeout=0.3)
    try:
        found = run(site_server.url, fetcher=fetcher)
    finally:
        over.set()
        asyncio.run(fetcher.aclose())
    assert told(site_server.url, found) == ["/", "/slow:failed", "/a"]
    assert isinstance(found[1], SkippedPage)
    assert found[1].transient
    assert found[1].reason == "not answered in full within 0.3 seconds"
    assert site_server.paths.count("/slow") == 3


def test_localhost_by_name_is_crawled_and_its_other_ports_are_left_alone(
    site_server: Any, make_site_server: Callable[[], Any]
) -> None:
    other = make_site_server()
    other.routes["/"] = html("other")
    site_server.routes.update(
        {"/": html("start", "a", other.url + "/"), "/a": (302, {"Location": other.url + "/"}, b"")}
    )
    base = f"http://localhost:{site_server.port}"
    found = run(base)
    assert told(base, found) == ["/", "/a:skipped"]
    assert isinstance(found[1], SkippedPage)
    assert "is another host than localhost" in found[1].reason
    assert other.requests == []


def refusal(url: str) -> str:
    with pytest.raises(StartRefused) as caught:
        run(url, politeness=Politeness(first_wait=0, first_backoff=0))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.promise("C11")
def test_a_host_that_refuses_the_connection_is_named(closed_port: int) -> None:
    message = refusal(f"http://127.0.0.1:{closed_port}/docs/")
    assert f"http://127.0.0.1:{closed_port}/" in message
    assert "refused" in message
    assert "server is up" in message


@pytest.mark.promise("C11")
def test_a_host_that_does_not_resolve_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(ingest.start, "resolve_host", nowhere)
    assert refusal("http://docs.invalid/") == (
        "The host docs.invalid does not resolve: check the spelling, and that this machine has a network."
    )


@pytest.mark.promise("C2")
def test_a_start_that_redirects_to_another_host_names_it(site_server: Any, closed_port: int) -> None:
    target = f"http://127.0.0.1:{closed_port}/docs/"
    site_server.routes["/"] = (301, {"Location": target}, b"")
    assert f"start from {target}" in refusal(site_server.url + "/")


@pytest.mark.promise("C7")
def test_a_public_start_cannot_lead_to_a_private_address(monkeypatch: pytest.MonkeyPatch, site_server: Any) -> None:
    async def public(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    monkeypatch.setattr(ingest.start, "resolve_host", public)
    message = refusal(f"http://localhost:{site_server.port}/")  # it resolves to loopback when it is dialled
    assert "loopback" in message
    assert site_server.requests == []


@pytest.mark.promise("C5")
def test_addresses_go_over_the_wire_as_pages_write_them(site_server: Any) -> None:
    site_server.routes.update(
        {"/": html("start", "/%7Eme/?q=%2C&r=[1]", "/%7Eme/?r=[1]&utm_source=x#f"), "/%7Eme/": html("me")}
    )
    found = run(site_server.url)
    assert told(site_server.url, found) == ["/", "/~me/?q=%2C&r=[1]", "/~me/?r=[1]:duplicate"]
    asked = [path for path in site_server.paths if path.startswith("/%7E")]
    assert asked == ["/%7Eme/?q=%2C&r=[1]", "/%7Eme/?r=[1]&utm_source=x"]


def test_memory_holds_a_window_of_the_site_and_not_the_site(site_server: Any) -> None:
    site_server.routes["/"] = html("start", *(f"/p{n}" for n in range(60)))
    for number in range(60):
        site_server.routes[f"/p{number}"] = html(f"p{number}")

    async def main() -> int:
        ahead = 0
        async with aclosing(crawl(site_server.url, concurrency=2)) as stream:
            read = 0
            async for _ in stream:
                read += 1
                await asyncio.sleep(0)
                asked = [path for path in site_server.paths if "." not in path]  # without robots.txt and lists
                ahead = max(ahead, len(asked) - read)
        return ahead

    assert asyncio.run(main()) <= 4
