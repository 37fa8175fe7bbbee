"""HTML to markdown: headings, anchors, code, tables, lists, links, and nothing read as markup that was none."""

import re
import string
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from ingest.charset import decode_text
from ingest.extract import main_node
from ingest.models import Anchor
from ingest.page import html_to_markdown
from ingest.to_markdown import to_markdown

URL = "https://x.org/docs/page.html"


def converted(html: str) -> tuple[str, list[Anchor]]:
    body = LexborHTMLParser(html).body
    assert body is not None
    return to_markdown(body, URL)


def markdown(html: str) -> str:
    return converted(html)[0]


def anchors(html: str) -> list[tuple[str, str, int | None, str]]:
    """(the line an anchor points at, id, level, term); every offset is checked to be the start of a line."""
    text, found = converted(html)
    for anchor in found:
        assert anchor.offset == 0 or text[anchor.offset - 1] == "\n"
    assert [a.offset for a in found] == sorted(a.offset for a in found)
    return [(text[a.offset :].partition("\n")[0], a.id, a.level, a.term) for a in found]


def rendered(text: str) -> LexborHTMLParser:
    return LexborHTMLParser(MarkdownIt("commonmark").enable("table").render(text))


def words(text: str) -> str:
    return " ".join(text.split())


# --- headings and anchors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<h2 id="a">One <code>two</code></h2>', [("## One `two`", "a", 2, "One two")]),
        ('<section id="s"><h2>One</h2><p>x</p></section>', [("## One", "s", 2, "One")]),
        ('<a name="n"></a>\n<h2>One</h2>', [("## One", "n", 2, "One")]),
        ('<p><a name="n"></a></p><h2>One</h2>', [("## One", "n", 2, "One")]),
        (
            '<section id="s"><span id="old"></span><h1 id="h">One</h1></section>',
            [("# One", "s", None, ""), ("# One", "old", None, ""), ("# One", "h", 1, "One")],
        ),
        ('<h3><a id="in"></a>One</h3>', [("### One", "in", 3, "One")]),
        ('<h3><a class="header" href="#x" id="x">One</a></h3>', [("### One", "x", 3, "One")]),
        ("<h2>No id</h2><p>x</p>", []),
        ('<h2 id="a">A</h2><h3>B</h3>', [("## A", "a", 2, "A")]),
        ('<h2 id="empty"></h2><p>x</p>', [("x", "empty", None, "")]),
        ('<p id="p">Text</p>', [("Text", "p", None, "")]),
        (
            '<ul><li id="i"><p>Item</p></li></ul><table id="t"><tr><th id="c">A</th></tr></table>',
            [("- Item", "i", None, ""), ("| A |", "t", None, ""), ("| A |", "c", None, "")],
        ),
        ('<p>First line\nand <span id="m">here</span></p>', [("and here", "m", None, "")]),
        ('<pre><a id="line-1" name="line-1"></a>code</pre>', []),
        ('<blockquote><h2 id="q">Q</h2></blockquote>', [("> ## Q", "q", 2, "Q")]),
        ('<table><tr><td><b id="h">x</b></td></tr></table>', [("| **x** |", "h", None, "")]),
    ],
)
def test_an_anchor_points_at_the_start_of_its_line(html: str, found: list[tuple[str, str, int | None, str]]) -> None:
    assert anchors(html) == found


def test_the_markdown_itself_carries_no_trace_of_anchors() -> None:
    text, found = converted('<h2 id="a">One</h2><span id="b"></span><p id="c">Two \ufdd0</p>')
    assert text == "## One\n\nTwo"
    assert [anchor.id for anchor in found] == ["a", "b", "c"]


def test_an_api_signature_is_code_and_its_anchor_the_symbol() -> None:
    html = """<dl class="py function"><dt class="sig sig-object py" id="os.path.join"><span
    class="sig-prename">
    <span class="pre">os.path.</span></span><span class="sig-name"><span
    class="pre">join</span></span><span>(</span>
    <em class="sig-param"><span class="o">*</span><span class="n">paths</span></em><span>)</span></dt>
    <dd><p>Join one.</p><dl class="field"><dt>Raises</dt><dd><p>Nothing.</p></dd></dl></dd></dl>"""
    assert markdown(html) == "`os.path.join( *paths)`\n\nJoin one.\n\n**Raises**\n\nNothing."
    assert anchors(html) == [("`os.path.join( *paths)`", "os.path.join", None, "os.path.join( *paths)")]


