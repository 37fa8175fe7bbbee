"""Cutting a run of text that is too long: at the best boundary that the room allows, in linear time.

The order of preference is the caller's (paragraphs, sentences, words; or lines, words); a grapheme is cut
only where it alone is too long.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import regex

__all__ = [
    "BLANK_LINES", "CHARACTERS", "CODE_BREAKS", "LINES", "ROW_BREAKS", "SENTENCES", "TEXT_BREAKS", "WORDS", "Break",
    "Fits", "longest_start", "windows",
]  # fmt: skip

Fits = Callable[[int, int], bool]
"""Whether the source between two offsets fits the room."""


class Break(NamedTuple):
    """A kind of boundary: after each match of the pattern."""

    pattern: re.Pattern[str]
    share: float = 0.0  # of the room, that a cut here must use at least
    whole: bool = False  # what lies between two such boundaries is cut only when it is over the cap itself


LINES = Break(re.compile(r"\r\n?|\n"), whole=True)
WORDS = Break(re.compile(r"\s+"))
BLANK_LINES = Break(re.compile(r"(?:\r\n?|\n)[ \t>]*(?:\r\n?|\n)"), share=0.5)
SENTENCES = Break(re.compile(r"[.!?…][\"')\]”’»*_`]*\s+|[。！？]"), share=0.25)
_CELLS = Break(re.compile(r"(?<!\\)\|"))

TEXT_BREAKS: Sequence[Break] = (BLANK_LINES, SENTENCES, WORDS)
CODE_BREAKS: Sequence[Break] = (BLANK_LINES, LINES, WORDS)
ROW_BREAKS: Sequence[Break] = (LINES, _CELLS, WORDS)

_GRAPHEME = regex.compile(r"\X")
CHARACTERS = Break(_GRAPHEME)
_CLOSE_ENOUGH = 16  # the search for the longest start stops when it is known to a sixteenth
_FIRST_GUESS = 256  # characters
_HORIZON = 64  # lengths of a span: how far ahead to look for the end of a unit, so that the work stays linear


def windows(
    source: str,
    span: tuple[int, int],
    fits: Fits,
    allowed: Fits,
    breaks: Sequence[Break],
    *,
    whole: int = 0,
    filled: bool = False,
) -> Iterator[tuple[int, int]]:
    """Consecutive spans that hold every non-space character of `span`, spaces trimmed.

    They fit, or are a line that is `allowed` and was not cut for that. The first one is not cut before the
    offset `whole` if it can be helped. One that starts a line keeps its indentation. Where not even one
    character fits, it is a span all the same. With `filled`, each is as long as the room allows, to the character.
    """
    start, end = span
    cutter = _Cutter(source, end, fits, allowed, breaks, whole)
    guess = _FIRST_GUESS
    while (start := _next_start(source, start, end)) < end:
        reach = longest_start(start, end, fits, guess, close=end if filled else _CLOSE_ENOUGH)
        guess = reach - start
        cut = reach if reach == end else cutter.cut(start, reach)
        # A shorter text can have more tokens than a longer one: what is handed out is what was counted.
        while cut > start + 1 and not allowed(start, start + len(source[start:cut].rstrip())):
            cut = cutter.between_graphemes(start, start + max(1, (cut - start) * 15 // 16))
        text = source[start:cut].rstrip()
        if text:
            yield start, start + len(text)
        start = cut


def longest_start(start: int, end: int, fits: Fits, guess: int = _FIRST_GUESS, *, close: int = _CLOSE_ENOUGH) -> int:
    """The end of about the longest start of the span that fits; never less than one character.

    Gallops away from the guess and then halves the gap, until the length is known to a sixteenth (or `close`).
    """
    known, refused = start, end + 1
    step = max(1, guess // _CLOSE_ENOUGH)
    probe = min(end, start + max(1, guess))
    while refused - known > max(1, (known - start) // close):
        if fits(start, probe):
            known = probe
        else:
            refused = probe
        if start < known and refused <= end:
            probe = (known + refused) // 2
        else:
            probe = max(start + 1, probe - step) if refused <= end else min(end, probe + step)
            step *= 2
        if known == end or refused == start + 1:
            break
    return max(known, start + 1)


def _next_start(source: str, start: int, end: int) -> int:
    """The first offset worth starting at: after the spaces, but at the start of the line if they span one."""
    text = start + len(source[start:end]) - len(source[start:end].lstrip())
    near = max(0, start - 1)
    line = max(source.rfind("\n", near, text), source.rfind("\r", near, text)) + 1
    return line if start <= line < text else text


@dataclass(frozen=True, slots=True)
class _Cutter:
    source: str
    end: int
    fits: Fits
    allowed: Fits
    breaks: Sequence[Break]
    whole: int

    def cut(self, start: int, reach: int) -> int:
        """The best place to end a span that begins at `start` and fits up to about `reach`."""
        # Spaces after the reach cost nothing, since each span is trimmed: a word that ends there is whole.
        limit = reach
        while limit < self.end and self.source[limit].isspace():
            limit += 1
        for boundary in self.breaks:
            cut = self._last(boundary, start, reach, limit)
            if cut is None and boundary.whole:
                cut = self._next(boundary, start, limit)
            if cut is not None:
                return cut
        return self.between_graphemes(start, reach)

    def _last(self, boundary: Break, start: int, reach: int, limit: int) -> int | None:
        least = start + boundary.share * (reach - start)
        if self.whole < limit:
            least = max(least, self.whole)
        cut = start
        for match in boundary.pattern.finditer(self.source, start, limit):
            cut = match.end()
        return cut if cut > least and self.source[start:cut].strip() else None

    def _next(self, boundary: Break, start: int, limit: int) -> int | None:
        """The end of the unit that the room cuts through, where the cap allows all of it."""
        horizon = min(self.end, limit + _HORIZON * (limit - start))
        match = boundary.pattern.search(self.source, limit, horizon)
        cut = match.end() if match else horizon if horizon == self.end else None
        return cut if cut is not None and self.allowed(start, cut) else None

    def between_graphemes(self, start: int, reach: int) -> int:
        """The last boundary up to `reach`; `reach` itself inside a grapheme that is alone too long."""
        horizon = min(self.end, start + _HORIZON * (reach - start))
        cut = start
        for match in _GRAPHEME.finditer(self.source, start, horizon):
            if match.end() > reach:
                if cut == start and self.allowed(start, match.end()):
                    return int(match.end())
                break
            cut = match.end()
        return cut if cut > start else reach
