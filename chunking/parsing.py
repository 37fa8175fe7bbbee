"""Markdown into blocks and visible text: CommonMark, GFM tables and YAML front matter.

pulldown-cmark (by pyromark) tells what each part of the source is, as events with byte ranges; here they become
blocks that refer to characters and whole lines, and runs of visible text.
"""

import functools
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import pyromark

from chunking.blocks import Block, BlockKind, Parsed
from chunking.plain import Plain
from chunking.raw_html import visible

__all__ = ["parse_markdown"]

_MAX_DEPTH = 60  # levels of nesting that become blocks; deeper structure says nothing to a reader
_NEWLINE = re.compile(r"\r\n?|\n")
_NOT_ASCII = re.compile(r"[^\0-\x7f]+")
_CARRIAGE_RETURN = re.compile(r"\r(?!\n)")
_NO_CHARACTER = re.compile(r"[\0\ud800-\udfff]")
_FRONT_MATTER_MARK = re.compile(r"---[ \t]*\Z")
_LINE_MARKS = re.compile(r"([\r\n])[ \t>]+")
_NUMBER = re.compile(r"\d{1,9}[.)]")
_BREAK = re.compile(r"<br[\s/>]", re.IGNORECASE)
_FOOTNOTE = re.compile(r"[ \t>]*\[\^")
_INLINE = frozenset({"Emphasis", "Strong", "Strikethrough", "Link", "Image"})
_KINDS: Mapping[str, BlockKind] = MappingProxyType(
    {
        "Heading": "heading",
        "Paragraph": "paragraph",
        "CodeBlock": "fence",
        "Table": "table",
        "TableHead": "row",
        "TableRow": "row",
        "List": "list",
        "Item": "item",
        "BlockQuote": "blockquote",
        "HtmlBlock": "html",
    }
)


def parse_markdown(source: str) -> Parsed:
    """The blocks of a markdown document. Never fails: any text is markdown."""
    reader = _Reader(source, _line_starts(source))
    body = reader.read_front_matter()
    # What the parser would not take for a line end or a character, in as many characters.
    shown = _NO_CHARACTER.sub("\ufffd", source[body:])
    if "\r" in shown:
        shown = _CARRIAGE_RETURN.sub("\n", shown)
    reader.read(_parser().events_with_range(shown), _places(shown, body))
    root = reader.stack[0]
    blocks = reader.with_definitions(root.children, body if reader.front_matter else 0, len(source))
    return Parsed(source, (*reader.front_matter, *blocks), reader.runs.plain())


@functools.cache
def _parser() -> pyromark.Markdown:
    return pyromark.Markdown(options=pyromark.Options.ENABLE_TABLES)


def _line_starts(source: str) -> Sequence[int]:
    if "\r" in source:
        return [0, *(match.end() for match in _NEWLINE.finditer(source))]
    return [0, *accumulate(len(line) + 1 for line in source.split("\n")[:-1])]


def _places(text: str, base: int) -> Callable[[int, int], tuple[int, int]] | None:
    """From two bytes of the text to characters of the source, in which the text begins at `base`; None: the same."""
    if text.isascii() and not base:
        return None
    encoded = text.encode()
    firsts, lasts, characters = [0], [0], [0]  # of each run of what is not ASCII: its bytes, and where it ends
    for match in _NOT_ASCII.finditer(text):
        first = lasts[-1] + match.start() - characters[-1]
        firsts.append(first)
        lasts.append(first + len(match[0].encode()))
        characters.append(match.end())
    low, high, shift = 0, -1, 0  # the ASCII that the last place was found in: most of the next ones are there too

    def character(place: int) -> int:
        nonlocal low, high, shift
        run = bisect_right(firsts, place) - 1
        if place < lasts[run]:
            return base + characters[run] - len(encoded[place : lasts[run]].decode())
        low, high = lasts[run], firsts[run + 1] if run + 1 < len(firsts) else len(encoded)
        shift = base + characters[run] - low
        return place + shift

    def places(start: int, end: int) -> tuple[int, int]:
        first = start + shift if low <= start <= high else character(start)
        return first, end + shift if low <= end <= high else character(end)

    return places


