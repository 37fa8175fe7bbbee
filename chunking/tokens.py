"""Counting tokens: the one-method seam, tiktoken's cl100k_base behind it, and a fake."""

import base64
import functools
import gzip
import hashlib
import importlib.util
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from chunking.errors import VocabularyUnavailable

if TYPE_CHECKING:
    import tiktoken

__all__ = ["CharacterCounter", "TiktokenCounter", "TokenCounter"]

# Both as in tiktoken_ext.openai_public.cl100k_base; a test compares them with the installed tiktoken.
_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


class TokenCounter(Protocol):
    """How long a text is, in the unit that the cap is given in."""

    def count(self, text: str) -> int:
        """Tokens in `text`: 0 for the empty text, never negative, the same on every call."""


class TiktokenCounter:
    """Counts as tiktoken's `encode_ordinary` with cl100k_base does: special tokens are plain text.

    A lone surrogate counts as the replacement character. The vocabulary is read on first use, without
    network, and shared by all counters of the process; `VocabularyUnavailable` where it cannot be had.
    """

    def count(self, text: str) -> int:
        return len(_encoding().encode_ordinary(text))


class CharacterCounter:
    """A counter for tests and for models without a tokenizer: one token a code point."""

    def count(self, text: str) -> int:
        return len(text)


@functools.cache
def _encoding() -> "tiktoken.Encoding":
    import tiktoken

    vocabulary = _installed_vocabulary()
    if vocabulary is not None:
        return tiktoken.Encoding("cl100k_base", pat_str=_PATTERN, mergeable_ranks=_ranks(vocabulary), special_tokens={})
    try:
        return tiktoken.get_encoding("cl100k_base")
    except (OSError, ValueError) as error:
        raise VocabularyUnavailable(
            "The cl100k_base vocabulary is neither in the bpe-openai package nor to be downloaded by tiktoken"
            f" ({type(error).__name__}): run `pip install --force-reinstall bpe-openai`, or point"
            " TIKTOKEN_CACHE_DIR at a folder that holds it."
        ) from error


def _installed_vocabulary() -> bytes | None:
    """The vocabulary in the bpe-openai wheel, or None where it is missing or not the expected one."""
    spec = importlib.util.find_spec("bpe_openai")
    folders = (spec.submodule_search_locations if spec else None) or ()
    for folder in folders:
        try:
            vocabulary = gzip.decompress(Path(folder, "data", "cl100k_base.tiktoken.gz").read_bytes())
        except (OSError, EOFError, zlib.error):
            continue
        if hashlib.sha256(vocabulary).hexdigest() == _SHA256:
            return vocabulary
    return None


def _ranks(vocabulary: bytes) -> dict[bytes, int]:
    """Token to rank, from the lines `base64 rank` of a tiktoken file."""
    pairs = (line.split() for line in vocabulary.splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}
