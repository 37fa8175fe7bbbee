"""Main content of pages that real documentation generators built from one source with every element in it.

The pages are in tests/data/generators; benchmarks/build_generator_pages.py builds them anew.
"""

from functools import cache
from pathlib import Path

import pytest

from ingest.models import MarkdownPage
from ingest.page import html_to_markdown

FOLDER = Path(__file__).resolve().parents[2] / "data" / "generators"
URL = "http://127.0.0.1/guide.html"

SPHINX = tuple(f"sphinx-{theme}" for theme in ("classic", "alabaster", "book", "furo", "rtd", "pydata"))
MKDOCS = ("mkdocs", "mkdocs-readthedocs", "mkdocs-material", "zensical")
WEB = ("docusaurus", "vitepress", "starlight", "rspress")
MARKDOWN = ("mdbook", "jekyll", "honkit")
GUIDES = (*SPHINX, *MKDOCS, *WEB, *MARKDOWN, "asciidoctor", "docbook", "doxygen-page", "texinfo")
REFERENCES = ("rustdoc", "javadoc", "doxygen-file", "typedoc", "jsdoc", "pdoc", "pydoctor", "yard")

TABLE = "| Size | Teeth |\n| --- | --- |\n| small | twelve |"
NESTED = "1. Open the crate.\n   - Cut the straps.\n     - Save the straps for returns.\n2. Lift the widget."
GUIDE = (
    "A widget turns a crank into a gear, one tooth at a time.",
    "## Install the widget",
    'widget.turn("left", teeth=3)',
    "# not a heading",
    "Oil the widget before the first turn.",
    "Never turn a cold widget.",
    TABLE,
    NESTED,
    "Deeper in",
)
TEXTS = (
    "# Widget guide",
    "[read the reference](http://127.0.0.1/other",
    "```python\nimport widget",
    "$ widget --oil   # keeps it quiet",
    "**Crank**\n\nThe handle that is turned by hand.",
    "A widget on its side",
    "A footnote follows this sentence.",
    "A broken tooth cannot be glued.",
    "The folded part tells of springs.",
)
# What each page must hold in its markdown, besides what all of its kind do; white space between blocks is not told.
HOLDS = {
    **dict.fromkeys(SPHINX, (*GUIDE, *TEXTS, "**Workshop rule**\n\nTwo people lift the crate.", "**Note**",
        "Workshop history", "first widget was made of oak", "Spare teeth come in bags of ten.",
        "**Linux**\n\nThe Linux package is called widgetd.", "**Windows**\n\nThe Windows package is called widget32.",
        "`turn(direction, teeth=1, *, force=False)`", "Added in version 1.4", "`class Widget(size)`",
        "Put oil on the axle.",
        "![A widget on its side](http://127.0.0.1/_images/widget.png)", r"2 \pi r")),
    **dict.fromkeys(MKDOCS, (*GUIDE, *TEXTS, "**Warning**", "> Oak was the first wood.", "Press `Ctrl` and run")),
    **dict.fromkeys(MARKDOWN, (*GUIDE, *TEXTS, "> Oak was the first wood.", "The Windows package is called widget32.")),
    **dict.fromkeys(WEB, (*GUIDE, *TEXTS[:-2], TEXTS[-1], "> Oak was the first wood.", "**Linux**\n\n",
        "Windows**\n\n")),
    "asciidoctor": (*GUIDE, *TEXTS, "**Note**\n\nOil", "Workshop rule", "Workshop history", "Three teeth are enough.",
        "Is it loud?", "> Oak was the first wood."),
    "docbook": (*(part for part in GUIDE), "# Chapter 2. Widget guide", *TEXTS[3:-1], "**Note**\n\nOil",
        "**Example 2.1. Workshop rule**", "Workshop history", "`int widget_turn"),
    "doxygen-page": ("# Widget guide", GUIDE[0], "Install the widget", "```\n// not a heading\nwidget_turn(w, 3);\n```",
        "**Note**\n\nOil the widget", "**Warning**\n\nNever turn", TABLE, NESTED, "Deeper in"),
    "doxygen-file": ("# widget.h File Reference", "## Detailed Description", "## widget_turn()",
        "`int widget_turn (struct Widget * widget, int teeth)`", "| widget | the widget to turn |",
        "the teeth that passed"),
    "texinfo": ("## 2 Widget guide", GUIDE[0], "Install the widget", 'widget.turn("left", teeth=3)', "# not a heading",
        "**Note:** Oil", "**Warning:** Never turn", TABLE, NESTED, "**Crank**\n\nThe handle", "Deeper in", TEXTS[-2],
        "int* **widget_turn**"),
    "typedoc": ("# Class Widget\n", GUIDE[0], 'widget.turn("left", 3);', "// not a heading", TABLE, "- Cut the straps.",
        "### turn", "Turn the crank by some teeth.", "where to turn it", "the teeth that passed",
        "if the widget is cold", "Deprecated", "How many teeth the gear has."),
    "jsdoc": ("# Class: Widget", GUIDE[0], "// not a heading", TABLE, "- Cut the straps.",
        "| `teeth` | number | how many teeth the new one gets |", "#### oil()", "the teeth that passed", "- 1.4"),
    "pdoc": ("# workshop\n", "a widget turns a crank", "Oil the widget before", "TEETH", "How many teeth the gear has.",
        '>>> Widget(3).turn("left")  # not a heading', "- Save the straps for returns.", "Put oil on the axle."),
    "pydoctor": ("# `workshop.Widget`", "One widget, made of oak.", '>>> Widget(3).turn("left")  # not a heading',
        "- Save the straps for returns.", "| Method | `turn` | Turn the crank", "force: `bool` = False",
        "Never turn a cold widget."),
    "yard": ("# Class: Workshop::Widget", GUIDE[0], "Oil the widget before", "# not a heading",
        "## Constructor Details",
        "Turn the crank by some teeth.", "the teeth that passed", "if the widget is cold", "widgets oil themselves",
        "  direction.length + teeth"),
    "rustdoc": ("# Struct Widget\n", "```rust\npub struct Widget {\n    pub teeth: u32,\n}\n```",
        "One widget, made of oak.",
        "## Examples", "let teeth = 3;", TABLE, "- Cut the straps.", "#### pub fn turn(&self, teeth: u32)",
        "Deprecated since 4.0.0", "`teeth: u32`"),
    "javadoc": ("# Class Widget", "A widget turns a crank",
        'Widget widget = new Widget(3);', TABLE, "- Cut the straps.",
        "## Method Details", "### turn", "`public int turn(String direction)`", "the teeth that passed",
        "if the widget is cold", "**Since:**"),
}  # fmt: skip
# Parts of the frames, in any page.
FRAME = (
    "Workshop handbook", "handbook", "Chapters of the book", "First page of cranks", "Other page of gears", "Copyright",
    "©", "Created using", "Made with", "Built with", "Sphinx", "Docusaurus", "Generated by", "Last updated",
        "Edit this page",
    "Edit on", "View page source", "Show Source", "View source", "On this page", "Contents of this page",
        "Table of Contents",
    "Previous", "Next", "Skip to", "Search", "cookie", "Back to top", "Quick search", "Copy", "¶", "🔗", "\u200b",
    "Section titled", "results matching", "View Source", "Terminal window", "Settings", "Theme", "collapse",
    "Documentation generated", "Home", "API Documentation", "built with",
    "Toggle", "theme", "Expand description", "Summary:", "Skip navigation", "◆", "[Source]", "Return to top", "Menu",
)  # fmt: skip
# Words of the frame that are the page's own on that one.
OWN = {
    "doxygen-file": frozenset({"Other page of gears"}),  # the file's brief description
    "javadoc": frozenset({"Other page of gears"}),
}
SPHINX_ANCHORS = {
    "widget-guide": "Widget guide",
    "install-widget": "Install the widget",
    "turn": "turn(direction, teeth=1, *, force=False)",
    "Widget.oil": "oil(amount)",
    "deeper-in": "Deeper in",
}
MARKDOWN_ANCHORS = {"install-the-widget": "Install the widget", "deeper-in": "Deeper in"}
ANCHORS = {
    **dict.fromkeys(SPHINX, SPHINX_ANCHORS),
    **dict.fromkeys((*MKDOCS, *WEB, *MARKDOWN), MARKDOWN_ANCHORS),
    "texinfo": {"Install-the-widget": "2.1 Install the widget", "Deeper-in": "2.2.1 Deeper in"},
    "typedoc": {"turn": "turn", "constructor": "constructor"},
    "jsdoc": {"turn": "turn(direction, teethopt) → {number}", "oil": "oil()"},
    "pdoc": {"Widget": "", "Widget.turn": "", "TEETH": ""},
    "pydoctor": {"turn": "", "workshop.Widget.oil": ""},
    "yard": {"turn-instance_method": "#turn(direction) ⇒ Integer", "constructor_details": "Constructor Details"},
    "asciidoctor": {"install-widget": "Install the widget", "deeper": "Deeper in"},
    "docbook": {"guide": "Chapter 2. Widget guide", "install-widget": "Install the widget", "term-crank": "Crank"},
    "doxygen-page": {"install_widget": "Install the widget", "deeper": "Deeper in"},
    "doxygen-file": {"aa821abb4b49573a5190db859b7a4f8c5": "widget_turn()", "details": "Detailed Description"},
    "rustdoc": {"method.turn": "pub fn turn(&self, teeth: u32) -> Result<u32, String>", "errors": "Errors"},
    "javadoc": {"turn(java.lang.String)": "turn", "<init>(int)": "Widget", "method-detail": "Method Details"},
}
TITLES = {
    "docbook": "Chapter 2. Widget guide",
    "rustdoc": "Widget in workshop - Rust",
    "javadoc": "Widget",
    "typedoc": "Widget | Workshop handbook",
    "jsdoc": "JSDoc: Class: Widget",
    "pdoc": "workshop API documentation",
    "pydoctor": "workshop.Widget",
    "yard": "Class: Workshop::Widget",
    "doxygen-page": "Workshop handbook: Widget guide",
    "doxygen-file": "Workshop handbook: widget.h File Reference",
}


