"""How deep elements nest and how many attributes one has, bounded before the parse (pure).

Lexbor's work grows with the square of both and cannot be stopped on the way. Hand-written pages nest some tens of
elements, nodejs.org's some fifteen.
"""

import re

__all__ = ["MOST_ATTRIBUTES", "MOST_BLOCKS", "without_abyss"]

MOST_BLOCKS = 2_000
"""Open block tags that the parser is given at most; it needs 8 ms for them."""

MOST_ATTRIBUTES = 1_000
"""Attributes of one tag, words in quotes and parts of paths counted with them; the parser needs 2 ms for as many."""

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
