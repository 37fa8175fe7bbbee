"""How deep elements nest and how many attributes one has, bounded before the parse and after it (pure).

Lexbor's work grows with the square of both and cannot be stopped on the way; markdownify
recurses, some 2.5 frames an element. Hand-written pages nest some tens of elements, nodejs.org's some fifteen.
"""

import re

from selectolax.lexbor import LexborHTMLParser

__all__ = ["MOST_ATTRIBUTES", "MOST_BLOCKS", "MOST_ELEMENTS", "flatten", "without_abyss"]

MOST_BLOCKS = 2_000
"""Open block tags that the parser is given at most; it needs 8 ms for them."""

MOST_ATTRIBUTES = 1_000
"""Attributes of one tag, words in quotes and parts of paths counted with them; the parser needs 2 ms for as many."""

MOST_ELEMENTS = 200
"""Elements around each other that the conversion is given at most."""

# Not `li`, `dt`, `dd` and `p`: they are closed by the next one, so pages that leave out the end tag nest nothing.
_BLOCK_TAG = re.compile(
    r"<(/?)(?:address|article|aside|blockquote|center|details|dialog|dir|div|dl|fieldset|figcaption|figure|footer|form"
    r"|h[1-6]|header|hgroup|listing|main|menu|nav|ol|pre|search|section|summary|ul)\b[^<>]*>?",
    re.IGNORECASE,
)
_OVERLOADED_TAG = re.compile(rf"<[a-z](?:[^<>\s/]*+[\s/]++){{{MOST_ATTRIBUTES}}}[^<>]*>?", re.IGNORECASE)
_TOO_DEEP = " > ".join(["*"] * (MOST_ELEMENTS + 1))


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


def flatten(tree: LexborHTMLParser) -> None:
    """Replace each element that lies under `MOST_ELEMENTS` others by its text."""
    deep = tree.css(_TOO_DEEP)
    inside = {node.mem_id for node in deep}
    for node in deep:
        parent = node.parent
        if parent is not None and parent.mem_id not in inside:
            node.replace_with(node.text(deep=True, separator="\n"))
