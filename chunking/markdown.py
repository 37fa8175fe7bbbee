"""The markdown strategy: parse, part into sections, cut what is too long, pack what is short, and verify.

1. Markdown becomes blocks with spans (`blocks`), and blocks become a tree of sections (`sections`).
2. A block that alone is over `max_size` is cut at the best place inside it (`splitting`, `windows`).
3. Neighbours under one parent are joined up to `target_size` (`packing`).
4. Every chunk is counted exactly before it is handed out, and parted again if the sum was too low.

No character is dropped and none is counted more than a fixed number of times, so the work is linear.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from chunking.blocks import Parsed, parse_text
from chunking.breadcrumb import breadcrumb, under
from chunking.errors import InvalidOption
from chunking.models import Chunk, Kind, Source
from chunking.overlap import repeated
from chunking.packing import Packer, Path
from chunking.parsing import parse_markdown
from chunking.sections import section_tree
from chunking.splitting import Piece, Splitter
from chunking.strategy import PackingStrategy
from chunking.tokens import TokenCounter, fits
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
        writer = _Writer(self, parsed, source.title, counter)
        # Room for what is repeated, where no block needs the whole cap.
        room = self.max_size - self.overlap - 2 * bool(self.overlap)
        splitter = Splitter(parsed, counter, self.max_size, min(self.target, room))
        packer = Packer(splitter, self.min_size, writer.crumb_tokens)
        chunks: list[Chunk] = []
        before: tuple[Piece, Path] | None = None
        for draft in packer.drafts(section_tree(parsed, source.anchors)):
            tail = writer.tail(before, draft.pieces[0], draft.path) if before and self.overlap else None
            for written in writer.written(draft.pieces, draft.path, tail):
                chunks.append(
                    replace(
                        written,
                        anchor=source.anchor_at(written.span),
                        position=len(chunks),
                        metadata={**source.metadata, **written.metadata},
                    )
                )
            before = draft.pieces[-1], draft.path
        return chunks


@dataclass(frozen=True, slots=True)
class _Writer:
    """Turns pieces into chunks that are under the cap when counted exactly."""

    strategy: MarkdownStrategy
    parsed: Parsed
    title: str
    counter: TokenCounter
    _crumbs: dict[Path, tuple[str, int]] = field(default_factory=dict)

    def crumb_tokens(self, path: Path) -> int:
        """Tokens of the breadcrumb of a path where nothing presses: at most a quarter of the cap."""
        return self._crumb(path)[1]

    def _crumb(self, path: Path) -> tuple[str, int]:
        if path not in self._crumbs:
            line = self._fitted(path, self.strategy.max_size // 4)
            self._crumbs[path] = line, self.counter.count(line)
        return self._crumbs[path]

    def _fitted(self, path: Path, room: int) -> str:
        if not self.strategy.include_breadcrumb:
            return ""
        return breadcrumb(self.title, path, room, self.counter.count)

    def tail(self, before: tuple[Piece, Path], first: Piece, path: Path) -> Span | None:
        """The sentences that a chunk repeats from the one before; none across a heading, code or a table."""
        last, last_path = before
        if path != last_path or first.heading or first.prefix or not last.prose:
            return None
        span = last.start, last.end
        place = repeated(self.parsed.source, span, first.start, SENTENCES, self.strategy.overlap, self.counter)
        return (place, last.end) if place < last.end else None

    def written(self, pieces: Sequence[Piece], path: Path, tail: Span | None = None) -> Iterator[Chunk]:
        """One chunk of all the pieces, or several where their exact count is over the cap."""
        chunk, over = self._chunk(pieces, path, tail)
        if over and tail:
            chunk, over = self._chunk(pieces, path, None)
        if over and len(pieces) > 1:
            middle = len(pieces) // 2
            yield from self.written(pieces[:middle], path)
            yield from self.written(pieces[middle:], path)
        else:
            yield chunk

    def _chunk(self, pieces: Sequence[Piece], path: Path, tail: Span | None) -> tuple[Chunk, bool]:
        """The pieces as a chunk, and whether it is over the cap."""
        source = self.parsed.source
        start, end = pieces[0].start, pieces[-1].end
        text = f"{pieces[0].prefix}{source[tail[0] if tail else start : end]}{pieces[-1].suffix}"
        plain = _BLANK_LINE.join(filter(None, (piece.plain for piece in pieces)))
        if tail:
            plain = f"{self.parsed.shown.text(*tail)}{' ' if pieces[0].inside else _BLANK_LINE}{plain}"
        embed_text, token_count = self._embedded(path, plain, text)
        languages = dict.fromkeys(language for piece in pieces for language in piece.languages)
        flags = {HEADER_OMITTED: True} if any(piece.headerless for piece in pieces) else {}
        chunk = Chunk(
            text, embed_text, token_count, path, languages=tuple(languages), span=(start, end), metadata=flags
        )
        cap = self.strategy.max_size
        alone = len(pieces) == 1 and not tail
        return chunk, token_count > cap or not (alone or fits(self.counter, text, cap))

    def _embedded(self, path: Path, plain: str, text: str) -> tuple[str, int]:
        """Breadcrumb and plain text, exactly counted; the breadcrumb gives way where the cap demands it."""
        count = self.counter.count
        line = self._crumb(path)[0]
        body = plain or ("" if line else text)
        embed_text = under(line, body)
        tokens = count(embed_text)
        room = self.strategy.max_size - count(body) - 2 if tokens > self.strategy.max_size else 0
        while tokens > self.strategy.max_size and line:
            line = self._fitted(path, room)
            embed_text = under(line, body)
            tokens = count(embed_text)
            room -= 1 + room // 4
        return embed_text, tokens
