"""The vectors of a `MockEngine`, and the texts that have none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.checks import check_count
from engine.clean import clean_text
from engine.embedding import VectorStore, check_price, embed_missing
from engine.errors import TextRefused
from engine.memory import MemoryEntity, MemoryRecord
from engine.models import SyncReport
from engine.protocols import Embedder
from engine.rows import Row, texts_of

__all__ = ["MemoryEmbedding", "MemoryVectors"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Failure:
    reason: str
    tries: int = 0
    failed_at: datetime = field(default_factory=_now)


class MemoryVectors:
    """Vectors by the hash of their text, as a `VectorStore`, with the times at which they were last asked for."""

    def __init__(self) -> None:
        self.vectors: dict[bytes, tuple[Sequence[float], datetime]] = {}
        self.failures: dict[bytes, _Failure] = {}

    async def known(self, hashes: Sequence[bytes]) -> tuple[set[bytes], set[bytes]]:
        """Those that have a vector, which are young again, and those that were set aside."""
        for key in self.vectors.keys() & set(hashes):
            self.vectors[key] = (self.vectors[key][0], _now())
        return self.vectors.keys() & set(hashes), self.failures.keys() & set(hashes)

    async def keep(self, vectors: Mapping[bytes, Sequence[float]], refused: Mapping[bytes, str]) -> None:
        """Keep vectors, and the reasons of texts that have none."""
        for key, vector in vectors.items():
            self.vectors[key] = (vector, _now())
            self.failures.pop(key, None)
        for key, reason in refused.items():
            tries = self.failures[key].tries if key in self.failures else 0
            self.failures[key] = _Failure(reason, tries + 1)

    def forget(self, used: Iterable[bytes], start: datetime) -> tuple[int, int, int]:
        """Forget what is unused and older than `start`: how many vectors, how many unused ones are left, failures."""
        kept = set(used)
        unused = {key: made for key, (_, made) in self.vectors.items() if key not in kept}
        old = [key for key, made in unused.items() if made < start]
        failures = [key for key, failure in self.failures.items() if key not in kept and failure.failed_at < start]
        for key in old:
            del self.vectors[key]
        for key in failures:
            del self.failures[key]
        return len(old), len(unused) - len(old), len(failures)


class MemoryEmbedding:
    """The part of `MockEngine` that embeds."""

    _embedder: Embedder | None
    _vectors: MemoryVectors
    _store: VectorStore

    def _held(self) -> Sequence[MemoryEntity]:
        raise NotImplementedError

    async def check(self, *, max_cost: float | None = None, ask: bool = True) -> str:
        """The embedder's name, proved to work if `ask`; "none" without one."""
        if self._embedder is None:
            return "none"
        if max_cost is not None:
            check_price(self._embedder, max_cost)
        if ask:
            for reason in (await self._embedder.embed(["syncline"], kind="query")).refused.values():
                raise TextRefused(reason)
        return self._embedder.name

    async def embed_failures(
        self, *, connection_id: str | None = None, name: str | None = None, limit: int = 10
    ) -> list[dict[str, Any]]:
        """Records whose text the model does not take: url, entity, external_id, reason, tries and failed_at."""
        wanted = tuple(None if part is None else clean_text(part) for part in (name, connection_id))
        found = [
            {
                "url": record.page or str(record.row.data.get("source_url", "")),
                "entity": entity.name,
                "external_id": record.row.external_id,
                "reason": failure.reason,
                "tries": failure.tries,
                "failed_at": failure.failed_at,
            }
            for entity, record in self._records()
            if wanted[0] in (None, entity.name)
            and wanted[1] in (None, entity.connection_id)
            and (failure := self._vectors.failures.get(record.row.embed_hash or b"")) is not None
        ]
        found.sort(key=lambda failure: (failure["entity"], failure["external_id"]))
        return found[: check_count("limit", limit)]

    async def retry_embeddings(
        self, *, max_cost: float | None = None, on_embedded: Callable[[int], None] | None = None
    ) -> SyncReport:
        """Embed every text that has no vector, set aside or not."""
        if self._embedder is None:
            return SyncReport()
        texts = dict(texts_of(record.row for _, record in self._records()))
        missing = [(key, text) for key, text in texts.items() if key not in self._vectors.vectors]
        return await embed_missing(
            self._store, self._embedder, missing, max_cost=max_cost, on_embedded=on_embedded, again=True
        )

    def _records(self) -> list[tuple[MemoryEntity, MemoryRecord]]:
        return [(entity, record) for entity in self._held() for record in entity.records.values()]

    async def _embed(
        self,
        rows: Sequence[Row],
        *,
        max_cost: float | None = None,
        on_embedded: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Embed the texts that have no vector yet; the same text is never embedded twice (promise E2)."""
        if self._embedder is None:
            return SyncReport()
        return await embed_missing(
            self._store, self._embedder, texts_of(rows), max_cost=max_cost, on_embedded=on_embedded
        )
