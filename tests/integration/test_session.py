"""A site behind a login over real HTTP: credentials reach its origin and nothing else, and show nowhere."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ingest import CrawledPage, HttpFetcher, SkippedPage, StartRefused, crawl
from ingest.addresses import AddressPolicy
from ingest.session import Session
from syncs.crawl.models import SiteCrawlIn

SECRET = "hunter2-TORTURE"
HTML = {"Content-Type": "text/html"}


def run(start: str, *ports: int, **options: Any) -> list[CrawledPage | SkippedPage]:
    async def main() -> list[CrawledPage | SkippedPage]:
        fetcher = HttpFetcher(policy=AddressPolicy([("127.0.0.1", port) for port in ports]))
        try:
            async with aclosing(crawl(start, fetcher=fetcher, discover="links", **options)) as stream:
                return [found async for found in stream]
        finally:
            await fetcher.aclose()

    return asyncio.run(main())


def behind_login(site: Any, other: Any) -> None:
    """Pages for who brings the cookie, a login for who does not, and ways out."""

    def page(name: str, *links: str) -> Callable[[Any], tuple[int, dict[str, str], str]]:
        def answer(request: Any) -> tuple[int, dict[str, str], str]:
            if f"sid={SECRET}" not in request.headers.get("cookie", ""):
                return 302, {"Location": f"/login?next={request.path}"}, ""
            anchors = "".join(f"<a href='{link}'>{link}</a>" for link in links)
            return 200, HTML, f"<title>{name}</title><h1>{name}</h1><p>Members read {name}.</p>{anchors}"

        return answer

    site.routes.update(
        {
            "/login": (200, HTML, "<h1>Sign in</h1><form><input type=password></form>"),
            "/robots.txt": (302, {"Location": other.url + "/robots.txt"}, ""),
            "/docs/": page("start", "a", "out", other.url + "/"),
            "/docs/a": page("a"),
            "/docs/out": (302, {"Location": other.url + "/steal"}, ""),
        }
    )


@pytest.mark.promise("C7")
def test_a_session_opens_its_own_site_and_shows_nowhere_else(
    site_server: Any, make_site_server: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    other = make_site_server()
    behind_login(site_server, other)
    session = Session(cookies={"sid": SECRET}, headers={"X-Key": SECRET}, bearer=SECRET)
    with caplog.at_level(logging.DEBUG):
        found = run(site_server.url + "/docs/", site_server.port, other.port, session=session)
    assert [one.title for one in found if isinstance(one, CrawledPage)] == ["start", "a"]
    assert other.paths == ["/robots.txt"]
    assert SECRET not in str([request.headers for request in other.requests])
    assert all(SECRET in str(request.headers) for request in site_server.requests)
    assert SECRET not in caplog.text + repr(found) + repr(session)


@pytest.mark.promise("C8")
def test_without_its_session_a_page_that_redirects_to_a_login_is_quarantined(
    site_server: Any, make_site_server: Callable[[], Any]
) -> None:
    other = make_site_server()
    behind_login(site_server, other)
    site_server.routes["/docs/"] = (200, HTML, "<h1>Open</h1><p>Everybody reads this.</p><a href=a>a</a>")
    found = run(site_server.url + "/docs/", site_server.port, other.port)
    (left,) = [one for one in found if isinstance(one, SkippedPage)]
    assert (left.outcome, left.reason) == (
        "quarantined",
        f"redirects to a login instead of the page: {site_server.url}/login",
    )


def test_a_file_that_the_environment_names_is_used_and_kept_out_of_errors_and_the_run(
    site_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "session.toml"
    file.write_text(f'bearer = "{SECRET}"', "utf-8")
    monkeypatch.setenv("SYNCLINE_SESSION", str(file))
    site_server.routes["/docs/"] = (403, HTML, "no")
    with pytest.raises(StartRefused) as caught:
        run(site_server.url + "/docs/", site_server.port)
    assert site_server.requests[-1].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in str(caught.value)
    asked = SiteCrawlIn(url=site_server.url + "/docs/")
    assert SECRET not in json.dumps(asked.model_dump(mode="json"))
