"""A document as a reader sees it: no escapes, no marks, no addresses of links and images. Code stays as it is.

This is what is embedded and indexed; markdown's own marks in an index cost 1-5 points of its hit rate.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Plain"]


@dataclass(frozen=True, slots=True)
class Plain:
    """Runs of visible text by the place in the source that they stand for, in order and without overlap.

    A run of no length is what a reader sees between blocks: a newline, a tab between cells, an item's number.
    """

    starts: Sequence[int]
    ends: Sequence[int]
    texts: Sequence[str]

    def text(self, start: int, end: int) -> str:
        """What is seen between two offsets of the source. Texts of adjoining spans add up to the whole."""
        starts, ends = self.starts, self.ends
        first = bisect_left(starts, start)
        last = bisect_left(starts, end, first)
        if first and ends[first - 1] > start:
            first -= 1
        if first >= last:
            return ""
        parts = self.texts[first:last]
        if starts[first] < start or ends[last - 1] > end:
            parts = list(parts)
            if ends[last - 1] > end:
                parts[-1] = parts[-1][: self._within(last - 1, end)]
            if starts[first] < start:
                parts[0] = parts[0][self._within(first, start) :]
        return "".join(parts).rstrip().lstrip("\n")

    def _within(self, run: int, place: int) -> int:
        """How many characters of a run stand before a place: exact where it is seen as it is written."""
        written = self.ends[run] - self.starts[run]
        seen = len(self.texts[run])
        return (place - self.starts[run]) * seen // written
