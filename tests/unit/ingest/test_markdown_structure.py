"""HTML to markdown: what markdown-it reads in the text is what the page has, for any nesting of elements."""

import random
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.charset import decode_text
from ingest.extract import main_node
from ingest.page import html_to_markdown
from ingest.to_markdown import to_markdown

URL = "https://x.org/docs/page.html"
INLINE = ("b", "em", "code", "a href=x", "span", "sup", "kbd", "i", "strong", "del", "q", "small", "span id=s")
BLOCKS = (
    *("p", "div", "ul", "ol", "dl", "table", "pre", "blockquote", "h2", "h3", "details", "section", "figure", "center"),
    *("span", "b", "a href=y", "aside class=note", "p class=admonition-title", "pre class=language-py"),
    *("td", "li", "tbody", "dt", "div class=highlight"),  # where they do not belong
)
WRITTEN = (
    "%s",
    " %s ",
    "%s, ",
    "\n %s\n",
    "- %s",
    "1. %s",
    "(%s)",
    "%s_x*",
    "# %s",
    "|%s|",
    "> %s",
    "`%s",
    "%s: [",
    "](%s)",
)
WORD = re.compile(r"w\d+w")


def markdown(html: str) -> str:
    body = LexborHTMLParser(f"<body>{html}").body
    assert body is not None
    return to_markdown(body, URL)[0]


def rendered(text: str) -> LexborNode:
    body = LexborHTMLParser(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)).body
    assert body is not None
    return body


def words(node: LexborNode) -> list[str]:
    return WORD.findall(node.text(deep=True))


class Pages:
    """HTML that nobody would write, every word of it another one."""

    def __init__(self, seed: int) -> None:
        self._choose = random.Random(seed)
        self._words = 0

    def content(self, depth: int, *, blocks: bool = True) -> str:
        choose = self._choose
        parts: list[str] = []
        for _ in range(choose.randint(1, 3)):
            kind = choose.random()
            if kind < 0.35 or depth <= 0:
                self._words += 1
                parts.append(escape(choose.choice(WRITTEN) % f"w{self._words}w"))
            elif kind < 0.6 or not blocks:
                inner = self.content(depth - 1, blocks=blocks and choose.random() < 0.2)
                parts.append(self._element(choose.choice(INLINE), inner))
            elif kind < 0.65:
                parts.append(choose.choice(["<br>", "<hr>", "<img src=i alt='']>", "<!-- c -->", " "]))
            else:
                parts.append(self._block(choose.choice(BLOCKS), depth - 1))
        return "".join(parts)

    def _block(self, tag: str, depth: int) -> str:
        choose = self._choose
        if tag in ("ul", "ol"):
            items = (self.content(depth) for _ in range(choose.randint(1, 3)))
            return self._element(tag, "".join(f"<li>{item}" if choose.random() < 0.9 else item for item in items))
        if tag == "dl":
            return f"<dl><dt>{self.content(depth - 1, blocks=False)}<dd>{self.content(depth)}</dl>"
        if tag == "table":
            cells = ("td", "td", "td", "th")
            rows = (
                "".join(
                    self._element(choose.choice(cells), self.content(depth - 1, blocks=choose.random() < 0.3))
                    for _ in range(choose.randint(1, 3))
                )
                for _ in range(choose.randint(1, 3))
            )
            return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
        inline = tag.split()[0] in ("h2", "h3", "p", "pre")
        return self._element(tag, self.content(depth, blocks=not inline or choose.random() < 0.05))

    def _element(self, tag: str, inner: str) -> str:
        end = "" if self._choose.random() < 0.03 else f"</{tag.split()[0]}>"
        return f"<{tag}>{inner}{end}"


@pytest.mark.parametrize("seed", range(0, 400, 100))
def test_every_word_of_any_nesting_of_elements_is_shown_once(seed: int) -> None:
    """But for headers of tables, which are repeated at each cell that holds blocks."""
    for number in range(seed, seed + 100):
        html = Pages(number).content(4)
        body = LexborHTMLParser(f"<body>{html}").body
        assert body is not None
        kept, shown = words(body), words(rendered(markdown(html)))
        assert set(shown) == set(kept), html
        assert sorted(shown) == sorted(kept) or "<th>" in html, html


