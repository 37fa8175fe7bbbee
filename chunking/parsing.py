"""Markdown into blocks and visible text: CommonMark, GFM tables and YAML front matter.

pulldown-cmark (by pyromark) tells what each part of the source is, as events with byte ranges; here they become
blocks that refer to characters and whole lines, and runs of visible text.
"""

import functools
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pyromark

from chunking.blocks import Block, BlockKind, Parsed
from chunking.plain import Plain
from chunking.raw_html import visible

__all__ = ["parse_markdown"]

_MAX_DEPTH = 60  # levels of nesting that become blocks; deeper structure says nothing to a reader
_NOT_ASCII = re.compile(r"[^\0-\x7f]+")
_STRETCH = 512  # characters
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
    reader.read(_parser().events_with_range(markdown), _Places(markdown, body))
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


class _Places:
    """From bytes of a text to characters of the source, in which the text begins at `base`."""

    def __init__(self, text: str, base: int) -> None:
        self._base = base
        self._encoded = text.encode()
        # Of each run of what is not ASCII: its first byte, the byte after it, and the character there.
        self._firsts, self._lasts, self._characters = [0], [0], [0]
        for match in _not_ascii(text):
            first = self._lasts[-1] + match.start() - self._characters[-1]
            self._firsts.append(first)
            self._lasts.append(first + len(match[0].encode()))
            self._characters.append(match.end())
        self._firsts.append(len(self._encoded) + 1)
        self.near = (0, self._firsts[1], base)
        """The ASCII around the last place, as bytes from and to, and what to add: most next ones are there too."""

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Two places as characters; the first of them is near from then on."""
        last = self._character(end)
        return self._character(start), last

    def _character(self, place: int) -> int:
        run = bisect_right(self._firsts, place) - 1
        low = self._lasts[run]
        shift = self._base + self._characters[run] - low
        self.near = (low, self._firsts[run + 1], shift)
        return place + shift if place >= low else low + shift - len(self._encoded[place:low].decode())


def _not_ascii(text: str) -> Iterator[re.Match[str]]:
    """The runs of what is not ASCII, looked for only where there are any."""
    for start in range(0, 0 if text.isascii() else len(text), _STRETCH):
        if not text[start : start + _STRETCH].isascii():
            yield from _NOT_ASCII.finditer(text, start, start + _STRETCH)


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
            self.show("\n", place, place)
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

    def read(self, events: Iterable[tuple[Any, Any]], places: _Places) -> None:
        """Take in all events; what is open at the end is only the root."""
        stack, runs = self.stack, self.runs
        add_start, add_end, add_text = runs.starts.append, runs.ends.append, runs.texts.append
        low, high, shift = places.near
        for event, span in events:
            if isinstance(event, str):
                name, value = event, ""
            else:
                name, value = event.popitem()
            if name == "End":
                if (value if isinstance(value, str) else next(iter(value))) in _KINDS:
                    if stack[-1].implied:
                        self._finish()
                    self._finish()
                continue
            start, end = span["start"], span["end"]
            if low <= start and end <= high:
                start += shift
                end += shift
            else:
                start, end = places.characters(start, end)
                low, high, shift = places.near
            if name == "Text":
                if stack[-1].kind == "html":  # the rest of a tab before a line
                    continue
            elif name == "Start":
                self._start(value, start, end)
                continue
            elif name == "SoftBreak":
                value = " "
            elif name == "Code":
                marks = (end - start - len(self.source[start:end].strip("`"))) // 2
                self._reach(start, end)
                start += marks
                end = max(start, end - marks)
            else:
                value = self._shown(name, value, start, end)
                if not value:
                    continue
            if stack[-1].first < 0:
                self._reach(start, end)
            if runs.tabs:
                runs.keep_apart(start)
            add_start(start)
            add_end(end)
            add_text(value)
            runs.fresh = False

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
        for block in (*blocks, None):
            gap = self.source[position : block.start if block else end]
            if gap and not gap.isspace() and gap.strip().strip("> \t\r\n"):
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

    def _start(self, value: Any, start: int, end: int) -> None:
        tag, detail = (value, None) if isinstance(value, str) else value.popitem()
        if tag in _INLINE:
            self._reach(start, end)
        elif tag == "TableCell":
            self._cell(start, end)
        else:
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
            top = _Open("paragraph", start, end, None, len(self.runs.texts), implied=True)
            self.stack.append(top)
        if top.first < 0:
            escaped = self.source[start - 1 : start] == "\\" and start > top.start
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
        kind, code = top.kind, ""
        if len(runs.ends) > top.run and runs.ends[-1] > top.last:
            top.last = runs.ends[-1]
        if top.implied:
            top.end = top.last
        elif kind in _CODE:
            code = "".join(runs.texts[top.run :])
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
