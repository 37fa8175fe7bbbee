"""Markdown into blocks and visible text: CommonMark, GFM tables and YAML front matter.

pulldown-cmark (by pyromark) tells what each part of the source is, as events with byte ranges; here they become
blocks that refer to characters and whole lines, and runs of visible text.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pyromark

from chunking.blocks import Block, BlockKind, Parsed
from chunking.places import Places
from chunking.plain import Plain
from chunking.raw_html import visible

__all__ = ["parse_markdown"]

_MAX_DEPTH = 60  # levels of nesting that become blocks; deeper structure says nothing to a reader
_CARRIAGE_RETURN = re.compile(r"\r(?!\n)")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FRONT_MATTER_MARK = re.compile(r"---[ \t]*\Z")
_LINE_MARKS = re.compile(r"([\r\n])[ \t>]+")
_NEWLINE_MARKS = re.compile(r"\n[ \t>]+")  # the same where every line ends in a newline, and much faster
_NUMBER = re.compile(r"\d{1,9}[.)]")
_BREAK = re.compile(r"<br[\s/>]", re.IGNORECASE)
_FOOTNOTE = re.compile(r"[ \t>]*\[\^")
_CODE = frozenset({"fence", "indented_code"})
_ROWS = frozenset({"TableHead", "TableRow"})
_TRIMMED = frozenset({"fence", "indented_code", "html", "paragraph", "heading"})
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
    reader = _Reader(source, _readable(source))
    body = reader.read_front_matter()
    markdown = reader.markdown[body:]
    reader.read(_parser().events_with_range(markdown), Places(markdown, body))
    root = reader.stack[0]
    blocks = reader.with_definitions(root.children, body if reader.front_matter else 0, len(source))
    return Parsed(source, (*reader.front_matter, *blocks), reader.runs.plain())


@functools.cache
def _parser() -> pyromark.Markdown:
    return pyromark.Markdown(options=pyromark.Options.ENABLE_TABLES)


def _readable(source: str) -> str:
    """The source with what the parser would not take for a line end or a character, in as many characters."""
    if "\r" in source:
        source = _CARRIAGE_RETURN.sub("\n", source)
    try:
        source.encode()
    except UnicodeEncodeError:
        source = _SURROGATE.sub("\ufffd", source)
    return source.replace("\0", "\ufffd")


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
        self.starts.append(start)
        self.ends.append(end)
        self.texts.append(text)
        self.fresh = False

    def keep_apart(self, place: int) -> None:
        """The tabs between what was shown of one cell and what will be of another."""
        self.show("\t" * self.tabs, place, place)
        self.tabs = 0

    def new_line(self, place: int) -> None:
        if not self.fresh:
            self.starts.append(place)
            self.ends.append(place)
            self.texts.append("\n")
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
        texts = self.texts
        while len(texts) > first:
            texts[-1] = texts[-1].rstrip()
            if texts[-1]:
                return
            for runs in (self.starts, self.ends, texts):
                runs.pop()


@dataclass(slots=True)
class _Open:
    """A block that has begun: what is known of it, and the first and last place of its inline text.

    An implied one is the paragraph of a tight item, which has no events of its own.
    """

    kind: BlockKind
    start: int
    end: int
    detail: Any = None  # the event's own: level, info string
    run: int = 0  # index of the first of its runs
    implied: bool = False
    first: int = -1
    last: int = -1  # but for the runs, until it is finished
    children: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    source: str
    markdown: str  # the source as the parser reads it, where every line ends in a newline
    runs: _Runs = field(default_factory=_Runs)
    stack: list[_Open] = field(default_factory=lambda: [_Open("blockquote", 0, 0)])
    front_matter: list[Block] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)  # of the open row
    raw: list[tuple[str, int]] = field(default_factory=list)  # lines of the open HTML block, with their places

    def read_front_matter(self) -> int:
        """Where the markdown begins: after a byte order mark and YAML front matter."""
        source = self.source
        mark = source.startswith("\ufeff")
        first = end = self._next_line(0)
        if _FRONT_MATTER_MARK.match(source[mark:end].rstrip("\r\n")):
            while end < len(source):
                start, end = end, self._next_line(end)
                if _FRONT_MATTER_MARK.match(source[start:end].rstrip("\r\n")):
                    content = source[first:start].rstrip()
                    self.runs.show(content, first, first + len(content))
                    self.front_matter.append(Block("front_matter", 0, start + len(source[start:end].rstrip()), content))
                    return end
        return int(mark)

    def read(self, events: Iterable[tuple[Any, Any]], places: Places) -> None:
        """Take in all events; what is open at the end is only the root."""
        stack, runs = self.stack, self.runs
        add_start, add_end, add_text = runs.starts.append, runs.ends.append, runs.texts.append
        low, high, shift = places.near
        ready = False  # the next run belongs on the line of the one before
        for event, span in events:
            name, value = (event, " ") if isinstance(event, str) else event.popitem()
            if name == "End":
                if not isinstance(value, str) or value in _KINDS:
                    if stack[-1].implied:
                        self._finish()
                    self._finish()
                    ready = False
                continue
            start, end = span["start"], span["end"]
            if low <= start and end <= high:
                start += shift
                end += shift
            else:
                start, end = places.characters(start, end)
                low, high, shift = places.near
            if name == "Start":
                tag, detail = (value, None) if isinstance(value, str) else value.popitem()
                if tag in _INLINE:
                    self._reach(start, end)
                else:
                    self._start(tag, detail, start, end)
                    ready = False
                continue
            if name == "Code":
                self._reach(start, end)
                marks = 1 if len(value) == end - start - 2 else self._marks(start, end)
                start += marks
                end = max(start, end - marks)
            elif name != "Text" and name != "SoftBreak":
                value = self._shown(name, value, start, end)
                if not value:
                    ready = False
                    continue
            if not ready:
                if stack[-1].kind == "html":  # the rest of a tab before a line
                    continue
                self._open_line(start, end)
                ready = True
            add_start(start)
            add_end(end)
            add_text(value)

    def _marks(self, start: int, end: int) -> int:
        """How many marks stand on each side of a code span."""
        return (end - start - len(self.source[start:end].strip("`"))) // 2

    def _open_line(self, start: int, end: int) -> None:
        """Make room for the first run of a block or cell."""
        if self.stack[-1].first < 0:
            self._reach(start, end)
        if self.runs.tabs:
            self.runs.keep_apart(start)
        self.runs.fresh = False

    def _shown(self, name: str, value: str, start: int, end: int) -> str:
        """Take in what is rare: a rule, HTML, a break within a line. What a reader sees of it at once."""
        if name == "HardBreak":
            return "\n"
        if name == "InlineHtml":
            self._reach(start, end)
            return "\n" if _BREAK.match(value) else ""
        if name == "Html":
            self.raw.append((value, start))
        elif name == "Rule":
            self._begin("rule", start, end, None)
            self._finish()
        return ""

    def with_definitions(self, blocks: Sequence[Block], start: int, end: int) -> list[Block]:
        """The blocks, and between them the lines that the parser tells nothing of: link reference definitions."""
        filled: list[Block] = []
        position = start
        for block in blocks:
            if position < block.start:
                self._define(filled, position, block.start)
            filled.append(block)
            position = max(position, block.end)
        if position < end:
            self._define(filled, position, end)
        return filled

    def _define(self, blocks: list[Block], start: int, end: int) -> None:
        """Add the definition between two blocks, where there is one."""
        gap = self.source[start:end]
        if gap.isspace() or not gap.strip().strip("> \t\r\n"):
            return
        first = max(start, self._line(end - len(gap.lstrip())))
        text = self.source[first:end].rstrip()
        blocks.append(Block("definition", first, first + len(text), text))
        if _FOOTNOTE.match(text):  # its text is no address, though CommonMark reads it as one
            self.runs.notes += [(first, first, "\n"), (first, first + len(text), text)]

    def _line(self, place: int) -> int:
        """Where the line of a place starts."""
        return self.markdown.rfind("\n", 0, place) + 1

    def _next_line(self, place: int) -> int:
        """Where the line of a place ends, with its line end."""
        return self.markdown.find("\n", place) + 1 or len(self.markdown)

    def _begin(self, kind: BlockKind, start: int, end: int, detail: Any) -> None:
        if self.stack[-1].implied:
            self._finish()
        runs = self.runs
        if kind == "item":
            runs.new_line(start)
            if number := _NUMBER.match(self.source, start):
                detail = number[0]
                runs.show(f"{detail} ", start, start)
                runs.fresh = True
        elif kind != "list" and kind != "table":
            runs.new_line(start)
        self.stack.append(_Open(kind, start, end, detail, len(runs.texts)))

    def _start(self, tag: str, detail: Any, start: int, end: int) -> None:
        """Take in the beginning of a block or cell."""
        if tag == "TableCell":
            self._cell(start, end)
            return
        if tag == "HtmlBlock":
            self.raw = []
        elif tag in _ROWS:
            self.cells = []
        self._begin("indented_code" if detail == "Indented" else _KINDS[tag], start, end, detail)

    def _reach(self, start: int, end: int) -> None:
        """Widen the innermost block to hold inline text."""
        top = self.stack[-1]
        if top.kind == "item":
            self.runs.new_line(start)
            top = _Open("paragraph", start, end, None, len(self.runs.texts), True)
            self.stack.append(top)
        if top.first < 0:
            escaped = start > top.start and self.source[start - 1] == "\\"
            top.first = start - escaped
        if end > top.last:
            top.last = end

    def _cell(self, start: int, end: int) -> None:
        if self.cells and not self.runs.fresh:
            self.runs.tabs += 1
        self.cells.append(" ".join(self.source[start:end].replace("\\|", "|").split("\t")).strip())

    def _finish(self) -> None:
        """The innermost open block is complete."""
        top, runs = self.stack.pop(), self.runs
        kind, texts, code = top.kind, runs.texts, ""
        if len(texts) > top.run and runs.ends[-1] > top.last:
            top.last = runs.ends[-1]
        if top.implied:
            top.end = top.last
        elif kind in _CODE:
            code = "".join(texts[top.run :])
        elif kind == "html":
            self._show_html()
        if kind in _TRIMMED:
            runs.trim(top.run)
        length = len(self.source[top.start : top.end].rstrip())
        if len(self.stack) <= _MAX_DEPTH and (length or top.start == top.end):
            self.stack[-1].children.append(self._built(top, top.start + length, code))

    def _built(self, top: _Open, end: int, code: str) -> Block:
        kind, start = top.kind, self._line(top.start)
        match kind:
            case "paragraph":
                return Block(kind, start, end, self._inline(top))
            case "item" | "blockquote":
                deep = len(self.stack) >= _MAX_DEPTH
                children = () if deep else self.with_definitions(top.children, start, end)
                return Block(kind, start, end, top.detail or "", children=tuple(children))
            case "fence":
                info = top.detail["Fenced"].split(maxsplit=1)
                line = self._line(end - 1)
                closed = line > top.start and top.last <= line
                return Block(kind, start, end, code, language=info[0] if info else "", closed=closed)
            case "heading":
                return Block(kind, start, end, self._inline(top), level=int(top.detail["level"][1]))
            case "list" | "table":
                return Block(kind, start, end, children=tuple(top.children))
            case "row":
                return Block(kind, start, end, "\t".join(self.cells))
            case "html":
                return Block(kind, start, end, "".join(line for line, _ in self.raw))
            case _:
                return Block(kind, start, end, code)

    def _inline(self, top: _Open) -> str:
        """The markdown of a heading or paragraph, without what stands before its lines."""
        text = self.source[top.first : top.last] if top.first >= 0 else ""
        if "\r" in text:
            return _LINE_MARKS.sub(r"\1", text)
        return _NEWLINE_MARKS.sub("\n", text) if "\n" in text else text

    def _show_html(self) -> None:
        for text, start, end in visible(self.raw):
            if text == "\n":
                self.runs.new_line(start)
            else:
                self.runs.show(text, start, end)
