"""Markdown into typed blocks with exact character spans: CommonMark, GFM tables and YAML front matter.

markdown-it-py says which lines a block covers; the offsets of those lines are taken from the source itself,
since the parser normalises newlines and NUL.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

__all__ = ["Block", "BlockKind", "Parsed", "covering", "parse_markdown", "parse_text"]

BlockKind = Literal[
    "front_matter", "heading", "paragraph", "fence", "indented_code", "table", "row", "list", "item",
    "blockquote", "html", "rule", "definition", "text",
]  # fmt: skip

_MAX_DEPTH = 60  # levels of nesting; the parser recurses, and deeper structure says nothing to a reader
_NEWLINE = re.compile(r"\r\n?|\n")
_FRONT_MATTER_MARK = re.compile(r"---[ \t]*\Z")
_KINDS: Mapping[str, BlockKind] = MappingProxyType(
    {
        "heading_open": "heading",
        "paragraph_open": "paragraph",
        "fence": "fence",
        "code_block": "indented_code",
        "table_open": "table",
        "tr_open": "row",
        "bullet_list_open": "list",
        "ordered_list_open": "list",
        "list_item_open": "item",
        "blockquote_open": "blockquote",
        "html_block": "html",
        "hr": "rule",
    }
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a document, from the start of its first line to the end of its last one.

    `content` is the block's own text without what its containers put before each line: inline markdown of a
    heading or paragraph, code of a fence or indented code, the cells of a row (tab between them), the number
    of an ordered item, the raw text of the other kinds. `children` are the items of a list, the blocks of an
    item or quote, the rows of a table.
    """

    kind: BlockKind
    start: int
    end: int
    content: str = ""
    level: int = 0  # of a heading, 1-6
    language: str = ""  # of a fence: the first word of its info string
    closed: bool = True  # False for a fence that runs to the end of its container
    children: tuple["Block", ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document as blocks in order; every non-space character outside them is a container's own mark."""

    source: str
    blocks: tuple[Block, ...]
    references: Mapping[str, object]  # link reference definitions, as the parser keeps them


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where each line of the source starts and ends (its terminator left out)."""

    source: str
    starts: Sequence[int]
    ends: Sequence[int]

    def blank(self, line: int) -> bool:
        return not self.source[self.starts[line] : self.ends[line]].strip()

    def span(self, first: int, stop: int) -> tuple[int, int] | None:
        """The span of the lines from `first` up to `stop` without blank ones at the ends; None if all are."""
        while stop > first and self.blank(stop - 1):
            stop -= 1
        while first < stop and self.blank(first):
            first += 1
        return (self.starts[first], self.ends[stop - 1]) if first < stop else None

    def text(self, first: int, stop: int) -> str:
        return self.source[self.starts[first] : self.ends[stop - 1]]


def parse_markdown(source: str) -> Parsed:
    """The blocks of a markdown document. Never fails: any text is markdown."""
    lines = _lines(source)
    matter = _front_matter_lines(lines)
    # Lines keep their numbers: what the parser must not see is left empty.
    shown = "\n" * matter + source[lines.starts[matter] if matter < len(lines.starts) else len(source) :]
    env: dict[str, object] = {}
    tokens = _parser().parse(shown.removeprefix("\ufeff"), env)
    blocks = _filled(_tree(tokens, lines), matter, len(lines.starts), lines)
    if matter:
        start, end = lines.starts[0], lines.ends[matter - 1]
        blocks = [Block("front_matter", start, end, lines.text(1, matter - 1) if matter > 2 else ""), *blocks]
    references = env.get("references")
    return Parsed(source, tuple(blocks), references if isinstance(references, dict) else {})


def parse_text(source: str) -> Parsed:
    """The paragraphs of a plain text, parted by blank lines. Nothing in it is markup."""
    lines = _lines(source)
    blocks: list[Block] = []
    first = 0
    for line in range(len(lines.starts) + 1):
        if line == len(lines.starts) or lines.blank(line):
            if line > first:
                blocks.append(_raw("text", first, line, lines))
            first = line + 1
    return Parsed(source, tuple(blocks), {})


def covering(blocks: Sequence[Block], start: int, end: int, source: str) -> Iterator[Block]:
    """The blocks with spans widened until they hold every non-space character from `start` to `end`."""
    for index, block in enumerate(blocks):
        first = block.start if index else start
        stop = blocks[index + 1].start if index + 1 < len(blocks) else end
        yield replace(block, start=first, end=first + len(source[first:stop].rstrip()))


def _lines(source: str) -> _Lines:
    breaks = [(match.start(), match.end()) for match in _NEWLINE.finditer(source)]
    starts = [0, *(end for _, end in breaks)]
    return _Lines(source, starts, [*(start for start, _ in breaks), len(source)])


def _front_matter_lines(lines: _Lines) -> int:
    """How many lines the YAML front matter takes, its marks included; 0 where there is none."""
    first = lines.text(0, 1).removeprefix("\ufeff")
    if not _FRONT_MATTER_MARK.match(first):
        return 0
    for line in range(1, len(lines.starts)):
        if _FRONT_MATTER_MARK.match(lines.text(line, line + 1)):
            return line + 1
    return 0


@functools.cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_DEPTH + 2}).enable("table").disable("inline")
    parser.block.ruler.before("table", "too_deep", _skip_too_deep)
    return parser


def _skip_too_deep(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Pass over what lies too deep, to the end of its container.

    The parser's own guard would skip to the end of the document and lose what follows the container.
    """
    if silent or state.level < _MAX_DEPTH:
        return False
    line = start_line + 1
    while line < end_line and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        line += 1
    state.line = line
    return True


def _tree(tokens: Sequence[Token], lines: _Lines) -> list[Block]:
    """Nested blocks out of the parser's flat list of opening, closing and single tokens."""
    stack: list[tuple[Token | None, list[Block]]] = [(None, [])]
    for token in tokens:
        if token.nesting > 0:
            stack.append((token, []))
            continue
        opened, children = stack.pop() if token.nesting < 0 else (token, [])
        if opened is not None:
            stack[-1][1].extend(_built(opened, children, lines))
    return stack[0][1]


def _built(token: Token, children: list[Block], lines: _Lines) -> list[Block]:
    """The block that a token stands for; what it holds, where the token is only a wrapper (thead, td)."""
    if token.type == "inline":
        return [Block("paragraph", 0, 0, token.content)]  # only its content is wanted, by what holds it
    kind = _KINDS.get(token.type)
    if kind is None or token.map is None:
        return children
    first, stop = token.map
    span = lines.span(first, min(stop, len(lines.starts)))
    if span is None:
        return []
    block = Block(kind, *span, content=token.content)
    if kind in ("heading", "paragraph"):
        level = int(token.tag[1:]) if kind == "heading" else 0
        return [replace(block, content=children[0].content if children else "", level=level)]
    if kind == "fence":
        held = token.content.count("\n") + (not token.content.endswith("\n") and token.content != "")
        info = unescapeAll(token.info).split(maxsplit=1)
        return [replace(block, language=info[0] if info else "", closed=stop - first - 1 > held)]
    if kind == "row":
        return [replace(block, content="\t".join(" ".join(cell.content.split("\t")) for cell in children))]
    if kind in ("list", "table"):
        return [replace(block, children=tuple(children))]
    if kind in ("item", "blockquote"):
        number = f"{token.info}{token.markup}" if kind == "item" and token.info else ""
        return [replace(block, content=number, children=tuple(_filled(children, first, stop, lines)))]
    return [block]


def _filled(blocks: Sequence[Block], first: int, stop: int, lines: _Lines) -> list[Block]:
    """The blocks, and between them the lines that the parser gives no token: link reference definitions."""
    filled: list[Block] = []
    line = first
    stop = min(stop, len(lines.starts))
    for block in (*blocks, None):
        until = lines.starts[stop] if stop < len(lines.starts) else len(lines.source) + 1
        edge = block.start if block else until
        run = line
        while run < stop and lines.starts[run] < edge:
            run += 1
        if lines.text(line, run).strip(" \t\r\n>") if run > line else "":
            filled.append(_raw("definition", line, run, lines))
        if block:
            filled.append(block)
            while run < stop and lines.starts[run] <= block.end:
                run += 1
        line = run
    return [block for block in filled if block.end > block.start]


def _raw(kind: BlockKind, first: int, stop: int, lines: _Lines) -> Block:
    start, end = lines.span(first, stop) or (lines.starts[first], lines.starts[first])
    return Block(kind, start, end, lines.source[start:end])
