"""Anchors: marks that travel through the text while it is made, and what they come to in the end (pure)."""

import re

from ingest.elements import Element
from ingest.models import Anchor

__all__ = ["CLOSE", "MARK", "OPEN", "STRAY", "Mark", "identity", "identity_inside", "lift_marks", "settle_marks"]

# Noncharacters (Unicode 15, section 23.7) delimit a mark: no text may interchange them, so none is mistaken.
OPEN, CLOSE = "\ufdd0", "\ufdd1"
MARK = re.compile(f"{OPEN}(\\d+){CLOSE}")
STRAY = re.compile(f"[{OPEN}{CLOSE}]")
_LONELY_MARKS = re.compile(f"^((?:{OPEN}\\d+{CLOSE})+)[ \t]*\n+", re.MULTILINE)

Mark = tuple[str | None, int | None, str]
"""Id or None, heading level or None, term."""


def identity(element: Element) -> str | None:
    """What a URL fragment calls the element: its id, or the name of an `a`."""
    written = element.attrs.get("id") or (element.attrs.get("name") if element.name == "a" else None)
    return written.strip() or None if written else None


def identity_inside(element: Element) -> str | None:
    """The first id inside the element."""
    found = (identity(inner) for inner in element.inside())
    return next((name for name in found if name), None)


def settle_marks(text: str) -> str:
    """Put marks that are alone on a line before the next line with text; a blank line before that one stays."""
    return _LONELY_MARKS.sub(_settled, text) if OPEN in text else text


def _settled(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 2) : match.start()]
    ends_paragraph = before not in ("", "\n", "\n\n") and match[0].endswith("\n\n")
    return f"\n{match[1]}" if ends_paragraph else match[1]


def lift_marks(marked: str, marks: list[Mark]) -> tuple[str, list[Anchor]]:
    """Take the marks out of the text, and say where each was."""
    marked = settle_marks(marked.strip())
    pieces: list[str] = []
    length = 0
    end = 0
    found: list[tuple[int, int]] = []
    for match in MARK.finditer(marked):
        piece = marked[end : match.start()]
        pieces.append(piece)
        length += len(piece)
        end = match.end()
        found.append((length, int(match[1])))
    pieces.append(marked[end:])
    text = "".join(pieces)
    return text, _anchors(text, found, marks)


def _anchors(text: str, found: list[tuple[int, int]], marks: list[Mark]) -> list[Anchor]:
    """Anchors at the start of their line; a heading without an id takes the nearest one just before it.

    An id is its first element's (HTML standard, 7.4.6.3): where it comes again, it points nowhere else.
    """
    anchors: list[Anchor] = []
    known: set[str] = set()
    start = seen = 0
    for offset, number in found:
        name, level, term = marks[number]
        while offset < len(text) and text[offset].isspace():
            offset += 1
        if offset > seen:  # the line's start is looked for in what was not looked at yet: lines can be long
            start, seen = (text.rfind("\n", seen, offset) + 1) or start, offset
        offset = start
        last = anchors[-1] if anchors and anchors[-1].offset == offset else None
        if name is None:
            if last is None or last.level is not None:
                continue
            name = last.id
            anchors.pop()
        elif name in known:
            continue
        known.add(name)
        anchors.append(Anchor(offset, name, level, term))
    return sorted(anchors, key=lambda anchor: (anchor.offset, anchor.level is not None))
