"""Blocks that are not what their tags say, made so before the conversion: titles, code, signatures, layout."""

import re

from bs4 import BeautifulSoup, Tag

__all__ = ["prepare_blocks", "prepare_table"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# What generators call the first line of a note, a tip, a topic.
_TITLE = re.compile(
    r"admonition-?heading(?:_\w+)?|admonition-title|custom-block-title|topic-title|sidebar-title|alert-heading"
    r"|markdown-alert-title|rubric",
    re.IGNORECASE,
)
# Boxes whose first heading is their label, not the title of a section.
_NOTES = ("note", "tip", "warning", "caution", "important", "danger", "hint", "admonition")
_LABEL = 30  # characters
_SIGNATURES = ("memname", "member-signature", "type-signature", "funcprototype-table")  # Doxygen, Javadoc, DocBook


def prepare_blocks(soup: BeautifulSoup) -> None:
    """Titles of notes, code and signatures in other elements, icons that stand for a word, lists of whole sections."""
    for element in soup.find_all(["div", "p", "h4", "h5", "h6", "span"], class_=_is_title):
        element.name = "p"
        element["class"] = "admonition-title"
    for element in soup.find_all("div", class_=_NOTES):
        first = element.find(True, recursive=False)
        if isinstance(first, Tag) and first.name in _HEADINGS:
            first.name = "p"
            first["class"] = "admonition-title"
    for element in soup.find_all("div", class_="fragment"):
        if element.find("div", class_="line", recursive=False) is not None:
            element.name = "pre"
    for element in soup.find_all("i", title=True):
        if not element.contents:
            element.name = "b"
            element.append(str(element["title"]))
    for element in soup.find_all(["table", "div"], class_=_SIGNATURES):
        _make_signature(soup, element)
    for element in soup.find_all(["ul", "ol"]):
        items = element.find_all("li", recursive=False)
        if any(_starts_with_heading(item) for item in items):
            for part in (element, *items):
                part.name = "div"


def _is_title(name: str | None) -> bool:
    return name is not None and _TITLE.fullmatch(name) is not None


def _starts_with_heading(item: Tag) -> bool:
    """True where a heading is the first element of an item, perhaps inside of others: no list, but an arrangement."""
    inner: Tag | None = item
    while inner is not None and inner.name not in _HEADINGS:
        inner = inner.find(True, recursive=False)
    return inner is not None


def _make_signature(soup: BeautifulSoup, table: Tag) -> None:
    """A signature that is laid out as a table, or with links, is code."""
    words = " ".join(table.get_text(" " if table.name == "table" else "").split())
    table.clear()
    table.name = "code"
    table.append(re.sub(r"(?<=\() | (?=[),])", "", words))
    table.wrap(soup.new_tag("p"))


def prepare_table(table: Tag) -> None:
    """A table that only arranges blocks becomes the blocks; another one gets its rows in one piece."""
    own = [part for part in table.find_all(True) if part.find_parent("table") is table]
    cells = [part for part in own if part.name in ("td", "th")]
    rows = [part for part in own if part.name == "tr"]
    selector = "table, pre, h1, h2, h3, h4, h5, h6"
    if not any(cell.name == "th" for cell in cells):
        selector += ", ul, ol, dl, blockquote, p ~ p"
    # A box of two cells, the first of which is its label, is how AsciiDoc draws a note.
    alone = len(rows) == 1 and len(cells) == 2 and not any(cell.name == "th" for cell in cells)
    if alone or any(cell.select_one(selector) is not None for cell in cells):
        if alone and cells[0].select_one(selector) is None and len(" ".join(cells[0].get_text().split())) <= _LABEL:
            cells[0].name = "p"
            cells[0]["class"] = "admonition-title"
        for part in (table, *own):
            if part.name in ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption"):
                part.name = "div"
        return
    for part in own:
        if part.name == "caption":
            part.name = "p"
            table.insert_before(part.extract())
        elif part.name == "colgroup" or (part.name == "tr" and part.find(["td", "th"]) is None):
            part.decompose()
        elif part.name in ("thead", "tbody", "tfoot"):
            part.unwrap()
