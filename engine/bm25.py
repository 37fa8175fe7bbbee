"""BM25 as a sparse inner product: a weighted bag of words for each record, and the query's weights.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009). The saturated term
frequency, normalised by length, is stored with the record; the query brings the inverse document frequencies.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b

from engine.words import words

__all__ = ["DIMENSIONS", "query_weights", "record_weights", "term_id"]

DIMENSIONS = 1_000_000_000  # the most that pgvector's sparsevec has; a word's place in it is a hash
K1 = 1.2
B = 0.75
# A constant in place of the corpus's average: the same record then has the same weights whatever was stored
# before it, and records need no rewriting as the corpus grows. b and k1 hardly matter to the order.
TYPICAL_LENGTH = 350.0
HEADING_WEIGHT = 1  # on top of the one that the breadcrumb in the text brings
LEAF_WEIGHT = 2


@lru_cache(maxsize=65_536)
def term_id(word: str) -> int:
    """The word's place in the sparse vector: 0 to DIMENSIONS - 1."""
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest()) % DIMENSIONS


def record_weights(text: str, headings: Sequence[str], terms: Sequence[str] = ()) -> dict[str, float]:
    """Word -> saturated term frequency of one record.

    Words of the headings count more, and those of the last one and of `terms`, what the text defines, most.
    """
    counts = Counter(words(text))
    for heading in headings:
        for word in words(heading):
            counts[word] += HEADING_WEIGHT
    for term in (*headings[-1:], *terms):
        for word in words(term):
            counts[word] += LEAF_WEIGHT
    norm = K1 * (1 - B + B * counts.total() / TYPICAL_LENGTH)
    return {word: count * (K1 + 1) / (count + norm) for word, count in counts.items()}


def query_weights(query: str, documents: Mapping[str, int], records: int) -> dict[str, float]:
    """Word -> inverse document frequency (never negative) for each distinct word of the query.

    A word that the statistics do not know yet counts as held by one record.
    """
    total = max(records, 1)
    weights = {}
    for word in dict.fromkeys(words(query)):
        frequency = min(documents.get(word, 1), total)
        weights[word] = math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))
    return weights
