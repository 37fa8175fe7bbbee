"""One document to one page: bytes, markdown, plain text, and what no parser likes."""

import time

import pytest

from ingest.models import Anchor, MarkdownPage
from ingest.page import content_hash, html_to_markdown, is_page, read_page

URL = "https://x.org/docs/page.html"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/html; charset=utf-8", True), ("application/xhtml+xml", True), ("", True), ("text/plain", True),
        ("TEXT/MARKDOWN", True), ("application/pdf", False), ("image/png", False), ("application/json",
        False),
        ("text/css", False),
    ],
)  # fmt: skip
def test_html_markdown_and_plain_text_are_pages(content_type: str, expected: bool) -> None:
    assert is_page(content_type) is expected


def test_markdown_is_kept_as_it_is() -> None:
    page = read_page(b"intro\r\n\r\n# The *title*\r\n<b>x</b>\r\n", URL, "text/markdown; charset=utf-8")
    assert page == MarkdownPage(markdown="intro\n\n# The *title*\n<b>x</b>", title="The title")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<meta charset=windows-1251><p>Привет</p>".encode("windows-1251"), "text/html"),
        ("<p>Привет</p>".encode("koi8-r"), "text/html; charset=koi8-r"),
        ("<p>Привет</p>".encode("utf-16"), "text/html"),
        ("<p>Привет</p>".encode(), ""),
    ],
)
def test_every_charset_gives_the_same_text(body: bytes, content_type: str) -> None:
    assert read_page(body, URL, content_type).markdown == "Привет"


def test_everything_that_a_page_says_about_itself_is_handed_over() -> None:
    page = html_to_markdown(
        """<html lang=en><title>T</title><meta name=description content=D><meta name=robots content="none">
        <link rel=canonical href="/c"><h1 id=h>H</h1><a href="a">a</a>""",
        URL,
    )
    assert page == MarkdownPage(
        markdown="# H\n\n[a](https://x.org/docs/a)",
        anchors=[Anchor(0, "h", 1, "H")],
        title="T",
        description="D",
        language="en",
        canonical="https://x.org/c",
        links=("https://x.org/docs/a",),
        noindex=True,
        nofollow=True,
    )


def test_a_page_nested_five_thousand_deep_keeps_its_text() -> None:
    html = "<div>" * 5000 + "<h1>Deep</h1><p>down</p>" + "</div>" * 5000 + "<p>up</p>"
    assert html_to_markdown(html, URL).markdown.split() == ["Deep", "down", "up"]


@pytest.mark.promise("C6")
def test_a_page_nested_absurdly_deep_ends_soon_and_keeps_its_text() -> None:
    began = time.process_time()
    page = html_to_markdown("<div class='a'><ul>" * 200_000 + "<p>down <a href='a'>a</a></p>", URL)
    assert page.markdown.startswith("down")
    assert page.links == ("https://x.org/docs/a",)
    assert time.process_time() - began < 20  # the parser alone would take minutes


@pytest.mark.parametrize(
    "html",
    [
        "", "   ", "\0", "<", "<!", "<![CDATA[", "<xmp><![foo</xmp>x", "<plaintext><![if x]>", "<p>" * 500,
        "</p>" * 99,
        "<table>" * 100, "<ul><li>" * 100, "<a name>x</a>", "<h1 id=''>x</h1>", "<a "
        "href='http://['>x</a>", "<base href>",
        "<base href='//['><a href=x>x</a>", "<math><mi>x</mi></math>", "<select><option>x", "<td>x</td>",
        "<p id=' '>x</p>",
        "<ruby>a<rt>b</rt></ruby>", "<video src=v>x</video>", "<pre></pre>", "<ol><li></li></ol>", "<bloc"
        "kquote></blockquote>",
        "<table><tr><td><table><tr><td>x</table></table>", "<svg><foreignObject><p>x</p></foreignObject><"
        "/svg>",
    ],
)  # fmt: skip
def test_no_document_is_too_odd_to_be_read(html: str) -> None:
    page = read_page(html.encode(), URL, "text/html")
    assert "x" not in html or "x" in page.markdown or "<select>" in html


def test_the_hash_covers_title_text_and_anchors() -> None:
    base = MarkdownPage(markdown="m", title="t", anchors=[Anchor(0, "a", 1, "A")])
    same = MarkdownPage(markdown="m", title="t", anchors=[Anchor(0, "a", None, "")], links=["x"], description="d")
    others = [
        MarkdownPage(markdown="n", title="t", anchors=[Anchor(0, "a", 1, "A")]),
        MarkdownPage(markdown="m", title="u", anchors=[Anchor(0, "a", 1, "A")]),
        MarkdownPage(markdown="m", title="t", anchors=[Anchor(1, "a", 1, "A")]),
        MarkdownPage(markdown="m", title="t", anchors=[Anchor(0, "b", 1, "A")]),
    ]
    assert content_hash(same) == content_hash(base)
    assert len({content_hash(page) for page in (base, *others)}) == 5
    assert content_hash(MarkdownPage(markdown="\udc80"))
