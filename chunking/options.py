"""The options of each strategy as types; the strategies' classes say what they mean. Sizes are tokens."""

from collections.abc import Sequence
from typing import TypedDict

from chunking.strategies.recursive import Language
from chunking.tokens import TokenCounter

__all__ = [
    "CharacterOptions",
    "ChunkOptions",
    "HtmlOptions",
    "JsonOptions",
    "MarkdownOptions",
    "PackingOptions",
    "RecursiveOptions",
    "SentenceOptions",
]


class ChunkOptions(TypedDict, total=False):
    """What every strategy can be told."""

    max_size: int  # cap of `text` and of `embed_text`; default 8190, at least 64
    include_breadcrumb: bool  # title and headings in `embed_text`; default True
    encoding: str  # one of tiktoken's; default cl100k_base
    counter: TokenCounter  # counts instead of an encoding


class PackingOptions(ChunkOptions, total=False):
    """What the strategies that pack parts can be told besides."""

    target_size: int | None  # what packing aims for; default None: the cap
    overlap: int  # tokens of the chunk before that are repeated; default 0, at most half of the cap


class MarkdownOptions(PackingOptions, total=False):
    """Options of the markdown strategy."""

    min_size: int  # a chunk below it may grow over the target; default 0


class RecursiveOptions(PackingOptions, total=False):
    """Options of the recursive strategy."""

    separators: Sequence[str] | None  # coarsest first; default: blank lines, lines, sentences, words
    is_separator_regex: bool  # default False
    language: Language | None  # its separators instead


class CharacterOptions(PackingOptions, total=False):
    """Options of the character strategy."""

    separator: str  # default: a blank line
    is_separator_regex: bool  # default False


class SentenceOptions(PackingOptions, total=False):
    """Options of the sentence strategy."""

    sentence_enders: Sequence[str]  # default: . ! ? … 。 ！ ？


class HtmlOptions(ChunkOptions, total=False):
    """Options of the html strategy."""

    headers: Sequence[str]  # element names, outermost first; default h1 to h6
    sections: Sequence[str]  # element names, instead of headers


class JsonOptions(ChunkOptions, total=False):
    """Options of the json strategy."""

    target_size: int | None  # what packing aims for; default None: the cap
    ensure_ascii: bool  # default False