@cache
def page(name: str) -> MarkdownPage:
    return html_to_markdown((FOLDER / f"{name}.html").read_bytes(), URL)


def single_spaced(text: str) -> str:
    """Blank lines as one line end: whether a list is loose is the generator's choice."""
    text = text.replace("\u00a0", " ")
    while "\n\n" in text:
        text = text.replace("\n\n", "\n")
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_every_page_that_was_built_is_tested() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.html")) == sorted(HOLDS) == sorted((*GUIDES, *REFERENCES))


@pytest.mark.promise("K5")
@pytest.mark.parametrize("name", HOLDS)
def test_every_element_of_the_content_is_kept(name: str) -> None:
    markdown = single_spaced(page(name).markdown)
    assert [part for part in HOLDS[name] if single_spaced(part) not in markdown] == []


@pytest.mark.parametrize("name", HOLDS)
def test_nothing_of_the_frame_is_kept(name: str) -> None:
    source = (FOLDER / f"{name}.html").read_text("utf-8")
    assert sum(word in source for word in FRAME) >= 2, "a page without a frame tests nothing"
    own = OWN.get(name, frozenset())
    assert [word for word in FRAME if word not in own and word in page(name).markdown] == []


@pytest.mark.promise("K5")
@pytest.mark.parametrize("name", HOLDS)
def test_anchors_are_the_ids_of_the_page_at_their_headings_and_signatures(name: str) -> None:
    found = page(name)
    terms = {anchor.id: anchor.term for anchor in found.anchors}
    assert {id: terms.get(id) for id in ANCHORS[name]} == ANCHORS[name]
    for anchor in found.anchors:
        if anchor.level is not None:
            line = found.markdown[anchor.offset :].partition("\n")[0].lstrip(" ")  # in a list item it is indented
            assert line.startswith("#" * anchor.level + " "), anchor


