"""Documents that only say where to go on, and those that are pages all the same."""

import pytest

from ingest.forwarding import Forward, forward
from ingest.models import FetchResponse

HERE = "https://x.org/docs/index.html"


def told(html: str, *, url: str = HERE, status: int = 200, kind: str = "text/html") -> Forward | None:
    return forward(FetchResponse(url, status, {"content-type": kind}, html.encode()))


def refresh(content: str) -> str:
    return f'<html><head><meta http-equiv="refresh" content="{content}"></head></html>'


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0; url=latest/", "https://x.org/docs/latest/"),
        ("0;URL='../en/'", "https://x.org/en/"),
        ("0;java.base/module-summary.html", "https://x.org/docs/java.base/module-summary.html"),
        ("0 url = a.html", "https://x.org/docs/a.html"),
        (" 0.5 , a.html ", "https://x.org/docs/a.html"),
        (".5; url=a.html", "https://x.org/docs/a.html"),
        ("0; url=https://y.org/?a=1;b=2", "https://y.org/?a=1;b=2"),
        ("0; url=urls.html", "https://x.org/docs/urls.html"),
    ],
)
def test_where_a_document_sends_its_reader_is_read_as_a_browser_does(content: str, target: str) -> None:
    assert told(refresh(content)) == Forward(target, at_once=True)


def test_one_that_waits_is_not_for_good() -> None:
    assert told(refresh("3; url=a.html")) == Forward("https://x.org/docs/a.html", at_once=False)


def test_what_a_generator_says_to_readers_without_scripts_counts() -> None:
    html = (
        "<title>Redirecting</title><noscript><meta http-equiv=Refresh content='1; url=latest/'></noscript>"
        "<script>window.location.replace('latest/' + window.location.hash)</script>"
        "Redirecting to <a href='latest/'>latest/</a>..."
    )
    assert told(html) == Forward("https://x.org/docs/latest/", at_once=False)


def test_the_address_is_relative_to_the_base_of_the_document() -> None:
    assert told("<base href='/v2/'>" + refresh("0; url=a")) == Forward("https://x.org/v2/a", at_once=True)


@pytest.mark.parametrize(
    "content", ["300", "5; url=index.html#top", "0; url=", "soon; url=a", "0; url=javascript:a()", ""]
)
def test_one_that_loads_itself_anew_or_names_no_page_sends_nobody_anywhere(content: str) -> None:
    assert told(refresh(content)) is None


def test_a_page_with_a_text_is_read_whatever_it_does_then() -> None:
    assert told(refresh("30; url=next.html") + "<p>A sentence of the page. </p>" * 40) is None


def test_an_example_in_a_text_is_no_element() -> None:
    assert told("<p>Write <code>&lt;meta http-equiv=refresh content=0;url=a&gt;</code>.</p>") is None


@pytest.mark.parametrize(
    "script",
    [
        "window.location.href = 'html/';",
        'location = "html/"',
        "document.location.replace('html/')",
        "function go() { top.location.assign( 'html/' ) } go();",
    ],
)
def test_a_script_that_goes_to_one_address_counts_where_there_is_nothing_else(script: str) -> None:
    html = f"<html><head><script>{script}</script></head><body></body></html>"
    assert told(html) == Forward("https://x.org/docs/html/", at_once=False)
    assert told(html.replace("<body>", "<body>" + "<p>A sentence of the page. </p>" * 40)) is None


@pytest.mark.parametrize(
    "html",
    [
        "<script>location = 'a/' + name</script>",
        "<script>if (old) location = 'a/'; else location = 'b/';</script>",
        "<script>var allocation = 'a/';</script>",
        "<script>if (location.pathname == 'a/') go();</script>",
        "<script src=app.js></script><script>location = 'a/';</script>",
        "<script>location.hash = 'a/';</script>",
    ],
)
def test_a_script_that_may_do_something_else_sends_nobody_anywhere(html: str) -> None:
    assert told(html) is None


@pytest.mark.parametrize(("status", "kind"), [(404, "text/html"), (200, "text/plain"), (200, "text/markdown")])
def test_only_html_that_was_found_counts(status: int, kind: str) -> None:
    assert told(refresh("0; url=a"), status=status, kind=kind) is None
