"""What can go wrong between markdown and chunks.

ChunkingError
├── InvalidOption           an option is out of range or unknown (also a ValueError)
│   └── UnknownStrategy     no strategy of that name; the message names the nearest
├── InvalidDocument         a text is no JSON, or of a kind that the strategy does not read (also a ValueError)
├── NotChunked              the chunks of a document were asked for before it was chunked
└── VocabularyUnavailable   the token vocabulary cannot be loaded
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "ChunkingError",
    "InvalidDocument",
    "InvalidOption",
    "NotChunked",
    "UnknownStrategy",
    "VocabularyUnavailable",
    "nearest",
]


class ChunkingError(Exception):
    """Base of every error that `chunking` raises on purpose."""


class InvalidOption(ChunkingError, ValueError):
    """An option of `MDocument.chunk` is unknown or out of range; the message names it and what is allowed."""


class UnknownStrategy(InvalidOption):
    """There is no chunking strategy of that name; the message names the nearest one."""


class InvalidDocument(ChunkingError, ValueError):
    """A text is no JSON, or a strategy was given a kind of document that it does not read; the message says which."""


class NotChunked(ChunkingError):
    """`get_docs` was called on a document that has not been through `chunk`."""


class VocabularyUnavailable(ChunkingError):
    """The vocabulary of the tokenizer could not be loaded; the message says what to install."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, else all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(names)}."
