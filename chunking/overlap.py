"""The end of one chunk, repeated at the start of the next: whole sentences or other units, as many as fit."""

from chunking.tokens import TokenCounter
from chunking.windows import Break

__all__ = ["repeated"]

_HORIZON = 24  # characters a token: how far back an overlap is looked for


def repeated(source: str, before: tuple[int, int], start: int, unit: Break, room: int, counter: TokenCounter) -> int:
    """Where the overlap begins: the earliest unit of the span `before` from which to `start` it is at most `room`.

    `start` itself where not even one unit fits.
    """
    first, last = max(before[0], before[1] - _HORIZON * room), before[1]
    edges = [match.end() for match in unit.pattern.finditer(source, first, last)]
    if first == before[0]:
        edges.insert(0, first)
    starts = sorted({edge for edge in edges if source[edge:last].strip()})
    low, high = 0, len(starts)
    while low < high:
        middle = (low + high) // 2
        if counter.count(source[starts[middle] : start]) <= room:
            high = middle
        else:
            low = middle + 1
    return next((place for place in starts[low:] if counter.count(source[place:start]) <= room), start)
