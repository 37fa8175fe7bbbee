"""What a page says about itself: title, breadcrumb, time of change, generator, canonical."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from ingest.metadata import Document, page_title, read_document
from ingest.models import CrawledPage
from ingest.page import html_to_markdown

URL = "https://x.org/docs/page.html"


def document(html: str) -> Document:
    return read_document(LexborHTMLParser(html), URL)


@pytest.mark.parametrize(
    ("title", "heading", "site", "expected"),
    [
        ("Widget guide — Handbook 4.2", "Widget guide", "", "Widget guide"),
        ("Syntax: SELECT", "SELECT", "", "Syntax: SELECT"),
        ("Handbook | Widget guide", "widget  guide".replace("  ", " "), "", "Widget guide"),
        ("Widget guide | Handbook", "", "Handbook", "Widget guide"),
        ("Widget guide | Handbook", "Other", "", "Widget guide | Handbook"),
        ("Widget guide", "Widget guide", "Widget guide", "Widget guide"),
        ("C++ (a+b) - Site", "C++ (a+b)", "", "C++ (a+b)"),
        ("non-blocking", "non", "", "non-blocking"),
        ("Process IDs (GNU Handbook (version 7.3.0))", "36.8 Process IDs", "", "Process IDs"),
        ("Process IDs (GNU Handbook)", "Files", "", "Process IDs (GNU Handbook)"),
        ("size (deprecated)", "size", "", "size (deprecated)"),
        ("Mercury (Greek God)", "Mercury (Greek God)", "", "Mercury (Greek God)"),
        ("", "x", "y", ""),
    ],
)
def test_the_title_loses_the_name_of_the_site_where_that_is_known(
    title: str, heading: str, site: str, expected: str
) -> None:
    assert page_title(title, heading, site) == expected


def test_a_title_that_nobody_wrote_is_left_alone_and_costs_nothing() -> None:
    long = "- " * 500_000
    assert page_title(long, "-", "-") == long


def test_the_page_s_own_heading_is_the_title_where_it_has_none() -> None:
    assert html_to_markdown("<title></title><h2>Refs</h2><p>Text.</p>", URL).title == "Refs"


def test_the_site_s_own_name_is_taken_off() -> None:
    html = "<head><title>Page · Site</title><meta property='og:site_name' content='Site'></head><p>x</p>"
    assert document(html).title == "Page"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            """<script type="application/ld+json">{"@context": "https://schema.org", "@type": "BreadcrumbList",
            "itemListElement": [{"name": "Docs"}, {"item": {"name": "Guide"}}, {"name": 3}, 4]}</script>""",
            ("Docs", "Guide"),
        ),
        (
            '<nav aria-label="breadcrumbs"><ul><li><a href="/">Docs</a> / <li>Guide</ul></nav>',
            ("Docs", "Guide"),
        ),
        ('<ol class="breadcrumb"><li><a href="/">Docs</a></li><li> › Guide</li></ol>', ("Docs", "Guide")),
        ('<div class="related"><ul><li class="right">next</li><li class="nav-item">Docs »</ul></div>', ("Docs",)),
        ("<script type='application/ld+json'>{broken</script><p>No trail</p>", ()),
        ("<script type='application/ld+json'>" + "[" * 100_000 + "</script>", ()),
    ],
    ids=["json-ld", "aria", "class", "sphinx", "broken", "deep"],
)
def test_the_breadcrumb_is_read_from_what_names_it(html: str, expected: tuple[str, ...]) -> None:
    assert document(html).breadcrumb == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<meta property="article:modified_time" content="2026-03-01T12:00:00Z">', "2026-03-01T12:00:00+00:00"),
        ('<meta name="last-modified" content="Sun, 01 Mar 2026 12:00:00 GMT">', "2026-03-01T12:00:00+00:00"),
        ('<script type="application/ld+json">{"dateModified": "2026-03-01"}</script>', "2026-03-01"),
        ("<footer>Last updated on <time datetime='2026-03-01'>March</time></footer>", "2026-03-01"),
        ("<div class='footer'>Last updated on Mar 01, 2026.</div>", "2026-03-01"),
        ("<h3>Last update:</h3><p>Mar 1, 2026</p>", "2026-03-01"),
        ("<div id=footer>Last updated 2026-03-01 12:30:00 UTC</div>", "2026-03-01T12:30:00"),
        ("<p>Text.</p><p>This page last modified on 2026-03-01</p>", "2026-03-01"),
        ("<p>Posted on <time datetime='2026-03-01'>March</time></p>", ""),
        ('<meta name="last-modified" content="yesterday">', ""),
    ],
)
def test_the_time_of_the_last_change_is_what_the_page_says(html: str, expected: str) -> None:
    assert document(html).modified == expected


def test_the_first_meta_of_a_name_counts() -> None:
    html = (
        "<meta name=generator content='A  1'><meta name=generator content=B><meta property='og:description' content=D>"
    )
    found = document(html)
    assert (found.generator, found.description) == ("A 1", "D")


@pytest.mark.parametrize(
    "html",
    ["<html xml:lang=de>", "<meta http-equiv='Content-Language' content=de>", "<body lang=de>", "<html lang=' de '>"],
)
def test_the_language_is_found_wherever_it_may_stand(html: str) -> None:
    assert document(html).language == "de"


def test_a_crawled_page_keeps_what_it_says_about_itself_as_metadata() -> None:
    page = CrawledPage(
        URL, "text", title="T", breadcrumb=("A", "B"), modified="2026-03-01", canonical="https://x.org/c"
    )
    assert page.metadata == {
        "source_url": URL,
        "title": "T",
        "canonical": "https://x.org/c",
        "breadcrumb": ["A", "B"],
        "modified": "2026-03-01",
    }
