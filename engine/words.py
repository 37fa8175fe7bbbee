"""Text into the words of the text index: identifier-aware and case-folded, alike for documents and queries.

An identifier counts as a whole, as each of its names, and as the parts of those: `os.path.join` is also `os`,
`path` and `join`; `QuerySet.filter` is also `queryset`, `filter`, `query` and `set`; `--no-verify` is also
`no-verify`. So both the exact name and a part of it find it. Scripts written without spaces (Chinese,
Japanese, Thai, Khmer, ...) and Korean, whose particles cling to the noun, become pairs of characters.

English plurals are folded onto their singular, and nothing more is stemmed. BM25 over two documentation
sites, 2,068 questions of known answer: the right section is among the first five for 70.8% and 84.0% of them
(unstemmed 69.4 and 83.3; with -ing and -ed cut too 70.6 and 82.8; Snowball's English stemmer 71.1 and 82.8),
the right page is first for 67.2% and 60.0% (unstemmed 67.2 and 61.9: what is lost is one family of questions,
about pages all named "... syntax diagram"). The unstemmed word kept beside the stem lost on both sites.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType

__all__ = ["MAX_WORD_LENGTH", "stem", "words"]

MAX_WORD_LENGTH = 64
"""Characters in a word at most; of a longer one the head and a hash of the whole are kept."""

# Thai to Lao, Myanmar, Hangul, Khmer, kana, and the Han blocks.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
# Soft hyphens, zero-width characters and variation selectors: invisible, and put inside words by typesetters.
_INVISIBLE = MappingProxyType(dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFE0E, 0xFE0F, 0xFEFF)))
_JOINTS = r"::|[.\-'’]"
# The humps of a camel-cased name begin after an acronym too (`HTTPServer`), but not with its plural (`URLs`).
_HUMPS = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?![A-Z]s$)"
_OPERATOR = re.compile(r"[!#$%&*+/:;<=>?@\\^|~\-]{2,3}")
_VERSION = re.compile(r"\d+(?:\.\d+){1,4}")
_NAMES = re.compile(_JOINTS)
_PARTS = re.compile(rf"{_JOINTS}|_|{_HUMPS}")
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")


def words(text: str) -> list[str]:
    """The words of a text in the order of their appearance, with repetitions, each at most 64 characters.

    Read by NFKC and case folding (Unicode, UAX 15 and section 5.18). No word holds white space, NUL or a lone
    surrogate.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
    found: list[str] = []
    # No token reaches over white space, and most of what stands between two spaces was read before. What is that
    # long is data, not language: it would only push real words out of the cache.
    for run in text.split():
        found.extend(_read(run) if len(run) <= MAX_WORD_LENGTH else _read.__wrapped__(run))
    return found


def stem(word: str) -> str:
    """A case-folded English word without its plural ending, after Harman (1991), "How effective is
    suffixing?"; names with digits or signs in them and words of other scripts stay as they are."""
    if len(word) < 3 or not (word.isascii() and word.isalpha()):
        return word
    if word.endswith("ies") and len(word) > 4 and word[-4] not in "ae":
        return word[:-3] + "y"
    if word.endswith("s") and word[-2] not in "us":
        word = word[:-1]
    # `indexes` and `searches` lose two letters, `sizes` and `caches` one: so `size` and `cache` lose one.
    return word[:-1] if word.endswith(("xe", "ze", "che", "she", "sse")) else word


@lru_cache(maxsize=1)
def _tokens() -> re.Pattern[str]:
    """What is taken from a text as one token: a name with its joints and what clings to it (`--no-verify`,
    `.NET`, `C++`), a run of an unspaced script, or an operator that stands alone (`:=`, `->`)."""
    # `\w` leaves out combining marks, without which an Indic or Arabic word falls to pieces.
    marks = "".join(
        character
        for character in map(chr, range(0x300, 0x10000))
        if unicodedata.category(character).startswith("M") and not _UNSPACED_RUN.match(character)
    )
    name = rf"(?:[^\W{_UNSPACED}]|[{marks}])+"
    return re.compile(
        rf"(?:(?<![\w-])--?|(?<![\w.])\.)?{name}(?:(?:{_JOINTS}){name})*(?:\+\+|\#(?!\w))?"
        rf"|[{_UNSPACED}]+|(?<!\S){_OPERATOR.pattern}(?!\S)"
    )


@lru_cache(maxsize=65536)
def _read(run: str) -> tuple[str, ...]:
    """The words of a run without white space."""
    found: list[str] = []
    for token in _tokens().findall(run):
        found.extend(_forms(token) if len(token) <= MAX_WORD_LENGTH else _derive(token))
    return tuple(found)


@lru_cache(maxsize=65536)
def _forms(token: str) -> tuple[str, ...]:
    return tuple(_derive(token))


def _derive(token: str) -> Iterator[str]:
    """The distinct words that a token stands for, the whole first."""
    if _UNSPACED_RUN.match(token):
        # Pairs repeat in a run as words do in a text, and count as often.
        yield from (token[at : at + 2] for at in range(max(1, len(token) - 1)))
        return
    if _OPERATOR.fullmatch(token):
        yield token
        return
    bare = token.lstrip("-.")
    if _VERSION.fullmatch(bare):
        numbers = bare.split(".")
        yield from (_word(".".join(numbers[:length])) for length in range(len(numbers), 1, -1))
        return
    spellings = dict.fromkeys((token, bare, bare.strip("_") or bare))
    pieces = [piece for piece in (*_NAMES.split(bare), *_PARTS.split(bare)) if len(piece.strip("_")) > 1]
    yield from dict.fromkeys(_word(spelling) for spelling in (*spellings, *pieces))


def _word(spelling: str) -> str:
    word = stem(spelling.replace("’", "'").casefold())
    if len(word) > MAX_WORD_LENGTH:
        digest = blake2b(word.encode(), digest_size=8).hexdigest()
        word = f"{word[: MAX_WORD_LENGTH - 17]}~{digest}"
    return word
