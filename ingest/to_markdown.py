"""The main node as CommonMark with GFM tables, and the places in it that URL fragments point at.

markdownify's rules, one method a tag, are the extension point: subclass `MarkdownRules`. While the tree is
walked, every element with an id leaves a mark in the text; the marks are then taken out and are the anchors.
"""

import re
from collections.abc import Callable, Set
from types import MappingProxyType
from typing import Any

from ada_url import join_url
from markdownify import MarkdownConverter
from selectolax.lexbor import LexborNode

from ingest.anchors import CLOSE, MARK, OPEN, STRAY, Mark, identity, identity_inside, lift_marks, settle_marks
from ingest.blocks import prepare_blocks
from ingest.code_blocks import code_language, code_span, fence, read_code, read_fragment
from ingest.elements import Child, Element, Tree, next_content, read_tree
from ingest.emphasis import BLANK_LINE, CODE, apart, beside, can_stand
from ingest.formulas import formula, prepare_formulas, read_formula
from ingest.grids import prepare_grids
from ingest.lists import item_bullet, labelled, prepare_lists
from ingest.models import Anchor
from ingest.nesting import outer
from ingest.tables import prepare_tables
from ingest.urls import is_local
from ingest.walk import Tags, walk

__all__ = ["MarkdownRules", "to_markdown"]

_HEADING_LINE = re.compile(rf"^(?:{MARK.pattern})*#{{1,6}} ", re.MULTILINE)
_HEADING = re.compile(r"^h([1-6])$")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_NAMED = frozenset({*_HEADINGS, "dt"})
_STRONG, _EMPHATIC, _STRUCK = frozenset({"b", "strong"}), frozenset({"em", "i"}), frozenset({"del", "s", "strike"})
_BLOCKS = (
    *_HEADINGS,
    "p",
    "div",
    "section",
    "article",
    "ul",
    "ol",
    "dl",
    "table",
    "pre",
    "blockquote",
    "figure",
)
_WEB = ("http:", "https:")
_LONGEST_POWER = 200  # characters, with the marks of anchors
_POWER = re.compile(r"[-+−]?(?:\d+|[a-z])")
_EXPRESSION = re.compile(r"[-+−]?[0-9a-zA-Z]+(?:[-+−*/][0-9a-zA-Z]+)+")
_INDEX = re.compile(r"[a-z]")
_LINE_ENDS = re.compile(r" ?\n ?")
_BACK = frozenset("↩⏎↑⤴^\ufe0e\ufe0f ")  # what a link from a footnote back to its mark is made of
# CommonMark reads an underscore inside a word as itself, so names like max_connections need no escape.
_EMPHASIS = re.compile(r"\*|(?<![^\W_])_|_(?![^\W_])")
_MARKUP = re.compile(r"\\(?=[!-/:-@\[-`{-~]|\Z)|`|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\](?=[(:])")
_SUSPECT = re.compile(r"[\\`<&\]*_]")  # without one of these the two above change nothing
_LINE_START = re.compile(
    r"^([ \t]*)(#{1,6}(?=[ \t]|$)|[-+](?=[ \t]|$)|>|~{3,}|=+(?=[ \t]*$)|(?:-|[:|](?=[:| \t]*-))(?=[-:| \t]*$))",
    re.MULTILINE,
)
_LINE_NUMBER = re.compile(r"^([ \t]*\d{1,9})([.)])(?=[ \t]|$)", re.MULTILINE)
_LINE_SIGNS = "-#+>~=:|0123456789"  # nor the two above where no line begins with one of these
_CLOSING_HASHES = re.compile(r"(?:^|(?<=[ \t]))(?=#+$)")


def to_markdown(node: LexborNode, url: str, rules: "type[MarkdownRules] | None" = None) -> tuple[str, list[Anchor]]:
    """Markdown and anchors of a node and what is inside it, links made absolute against `url`.

    Anchors are in order of offset, each at the start of a line; of several at one place the heading's own is
    last. `rules` is a class of the caller's own.
    """
    chosen = (rules or MarkdownRules)(url)
    tree = read_tree(node, _SHORTCUTS)
    if STRAY.search(node.text(deep=True)):
        for element in (tree.root, *tree.root.inside()):
            element.children = [STRAY.sub("", child) if isinstance(child, str) else child for child in element.children]
    marked = chosen.convert_tree(tree)
    tree.release()
    return lift_marks(marked, chosen.marks)


def _drawing(node: LexborNode, attrs: dict[str, str]) -> str:
    """The words of a drawing."""
    labels = outer(node.css("text, foreignObject"), 1)
    words = " ".join(label.text(deep=True, separator=" ") for label in labels)
    return f" {' '.join(words.split())} "


