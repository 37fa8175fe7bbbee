"""Where marks of emphasis are read as such: CommonMark goes by the characters beside them (section 6.2; pure)."""

import re
import unicodedata

from ingest.anchors import CLOSE, MARK, OPEN
from ingest.elements import Child, Element
from ingest.walk import BLOCKS

__all__ = ["BLANK_LINE", "CODE", "apart", "beside", "can_stand"]

_LINE_ENDS = BLOCKS | {"br", "hr", "caption", "figcaption", "legend", "summary"}
_EMPHASIS = frozenset({"b", "strong", "em", "i", "del", "s", "strike"})
_CODE = frozenset({"code", "kbd", "samp"})
_EDGE = re.compile(rf"(?:\s|{MARK.pattern})*")
BLANK_LINE = re.compile(r"\n *\n")
_MARKS = "*~"
CODE, _EMPHASIZED = "``", "**"  # longer than any character of a text


def apart(element: Element, text: str) -> tuple[str, str, str]:
    """An element's text and what is at its edges: the marks of anchors, and for white space a blank, unless there is
    one before it."""
    if text and not (text[0].isspace() or text[0] == OPEN or text[-1].isspace() or text[-1] == CLOSE):
        return "", text, ""
    edge = _EDGE.match(text)
    start = edge.end() if edge is not None else 0
    end = len(text)
    while end > start and (text[end - 1].isspace() or text[end - 1] == CLOSE):
        end = text.rindex(OPEN, 0, end) if text[end - 1] == CLOSE else end - 1
    before = _edge(text[:start])
    if before.endswith(" ") and beside(element, -1) == " ":
        before = before[:-1]
    return before, text[start:end], _edge(text[end:])


def _edge(text: str) -> str:
    marks = "".join(match[0] for match in MARK.finditer(text))
    return f"{marks} " if len(marks) < len(text) else marks


def can_stand(element: Element, content: str) -> bool:
    """True where marks around `content`, the element's text, open and close emphasis, and are not shown as stars.

    Marks that would run together with those of an element right before do neither.
    """
    bare = MARK.sub("", content).strip(_MARKS)
    if not bare or BLANK_LINE.search(content) is not None:
        return False
    before = beside(element, -1)
    opens = _EMPHASIZED not in before and (not _is_sign(bare[0]) or not before.isalnum())
    return opens and (not _is_sign(bare[-1]) or not beside(element, 1).isalnum())


def _is_sign(character: str) -> bool:
    """Punctuation or a symbol, which CommonMark tells from letters."""
    return unicodedata.category(character)[0] in "PS"


def beside(element: Element, step: int) -> str:
    """The character before (-1) or after (1) an element in its line: a blank at the line's end; signs for the end of
    code and of emphasis before it."""
    inner = element
    while inner.parent is not None:
        siblings = inner.parent.children
        place = inner.place + step
        while 0 <= place < len(siblings):
            found = _edge_of(siblings[place], step)
            if found:
                return found
            place += step
        inner = inner.parent
        if inner.name in _LINE_ENDS:
            break
    return " "


def _edge_of(child: Child, step: int) -> str:
    """The last (-1) or first (1) character of a text or an element; "" for one without text."""
    stack = [(child, "")]
    while stack:
        inner, sign = stack.pop()
        if isinstance(inner, str):
            character = inner[0 if step > 0 else -1]
            return " " if character.isspace() else sign or character
        if inner.name in _LINE_ENDS:
            return " "
        if inner.name in _CODE:
            sign += CODE
        elif inner.name in _EMPHASIS and step < 0:
            sign += _EMPHASIZED
        stack += [(part, sign) for part in (inner.children if step < 0 else reversed(inner.children))]
    return ""
