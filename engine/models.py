"""The values that pass through `engine`: records and pages in, reports and hits out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import NotRequired, TypedDict

__all__ = [
    "Embeddings",
    "GcReport",
    "ImportReport",
    "PageInput",
    "RecordInput",
    "RetireReport",
    "SearchHit",
    "SyncReport",
]


class RecordInput(TypedDict):
    """One record. Its text is `text`, else `data["markdown"]`; with a text it is embedded and indexed.

    `embed_text` is what is embedded and indexed where it differs from the text (a chunk's breadcrumb and plain
    rendering). `headings` to `position` are a chunk's place in its page. `terms` are names that the text defines
    besides its last heading (the signatures of an API reference): like it, they count more in the text index.
    `weight` (0 to 1, default 1) is what the record's score is multiplied by in a search.
    """

    external_id: str
    data: Mapping[str, object]
    text: NotRequired[str]
    embed_text: NotRequired[str]
    headings: NotRequired[Sequence[str]]
    anchor: NotRequired[str | None]
    span: NotRequired[tuple[int, int]]
    position: NotRequired[int]
    terms: NotRequired[Sequence[str]]
    weight: NotRequired[float]


@dataclass(frozen=True, slots=True)
class PageInput:
    """A whole page as the store keeps it: its ledger row and all its records, swapped in one transaction."""

    url: str
    records: Sequence[RecordInput]
    markdown: str = ""
    anchors: Sequence[tuple[int, str, int | None, str]] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    links: Sequence[str] = ()
    aliases: Sequence[str] = ()
    depth: int = 0
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str = ""
    extractor: str = ""
    chunk_settings: str = ""
    fetched_at: float = 0.0


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one write did, in records and in embeddings. Reports add up with `+`."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    deleted: int = 0
    computed: int = 0  # texts embedded
    reused: int = 0  # records whose text had its vector already
    tokens: int = 0  # billed by the embedder
    windowed: int = 0  # texts over the model's window, embedded by windows and averaged
    failed: int = 0  # records without a vector, because the model does not take their text
    cost_usd: float = 0.0

    def __add__(self, other: "SyncReport") -> "SyncReport":
        mine, theirs = asdict(self), asdict(other)
        return SyncReport(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, slots=True)
class RetireReport:
    """Pages that left the store, with their records. `refused` pages would have left, had there been fewer."""

    pages: int = 0
    records: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class GcReport:
    """What was forgotten: vectors, failures and runs that nothing needs, and tombstones of pages. `spared` vectors are
    unused, and younger than a run that is under way."""

    vectors: int = 0
    spared: int = 0
    failures: int = 0
    pages: int = 0
    runs: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was imported. `missing` texts have no vector in the space that search uses; `retry_embeddings` embeds
    them."""

    entities: int = 0
    pages: int = 0
    records: int = 0
    vectors: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One record that answers a query. `url` is the page, `anchor` an id on it or None, `headings` the
    breadcrumb from the page's h1 down; `score` is only comparable within one search."""

    url: str
    anchor: str | None
    title: str
    headings: Sequence[str]
    markdown: str
    score: float
    external_id: str
    entity: str
    fetched_at: datetime | None = None
    """When the page was last seen on its site."""
    changed_at: datetime | None = None
    """When its content last changed."""

    def to_json(self) -> dict[str, object]:
        """The hit as `search --json` prints it."""
        hit = asdict(self)
        del hit["fetched_at"], hit["changed_at"]
        return {**hit, "headings": list(self.headings)}


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors in the order of their texts, and what the provider billed.

    `refused` says, by its place, why the model does not take a text; that text's vector is empty.
    """

    vectors: Sequence[Sequence[float]]
    tokens: int = 0
    windowed: int = 0
    cost_usd: float = 0.0
    refused: Mapping[int, str] = field(default_factory=dict)
