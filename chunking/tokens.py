"""Counting tokens: the one-method seam, tiktoken's encodings behind it, and a fake."""

import functools
import importlib.util
import re
import string
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Protocol, cast

from chunking.errors import InvalidOption, VocabularyUnavailable, nearest

__all__ = ["ENCODINGS", "CharacterCounter", "TiktokenCounter", "TokenCounter", "added_up", "at_most", "fits"]

ENCODINGS = ("cl100k_base", "o200k_base")
"""The encodings of tiktoken whose vocabularies are installed, so that they are counted without network."""

_COMPILED = "bpe_openai._bindings"
_LONGEST = 256  # characters of an ending or a gap, since those are kept
_SURROGATES = re.compile(r"[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


class TokenCounter(Protocol):
    """How long a text is, in the unit that the cap is given in."""

    def count(self, text: str) -> int:
        """Tokens in `text`: 0 for the empty text, never negative, the same on every call."""


class TiktokenCounter:
    """Counts exactly as tiktoken's `encode_ordinary` does: special tokens are plain text.

    `encoding` is the name of any of tiktoken's. `cl100k_base` and `o200k_base` come with the package bpe-openai, which
    counts them without network, in linear time and several times as fast; tests hold it to tiktoken's counts. All
    others, and these where that package cannot be loaded, are counted by tiktoken itself, which fetches a vocabulary
    on first use and keeps it. A lone surrogate counts as the replacement character. `InvalidOption` on an unknown
    encoding, `VocabularyUnavailable` where its vocabulary cannot be had.
    """

    def __init__(self, encoding: str = "cl100k_base") -> None:
        if encoding not in ENCODINGS:
            import tiktoken

            names = tiktoken.list_encoding_names()
            if encoding not in names:
                raise InvalidOption(f"There is no encoding {encoding!r}{nearest(encoding, names)}")
        self.encoding = encoding

    def count(self, text: str) -> int:
        tokenizer = _tokenizer(self.encoding)
        try:
            return tokenizer.count(text)
        except UnicodeEncodeError:
            return tokenizer.count(_SURROGATES.sub(_character, text))


def at_most(counter: TokenCounter, text: str) -> tuple[int, bool]:
    """A number of tokens that a text is surely not over, and whether it is the exact one.

    A token of tiktoken's is a byte or more, so nothing is counted there; another counter counts.
    """
    if isinstance(counter, TiktokenCounter):
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")), not text
    return counter.count(text), True


def fits(counter: TokenCounter, text: str, cap: int) -> bool:
    """Whether a text has at most `cap` tokens."""
    most, exact = at_most(counter, text)
    return most <= cap or (not exact and counter.count(text) <= cap)


def added_up(counter: TokenCounter, texts: Sequence[str], counts: Sequence[int], gaps: Sequence[str]) -> int | None:
    """Tokens of texts with the gaps between them, from the count of each; None where that says nothing of the whole.

    Both encodings of `ENCODINGS` end a token where a line begins that is not blank, so counts add up there (but
    o200k_base has tokens of marks, line end and slash). Before it, a line end is in one token with the marks that
    it follows, never with a letter or digit: what a gap adds depends on those marks alone. No text may be empty or
    end in white space.
    """
    encoding = counter.encoding if isinstance(counter, TiktokenCounter) else ""
    if gaps and encoding not in ENCODINGS:
        return None
    tokens = sum(counts)
    for text, gap, after in zip(texts, gaps, texts[1:], strict=False):
        ending = _ending(text)
        start = after.lstrip(" \t")[:1]
        if not start or start.isspace() or (start == "/" and encoding == "o200k_base"):
            return None
        added = None if ending is None or len(gap) > _LONGEST else _added(encoding, ending, gap)
        if added is None:
            return None
        tokens += added
    return tokens


def _ending(text: str) -> str | None:
    """The end of a text that a token surely begins with: its last marks, or its last word; None where it is long."""
    words = text.rstrip(string.punctuation)
    start = len(words) if words[-1:].isalnum() else max(0, text.rfind(" "))
    return text[start:] if len(text) - start <= _LONGEST else None


@functools.lru_cache(maxsize=1024)
def _added(encoding: str, ending: str, gap: str) -> int | None:
    """Tokens that a gap adds after an ending; None where it is not white space that ends in a line end."""
    if gap[-1:] not in ("\n", "\r") or gap.strip(" \t\r\n"):
        return None
    count = TiktokenCounter(encoding).count
    return count(ending + gap) - count(ending)


class CharacterCounter:
    """A counter for tests and for models without a tokenizer: one token a code point."""

    def count(self, text: str) -> int:
        return len(text)


class _Tokenizer(Protocol):
    def count(self, text: str) -> int: ...


def _character(match: re.Match[str]) -> str:
    """The character that a pair of surrogates stands for."""
    return match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Tiktoken:
    """tiktoken itself."""

    def __init__(self, encoding: str) -> None:
        import tiktoken

        try:
            self._encoding = tiktoken.get_encoding(encoding)
        except (OSError, ValueError) as error:
            raise VocabularyUnavailable(
                f"The vocabulary of {encoding} cannot be fetched by tiktoken ({type(error).__name__}): point "
                f"TIKTOKEN_CACHE_DIR at a folder that holds it, or count by {' or '.join(ENCODINGS)}, which the "
                "package bpe-openai brings (`pip install --force-reinstall bpe-openai`)."
            ) from error

    def count(self, text: str) -> int:
        return len(self._encoding.encode_ordinary(text))


@functools.cache
def _tokenizer(encoding: str) -> _Tokenizer:
    if encoding in ENCODINGS:
        with suppress(ImportError, AttributeError):  # no wheel of it for this system, or a damaged one
            module = sys.modules.get(_COMPILED) or _compiled()
            return cast("_Tokenizer", module.tokenizer_for_encoding(encoding))
    return _Tiktoken(encoding)


def _compiled() -> ModuleType:
    """The compiled part of bpe-openai. Its Python part is left alone: it reads all vocabularies when imported."""
    package = importlib.util.find_spec("bpe_openai")
    spec = PathFinder.find_spec(_COMPILED, package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        raise ImportError("it is not installed")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[_COMPILED] = module  # where the package itself finds it, should somebody import that
    return module
