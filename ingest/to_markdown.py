"""The main node as CommonMark with GFM tables, and the places in it that URL fragments point at.

markdownify's rules, one method a tag, are the extension point: subclass `MarkdownRules`. While the tree is
walked, every element with an id leaves a mark in the text; the marks are then taken out and are the anchors.
"""

import re
from typing import Any

from ada_url import URL
from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

from ingest.blocks import prepare_blocks, prepare_table
from ingest.code_blocks import code_language, code_span, code_text, longest_run
from ingest.models import Anchor
from ingest.urls import is_local

__all__ = ["MarkdownRules", "to_markdown"]

# Noncharacters (Unicode 15, section 23.7) delimit a mark: no text may interchange them, so none is mistaken.
OPEN, CLOSE = "\ufdd0", "\ufdd1"
_MARK = re.compile(f"{OPEN}(\\d+){CLOSE}")
_STRAY = re.compile(f"[{OPEN}{CLOSE}]")
_LONELY_MARKS = re.compile(f"^((?:{OPEN}\\d+{CLOSE})+)[ \t]*\n+", re.MULTILINE)
_HEADING = re.compile(r"^h([1-6])$")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
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
_LIKE_DIV = (
    "main",
    "header",
    "footer",
    "aside",
    "figure",
    "figcaption",
    "details",
    "address",
    "center",
    "fieldset",
    "hgroup",
    "search",
)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_POWER = re.compile(r"[-+−]?(?:\d+|[a-z])")
# CommonMark reads an underscore inside a word as itself, so names like max_connections need no escape.
_EMPHASIS = re.compile(r"\*|(?<![^\W_])_|_(?![^\W_])")
_MARKUP = re.compile(r"\\(?=[!-/:-@\[-`{-~])|`|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\[(?=[^\]\n]*\][(:\[])")
_LINE_START = re.compile(
    r"^([ \t]*)(#{1,6}(?=[ \t]|$)|[-+](?=[ \t]|$)|>|~{3,}|=+(?=[ \t]*$)|[-:|](?=[-:| \t]*$))", re.MULTILINE
)
_LINE_NUMBER = re.compile(r"^([ \t]*\d{1,9})([.)])(?=[ \t]|$)", re.MULTILINE)
_CLOSING_HASHES = re.compile(r"(?:^|(?<=[ \t]))(?=#+$)")


def to_markdown(html: str, url: str) -> tuple[str, list[Anchor]]:
    """Markdown and anchors of an HTML fragment, links made absolute against `url`.

    Anchors are in order of offset, each at the start of a line; of several at one place the heading's own is
    last. Raises RecursionError for elements nested some hundreds deep.
    """
    rules = MarkdownRules(url)
    marked = rules.convert(_STRAY.sub("", html))
    return _lift_marks(marked, rules.marks)


