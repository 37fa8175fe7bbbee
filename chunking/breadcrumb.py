"""The breadcrumb: which title and headings a chunk stands under, in one line that has its own budget."""

from collections.abc import Sequence

from chunking.tokens import TokenCounter, fits
from chunking.windows import longest_start

__all__ = ["SEPARATOR", "breadcrumb", "heading_label", "under"]

SEPARATOR = " > "
_LONGEST_LABEL = 500  # characters; a heading of many thousands would be repeated on every chunk below it


def heading_label(text: str) -> str:
    """A heading or term in one line, cut at 500 characters."""
    label = " ".join(text.split())
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1].rstrip() + "…"


def under(crumb: str, text: str) -> str:
    """A text under its breadcrumb; either may be empty."""
    return f"{crumb}\n\n{text}" if crumb and text else crumb or text


def breadcrumb(title: str, headings: Sequence[str], room: int, counter: TokenCounter) -> str:
    """`title > h1 > h2` in at most `room` tokens: outer parts give way first, then the end of the last one.

    A part that repeats the one before is written once, and so is an h1 that the title begins or ends with
    (titles often add the name of the site); an empty part is not written.
    """
    parts: list[str] = []
    for part in map(heading_label, (title, *headings)):
        if part and not (parts and _repeats(part, parts[-1], by_title=len(parts) == 1 and bool(title))):
            parts.append(part)
    for outer in range(len(parts)):
        line = SEPARATOR.join(parts[outer:])
        if fits(counter, line, room):
            return line
    if not parts or room < 1:
        return ""
    leaf = parts[-1]
    end = longest_start(0, len(leaf), lambda start, stop: fits(counter, leaf[start:stop], room), guess=4 * room)
    return leaf[:end].rstrip() if fits(counter, leaf[:end], room) else ""


def _repeats(part: str, before: str, *, by_title: bool) -> bool:
    part, before = part.casefold(), before.casefold()
    return part == before or (by_title and (before.startswith(part) or before.endswith(part)))
