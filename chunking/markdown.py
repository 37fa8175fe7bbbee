"""The markdown strategy: parse, part into sections, cut what is too long, pack what is short, and verify.

1. Markdown becomes blocks with spans (`blocks`), and blocks become a tree of sections (`sections`).
2. A block that alone is over `max_size` is cut at the best place inside it (`splitting`, `windows`).
3. Neighbours under one parent are joined up to `target_size` (`packing`).
4. Every chunk is counted exactly before it is handed out, and parted again if the sum was too low.

No character is dropped and none is counted more than a fixed number of times, so the work is linear.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chunking.blocks import Parsed
from chunking.breadcrumb import breadcrumb
from chunking.errors import InvalidOption
from chunking.models import Anchor, Chunk
from chunking.packing import Packer, Path
from chunking.sections import section_tree
from chunking.splitting import Piece, Splitter
from chunking.tokens import TiktokenCounter, TokenCounter

__all__ = ["HEADER_OMITTED", "MIN_CAP", "MarkdownStrategy"]

MIN_CAP = 64
"""The smallest `max_size` in tokens: below it there is no room for breadcrumb, fence and text."""

HEADER_OMITTED = "table_header_omitted"
"""Metadata key, True on a part of a table whose header row is too long to be repeated (promise K3)."""


@dataclass(frozen=True, slots=True)
class MarkdownStrategy:
    """Cuts along headings, anchored items and blocks. All sizes are tokens of `counter`.

    `max_size` is the cap of `text` and of `embed_text`; `target_size` is what packing aims for (None: the
    cap); a chunk below `min_size` may grow over the target rather than stay small. `InvalidOption` on sizes
    that cannot be kept.
    """

    counter: TokenCounter = field(default_factory=TiktokenCounter)
    max_size: int = 8190
    target_size: int | None = None
    min_size: int = 0
    include_breadcrumb: bool = True

    def __post_init__(self) -> None:
        if self.max_size < MIN_CAP:
            raise InvalidOption(f"max_size is {self.max_size}; it must be at least {MIN_CAP} tokens.")
        if not 1 <= self.target <= self.max_size:
            raise InvalidOption(f"target_size is {self.target}; it must be from 1 to max_size ({self.max_size}).")
        if not 0 <= self.min_size <= self.target:
            raise InvalidOption(f"min_size is {self.min_size}; it must be from 0 to the target ({self.target}).")

    @property
    def target(self) -> int:
        """What packing aims for, in tokens."""
        return self.max_size if self.target_size is None else self.target_size

    def chunks(self, parsed: Parsed, anchors: Sequence[Anchor], metadata: Mapping[str, object]) -> list[Chunk]:
        """The chunks of a parsed document, in order; none for a document without a non-space character."""
        title = metadata.get("title")
        writer = _Writer(self, parsed, title if isinstance(title, str) else "")
        splitter = Splitter(parsed, self.counter, self.max_size, self.target)
        packer = Packer(splitter, self.min_size, writer.crumb_tokens)
        places = sorted((anchor for anchor in anchors if anchor[1]), key=lambda anchor: anchor[0])
        offsets = [offset for offset, *_ in places]
        chunks: list[Chunk] = []
        for draft in packer.drafts(section_tree(parsed, anchors)):
            for written in writer.written(draft.pieces, draft.path):
                before = bisect_right(offsets, _first_character(parsed.source, written.span))
                chunks.append(
                    replace(
                        written,
                        anchor=places[before - 1][1] if before else None,
                        position=len(chunks),
                        metadata={**metadata, **written.metadata},
                    )
                )
        return chunks


@dataclass(frozen=True, slots=True)
class _Writer:
    """Turns pieces into chunks that are under the cap when counted exactly."""

    strategy: MarkdownStrategy
    parsed: Parsed
    title: str
    _crumbs: dict[Path, tuple[str, int]] = field(default_factory=dict)

    def crumb_tokens(self, path: Path) -> int:
        """Tokens of the breadcrumb of a path where nothing presses: at most a quarter of the cap."""
        return self._crumb(path)[1]

    def _crumb(self, path: Path) -> tuple[str, int]:
        if path not in self._crumbs:
            line = self._fitted(path, self.strategy.max_size // 4)
            self._crumbs[path] = line, self.strategy.counter.count(line)
        return self._crumbs[path]

    def _fitted(self, path: Path, room: int) -> str:
        if not self.strategy.include_breadcrumb:
            return ""
        return breadcrumb(self.title, path, room, self.strategy.counter.count)

    def written(self, pieces: Sequence[Piece], path: Path) -> Iterator[Chunk]:
        """One chunk of all the pieces, or several where their exact count is over the cap."""
        start, end = pieces[0].start, pieces[-1].end
        text = f"{pieces[0].prefix}{self.parsed.source[start:end]}{pieces[-1].suffix}"
        plain = "\n\n".join(filter(None, (piece.plain for piece in pieces)))
        embed_text, token_count = self._embedded(path, plain, text)
        cap = self.strategy.max_size
        if len(pieces) > 1 and (token_count > cap or self.strategy.counter.count(text) > cap):
            middle = len(pieces) // 2
            yield from self.written(pieces[:middle], path)
            yield from self.written(pieces[middle:], path)
            return
        languages = dict.fromkeys(language for piece in pieces for language in piece.languages)
        flags = {HEADER_OMITTED: True} if any(piece.headerless for piece in pieces) else {}
        yield Chunk(text, embed_text, token_count, path, languages=tuple(languages), span=(start, end), metadata=flags)

    def _embedded(self, path: Path, plain: str, text: str) -> tuple[str, int]:
        """Breadcrumb and plain text, exactly counted; the breadcrumb gives way where the cap demands it."""
        count = self.strategy.counter.count
        line = self._crumb(path)[0]
        body = plain or ("" if line else text)
        embed_text = "\n\n".join(filter(None, (line, body)))
        tokens = count(embed_text)
        room = self.strategy.max_size - count(body) - 2 if tokens > self.strategy.max_size else 0
        while tokens > self.strategy.max_size and line:
            line = self._fitted(path, room)
            embed_text = "\n\n".join(filter(None, (line, body)))
            tokens = count(embed_text)
            room -= 1 + room // 4
        return embed_text, tokens


def _first_character(source: str, span: tuple[int, int]) -> int:
    """Offset of the first non-space character of a chunk."""
    start, end = span
    return end - len(source[start:end].lstrip())
