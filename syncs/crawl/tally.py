"""What a crawl has done so far, counted as its report counts it."""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from engine import PageInput, SyncReport
from engine.errors import CostCeiling
from engine.models import RetireReport
from ingest import CrawledPage, Freshness, Outcome, SkippedPage
from syncs.crawl.models import (
    ChunkCounts,
    CrawlReport,
    CrawlStatus,
    EmbeddingCounts,
    LeftOut,
    PageCounts,
    PageRow,
)
from syncs.crawl.rows import QualityTally, row_of, stored_row
from syncs.telemetry import count_pages

__all__ = ["Tally"]

_LISTED = frozenset({Outcome.SKIPPED, Outcome.QUARANTINED, Outcome.FAILED})


class Tally:
    """Counts pages as they come and writes as they are committed. `on_row` is given each page's row once what became
    of it is known."""

    def __init__(self, on_row: Callable[[PageRow], None] | None = None) -> None:
        self._on_row = on_row
        self._quality = QualityTally()
        self._started = time.monotonic()
        self._outcomes: Counter[Outcome] = Counter()
        self._left_out: list[LeftOut] = []
        self._written = SyncReport()
        self.fetched = 0
        self.rendered = 0
        self.stored = 0
        self.embedded = 0
        self.transient = False
        self.incomplete = False
        self.cut_off = False
        self.notes: list[str] = []
        self._left = RetireReport()
        self._read: deque[PageRow] = deque()  # of pages that are not stored yet, in their order
        self._stored_as: Counter[str | None] = Counter()

    def take(self, page: CrawledPage | SkippedPage) -> None:
        """Count a page of the stream. A page to be stored counts once it is."""
        if isinstance(page, CrawledPage):
            self.fetched += 1
            self._read.append(row_of(page))
            self.rendered += page.rendered
            return
        self._settled(row_of(page))
        self._outcomes[page.outcome] += 1
        count_pages(page.outcome.value)
        self.transient = self.transient or page.transient
        if page.outcome in _LISTED:
            self._left_out.append(LeftOut(url=page.url, outcome=page.outcome.value, reason=page.reason))

    def began_at(self, url: str, typed: str) -> None:
        """Where the start leads into another folder than the one that was typed, say so: the scope is that one."""
        paths = [urlsplit(address).path.rpartition("/")[0] for address in (url, typed)]
        if paths[0] not in (paths[1], urlsplit(typed).path):
            self.notes.append(
                f"{typed} leads to {url}, so the scope is the folder of that page. A --path-regex or --include "
                "(path_regex, include) takes in more of the host."
            )

    def wrote(self, pages: Sequence[PageInput], report: SyncReport) -> None:
        """Count a committed swap of pages, the first that were taken and not yet written."""
        self.stored += len(pages)
        count_pages("stored", len(pages))
        self._written += report
        for page in pages:
            row = stored_row(self._read.popleft(), page.records)
            self._stored_as[row.freshness] += 1
            self._settled(row)

    def unwritten(self) -> None:
        """The crawl is over: what was read and not written is still waiting."""
        while self._read:
            self._settled(self._read.popleft())

    def _settled(self, row: PageRow) -> None:
        self._quality.take(row)
        if self._on_row is not None:
            self._on_row(row)

    def retired(self, report: RetireReport) -> None:
        """Count the pages that left the store; where too many would have, say so."""
        self._left = report
        if report.refused:
            self.incomplete = True
            self.notes.append(
                f"{report.refused:,} stored pages are gone from the site, and none was taken out: they are more than "
                "the share that may leave at once. Look at the site; a higher --max-gone (max_gone) lets them go."
            )

    def orphaned(self, pages: int) -> None:
        """Say how many stored pages nothing names."""
        if pages:
            self.notes.append(
                f"Stored pages that no page of this crawl links to and no list names: {pages:,}. They answer as ever, "
                "and stay; syncline page says of each since when."
            )

    def stopped(self, ceiling: CostCeiling) -> None:
        """The crawl was stopped by the ceiling on its cost."""
        self._written += ceiling.spent
        self.incomplete = self.cut_off = True
        self.notes.append(str(ceiling))

    def set_aside(self, failures: Sequence[Mapping[str, object]]) -> None:
        """Say which records have no vector, and why; a few of them, as the engine's `embed_failures` gives them."""
        self.notes.append(
            f"Chunks that were not embedded, because the model does not take their text: {self.failed:,}. Search finds "
            "them by their words only; syncline retry tries them again."
        )
        self.notes += [f"{one['url'] or one['external_id']}: {one['reason']}" for one in failures]

    @property
    def failed(self) -> int:
        """Texts that the model does not take."""
        return self._written.failed

    @property
    def cost_usd(self) -> float:
        """What embedding has cost."""
        return self._written.cost_usd

    def count_embedded(self, texts: int) -> None:
        """Count texts whose vectors are committed."""
        self.embedded += texts

    @property
    def usable(self) -> int:
        """Pages that this run stored or found unchanged."""
        return self.stored + self._outcomes[Outcome.UNCHANGED]

    def counters(self) -> dict[str, int]:
        """The figures that a progress display shows."""
        return {
            "fetched": self.fetched + self._outcomes.total(),
            "stored": self.stored,
            "unchanged": self._outcomes[Outcome.UNCHANGED],
            "left_out": self._outcomes.total() - self._outcomes[Outcome.UNCHANGED],
            "failed": self._outcomes[Outcome.FAILED],
            "chunks": self._written.added + self._written.updated + self._written.moved + self._written.unchanged,
            "embedded": self.embedded,
        }

    def report(self, *, run_id: str, entity: str, status: CrawlStatus, waiting: int, not_due: int = 0) -> CrawlReport:
        """The document of `crawl --json`. A page that was read and not stored is waiting."""
        counts = {outcome.value: self._outcomes[outcome] for outcome in Outcome}
        written = self._written
        rendered = [f"Pages read as a browser shows them, once their scripts had run: {self.rendered:,}."]
        return CrawlReport(
            run_id=run_id,
            entity=entity,
            status=status,
            pages=PageCounts(
                discovered=self.stored + self._outcomes.total(),
                stored=self.stored,
                waiting=waiting,
                deleted=self._left.pages,
                back=self._stored_as[Freshness.BACK.value],
                not_due=not_due,
                **counts,
            ),
            chunks=ChunkCounts(
                added=written.added,
                updated=written.updated,
                moved=written.moved,
                unchanged=written.unchanged,
                deleted=written.deleted + self._left.records,
            ),
            embeddings=EmbeddingCounts(
                computed=written.computed,
                reused=written.reused,
                tokens=written.tokens,
                cost_usd=round(written.cost_usd, 6),
                windowed=written.windowed,
                failed=written.failed,
            ),
            seconds=round(time.monotonic() - self._started, 3),
            skipped=self._left_out,
            notes=[*self.notes, *(rendered if self.rendered else ())],
            quality=self._quality.sums(),
        )
