"""Blocks that are not what their tags say, made so before the conversion: titles, signatures, icons, layout (pure)."""

import re

from ingest.elements import Child, Element, Tree
from ingest.nesting import outer

__all__ = ["prepare_blocks"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_LIKE_DIV = (
    *("main", "header", "footer", "aside", "figure", "figcaption", "details", "address", "center", "fieldset"),
    *("hgroup", "search"),
)
# What generators call the first line of a note, a tip, a topic.
_TITLE = re.compile(
    r"admonition-?heading(?:_\w+)?|admonition-title|custom-block-title|topic-title|sidebar-title|alert-heading"
    r"|markdown-alert-title|blockquote-tag-title|rubric",
    re.IGNORECASE,
)
# Boxes that a style sheet alone may tell from the text around, as rustdoc's `warning`.
_COLOURED = frozenset({"note", "tip", "warning", "caution", "important", "danger"})
_PARAGRAPHS = frozenset({"p", "pre", "ul", "ol", "dl", "table", "div", "blockquote"})
# Boxes whose first heading is their label, not the title of a section.
_NOTES = frozenset({"note", "tip", "warning", "caution", "important", "danger", "hint", "admonition"})
_NOTE_NAME = re.compile(
    r"(?:^|[-_\s])(?:notes?|tip|warning|caution|important|danger|hint|admonition|alert|callout|notice)(?:$|[-_\s])",
    re.IGNORECASE,
)
_LABELS = frozenset({"note", "tip", "warning", "caution", "important", "danger", "hint", "info", "attention"})
_DEEP_IN_BOX = 8  # elements around the first word of a box, such as those of a table
_TITLES = frozenset({*_HEADINGS, "img", "b", "strong", "th", "summary", "legend", "caption"})
_TITLE_NAME = re.compile(r"title|heading|label|head(?:er|line)", re.IGNORECASE)
_CODE = frozenset({"code", "samp", "kbd"})
_LINES = frozenset({"br", "div", "p"})
_NOT_IN_CODE = frozenset({"pre", "ul", "ol", "li", "dl", "dt", "dd", "table", "blockquote", *_HEADINGS})
_ONE_LINE = frozenset({"pre", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "dt", "a"})
_FOOTNOTES = frozenset({"footnote", "citation"})
_SIGNATURES = frozenset({"memname", "member-signature", "type-signature", "funcprototype-table", "methodsynopsis"})
"""Doxygen, Javadoc, DocBook, PHP's manual."""


def prepare_blocks(tree: Tree) -> None:
    """Titles of notes, signatures in other elements, icons that stand for a word, lists of whole sections."""
    terms = list(filter(_is_term, tree.named("div", "header", "summary")))
    for element in tree.named(*_LIKE_DIV):
        element.name = "div"
    for element in terms:
        element.name = "dt"
        element.attrs["class"] = "sig"
    for element in tree.named("div", *_LIKE_DIV, "p", "h4", "h5", "h6", "span"):
        if _TITLE.search(element.attrs.get("class", "")) and any(_TITLE.fullmatch(name) for name in element.classes):
            _make_title(element)
    for element in tree.named("div", *_LIKE_DIV):
        if "class" in element.attrs and _NOTE_NAME.search(element.attrs["class"]) is not None:
            _title_note(element)
    for element in tree.named("i"):
        if not element.children and "title" in element.attrs:
            element.name = "b"
            element.children.append(element.attrs["title"])
    for element in outer(filter(_is_signature, tree.named("table", "div", *_LIKE_DIV)), 1, key=id):
        _make_signature(element)
    for element in tree.named("aside", "div"):
        if "class" in element.attrs and not _FOOTNOTES.isdisjoint(element.classes):
            _label_footnote(element)
    for element in tree.named("button"):
        _part_words(element)
    for element in tree.named("textarea"):
        element.name = "pre"  # others than of code are left out before
    for element in tree.named("tt"):
        element.name = "code"
    seen: set[int] = set()
    for element in tree.named("code", "tt", "samp", "kbd"):
        if id(element) not in seen and element.first_element() is not None:
            _settle_code(element, seen)
    for element in tree.named("aside"):
        for name in ("aria-label", "data-type"):
            _label_box(element, element.attrs.get(name, "").strip().capitalize())
    for element in tree.named("div"):
        if "data-callout-type" in element.attrs:
            _label_box(element, element.attrs["data-callout-type"].strip().capitalize())
        if "class" in element.attrs and not _COLOURED.isdisjoint(element.classes) and _is_untitled(element):
            _label_box(element, next(name for name in element.classes if name in _COLOURED).capitalize())
    for element in _lists_of_sections(tree):
        for part in (element, *element.elements()):
            if part is element or part.name == "li":
                part.name = "div"


def _is_signature(element: Element) -> bool:
    if "class" not in element.attrs:
        return False
    dokka = element.attrs["class"].strip() == "symbol monospace"
    return dokka or not _SIGNATURES.isdisjoint(element.classes)


def _is_term(element: Element) -> bool:
    """True for what names the item of an API that follows, and is no heading: in RDoc, odoc and Documenter."""
    own, around = element.attrs.get("class", ""), element.parent
    if "method-heading" in own:
        return "method-heading" in element.classes
    outside = around.attrs.get("class", "") if around is not None else ""
    if "odoc-spec" in outside:
        return "spec" in own.split()
    return "docstring" in outside and element.name != "div" and "docstring" in outside.split()


def _part_words(button: Element) -> None:
    """The parts of a button are set apart by style alone, as an API's method and path."""
    children: list[Child] = []
    for child in button.children:
        if isinstance(child, Element) and children and isinstance(children[-1], Element):
            children.append(" ")
        children.append(child)
    button.children = children


def _is_untitled(box: Element) -> bool:
    """True for a box of paragraphs that no title, heading, picture or bold line is the first in."""
    first = box.first_element()
    if first is None or first.name not in _PARAGRAPHS:
        return False
    if isinstance(box.children[0], str) and box.children[0].strip():
        return False
    inner: Element | None = first
    for _ in range(_DEEP_IN_BOX):
        if inner is None:
            break
        if inner.name in _TITLES or any(_TITLE_NAME.search(name) for name in inner.classes):
            return False
        inner = inner.first_element()
    return True


def _title_note(box: Element) -> None:
    """Make the first line of a note its title: any heading where the box is a note by name, else what says its kind."""
    first = box.first_element()
    if first is not None and first.name in _HEADINGS and not _NOTES.isdisjoint(box.classes):
        _make_title(first)
    elif first is not None:
        # It may be in a line of its own, with a picture.
        lines = first.elements() if first.name == "div" else [first]
        line = next((line for line in lines if line.name == "p" or line.name in _HEADINGS), None)
        if line is not None and line.get_text().strip(" :\n").lower() in _LABELS:
            _make_title(line)


def _label_box(box: Element, label: str) -> None:
    """Put a title before the first line of a box that does not say what it is."""
    if label.lower() in _NOTES and not _begins_with(box, label.lower()):
        box.children.insert(0, Element("p", {"class": "admonition-title"}, box, [label]))


def _begins_with(element: Element, word: str) -> bool:
    """Whether it is the first that an element says, in small letters."""
    said = ""
    for text in element.texts():
        said = (said + text).lstrip()
        if len(said) >= len(word):
            break
    return said.lower().startswith(word)


def _label_footnote(element: Element) -> None:
    """docutils writes the mark of a footnote before its first paragraph: it belongs into it, without links back."""
    label, *others = element.elements() or [element]
    text = next((other for other in others if other.name != "span"), None)
    if label.name == "span" and "label" in label.classes and text is not None and text.name == "p":
        element.children = [child for child in element.children if isinstance(child, str) or child.name != "span"]
        label.parent = text
        text.children[:0] = [label, " "]


def _make_title(element: Element) -> None:
    element.name = "p"
    element.attrs["class"] = "admonition-title"


def _lists_of_sections(tree: Tree) -> list[Element]:
    """Lists of which a heading is the first element of an item, perhaps inside of others: arrangements, no lists."""
    lists: dict[int, Element] = {}
    seen: set[int] = set()
    for heading in tree.named(*_HEADINGS):
        inner, above = heading, heading.parent
        while above is not None and id(above) not in seen and above.first_element() is inner:
            seen.add(id(above))
            if above.name == "li" and above.parent is not None and above.parent.name in ("ul", "ol"):
                lists[id(above.parent)] = above.parent
            inner, above = above, above.parent
    return list(lists.values())


def _make_signature(element: Element) -> None:
    """A signature that is laid out as a table, or with links, is code."""
    words = " ".join(element.get_text(" " if element.name == "table" else "").split())
    element.name = "p"
    element.attrs.pop("class", None)
    element.children = [Element("code", {}, element, [re.sub(r"(?<=\() | (?=[),])", "", words)])]


def _around(element: Element, names: frozenset[str]) -> Element | None:
    """The nearest element around it that has one of these names."""
    above = element.parent
    while above is not None and above.name not in names:
        above = above.parent
    return above


def _settle_code(element: Element, seen: set[int]) -> None:
    """Code that holds blocks is none, but what is in them; code of several lines is a block of code."""
    inside = list(element.inside())
    names = {inner.name for inner in inside}
    seen.update(id(inner) for inner in inside)
    if not names.isdisjoint(_NOT_IN_CODE):
        for code in (element, *inside):
            if code.name in _CODE and code.first_element() is not None:
                code.name = "span"
    elif not names.isdisjoint(_LINES) and element.name != "kbd" and _around(element, _ONE_LINE) is None:
        _make_listing(element)


def _make_listing(element: Element) -> None:
    """Code whose lines end with a `br` is a block of code, and its no-break spaces are its indent."""
    lines: list[list[str]] = [[]]
    stack = [iter(element.children)]
    while stack:
        for child in stack[-1]:
            if isinstance(child, str):
                lines[-1].append(child)
            elif child.name == "br":
                lines.append([])
            else:
                if child.name in _LINES and "".join(lines[-1]).strip():
                    lines.append([])
                stack.append(iter(child.children))
                break
        else:
            stack.pop()
    texts = (re.sub(r"[ \t\r\n]+", " ", "".join(line)).strip(" \t\r\n") for line in lines)
    element.name = "pre"
    element.children = ["\n".join(text.replace("\u00a0", " ").rstrip() for text in texts)]
