"""A deterministic embedder for tests and examples: no model, no network, no waiting."""

import sys
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from engine.embedders.vectors import unit_vectors
from engine.models import Embeddings
from engine.protocols import EmbedKind
from engine.words import words

__all__ = ["HashEmbedder"]


class HashEmbedder:
    """Each word adds one to, or takes one from, the dimension its hash names: shared words bring texts near.

    `calls` and `texts` count the calls of `embed` and the texts given, so a test can say what was paid for.
    Another `model` is another embedding space, with other vectors.
    """

    def __init__(self, dimensions: int = 64, *, model: str = "words") -> None:
        self.dimensions = dimensions
        self.model = model
        self.max_tokens = sys.maxsize
        self.calls = 0
        self.texts = 0

    @property
    def name(self) -> str:
        return f"hash:{self.model}@{self.dimensions}"

    async def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Embeddings:
        """One vector of length one a text; `tokens` counts words."""
        self.calls += 1
        self.texts += len(texts)
        counts = [Counter(words(text)) for text in texts]
        sums = np.zeros((len(texts), self.dimensions))
        for row, bag in zip(sums, counts, strict=True):
            for word, count in bag.items():
                digest = blake2b(word.encode(), digest_size=8, key=self.model.encode()[:64]).digest()
                sign = 1 if digest[0] & 1 else -1
                row[int.from_bytes(digest[1:]) % self.dimensions] += sign * count
        return Embeddings(unit_vectors(sums), tokens=sum(bag.total() for bag in counts))

    async def aclose(self) -> None:
        """Nothing to close."""
