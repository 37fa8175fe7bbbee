"""One row a page for a crawl's report, and the sums of what was kept of the pages (pure)."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from engine import RecordInput
from ingest import CrawledPage, Outcome, SkippedPage
from syncs.crawl.models import KeptCounts, PageRow, Quality

__all__ = ["QualityTally", "row_of", "stored_row"]

STORED, WAITING = "stored", "waiting"
_USABLE = (STORED, Outcome.UNCHANGED.value)


def row_of(page: CrawledPage | SkippedPage) -> PageRow:
    """The row of a page as the crawl hands it out: one that is to be stored is waiting for that."""
    visit = page.visit
    kept: dict[str, Any] = {} if visit.kept is None else asdict(visit.kept)
    row = PageRow(
        url=page.url,
        outcome=WAITING,
        reason="read, but not stored before the crawl was cut off",
        depth=visit.depth,
        source=visit.source or None,
        found_on=visit.found_on or None,
        visited_at=None if visit.at is None else datetime.fromtimestamp(visit.at, UTC),
        seconds=None if visit.seconds is None else round(visit.seconds, 3),
        bytes=visit.bytes,
        rendered=visit.rendered,
        empty=visit.empty,
        **kept,
    )
    if isinstance(page, CrawledPage):
        return row.model_copy(update={"freshness": page.freshness.value})
    return row.model_copy(update={"outcome": page.outcome.value, "reason": page.reason})


def stored_row(row: PageRow, records: Sequence[RecordInput]) -> PageRow:
    """The row of a page that is stored now, with these records."""
    tokens = [int(str(record["data"]["tokens"])) for record in records]
    return row.model_copy(update={"outcome": STORED, "reason": "", "chunks": len(tokens), "tokens": sum(tokens)})


class QualityTally:
    """Sums up the rows of the pages that were read."""

    def __init__(self) -> None:
        self._sums = Quality()
        self._text = self._kept_text = 0

    def take(self, row: PageRow) -> None:
        """Count a row with its last outcome."""
        sums = self._sums
        sums.empty += row.empty
        if row.outcome not in _USABLE or row.characters is None:
            return
        sums.pages += 1
        sums.rendered += row.rendered
        self._text += row.text or 0
        self._kept_text += min(row.kept_text or 0, row.text or 0)
        _add(sums.code_blocks, row.code_blocks, row.kept_code_blocks)
        _add(sums.tables, row.tables, row.kept_tables)

    def sums(self) -> Quality | None:
        """The sums so far; None where no page was read."""
        if not self._sums.pages and not self._sums.empty:
            return None
        share = 1 - self._kept_text / self._text if self._text else 0.0
        return self._sums.model_copy(update={"boilerplate": round(share, 4)}, deep=True)


def _add(sums: KeptCounts, found: int | None, kept: int | None) -> None:
    """Add a page's blocks; one cannot make up for what another has lost."""
    sums.found += found or 0
    sums.kept += min(found or 0, kept or 0)