def _signature(node: LexborNode, attrs: dict[str, str]) -> list[Child] | None:
    """The text of an API signature that has no anchors inside: its rule takes no more of it."""
    if "sig" not in attrs.get("class", "").split() or node.css_first("[id], a[name], svg") is not None:
        return None
    return [node.text(deep=True)]


_SHORTCUTS = MappingProxyType(
    {"dt": _signature, "pre": read_code, "div": read_fragment, "svg": _drawing, "math": read_formula}
)


class MarkdownRules(MarkdownConverter):
    """markdownify's rules with anchors, code languages, definition lists and absolute links.

    A rule is a method `convert_<tag>(el, text, parent_tags)`: it gets the element (`ingest.elements.Element`), the
    text that the rules made of what is inside it, and the names of the elements around it, and returns the
    element's text. Subclass to change one, and give the class to `ingest.html_to_markdown`.
    """

    class Options(MarkdownConverter.DefaultOptions):
        """Of markdownify."""

        autolinks = False
        heading_style = "atx"
        table_infer_header = True

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(**options)
        self.url = url
        self.marks: list[Mark] = []
        """(id or None, heading level or None, term) of every mark in the text, by its number."""
        self._addresses: dict[str, str | None] = {}

    def convert_tree(self, tree: Tree) -> str:
        """The text of a tree, once its blocks, numbers and tables are what markdownify's rules expect."""
        prepare_formulas(tree)
        prepare_grids(tree)
        prepare_blocks(tree)
        prepare_lists(tree)
        prepare_tables(tree)
        return walk(tree.root, self, self.marked)

    def marked(self, element: Element, text: str, parent_tags: Tags) -> str:
        """The element's text with a mark before it, where an id is on it or it is a heading."""
        attrs = element.attrs
        if element.name not in _NAMED and (not attrs or ("id" not in attrs and "name" not in attrs)):
            return text
        if "pre" in parent_tags:
            return text
        heading = _HEADING.match(element.name) if text.lstrip().startswith("#") else None
        named = heading is not None or element.name == "dt"
        name = identity(element) or (identity_inside(element) if named else None)
        if not name and not (heading or "sig" in element.classes):
            return text
        level = int(heading[1]) if heading else None
        term = " ".join(element.get_text().split()) if named else ""
        content = text.lstrip("\n")
        self.marks.append((name, level, term.rstrip("¶ ")))
        return f"{text[: len(text) - len(content)]}{OPEN}{len(self.marks) - 1}{CLOSE}{content}"

    def _absolute(self, written: str | None) -> str | None:
        """The address with its fragment, or None for anything but http and https (and files, on a local page)."""
        if written is None:
            return None
        if written not in self._addresses:
            self._addresses[written] = _absolute(self.url, written.strip())
        return self._addresses[written]

    def escape(self, text: str, parent_tags: Tags) -> str:
        """Escape only what CommonMark would read as markup in this place."""
        if _SUSPECT.search(text) is not None:
            text = _EMPHASIS.sub(r"\\\g<0>", _MARKUP.sub(r"\\\g<0>", text))
        if "_inline" in parent_tags or ("\n" not in text and text.lstrip()[:1] not in _LINE_SIGNS):
            return text
        # What goes on with a line begins none.
        line, end, text = text.partition("\n") if "_midline" in parent_tags else ("", "", text)
        return line + end + _LINE_NUMBER.sub(r"\1\\\2", _LINE_START.sub(r"\1\\\2", text))

    def convert_summary(self, el: Element, text: str, parent_tags: Tags) -> str:
        """The line that stands for a folded block, as a bold line; headings in it stay headings."""
        if _HEADING_LINE.search(text) is not None:
            return f"\n\n{text.strip()}\n\n"
        return self._bold_line(text, parent_tags)

    convert_legend = convert_summary

    def convert_p(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A paragraph; the title of an admonition as a bold line."""
        if "class" in el.attrs and "admonition-title" in el.classes:
            return self._bold_line(text, parent_tags)
        if "_inline" not in parent_tags and "`" not in text:
            text = _LINE_NUMBER.sub(r"\1\\\2", text.strip())  # a number and its dot may come from two elements
        return str(super().convert_p(el, text, parent_tags))

    def _bold_line(self, text: str, parent_tags: Tags) -> str:
        words = " ".join(text.split())
        plain = MARK.sub("", words)
        if "_inline" in parent_tags or not plain:
            return f" {words} "
        if "**" in plain or plain.startswith(("`", "[", "#", "!", ">", "- ")):
            return f"\n\n{words}\n\n"
        marks = "".join(match[0] for match in MARK.finditer(words))
        return f"\n\n{marks}**{plain}**\n\n"

    def convert_hN(self, n: int, el: Element, text: str, parent_tags: Tags) -> str:
        """A heading; hashes at its end are text, not closing marks."""
        if not MARK.sub("", text).strip():
            return text
        if "_inline" not in parent_tags:
            text = _CLOSING_HASHES.sub(r"\\", text.strip())
        return str(super().convert_hN(n, el, text, parent_tags))

    def convert_b(self, el: Element, text: str, parent_tags: Tags) -> str:
        """Strong text; blocks inside stay blocks, and what is in strong text already is as strong."""
        return self._emphasis(super().convert_b, _STRONG, el, text, parent_tags)

    convert_strong = convert_b

    def convert_em(self, el: Element, text: str, parent_tags: Tags) -> str:
        """Emphasis; as strong text."""
        return self._emphasis(super().convert_em, _EMPHATIC, el, text, parent_tags)

    convert_i = convert_em

    def convert_del(self, el: Element, text: str, parent_tags: Tags) -> str:
        """Text that is struck out; as strong text."""
        if "~" in text:
            return text
        return self._emphasis(super().convert_del, _STRUCK, el, text, parent_tags)

    convert_s = convert_strike = convert_del

    def _emphasis(
        self, rule: Callable[[Element, str, Tags], str], alike: Set[str], el: Element, text: str, parent_tags: Tags
    ) -> str:
        """What `rule` makes of the text; the text alone in the like, in code, or where the marks would be shown."""
        if not parent_tags.isdisjoint(alike) or "_noformat" in parent_tags:
            return text
        before, content, after = apart(el, text)
        if not can_stand(el, content) or "\n\n" in text:
            return text
        return f"{before}{rule(el, content, parent_tags)}{after}"

    def convert_code(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A code span on one line."""
        if "_noformat" in parent_tags:
            return text
        marks = ""
        if OPEN in text:
            marks = "".join(match[0] for match in MARK.finditer(text))
            text = MARK.sub("", text)
        if "\n" in text:
            text = _LINE_ENDS.sub(" ", text)
        code = text.strip()
        if not code:
            return f"{marks} " if text else marks
        # Runs of backticks that meet would be one.
        before = " " if text[0] == " " or CODE in beside(el, -1) else ""
        return f"{marks}{before}{code_span(code)}{' ' if text[-1] == ' ' else ''}"

    convert_kbd = convert_samp = convert_code

    def convert_sup(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A power keeps its sign, so that 2^32 does not read as 232; a footnote's mark stays as it is."""
        words = MARK.sub("", text).strip() if len(text) <= _LONGEST_POWER else ""
        if "a" in parent_tags or not words or el.find("a") is not None:
            return text
        if _POWER.fullmatch(words):
            return f"^{text.strip()}"
        return f"^({text.strip()})" if _EXPRESSION.fullmatch(words) else text

    def convert_sub(self, el: Element, text: str, parent_tags: Tags) -> str:
        """An index of one letter keeps its sign: x_i, but H2O."""
        return f"_{text.strip()}" if _INDEX.fullmatch(text.strip()) else text

    def convert_list(self, el: Element, text: str, parent_tags: Tags) -> str:
        """As markdownify, which asks what comes next whether it is one of BeautifulSoup's classes."""
        if "li" in parent_tags:
            first = next((item for item in el.elements() if item.name == "li"), None)
            # After a line of text only a bullet or the number 1 begins a list (CommonMark, section 5.3).
            joins = el.name == "ul" or first is None or item_bullet(first)[:-1] == "1"
            return ("\n" if joins else "\n\n") + text.rstrip()
        following = next_content(el)
        is_last = following is None or (isinstance(following, Element) and following.name in ("ul", "ol"))
        return f"\n\n{text}" if is_last else f"\n\n{text}\n"

    convert_ul = convert_ol = convert_list

    def convert_li(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A list item, its other lines under the first one's text."""
        text = settle_marks(text.strip())
        if not text:
            return "\n"
        text = labelled(el, text)
        bullet = item_bullet(el) + " "
        first, *others = text.split("\n")
        indent = "\n" + " " * len(bullet)
        return bullet + first + "".join(indent + line if line else "\n" for line in others) + "\n"

    def convert_blockquote(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A quotation."""
        return str(super().convert_blockquote(el, settle_marks(text.strip()), parent_tags))

    def convert_input(self, el: Element, text: str, parent_tags: Tags) -> str:
        """The box of a task, as GitHub writes it."""
        if el.attrs.get("type", "").lower() != "checkbox" or "li" not in parent_tags:
            return ""
        box = "[x]" if "checked" in el.attrs else "[ ]"
        return box if beside(el, 1) == " " else f"{box} "

    def convert_a(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A link with an absolute address; its content alone in a heading, around blocks, or without one."""
        address = self._absolute(el.attrs.get("href"))
        wordless = not text.strip() or (OPEN in text and not MARK.sub("", text).strip())
        if address is None or wordless or "_noformat" in parent_tags or not parent_tags.isdisjoint(_HEADINGS):
            return text
        if el.attrs["href"].startswith("#") and _BACK.issuperset(text):
            return ""
        if el.attrs.get("role") == "doc-backlink":
            return text
        if el.first_element() is not None and el.find(_BLOCKS) is not None:
            return text
        before, content, after = apart(el, text)
        if "\n\n" in text or BLANK_LINE.search(content) is not None:
            return text
        blank = " " if beside(el, -1) == "!" else ""  # or it would be an image
        return f"{before}{blank}[{_balanced(content)}]({address}){after}"

    def convert_img(self, el: Element, text: str, parent_tags: Tags) -> str:
        """An image with an absolute address; its alt text alone in a heading, in code, and for inline data or a sign in
        a table."""
        first = el.attrs.get("srcset", "").strip().partition(" ")[0].rstrip(",")
        sources = (*(el.attrs.get(name, "") for name in ("src", "data-src", "data-original")), first)
        source = next((source for source in sources if source and not source.startswith("data:")), None)
        address = self._absolute(source)
        alt = self.escape(" ".join(STRAY.sub("", el.attrs.get("alt", "")).split()), {*parent_tags, "_inline"})
        is_sign = "_inline" in parent_tags and not any(map(str.isalnum, alt))
        if address is None or is_sign or "_noformat" in parent_tags or not parent_tags.isdisjoint(_HEADINGS):
            return alt
        return f"![{_balanced(alt)}]({address})"

    def convert_video(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A recording as a link to it, by what the page says in its place or by its file's name."""
        source = el if "src" in el.attrs else next((part for part in el.elements() if part.name == "source"), None)
        address = self._absolute(source.attrs.get("src") if source is not None else None)
        if address is None or "_noformat" in parent_tags or "[" in text:
            return text
        return f"[{_balanced(' '.join(text.split())) or address.rpartition('/')[2]}]({address})"

    convert_audio = convert_video

    def convert_dt(self, el: Element, text: str, parent_tags: Tags) -> str:
        """The term of a definition as a bold line of its own, an API signature as code; code on lines stays a block."""
        if "_inline" not in parent_tags and el.find("pre") is not None:
            return f"\n\n{text.strip()}\n\n"
        signature = " ".join(el.get_text().split()).rstrip("¶ ")
        if "sig" not in el.classes or "_inline" in parent_tags or not signature:
            return self._bold_line(text, parent_tags)
        marks = "".join(match[0] for match in MARK.finditer(text))
        return f"\n\n{marks}{code_span(signature)}\n\n"

    def convert_dd(self, el: Element, text: str, parent_tags: Tags) -> str:
        """The definition as blocks of their own: CommonMark would read four spaces of indent as code."""
        text = settle_marks(text.strip())
        return f" {text} " if "_inline" in parent_tags else f"\n\n{text}\n\n" if text else ""

    def convert_pre(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A fence longer than any inside it, with the language that the generator's class names tell."""
        code = el.get_text().strip("\n").rstrip()
        if "_inline" in parent_tags:
            return f" {code_span(' '.join(code.split()))} " if code else ""
        if not code.strip():
            return ""
        return f"\n\n{fence(code, code_language(el))}\n\n"

    def convert_formula(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A formula as its LaTeX source."""
        return formula(el.get_text(), inline="_inline" in parent_tags)

    def convert_td(self, el: Element, text: str, parent_tags: Tags) -> str:
        """A cell on one line, its pipes escaped."""
        return str(super().convert_td(el, text.replace("|", "\\|"), parent_tags))

    def convert_th(self, el: Element, text: str, parent_tags: Tags) -> str:
        """As a cell."""
        return self.convert_td(el, text, parent_tags)


def _balanced(text: str) -> str:
    """The text of a link, its brackets escaped where they do not match."""
    if "[" not in text and "]" not in text:
        return text
    bare = re.sub(r"\\\\.", "", text)
    return text if bare.count("[") == bare.count("]") else re.sub(r"(?<!\\)[\[\]]", r"\\\g<0>", text)


def _absolute(base: str, written: str) -> str | None:
    if not written:
        return None
    try:
        address = str(join_url(base, written))
    except ValueError:
        return None
    if not address.startswith(_WEB) and not (address.startswith("file:") and is_local(base)):
        return None
    return address.replace("(", "%28").replace(")", "%29")
