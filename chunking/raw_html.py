"""What a reader sees of HTML that stands in markdown: text without tags, comments, scripts and styles."""

import html
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

__all__ = ["visible"]

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<[!?][^<>]*>")
_LINES = re.compile(r"[^\r\n]+|[\r\n]+")
_HIDDEN = (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>"))


def visible(lines: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int, int]]:
    """Text with its start and end in the source; "\\n" between lines. Each line comes with its place."""
    source = "".join(line for line, _ in lines)
    firsts, total = [], 0
    for line, _ in lines:
        firsts.append(total)
        total += len(line)
    begun = False
    for start, end in _without_tags(source, _without_hidden(source)):
        for match in _LINES.finditer(source, start, end):
            text = match[0]
            if not text.strip():
                begun = begun and text[0] not in "\r\n"
                if not begun:
                    yield "\n", _place(lines, firsts, match.start()), 0
                    continue
            lead = 0 if begun else len(text) - len(text.lstrip())
            first = _place(lines, firsts, match.start() + lead)
            yield html.unescape(text[lead:]), first, first + len(text) - lead
            begun = True


def _place(lines: Sequence[tuple[str, int]], firsts: Sequence[int], offset: int) -> int:
    line = bisect_right(firsts, offset) - 1
    return lines[line][1] + offset - firsts[line]


def _without_tags(source: str, spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in spans:
        position = start
        for match in _TAG.finditer(source, start, end):
            yield position, match.start()
            position = match.end()
        yield position, end


def _without_hidden(source: str) -> Iterator[tuple[int, int]]:
    """The spans outside of comments, scripts and styles; an opening mark that is never closed hides nothing."""
    folded = source.lower()
    if len(folded) != len(source):  # a few letters change their length, and offsets would not fit
        folded = source
    spans: list[tuple[int, int]] = []
    for opening, closing in _HIDDEN:
        position = 0
        while (start := folded.find(opening, position)) >= 0:
            end = folded.find(closing, start + len(opening))
            if end < 0:
                break
            position = end + len(closing)
            spans.append((start, position))
    position = 0
    for start, end in sorted(spans):
        if start >= position:
            yield position, start
        position = max(position, end)
    yield position, len(source)
