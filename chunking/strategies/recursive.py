"""The recursive strategy: at the coarsest separator in reach, for prose or for a programming language."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

from chunking.errors import InvalidOption, nearest
from chunking.models import Chunk, Kind, Source
from chunking.slices import Slicer
from chunking.strategy import PackingStrategy
from chunking.windows import BLANK_LINES, LINES, SENTENCES, WORDS, Break

__all__ = ["LANGUAGES", "Language", "RecursiveStrategy", "separator_breaks"]

Language = Literal[
    "c", "cobol", "cpp", "csharp", "elixir", "go", "haskell", "html", "java", "js", "kotlin", "latex", "lua",
    "markdown", "perl", "php", "powershell", "proto", "python", "rst", "ruby", "rust", "scala", "solidity", "swift",
    "ts",
]  # fmt: skip
"""A language that the recursive strategy has separators for."""

_ABOVE = r"@|#|//|/\*|--|%"
_TYPES = "class|struct|union|enum|interface|namespace"
_DEFINITIONS: Mapping[Language, str] = MappingProxyType(
    {
        "c": "struct|union|enum|typedef|static|extern|void|int|char|float|double|long|unsigned|#define|#if",
        "cobol": r"(?:IDENTIFICATION|ENVIRONMENT|DATA|PROCEDURE) DIVISION|[\w-]+ SECTION",
        "cpp": f"{_TYPES}|template|typedef|using|static|extern|void|int|char|float|double|auto|#define|#if",
        "csharp": f"{_TYPES}|record|delegate|public|protected|private|internal|static|abstract|\\[",
        "elixir": "defmodule|defprotocol|defimpl|defmacro|defp|def|@doc|@moduledoc",
        "go": "func|type|var|const",
        "haskell": "module|data|newtype|type|class|instance|[a-z]\\w*'? ::",
        "html": "<(?:section|article|main|header|footer|nav|aside|h[1-6]|div|table|ul|ol|p)",
        "java": f"{_TYPES}|record|@|public|protected|private|static|abstract|final",
        "js": "export|import|class|(?:async )?function|const|let|var",
        "kotlin": f"{_TYPES}|object|data|sealed|open|abstract|public|protected|private|internal|fun|val|var",
        "latex": r"\\(?:part|chapter|section|subsection|subsubsection|paragraph|begin)",
        "lua": "local|function",
        "markdown": "#{1,6} |```|~~~|\\* \\* \\*|---",
        "perl": "package|sub|use|=head",
        "php": f"{_TYPES}|trait|abstract|final|public|protected|private|static|function",
        "powershell": "function|filter|class|enum|param",
        "proto": "message|service|enum|rpc|option|import|syntax",
        "python": "@|class|(?:async )?def",
        "rst": "\\.\\. |=====|-----|~~~~~|\\*\\*\\*\\*\\*",
        "ruby": "module|class|def|begin",
        "rust": "#\\[|pub|fn|struct|enum|trait|impl|mod|const|static|type|macro_rules",
        "scala": "package|object|case|class|trait|def|val|var",
        "solidity": "pragma|using|contract|interface|library|constructor|type|function|event|modifier|error|struct",
        "swift": f"{_TYPES}|protocol|extension|func|let|var|@|public|private",
        "ts": "export|import|interface|type|enum|namespace|abstract|class|(?:async )?function|const|let|var",
    }
)
LANGUAGES: Sequence[str] = tuple(_DEFINITIONS)
"""The languages whose separators are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecursiveStrategy(PackingStrategy):
    """Cuts at the first separator of the list that occurs in reach, else at the next one, at last in a word.

    `separators` are texts, or with `is_separator_regex` patterns; a cut is made after one. Default: blank lines,
    lines, sentences, words. With `language`, cuts come before its definitions, top-level ones first.
    """

    reads: ClassVar[frozenset[Kind]] = frozenset({"markdown", "text", "html", "json"})

    separators: Sequence[str] | None = None
    is_separator_regex: bool = False
    language: Language | None = None

    def __post_init__(self) -> None:
        PackingStrategy.__post_init__(self)
        if self.language is not None and self.language not in LANGUAGES:
            raise InvalidOption(f"There are no separators for the language {self.language!r}{self._hint()}")
        if self.language is not None and self.separators is not None:
            raise InvalidOption("Give separators or a language, not both.")
        self._breaks()

    def chunks(self, source: Source) -> list[Chunk]:
        return Slicer(source, self, self._breaks(), LINES if self.language else SENTENCES).chunks()

    def _breaks(self) -> Sequence[Break]:
        if self.language is not None:
            words = _DEFINITIONS[self.language]
            # A comment or decorator right above a definition belongs to it: the blank line before both is better.
            patterns = (
                rf"\n(?:[ \t]*\r?\n)+(?={_ABOVE}|{words})",
                rf"\n(?:[ \t]*\r?\n)+(?=[ \t]*(?:{_ABOVE}|{words}))",
                rf"\n(?={words})",
            )
            return (*(Break(re.compile(pattern)) for pattern in patterns), BLANK_LINES, LINES, WORDS)
        if self.separators is not None:
            return (*separator_breaks(self.separators, is_regex=self.is_separator_regex), WORDS)
        return (BLANK_LINES, LINES, SENTENCES, WORDS)

    def _hint(self) -> str:
        return nearest(str(self.language), LANGUAGES)


def separator_breaks(separators: Sequence[str], *, is_regex: bool) -> list[Break]:
    """Boundaries after each separator; an empty one stands for every character, which is always the last resort."""
    breaks: list[Break] = []
    if isinstance(separators, str):
        raise InvalidOption(f"separators is the text {separators!r}; give a list of separators.")
    for separator in separators:
        try:
            pattern = re.compile(separator if is_regex else re.escape(separator))
        except re.error as error:
            raise InvalidOption(f"The separator {separator!r} is no regular expression: {error}.") from error
        if separator:
            breaks.append(Break(pattern))
    return breaks
