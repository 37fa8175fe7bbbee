"""Markdown and other texts into chunks: an exact token cap, whole code and tables, a breadcrumb. Text only, no I/O."""

from chunking.blocks import Block, BlockKind, Parsed, parse_text
from chunking.document import MDocument
from chunking.errors import (
    ChunkingError,
    InvalidDocument,
    InvalidOption,
    NotChunked,
    UnknownStrategy,
    VocabularyUnavailable,
)
from chunking.models import Anchor, Chunk
from chunking.options import (
    CharacterOptions,
    ChunkOptions,
    HtmlOptions,
    JsonOptions,
    MarkdownOptions,
    PackingOptions,
    RecursiveOptions,
    SentenceOptions,
)
from chunking.parsing import parse_markdown
from chunking.plain import Plain
from chunking.strategies import STRATEGIES
from chunking.strategies.recursive import LANGUAGES
from chunking.tokens import ENCODINGS, CharacterCounter, TiktokenCounter, TokenCounter

__all__ = [
    "ENCODINGS",
    "LANGUAGES",
    "STRATEGIES",
    "Anchor",
    "Block",
    "BlockKind",
    "CharacterCounter",
    "CharacterOptions",
    "Chunk",
    "ChunkOptions",
    "ChunkingError",
    "HtmlOptions",
    "InvalidDocument",
    "InvalidOption",
    "JsonOptions",
    "MDocument",
    "MarkdownOptions",
    "NotChunked",
    "PackingOptions",
    "Parsed",
    "Plain",
    "RecursiveOptions",
    "SentenceOptions",
    "TiktokenCounter",
    "TokenCounter",
    "UnknownStrategy",
    "VocabularyUnavailable",
    "parse_markdown",
    "parse_text",
]