# --- lists ----------------------------------------------------------------------------------------


def test_what_is_in_a_list_beside_its_items_is_no_item() -> None:
    assert markdown("<ul>first<li>a</li>then <b>more</b><li>b</li></ul>") == "first\n\n- a\n\nthen **more**\n\n- b"
    assert markdown("<ul><a name=x></a>\n<li>a</li> <!-- c --> <li>b</li></ul>") == "- a\n- b"


def test_a_list_right_in_a_list_belongs_to_the_item_before_it() -> None:
    assert markdown("<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>") == "- a\n  - b\n- c"


def test_items_without_a_list_get_one() -> None:
    assert markdown("<p>x</p><li>a</li> <li>b</li>y") == "x\n\n- a\n- b\n\ny"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ol start=0><li>a<li>b</ol>", "0. a\n1. b"),
        ("<ol><li>a<li value=9>b<li>c</ol>", "1. a\n9. b\n10. c"),
        ("<ol reversed><li>a<li>b</ol>", "2. a\n1. b"),
        ("<ol reversed start=5><li>a<li>b</ol>", "5. a\n4. b"),
        ("<ol start=3x><li>a<li value=' 7 '>b</ol>", "3. a\n7. b"),
        ("<ol start=x><li value=-1>a<li>b<li>c</ol>", "- -1. a\n- 0\\. b\n- 1\\. c"),
        ("<ol reversed start=0><li>a<li>b</ol>", "- 0\\. a\n- -1. b"),
        ("<ol start=999999999><li>a<li>b</ol>", "- 999999999\\. a\n- 1000000000\\. b"),
        ("<menu><li>a</menu>", "- a"),
    ],
)
def test_items_have_the_numbers_of_the_page(html: str, text: str) -> None:
    assert markdown(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ol type=a><li>a<li value=5>b</ol>", "- a. a\n- e. b"),
        ("<ol type=A start=26><li>a<li>b</ol>", "- Z. a\n- AA. b"),
        ("<ol type=i start=4><li>a<li>b</ol>", "- iv. a\n- v. b"),
        ("<ol type=I start=1999><li>a</ol>", "- MCMXCIX. a"),
        ("<ol type=a start=0><li>a<li>b</ol>", "- 0\\. a\n- a. b"),
        ("<ol type=1><li>a</ol>", "1. a"),
        ("<ol class='lowerroman simple'><li><p>a</p><li><p>b</p></ol>", "- i. a\n- ii. b"),
        ("<ol style='margin:0; list-style-type: upper-latin'><li>a</ol>", "- A. a"),
        ("<ol><li>a<ol type=a><li>b</ol></ol>", "1. a\n   - a. b"),
        (
            "<ol type=a><li><pre>x</pre><li><ul><li>y</ul><li># z</ol>",
            "- a.\n\n  ```\n  x\n  ```\n- b.\n\n  - y\n- c. \\# z",
        ),
        ("<ul><li>a</ul><ol type=a><li>b</ol>", "- a\n\n* a. b"),
    ],
)
def test_letters_and_roman_numerals_are_the_first_word_of_an_item(html: str, text: str) -> None:
    assert markdown(html) == text


@pytest.mark.parametrize("name", ["ul", "ol"])
@pytest.mark.parametrize("between", ["", "\n", "<a id=x></a>", "<p><a name=x></a></p>", "</div><div>"])
def test_two_lists_in_a_row_stay_two(name: str, between: str) -> None:
    one = f"<{name}><li>a<li>b</{name}>"
    node = rendered(markdown(f"<div>{one}{between}{one}</div>{one}"))
    assert [len(found.css("li")) for found in node.css(name)] == [2, 2, 2]


def test_a_list_inside_an_item_is_one_whatever_it_begins_with() -> None:
    html = "<ul><li>a<ol start=3><li>b</ol><li>c<ul><li>d</ul><li><ol><li>e</ol></ul>"
    node = rendered(markdown(html))
    assert [" ".join(item.text().split()) for item in node.css("ul > li")] == ["a b", "c d", "d", "e"]
    assert [found.attributes.get("start") for found in node.css("ol")] == ["3", None]