@pytest.mark.parametrize("name", HOLDS)
def test_the_title_is_the_page_s_own(name: str) -> None:
    assert page(name).title == TITLES.get(name, "Widget guide")


@pytest.mark.parametrize(
    ("name", "breadcrumb", "generator"),
    [
        ("sphinx-classic", ("Workshop handbook 4.2 documentation", "Widget guide"), ""),
        ("sphinx-rtd", ("Widget guide",), ""),
        ("mkdocs-material", (), "mkdocs"),
        ("docusaurus", ("Widget guide",), "Docusaurus"),
        ("asciidoctor", (), "Asciidoctor"),
        ("docbook", (), "DocBook XSL"),
        ("rustdoc", ("workshop",), "rustdoc"),
        ("javadoc", (), "javadoc"),
        ("starlight", (), "Astro"),
        ("honkit", (), "HonKit"),
        ("typedoc", ("Widget",), ""),
    ],
)
def test_the_breadcrumb_and_the_generator_are_read(name: str, breadcrumb: tuple[str, ...], generator: str) -> None:
    assert page(name).breadcrumb == breadcrumb
    assert page(name).generator.startswith(generator)


def test_the_language_and_the_time_of_the_last_change_are_read() -> None:
    assert page("docusaurus").language == "en"
    assert page("sphinx-furo").modified[:2] == "20"
    assert page("asciidoctor").modified[:2] == "20"
    assert page("asciidoctor").description == "How a widget is used."
