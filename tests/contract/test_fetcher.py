"""One suite for every `Fetcher`: the one over HTTP and the fake must not differ in what a crawler can see."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ingest.addresses import AddressPolicy
from ingest.errors import FetchError, TooLarge
from ingest.fetcher import FakeFetcher, Hop, HttpFetcher, follow
from ingest.models import Fetcher, FetchRequest, FetchResponse

HTML = {"content-type": "text/html"}
Page = tuple[int, Mapping[str, str], bytes]


@dataclass
class World:
    """A site that answers the same to either fetcher; `seen`: path and headers of the requests, in order."""

    base: str
    open: Callable[[Mapping[str, Page]], Fetcher]
    seen: Callable[[], list[tuple[str, dict[str, str]]]]


@pytest.fixture(params=["http", "fake"])
def world(request: pytest.FixtureRequest, site_server: Any) -> World:
    if request.param == "http":

        def serve(pages: Mapping[str, Page]) -> Fetcher:
            site_server.routes.update(pages)
            return HttpFetcher(policy=AddressPolicy([("127.0.0.1", site_server.port)]))

        return World(
            site_server.url,
            serve,
            lambda: [(asked.path, dict(asked.headers)) for asked in site_server.requests],
        )
    base = "http://site.test"
    fakes: list[FakeFetcher] = []

    def fake(pages: Mapping[str, Page]) -> Fetcher:
        fakes.append(FakeFetcher({base + path: FetchResponse("", *page) for path, page in pages.items()}))
        return fakes[-1]

    return World(
        base,
        fake,
        lambda: [
            (asked.url.removeprefix(base), {name.lower(): value for name, value in asked.headers.items()})
            for asked in fakes[-1].requests
        ],
    )


def run(world: World, pages: Mapping[str, Page], use: Callable[[Fetcher], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        fetcher = world.open(pages)
        try:
            return await use(fetcher)
        finally:
            await fetcher.aclose()

    return asyncio.run(main())


def fetch(world: World, pages: Mapping[str, Page], path: str, **settings: Any) -> FetchResponse:
    async def use(fetcher: Fetcher) -> FetchResponse:
        return await fetcher.fetch(FetchRequest(world.base + path, **settings))

    found = run(world, pages, use)
    assert isinstance(found, FetchResponse)
    return found


def chase(world: World, pages: Mapping[str, Page], path: str, **settings: Any) -> tuple[FetchResponse, list[Hop]]:
    async def use(fetcher: Fetcher) -> tuple[FetchResponse, list[Hop]]:
        headers = settings.pop("headers", {})
        return await follow(fetcher, FetchRequest(world.base + path, headers), **settings)

    response, hops = run(world, pages, use)
    return response, hops


def moved(location: str, status: int = 302) -> Page:
    return status, {"Location": location}, b""


def test_an_answer_has_status_headers_in_lower_case_and_body(world: World) -> None:
    answer = fetch(world, {"/a": (200, {"Content-Type": "text/html", "ETag": '"1"'}, b"<p>hi")}, "/a")
    assert (answer.url, answer.status, answer.body) == (world.base + "/a", 200, b"<p>hi")
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["etag"] == '"1"'


def test_what_is_not_there_is_an_answer_and_no_error(world: World) -> None:
    assert fetch(world, {}, "/missing").status == 404
    assert fetch(world, {"/a": (503, {"Retry-After": "9"}, b"")}, "/a").headers["retry-after"] == "9"


def test_the_fragment_is_not_sent(world: World) -> None:
    assert fetch(world, {"/a": (200, HTML, b"x")}, "/a#b").body == b"x"
    assert [path for path, _ in world.seen()] == ["/a"]


def test_headers_of_the_request_are_sent(world: World) -> None:
    fetch(world, {}, "/a", headers={"If-None-Match": '"1"'})
    assert world.seen()[0][1]["if-none-match"] == '"1"'


def test_what_is_no_web_address_is_a_fetch_error(world: World) -> None:
    async def use(fetcher: Fetcher) -> None:
        for url in ("file:///etc/passwd", "nonsense", "http://u:p@h/"):
            with pytest.raises(FetchError) as caught:
                await fetcher.fetch(FetchRequest(url))
            assert caught.value.kind == "protocol"

    run(world, {}, use)


@pytest.mark.promise("C6")
def test_a_body_over_the_cap_of_the_request_is_too_large_and_holds_what_was_read(world: World) -> None:
    pages = {"/a": (200, HTML, b"0123456789")}
    assert fetch(world, pages, "/a", max_bytes=10).body == b"0123456789"


@pytest.mark.promise("C6")
def test_one_byte_over_the_cap_is_too_large(world: World) -> None:
    with pytest.raises(TooLarge) as caught:
        fetch(world, {"/a": (200, HTML, b"0123456789")}, "/a", max_bytes=9)
    assert (caught.value.kind, caught.value.transient) == ("too_large", False)
    assert caught.value.partial == b"012345678"


def test_an_error_page_is_cut_and_no_error(world: World) -> None:
    answer = fetch(world, {"/a": (404, HTML, b"x" * 100_000)}, "/a")
    assert (answer.status, len(answer.body)) == (404, 65_536)


@pytest.mark.parametrize("kind", ["application/pdf", "image/png", "video/mp4", "application/zip", "font/woff2"])
def test_the_body_of_what_is_not_text_is_left_unless_it_is_asked_for(world: World, kind: str) -> None:
    pages = {"/a": (200, {"Content-Type": kind}, b"%PDF")}
    answer = fetch(world, pages, "/a")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, kind, b"")


def test_a_type_that_the_request_names_is_downloaded(world: World) -> None:
    pages = {"/a": (200, {"Content-Type": "application/octet-stream"}, b"User-agent: *")}
    headers = {"Accept": "text/plain, application/octet-stream;q=0.5"}
    assert fetch(world, pages, "/a", headers=headers).body == b"User-agent: *"


@pytest.mark.parametrize("kind", ["text/markdown", "application/xhtml+xml; charset=utf-8", "TEXT/HTML", "nonsense"])
def test_text_is_downloaded(world: World, kind: str) -> None:
    assert fetch(world, {"/a": (200, {"Content-Type": kind}, b"x")}, "/a").body == b"x"


def test_a_redirect_is_an_answer_and_not_followed(world: World) -> None:
    answer = fetch(world, {"/a": moved("/b"), "/b": (200, HTML, b"x")}, "/a")
    assert (answer.status, answer.headers["location"]) == (302, "/b")
    assert [path for path, _ in world.seen()] == ["/a"]


def test_redirects_are_followed_on_demand_and_the_way_is_told(world: World) -> None:
    pages = {
        "/d/a": moved("../b?x=1#f", 301),
        "/b?x=1": moved("//" + world.base[7:] + "/c", 307),
        "/c": (200, HTML, b"x"),
    }
    answer, hops = chase(world, pages, "/d/a")
    assert (answer.url, answer.body) == (world.base + "/c", b"x")
    assert hops == [(world.base + "/d/a", 301), (world.base + "/b?x=1", 307)]
    assert [hop.permanent for hop in hops] == [True, False]


def test_an_answer_that_does_not_redirect_has_no_way(world: World) -> None:
    answer, hops = chase(world, {"/a": (304, {"Location": "/b"}, b"")}, "/a")
    assert (answer.status, hops) == (304, [])
    answer, hops = chase(world, {"/a": (302, {}, b"")}, "/a")
    assert (answer.status, hops) == (302, [])


@pytest.mark.promise("C6")
@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({"/a": moved("/a")}, "in a circle"),
        ({"/a": moved("/b"), "/b": moved("/a#x")}, "in a circle"),
        ({f"/{'a' * n}": moved(f"/{'a' * (n + 1)}") for n in range(1, 9)}, "more than 5 times"),
        ({"/a": moved("file:///etc/passwd")}, "what is not a plain http or https address"),
        ({"/a": moved("javascript:alert(1)")}, "what is not a plain http or https address"),
        ({"/a": moved("http://")}, "what is not a plain http or https address"),
        ({"/a": moved("http://u:hunter2@h/")}, "what is not a plain http or https address"),
    ],
)
def test_redirects_that_lead_nowhere_end(world: World, pages: dict[str, Page], reason: str) -> None:
    with pytest.raises(FetchError, match=reason) as caught:
        chase(world, pages, "/a", max_redirects=5)
    assert (caught.value.kind, caught.value.url) == ("redirects", world.base + "/a")


def test_a_redirect_target_that_is_not_admitted_is_not_asked_for(world: World) -> None:
    async def admit(target: str) -> str | None:
        return "it is out of scope" if target.endswith("/b") else None

    with pytest.raises(FetchError, match="/b: it is out of scope"):
        chase(world, {"/a": moved("/x"), "/x": moved("/b")}, "/a", admit=admit)
    assert [path for path, _ in world.seen()] == ["/a", "/x"]


def test_validators_go_to_the_first_address_only(world: World) -> None:
    pages = {"/a": moved("/b"), "/b": (200, HTML, b"x")}
    chase(world, pages, "/a", headers={"If-None-Match": '"1"', "X-Other": "1", "Authorization": "secret"})
    (_, first), (_, second) = world.seen()
    assert first["if-none-match"] == '"1"'
    assert "if-none-match" not in second
    assert (second["x-other"], second["authorization"]) == ("1", "secret")
