"""The seams of the store: what an engine does, and what an embedder does."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from engine.departures import GRACE, MOST_LEAVING
from engine.models import Embeddings, GcReport, PageInput, RecordInput, RetireReport, SearchHit, SyncReport

__all__ = [
    "DEAD_AFTER",
    "DIED",
    "LIVE",
    "Crawls",
    "EmbedKind",
    "Embedder",
    "Engine",
    "Ledger",
    "LedgerPage",
    "Pages",
    "Records",
    "Runs",
    "Search",
    "SearchMode",
    "Sites",
    "Vectors",
]

DEAD_AFTER = 30.0
"""Seconds without a heartbeat after which a run's process is taken for dead."""

LIVE = ("running", "cancelling")
"""States of a run that has not ended."""

DIED = (
    f"The run's process gave no sign of life for {DEAD_AFTER:.0f} seconds: it was killed, or its machine stopped. "
    "Run the sync again."
)
"""What the error of a run that died says."""

EmbedKind = Literal["document", "query"]
SearchMode = Literal["hybrid", "vector", "text"]


class Embedder(Protocol):
    """Text in, vectors out. `name` is `provider:model[@dimensions]`; `max_tokens` counts the model's own tokens."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int: ...

    @property
    def usd_per_million_tokens(self) -> float | None:
        """What the provider bills; 0 for a model of one's own, None where it is not known."""

    async def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Embeddings:
        """One finite, non-zero vector a text, in order; `EmbedderError` otherwise.

        A text that the model does not take, as too long or for its content, is no error: it is in
        `Embeddings.refused`, and the others are embedded.
        """

    def estimate(self, texts: Sequence[str]) -> Embeddings:
        """What `embed` would bill for the texts, without their vectors; nothing is sent."""

    async def aclose(self) -> None: ...


class Records(Protocol):
    """Named collections of records: an entity is (connection_id, name). A name that is empty, too long or holds
    control characters is an InvalidRecord everywhere."""

    async def create_entity(self, *, connection_id: str, name: str) -> dict[str, Any]:
        """The entity as it is, made where there is none: id, connection_id, name, start_url, last_sync_id,
        created_at, updated_at (when it was last written to)."""

    async def get_entity(self, *, connection_id: str, name: str) -> dict[str, Any]:
        """The entity, as `create_entity` gives it; UnknownEntity, which names the nearest, where there is none."""

    async def sync_records(
        self,
        *,
        connection_id: str,
        name: str,
        records: Sequence[RecordInput],
        merge: bool = False,
        last_sync_id: str | None = None,
    ) -> SyncReport:
        """Insert or replace records by external id, in one transaction; others of the entity stay.

        A record that is replaced no longer belongs to a page. With `merge`, a record that is there keeps what is
        not given: top-level fields of its data, its text and place, and its page; a text that changes is embedded
        anew. `last_sync_id`, a cursor of the sync's own, is kept with the entity in the same transaction, also
        without records; without both nothing happens.

        Raises InvalidRecord, before anything is written, for a malformed record or an id given twice.
        """

    async def get_records(
        self,
        *,
        connection_id: str,
        name: str,
        external_ids: Sequence[str] | None = None,
        filter: Mapping[str, object] | None = None,
        sort: Sequence[str] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, object]]:
        """The records of an entity as `{external_id, data}`; none where there is no such entity. Of those with these
        `external_ids` where they are given; ids that are not there are left out.

        They are sorted by fields of their data (`"price"`, `"-meta.date"` for the latest first), then by external
        id in code point order. Raises InvalidFilter, and InvalidQuery for a malformed sort, limit or offset.
        """

    async def delete_records(self, *, connection_id: str, name: str, external_ids: Sequence[str]) -> int:
        """Delete records by external id, in one transaction; how many there were. Other ids are ignored."""

    async def delete_entity(self, *, connection_id: str, name: str) -> bool:
        """Delete an entity with its records and pages; False where there is none."""


