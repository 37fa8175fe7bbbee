"""Markdown as a reader sees it: no escapes, no marks, no addresses of links and images. Code stays as it is.

This is what is embedded and indexed; markdown's own marks in an index cost 1-5 points of its hit rate.
"""

import functools
import html
import re
from collections.abc import Iterator, Mapping, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from chunking.blocks import Block, BlockKind

__all__ = ["plain_inline", "plain_part", "plain_text"]

_MARKED = re.compile(r"[\\`*_\[\]<&]")  # without any of these, inline markdown is plain text
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<[!?][^<>]*>")
_CELL_EDGE = re.compile(r"(?<!\\)\|")
_DELIMITER_ROW = re.compile(r"[\s|:-]*-[\s|:-]*\Z")
_LINE_MARKS = re.compile(r"^[ \t>]+", re.MULTILINE)
_REFERENCE = re.compile(r"^[ \t>]*\[[^\]^][^\]]*\]:.*$", re.MULTILINE)
_NEWLINE = re.compile(r"\r\n?|\n")


def plain_text(block: Block, references: Mapping[str, object]) -> str:
    """A whole block as plain text; empty where it shows nothing (a rule, an image without a text)."""
    if block.kind == "item":
        return " ".join(filter(None, [block.content, _joined(block.children, references)]))
    if block.kind == "row":
        return "\t".join(plain_inline(cell, references) for cell in block.content.split("\t")).strip()
    if block.children:
        return _joined(block.children, references)
    if block.kind in ("fence", "indented_code", "front_matter", "text"):
        return block.content.rstrip()
    if block.kind in ("html", "definition"):
        return plain_part(block.kind, block.content, references)
    return "" if block.kind == "rule" else plain_inline(block.content, references)


def plain_part(kind: BlockKind, part: str, references: Mapping[str, object]) -> str:
    """A part of a block's source, without fence marks, as plain text; `kind` is the block's."""
    if kind in ("fence", "indented_code", "front_matter", "text"):
        return part.rstrip()
    if kind == "html":
        return _plain_html(part)
    if kind == "definition":
        return _LINE_MARKS.sub("", _REFERENCE.sub("", part)).strip()
    unmarked = _LINE_MARKS.sub("", part)
    if kind == "table":
        return "\n".join(filter(None, (_plain_row(line, references) for line in _NEWLINE.split(unmarked))))
    return plain_inline(unmarked, references)


def plain_inline(content: str, references: Mapping[str, object]) -> str:
    """Inline markdown as plain text: soft breaks are spaces, hard breaks newlines, an image is its text."""
    if not _MARKED.search(content) and "![" not in content:
        return " ".join(line.strip() for line in _NEWLINE.split(content)).strip()
    tokens = _parser().parseInline(content, {"references": references})
    return "".join(_spoken(tokens[0].children or ())).strip()


class _Reader(MarkdownIt):
    """A parser that leaves addresses alone, since none of them is shown."""

    def normalizeLink(self, url: str) -> str:
        return url

    def validateLink(self, url: str) -> bool:
        return True


@functools.cache
def _parser() -> _Reader:
    return _Reader("commonmark")


def _joined(blocks: Sequence[Block], references: Mapping[str, object]) -> str:
    return "\n".join(filter(None, (plain_text(block, references) for block in blocks)))


def _spoken(tokens: Sequence[Token]) -> Iterator[str]:
    """What each inline token shows. An image holds its text as children, links inside it included."""
    for token in tokens:
        if token.type == "softbreak":
            yield " "
        elif token.type == "hardbreak" or token.content[:3].lower() == "<br":
            yield "\n"
        elif token.type == "image":
            yield from _spoken(token.children or ())
        elif token.type != "html_inline":
            yield token.content


def _plain_row(line: str, references: Mapping[str, object]) -> str:
    if _DELIMITER_ROW.match(line):
        return ""
    cells = (cell.strip().replace("\\|", "|") for cell in _CELL_EDGE.split(line))
    return "\t".join(plain_inline(cell, references) for cell in cells).strip("\t")


def _plain_html(source: str) -> str:
    for opening, closing in (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>")):
        source = _without(source, opening, closing)
    lines = (line.strip() for line in _NEWLINE.split(html.unescape(_TAG.sub("", source))))
    return "\n".join(filter(None, lines))


def _without(source: str, opening: str, closing: str) -> str:
    """The text without what lies between two marks; an opening mark that is never closed is left alone."""
    folded = source.lower()
    if len(folded) != len(source):  # a few letters change their length, and offsets would not fit
        folded = source
    kept: list[str] = []
    position = 0
    while (start := folded.find(opening, position)) >= 0:
        end = folded.find(closing, start + len(opening))
        if end < 0:
            break
        kept.append(source[position:start])
        position = end + len(closing)
    return "".join([*kept, source[position:]])
