"""Markdown into chunks: an exact token cap, whole code and tables, a breadcrumb. Text only, no I/O."""

from chunking.blocks import Block, BlockKind, Parsed, parse_text
from chunking.document import ChunkOptions, MDocument
from chunking.errors import ChunkingError, InvalidOption, NotChunked, UnknownStrategy, VocabularyUnavailable
from chunking.models import Anchor, Chunk
from chunking.parsing import parse_markdown
from chunking.plain import Plain
from chunking.tokens import CharacterCounter, TiktokenCounter, TokenCounter

__all__ = [
    "Anchor",
    "Block",
    "BlockKind",
    "CharacterCounter",
    "Chunk",
    "ChunkOptions",
    "ChunkingError",
    "InvalidOption",
    "MDocument",
    "NotChunked",
    "Parsed",
    "Plain",
    "TiktokenCounter",
    "TokenCounter",
    "UnknownStrategy",
    "VocabularyUnavailable",
    "parse_markdown",
    "parse_text",
]
