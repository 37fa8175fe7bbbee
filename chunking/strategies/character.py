"""The character strategy: at one separator, and inside what that leaves too long between words."""

from dataclasses import dataclass
from typing import ClassVar

from chunking.models import Chunk, Kind, Source
from chunking.slices import Slicer
from chunking.strategies.recursive import separator_breaks
from chunking.strategy import PackingStrategy
from chunking.windows import WORDS, Break

__all__ = ["CharacterStrategy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterStrategy(PackingStrategy):
    """Packs what lies between separators up to the target; an overlap repeats whole parts.

    A part that alone is over the cap is cut between words, at last between characters.
    """

    reads: ClassVar[frozenset[Kind]] = frozenset({"markdown", "text"})

    separator: str = "\n\n"
    is_separator_regex: bool = False

    def __post_init__(self) -> None:
        PackingStrategy.__post_init__(self)
        self._breaks()

    def chunks(self, source: Source) -> list[Chunk]:
        breaks = self._breaks()
        return Slicer(source, self, (*breaks, WORDS), breaks[0] if breaks else WORDS).chunks()

    def _breaks(self) -> list[Break]:
        found = separator_breaks([self.separator], is_regex=self.is_separator_regex)
        return [separator._replace(whole=True) for separator in found]
