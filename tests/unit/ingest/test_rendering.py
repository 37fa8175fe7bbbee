"""Which pages are rendered and by what, and what a rendering means for the crawl; no browser."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from ingest import browser
from ingest.browser import Render, find_browser, missing_browser
from ingest.crawler import Settings, crawl
from ingest.errors import BadInput, BrowserMissing, FetchError
from ingest.fetcher import FakeFetcher
from ingest.models import CrawledPage, FetchResponse, Outcome, SkippedPage
from ingest.page import html_to_markdown
from ingest.page_requests import Answers
from ingest.quarantine import needs_scripts
from ingest.rendering import Renderer, Rendering
from ingest.visit import Visit, Visitor

A = "https://x.org/docs/a"
HTML = {"content-type": "text/html", "etag": '"1"', "last-modified": "then"}
SHELL = "<title>App</title><div id='root'></div><script src='/app.js'></script>"
TEXT = f"<title>A</title><h1>A</h1><p>{'Made by a script. ' * 20}</p><a href='b'>b</a>"


@dataclass(frozen=True)
class Known:
    url: str = A
    address: str = A
    depth: int = 0
    stored: bool = False
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    extractor: str | None = None
    links: tuple[str, ...] = ()
    gone: bool = False


def answer(body: str, url: str = A, **headers: str) -> FetchResponse:
    return FetchResponse(url, 200, {**HTML, **headers}, body.encode())


class Scripts(Renderer):
    """A renderer whose browser makes this of every page."""

    def __init__(self, document: str, *, always: bool = False, leads_to: Sequence[str] = (), lacked: str = "") -> None:
        fetcher = FakeFetcher({})
        super().__init__(Path("chromium"), fetcher, Visitor(fetcher).robots, always=always)
        self.document = document
        self.leads_to = leads_to
        self.lacked = lacked
        self.rendered: list[str] = []

    async def render(self, response: FetchResponse) -> Rendering:
        self.rendered.append(response.url)
        headers = {"content-type": "text/html; charset=utf-8"}
        made = FetchResponse(response.url, 200, headers, self.document.encode())
        return Rendering(made, self.leads_to, self.lacked)


def visit(page: FetchResponse | str, scripts: Renderer | None, **others: FetchResponse) -> Visit:
    fetcher = FakeFetcher({A: page, **others})
    visitor = Visitor(fetcher)
    if scripts is not None:
        visitor.render_with(scripts)
    return asyncio.run(visitor.visit(Known()))


# --- which browser --------------------------------------------------------------------------------


def program(folder: Path, name: str) -> Path:
    made = folder / name
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def test_never_looks_for_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLINE_CHROMIUM", "/nowhere/chromium")
    assert find_browser("never") is None


def test_a_chromium_is_found_by_its_usual_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SYNCLINE_CHROMIUM")
    assert find_browser("auto") is None
    found = program(tmp_path, "google-chrome")
    assert find_browser("auto") == find_browser("always") == found


def test_the_variable_names_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "chromium")
    mine = program(tmp_path, "mine")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SYNCLINE_CHROMIUM", str(mine))
    assert find_browser("auto") == mine
    monkeypatch.setenv("SYNCLINE_CHROMIUM", str(tmp_path / "typo"))
    with pytest.raises(BadInput, match=r"SYNCLINE_CHROMIUM names .*typo, which is no program"):
        find_browser("auto")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("playwright", r"pip install 'syncline\[render\]'"),
        ("chromium", "there is no Chromium: install one, or name it in SYNCLINE_CHROMIUM"),
        ("wanted", "SYNCLINE_CHROMIUM says that there is no browser"),
    ],
)
def test_what_is_missing_is_no_matter_unless_pages_are_to_be_rendered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, said: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SYNCLINE_CHROMIUM", "none" if missing == "wanted" else "")
    if missing == "playwright":
        program(tmp_path, "chromium")
        monkeypatch.setattr(browser, "find_spec", lambda name: None)
    assert find_browser("auto") is None
    assert re.search(said, missing_browser("auto"))
    assert missing_browser("never") == ""
    with pytest.raises(BrowserMissing, match=said):
        find_browser("always")


def test_a_crawl_that_cannot_render_ends_before_anything_is_sent() -> None:
    fetcher = FakeFetcher({A: TEXT})

    async def first(url: str) -> object:
        return await anext(crawl(url, render="always", fetcher=fetcher))

    with pytest.raises(BrowserMissing):
        asyncio.run(first(A))
    assert fetcher.requests == []


def test_a_local_page_is_not_rendered_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(TEXT)

    async def first() -> object:
        return await anext(crawl(str(tmp_path), render="always"))

    with pytest.raises(BadInput, match="only pages of a website are rendered"):
        asyncio.run(first())


def test_render_is_one_of_three() -> None:
    with pytest.raises(BadInput, match="render is 'yes'"):
        Settings(render=cast("Any", "yes"))


# --- which pages ----------------------------------------------------------------------------------


@pytest.mark.promise("C8")
@pytest.mark.parametrize(
    ("document", "needed"),
    [
        (SHELL, True),
        ("<body><script src='/app.js'></script></body>", True),
        ("<div id=content>Loading…</div><script src='/app.js'></script>", True),
        ("<p>Please wait while loading</p><script src='/app.js'></script>", True),
        ("<noscript>Please enable JavaScript.</noscript><script src='/app.js'></script>", True),
        ("<body></body>", False),
        ("<h1>Loading</h1><p>Call load() for each file.</p><script src='/menu.js'></script>", False),
        ("<p>A short page.</p><script src='/menu.js'></script>", False),
        (f"<title>Log in</title>Log in<input type=password>{SHELL}", False),
        (TEXT + SHELL, False),
    ],
)
def test_scripts_are_needed_where_they_are_all_that_there_is(document: str, needed: bool) -> None:
    assert needs_scripts(answer(document), html_to_markdown(document, A)) is needed


@pytest.mark.promise("C8")
def test_an_empty_shell_is_rendered_and_a_page_with_text_is_not() -> None:
    scripts = Scripts(TEXT)
    plain = visit(answer(TEXT), scripts)
    assert plain.page is not None
    assert (plain.page.rendered, plain.etag, scripts.rendered) == (False, '"1"', [])
    found = visit(answer(SHELL), scripts)
    assert scripts.rendered == [A]
    assert found.page is not None
    assert (found.page.title, found.page.rendered, found.page.metadata["rendered"]) == ("A", True, True)
    assert found.links == ("https://x.org/docs/b",)
    assert (plain.facts.rendered, found.facts.rendered, found.facts.empty) == (False, True, False)
    assert found.facts.bytes == len(answer(SHELL).body)
    assert found.facts.kept == plain.facts.kept


def test_a_shell_is_quarantined_where_nothing_renders_it() -> None:
    found = visit(answer(SHELL), None)
    assert (found.outcome, found.reason) == (Outcome.QUARANTINED, "an empty shell that only JavaScript fills")
    assert found.facts.empty


def test_a_page_that_needs_a_browser_says_why_it_is_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def reasons(render: Render) -> list[str]:
        fetcher = FakeFetcher({A: answer(SHELL)})
        found = [one async for one in crawl(A, fetcher=fetcher, render=render)]
        return [one.reason for one in found if isinstance(one, SkippedPage)]

    monkeypatch.setenv("SYNCLINE_CHROMIUM", "none")
    said = "an empty shell that only JavaScript fills"
    assert asyncio.run(reasons("never")) == [said]
    assert asyncio.run(reasons("auto")) == [
        f"{said}; it is not rendered, because SYNCLINE_CHROMIUM says that there is no browser"
    ]


def test_always_renders_every_page_as_a_version_of_its_own() -> None:
    scripts = Scripts(TEXT, always=True)
    plain = visit(answer(TEXT), None).page
    found = visit(answer("<h1>Plain</h1><p>It has text.</p>"), scripts).page
    assert plain is not None
    assert found is not None
    assert scripts.rendered == [A]
    assert (plain.rendered, found.rendered) == (False, True)
    assert found.extractor == f"{plain.extractor}-rendered"


@pytest.mark.parametrize("always", [False, True])
def test_what_is_not_html_is_not_rendered(always: bool) -> None:
    scripts = Scripts(TEXT, always=always)
    visit(answer("", **{"content-type": "text/plain"}), scripts)
    assert scripts.rendered == []


@pytest.mark.promise("C3")
def test_a_markdown_copy_goes_before_a_browser() -> None:
    scripts = Scripts(TEXT)
    copy = FetchResponse("https://x.org/docs/a.md", 200, {"content-type": "text/markdown"}, b"# A\n\nThe copy.")
    shell = f"<link rel=alternate type=text/markdown href=a.md>{SHELL}"
    seen = visit(answer(shell), scripts, **{copy.url: copy})
    found = seen.page
    assert found is not None
    assert seen.facts.kept is not None
    assert (seen.facts.kept.characters, seen.facts.empty) == (len("# A\n\nThe copy."), False)
    assert (found.markdown.strip(), found.rendered) == ("# A\n\nThe copy.", False)
    assert scripts.rendered == []


# --- what it means --------------------------------------------------------------------------------


@pytest.mark.promise("C9")
def test_the_validators_of_a_shell_do_not_vouch_for_what_its_scripts_make() -> None:
    found = visit(answer(SHELL), Scripts(TEXT))
    assert found.page is not None
    assert (found.etag, found.last_modified, found.page.etag, found.page.last_modified) == (None, None, None, None)


@pytest.mark.promise("C8")
def test_a_page_that_stays_empty_is_quarantined_and_says_so() -> None:
    found = visit(answer(SHELL), Scripts(SHELL))
    assert found.outcome is Outcome.QUARANTINED
    assert found.reason == "an empty shell that only JavaScript fills, in a browser, too"


def test_where_scripts_lead_is_a_link() -> None:
    found = visit(answer(SHELL), Scripts(SHELL, leads_to=["https://x.org/docs/start"]))
    assert found.links == ("https://x.org/docs/start",)


@pytest.mark.promise("C1")
@pytest.mark.parametrize("says", ["plain", "rendered"])
def test_noindex_holds_wherever_it_is_said(says: str) -> None:
    meta = "<meta name=robots content='noindex, nofollow'>"
    found = visit(answer(meta + SHELL if says == "plain" else SHELL), Scripts(TEXT if says == "plain" else meta + TEXT))
    assert (found.outcome, found.gone, found.links) == (Outcome.SKIPPED, True, ())
    assert found.reason.startswith("noindex")


@pytest.mark.promise("C11")
def test_a_page_whose_scripts_got_nothing_is_a_failure_with_its_reason() -> None:
    lacked = " (https://x.org/api: robots.txt disallows it)"
    found = visit(answer(SHELL), Scripts("<p>Could not load the page.</p>", lacked=lacked))
    assert (found.outcome, found.page) == (Outcome.FAILED, None)
    assert found.reason == f"its scripts made next to no text{lacked}"
    assert visit(answer(SHELL), Scripts(TEXT, lacked=lacked)).page is not None


@pytest.mark.promise("C8")
def test_a_soft_404_that_scripts_make_is_told_by_rendering_another() -> None:
    missing = "<title>Not found</title><h1>404</h1><p>This page does not exist.</p>"

    class Site(FakeFetcher):
        """Answers every address with the same shell."""

        def __init__(self) -> None:
            super().__init__({})

        async def fetch(self, request: object) -> FetchResponse:
            url = str(getattr(request, "url", ""))
            return FetchResponse(url, 404) if url.endswith("robots.txt") else answer(SHELL, url)

    visitor = Visitor(Site())
    visitor.render_with(Scripts(missing))
    found = asyncio.run(visitor.visit(Known()))
    assert (found.outcome, found.reason[:10]) == (Outcome.QUARANTINED, "a soft 404")


def test_a_browser_that_fails_is_a_failed_page() -> None:
    class Broken(Scripts):
        async def render(self, response: FetchResponse) -> Rendering:
            raise FetchError(response.url, "render", "the browser ended", transient=True)

    found = visit(answer(SHELL), Broken(""))
    assert (found.outcome, found.reason, found.transient) == (Outcome.FAILED, "the browser ended", True)


def test_a_crawl_without_a_browser_is_as_it_was() -> None:
    async def outcomes() -> list[object]:
        return [page async for page in crawl(A, fetcher=FakeFetcher({A: answer(SHELL)}), discover="links")]

    (found,) = asyncio.run(outcomes())
    assert isinstance(found, SkippedPage)
    assert found.outcome is Outcome.QUARANTINED
    assert "rendered" not in CrawledPage(A, "").metadata


# --- answers kept for the crawl -------------------------------------------------------------------


def kept(status: int = 200, size: int = 10, **headers: str) -> FetchResponse:
    return FetchResponse("u", status, headers, b"x" * size)


def test_answers_are_kept_for_the_same_request() -> None:
    answers = Answers()
    answers.keep("u", "text/javascript", kept())
    assert answers.get("u", "text/javascript") == kept()
    assert answers.get("u", "application/json") is None


@pytest.mark.parametrize("answered", [kept(404), kept(500), kept(**{"cache-control": "private, no-store"})])
def test_failures_and_what_says_no_store_are_not_kept(answered: FetchResponse) -> None:
    answers = Answers()
    answers.keep("u", "a", answered)
    assert answers.get("u", "a") is None


@pytest.mark.promise("C6")
def test_the_oldest_answers_give_way() -> None:
    answers = Answers(most=100)
    for name in "abcde":
        answers.keep(name, "", kept(size=24))
    answers.keep("e", "", kept(size=25))
    assert [name for name in "abcde" if answers.get(name, "")] == ["b", "c", "d", "e"]
    answers.keep("large", "", kept(size=26))
    assert answers.get("large", "") is None
