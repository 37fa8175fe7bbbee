"""The markdown strategy: parse, part into sections, cut what is too long, pack what is short, and verify.

1. Markdown becomes blocks with spans (`blocks`), and blocks become a tree of sections (`sections`).
2. A block that alone is over `max_size` is cut at the best place inside it (`splitting`, `windows`).
3. Neighbours under one parent are joined up to `target_size` (`packing`).
4. Every chunk is counted exactly before it is handed out, and parted again if the sum was too low.

No character is dropped and none is counted more than a fixed number of times, so the work is linear.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

from chunking.blocks import parse_text
from chunking.breadcrumb import breadcrumb, under
from chunking.errors import InvalidOption
from chunking.models import Chunk, Kind, Source
from chunking.overlap import repeated
from chunking.packing import Packer, Path
from chunking.parsing import parse_markdown
from chunking.sections import section_tree
from chunking.splitting import Piece, Splitter
from chunking.strategy import PackingStrategy
from chunking.tokens import added_up, fits
from chunking.windows import SENTENCES

__all__ = ["HEADER_OMITTED", "MarkdownStrategy"]

HEADER_OMITTED = "table_header_omitted"
"""Metadata key, True on a part of a table whose header row is too long to be repeated (promise K3)."""

_BLANK_LINE = "\n\n"

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkdownStrategy(PackingStrategy):
    """Cuts along headings, anchored items and blocks; a plain text along paragraphs.

    A chunk below `min_size` may grow over the target rather than stay small. An overlap repeats whole sentences,
    and never what stands under another heading.
    """

    reads: ClassVar[frozenset[Kind]] = frozenset({"markdown", "text"})

    min_size: int = 0

    def __post_init__(self) -> None:
        PackingStrategy.__post_init__(self)
        if not 0 <= self.min_size <= self.target:
            raise InvalidOption(f"min_size is {self.min_size}; it must be from 0 to the target ({self.target}).")

    def chunks(self, source: Source) -> list[Chunk]:
        parsed = parse_markdown(source.text) if source.kind == "markdown" else parse_text(source.text)
        counter = self.counting()
        # Room for what is repeated, where no block needs the whole cap.
        room = self.max_size - self.overlap - 2 * bool(self.overlap)
        splitter = Splitter(parsed, counter, self.max_size, min(self.target, room))
        writer = _Writer(self, source, splitter)
        packer = Packer(splitter, self.min_size, writer.crumb_tokens)
        before: tuple[Piece, Path] | None = None
        for draft in packer.drafts(section_tree(parsed, source.anchors)):
            tail = writer.tail(before, draft.pieces[0], draft.path) if before and self.overlap else None
            writer.write(draft.pieces, draft.path, tail)
            before = draft.pieces[-1], draft.path
        return writer.chunks


@dataclass(frozen=True, slots=True)
class _Writer:
    """Turns pieces into chunks that are under the cap when counted exactly."""

    strategy: MarkdownStrategy
    source: Source
    splitter: Splitter
    chunks: list[Chunk] = field(default_factory=list)
    _crumbs: dict[Path, tuple[str, int]] = field(default_factory=dict)

    def crumb_tokens(self, path: Path) -> int:
        """Tokens of the breadcrumb of a path where nothing presses: at most a quarter of the cap."""
        return self._crumb(path)[1]

    def _crumb(self, path: Path) -> tuple[str, int]:
        if path not in self._crumbs:
            line = self._fitted(path, self.strategy.max_size // 4)
            self._crumbs[path] = line, self._count(line)
        return self._crumbs[path]

    def _fitted(self, path: Path, room: int) -> str:
        if not self.strategy.include_breadcrumb:
            return ""
        return breadcrumb(self.source.title, path, room, self.splitter.counter)

    def _count(self, text: str) -> int:
        return self.splitter.counter.count(text)

    def tail(self, before: tuple[Piece, Path], first: Piece, path: Path) -> Span | None:
        """The sentences that a chunk repeats from the one before; none across a heading, code or a table."""
        last, last_path = before
        if path != last_path or first.heading or first.prefix or not last.prose:
            return None
        span = last.start, last.end
        counter = self.splitter.counter
        place = repeated(self.source.text, span, first.start, SENTENCES, self.strategy.overlap, counter)
        return (place, last.end) if place < last.end else None

    def write(self, pieces: Sequence[Piece], path: Path, tail: Span | None = None) -> None:
        """One chunk of all the pieces, or several where their exact count is over the cap."""
        chunk, over = self._chunk(pieces, path, tail)
        if over and tail:
            chunk, over = self._chunk(pieces, path, None)
        if over:
            middle = len(pieces) // 2
            halves = (
                (pieces[:middle], pieces[middle:]) if middle else [[part] for part in self.splitter.parts(pieces[0])]
            )
            for half in halves:
                self.write(half, path)
            if halves:
                return
        self.chunks.append(chunk)

    def _chunk(self, pieces: Sequence[Piece], path: Path, tail: Span | None) -> tuple[Chunk, bool]:
        """The pieces as a chunk, and whether it is over the cap."""
        source, cap = self.source, self.strategy.max_size
        start, end = pieces[0].start, pieces[-1].end
        text = f"{pieces[0].prefix}{source.text[tail[0] if tail else start : end]}{pieces[-1].suffix}"
        plain = _BLANK_LINE.join(filter(None, [piece.plain for piece in pieces]))
        if tail:
            shown = self.splitter.parsed.shown.text(*tail)
            plain = f"{shown}{' ' if pieces[0].inside else _BLANK_LINE}{plain}"
        embed_text, token_count = self._embedded(path, plain, text, [] if tail else pieces)
        languages = dict.fromkeys(language for piece in pieces for language in piece.languages)
        flags = {HEADER_OMITTED: True} if any(piece.headerless for piece in pieces) else {}
        chunk = Chunk(
            text, embed_text, token_count, path, source.anchor_at((start, end)), tuple(languages), (start, end),
            position=len(self.chunks), metadata={**source.metadata, **flags},
        )  # fmt: skip
        known = not tail and self._surely_fits(pieces)
        return chunk, token_count > cap or not (known or fits(self.splitter.counter, text, cap))

    def _surely_fits(self, pieces: Sequence[Piece]) -> bool:
        """Whether the text of the pieces is within the cap by the counts of each."""
        source = self.source.text
        texts = [source[piece.start : piece.end] for piece in pieces]
        texts[0] = pieces[0].prefix + texts[0]
        gaps = [source[one.end : other.start] for one, other in pairwise(pieces)]
        tokens = added_up(self.splitter.counter, texts, [piece.text_tokens for piece in pieces], gaps)
        return tokens is not None and tokens <= self.strategy.max_size

    def _plain_tokens(self, path: Path, pieces: Sequence[Piece]) -> int | None:
        """Tokens of the plain text of the pieces under their breadcrumb, where most of them are counted already."""
        seen = [piece for piece in pieces if piece.plain]
        new = [piece for piece in seen if not piece.plain_counted]
        if not seen or 2 * sum([len(piece.plain) for piece in new]) > sum([len(piece.plain) for piece in seen]):
            return None
        for piece in new:
            self.splitter.count_plain(piece)
        texts, counts = [piece.plain for piece in seen], [piece.plain_tokens for piece in seen]
        line, tokens = self._crumb(path)
        if line:
            texts.insert(0, line)
            counts.insert(0, tokens)
        return added_up(self.splitter.counter, texts, counts, [_BLANK_LINE] * (len(texts) - 1))

    def _embedded(self, path: Path, plain: str, text: str, pieces: Sequence[Piece]) -> tuple[str, int]:
        """Breadcrumb and plain text, exactly counted; the breadcrumb gives way where the cap demands it."""
        count = self._count
        line = self._crumb(path)[0]
        body = plain or ("" if line else text)
        embed_text = under(line, body)
        tokens = self._plain_tokens(path, pieces)
        tokens = count(embed_text) if tokens is None else tokens
        room = self.strategy.max_size - count(body) - 2 if tokens > self.strategy.max_size else 0
        while tokens > self.strategy.max_size and line:
            line = self._fitted(path, room)
            embed_text = under(line, body)
            tokens = count(embed_text)
            room -= 1 + room // 4
        return embed_text, tokens
