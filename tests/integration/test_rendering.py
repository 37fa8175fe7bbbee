"""Pages as their scripts make them, in the system's Chromium: sites, single pages, limits and crashes."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from engine import MockEngine
from ingest import CrawledPage, FakeFetcher, FetchError, FetchResponse, SkippedPage, crawl
from ingest.page_requests import RenderLimits
from ingest.rendering import Renderer, Rendering
from ingest.robots import RobotsPolicy
from ingest.urls import origin
from syncs import Runtime
from syncs.crawl import site_crawl

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

SHELL = "<title>App</title><noscript>Enable JavaScript.</noscript><div id='root'></div><script src='/app.js'></script>"
APP = """
async function show() {
  const pages = await (await fetch("/api/pages.json")).json();
  const page = pages[location.pathname];
  document.title = page ? page.title : "Not found";
  const menu = Object.keys(pages).map(path => `<a href="${path}">${pages[path].title}</a>`).join(" ");
  const main = page ? `<h1 id="top">${page.title}</h1><p>${page.text}</p>` : "<h1>404</h1><p>Page not found.</p>";
  document.getElementById("root").innerHTML = `<nav>${menu}</nav><main>${main}</main>`;
}
show();
"""
LONG = "Words that only a script brings. " * 12
PAGES = {f"/{name}": {"title": f"Page {name or 'home'}", "text": f"{name} {LONG}"} for name in ("", "a", "b/c")}


@pytest.fixture(autouse=True)
def chromium(system_part: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    path = system_part("chromium")
    monkeypatch.setenv("SYNCLINE_CHROMIUM", str(path))
    return path


@pytest.fixture
def app(site_server: Any) -> Any:
    """A site of three pages that one script makes."""
    site_server.routes = {
        "/app.js": (200, {"Content-Type": "application/javascript", "Cache-Control": "max-age=9"}, APP),
        "/api/pages.json": (200, {"Content-Type": "application/json"}, json.dumps(PAGES)),
        **{path: (200, {"Content-Type": "text/html", "ETag": '"1"'}, SHELL) for path in (*PAGES, "/lost")},
    }
    return site_server


def crawled(start: str, **options: Any) -> list[CrawledPage | SkippedPage]:
    async def main() -> list[CrawledPage | SkippedPage]:
        async with aclosing(crawl(start, discover="links", **options)) as stream:
            return [found async for found in stream]

    return asyncio.run(main())


def answer(url: str, body: str, kind: str = "text/html; charset=utf-8", **headers: str) -> FetchResponse:
    return FetchResponse(url, 200, {"content-type": kind, **headers}, body.encode())


JS = "text/javascript"
Render = Callable[..., Rendering]


@pytest.fixture
def render(chromium: Path) -> Render:
    """Renders one document at https://x.org/a; `pages` is what its scripts may ask for."""

    def run(
        document: str, pages: dict[str, Any] | None = None, fetcher: FakeFetcher | None = None, **options: Any
    ) -> Rendering:
        async def main() -> Rendering:
            site = fetcher or FakeFetcher(pages or {})
            renderer = Renderer(chromium, site, RobotsPolicy(site), **options)
            try:
                return await renderer.render(answer("https://x.org/a", document))
            finally:
                await renderer.aclose()

        return asyncio.run(main())

    return run


def shown(rendering: Rendering) -> str:
    """The document without its scripts."""
    return re.sub(r"<script.*?</script>", "", rendering.response.body.decode(), flags=re.DOTALL)


# --- a site ---------------------------------------------------------------------------------------


@pytest.mark.promise("C8")
def test_a_site_that_scripts_make_is_crawled(app: Any) -> None:
    found = crawled(app.url + "/")
    pages = {page.url.removeprefix(app.url): page for page in found if isinstance(page, CrawledPage)}
    assert set(pages) == set(PAGES)
    assert len(found) == len(pages)
    for path, page in pages.items():
        assert page.title == PAGES[path]["title"]
        assert page.markdown.startswith(f"# {page.title}\n")
        assert LONG.strip() in page.markdown
        assert "JavaScript" not in page.markdown
        assert [anchor.id for anchor in page.anchors] == ["top"]
        assert page.rendered
        assert page.etag is None
    assert app.paths.count("/app.js") == app.paths.count("/api/pages.json") == 1


