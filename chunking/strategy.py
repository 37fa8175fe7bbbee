"""What every strategy has: the cap, the counter, the breadcrumb, and the documents that it reads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

from chunking.breadcrumb import breadcrumb
from chunking.errors import InvalidOption
from chunking.models import Chunk, Kind, Source
from chunking.tokens import TiktokenCounter, TokenCounter

__all__ = ["MIN_CAP", "PackingStrategy", "Strategy"]

MIN_CAP = 64
"""The smallest `max_size` in tokens: below it there is no room for breadcrumb, fence and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy(ABC):
    """A way to cut a document. The fields are its options, all sizes are tokens of `counter`.

    `max_size` is the hard cap of `text` and of `embed_text`. Without a counter, tiktoken's `encoding` counts.
    `InvalidOption` on values that cannot be kept.
    """

    reads: ClassVar[frozenset[Kind]]

    max_size: int = 8190
    include_breadcrumb: bool = True
    encoding: str = "cl100k_base"
    counter: TokenCounter | None = None

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if option.type is int and not isinstance(value, int):
                raise InvalidOption(f"{option.name} is {value!r}; it must be a whole number.")
        TiktokenCounter(self.encoding)  # an unknown encoding is an error before the work starts
        if self.max_size < MIN_CAP:
            raise InvalidOption(f"max_size is {self.max_size}; it must be at least {MIN_CAP} tokens.")

    @abstractmethod
    def chunks(self, source: Source) -> list[Chunk]:
        """The chunks in order; none for a document without a non-space character."""

    def counting(self) -> TokenCounter:
        """The counter that all sizes are meant by."""
        return TiktokenCounter(self.encoding) if self.counter is None else self.counter

    def crumb(self, title: str, headings: tuple[str, ...], counter: TokenCounter) -> str:
        """The line before the text of a chunk: at most a quarter of the cap, empty where it is not wanted."""
        if not self.include_breadcrumb:
            return ""
        return breadcrumb(title, headings, self.max_size // 4, counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingStrategy(Strategy):
    """A strategy that packs parts up to `target_size` (None: the cap) and may repeat the end of the chunk before.

    `overlap` is the most that is repeated, in tokens. It is outside of a chunk's span, and counted in the cap.
    """

    target_size: int | None = None
    overlap: int = 0

    def __post_init__(self) -> None:
        Strategy.__post_init__(self)
        if not 1 <= self.target <= self.max_size:
            raise InvalidOption(f"target_size is {self.target}; it must be from 1 to max_size ({self.max_size}).")
        if not 0 <= self.overlap <= self.max_size // 2:
            raise InvalidOption(
                f"overlap is {self.overlap}; it must be from 0 to half of max_size ({self.max_size // 2})."
            )

    @property
    def target(self) -> int:
        """What packing aims for, in tokens."""
        return self.max_size if self.target_size is None else self.target_size
