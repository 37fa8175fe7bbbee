"""What a page says about itself, and which part of it is what it is about."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from ingest.extract import main_node
from ingest.metadata import Document, read_document
from ingest.page import html_to_markdown

URL = "https://x.org/docs/page.html"
PROSE = "<p>" + "The words of this page are what a reader came for. " * 8 + "</p>"


def document(html: str, url: str = URL) -> Document:
    return read_document(LexborHTMLParser(html), url)


def text_of_main(html: str) -> str:
    node = main_node(LexborHTMLParser(html))
    assert node is not None
    return " ".join(node.text(deep=True, separator=" ").split())


def test_links_are_absolute_in_order_each_once_and_without_fragment() -> None:
    html = """<a href="b.html#x">1</a><a href="/docs/a">2</a><a href="b.html">3</a><a href="#top">4</a>
    <a href=" ../c ">5</a><map><area href="d"></map><a href="mailto:me@x.org">6</a><a
    href="javascript:x()">7</a>
    <a href="https://u:p@x.org/">8</a><a href="">9</a><a>10</a><a href="https://y.org">11</a>"""
    assert document(html).links == (
        "https://x.org/docs/b.html",
        "https://x.org/docs/a",
        "https://x.org/c",
        "https://x.org/docs/d",
        "https://y.org/",
    )


def test_links_canonical_and_markdown_are_resolved_against_base() -> None:
    html = f"""<base href="/v2/"><link rel="canonical" href="page"><main><p><a href="b">b</a>
    <img src="i.png" alt="i"></p>{PROSE}</main>"""
    found = document(html)
    assert found.links == ("https://x.org/v2/b",)
    assert found.canonical == "https://x.org/v2/page"
    markdown = html_to_markdown(html, URL).markdown
    assert "[b](https://x.org/v2/b)" in markdown
    assert "![i](https://x.org/v2/i.png)" in markdown


def test_the_pages_of_frames_are_links() -> None:
    html = '<frameset><frame src="nav.html"><frame src="body.html"></frameset>'
    assert document(html).links == ("https://x.org/docs/nav.html", "https://x.org/docs/body.html")
    assert document('<iframe src="e.html"></iframe>').links == ("https://x.org/docs/e.html",)


@pytest.mark.promise("C1")
def test_a_link_marked_nofollow_is_not_followed() -> None:
    assert document('<a rel="noopener NoFollow" href="a">a</a><a href="b">b</a>').links == ("https://x.org/docs/b",)


@pytest.mark.promise("C1")
@pytest.mark.parametrize(
    ("meta", "noindex", "nofollow"),
    [
        ('<meta name="robots" content="NOINDEX, nofollow">', True, True),
        ('<meta name="Robots" content="noindex">', True, False),
        ('<meta name="robots" content="none">', True, True),
        ('<meta name="syncline" content="nofollow">', False, True),
        ('<meta name="googlebot" content="noindex">', False, False),
        ('<meta name="robots" content="index, follow">', False, False),
        ('<meta name="robots"><meta name="description">', False, False),
    ],
)
def test_robots_metas_for_all_and_for_us_count(meta: str, noindex: bool, nofollow: bool) -> None:
    found = document(meta)
    assert (found.noindex, found.nofollow) == (noindex, nofollow)


def test_title_description_and_language_are_read() -> None:
    found = document(
        '<html lang="de"><head><title> Ein \n Titel¶ </title><meta name="description" content=" kurz "></head>'
    )
    assert (found.title, found.description, found.language) == ("Ein Titel", "kurz", "de")


def test_without_a_title_the_first_heading_is_the_title() -> None:
    assert document("<h1>Top <b>level</b></h1><svg><title>icon</title></svg>").title == "Top level"
    assert document("<p>nothing</p>").title == ""


SPHINX = f"""<body><div class="related"><ul><li><a href="i">index</a></li></ul></div><div class="document">
<div class="documentwrapper"><div class="bodywrapper"><div class="body" role="main"><section
id="m"><h1>Sphinx page
<a class="headerlink" href="#m" title="Link to this heading">¶</a></h1>{PROSE}</section></div></div></div>
<div class="sphinxsidebar" role="navigation"><h4>Previous topic</h4></div></div><div class="footer">© by
us</div>"""
MKDOCS = f"""<body><header class="md-header"><nav>Site menu</nav></header><div class="md-container"><main
class="md-main">
<div class="md-sidebar"><nav class="md-nav"><a href="a">Other page</a></nav></div><div class="md-content">
<article class="md-content__inner md-typeset"><a class="md-content__button md-icon" href="edit">edit</a>
<h1 id="t">MkDocs page<a class="headerlink" href="#t">¶</a></h1>{PROSE}</article></div></main></div>
<footer class="md-footer">Made with Material</footer>"""
DOCUSAURUS = f"""<body><nav class="navbar">Brand</nav><div class="main-wrapper"><aside><ul
class="theme-doc-sidebar-menu">
<li><a href="a">Other page</a></li></ul></aside><main><div class="container"><nav
class="theme-doc-breadcrumbs">
<a href="/">Home page</a></nav><article><div class="theme-doc-markdown markdown"><h1>Docusaurus
page</h1>{PROSE}
<div role="tabpanel" hidden>The other tab.</div><h2 class="anchor" id="x">More<a href="#x"
class="hash-link">\u200b</a></h2>
</div><footer class="theme-doc-footer"><a href="e">Edit this page</a></footer></article></div></main></div>
<footer class="footer">Copyright</footer>"""
MDBOOK = f"""<body><nav id="sidebar" class="sidebar"><ol><li><a href="a.html">Other
page</a></li></ol></nav><div
id="page-wrapper"><div class="page"><div id="menu-bar"><button>theme</button><h1 class="menu-title">The
Book</h1></div>
<div id="content" class="content"><main><h1 id="t"><a class="header" href="#t">mdBook
page</a></h1>{PROSE}</main>
<nav class="nav-wrapper"><a rel="next" href="n.html">Next chapter</a></nav></div></div></div>"""
PLAIN = f"""<body><div class="nosearch"><a href="index.html"><img src="l.gif" alt="Logo"></a><div
class="tagline">Small. Fast.
</div><div class="menu mainmenu"><ul><li><a href="a">Home</a><li><a href="b">About</a></ul></div><div
class="searchmenu">
<form action="s"><input name="q"></form></div></div><div class="fancy"><div class="title">Plain page</div>
<div class="fancy_toc"><a onclick="t()">Table Of Contents</a><div id="toc_sub"><div><a href="#one">1. The
first one</a>
</div><div><a href="#two">2. The second one</a></div></div></div>{PROSE}<h1 id="one">The
first</h1>{PROSE}</div>
<p class="footer">Copyright</p>"""


@pytest.mark.parametrize(
    ("html", "wanted", "unwanted"),
    [
        (SPHINX, ["Sphinx page"], ["index", "Previous", "©", "¶"]),
        (
            MKDOCS,
            ["MkDocs page"],
            ["Site menu", "Other page", "edit", "Material", "¶"],
        ),
        (
            DOCUSAURUS,
            ["Docusaurus page", "The other tab.", "More"],
            ["Brand", "Other page", "Home page", "Edit", "Copyright"],
        ),
        (MDBOOK, ["mdBook page"], ["Other page", "The Book", "theme", "Next"]),
        (
            PLAIN,
            ["Plain page", "The first"],
            ["Logo", "Small.", "Home", "About", "Contents", "second one", "Copyright"],
        ),
    ],
    ids=["sphinx", "mkdocs", "docusaurus", "mdbook", "plain"],
)
def test_the_main_content_is_found_and_the_frame_left_out(html: str, wanted: list[str], unwanted: list[str]) -> None:
    text = text_of_main(html)
    assert [part for part in wanted if part not in text] == []
    assert [part for part in unwanted if part in text] == []
    assert text.count("The words of this page") in (8, 16)


def test_a_long_script_does_not_hide_the_main_node() -> None:
    text = text_of_main(
        f"<body><script>{'x = 1;' * 2000}</script><p>Frame</p><main>{PROSE}</main>",
    )
    assert text.startswith("The words")


def test_a_teaser_in_an_article_is_not_taken_for_the_content() -> None:
    text = text_of_main(f"<body><article>Read our blog!</article><div>{PROSE * 3}</div>")
    assert text.count("The words of this page") == 24


def test_a_form_around_the_whole_page_does_not_take_it_away() -> None:
    assert "The words" in text_of_main(
        f'<body><form action="page.aspx"><input><h1>T</h1>{PROSE}</form><form>Subscribe</form>'
    )


def test_a_table_of_contents_with_links_to_other_pages_is_content() -> None:
    contents = '<div class="toc"><a href="a">Chapter a</a> <a href="b">Chapter b</a></div>'
    html = f"<body><main>{PROSE}{contents}</main>"
    assert "Chapter a Chapter b" in text_of_main(html)


def test_the_sidebar_of_a_text_is_content_and_that_of_a_site_is_not() -> None:
    html = f"""<body><main>{PROSE}<aside class="sidebar"><p class="sidebar-title">Aside</p><p>Known only
    here.</p></aside>
    <div class="sidebar">Other pages</div></main>"""
    text = text_of_main(html)
    assert "Known only here." in text
    assert "Other pages" not in text


def test_nested_parts_that_are_both_unwanted_go_without_harm() -> None:
    nested = "<nav><div class='sidebar'><form><button>a</button><script>1</script></form></div></nav>" * 50
    for _ in range(20):
        assert text_of_main(f"<body><header class='menu'>{nested}</header><div>{PROSE}</div>").endswith("came for.")


def test_a_page_without_a_body_has_no_main_node() -> None:
    assert main_node(LexborHTMLParser('<frameset><frame src="a"></frameset>')) is None
    assert html_to_markdown('<frameset><frame src="a"></frameset>', URL).markdown == ""


def test_the_title_and_summary_above_the_main_container_are_kept() -> None:
    page = html_to_markdown(
        "<body><div id=header><h1>git-rebase(1)</h1><h2>NAME</h2><p>Reapply commits on top of another base</p></div>"
        f"<div id=content><h2 id=d>DESCRIPTION</h2><p>{'Saves the changes. ' * 60}</p></div></body>",
        "http://x/",
    )
    assert page.markdown.startswith("# git-rebase(1)\n\n## NAME\n\nReapply commits on top of another base\n\n")


def test_a_site_title_in_a_large_frame_does_not_bring_the_frame_along() -> None:
    menu = "".join(f"<p>{number} is a part of the site that has nothing to do with it.</p>" for number in range(40))
    page = html_to_markdown(
        f"<body><div><h1>Site</h1>{menu}</div><main><h2>Topic</h2><p>{'What it is about. ' * 40}</p></main></body>",
        "http://x/",
    )
    assert page.markdown.startswith("## Topic")


def test_a_list_of_links_before_the_first_heading_is_a_menu_and_one_after_it_is_content() -> None:
    links = "".join(f"<li><a href='{number}.html'>Part {number}</a></li>" for number in range(12))
    text = "<p>" + "Files are opened by name. " * 30 + "</p>"
    page = html_to_markdown(
        f"<main><div><ul>{links}</ul></div><div><h1>Files</h1>{text}<ul>{links}</ul></div></main>", "http://x/"
    )
    assert page.markdown.startswith("# Files")
    assert page.markdown.count("Part 7") == 1


def test_a_page_that_is_a_list_of_links_keeps_them() -> None:
    links = "".join(f"<li><a href='{number}.html'>Part {number}</a></li>" for number in range(12))
    assert "Part 7" in html_to_markdown(f"<main><ul>{links}</ul><h2>End</h2></main>", "http://x/").markdown


def test_a_permalink_that_carries_the_id_of_its_heading_gives_the_id_and_not_its_sign() -> None:
    page = html_to_markdown(
        "<main><h2>File system<span><a class=mark href='#fs' id=fs>#</a></span></h2><p>Text.</p></main>", "http://x/"
    )
    assert page.markdown.startswith("## File system\n")
    assert [(anchor.offset, anchor.id, anchor.level, anchor.term) for anchor in page.anchors] == [
        (0, "fs", 2, "File system")
    ]
