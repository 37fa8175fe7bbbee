"""Blocks into pieces, none over the cap: whole where they fit, else cut at the best place inside.

A list or quote falls into its items and blocks, a fence into fences of the same language, a table into tables
with the same header, text into paragraphs, sentences, words and at last graphemes.
"""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chunking.blocks import Block, Parsed, covering
from chunking.tokens import TokenCounter, at_most
from chunking.windows import CODE_BREAKS, ROW_BREAKS, TEXT_BREAKS, windows

__all__ = ["Piece", "Splitter"]

_CONTAINERS = frozenset({"list", "item", "blockquote"})
_CODE = frozenset({"fence", "indented_code", "html", "front_matter"})
_PROSE = frozenset({"paragraph", "text"})
_NEWLINE = re.compile(r"\r\n?|\n")
_FENCE_MARK = re.compile(r"`{3,}|~{3,}")
_LANGUAGE = re.compile(r"[{.]*([\w+#-][\w+#.-]*)")
_BYTES = 8  # a token, in a text that is dense in the extreme


@dataclass(slots=True)
class Piece:
    """A span of the source that stays together, and what must be written around it to make it whole again.

    Its tokens are counted when it matters: until then they are the most that there can be. `plain_tokens` is then
    no more than `text_tokens`, as it is but for odd cases, which the writer finds.
    """

    start: int
    end: int
    plain: str
    text_tokens: int  # of prefix, source and suffix; never over the cap
    plain_tokens: int
    text_counted: bool = True
    plain_counted: bool = True
    block: Block | None = None  # that it is all of
    prefix: str = ""  # a repeated opening fence or table header; then nothing may stand before it
    suffix: str = ""  # a closing fence; then nothing may stand after it
    heading: bool = False
    prose: bool = False  # a paragraph, or a part of one
    inside: bool = False  # begins within a block
    headerless: bool = False  # a part of a table whose header is too long to be repeated
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the parts of a cut block are written with, as source and as plain text."""

    prefix: str = ""
    suffix: str = ""
    first_suffix: str = ""  # of the part that holds the block's own start
    plain_prefix: str = ""
    body: int = 0  # offset of the first character that is not part of what the prefix repeats
    code_end: int = 0  # offset of the end of the code, where the closing fence is to stay with the last of it
    headerless: bool = False


@dataclass(slots=True)
class Splitter:
    """Cuts the blocks of one document. `target_size` and `max_size` are tokens of `counter`."""

    parsed: Parsed
    counter: TokenCounter
    max_size: int
    target_size: int

    def pieces(self, blocks: Sequence[Block], crumb: Callable[[], int]) -> Iterator[Piece]:
        """The blocks of one section as pieces. `crumb`: tokens that its breadcrumb will take."""
        lead = None
        for block in blocks:
            piece = self._whole(block)
            if piece is not None:
                yield piece
            else:
                for piece in self._parts(block, crumb, lead):
                    yield piece
                    lead = None
            lead = piece if piece is not None and piece.heading else None

    def parts(self, piece: Piece) -> Iterator[Piece]:
        """A whole block in parts: none where the piece is a part already."""
        if piece.block:
            yield from self._parts(piece.block, lambda: 0, None)

    def count_text(self, piece: Piece) -> None:
        """Count the text of a piece where that was not done."""
        if not piece.text_counted:
            piece.text_tokens = self.counter.count(self.parsed.source[piece.start : piece.end])
            piece.text_counted = True
            if not piece.plain_counted:
                piece.plain_tokens = min(piece.plain_tokens, piece.text_tokens)

    def count_plain(self, piece: Piece) -> None:
        """Count the plain text of a piece where that was not done."""
        if not piece.plain_counted:
            piece.plain_tokens = self.counter.count(piece.plain)
            piece.plain_counted = True

    def _parts(self, block: Block, crumb: Callable[[], int], lead: Piece | None) -> Iterator[Piece]:
        if block.kind != "table" and block.children:
            for child in covering(block.children, block.start, block.end, self.parsed.source):
                whole = self._whole(child)
                if whole is not None:
                    yield whole
                else:
                    yield from self._parts(child, crumb, lead)
                lead = None
        else:
            yield from self._cut(block, crumb, lead)

    def _whole(self, block: Block) -> Piece | None:
        """The block as one piece, or None where it alone is over the cap."""
        kind, start, end, _, _, language, _, children = block
        if kind in _CONTAINERS and children and end - start > _BYTES * self.max_size:
            return None  # what fell apart for nothing is packed again
        plain = self.parsed.shown.text(start, end)
        text_most, text_counted = at_most(self.counter, self.parsed.source[start:end])
        plain_most, plain_counted = at_most(self.counter, plain)
        piece = Piece(
            start, end, plain, text_most, plain_most, text_counted, plain_counted, block,
            "", "", kind == "heading", kind in _PROSE, languages=_languages(block) if language or children else (),
        )  # fmt: skip
        if text_most > self.max_size:
            self.count_text(piece)
        return None if max(piece.text_tokens, piece.plain_tokens) > self.max_size else piece

    def _lead(self, lead: Piece | None, opening: int) -> tuple[int, int]:
        """Tokens of the heading, as text and plain, that the first part of a block leaves room for.

        It stays with that part only where this leaves room for the header or fence and more.
        """
        if lead is None:
            return 0, 0
        # What stands in the piece is the packer's, which has summed it already.
        text = self.parsed.source[lead.start : lead.end]
        tokens = self.counter.count(text) + 1, self.counter.count(lead.plain) + 1
        return tokens if opening + max(tokens) <= self.max_size // 2 else (0, 0)

    def _cut(self, block: Block, crumb: Callable[[], int], lead: Piece | None) -> Iterator[Piece]:
        frame = self._frame(block)
        room = self._room(crumb(), frame)
        source = self.parsed.source
        opening = self.counter.count(source[block.start : frame.body]) if frame.body else 0
        lead_text, lead_plain = self._lead(lead, opening)

        @functools.cache  # a window is asked for by its size more than once
        def text_tokens(start: int, end: int) -> int:
            return self.counter.count(self._text(block, frame, start, end))

        @functools.cache
        def plain_tokens(start: int, end: int) -> int:
            return self.counter.count(self._plain(block, frame, start, end))

        def fits(start: int, end: int, plain_room: int = room) -> bool:
            first = start == block.start
            return (
                text_tokens(start, end) + first * lead_text <= self.max_size
                and plain_tokens(start, end) + first * lead_plain <= plain_room
            )

        def allowed(start: int, end: int) -> bool:
            return fits(start, end, self.max_size)

        breaks = CODE_BREAKS if block.kind in _CODE else ROW_BREAKS if block.kind == "table" else TEXT_BREAKS
        languages = _languages(block)
        span = (block.start, frame.code_end or block.end)
        for start, stop in windows(source, span, fits, allowed, breaks, whole=frame.body):
            end = block.end if stop == frame.code_end else stop
            prefix, suffix = _around(block, frame, start, end)
            yield Piece(
                start, end, self._plain(block, frame, start, end), text_tokens(start, stop), plain_tokens(start, stop),
                prefix=prefix, suffix=suffix, prose=block.kind in _PROSE, inside=start > block.start,
                headerless=frame.headerless, languages=languages,
            )  # fmt: skip

    def _room(self, crumb: int, frame: _Frame) -> int:
        """Tokens for the plain text of a part: what the target leaves, or the cap if that is too little."""
        taken = crumb + 2
        header = self.counter.count(frame.plain_prefix) if frame.plain_prefix else 0
        aim = self.target_size - taken
        return aim if aim >= 2 * header and aim >= self.target_size // 2 else self.max_size - taken

    def _frame(self, block: Block) -> _Frame:
        if block.kind == "fence":
            return self._fence_frame(block)
        if block.kind == "table" and block.children:
            return self._table_frame(block)
        return _Frame()

    def _fence_frame(self, block: Block) -> _Frame:
        """Opening and closing fence of the parts, as short as the code allows.

        At most a quarter of the cap: a language too long for that is left out, and at last the fence.
        """
        source = self.parsed.source
        opening = _first_line(source, block)
        match = _FENCE_MARK.search(opening)
        body = _next_line(source, block.start, block.end)
        if match is None:
            return _Frame()
        quote = "> " * opening[: match.start()].count(">")
        first = f"\n{quote}{match.group()}"
        first = first if self.counter.count(first) <= self.max_size // 4 else ""
        code_end = self._code_end(block, body)
        mark = _shortest_mark(match.group(), block.content)
        suffix = f"\n{quote}{mark}"
        # An info string cannot hold the mark that it follows.
        for language in ("" if "`" in block.language else block.language, ""):
            prefix = f"{quote}{mark}{language}\n"
            if self.counter.count(prefix + suffix) <= self.max_size // 4:
                return _Frame(prefix, suffix, first, body=body, code_end=code_end)
        return _Frame(first_suffix=first, body=body, code_end=code_end)

    def _code_end(self, block: Block, body: int) -> int:
        """Where the code of a closed fence ends; 0 where there is none, or the closing line is endless."""
        source = self.parsed.source
        closing = _last_line_start(source, block.start, block.end)
        end = body + len(source[body:closing].rstrip())
        affordable = self.counter.count(source[end : block.end]) <= self.max_size // 4
        return end if block.closed and end > body and affordable else 0

    def _table_frame(self, block: Block) -> _Frame:
        """The header row and its delimiter row, unless they take more than half of the cap."""
        source = self.parsed.source
        rows = block.children
        body = rows[1].start if len(rows) > 1 else block.end
        header = source[block.start : body]
        plain = self.parsed.plain(rows[0])
        half = self.max_size // 2
        if self.counter.count(header) > half or self.counter.count(plain) > half:
            return _Frame(headerless=True)
        return _Frame(header, plain_prefix=plain, body=body)

    def _text(self, block: Block, frame: _Frame, start: int, end: int) -> str:
        """A part of a block as it will stand in `text`."""
        end = block.end if end == frame.code_end else end
        prefix, suffix = _around(block, frame, start, end)
        return f"{prefix}{self.parsed.source[start:end]}{suffix}"

    def _plain(self, block: Block, frame: _Frame, start: int, end: int) -> str:
        """A part of a block as it will stand in `embed_text`."""
        end = block.end if end == frame.code_end else end
        plain = self.parsed.shown.text(start, end)
        if frame.plain_prefix and _around(block, frame, start, end)[0]:
            return f"{frame.plain_prefix}\n{plain}"
        return plain


def _around(block: Block, frame: _Frame, start: int, end: int) -> tuple[str, str]:
    """What is written before and after a part: not what the source has there itself."""
    prefix = frame.prefix if start >= frame.body and start > block.start else ""
    if end == block.end and block.closed:
        return prefix, ""
    return prefix, frame.suffix if prefix else frame.first_suffix


def _shortest_mark(mark: str, code: str) -> str:
    """The fence mark, cut to what no line of the code can close."""
    longest = max(map(len, re.findall(f"{mark[0]}+", code)), default=0)
    return mark[: max(3, longest + 1)]


def _first_line(source: str, block: Block) -> str:
    newline = _NEWLINE.search(source, block.start, block.end)
    return source[block.start : newline.start() if newline else block.end]


def _next_line(source: str, start: int, end: int) -> int:
    newline = _NEWLINE.search(source, start, end)
    return newline.end() if newline else end


def _last_line_start(source: str, start: int, end: int) -> int:
    return max(source.rfind("\n", start, end), source.rfind("\r", start, end), start - 1) + 1


def _languages(block: Block) -> tuple[str, ...]:
    """Languages of the code in a block, lower case; braces and dots of an attribute list left out."""
    found: dict[str, None] = {}
    blocks = [block]
    while blocks:
        inner = blocks.pop()
        if inner.language and (match := _LANGUAGE.match(inner.language)):
            found[match[1].lower()] = None
        if inner.children:
            blocks += reversed(inner.children)
    return tuple(found)
