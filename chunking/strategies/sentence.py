"""The sentence strategy: whole sentences, packed up to the target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chunking.errors import InvalidOption
from chunking.models import Chunk, Kind, Source
from chunking.slices import Slicer
from chunking.strategy import PackingStrategy
from chunking.windows import WORDS, Break

__all__ = ["SentenceStrategy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceStrategy(PackingStrategy):
    """Cuts after one of `sentence_enders` and at blank lines; an overlap repeats whole sentences.

    A sentence over the target is left whole, unless it is over the cap: then it is cut between words.
    """

    reads: ClassVar[frozenset[Kind]] = frozenset({"markdown", "text"})

    sentence_enders: Sequence[str] = (".", "!", "?", "…", "。", "！", "？")

    def __post_init__(self) -> None:
        PackingStrategy.__post_init__(self)
        if not self.sentence_enders or not all(self.sentence_enders):
            raise InvalidOption("sentence_enders is empty or holds an empty text; give one ender or more.")

    def chunks(self, source: Source) -> list[Chunk]:
        sentences = self._sentences()
        return Slicer(source, self, (sentences, WORDS), sentences).chunks()

    def _sentences(self) -> Break:
        # A full stop ends a sentence only before a space; where no spaces are written, the mark is enough.
        spaced = [re.escape(ender) for ender in self.sentence_enders if ender.isascii() or ender == "…"]
        closed = [re.escape(ender) for ender in self.sentence_enders if not (ender.isascii() or ender == "…")]
        ends = [rf"(?:{'|'.join(spaced)})[\"')\]”’»*_`]*\s+"] if spaced else []
        ends += [rf"(?:{'|'.join(closed)})[」』”’）]*"] if closed else []
        return Break(re.compile("|".join([*ends, r"(?:\r\n?|\n)[ \t]*(?:\r\n?|\n)"])), whole=True)