def test_without_rendering_it_is_quarantined(app: Any) -> None:
    (found,) = crawled(app.url + "/", render="never")
    assert isinstance(found, SkippedPage)
    assert found.reason == "an empty shell that only JavaScript fills"
    assert "/app.js" not in app.paths


@pytest.mark.promise("C8")
def test_a_soft_404_that_a_script_makes_is_quarantined(app: Any) -> None:
    app.routes["/"] = (200, {"Content-Type": "text/html"}, f"<p>{LONG}</p><a href='/lost'>lost</a>")
    app.routes = Missing(app.routes, app.routes["/lost"])
    found = {page.url: page for page in crawled(app.url + "/")}
    lost = found[f"{app.url}/lost"]
    assert isinstance(lost, SkippedPage)
    assert lost.reason.startswith("a soft 404")


class Missing(dict[str, Any]):
    """Routes of a server that answers every page that is not there with the app's shell."""

    def __init__(self, routes: dict[str, Any], shell: Any) -> None:
        super().__init__(routes)
        self.shell = shell

    def get(self, path: str, default: Any = None) -> Any:
        return super().get(path, default if "." in path else self.shell)


@pytest.mark.promise("C9")
def test_the_store_knows_what_was_rendered_and_a_second_crawl_finds_it_unchanged(app: Any) -> None:
    async def twice() -> list[Any]:
        runtime = Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl})
        return [await runtime.sync("site_crawl", {"url": app.url + "/", "discover": "links"}) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert first.report.status == second.report.status == "complete"
    assert first.report.pages.stored == second.report.pages.unchanged == len(PAGES)
    assert all(page.metadata["rendered"] is True for page in first.crawl_data)
    assert first.report.notes == ["Pages read as a browser shows them, once their scripts had run: 3."]


@pytest.mark.promise("C1")
def test_what_robots_txt_forbids_is_not_asked_for_by_a_script_either(app: Any) -> None:
    app.routes["/robots.txt"] = (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /api/")
    (found,) = crawled(app.url + "/")
    assert isinstance(found, SkippedPage)
    assert found.reason == f"its scripts made next to no text ({app.url}/api/pages.json: robots.txt disallows it)"
    assert "/api/pages.json" not in app.paths


@pytest.mark.promise("C11")
def test_a_page_whose_data_is_refused_is_a_failure_and_not_its_error_message(app: Any) -> None:
    app.routes["/api/pages.json"] = (400, {"Content-Type": "application/json"}, "{}")
    (refused,) = crawled(app.url + "/")
    assert isinstance(refused, SkippedPage)
    assert refused.reason.endswith("/api/pages.json: it answers 400)")
    assert not refused.transient


def test_scrape_prints_a_rendered_page(in_process: Any, app: Any) -> None:
    ran = in_process("scrape", f"{app.url}/a", "--json")
    assert ran.json["metadata"]["rendered"] is True
    assert ran.json["markdown"].startswith("# Page a\n")
    assert in_process("scrape", f"{app.url}/a", "--render", "never").error.endswith("that only JavaScript fills")


@pytest.mark.parametrize("command", ["scrape", "crawl"])
def test_always_without_a_browser_is_one_sentence_before_anything_is_asked(
    in_process: Any, app: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCLINE_CHROMIUM", "none")
    ran = in_process(command, f"{app.url}/", "--render", "always")
    assert ran.code == 1
    assert ran.error == "pages cannot be rendered, because SYNCLINE_CHROMIUM says that there is no browser"
    assert in_process(command, f"{app.url}/", "--render", "sometimes").code == 2
    assert app.paths == []


# --- a page ---------------------------------------------------------------------------------------


def test_what_stands_in_a_shadow_tree_is_part_of_the_page(render: Render) -> None:
    document = """<x-note><b>given</b></x-note><script>customElements.define("x-note", class extends HTMLElement {
      connectedCallback() { this.attachShadow({mode: "open"}).innerHTML = "<h2>Note</h2><slot></slot><p>end</p>"; }
    });</script>"""
    assert "<x-note><h2>Note</h2><b>given</b><p>end</p></x-note>" in shown(render(document))


def test_what_stands_in_for_scripts_is_not_part_of_it(render: Render) -> None:
    assert shown(render("<p>text<noscript>Enable JavaScript.</noscript></p>")).count("JavaScript") == 0


def test_what_comes_late_is_waited_for(render: Render) -> None:
    script = "setTimeout(() => fetch('/late').then(r => r.text()).then(t => document.body.append(t)), 700)"
    assert "in the end" in shown(
        render(f"<body><script>{script}</script>", {"https://x.org/late": answer("", "in the end")})
    )


def test_a_page_that_never_rests_is_taken_when_its_time_is_over(render: Render) -> None:
    script = "setInterval(() => document.body.append('tick '), 50)"
    assert "tick tick" in shown(render(f"<body><script>{script}</script>", limits=RenderLimits(seconds=1.5)))


def test_addresses_are_relative_to_what_a_script_made_of_the_address(render: Render) -> None:
    assert render("<p>hi<script>history.pushState(0, '', '/guide/start')</script>").response.url == (
        "https://x.org/guide/start"
    )


def test_a_document_keeps_its_bytes_and_charset(chromium: Path) -> None:
    async def main() -> Rendering:
        fetcher = FakeFetcher({})
        renderer = Renderer(chromium, fetcher, RobotsPolicy(fetcher))
        body = "<p>Grüße<script>document.body.append(' aus Köln')</script>".encode("latin-1")
        try:
            kind = {"content-type": "text/html; charset=iso-8859-1", "etag": "1"}
            return await renderer.render(FetchResponse("https://x.org/a", 200, kind, body))
        finally:
            await renderer.aclose()

    found = asyncio.run(main())
    assert "Grüße" in shown(found)
    assert "aus Köln" in shown(found)
    assert found.response.headers == {"content-type": "text/html; charset=utf-8"}


def test_a_script_cannot_leave_the_page_and_where_it_wants_is_told(render: Render) -> None:
    found = render("<p>here<script>location.href = '/b?x=1'; setTimeout(() => location.reload(), 50)</script>")
    assert "here" in shown(found)
    assert found.leads_to == ("https://x.org/b?x=1", "https://x.org/a")


def test_only_scripts_and_data_are_fetched_with_nothing_of_the_browser(render: Render) -> None:
    fetcher = FakeFetcher(
        {
            "https://x.org/app.js": answer("", "document.cookie = 'a=b'; fetch('/data', {headers: {'X-A': 'b'}})", JS),
            "https://x.org/data": answer("", "{}", "application/json"),
        }
    )
    render(
        "<link rel=stylesheet href=s.css><img src=i.png><iframe src=f.html></iframe><video src=v.mp4></video>"
        "<link rel=prefetch href=p.html><object data=o.html></object><p>hi<script src=app.js></script>"
        "<script>fetch('/post', {method: 'POST', body: 'x'}); navigator.sendBeacon('/beacon'); new EventSource('/es');"
        "new Worker('/worker.js')</script>",
        fetcher=fetcher,
    )
    asked = {request.url: set(request.headers) for request in fetcher.requests}
    assert asked == {f"https://x.org{path}": {"Accept"} for path in ("/robots.txt", "/app.js", "/data")}


def test_scripts_of_other_hosts_are_fetched_where_they_allow_it(render: Render) -> None:
    pages = {
        "https://cdn.example/moved.js": FetchResponse("", 302, {"location": "/lib.js"}),
        "https://cdn.example/lib.js": answer("", "document.body.append('from afar')", JS),
        "https://no.example/robots.txt": answer("", "User-agent: *\nDisallow: /", "text/plain"),
        "https://no.example/lib.js": answer("", "document.body.append('not wanted')", JS),
    }
    found = render(
        "<p><script src=https://cdn.example/moved.js></script><script src=https://no.example/lib.js></script>", pages
    )
    assert "from afar" in shown(found)
    assert "not wanted" not in shown(found)
    assert found.lacked == " (https://no.example/lib.js: robots.txt disallows it)"


@pytest.mark.promise("C7")
def test_a_page_of_another_origin_gets_nothing_that_a_session_opens(render: Render) -> None:
    members = "https://members.example"
    pages = {f"{members}/secret": answer("", "secret", "text/plain", **{"access-control-allow-origin": "*"})}
    script = f"fetch('{members}/secret').then(r => r.text(), () => 'refused').then(t => document.body.append(t))"
    document = f"<p><script>{script}</script>"
    assert "secret" in shown(render(document, pages))
    found = render(document, pages, withheld=origin(members))
    assert "refused" in shown(found)
    assert "secret" not in shown(found)
    assert found.lacked == f" ({members}/secret: the session is for that site's own pages)"


# --- limits and crashes ---------------------------------------------------------------------------


@pytest.mark.promise("C6")
@pytest.mark.parametrize(
    ("script", "limits", "said"),
    [
        ("while (true) {}", {"seconds": 1.5}, "its scripts kept the browser busy for 1.5 seconds"),
        ("for (let i = 0; i < 30; i++) fetch('/d?' + i)", {"requests": 20}, "its scripts ask for more than 20 things"),
        ("const more = () => fetch('/d').then(more); more()", {"requests": 20}, "its scripts ask for more than 20"),
        ("fetch('/large')", {"bytes": 1_000}, "over the 1,000 bytes that a page's scripts may load"),
        ("document.body.append('x'.repeat(5000))", {"characters": 5_000}, "its document is over 5,000 characters"),
        ("fetch('/never')", {"total_seconds": 3.0}, "its scripts were not done within 3 seconds"),
    ],
)
def test_a_page_that_wants_too_much_is_a_failure(
    render: Render, script: str, limits: dict[str, Any], said: str
) -> None:
    class Site(FakeFetcher):
        async def fetch(self, request: Any) -> FetchResponse:
            if request.url.endswith("/never"):
                await asyncio.Event().wait()
            return await super().fetch(request)

    site = Site({"https://x.org/d": answer("", "d"), "https://x.org/large": answer("", "x" * 1_001)})
    with pytest.raises(FetchError) as failed:
        render(f"<body>text<script>{script}</script>", fetcher=site, limits=RenderLimits(**limits))
    assert (failed.value.kind, failed.value.url) == ("render", "https://x.org/a")
    assert said in failed.value.reason


@pytest.mark.promise("C11")
def test_an_answer_of_its_own_site_that_fails_for_now_fails_the_page(render: Render) -> None:
    document = "<p>text<script>fetch('/d'); fetch('https://y.org/d')</script>"
    down = FetchError("https://x.org/d", "reset", "the connection broke", transient=True)
    with pytest.raises(FetchError, match=r"x.org/d: the connection broke") as failed:
        render(document, {"https://x.org/d": down})
    assert failed.value.transient
    other = render(document, {"https://x.org/d": "fine", "https://y.org/d": FetchResponse("", 503)})
    assert other.lacked == " (https://y.org/d: it answers 503)"


def test_a_browser_that_does_not_start_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)

    async def main() -> None:
        fetcher = FakeFetcher({})
        renderer = Renderer(program, fetcher, RobotsPolicy(fetcher))
        try:
            await renderer.render(answer("https://x.org/a", "<p>hi"))
        finally:
            await renderer.aclose()

    with pytest.raises(FetchError, match=r"the browser .*chromium does not start: it ended at once") as failed:
        asyncio.run(main())
    assert "\n" not in failed.value.reason
