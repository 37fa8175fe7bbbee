"""Blocks into a tree of sections: one begins at each heading, and at each anchored item that has a term."""

import bisect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chunking.blocks import Block, Parsed, covering
from chunking.breadcrumb import heading_label
from chunking.models import Anchor

__all__ = ["Section", "section_tree"]

_SPACE = re.compile(r"\s*")
_DIVISIBLE = frozenset({"paragraph", "definition", "text"})
_CONTAINERS = frozenset({"list", "item", "blockquote"})


@dataclass(slots=True)
class Section:
    """What stands under one heading or term: its own blocks, then its subsections.

    `path` is the breadcrumb from the outermost heading down to this one. The spans of all blocks of a tree
    hold every non-space character of the source, in order.
    """

    path: tuple[str, ...] = ()
    level: int = 0
    blocks: list[Block] = field(default_factory=list)
    children: list["Section"] = field(default_factory=list)


def section_tree(parsed: Parsed, anchors: Sequence[Anchor]) -> Section:
    """The sections of a document under a root that has no heading.

    Only top-level headings count, not those in a list or quote. A term's section lies under the heading it
    follows and ends at the next term or heading; it begins at the start of the line the anchor is on. Terms
    inside code, a table or an HTML block begin nothing, since those are not to be cut.
    """
    terms = _terms(parsed, anchors)
    starts = sorted(terms)
    root = Section()
    open_headings = [root]
    current = root
    for block in _coverage(parsed):
        if block.kind == "heading":
            while open_headings[-1].level >= block.level:
                open_headings.pop()
            current = _opened(open_headings[-1], parsed.plain(block), block.level)
            open_headings.append(current)
            current.blocks.append(block)
            continue
        for part in _divided(block, starts, parsed.source):
            if part.start in terms:
                current = _opened(open_headings[-1], terms[part.start], 7)
            current.blocks.append(part)
    return root


def _opened(parent: Section, heading: str, level: int) -> Section:
    label = heading_label(heading)
    section = Section((*parent.path, label) if label else parent.path, level)
    parent.children.append(section)
    return section


def _coverage(parsed: Parsed) -> Iterator[Block]:
    first = parsed.blocks[0].start if parsed.blocks else 0
    return covering(parsed.blocks, first, len(parsed.source), parsed.source)


def _terms(parsed: Parsed, anchors: Sequence[Anchor]) -> Mapping[int, str]:
    """Start of line to the last term that is anchored on that line; headings are known from the markdown."""
    source = parsed.source
    terms: dict[int, str] = {}
    for offset, _, level, term in sorted(anchors, key=lambda anchor: anchor[0]):
        if level is not None or not term.strip() or not 0 <= offset < len(source):
            continue
        space = _SPACE.match(source, offset)
        text = space.end() if space else offset
        line = source.rfind("\n", 0, text) + 1
        terms[max(line, source.rfind("\r", line, text) + 1)] = term
    return terms


def _divided(block: Block, starts: Sequence[int], source: str) -> Iterator[Block]:
    """The block in as few parts as leave no start of a section inside one."""
    first = bisect.bisect_right(starts, block.start)
    if first == len(starts) or starts[first] >= block.end:
        yield block
    elif block.kind in _CONTAINERS and block.children:
        for child in covering(block.children, block.start, block.end, source):
            yield from _divided(child, starts, source)
    elif block.kind in _DIVISIBLE:
        inside = starts[first : bisect.bisect_left(starts, block.end, first)]
        for start, stop in itertools.pairwise([block.start, *inside, block.end]):
            part = source[start:stop].rstrip()
            if part:
                yield block._replace(start=start, end=start + len(part), content=part)
    else:
        yield block
