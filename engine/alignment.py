"""Which old record becomes which new one: by content, then by order (design.md, data model).

A chunk that only moved keeps its row, and with it its vector and index entries.
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Sequence

__all__ = ["align"]


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair the positions of `old` and `new` contents.

    Equal contents pair in order; what is left over on both sides pairs in order too (a changed chunk replaces
    the one it was). Returns (pairs of old and new positions, old positions left, new positions left).
    """
    places: dict[Hashable, deque[int]] = defaultdict(deque)
    for position, content in enumerate(old):
        places[content].append(position)
    pairs, unmatched = [], []
    for position, content in enumerate(new):
        if places[content]:
            pairs.append((places[content].popleft(), position))
        else:
            unmatched.append(position)
    left = sorted(position for rest in places.values() for position in rest)
    replaced = min(len(left), len(unmatched))
    pairs.extend(zip(left[:replaced], unmatched[:replaced], strict=True))
    return pairs, left[replaced:], unmatched[replaced:]