def test_tasks_keep_their_boxes() -> None:
    html = "<ul><li><input type=checkbox checked disabled> a<li><label><input type=checkbox disabled>b</label></ul>"
    assert html_to_markdown(f"<main><p>Do</p>{html}</main>", URL).markdown == "Do\n\n- [x] a\n- [ ] b"


# --- emphasis, code spans, links ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("x<b>y</b>z", "x**y**z"),
        ("x<b> y </b>z", "x **y** z"),
        ("x<b>\ny\n</b>z", "x **y** z"),
        ("x <b> y</b>", "x **y**"),
        ("x<b> </b>y", "x y"),
        ("<b><i>x</i></b>", "***x***"),
        ("<b>x<b>y</b></b>", "**xy**"),
        ("<del>x<s>y</s></del>", "~~xy~~"),
        ("<b>x</b><br><b>y</b>", "**x**  \n**y**"),
        # Marks that CommonMark would show are left out.
        ('x<b>"y"</b>z', 'x"y"z'),
        ('x <b>"y"</b>.', 'x **"y"**.'),
        ("\u4e2d<b>\u300c\u5f37\u300d</b>\u6587", "\u4e2d\u300c\u5f37\u300d\u6587"),
        ("<i>x</i><b>y</b>", "*x*y"),
        ("<i>x</i> <b>y</b>", "*x* **y**"),
        ("<b>--x</b>=<i>y</i>", "**--x**=*y*"),
        ("<b><pre>x</pre></b>y", "```\nx\n```\n\ny"),
        ("<b><a id=k></a> x</b>", "**x**"),
        ("<del>~x</del>", "~x"),
    ],
)
def test_emphasis_is_written_where_it_is_read(html: str, text: str) -> None:
    assert markdown(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<code>a</code><kbd>b</kbd>", "`a` `b`"),
        ("<i><code>a</code></i><code>b</code>", "*`a`* `b`"),
        ("x<code>\na </code>y", "x `a` y"),
        ("<kbd>Ctrl</kbd>+<kbd>C</kbd>: stop", "`Ctrl`+`C`: stop"),
        ("<samp>a<br>&nbsp;b</samp>", "```\na\n b\n```"),
        ("<code><div>a</div><div>b</div></code>", "```\na\nb\n```"),
        ("<code><pre>a</pre></code>", "```\na\n```"),
        ("<tt><ul><li>a</li></ul></tt>", "- a"),
    ],
)
def test_code_stays_code(html: str, text: str) -> None:
    assert markdown(html) == text


@pytest.mark.parametrize(
    "html",
    ["[<i>a</i>](<i>b</i>)", "[<i>a</i>]: b", "!<a href=x>a</a>", "C:\\<code>a</code>", "a\\<br>b", "<b>x</b>- a"],
)
def test_signs_that_meet_an_element_stay_signs(html: str) -> None:
    node = rendered(markdown(f"<p>{html}</p>"))
    shown = re.sub(r"\s", "", node.text(deep=True))
    assert shown == re.sub(r"\s|<[^>]*>", "", html)
    assert node.css("img, ul") == []
    assert len(node.css("a")) == html.count("<a ")


def test_what_goes_on_with_a_line_is_not_escaped_as_its_start() -> None:
    assert markdown("<dl><dt>Parameters<span>:</span></dt></dl>") == "**Parameters:**"
    assert markdown("<p><code>a</code>: b <i>c</i><span>- <b>#</b></span></p>") == "`a`: b *c*- **#**"
    assert markdown("<p><a id=x></a>- a<br>+ b <span>\n- c</span></p>") == "\\- a  \n\\+ b \n\\- c"
    assert markdown("<div>x<summary>- y</summary></div>") == "x\n\n**\\- y**"


def test_a_link_over_a_blank_line_is_its_text() -> None:
    assert "](" not in markdown("<p><a href=x>a<br><br>b</a></p>")


# --- notes, tabs, formulas, code languages --------------------------------------------------------


def test_the_mark_of_a_footnote_is_in_its_text() -> None:
    html = """<p>x<a href="#n" id="r" role="doc-noteref">[1]</a></p><aside class="footnote" id="n"><span class="label">
    <span>[</span><a role="doc-backlink" href="#r">1</a><span>]</span></span><span class="backrefs">(<a
    href="#r">1</a>)</span><p>Note.</p></aside><div class="footnote"></div>"""
    assert markdown(html) == "x[[1]](https://x.org/docs/page.html#n)\n\n[1] Note."


