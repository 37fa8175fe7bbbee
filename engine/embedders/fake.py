"""A deterministic embedder for tests and examples: no model, no network, no waiting."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
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
    Another `model` is another embedding space, with other vectors. A text that holds the word `refuses` is one that it
    does not take. It bills `usd_per_million_tokens`.
    """

    def __init__(
        self,
        dimensions: int = 64,
        *,
        model: str = "words",
        refuses: str | None = None,
        usd_per_million_tokens: float | None = 0.0,
    ) -> None:
        self.dimensions = dimensions
        self.model = model
        self.refuses = refuses
        self.usd_per_million_tokens = usd_per_million_tokens
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
        counts = _counted(texts)
        refused = {place: f"it holds {self.refuses!r}" for place, bag in enumerate(counts) if self.refuses in bag}
        sums = np.zeros((len(texts), self.dimensions))
        for row, bag in zip(sums, counts, strict=True):
            for word, count in bag.items():
                digest = blake2b(word.encode(), digest_size=8, key=self.model.encode()[:64]).digest()
                sign = 1 if digest[0] & 1 else -1
                row[int.from_bytes(digest[1:]) % self.dimensions] += sign * count
        vectors = [[] if place in refused else vector for place, vector in enumerate(unit_vectors(sums))]
        billed = [bag for place, bag in enumerate(counts) if place not in refused]
        return self._embeddings(vectors, billed, refused)

    def estimate(self, texts: Sequence[str]) -> Embeddings:
        """As `embed` bills them, where it takes all of them."""
        return self._embeddings((), _counted(texts), {})

    async def aclose(self) -> None:
        """Nothing to close."""

    def _embeddings(
        self, vectors: Sequence[Sequence[float]], billed: Sequence[Counter[str]], refused: Mapping[int, str]
    ) -> Embeddings:
        tokens = sum(bag.total() for bag in billed)
        cost = tokens * (self.usd_per_million_tokens or 0.0) / 1_000_000
        return Embeddings(vectors, tokens=tokens, cost_usd=cost, refused=refused)


def _counted(texts: Sequence[str]) -> list[Counter[str]]:
    return [Counter(words(text)) for text in texts]