@dataclass(slots=True)
class _Runs:
    """Visible text on its way to a `Plain`."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    fresh: bool = True  # nothing is written yet on the last line
    tabs: int = 0  # that the next cell with a text is to be kept apart by
    notes: list[tuple[int, int, str]] = field(default_factory=list)  # runs that are found after those behind them

    def show(self, text: str, start: int, end: int) -> None:
        if self.tabs:
            self._add("\t" * self.tabs, start, start)
            self.tabs = 0
        self.starts.append(start)
        self.ends.append(end)
        self.texts.append(text)
        self.fresh = False

    def new_line(self, place: int) -> None:
        if not self.fresh:
            self._add("\n", place, place)
            self.fresh = True
        self.tabs = 0

    def plain(self) -> Plain:
        if self.notes:
            runs = sorted([*zip(self.starts, self.ends, self.texts, strict=True), *self.notes], key=lambda run: run[0])
            starts, ends, texts = zip(*runs, strict=True)
            return Plain(starts, ends, texts)
        return Plain(self.starts, self.ends, self.texts)

    def trim(self, first: int) -> None:
        """Take spaces and newlines off the end of the runs from the given one on."""
        while len(self.texts) > first:
            self.texts[-1] = self.texts[-1].rstrip()
            if self.texts[-1]:
                return
            for runs in (self.starts, self.ends, self.texts):
                runs.pop()

    def _add(self, text: str, start: int, end: int) -> None:
        self.starts.append(start)
        self.ends.append(end)
        self.texts.append(text)


@dataclass(slots=True)
class _Open:
    """A block that has begun: what is known of it, and the first and last place of its inline text."""

    kind: BlockKind
    start: int
    end: int
    detail: Any = None  # the event's own: level, info string
    run: int = 0  # index of the first of its runs
    first: int = -1
    last: int = -1
    children: list[Block] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    raw: list[tuple[str, int]] = field(default_factory=list)  # lines of an HTML block, with their places


@dataclass(slots=True)
class _Reader:
    source: str
    lines: Sequence[int]  # where each line starts
    runs: _Runs = field(default_factory=_Runs)
    stack: list[_Open] = field(default_factory=lambda: [_Open("blockquote", 0, 0)])
    front_matter: list[Block] = field(default_factory=list)

    def read_front_matter(self) -> int:
        """Where the markdown begins: after a byte order mark and YAML front matter."""
        source = self.source
        mark = source.startswith("\ufeff")
        edges = [*self.lines[1:], len(source)]
        first = source[mark : edges[0]].rstrip("\r\n")
        if _FRONT_MATTER_MARK.match(first):
            for line, (start, end) in enumerate(zip(self.lines, edges, strict=True)):
                if line and _FRONT_MATTER_MARK.match(source[start:end].rstrip("\r\n")):
                    content = source[edges[0] : start].rstrip()
                    self.runs.show(content, edges[0], edges[0] + len(content))
                    self.front_matter.append(Block("front_matter", 0, start + len(source[start:end].rstrip()), content))
                    return end
        return int(mark)

    def read(self, events: Iterable[tuple[Any, Any]], places: Callable[[int, int], tuple[int, int]] | None) -> None:
        """Take in all events; what is open at the end is only the root."""
        for event, span in events:
            if isinstance(event, str):
                name, value = event, ""
            else:
                ((name, value),) = event.items()
            if name == "End":
                if (value if isinstance(value, str) else next(iter(value))) in _KINDS:
                    self._end_implied()
                    self._finish()
                continue
            start, end = span["start"], span["end"]
            if places:
                start, end = places(start, end)
            if name == "Text":
                if self.stack[-1].kind != "html":  # there it is the rest of a tab before a line
                    self._show(value, start, end)
            elif name == "Start":
                self._start(value, start, end)
            elif name == "Code":
                marks = (end - start - len(self.source[start:end].strip("`"))) // 2
                self._reach(start, end)
                self._show(value, start + marks, max(start + marks, end - marks))
            elif name == "Html":
                self.stack[-1].raw.append((value, start))
            elif name == "InlineHtml":
                self._reach(start, end)
                if _BREAK.match(value):
                    self._show("\n", start, end)
            elif name == "Rule":
                self._begin("rule", start, end, None)
                self._finish()
            else:
                self._show(" " if name == "SoftBreak" else "\n", start, end)

    def with_definitions(self, blocks: Sequence[Block], start: int, end: int) -> list[Block]:
        """The blocks, and between them the lines that the parser tells nothing of: link reference definitions."""
        filled: list[Block] = []
        position = start
        for block in (*blocks, None):
            gap = self.source[position : block.start if block else end]
            if gap.strip().strip("> \t\r\n"):
                first = max(position, self._line(position + len(gap) - len(gap.lstrip())))
                text = self.source[first : position + len(gap)].rstrip()
                filled.append(Block("definition", first, first + len(text), text))
                if _FOOTNOTE.match(text):  # its text is no address, though CommonMark reads it as one
                    self.runs.notes += [(first, first, "\n"), (first, first + len(text), text)]
            if block:
                filled.append(block)
                position = max(position, block.end)
        return filled

    def _line(self, place: int) -> int:
        """Where the line of a place starts."""
        return self.lines[bisect_right(self.lines, place) - 1]

    def _begin(self, kind: BlockKind, start: int, end: int, detail: Any) -> None:
        self._end_implied()
        if kind not in ("list", "table"):
            self.runs.new_line(start)
        number = _NUMBER.match(self.source, start) if kind == "item" else None
        if number:
            self.runs.show(f"{number[0]} ", start, start)
            self.runs.fresh = True
            detail = number[0]
        self.stack.append(_Open(kind, start, end, detail, len(self.runs.texts)))

    def _end_implied(self) -> None:
        """End the paragraph of a tight item, which has no event of its own."""
        top = self.stack[-1]
        if top.kind == "paragraph" and top.detail == "implied":
            top.end = top.last
            self._finish()

    def _start(self, value: Any, start: int, end: int) -> None:
        tag, detail = (value, None) if isinstance(value, str) else next(iter(value.items()))
        if tag in _INLINE:
            self._reach(start, end)
        elif tag == "TableCell":
            self._cell(start, end)
        else:
            self._begin("indented_code" if detail == "Indented" else _KINDS[tag], start, end, detail)

    def _reach(self, start: int, end: int) -> None:
        """Widen the innermost block to hold inline text."""
        top = self.stack[-1]
        if top.kind == "item":
            self.runs.new_line(start)
            top = _Open("paragraph", start, end, "implied", len(self.runs.texts))
            self.stack.append(top)
        if top.first < 0:
            escaped = self.source[start - 1 : start] == "\\" and start > top.start
            top.first = start - escaped
        if end > top.last:
            top.last = end

    def _show(self, text: str, start: int, end: int) -> None:
        top = self.stack[-1]
        if top.first < 0:
            self._reach(start, end)
        elif end > top.last:
            top.last = end
        self.runs.show(text, start, end)

    def _cell(self, start: int, end: int) -> None:
        row = self.stack[-1]
        if row.cells and not self.runs.fresh:
            self.runs.tabs += 1
        row.cells.append(" ".join(self.source[start:end].replace("\\|", "|").split("\t")).strip())

    def _finish(self) -> None:
        """The innermost open block is complete."""
        top = self.stack.pop()
        code = "".join(self.runs.texts[top.run :]) if top.kind in ("fence", "indented_code") else ""
        code_end = self.runs.ends[-1] if len(self.runs.ends) > top.run else -1
        if top.kind == "html":
            self._show_html(top)
        if top.kind in ("fence", "indented_code", "html", "paragraph", "heading"):
            self.runs.trim(top.run)
        length = len(self.source[top.start : top.end].rstrip())
        if len(self.stack) <= _MAX_DEPTH and (length or top.start == top.end):
            self.stack[-1].children.append(self._built(top, top.start + length, code, code_end))

    def _built(self, top: _Open, end: int, code: str, code_end: int) -> Block:
        start = self._line(top.start)
        match top.kind:
            case "paragraph":
                return Block("paragraph", start, end, self._inline(top))
            case "heading":
                return Block("heading", start, end, self._inline(top), level=int(top.detail["level"][1]))
            case "fence":
                info = top.detail["Fenced"].split(maxsplit=1)
                last = self._line(end - 1)
                closed = last > top.start and code_end <= last
                return Block("fence", start, end, code, language=info[0] if info else "", closed=closed)
            case "indented_code":
                return Block("indented_code", start, end, code)
            case "row":
                return Block("row", start, end, "\t".join(top.cells))
            case "list" | "table":
                return Block(top.kind, start, end, children=tuple(top.children))
            case "item" | "blockquote":
                deep = len(self.stack) >= _MAX_DEPTH
                children = [] if deep else self.with_definitions(top.children, start, end)
                return Block(top.kind, start, end, top.detail or "", children=tuple(children))
            case "html":
                return Block("html", start, end, "".join(line for line, _ in top.raw))
            case _:
                return Block(top.kind, start, end)

    def _inline(self, top: _Open) -> str:
        """The markdown of a heading or paragraph, without what stands before its lines."""
        text = self.source[top.first : top.last] if top.first >= 0 else ""
        return _LINE_MARKS.sub(r"\1", text) if "\n" in text or "\r" in text else text

    def _show_html(self, top: _Open) -> None:
        for text, start, end in visible(top.raw):
            if text == "\n":
                self.runs.new_line(start)
            else:
                self.runs.show(text, start, end)
