"""Line numbers beside code, and code that is laid out as a table of lines (pure, on selectolax; trees are changed)."""

import re

from selectolax.lexbor import LexborNode

from ingest.code_blocks import code_text
from ingest.nesting import outer

__all__ = ["drop_line_numbers"]

_COUNT = re.compile(r"\s*(?:\d{1,6}\s+)*\d{1,6}\s*")
_NUMBER = re.compile(r"\s*\d{1,7}[\s:.]*")
_NUMBERED = re.compile(r"\s*\d")
_LINES = frozenset({"br", "div", "li", "p", "tr"})
_CALLED_LINE = re.compile(r"line|^(?:ln|lno|lnum)$", re.IGNORECASE)


def drop_line_numbers(root: LexborNode) -> None:
    """Remove what counts the lines of code: a cell or a block beside it, and the numbers in the lines themselves."""
    columns = outer(root.css("td:has(+ td pre), pre, div:has(> pre:only-child)"))
    pairs = [(column, code) for column in columns if (code := _element_after(column)) is not None]
    looked_at = {code.mem_id for code in outer(code for _, code in pairs)}
    for column, code in reversed(pairs):
        if code.mem_id in looked_at and code.tag in ("td", "pre", "div") and _counts_lines(column, code):
            column.decompose()
    for block in outer(root.css("pre"), 1):
        if _NUMBERED.match(block.text(deep=True)) is not None:
            _drop_numbers_in(block)


def _element_after(node: LexborNode) -> LexborNode | None:
    """The next element, where no text comes before it."""
    following = node.next
    while following is not None and not following.is_element_node:
        if following.tag == "-text" and (following.text_content or "").strip():
            return None
        following = following.next
    return following


def _counts_lines(column: LexborNode, code: LexborNode) -> bool:
    """True for an element that counts up the lines of the code in the next one, and holds nothing else."""
    written = column.text(deep=True, separator=" " if column.css_first("pre") is None else "").rstrip()
    counted = written.split() if _COUNT.fullmatch(written) else []
    lines = max(written.count("\n"), len(counted) - 1)  # YARD's numbers begin below the name of the file
    if not counted or not lines or any(int(number) != int(counted[0]) + place for place, number in enumerate(counted)):
        return False
    block = code if code.tag == "pre" else code.css_first("pre")
    return block is not None and abs(lines - block.text(deep=True).rstrip().count("\n")) <= 1


def _drop_numbers_in(block: LexborNode) -> None:
    """Remove the numbers that all lines begin with, where they are elements that are named as such."""
    numbers: list[LexborNode] = []
    inside: set[int] = set()  # of the numbers
    begins = True  # a line: only white space came since its start
    for node in block.traverse(include_text=True):
        if node.mem_id in inside or node.mem_id == block.mem_id:
            continue
        if node.tag == "-text":
            _, end, after = (node.text_content or "").rpartition("\n")
            begins = not after.strip() and (bool(end) or begins)
        elif begins and _is_number(node) and _value(node) == _value((numbers or [node])[0]) + len(numbers):
            numbers.append(node)
            inside.update(inner.mem_id for inner in node.traverse(include_text=True))
            begins = False
        else:
            begins = begins or node.tag in _LINES
    lines = code_text(block).strip("\n").count("\n") + 1
    written = sum(len(node.text(deep=True).strip()) for node in numbers)
    if len(numbers) > 1 and len(numbers) == lines and written < len("".join(block.text(deep=True).split())):
        for node in numbers:
            node.decompose()


def _is_number(node: LexborNode) -> bool:
    """True for an element that is only a number, and is a place to link to or called a line."""
    attributes = node.attributes
    named = node.tag == "a" and ("id" in attributes or (attributes.get("href") or "").startswith("#"))
    named = named or "data-line-number" in attributes
    named = named or any(_CALLED_LINE.search(name) for name in (attributes.get("class") or "").split())
    return named and _NUMBER.fullmatch(node.text(deep=True)) is not None


def _value(node: LexborNode) -> int:
    return int(node.text(deep=True).strip(" \t\r\n\u00a0:."))
