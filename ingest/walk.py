"""markdownify's walk without recursion: every element's text, from the innermost out, given to its rule (pure).

markdownify calls itself once an element and asks BeautifulSoup about each text's neighbours. This one keeps its own
stack, so that no nesting is too deep, and gives the same text; `benchmarks/check_markdownify.py` runs markdownify's
own tests over it.
"""

import re
from collections.abc import Callable, Mapping, Set
from typing import Any, Protocol, TypeAlias

from ingest.elements import Element

__all__ = ["BLOCKS", "Finish", "Rules", "Tags", "walk"]

Tags: TypeAlias = Set[str]
"""The names of the elements around, and `_inline` in headings and cells, `_noformat` in code. A text that goes on with
a line has `_midline`."""

Finish: TypeAlias = Callable[[Element, str, Tags], str]
"""From an element, the text its rule made of it, and what is around it, to the text that is taken."""

_Escape: TypeAlias = Callable[[str, Tags], str]

_HEADINGS = frozenset(f"h{level}" for level in range(1, 10))
_CELLS = frozenset({"td", "th"})
_CODE = frozenset({"pre", "code", "kbd", "samp"})
_TRIMMED = frozenset(
    {
        *("p", "blockquote", "article", "div", "section", "ol", "ul", "li", "dl", "dt", "dd"),
        *("table", "thead", "tbody", "tfoot", "tr", "td", "th"),
        *_HEADINGS,
    }
)
BLOCKS = _TRIMMED | {"pre"}
_LINES = BLOCKS | {"caption", "figcaption", "legend", "summary"}  # what begins a line of its own
_SPACES = " \t\r\n"
_FOLDED = re.compile(r"[\t\r]|  | \n|\n[ \n]")  # what the next two change
_SPACE_RUN = re.compile(r"[\t ]+")
_LINE_END = re.compile(r"[ \r\n]*[\r\n][ \r\n]*")
_ANY_SPACE_RUN = re.compile(r"[\t \r\n]+")


class Rules(Protocol):
    """What of a `markdownify.MarkdownConverter` the walk calls."""

    @property
    def options(self) -> Mapping[str, Any]: ...

    def escape(self, text: str, parent_tags: Tags) -> str: ...

    def get_conv_fn_cached(self, tag_name: str) -> Callable[..., str] | None: ...


class _Frame:
    """An element whose children are being walked."""

    __slots__ = ("children", "element", "goes_on", "inside", "next", "pieces", "tags")

    def __init__(self, element: Element, tags: Tags, inside: Tags, *, goes_on: bool) -> None:
        self.element = element
        self.children = element.children
        self.tags = tags
        self.inside = inside
        self.goes_on = goes_on
        self.next = 0
        self.pieces: list[str] = []


def walk(root: Element, rules: Rules, finish: Finish | None = None) -> str:
    """The text of `root`, made by the rules for it and for everything inside it.

    The rules get what markdownify gives them: the element, the text of what is inside it, and `parent_tags`, which
    is shared between elements and must not be changed. `finish` has the last word on each element's text.
    """
    inner: dict[tuple[Tags, str], Tags] = {}
    rule_for, escape, wraps = rules.get_conv_fn_cached, rules.escape, bool(rules.options["wrap"])
    frame = _Frame(root, frozenset(), _inside(frozenset(), root.name, inner), goes_on=False)
    stack: list[_Frame] = []
    while True:
        children, inside, tags = frame.children, frame.inside, frame.tags
        element, pieces = frame.element, frame.pieces
        for place in range(frame.next, len(children)):
            child = children[place]
            goes_on = frame.goes_on
            if pieces and (isinstance(child, str) or child.name not in _LINES):
                goes_on = pieces[-1][-1].isalnum() or _stays_in_line(pieces[-1])
            if isinstance(child, str):
                around = _inside(inside, "_midline", inner) if goes_on else inside
                piece = _text(child, element, place, around, escape, wraps)
            else:
                child.place = place
                within = child.children
                only = within[0] if len(within) == 1 else ""
                if len(within) > 1 or isinstance(only, Element):
                    frame.next = place + 1
                    stack.append(frame)
                    goes_on = goes_on and child.name not in _LINES
                    frame = _Frame(child, inside, _inside(inside, child.name, inner), goes_on=goes_on)
                    break
                around = inner.get((inside, child.name)) or _inside(inside, child.name, inner)
                if goes_on and child.name not in _LINES:
                    around = _inside(around, "_midline", inner)
                piece = _text(only, child, 0, around, escape, wraps) if only else ""
                rule = rule_for(child.name)
                if rule is not None:
                    piece = rule(child, piece, parent_tags=inside)
                if finish is not None:
                    piece = finish(child, piece, inside)
            if piece:
                pieces.append(piece)
        else:
            text = _joined(pieces, is_code="pre" in inside)
            rule = rule_for(element.name)
            if rule is not None:
                text = rule(element, text, parent_tags=tags)
            if finish is not None:
                text = finish(element, text, tags)
            if not stack:
                return text
            frame = stack.pop()
            if text:
                frame.pieces.append(text)


def _inside(around: Tags, name: str, known: dict[tuple[Tags, str], Tags]) -> Tags:
    """What is around the children of an element: one set for all elements in the same place."""
    found = known.get((around, name))
    if found is None:
        added = {name}
        if name in _HEADINGS or name in _CELLS:
            added.add("_inline")
        if name in _CODE:
            added.add("_noformat")
        found = known[around, name] = frozenset(around | added)
    return found


def _text(text: str, element: Element, place: int, inside: Tags, escape: _Escape, wraps: bool) -> str:
    """A text with its white space as HTML means it, and escaped; "" for white space at the edge of a block."""
    children = element.children
    follows = precedes = element.name in _TRIMMED
    if place:
        before = children[place - 1]
        follows = isinstance(before, Element) and before.name in BLOCKS
    if place + 1 < len(children):
        after = children[place + 1]
        precedes = isinstance(after, Element) and after.name in BLOCKS
    if (follows or precedes) and text.isspace():
        return ""
    if "pre" not in inside:
        if wraps:
            text = _ANY_SPACE_RUN.sub(" ", text)
        elif "\n" in text or "  " in text or "\t" in text or "\r" in text:
            text = _LINE_END.sub("\n", _SPACE_RUN.sub(" ", text)) if _FOLDED.search(text) is not None else text
    if "_noformat" not in inside:
        text = escape(text, inside)
    if follows:
        text = text.lstrip(_SPACES)
    return text.rstrip() if precedes else text


def _stays_in_line(piece: str) -> bool:
    """True where what comes after this piece is in the same line, behind something that is seen."""
    if piece[-1] == " ":
        piece = piece.rstrip(" ") or "\n"
    return piece[-1].isprintable()


def _joined(pieces: list[str], *, is_code: bool) -> str:
    """The pieces in one, and where two meet the longer of their line ends, at most one blank line."""
    if len(pieces) < 2:
        return pieces[0] if pieces else ""
    if is_code:
        return "".join(pieces)
    parts: list[str] = []
    ended = ""
    for piece in pieces:
        if piece[0] != "\n" and piece[-1] != "\n":
            parts += (ended, piece)
            ended = ""
            continue
        content = piece.lstrip("\n")
        begun = piece[: len(piece) - len(content)]
        if ended and begun:
            begun = "\n" * min(2, max(len(ended), len(begun)))
        elif ended:
            parts.append(ended)
        body = content.rstrip("\n")
        ended = content[len(body) :]
        parts += (begun, body)
    parts.append(ended)
    return "".join(parts)
