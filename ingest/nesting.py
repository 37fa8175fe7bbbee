"""How deep elements nest and how many attributes one has, bounded before the parse, and what lies in what after it
(pure).

Lexbor's work grows with the square of both and cannot be stopped on the way. Hand-written pages nest some tens of
elements, nodejs.org's some fifteen.
"""

import re
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Protocol, Self, TypeVar

__all__ = ["MOST_ATTRIBUTES", "MOST_BLOCKS", "MOST_INSIDE", "ids_above", "outer", "without_abyss"]

MOST_BLOCKS = 2_000
"""Open block tags that the parser is given at most; it needs 8 ms for them."""

MOST_ATTRIBUTES = 1_000
"""Attributes of one tag, words in quotes and parts of paths counted with them; the parser needs 2 ms for as many."""

MOST_INSIDE = 20
"""Elements of one kind inside of each other that are looked through, each of them to its end; pages nest some five."""


class _Node(Protocol):
    @property
    def parent(self) -> Self | None: ...


_N = TypeVar("_N", bound=_Node)

# Not `li`, `dt`, `dd` and `p`: they are closed by the next one, so pages that leave out the end tag nest nothing.
_BLOCK_TAG = re.compile(
    r"<(/?)(?:address|article|aside|blockquote|center|details|dialog|dir|div|dl|fieldset|figcaption|figure|footer|form"
    r"|h[1-6]|header|hgroup|listing|main|menu|nav|ol|pre|search|section|summary|ul)\b[^<>]*>?",
    re.IGNORECASE,
)
_OVERLOADED_TAG = re.compile(rf"<[a-z](?:[^<>\s/]*+[\s/]++){{{MOST_ATTRIBUTES}}}[^<>]*>?", re.IGNORECASE)


def without_abyss(html: str) -> str:
    """The document without the block tags that are nested over `MOST_BLOCKS` deep, and without the tags of over
    `MOST_ATTRIBUTES`; their text stays."""
    html = _OVERLOADED_TAG.sub("", html)
    depth = 0
    for match in _BLOCK_TAG.finditer(html):
        depth = max(0, depth - 1) if match[1] else depth + 1
        if depth > MOST_BLOCKS:
            return "".join(_shallow_parts(html))
    return html


def _shallow_parts(html: str) -> list[str]:
    parts: list[str] = []
    depth = end = 0
    for match in _BLOCK_TAG.finditer(html):
        closes = bool(match[1])
        if depth > MOST_BLOCKS or (depth == MOST_BLOCKS and not closes):
            parts += [html[end : match.start()], "\n"]
            end = match.end()
        depth = max(0, depth - 1) if closes else depth + 1
    return [*parts, html[end:]]


def outer(nodes: Iterable[_N], most: int = MOST_INSIDE, *, key: Callable[[_N], int] = attrgetter("mem_id")) -> list[_N]:
    """Those of the nodes that lie in fewer than `most` others of them, for rules that look through each: the work is
    that of so many pages then, whatever nests. They are in the order of the page; `key` tells them apart."""
    given = list(nodes)
    wanted = set(map(key, given))
    above: dict[int, int] = {}  # how many of the nodes are around one
    return [node for node in given if _count_above(node, wanted, above, key) < most]


def _count_above(node: _N, wanted: set[int], above: dict[int, int], key: Callable[[_N], int]) -> int:
    """What `above` has for the node, once that is known for it and for everything around it."""
    way: list[int] = []
    inner: _N | None = node
    while inner is not None and key(inner) not in above:
        way.append(key(inner))
        inner = inner.parent
    around = None if inner is None else key(inner)
    for number in reversed(way):
        above[number] = 0 if around is None else above[around] + (around in wanted)
        around = number
    return above[key(node)]


def ids_above(nodes: Iterable[_N], *, key: Callable[[_N], int] = attrgetter("mem_id")) -> set[int]:
    """The keys of all elements around any of the nodes, each gone to once."""
    found: set[int] = set()
    for node in nodes:
        above = node.parent
        while above is not None and key(above) not in found:
            found.add(key(above))
            above = above.parent
    return found
