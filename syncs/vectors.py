"""Vector stores by name, over the engine: texts with ids and metadata in, the nearest of them out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from engine.errors import InvalidQuery, InvalidRecord, UnknownEntity
from engine.models import RecordInput, SyncReport
from engine.protocols import Engine, SearchMode

__all__ = ["VectorItem", "VectorMatch", "VectorStore", "Vectors"]

CONNECTION = "VECTORS"


class VectorItem(TypedDict):
    """What a vector store keeps: `text` is embedded and indexed; `metadata` can be filtered by."""

    id: str
    text: str
    metadata: NotRequired[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class VectorMatch:
    """An item that answers a query; `score` is greater for a better one, and compares within one query only."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    score: float


class VectorStore:
    """A named store of texts in the engine: an entity of the connection `VECTORS`.

    Texts are embedded by the engine's embedder, each once. A store that was never written to is empty.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine

    def __repr__(self) -> str:
        return f"VectorStore({self.name!r})"

    async def upsert(self, items: Sequence[VectorItem]) -> SyncReport:
        """Insert items, or replace those with the same id, in one transaction; what changed, and what was embedded.

        Raises `InvalidRecord` for an item without a text, or an id that is given twice.
        """
        return await self._engine.sync_records(
            connection_id=CONNECTION, name=self.name, records=[self._record(item) for item in items]
        )

    async def query(
        self, text: str, *, k: int = 10, filter: Mapping[str, object] | None = None, mode: SearchMode = "hybrid"
    ) -> list[VectorMatch]:
        """The best `k` items for a text, best first; `filter` is of the engine's filter language, on the metadata."""
        try:
            hits = await self._engine.search(
                text,
                entity=self.name,
                connection_id=CONNECTION,
                k=k,
                mode=mode,
                filter=None if filter is None else _on_metadata(filter),
            )
        except InvalidQuery:
            if await self._is_there():
                raise
            return []
        items = {item["id"]: item for item in await self.get([hit.external_id for hit in hits])}
        return [
            VectorMatch(hit.external_id, hit.markdown, items[hit.external_id].get("metadata", {}), hit.score)
            for hit in hits
            if hit.external_id in items  # one may have been deleted meanwhile
        ]

    async def get(self, ids: Sequence[str]) -> list[VectorItem]:
        """The items with these ids, by id; those that are not there are left out."""
        if not ids:
            return []
        records = await self._engine.get_records(connection_id=CONNECTION, name=self.name, external_ids=ids)
        return [_item(record["data"]) for record in records]

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete items by id; how many there were."""
        return await self._engine.delete_records(connection_id=CONNECTION, name=self.name, external_ids=ids)

    def _record(self, item: VectorItem) -> RecordInput:
        if not isinstance(item.get("id"), str) or not isinstance(item.get("text"), str):
            raise InvalidRecord(
                f"The items of vector store {self.name!r} are {{id, text, metadata?}}, id and text texts."
            )
        data = {"id": item["id"], "markdown": item["text"], "metadata": item.get("metadata", {})}
        return {"external_id": item["id"], "data": data}

    async def _is_there(self) -> bool:
        try:
            await self._engine.get_entity(connection_id=CONNECTION, name=self.name)
        except UnknownEntity:
            return False
        return True


class Vectors(Mapping[str, Any]):
    """Vector stores by name: those that the runtime was given, and for every other name one over the engine.

    Only the given ones are listed and counted.
    """

    def __init__(self, engine: Engine, given: Mapping[str, Any] | None = None) -> None:
        self._engine = engine
        self._given = dict(given or {})

    def __getitem__(self, name: str) -> Any:
        return self._given[name] if name in self._given else VectorStore(self._engine, name)

    def __contains__(self, name: object) -> bool:
        return name in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def _item(data: Any) -> VectorItem:
    return {"id": data["id"], "text": data["markdown"], "metadata": data["metadata"]}


def _on_metadata(filter: object) -> Any:
    """The filter with its fields looked for inside the metadata. What is malformed is left to the engine to name."""
    if not isinstance(filter, Mapping):
        return filter
    return {
        key if key in ("and", "or", "not") else f"metadata.{key}": _inside(key, part) for key, part in filter.items()
    }


def _inside(key: object, part: object) -> object:
    if key == "not":
        return _on_metadata(part)
    if key in ("and", "or") and isinstance(part, Sequence) and not isinstance(part, str):
        return [_on_metadata(one) for one in part]
    return part
