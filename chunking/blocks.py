"""What a document is made of: blocks with exact character spans, and the text that a reader sees at each place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from chunking.plain import Plain

__all__ = ["Block", "BlockKind", "Parsed", "covering", "parse_text"]

BlockKind = Literal[
    "front_matter", "heading", "paragraph", "fence", "indented_code", "table", "row", "list", "item",
    "blockquote", "html", "rule", "definition", "text",
]  # fmt: skip


class Block(NamedTuple):
    """One block of a document, from the start of its first line to its last non-space character.

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
    shown: Plain

    def plain(self, block: Block) -> str:
        """A block as a reader sees it; empty where it shows nothing (a rule, an image without a text)."""
        return self.shown.text(block.start, block.end)


def parse_text(source: str) -> Parsed:
    """The paragraphs of a plain text, parted by blank lines. Nothing in it is markup."""
    blocks: list[Block] = []
    position, first = 0, -1
    for line in [*source.splitlines(keepends=True), ""]:
        if line.strip():
            first = position if first < 0 else first
        elif first >= 0:
            text = source[first:position].rstrip()
            blocks.append(Block("text", first, first + len(text), text))
            first = -1
        position += len(line)
    return Parsed(source, tuple(blocks), Plain((0,), (len(source),), (source,)))


def covering(blocks: Sequence[Block], start: int, end: int, source: str) -> Iterator[Block]:
    """The blocks with spans widened until they hold every non-space character from `start` to `end`."""
    first = start
    for block, stop in zip(blocks, [*(block.start for block in blocks[1:]), end], strict=False):
        gap = source[block.end : stop]
        blank = block.end <= stop and (not gap or gap.isspace())
        if first == block.start and blank:
            yield block
        else:
            yield block._replace(start=first, end=first + len(source[first:stop].rstrip()))
        first = stop
