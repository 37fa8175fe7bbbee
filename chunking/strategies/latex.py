"""The latex strategy: before sectioning commands and environments, then as prose."""

import re
from dataclasses import dataclass
from typing import ClassVar

from chunking.models import Chunk, Kind, Source
from chunking.slices import Slicer
from chunking.strategy import PackingStrategy
from chunking.windows import BLANK_LINES, LINES, SENTENCES, WORDS, Break

__all__ = ["LatexStrategy"]

_COMMANDS = (r"part|chapter|section", "subsection", "subsubsection|paragraph|subparagraph", "begin|item")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatexStrategy(PackingStrategy):
    """Cuts before parts, chapters and sections, then subsections, environments and items, then as prose is cut."""

    reads: ClassVar[frozenset[Kind]] = frozenset({"markdown", "text"})

    def chunks(self, source: Source) -> list[Chunk]:
        commands = [Break(re.compile(rf"(?=\\(?:{names})\b)")) for names in _COMMANDS]
        return Slicer(source, self, (*commands, BLANK_LINES, LINES, SENTENCES, WORDS), SENTENCES).chunks()
