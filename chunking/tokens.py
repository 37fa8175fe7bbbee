"""Counting tokens: the one-method seam, tiktoken's encodings behind it, and a fake."""

import functools
import importlib.util
import re
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Literal, Protocol, cast

from chunking.errors import InvalidOption, VocabularyUnavailable, nearest

__all__ = ["ENCODINGS", "CharacterCounter", "EncodingName", "TiktokenCounter", "TokenCounter", "fits", "surely_fits"]

EncodingName = Literal["cl100k_base", "o200k_base"]
ENCODINGS: tuple[EncodingName, ...] = ("cl100k_base", "o200k_base")
"""The encodings that can be counted without network."""

_COMPILED = "bpe_openai._bindings"
_SURROGATES = re.compile(r"[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


class TokenCounter(Protocol):
    """How long a text is, in the unit that the cap is given in."""

    def count(self, text: str) -> int:
        """Tokens in `text`: 0 for the empty text, never negative, the same on every call."""


class TiktokenCounter:
    """Counts exactly as tiktoken's `encode_ordinary` does: special tokens are plain text.

    A lone surrogate counts as the replacement character. The work is linear in the text, whatever it holds.
    The vocabulary comes with the package bpe-openai and is read on first use, without network;
    `VocabularyUnavailable` where it cannot be had, `InvalidOption` on an unknown encoding.
    """

    def __init__(self, encoding: EncodingName = "cl100k_base") -> None:
        if encoding not in ENCODINGS:
            raise InvalidOption(f"There is no encoding {encoding!r}{nearest(encoding, ENCODINGS)}")
        self.encoding = encoding

    def count(self, text: str) -> int:
        tokenizer = _tokenizer(self.encoding)
        try:
            return tokenizer.count(text)
        except UnicodeEncodeError:
            return tokenizer.count(_SURROGATES.sub(_character, text))


def surely_fits(counter: TokenCounter, text: str, cap: int) -> bool:
    """Whether a text has at most `cap` tokens for certain, without counting: one of tiktoken's is a byte or more."""
    return isinstance(counter, TiktokenCounter) and len(text) <= cap and (text.isascii() or 4 * len(text) <= cap)


def fits(counter: TokenCounter, text: str, cap: int) -> bool:
    """Whether a text has at most `cap` tokens."""
    return surely_fits(counter, text, cap) or counter.count(text) <= cap


class CharacterCounter:
    """A counter for tests and for models without a tokenizer: one token a code point."""

    def count(self, text: str) -> int:
        return len(text)


class _Tokenizer(Protocol):
    def count(self, text: str) -> int: ...


def _character(match: re.Match[str]) -> str:
    """The character that a pair of surrogates stands for."""
    return match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@functools.cache
def _tokenizer(encoding: str) -> _Tokenizer:
    try:
        module = sys.modules.get(_COMPILED) or _compiled()
        return cast("_Tokenizer", module.tokenizer_for_encoding(encoding))
    except (ImportError, AttributeError) as error:
        raise VocabularyUnavailable(
            f"The tokenizer of {encoding} cannot be loaded from the package bpe-openai ({error}):"
            " run `pip install --force-reinstall bpe-openai`."
        ) from error


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
