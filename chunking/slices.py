"""Slices of a text as chunks: each fits the cap, all of them together hold every non-space character in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chunking.breadcrumb import under
from chunking.models import Chunk, Source
from chunking.overlap import repeated
from chunking.strategy import PackingStrategy
from chunking.tokens import TokenCounter
from chunking.windows import Break, windows

__all__ = ["Slicer"]


@dataclass(frozen=True, slots=True)
class Slicer:
    """Cuts the text of one source at the boundaries given, the best ones first."""

    source: Source
    strategy: PackingStrategy
    breaks: Sequence[Break]
    unit: Break  # what an overlap is made of, whole
    filled: bool = False  # each slice as long as the room allows, to the character
    counter: TokenCounter = field(init=False)
    crumb: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counter", self.strategy.counting())
        object.__setattr__(self, "crumb", self.strategy.crumb(self.source.title, (), self.counter))

    def chunks(self) -> list[Chunk]:
        """The whole text as chunks."""
        cap = self.strategy.max_size
        # What is repeated is counted in the cap. A target that the breadcrumb alone would use up is no target.
        most = cap - self.strategy.overlap - 2 * bool(self.strategy.overlap)
        room = min(most, max(self.strategy.target, 2 * self.counter.count(self.crumb)))
        text = self.source.text
        spans = windows(text, (0, len(text)), self._within(room), self._within(cap), self.breaks, filled=self.filled)
        chunks: list[Chunk] = []
        before: tuple[int, int] | None = None
        for span in spans:
            chunks.append(self._written(span, before, len(chunks)))
            before = span
        return chunks

    def _within(self, room: int) -> Callable[[int, int], bool]:
        return lambda start, end: self._size(start, end) <= room

    def _size(self, start: int, end: int) -> int:
        """Tokens of the larger of the two texts."""
        text = self.source.text[start:end]
        tokens = self.counter.count(text)
        return max(tokens, self.counter.count(under(self.crumb, text))) if self.crumb else tokens

    def _written(self, span: tuple[int, int], before: tuple[int, int] | None, position: int) -> Chunk:
        start, end = span
        if before and self.strategy.overlap:
            first = repeated(self.source.text, before, start, self.unit, self.strategy.overlap, self.counter)
            start = first if self._size(first, end) <= self.strategy.max_size else start
        text = self.source.text[start:end]
        embed_text = under(self.crumb, text)
        return Chunk(
            text, embed_text, self.counter.count(embed_text), anchor=self.source.anchor_at(span), span=span,
            position=position, metadata=dict(self.source.metadata),
        )  # fmt: skip
