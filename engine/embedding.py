"""What is embedded, and what that may cost: the same for every store, whether it is done or only planned.

A text whose vector is there is not embedded again (promise E2). One that the model does not take is set aside with the
reason, and the others go on; it is not paid for again until somebody asks (promise E7).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from engine.errors import CostCeiling, EmbedderError
from engine.models import Embeddings, SyncReport
from engine.protocols import Embedder, EmbedKind
from engine.telemetry import embed

__all__ = ["BATCH", "Estimator", "PlannedVectors", "VectorStore", "check_price", "embed_missing"]

BATCH = 256
MICRO_DOLLAR = 1e-6  # what reports are rounded to: a ceiling that a plan has said is kept


class VectorStore(Protocol):
    """Where vectors are kept, by the hash of the text that they were made from."""

    async def known(self, hashes: Sequence[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Those that have a vector, and those that were set aside."""

    async def keep(self, vectors: Mapping[bytes, Sequence[float]], refused: Mapping[bytes, str]) -> None:
        """Commit vectors, and set texts aside with the reason."""


async def embed_missing(
    store: VectorStore,
    embedder: Embedder,
    given: Iterable[tuple[bytes, str]],
    *,
    max_cost: float | None = None,
    on_embedded: Callable[[int], None] | None = None,
    again: bool = False,
) -> SyncReport:
    """Embed those of the (hash, text) pairs that the store does not hold, each text once, and commit them by batches.

    Those that were set aside are left alone, unless `again`. Raises CostCeiling before a batch that would bring the
    cost of this call above `max_cost` US dollars, and EmbedderError.
    """
    if max_cost is not None:
        check_price(embedder, max_cost)
    pairs = list(given)
    texts = dict(pairs)
    times = Counter(
        key for key, _ in pairs
    )  # each use counts, so that it is one whether it comes in this call or another
    held, aside = await store.known(list(texts))
    aside = set() if again else aside - held
    report = SyncReport(reused=sum(times[key] for key in held), failed=sum(times[key] for key in aside))
    missing = sorted(texts.keys() - held - aside)  # sorted: two processes with the same texts do not block each other
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        asked = [texts[key] for key in batch]
        if max_cost is not None:
            await _check_cost(embedder, asked, report, max_cost)
        embeddings = await embed(embedder, asked, "document")
        if len(embeddings.vectors) != len(batch):
            raise EmbedderError(f"{embedder.name} answered {len(embeddings.vectors)} vectors for {len(batch)} texts.")
        refused = {batch[place]: reason for place, reason in embeddings.refused.items()}
        vectors = {key: one for key, one in zip(batch, embeddings.vectors, strict=True) if key not in refused}
        await store.keep(vectors, refused)
        report += SyncReport(
            computed=len(vectors),
            reused=sum(times[key] - 1 for key in vectors),
            tokens=embeddings.tokens,
            windowed=embeddings.windowed,
            failed=sum(times[key] for key in refused),
            cost_usd=embeddings.cost_usd,
        )
        if on_embedded is not None:
            on_embedded(len(vectors))
    return report


def check_price(embedder: Embedder, max_cost: float) -> None:
    """EmbedderError where a ceiling could not be kept, because nobody knows what the embedder costs."""
    if embedder.usd_per_million_tokens is None:
        raise EmbedderError(
            f"What {embedder.name} costs is not known, so that a ceiling of ${max_cost:g} cannot be kept: set "
            "SYNCLINE_EMBEDDER_PRICE to its US dollars for a million tokens (0 where it is free), or leave out "
            "--max-cost (max_cost)."
        )


async def _check_cost(embedder: Embedder, texts: Sequence[str], spent: SyncReport, max_cost: float) -> None:
    if not embedder.usd_per_million_tokens:
        return
    next_one = await asyncio.to_thread(embedder.estimate, texts)
    if spent.cost_usd + next_one.cost_usd > max_cost + MICRO_DOLLAR / 2:
        raise CostCeiling(
            f"Embedding stopped: the next {len(texts):,} texts, of {next_one.tokens:,} tokens, cost "
            f"${next_one.cost_usd:.6f}, more than --max-cost (max_cost) leaves. What was embedded and stored stays; "
            "the same again with a higher ceiling goes on.",
            spent,
        )


class Estimator:
    """An embedder that only says what another would bill: nothing is sent, and its vectors are empty."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.model = embedder.model
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens
        self.usd_per_million_tokens = embedder.usd_per_million_tokens
        self.estimate = embedder.estimate

    async def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Embeddings:
        """What the other would bill."""
        return replace(await asyncio.to_thread(self.estimate, texts), vectors=[()] * len(texts))

    async def aclose(self) -> None:
        """Nothing to close."""


class PlannedVectors:
    """What a store would hold: what another holds (`store`, None for nothing), and what was planned to be added."""

    def __init__(self, store: VectorStore | None) -> None:
        self._store = store
        self._planned: set[bytes] = set()

    async def known(self, hashes: Sequence[bytes]) -> tuple[set[bytes], set[bytes]]:
        """As they would be."""
        held, aside = await self._store.known(hashes) if self._store is not None else (set(), set())
        return held | self._planned.intersection(hashes), aside

    async def keep(self, vectors: Mapping[bytes, Sequence[float]], refused: Mapping[bytes, str]) -> None:
        """Remember that they would be there."""
        self._planned.update(vectors)
