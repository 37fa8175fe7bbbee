"""The token strategy: chunks of as many tokens as asked for, cut anywhere but inside a character as people see it."""

from dataclasses import dataclass
from typing import ClassVar

from chunking.models import Chunk, Kind, Source
from chunking.slices import Slicer
from chunking.strategy import PackingStrategy
from chunking.windows import CHARACTERS

__all__ = ["TokenStrategy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStrategy(PackingStrategy):
    """Fills each chunk to the target; an overlap repeats as many tokens as asked for."""

    reads: ClassVar[frozenset[Kind]] = frozenset({"markdown", "text", "html", "json"})

    def chunks(self, source: Source) -> list[Chunk]:
        return Slicer(source, self, (), CHARACTERS, filled=True).chunks()