class Pages(Protocol):
    """Whole pages: records, index and ledger row change together (promise E1)."""

    async def swap_pages(
        self,
        *,
        connection_id: str,
        name: str,
        pages: Sequence[PageInput],
        max_cost: float | None = None,
        on_embedded: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Embed what is new, commit those vectors, then swap the pages' records and ledger rows in one
        transaction. `on_embedded` is told how many texts each batch embedded.

        A text that the model does not take is set aside, counted as `failed`, and found by its words; it is embedded
        by `retry_embeddings` only. Raises CostCeiling before a batch that would bring the cost of this call above
        `max_cost` US dollars; nothing is swapped then, and the vectors that were paid for stay.
        """

    async def get_page(self, url: str) -> dict[str, object] | None:
        """A stored page: url, title, markdown, metadata, state and times; None where it is not known."""


class Search(Protocol):
    """Queries into hits."""

    async def search(
        self,
        query: str,
        *,
        entity: str | None = None,
        connection_id: str | None = None,
        k: int = 10,
        mode: SearchMode = "hybrid",
        filter: Mapping[str, object] | None = None,
    ) -> list[SearchHit]:
        """The best `k` records, best first; of one entity (a name or a start URL), of one connection, or of the
        whole store. Raises InvalidQuery for a connection or entity that there is not."""


class Vectors(Protocol):
    """What the records' texts were embedded as, and which were not."""

    async def embed_failures(
        self, *, connection_id: str | None = None, name: str | None = None, limit: int = 10
    ) -> list[dict[str, Any]]:
        """Records whose text the model does not take, by entity and external id: url, entity, external_id, reason,
        tries and failed_at; of one entity, of one connection, or of all."""

    async def retry_embeddings(
        self, *, max_cost: float | None = None, on_embedded: Callable[[int], None] | None = None
    ) -> SyncReport:
        """Embed every text that has no vector; `computed` and `failed` say what became of them. Raises CostCeiling."""

    async def gc(self, *, runs_older_than: float | None = None) -> GcReport:
        """Forget vectors and failures of texts that no record has, tombstones that have expired, and runs that ended
        more than `runs_older_than` seconds ago. What is younger than the oldest live run is spared (promise E1)."""


class Runs(Protocol):
    """Every run of a sync is a row with a state and an end (promise S2).

    `running`, `cancelling`, then `succeeded`, `failed`, `cancelled`, or `died`: a run without a heartbeat for
    `DEAD_AFTER` seconds has lost its process. It ended with its last heartbeat, and its error is `DIED`. A beat
    revives it, since the process may only have been asleep.
    """

    async def start_run(
        self, run_id: str, *, sync: str, input: Mapping[str, object], parent: str | None = None
    ) -> None:
        """Write the row of a run that begins, anew where there is one, and mark the runs that died."""

    async def beat_run(
        self, run_id: str, counters: Mapping[str, object] | None = None, *, state: str | None = None
    ) -> None:
        """Say that the run is alive; `counters`, where given, replace those of the row.

        `state="cancelling"` says that it was told to stop. No beat takes that back: without a state a running or
        cancelling run stays what it is, and one that died runs again. A run that has ended is left as it is.
        Raises EngineError where nobody started the run.
        """

    async def end_run(
        self,
        run_id: str,
        *,
        state: str,
        counters: Mapping[str, object] | None = None,
        output: Mapping[str, object] | None = None,
        error: str | None = None,
    ) -> None:
        """Write how the run ended: succeeded, failed or cancelled; EngineError where nobody started it."""

    async def get_runs(
        self, *, run_id: str | None = None, parent: str | None = None, limit: int = 20
    ) -> list[dict[str, Any]]:
        """The latest runs, newest first; the one with an id, or the children of one. One that died is shown so,
        whether somebody has marked it or not."""


class LedgerPage(Protocol):
    """One known address, with what its last visit left."""

    @property
    def url(self) -> str:
        """Identity of the page."""

    @property
    def address(self) -> str:
        """What is sent to the server."""

    @property
    def depth(self) -> int:
        """Links from the start page."""

    @property
    def stored(self) -> bool:
        """True where the store holds the page."""

    @property
    def etag(self) -> str | None:
        """Validator of the stored content."""

    @property
    def last_modified(self) -> str | None:
        """Validator of the stored content."""

    @property
    def content_hash(self) -> str | None:
        """Of the stored content."""

    @property
    def extractor(self) -> str | None:
        """Version that read the stored content."""

    @property
    def links(self) -> Sequence[str]:
        """Addresses that the page linked to."""

    @property
    def gone(self) -> bool:
        """True where an earlier visit found the page gone, and it has not been there since."""


class Ledger(Protocol):
    """What a crawler remembers, and what it has still to do. Only builtins go in and out, so that the crawler's
    own protocol fits without an import."""

    @property
    def resumed(self) -> bool:
        """True where an earlier run of the same crawl was cut off and this one goes on with it."""

    def known(self) -> AsyncIterator[Sequence[tuple[str, str, int]]]:
        """Every known page as (url, address, depth), in order of discovery, by batches."""

    async def revisit(self, known: Sequence[tuple[str, str, int]], *, extractor: str | None = None) -> None:
        """Take pages of earlier crawls up again, which says nothing of a link to them. With `extractor`, the version
        of the extraction, those that are not due (`engine.freshness`) are settled as they are."""

    async def discover(
        self, found: Sequence[tuple[str, str, int]], *, listed: Mapping[str, float] | None = None
    ) -> None:
        """Add (url, address, depth) to the frontier: something names these addresses. `listed` says by url when a
        list of the site's says that the page changed (Unix time)."""

    async def take(self, count: int, *, max_depth: int | None = None) -> Sequence[LedgerPage]:
        """The next addresses in order of discovery, each once in a run."""

    async def settle(self, url: str, outcome: str, reason: str, facts: Mapping[str, object]) -> None:
        """This crawl is done with an address without storing it. That a page is unchanged may be written with others,
        a moment later, but before anything else is asked of the ledger."""

    async def holder(self, content_hash: str) -> str | None:
        """The stored page with this content."""

    async def waiting(self) -> int:
        """Addresses not yet settled."""

    async def counted(self) -> int:
        """Pages that earlier runs of this crawl stored or found unchanged."""

    async def passed_over(self) -> int:
        """Pages that this crawl left alone, as not due."""

    async def mark_orphans(self) -> int:
        """Mark the stored pages that this crawl found alive and that no page or list in it names (promise E3); how
        many they are. It is for the end of a crawl that visited everything."""

    async def end(self, *, finished: bool) -> None:
        """Let go of the crawl; an unfinished one is gone on with by the next run with the same options."""


class Crawls(Protocol):
    """What a site crawl keeps between and during its runs."""

    async def check(self, *, max_cost: float | None = None, ask: bool = True) -> str:
        """Prove that store and embedder can be used, and a ceiling kept, before anything is written; the embedder's
        name. Without `ask` the embedder is not asked for a vector."""

    def rehearse(self) -> AbstractAsyncContextManager["Engine"]:
        """An engine on which everything is done as on this one, and nothing stays: what is written is rolled back,
        nothing is embedded, and reports say what would be (promise E7). It is not searched: it has no vectors."""

    async def open_ledger(
        self,
        *,
        connection_id: str,
        name: str,
        start_url: str,
        run_id: str,
        options: Mapping[str, object],
        incidental: Collection[str] = (),
    ) -> Ledger:
        """Begin a crawl of an entity, or go on with one of the same options that was cut off; EngineError where
        another process is crawling it. `sites` tells the options afterwards; those called `incidental` are kept, too,
        but another value of them does not make it another crawl."""

    async def stored_pages(
        self, *, connection_id: str, name: str, other_than: str | None = None, after: int = 0, count: int = 50
    ) -> list[dict[str, Any]]:
        """Stored pages with an id above `after`, by id; `other_than` leaves out those chunked with these settings."""

    async def retire_pages(
        self, *, connection_id: str, name: str, most: float = MOST_LEAVING, grace: float = GRACE, prune: bool = False
    ) -> RetireReport:
        """Take the pages out of the store that visits found gone, at the end of a crawl (promise E3).

        Their records go at once, their ledger rows after `grace` seconds. Nothing leaves where more than the share
        `most` of the stored pages would. With `prune`, pages that the last crawl had nothing to do with leave, too.
        """

    async def optimize(self, *, tolerance: float = 0.0, on_progress: Callable[[str], None] | None = None) -> None:
        """Bring statistics and indexes up to date after many writes. `on_progress` is told how far a long one is."""


class Sites(Protocol):
    """What the store holds, for people."""

    async def sites(self) -> list[dict[str, Any]]:
        """Every entity with its counts, the time of its last fetch, the options of its last crawl (None where there
        was none), and whether that is unfinished: cut off, or under way."""

    async def status(self) -> dict[str, Any]:
        """Versions, counts and size of the store, and its active space."""


class Engine(Records, Pages, Search, Vectors, Runs, Crawls, Sites, Protocol):
    """The sum of the small protocols; what `Runtime` is given."""

    async def aclose(self) -> None: ...
