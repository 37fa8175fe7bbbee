"""The frame inside and around a page's content, one part a case; and what looks like a frame and is content."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest

from ingest import CrawledPage, FakeFetcher, Outcome, SkippedPage, crawl
from ingest.errors import BadInput
from ingest.extract import Selectors
from ingest.nesting import MOST_ATTRIBUTES, MOST_BLOCKS, without_abyss
from ingest.page import EXTRACTOR, html_to_markdown

URL = "https://x.org/docs/page.html"
PROSE = "<p>" + "The words of this page are what a reader came for. " * 8 + "</p>"


def markdown_of(inside: str, *, title: str = "", before: str = "") -> str:
    head = f"<title>{title}</title>" if title else ""
    return html_to_markdown(f"{head}<body>{before}<main><h1>Page</h1>{PROSE}{inside}{PROSE}</main>", URL).markdown


LINKS = "".join(f"<li><a href='{number}.html'>Other {number}</a></li>" for number in range(9))


@pytest.mark.parametrize(
    "frame",
    [
        f"<nav><ul>{LINKS}</ul></nav>",
        f"<div class='sidebar-nav'><ul>{LINKS}</ul></div>",
        f"<aside><ul>{LINKS}</ul></aside>",
        "<div class='edit-page-link'><a href='/edit/main/Other.md'>Edit</a></div>",
        "<p><a href='https://git.example/x/blob/main/Other.md'>View source on GitHub</a></p>",
        "<p><a href='_sources/Other.rst.txt'>Show Source</a></p>",
        "<a rel='prev' href='a'>Other before</a> <a rel='next' href='b'>Other after</a>",
        "<div class='pagination'><a href='a'>Other before</a><a href='b'>Other after</a></div>",
        "<div id='cookie-consent'>Other sites use cookies, too. OK?</div>",
        "<div class='PageFeedback'>Other readers found this helpful.</div>",
        "<div class='version-switcher'>Other versions: <a href='/1'>1</a> <a href='/2'>2</a></div>",
        "<div role='dialog'><p>Other offers!</p></div>",
        "<form action='s'><input name=q placeholder=Other>Other searches</form>",
        "<div class='on-this-page'>Other headings</div>",
        "<div hidden>Other things</div>",
        "<div class='skip-link'><a href='#x'>Other content</a></div>",
        "<footer>Other companies, 2026</footer>",
        "<pre><button>Other copy</button>code</pre>",
        "<p>This page was last updated on 2026-03-01 by Other</p><div id=stop></div>",
        "<dialog open>Other dialog</dialog>",
        "<div class=search-results><h1>Other results</h1></div>",
        "<div class=onlyprint><h1>Other copy</h1></div>",
        "<div class=dropdown-menu><a href='page.rst'>.other</a><button>Other</button></div>",
        "<pre>code</pre><label for=show>View Source</label><p hidden>Other</p>",
        "<h2 id=part>Part</h2><a href='#part'>Other words: link to the part</a>",
        "<figure><figcaption><span class=sr-only>Other words</span></figcaption><pre>code</pre></figure>",
    ],
)  # fmt: skip
def test_a_part_of_the_frame_inside_the_content_goes(frame: str) -> None:
    markdown = html_to_markdown(f"<main><h1>Page</h1>{PROSE}{frame}</main>", URL).markdown
    assert "other" not in markdown.lower()
    assert "View Source" not in markdown


@pytest.mark.parametrize(
    "content",
    [
        "<aside class='admonition note'><p class='admonition-title'>Note</p><p>Kept <a href=a>words</a></p></aside>",
        "<aside class='footnote-list'><p class='footnote'>Kept <a href='#r'>back</a></p></aside>",
        "<blockquote><p>Words</p><footer>Kept, the author</footer></blockquote>",
        "<header><h2>Kept heading</h2></header>",
        "<div class='navigation-timing'><h2>Kept</h2><p>An interface.</p></div>",
        "<div class='toolbar'><pre>Kept()</pre></div>",
        "<p>See <a href='/edit/main'>Kept: how to edit a page</a>.</p>",
        "<p>Run <a href='tool.md'>edit</a>: Kept.</p>",
        f"<p>The parts are:</p><ul>{LINKS}<li>Kept</li></ul>",
        "<div class='footer-styles'><pre>Kept</pre></div>",
        "<details><summary>More</summary><p>Kept</p></details>",
        "<div role='tabpanel' hidden><p>Kept</p></div>",
        "<section class='footnotes'><ol><li id=fn1>Kept <a href='#r1'>↩</a></li></ol></section>",
        "<dl class='sidebar-nav'><dt>Kept</dt><dd>a term</dd></dl>",
        "<h2 id=part>Part</h2><a href='#other'>Kept words</a>",
        "<h2 id=part>Part <a href='#'>Kept words that are most of it</a></h2>",
        "<label>Kept: view source</label>",
        "<table><tr><td><pre>1 Kept</pre></td><td><pre>code</pre></td></tr></table>",
    ],
)
def test_what_only_looks_like_a_frame_is_kept(content: str) -> None:
    assert "Kept" in markdown_of(content)


def test_the_contents_of_a_page_go_with_their_label() -> None:
    for contents in (
        "<h2>Contents</h2><ul><li><a href='#a'>1. One</a><li><a href='#b'>2. Two</a><li><a href='#c'>Three</a></ul>",
        "<div class=toc><p>Table of Contents</p><a href='#a'>One</a> <a href='page.html#b'>Two</a></div>",
    ):
        html = f"<main><h1>Page</h1>{contents}<h2 id=a>One</h2>{PROSE}<h2 id=b>Two</h2><h2 id=c>Three</h2></main>"
        markdown = html_to_markdown(html, URL).markdown
        assert markdown.startswith("# Page\n\n## One")


def test_a_list_that_a_sentence_introduces_is_no_table_of_contents() -> None:
    links = "<ul><li><a href='#a'>One</a><li><a href='#b'>Two</a><li><a href='#c'>Three</a></ul>"
    html = f"<main><h1>Page</h1><p>There are:</p>{links}<h2 id=a>One</h2><h2 id=b>Two</h2><h2 id=c>Three</h2></main>"
    assert "[Two](https://x.org/docs/page.html#b)" in html_to_markdown(html, URL).markdown


def test_a_header_inside_the_content_loses_its_menus_and_the_name_of_the_site() -> None:
    header = f"<header><h1>The Site 1.2</h1><div><ul><li>Versions <ol>{LINKS}</ol></li></ul></div></header>"
    page = html_to_markdown(
        f"<title>Page | The Site 1.2</title><div id=content>{header}<div><h2 id=p>Page</h2>{PROSE * 3}</div></div>", URL
    )
    assert page.markdown.startswith("## Page\n\nThe words")
    assert page.title == "Page"


def test_the_name_of_the_site_above_the_content_is_not_the_page_s_heading() -> None:
    page = html_to_markdown(
        f"<title>Types - The Book</title><div><h1>The Book</h1></div><main><h2>Types</h2>{PROSE * 3}</main>", URL
    )
    assert page.markdown.startswith("## Types")
    assert page.title == "Types"


def test_the_name_of_the_site_in_a_frame_of_any_shape_is_not_the_page_s_heading() -> None:
    links = "<div class=nav><a href=a>previous</a> | <a href=b>next</a></div>"
    frame = f"<div id=hd><h1><a href='../'>The Site 1.2</a></h1>{links}</div>"
    main = f"<div class=document>{frame}<div><h1 id=types>Types</h1>{PROSE * 3}</div></div>"
    page = html_to_markdown(f"<title>Types — The Site 1.2</title>{main}", URL)
    assert page.markdown.startswith("# Types\n\nThe words")
    assert page.title == "Types"


def test_the_name_of_the_site_stays_the_heading_of_a_page_that_has_no_other() -> None:
    page = html_to_markdown(f"<title>Start - The Site</title><main><h1>The Site</h1><h2>News</h2>{PROSE}</main>", URL)
    assert page.markdown.startswith("# The Site\n\n## News")


def test_a_title_that_is_no_heading_becomes_one() -> None:
    page = html_to_markdown(
        f"<title>Site: Widget guide</title><main><div class=title>Widget guide</div>{PROSE}</main>", URL
    )
    assert page.markdown.startswith("# Widget guide\n\n")


@pytest.mark.parametrize("name", ["fancy_title", "page-title", "Title", "title big"])
def test_a_title_by_any_name_that_says_so_becomes_the_heading_of_a_page_without_one(name: str) -> None:
    html = f"<title>Plain words</title><main><div class='{name}'>Plain  words</div>{PROSE}</main>"
    assert html_to_markdown(html, URL).markdown.startswith("# Plain words\n")


@pytest.mark.parametrize("name", ["subtitle", "title-bar", "titled"])
def test_what_is_no_title_by_name_becomes_no_heading(name: str) -> None:
    html = f"<title>Plain words</title><main><div class='{name}'>Plain words</div>{PROSE}</main>"
    assert "#" not in html_to_markdown(html, URL).markdown


@pytest.mark.parametrize(
    "above", ["<a href=intro.html><h2>Whole part</h2></a>", "<h2><a href='./'>Whole part</a></h2>"]
)
def test_a_heading_that_links_to_the_part_of_the_site_above_the_page_s_own_goes(above: str) -> None:
    markdown = html_to_markdown(f"<main>{above}\n<!-- here --> <h2>Page</h2>{PROSE}</main>", URL).markdown
    assert markdown.startswith("## Page\n")


@pytest.mark.parametrize(
    "kept",
    [
        "<h2><a href='#part'>Whole part</a></h2><h2>Page</h2>",
        "<h2><a href=intro.html>Whole</a> part</h2><h2>Page</h2>",
        "<h2><a href=intro.html>Whole part</a></h2><h3>Page</h3>",
        "<h2><a href=intro.html>Whole part</a></h2>Words<h2>Page</h2>",
        "<h2><a href=intro.html>Whole part</a></h2><p>Words</p><h2>Page</h2>",
        "<h2><a href=one.html>Whole part</a></h2><h2><a href=two.html>Page</a></h2>",
    ],
)
def test_a_linked_heading_that_may_be_the_page_s_own_is_kept(kept: str) -> None:
    assert "Whole" in html_to_markdown(f"<main>{kept}{PROSE}</main>", URL).markdown


def test_of_a_menu_and_a_list_with_the_same_links_a_page_of_links_keeps_one() -> None:
    menu = f"<div class=column><a href='./'>Handbook</a><ul>\n  {LINKS}</ul></div>"
    page = f"<div class=column><ul>\n  {LINKS}<li><a href=more.html>More</a></li></ul></div>"
    html = f"<title>Index</title><div id=content>{menu}{page}</div>"
    markdown = html_to_markdown(html, URL).markdown
    assert markdown.count("[Other 3]") == markdown.count("[More]") == 1
    assert "Handbook" not in markdown


def test_two_lists_with_links_of_their_own_are_both_kept() -> None:
    other = LINKS.replace("Other", "Else").replace("html", "txt")
    markdown = html_to_markdown(f"<div id=content><ul>{LINKS}</ul><ul>{other}</ul></div>", URL).markdown
    assert markdown.count("[Other 3]") == markdown.count("[Else 3]") == 1


def test_white_space_between_the_items_of_a_menu_does_not_hide_it() -> None:
    menu = "<ul>" + ("<li>\n" + " " * 200 + "<a href=a.html>Other</a></li>") * 2 + "</ul>"
    html = f"<main><header><h1>Page</h1>{menu}</header>{PROSE * 2}</main>"
    assert "Other" not in html_to_markdown(html, URL).markdown


def test_numbers_of_lines_beside_code_go_and_a_cell_of_numbers_stays() -> None:
    beside = "<table><tr><td><pre>41\n42\n43</pre></td><td><pre>a\nb\nc</pre></td></tr></table>"
    one = "<table><tr><td><pre>\n\n7</pre></td><td><pre># File x\nd()</pre></td></tr></table>"
    alone = "<table><tr><td>42</td><td>words</td></tr></table>"
    given = "<tr><td><pre>90</pre></td><td><pre>91</pre></td></tr>"
    given += "<tr><td><pre>70\n80</pre></td><td><pre>a\nb</pre></td></tr>"
    markdown = markdown_of(f"{beside}{one}{alone}<table>{given}</table>")
    assert "41" not in markdown
    assert "7\n" not in markdown
    assert all(number in markdown for number in ("90", "70", "80"))
    assert "a\nb\nc" in markdown
    assert "42" in markdown


def test_a_switch_beside_the_text_of_a_heading_goes() -> None:
    assert "## Summary\n" in markdown_of("<h2>Summary <small><a href='#'>hide</a></small></h2>")


def test_the_name_in_a_heading_stays_where_it_is_a_link_to_the_top() -> None:
    heading = "<h1>Enum <a href=../index.html>std</a>::<wbr><a href='#'>Option</a><button>Copy path</button></h1>"
    assert "# Enum std::Option\n" in markdown_of(f"{heading}<p>Some or none.</p>")
    assert "# Crate std\n" in markdown_of("<h1>Crate <a href='#'>std</a></h1><p>The library.</p>")


def test_links_to_the_code_of_an_item_go_with_the_dot_before_them() -> None:
    links = "<a class=srclink href=../src/o.rs.html>source</a> · <a id=toggle-all-docs href='#'>[-]</a>"
    assert "1.0.0\n" in markdown_of(f"<h1>Option</h1><div><span>1.0.0</span> · {links}</div><p>Some or none.</p>")
    link = "<a class=reference href=../_modules/q.html#Q><span class=viewcode-link>[source]</span></a>"
    term = markdown_of(f"<h1>Q</h1><dl><dt id=q.Q><code>class Q()</code>{link}</dt><dd>It asks.</dd></dl>")
    assert "class Q()" in term
    assert "source" not in term


def test_a_bar_of_links_above_the_first_heading_goes_also_where_it_is_a_table() -> None:
    cells = "".join(f"<td><a href='/{name}'>{name}</a></td>" for name in ("Home", "Libraries", "People"))
    page = f"<body><table><tr><td><img src=logo.png></td>{cells}</tr></table><hr><h1>Arrays</h1>{PROSE}{PROSE}"
    markdown = html_to_markdown(page, URL).markdown
    assert "Libraries" not in markdown
    assert "# Arrays" in markdown
    assert "Libraries" in html_to_markdown(f"<body><h1>Arrays</h1><table><tr>{cells}</tr></table>{PROSE}", URL).markdown


def test_a_term_that_links_to_itself_is_a_term() -> None:
    assert "**Crank**\n" in markdown_of("<dl><dt id=crank><a href='#crank'>Crank</a></dt><dd>It is turned.</dd></dl>")


def test_of_an_image_and_its_copy_for_a_light_box_one_is_kept() -> None:
    twice = "<p><label><img src=a.png alt=A><span><img src=a.png alt=A><img src=a.png alt=A></span></label></p>"
    apart = "<p><img src=b.png alt=B> and again <img src=b.png alt=B></p>"
    markdown = markdown_of(twice + apart)
    assert (markdown.count("![A]"), markdown.count("![B]")) == (1, 2)


def test_a_menu_with_small_headings_goes_where_no_container_is_marked() -> None:
    menu = f"<div class=page-navigation><h3>On this site</h3><ul>{LINKS}</ul></div>"
    prose = (
        "<div class=navigation-api><h3>Kept</h3><p>An interface.</p></div><div class=section-header><h3>Too</h3></div>"
    )
    markdown = html_to_markdown(f"<div><h1>Page</h1>{PROSE}{prose}</div>{menu}", URL).markdown
    assert "On this site" not in markdown
    assert "### Kept" in markdown
    assert "### Too" in markdown


@pytest.mark.parametrize(
    "tabs",
    [
        "<div role=tablist><button role=tab>Linux</button><button role=tab>Mac</button></div>"
        "<div role=tabpanel>apt</div><div role=tabpanel hidden>brew</div>",
        "<div class=tabbed-labels><label for=a>Linux</label><label for=b>Mac</label></div>"
        "<div><div>apt</div><div>brew</div></div>",
        "<div class=tabs><input id=a><label for=a>Linux</label><input id=b><label for=b>Mac</label></div>"
        "<div><div>apt</div><div>brew</div></div>",
        "<div><div class=labels><div>Linux</div><div>Mac</div></div>"
        "<div><div aria-hidden=false>apt</div><div aria-hidden=true>brew</div></div></div>",
        "<div><div><ul role=tablist><li><a role=tab>Linux</a><li><a role=tab>Mac</a></ul></div>"
        "<div role=tabpanel>apt</div><div role=tabpanel hidden>brew</div></div>",
    ],
)
def test_a_tab_s_label_is_put_before_its_panel(tabs: str) -> None:
    assert "**Linux**\n\napt\n\n**Mac**\n\nbrew" in markdown_of(f"<div>{tabs}</div>")


def test_tabs_inside_tabs_keep_their_own_labels() -> None:
    panels = (
        "<ul role=tablist><li role=tab>{}<li role=tab>{}</ul><div role=tabpanel>{}</div><div role=tabpanel>{}</div>"
    )
    outer = panels.format("Linux", "Mac", f"<div>{panels.format('A', 'B', 'a', 'b')}</div>", "m")
    assert "**Linux**\n\n**A**\n\na\n\n**B**\n\nb\n\n**Mac**\n\nm" in markdown_of(f"<div>{outer}</div>")


def test_an_accordion_keeps_its_folded_panels_under_their_labels() -> None:
    parts = "".join(
        f"<div><h4 role=tab>{label}</h4><div role=tabpanel {folded}>{text}</div></div>"
        for label, text, folded in (("Linux", "apt", ""), ("Mac", "brew", "hidden"), ("BSD", "pkg", "aria-hidden=true"))
    )
    accordion = f"<div role=tablist>{parts}</div>"
    assert "#### Linux\n\napt\n\n#### Mac\n\nbrew\n\n#### BSD\n\npkg" in markdown_of(f"<div>{accordion}</div>")


def test_what_stands_before_panels_that_take_turns_is_no_list_of_labels_where_it_is_long() -> None:
    slides = "<div><div aria-hidden=false>one</div><div aria-hidden=true>two</div></div>"
    markdown = markdown_of(f"<div><div>{'Long words. ' * 9}</div><pre>code</pre></div>{slides}")
    assert "```\ncode\n```" in markdown


def test_a_list_of_tabs_without_as_many_panels_stays_as_it_is() -> None:
    assert "**Linux**" not in markdown_of("<div><ul role=tablist><li role=tab>Linux<li role=tab>Mac</ul>x</div>")


@pytest.mark.promise("C8")
def test_a_page_that_is_all_frame_has_no_text() -> None:
    html = f"<header class=menu>Site</header><nav>{LINKS}</nav><footer>2026</footer><script>app()</script>"
    assert html_to_markdown(html, URL).markdown == ""


# --- selectors of the user's ----------------------------------------------------------------------

PAGE = f"""<body><main><h1>Page</h1>{PROSE}<div class=ad>Buy!</div></main>
<div class=extra><p>First.</p><div class=extra>Inner.</div></div><nav class=extra>Second. <script>x()</script></nav>"""


def test_a_content_selector_takes_every_match_once_in_order_and_nothing_else() -> None:
    page = html_to_markdown(PAGE, URL, content_selector=".extra")
    assert page.markdown == "First.\n\nInner.\n\nSecond."


def test_a_content_selector_that_nothing_matches_gives_an_empty_page() -> None:
    assert html_to_markdown(PAGE, URL, content_selector=".none").markdown == ""


def test_a_remove_selector_takes_away_what_matches() -> None:
    markdown = html_to_markdown(PAGE, URL, remove_selector=".ad, h1").markdown
    assert "Buy!" not in markdown
    assert markdown.startswith("The words")


@pytest.mark.parametrize("selector", ["p[", "", "::before", "a >"])
def test_a_selector_that_is_none_is_an_error_that_names_it(selector: str) -> None:
    with pytest.raises(BadInput, match="remove_selector is"):
        html_to_markdown("", URL, remove_selector=selector)
    with pytest.raises(BadInput, match="content_selector is"):
        html_to_markdown("", URL, content_selector=selector)


def test_other_selectors_make_another_version_of_the_extraction() -> None:
    pairs = [(None, None), ("a", None), (None, "a"), ("a", "a"), ("None", None)]
    assert len({Selectors(*pair).version for pair in pairs}) == len(pairs)
    assert Selectors().version == ""


def crawled(fetcher: FakeFetcher, **options: Any) -> list[CrawledPage | SkippedPage]:
    async def main() -> list[CrawledPage | SkippedPage]:
        async with aclosing(crawl(URL, fetcher=fetcher, discover="links", **options)) as pages:
            return [page async for page in pages]

    return asyncio.run(main())


def test_a_crawl_takes_what_its_selectors_say_and_names_them_in_its_version() -> None:
    fetcher = FakeFetcher({URL: PAGE})
    (page,) = crawled(fetcher, content_selector="main", remove_selector=".ad")
    (other,) = crawled(fetcher, content_selector="main")
    assert isinstance(page, CrawledPage)
    assert isinstance(other, CrawledPage)
    assert "Buy!" not in page.markdown
    assert "Buy!" in other.markdown
    assert page.extractor.startswith(f"{EXTRACTOR}+")
    assert page.extractor != other.extractor


@pytest.mark.promise("C8")
def test_a_page_on_which_the_content_selector_finds_nothing_is_quarantined() -> None:
    (page,) = crawled(FakeFetcher({URL: PAGE}), content_selector=".none")
    assert isinstance(page, SkippedPage)
    assert page.outcome == Outcome.QUARANTINED


def test_a_crawl_with_a_selector_that_is_none_asks_for_nothing() -> None:
    fetcher = FakeFetcher({URL: PAGE})
    with pytest.raises(BadInput, match="content_selector"):
        crawled(fetcher, content_selector="p[")
    assert fetcher.requests == []


# --- depth ----------------------------------------------------------------------------------------


@pytest.mark.promise("C6")
@pytest.mark.parametrize(
    "unit", ["<div>", "<ul><li>", "<span>", "<b>", "<table><tr><td>", "<blockquote><p>", "<i><div>"]
)
def test_no_depth_of_nesting_takes_long_or_loses_text(unit: str) -> None:
    began = time.process_time()
    page = html_to_markdown(f"<h1>Top</h1>{PROSE}{unit * 20_000}deep down<p>below</p>", URL)
    assert time.process_time() - began < 10
    assert page.markdown.startswith("# Top")
    assert "deep down" in page.markdown
    assert "below" in page.markdown


def test_only_what_is_nested_too_deep_loses_its_tags() -> None:
    deep = "<div>" * (MOST_BLOCKS + 10) + "x" + "</div>" * (MOST_BLOCKS + 10)
    html = f"<main><h2>Before</h2></main>{deep}<main><h2>After</h2></main>"
    cut = without_abyss(html)
    assert cut.count("<div>") == cut.count("</div>") == MOST_BLOCKS
    assert cut.endswith("<main><h2>After</h2></main>")


def test_items_without_end_tags_are_not_nested() -> None:
    html = "<ul>" + "<li>item <p>text" * 50_000 + "</ul>"
    assert without_abyss(html) is html


@pytest.mark.promise("C6")
@pytest.mark.parametrize("apart", [" ", "/", "\n"])
def test_a_tag_of_very_many_attributes_is_dropped_before_the_parse_and_its_text_stays(apart: str) -> None:
    def tag(count: int) -> str:
        return "<b " + apart.join(f"a{number}" for number in range(count)) + ">"

    html = f"<p>before {tag(MOST_ATTRIBUTES + 1)}inside</b> after</p>"
    assert without_abyss(html) == "<p>before inside</b> after</p>"
    usual = f"<p>before {tag(MOST_ATTRIBUTES // 2)}inside</b> after</p>"
    assert without_abyss(usual) == usual


def test_tags_of_much_white_space_are_looked_at_in_linear_time() -> None:
    html = f"<p>{'<img' + ' ' * 100_000 + '/>'}{'<b a=1  ' * 20_000}</p>"
    began = time.process_time()
    assert without_abyss(html) == html
    assert time.process_time() - began < 5