def test_labels_between_the_panels_of_tabs_are_bold_lines() -> None:
    html = """<div><input type="radio" id="a"><label for="a">One</label><div><p>x</p></div><input type="radio" id="b">
    <label for="b">Two</label><div><p>y</p></div></div>"""
    assert html_to_markdown(f"<main>{html}</main>", URL).markdown == "**One**\n\nx\n\n**Two**\n\ny"


def test_a_picture_of_a_formula_is_its_source() -> None:
    html = r"""<p>So <img class="math" src="a.png" alt="e^{i\pi}"></p><div class="math"><p><img src="b.png"
    alt="x^2"></p></div>"""
    assert markdown(html) == "So $`e^{i\\pi}`$\n\n```math\nx^2\n```"


@pytest.mark.parametrize(
    ("html", "language"),
    [
        (
            '<pre class="sourceCode numberSource python numberLines"><code class="sourceCode python">x</code></pre>',
            "python",
        ),
        (
            '<figure class="highlight python"><table><tr><td class="code"><pre>x</pre></td></tr></table></figure>',
            "python",
        ),
        ('<pre class="brush: ruby; gutter: false">x</pre>', "ruby"),
        ('<div class="highlight-pycon3"><pre>x</pre></div>', "pycon"),
        ('<pre class="programlisting java">x</pre>', "java"),
        ('<pre class="EnlighterJSRAW" data-enlighter-language="php">x</pre>', "php"),
        ('<pre class="prettyprint lang-go linenums">x</pre>', "go"),
    ],
)
def test_more_generators_languages_are_read(html: str, language: str) -> None:
    assert markdown(html) == f"```{language}\nx\n```"


# --- depth ----------------------------------------------------------------------------------------


@pytest.mark.promise("C6")
@pytest.mark.parametrize(
    "html",
    [
        *(f"{tag * 50_000}deep" for tag in ("<i>", "<span>", "<sup>", "<code>", "<b><i>", "<span id=a>", "<i>a ")),
        *(
            f"{tag * 2_000}deep"
            for tag in ("<div>", "<ul><li>", "<blockquote>", "<table><tr><td>", "<dl><dd>", "<i><div>")
        ),
        "<ul><li>" * 2_000 + "<p>deep" * 5_000,
        "<p>" + "*_`[<](" * 20_000 + "deep",
        "<ul><li>a</ul>" * 20_000 + "deep",
        "<b>(a)</b>" + "<span></span>" * 20_000 + "<b>deep</b>",
    ],
    ids=lambda html: html[:12],
)
def test_no_depth_and_no_number_of_elements_stalls_the_conversion(html: str) -> None:
    text = markdown(html)
    assert "deep" in text
    assert len(text) < 2_000_000


# --- real documentation ---------------------------------------------------------------------------


def letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


@pytest.mark.slow
@pytest.mark.promise("C11")
@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.needs(part)) for part in ("python3.11-doc", "sqlite3-doc")]
)
def test_markdown_of_real_pages_is_read_as_the_text_of_the_pages(part: str, system_part: Callable[[str], Path]) -> None:
    """Every letter in its order, of drawings the words, and every heading; without the links from footnotes back."""
    for path in sorted(system_part(part).rglob("*.html"))[::12]:
        node = main_node(LexborHTMLParser(decode_text(path.read_bytes())), url=f"https://x.org/{path.name}")
        if node is None or node.css_first("td ol") is not None:  # in a cell numbers are text
            continue
        shown = rendered(to_markdown(node, f"https://x.org/{path.name}")[0])
        for unseen in reversed(node.css("svg title, svg desc, svg style, .backrefs")):
            unseen.decompose()
        for listed in node.css("ol[type=a]"):
            for place, item in enumerate(item for item in listed.iter() if item.tag == "li" and item.child is not None):
                item.child.insert_before(chr(ord("a") + place))
        headings = [found for found in node.css("h1, h2, h3, h4, h5, h6") if letters(found.text(deep=True))]
        assert letters(shown.text(deep=True)) == letters(node.text(deep=True)), path
        assert len(shown.css("h1, h2, h3, h4, h5, h6")) == len(headings), path