def test_a_definition_list_is_bold_terms_and_blocks() -> None:
    html = """<dl><dt id="t"><code>-v</code></dt><dd>Verbose.<pre>x -v</pre></dd><dt><a href="a">Link</a></dt>
    <dd>Linked</dd><dt>A term</dt><dd></dd></dl>"""
    assert markdown(html) == (
        "`-v`\n\nVerbose.\n\n```\nx -v\n```\n\n[Link](https://x.org/docs/a)\n\nLinked\n\n**A term**"
    )
    assert anchors(html) == [("`-v`", "t", None, "-v")]


def test_a_term_that_is_a_block_of_code_stays_one() -> None:
    code = "int* data();\nconst int* data() const;"
    html = f"<dl><dt id=d><span><pre>{code}</pre></span></dt><dd><p>A pointer.</p></dd></dl>"
    assert markdown(html) == f"```\n{code}\n```\n\nA pointer."
    assert [anchor[1] for anchor in anchors(html)] == ["d"]


def test_a_link_around_a_heading_leaves_the_heading() -> None:
    assert markdown('<a href="x"><h2>C Interface</h2></a><p>t</p>') == "## C Interface\n\nt"


def test_hashes_at_the_end_of_a_heading_are_kept() -> None:
    node = rendered(markdown("<h2>Learn C #</h2><h2>#</h2><h2>F#</h2>"))
    assert [words(h.text()) for h in node.css("h2")] == ["Learn C #", "#", "F#"]


# --- code -----------------------------------------------------------------------------------------


SPHINX = '<div class="highlight-%s notranslate"><div class="highlight"><pre>x = 1</pre></div></div>'
DOCUSAURUS = """<div class="language-jsx codeBlockContainer_a"><div class="content"><pre
class="prism-code language-jsx"><code>x = 1</code></pre></div></div>"""
JEKYLL = """<div class="language-ruby highlighter-rouge"><div class="highlight"><pre class="highlight">
<code>x = 1</code></pre></div></div>"""


@pytest.mark.parametrize(
    ("html", "language"),
    [
        (SPHINX % "python3", "python"),
        (SPHINX % "default", ""),
        (SPHINX % "c++", "c++"),
        (DOCUSAURUS, "jsx"),
        (JEKYLL, "ruby"),
        ('<pre><code class="language-rust">x = 1</code></pre>', "rust"),
        ('<pre><code class="hljs language-sh">x = 1</code></pre>', "bash"),
        ('<pre><code class="hljs yaml">x = 1</code></pre>', "yaml"),
        ('<div class="language-py highlight"><pre><span></span><code>x = 1</code></pre></div>', "python"),
        ('<div class="highlight highlight-source-js"><pre>x = 1</pre></div>', "javascript"),
        ('<pre class="src src-sql">x = 1</pre>', "sql"),
        ('<pre data-lang="go">x = 1</pre>', "go"),
        ('<pre language="bash"><code language="bash">x = 1</code></pre>', "bash"),
        ('<devsite-code><pre syntax="Python"><code>x = 1</code></pre></devsite-code>', "python"),
        ('<pre data-syntaxhighlighter-params="brush: java; gutter: false">x = 1</pre>', "java"),
        ('<div class="code-block" data-lang="kotlin">x = 1\n</div>', "kotlin"),
        ('<div class="phpcode"><code><span>x&nbsp;= 1<br></span></code></div>', "php"),
        ('<pre><code class="ts">x = 1</code></pre>', "typescript"),
        ('<pre class="highlighted"><code class="language-text">x = 1</code></pre>', ""),
        ("<pre>x = 1</pre>", ""),
    ],
)
def test_the_language_of_code_is_read_from_the_generators_class_names(html: str, language: str) -> None:
    assert markdown(html) == f"```{language}\nx = 1\n```"


def test_code_is_kept_to_the_letter() -> None:
    code = "def a():\n    *b* = `c` <d>\n\n\n\n    # e | f\n\\n"
    assert markdown(f"<p>x</p><pre>{escape(code)}</pre><p>y</p>") == f"x\n\n```\n{code}\n```\n\ny"