class MarkdownRules(MarkdownConverter):
    """markdownify's rules with anchors, code languages, definition lists and absolute links."""

    class Options(MarkdownConverter.DefaultOptions):
        """Of markdownify."""

        autolinks = False
        bullets = "-"
        heading_style = "atx"
        table_infer_header = True

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(**options)
        self.url = url
        self.marks: list[tuple[str | None, int | None, str]] = []
        """(id or None, heading level or None, term) of every mark in the text, by its number."""

    def convert_soup(self, soup: BeautifulSoup) -> str:
        """markdownify's conversion, once blocks, drawings, numbers and tables are what its rules expect."""
        for element in soup.find_all(_LIKE_DIV):
            element.name = "div"
        prepare_blocks(soup)
        for drawing in soup.find_all("svg"):
            words = (label.get_text(" ") for label in drawing.find_all(["text", "foreignobject"]))
            drawing.replace_with(f" {' '.join(' '.join(words).split())} ")
        for element in soup.find_all(["td", "th", "ol"]):
            for name in ("colspan", "start"):
                if name in element.attrs and not _COUNT.fullmatch(str(element[name])):
                    del element[name]
        for table in soup.find_all("table"):
            prepare_table(table)
        return str(super().convert_soup(soup))

    def process_tag(self, node: Tag, parent_tags: set[str] | None = None) -> str:
        """markdownify's walk, with a mark before whatever an id is on."""
        text: str = super().process_tag(node, parent_tags)
        if parent_tags is None or "pre" in parent_tags or isinstance(node, BeautifulSoup):
            return text
        heading = _HEADING.match(node.name) if text.lstrip().startswith("#") else None
        named = heading is not None or node.name == "dt"
        identity = _identity(node) or (_identity_inside(node) if named else None)
        if not identity and not heading:
            return text
        level = int(heading[1]) if heading else None
        term = " ".join(node.get_text().split()) if named else ""
        content = text.lstrip("\n")
        self.marks.append((identity, level, term.rstrip("¶ ")))
        return f"{text[: len(text) - len(content)]}{OPEN}{len(self.marks) - 1}{CLOSE}{content}"

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """Escape only what CommonMark would read as markup in this place."""
        text = _MARKUP.sub(r"\\\g<0>", text)
        text = _EMPHASIS.sub(r"\\\g<0>", text)
        if "_inline" in parent_tags:
            return text
        return _LINE_NUMBER.sub(r"\1\\\2", _LINE_START.sub(r"\1\\\2", text))

    def convert_summary(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """The line that stands for a folded block, as a bold line; headings in it stay headings."""
        if el.find(_HEADINGS) is not None:
            return f"\n\n{text.strip()}\n\n"
        return self._bold_line(text, parent_tags)

    convert_legend = convert_summary

    def convert_p(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A paragraph; the title of an admonition as a bold line."""
        if "admonition-title" in el.get_attribute_list("class"):
            return self._bold_line(text, parent_tags)
        if "_inline" not in parent_tags and "`" not in text:
            text = _LINE_NUMBER.sub(r"\1\\\2", text.strip())  # a number and its dot may come from two elements
        return str(super().convert_p(el, text, parent_tags))

    def _bold_line(self, text: str, parent_tags: set[str]) -> str:
        words = " ".join(text.split())
        plain = _MARK.sub("", words)
        if "_inline" in parent_tags or not plain:
            return f" {words} "
        if plain.startswith(("**", "`", "[", "#", "!", ">", "- ")):
            return f"\n\n{words}\n\n"
        marks = "".join(match[0] for match in _MARK.finditer(words))
        return f"\n\n{marks}**{plain}**\n\n"

    def convert_hN(self, n: int, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A heading; hashes at its end are text, not closing marks."""
        if not _MARK.sub("", text).strip():
            return text
        if "_inline" not in parent_tags:
            text = _CLOSING_HASHES.sub(r"\\", text.strip())
        return str(super().convert_hN(n, el, text, parent_tags))

    def convert_b(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Strong text; blocks inside stay blocks."""
        return text if "\n\n" in text.strip() else str(super().convert_b(el, text, parent_tags))

    convert_strong = convert_b

    def convert_em(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Emphasis; blocks inside stay blocks."""
        return text if "\n\n" in text.strip() else str(super().convert_em(el, text, parent_tags))

    convert_i = convert_em

    def convert_code(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A code span on one line."""
        if "pre" not in parent_tags:
            text = re.sub(r" *\n *", " ", text)
        marks = "".join(match[0] for match in _MARK.finditer(text))
        return marks + str(super().convert_code(el, _MARK.sub("", text), parent_tags))

    convert_kbd = convert_samp = convert_code

    def convert_sup(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A power keeps its sign, so that 2^32 does not read as 232; a footnote's mark stays as it is."""
        power = el.find("a") is None and _POWER.fullmatch(_MARK.sub("", text).strip())
        return f"^{text.strip()}" if power else text

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A list item."""
        return str(super().convert_li(el, _LONELY_MARKS.sub(r"\1", text.strip()), parent_tags))

    def convert_blockquote(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A quotation."""
        return str(super().convert_blockquote(el, _LONELY_MARKS.sub(r"\1", text.strip()), parent_tags))

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A link with an absolute address; its content alone in a heading, around blocks, or without one."""
        address = _absolute(self.url, el.get("href"))
        wordless = not _MARK.sub("", text).strip()
        if address is None or wordless or not parent_tags.isdisjoint(_HEADINGS) or el.find(_BLOCKS) is not None:
            return text
        el["href"] = address
        if "title" in el.attrs:
            del el["title"]
        return str(super().convert_a(el, _balanced(text), parent_tags))

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """An image with an absolute address; its alt text alone where the image is inline data."""
        address = _absolute(self.url, el.get("src"))
        alt = self.escape(" ".join(str(el.get("alt") or "").split()), {*parent_tags, "_inline"})
        if address is None or not parent_tags.isdisjoint(("_inline", "_noformat")):
            return alt
        return f"![{_balanced(alt)}]({address})"

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """The term of a definition as a bold line of its own; an API signature as code."""
        signature = " ".join(el.get_text().split()).rstrip("¶ ")
        if "sig" not in el.get_attribute_list("class") or "_inline" in parent_tags or not signature:
            return self._bold_line(text, parent_tags)
        marks = "".join(match[0] for match in _MARK.finditer(text))
        return f"\n\n{marks}{code_span(signature)}\n\n"

    def convert_dd(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """The definition as blocks of their own: CommonMark would read four spaces of indent as code."""
        text = _LONELY_MARKS.sub(r"\1", text.strip())
        return f" {text} " if "_inline" in parent_tags else f"\n\n{text}\n\n" if text else ""

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A fence longer than any inside it, with the language that the generator's class names tell."""
        code = code_text(el).strip("\n").rstrip()
        if "_inline" in parent_tags:
            return f" {code_span(' '.join(code.split()))} " if code else ""
        if not code.strip():
            return ""
        fence = "`" * max(3, longest_run(code) + 1)
        return f"\n\n{fence}{code_language(el)}\n{code}\n{fence}\n\n"

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A cell on one line, its pipes escaped."""
        return str(super().convert_td(el, text.replace("|", "\\|"), parent_tags))

    def convert_th(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """As a cell."""
        return self.convert_td(el, text, parent_tags)


def _identity(node: Tag) -> str | None:
    written = node.get("id") or (node.get("name") if node.name == "a" else None)
    return str(written).strip() or None if written else None


def _identity_inside(node: Tag) -> str | None:
    inside = (_identity(element) for element in node.find_all(True))
    return next((identity for identity in inside if identity), None)


def _balanced(text: str) -> str:
    """The text of a link, its brackets escaped where they do not match."""
    bare = re.sub(r"\\\\.", "", text)
    return text if bare.count("[") == bare.count("]") else re.sub(r"(?<!\\)[\[\]]", r"\\\g<0>", text)


def _absolute(base: str, written: object) -> str | None:
    """The address with its fragment, or None for anything but http and https (and files, on a local page)."""
    if not isinstance(written, str) or not written.strip():
        return None
    try:
        address = URL(written.strip(), base=base)
    except ValueError:
        return None
    if address.protocol not in ("http:", "https:") and not (address.protocol == "file:" and is_local(base)):
        return None
    return str(address.href).replace("(", "%28").replace(")", "%29")


def _lift_marks(marked: str, marks: list[tuple[str | None, int | None, str]]) -> tuple[str, list[Anchor]]:
    """Take the marks out of the text, and say where each was."""
    marked = _LONELY_MARKS.sub(r"\1", marked.strip())
    pieces: list[str] = []
    length = 0
    end = 0
    found: list[tuple[int, int]] = []
    for match in _MARK.finditer(marked):
        piece = marked[end : match.start()]
        pieces.append(piece)
        length += len(piece)
        end = match.end()
        found.append((length, int(match[1])))
    pieces.append(marked[end:])
    text = "".join(pieces)
    return text, _anchors(text, found, marks)


def _anchors(text: str, found: list[tuple[int, int]], marks: list[tuple[str | None, int | None, str]]) -> list[Anchor]:
    """Anchors at the start of their line; a heading without an id takes the nearest one just before it.

    An id is its first element's (HTML standard, 7.4.6.3): where it comes again, it points nowhere else.
    """
    anchors: list[Anchor] = []
    known: set[str] = set()
    for offset, number in found:
        identity, level, term = marks[number]
        offset = _line_start(text, offset)
        last = anchors[-1] if anchors and anchors[-1].offset == offset else None
        if identity is None:
            if last is None or last.level is not None:
                continue
            identity = last.id
            anchors.pop()
        elif identity in known:
            continue
        known.add(identity)
        anchors.append(Anchor(offset, identity, level, term))
    return sorted(anchors, key=lambda anchor: (anchor.offset, anchor.level is not None))


def _line_start(text: str, offset: int) -> int:
    """Where the first line with text at or after `offset` begins."""
    while offset < len(text) and text[offset].isspace():
        offset += 1
    return text.rfind("\n", 0, offset) + 1
