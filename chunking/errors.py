"""What can go wrong between markdown and chunks.

ChunkingError
├── InvalidOption           an option is out of range or unknown (also a ValueError)
│   └── UnknownStrategy     no strategy of that name; the message names the nearest
├── NotChunked              the chunks of a document were asked for before it was chunked
└── VocabularyUnavailable   the token vocabulary is neither installed nor to be downloaded
"""

__all__ = ["ChunkingError", "InvalidOption", "NotChunked", "UnknownStrategy", "VocabularyUnavailable"]


class ChunkingError(Exception):
    """Base of every error that `chunking` raises on purpose."""


class InvalidOption(ChunkingError, ValueError):
    """An option of `MDocument.chunk` is unknown or out of range; the message names it and what is allowed."""


class UnknownStrategy(InvalidOption):
    """There is no chunking strategy of that name; the message names the nearest one."""


class NotChunked(ChunkingError):
    """`get_docs` was called on a document that has not been through `chunk`."""


class VocabularyUnavailable(ChunkingError):
    """The vocabulary of the tokenizer could not be found or downloaded; the message says what to install."""