def test_a_fence_is_longer_than_those_inside_it() -> None:
    assert markdown("<pre>```\nx\n````\n</pre>") == "`````\n```\nx\n````\n`````"


def test_lines_that_are_elements_or_end_with_br_stay_lines() -> None:
    lines = "a = 1\n  b = 2"
    assert markdown("<pre><code><span>a = 1<br></span><span>  b = 2<br></span></code></pre>") == f"```\n{lines}\n```"
    assert markdown("<pre><code><div>a = 1</div><div>  b = 2</div></code></pre>") == f"```\n{lines}\n```"


@pytest.mark.parametrize(
    "html",
    [
        '<table class="highlighttable"><tr><td class="linenos"><div '
        'class="linenodiv"><pre>1\n2</pre></div></td>'
        '<td class="code"><div class="highlight"><pre>a\nb</pre></div></td></tr></table>',
        '<div class="highlight"><pre><span class="linenos">1</span>a\n<span class="linenos">2</span>b</pre></div>',
        '<table class="lntable"><tr><td class="lntd"><pre><span class="lnt">1\n</span><span '
        'class="lnt">2\n</span></pre>'
        '</td><td class="lntd"><pre>a\nb</pre></td></tr></table>',
        '<table class="rouge-table"><tr><td class="rouge-gutter '
        'gl"><pre>1\n2</pre></td><td><pre>a\nb</pre></td></tr></table>',
    ],
)
def test_line_numbers_are_dropped(html: str) -> None:
    assert html_to_markdown(f"<main>{html}</main>", URL).markdown == "```\na\nb\n```"


def test_code_spans_hold_backticks_and_stay_on_one_line() -> None:
    assert markdown("<p><code>a `b` c</code> and <code>one\ntwo</code></p>") == "`` a `b` c `` and `one two`"


# --- tables, lists, inline ------------------------------------------------------------------------


def test_a_table_has_its_header_and_escapes_pipes() -> None:
    html = """<table><caption>The ops</caption>
    <colgroup><col></colgroup><thead><tr><th>Op</th><th>Means</th></tr></thead>
    <tbody><tr><td><code>a|b</code></td><td>or<br>two lines</td></tr></tbody><tbody><tr><td>c</td><td>
    <ul><li>d</li><li>e</li></ul></td></tr></tbody></table>"""
    assert markdown(html) == ("The ops\n\n| Op | Means |\n| --- | --- |\n| `a\\|b` | or two lines |\n| c | - d - e |")


def test_a_table_without_a_header_takes_its_first_row() -> None:
    assert markdown("<table><tr><td>a</td><td>b</td></tr><tr></tr><tr><td>c</td></tr></table>") == (
        "| a | b |\n| --- | --- |\n| c |"
    )


def test_a_grid_of_columns_is_a_table() -> None:
    cells = "".join(
        f"<div class='{head}{column} even-row-color'>{text}</div>"
        for head, column, text in (
            ("table-header ", "col-first", "Type"), ("table-header ", "col-last", "Field"),
            ("", "col-first", "<code>int</code>"), ("", "col-last", "<div class=block>How\nmany.</div>"),
            ("", "col-constructor-name", "<code>byte</code>"), ("", "col-last", "<a id=buf></a>The buffer."),
        )
    )  # fmt: skip
    html = f"<h2>Fields</h2><div class='summary-table two-column-summary'>{cells}</div><p>t</p>"
    assert markdown(html) == (
        "## Fields\n\n| Type | Field |\n| --- | --- |\n| `int` | How many. |\n| `byte` | The buffer. |\n\nt"
    )
    assert [anchor[1] for anchor in anchors(html)] == ["buf"]


def test_a_table_by_roles_is_a_table() -> None:
    head = (
        "<div role=rowgroup><div role=row><span role=columnheader>A</span><span role=columnheader>B</span></div></div>"
    )
    body = "<div role=rowgroup><div role=row><div role=cell>1</div><div role=cell>2</div></div></div>"
    assert markdown(f"<div role=table>{head}{body}</div>") == "| A | B |\n| --- | --- |\n| 1 | 2 |"
    assert markdown("<div role=grid><p>No row in it.</p></div>") == "No row in it."


def test_the_header_of_a_single_column_of_blocks_is_said_once() -> None:
    cells = "".join(f"<tr><td><p>{name}()</p><p>Does it.</p><pre>{name}</pre></td></tr>" for name in ("one", "two"))
    made = markdown(f"<table><thead><tr><th>Function</th></tr></thead><tbody>{cells}</tbody></table>")
    assert made.startswith("Function\n\none()\n\nDoes it.\n\n```\none\n```\n\ntwo()")


def test_a_table_that_arranges_blocks_becomes_the_blocks() -> None:
    html = """<table><tr><td><ul><li>abs()</li><li>all()</li></ul></td><td><pre>x = 1</pre>
    <table><tr><th>A</th></tr></table></td></tr></table>"""
    assert markdown(html) == "- abs()\n- all()\n\n```\nx = 1\n```\n\n| A |\n| --- |"
    assert markdown("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>") == "a\n\nb\n\nc"


@pytest.mark.parametrize("number", ["²", "-", "9" * 5000, "x"])
def test_numbers_that_are_none_do_no_harm(number: str) -> None:
    html = f'<ol start="{number}"><li>a</li></ol><table><tr><th colspan="{number}">b</th></tr></table>'
    assert markdown(html) == "1. a\n\n| b |\n| --- |"


def test_lists_nest_and_keep_their_blocks() -> None:
    html = """<ul><li>a<ol start="3"><li>b</li><li><p>c</p><pre>d</pre></li></ol></li><li><span id="x"></span>
    <p>e</p></li></ul>"""
    assert markdown(html) == "- a\n\n  3. b\n  4. c\n\n     ```\n     d\n     ```\n- e"


def test_links_and_images_are_absolute() -> None:
    html = """<p><a href="../a(b).html#c" title="t">A</a> <a href="#d">D</a> <a href="mailto:x@y.z">M</a>
    <a>N</a>
    <img src="i.png" alt="An\nimage"> <img src="data:image/png;base64,AA" alt="inline"></p>"""
    assert words(markdown(html)) == (
        "[A](https://x.org/a%28b%29.html#c) [D](https://x.org/docs/page.html#d) M N "
        "![An image](https://x.org/docs/i.png) inline"
    )


def test_an_unmatched_bracket_in_a_links_text_does_not_break_the_link() -> None:
    node = rendered(markdown('<p><a href="a">x] y</a> <img src="i" alt="[z"></p>'))
    assert [link.text() for link in node.css("a")] == ["x] y"]
    assert [image.attributes["alt"] for image in node.css("img")] == ["[z"]


def test_blocks_that_markdown_has_no_word_for_do_not_run_together() -> None:
    html = """<details><summary>More</summary>Hidden</details><aside>Note this</aside><figure><img
    src="i" alt="I">
    <figcaption>Fig. 1</figcaption></figure><div class="admonition"><p
    class="admonition-title">Warning</p><p>Hot.</p></div>"""
    assert markdown(html) == (
        "**More**\n\nHidden\n\nNote this\n\n![I](https://x.org/docs/i)\n\nFig. 1\n\n**Warning**\n\nHot."
    )


def test_powers_keep_their_sign_and_drawings_their_words() -> None:
    assert markdown("<p>2<sup>31</sup>-1, 4<sup>th</sup>, note<sup><a href='#f'>1</a></sup></p>") == (
        "2^31-1, 4th, note[1](https://x.org/docs/page.html#f)"
    )
    svg = "<svg><title>icon</title><text>CREATE</text><text>INDEX</text></svg>"
    assert markdown(f"<p>Syntax:</p>{svg}<p>x</p>") == "Syntax:\n\nCREATE INDEX\n\nx"
    labels = "<svg><foreignObject><div><svg><text>once</text></svg></div></foreignObject></svg>"
    assert markdown(f"<p>Flow: {labels}</p>") == "Flow: once"


# --- escapes --------------------------------------------------------------------------------------


def test_identifiers_are_not_escaped() -> None:
    text = "max_connections and sqlite3_open_v2() at 3.11, a[0], C# & D, 5 > 3, a-b"
    assert markdown(f"<p>{escape(text)}</p>") == text


@pytest.mark.parametrize(
    "text",
    [
        "# not a heading", "1. not a list", "- not a list", "+ x", "> not a quote", "a\n---", "a\n=", "a\n--",
        "***", "___", "* x", "`x`", "~~~\nx", "<b>x</b>", "&amp; &#35;", "[a](b)", "[a]: b", "__init__ *x*",
        "\\* x", "a|b\n|---|---|", "a|b\n---|---", "a | b\n:-- | --:", "<!-- x -->", "<https://x.org>",
        "1) x",
        "![a](b)", "    indented", "`` ` ``", "a  \nb", "-\n-", "#", "99.",
    ],
)  # fmt: skip
def test_text_that_looks_like_markup_stays_text(text: str) -> None:
    for html in (f"<p>{escape(text)}</p>", f"<div>{escape(text)}</div>", f"<ul><li>{escape(text)}</li></ul>"):
        node = rendered(markdown(html))
        assert words(node.text()) == words(text)
        assert node.css("h1, h2, h3, em, strong, code, a, table, hr, blockquote, ol, img") == []


ALPHABET = "ab1" + string.punctuation + " \n"
INLINE = st.lists(
    st.tuples(
        st.sampled_from(["", "b", "em", "code", "span", "a href='x'"]),
        st.text(ALPHABET, min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=4,
)


def html_of(parts: list[tuple[str, str]]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag.split()[0]}>" if tag else escape(text) for tag, text in parts)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(INLINE, min_size=1, max_size=3))
def test_every_letter_of_a_text_survives_and_no_heading_is_made(blocks: list[list[tuple[str, str]]]) -> None:
    html = "".join(f"<p>{html_of(block)}</p>" for block in blocks)
    text = markdown(html)
    node = rendered(text)
    letters = re.sub(r"[^ab1]", "", LexborHTMLParser(html).text())
    assert re.sub(r"[^ab1]", "", node.text()) == letters
    assert node.css("h1, h2, h3, h4, h5, h6, hr, table, pre, img") == []


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text("ab1 `~|<>&*_#\\\n", min_size=1, max_size=40))
def test_every_code_block_survives_to_the_letter(code: str) -> None:
    pre = rendered(markdown(f"<p>x</p><pre><code>{escape(code)}</code></pre><p>y</p>")).css_first("pre")
    kept = "" if pre is None else pre.text()
    assert kept.strip("\n").rstrip() == code.strip("\n").rstrip()


# --- real documentation ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.promise("C11")
@pytest.mark.parametrize(
    "part",
    [pytest.param(part, marks=pytest.mark.needs(part)) for part in ("python3.11-doc", "sqlite3-doc")],
)
def test_every_heading_with_an_id_of_real_pages_is_an_anchor_at_a_heading(
    part: str, system_part: Callable[[str], Path]
) -> None:
    selector = ", ".join(f"h{n}[id], section[id] > h{n}:first-of-type" for n in range(1, 7))
    wrong: list[tuple[str, str]] = []
    seen = 0
    for path in sorted(system_part(part).rglob("*.html")):
        body = path.read_bytes()
        page = html_to_markdown(body, "https://x.org/" + path.name)
        node = main_node(LexborHTMLParser(decode_text(body)))
        by_id = {anchor.id: anchor for anchor in page.anchors}
        for heading in node.css(selector) if node is not None else ():
            section = heading.parent
            named = heading.attributes.get("id") or (section.attributes.get("id") if section is not None else "")
            anchor = by_id.get(named or "")
            line = page.markdown[anchor.offset :].lstrip() if anchor is not None else ""
            seen += 1
            if not line.startswith("#" * int(heading.tag[1]) + " "):
                wrong.append((path.name, heading.text()))
        assert all(a.offset == 0 or page.markdown[a.offset - 1] == "\n" for a in page.anchors)
    assert wrong == []
    assert seen > 1_000


@pytest.mark.parametrize(
    "title",
    [
        "<p class='admonition-title'>Note</p>",
        "<div class='admonitionHeading_x1 y'>Note</div>",
        "<p class='custom-block-title'>Note</p>",
        "<h5 class='admonition-heading'>Note</h5>",
        "<p class='topic-title'>Note</p>",
    ],
)
def test_the_title_of_a_note_is_a_bold_line_whatever_it_is_called(title: str) -> None:
    assert markdown(f"<div>{title}<p>Words.</p></div>") == "**Note**\n\nWords."


def test_a_heading_that_labels_a_note_begins_no_section() -> None:
    assert markdown("<div class='note'><h3>Note</h3><p>Words.</p></div>") == "**Note**\n\nWords."
    assert markdown("<div class='part'><h3>Part</h3><p>Words.</p></div>") == "### Part\n\nWords."


@pytest.mark.parametrize(
    "box",
    [
        "<div class=NOTE><h5>Note</h5><p>Words.</p></div>",
        "<div class=NOTE><p>Note</p><p>Words.</p></div>",
        "<div class=x-note><div class=x-note-title><i></i><h6>Note</h6></div><div><p>Words.</p></div></div>",
        "<aside class=prompt data-type=note><p>Words.</p></aside>",
        "<div class=box data-callout-type=note><p>Words.</p></div>",
    ],
)
def test_the_kind_of_a_note_is_its_title_however_it_is_told(box: str) -> None:
    assert markdown(box) == "**Note**\n\nWords."


def test_a_section_called_note_stays_one() -> None:
    assert markdown("<div class=notebook><h2>Note</h2><p>Words.</p></div>") == "## Note\n\nWords."
    assert markdown("<div class=note><p>Words.</p><p>A note</p></div>") == "**Note**\n\nWords.\n\nA note"


def test_a_note_drawn_as_a_table_is_its_label_and_its_words() -> None:
    icon = "<td class=icon><i class='fa icon-note' title=Note></i></td>"
    for cell in (icon, "<td class=icon><div class=title>Note</div></td>"):
        assert markdown(f"<table><tr>{cell}<td class=content>Words.</td></tr></table>") == "**Note**\n\nWords."


def test_code_and_signatures_in_other_elements_are_code() -> None:
    code = "<div class=fragment><div class=line>if (x)</div><div class=line>  y();</div></div>"
    assert markdown(code) == "```\nif (x)\n  y();\n```"
    signature = "<table class=memname><tr><td>int f</td><td>(</td><td>int&nbsp;</td><td>x</td><td>)</td></tr></table>"
    assert markdown(signature) == "`int f (int x)`"
    assert markdown("<div class=member-signature>int <a href=s>f</a>(\n int x)</div>") == "`int f(int x)`"


def test_a_list_of_whole_sections_is_no_list() -> None:
    html = "<ul><li><section><h2 id=a>A</h2><p>x</p></section></li><li><h2>B</h2></li></ul><ul><li>item</li></ul>"
    assert markdown(html) == "## A\n\nx\n\n## B\n\n- item"


def test_headings_in_the_line_of_a_folded_block_stay_headings() -> None:
    html = "<details><summary><section><h4 id=f>fn f()</h4></section></summary><p>Words.</p></details>"
    assert markdown(html) == "#### fn f()\n\nWords."


def test_a_link_without_words_leaves_nothing() -> None:
    assert markdown("<p>a<a href='print.html'><i></i></a> b</p>") == "a b"


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ('<div class="warning"><p>Mind it.</p></div>', "**Warning**\n\nMind it."),
        ('<div class="note"><p>Note: mind it.</p></div>', "Note: mind it."),
        ('<div class="warning"><p><b>Mind</b> it.</p></div>', "**Mind** it."),
        (
            '<div class="tip"><table><tr><td><img src="data:x" alt="Tip"></td><td>a</td></tr></table></div>',
            "**Tip**\n\na",
        ),
        ('<div class="note custom-block"><p class="custom-block-title">Mind</p><p>a</p></div>', "**Mind**\n\na"),
        ('<span class="warning">a</span><div class="tip">b</div>', "a\n\nb"),
        (
            '<blockquote class="blockquote-tag"><p class="blockquote-tag-title">Note</p><p>a</p></blockquote>',
            "> **Note**\n>\n> a",
        ),
    ],
)
def test_a_box_that_only_its_colour_tells_is_titled_by_its_class(box: str, shown: str) -> None:
    assert markdown(box) == shown
