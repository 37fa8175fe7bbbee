"""How a crawl is counted: the sum rule of the report, what is listed, and the row of each page."""

from datetime import UTC, datetime

from engine import PageInput, SyncReport
from ingest import CrawledPage, Freshness, Kept, Outcome, SkippedPage, VisitFacts
from syncs.crawl import PageRow
from syncs.crawl.tally import Tally


def skipped(outcome: Outcome, n: int = 0, *, transient: bool = False) -> SkippedPage:
    return SkippedPage(f"https://x.org/{outcome.value}{n}", outcome, f"because of {outcome.value}", transient)


def stored(*tokens: int, pages: int = 1) -> list[PageInput]:
    """Pages of a swap, each with a record of so many tokens each."""
    records = [{"external_id": str(n), "data": {"tokens": count}} for n, count in enumerate(tokens)]
    return [PageInput("https://x.org/", records)] * pages


def full() -> Tally:
    tally = Tally()
    for number, outcome in enumerate(Outcome, 1):
        for n in range(number):
            tally.take(skipped(outcome, n))
    for n in range(7):
        tally.take(CrawledPage(f"https://x.org/{n}", "text"))
    tally.wrote(stored(pages=4), SyncReport(added=9, updated=1, moved=2, unchanged=3, deleted=4, computed=8, reused=1))
    tally.wrote(stored(), SyncReport(added=1, tokens=70, cost_usd=0.0000014))
    return tally


def test_discovered_is_the_sum_of_the_outcomes_and_counts_only_pages_that_are_stored() -> None:
    report = full().report(run_id="r", entity="e", status="complete", waiting=2)
    pages = report.pages.model_dump()
    assert pages == {
        "discovered": 5 + 1 + 2 + 3 + 4 + 5, "stored": 5, "unchanged": 1, "duplicate": 2, "skipped": 3,
        "quarantined": 4, "failed": 5, "waiting": 2, "deleted": 0,
    }  # fmt: skip
    assert report.chunks.model_dump() == {
        "added": 10, "updated": 1, "moved": 2, "unchanged": 3, "deleted": 4
    }  # fmt: skip
    assert report.embeddings.model_dump() == {"computed": 8, "reused": 1, "tokens": 70, "cost_usd": 0.000001}


def test_skipped_quarantined_and_failed_pages_are_listed_with_their_reason() -> None:
    listed = full().report(run_id="r", entity="e", status="complete", waiting=0).skipped
    assert [item.outcome for item in listed] == ["skipped"] * 3 + ["quarantined"] * 4 + ["failed"] * 5
    assert (listed[0].url, listed[0].reason) == ("https://x.org/skipped0", "because of skipped")


def test_texts_embedded_by_windows_are_in_the_report_only_where_there_are_some() -> None:
    tally = Tally()
    tally.take(CrawledPage("https://x.org/", "text"))
    tally.wrote(stored(), SyncReport(computed=1, windowed=1))
    report = tally.report(run_id="r", entity="e", status="complete", waiting=0)
    assert report.model_dump(mode="json")["embeddings"]["windowed"] == 1


def test_only_stored_and_unchanged_pages_are_usable() -> None:
    tally = Tally()
    tally.take(CrawledPage("https://x.org/", "text"))
    tally.take(skipped(Outcome.FAILED))
    assert tally.usable == 0
    tally.take(skipped(Outcome.UNCHANGED))
    tally.wrote(stored(), SyncReport())
    assert tally.usable == 2


def test_one_transient_failure_is_remembered() -> None:
    tally = Tally()
    tally.take(skipped(Outcome.FAILED))
    assert not tally.transient
    tally.take(skipped(Outcome.FAILED, transient=True))
    tally.take(skipped(Outcome.FAILED))
    assert tally.transient


def test_the_counters_are_those_of_the_progress_display() -> None:
    tally = full()
    tally.count_embedded(8)
    assert tally.counters() == {
        "fetched": 7 + 15, "stored": 5, "unchanged": 1, "left_out": 14, "failed": 5, "chunks": 16,
        "embedded": 8,
    }  # fmt: skip


READ = Kept(characters=120, text=200, kept_text=100, code_blocks=3, kept_code_blocks=3, tables=2, kept_tables=1)
VISIT = VisitFacts(
    at=1.5, seconds=0.25049, bytes=900, depth=2, source="link", found_on="https://x.org/", rendered=True, kept=READ
)


def rows_of(*pages: CrawledPage | SkippedPage, swaps: list[list[PageInput]]) -> tuple[list[PageRow], Tally]:
    rows: list[PageRow] = []
    tally = Tally(rows.append)
    for page in pages:
        tally.take(page)
    for swap in swaps:
        tally.wrote(swap, SyncReport())
    tally.unwritten()
    return rows, tally


def test_a_stored_page_has_a_row_with_what_was_read_kept_and_stored_of_it() -> None:
    page = CrawledPage("https://x.org/a", "text", freshness=Freshness.CHANGED, visit=VISIT)
    (row,), _ = rows_of(page, swaps=[stored(70, 30)])
    assert row.model_dump() == {
        "url": "https://x.org/a", "outcome": "stored", "reason": "", "freshness": "changed", "depth": 2,
        "source": "link", "found_on": "https://x.org/", "visited_at": datetime.fromtimestamp(1.5, UTC),
        "seconds": 0.25, "bytes": 900, "characters": 120, "text": 200, "kept_text": 100, "code_blocks": 3,
        "kept_code_blocks": 3, "tables": 2, "kept_tables": 1, "rendered": True, "empty": False, "chunks": 2,
        "tokens": 100,
    }  # fmt: skip


def test_what_is_not_known_of_a_page_is_null() -> None:
    (row,), _ = rows_of(skipped(Outcome.FAILED), swaps=[])
    known = {name for name, value in row.model_dump().items() if value is not None}
    assert known == {"url", "outcome", "reason", "rendered", "empty"}


def test_rows_come_once_what_became_of_the_page_is_known() -> None:
    first, second, third = (CrawledPage(f"https://x.org/{n}", "text") for n in range(3))
    rows, _ = rows_of(first, skipped(Outcome.DUPLICATE), second, third, swaps=[stored(1, pages=2)])
    assert [(row.url[-1], row.outcome) for row in rows] == [
        ("0", "duplicate"), ("0", "stored"), ("1", "stored"), ("2", "waiting")
    ]  # fmt: skip
    assert rows[-1].reason == "read, but not stored before the crawl was cut off"


def test_the_quality_sums_up_the_pages_that_are_in_the_store() -> None:
    gain = Kept(characters=10, text=50, kept_text=80, code_blocks=1, kept_code_blocks=4)
    pages = [
        CrawledPage("https://x.org/a", "text", visit=VISIT),
        SkippedPage("https://x.org/b", Outcome.UNCHANGED, "", visit=VisitFacts(kept=gain)),
        SkippedPage("https://x.org/c", Outcome.UNCHANGED, "304"),
        SkippedPage("https://x.org/d", Outcome.DUPLICATE, "", visit=VISIT),
        SkippedPage("https://x.org/e", Outcome.QUARANTINED, "", visit=VisitFacts(empty=True, kept=Kept(text=9))),
    ]
    _, tally = rows_of(*pages, swaps=[stored(1)])
    quality = tally.report(run_id="r", entity="e", status="complete", waiting=0).quality
    assert quality is not None
    # No page makes up for what another has lost.
    assert quality.model_dump() == {
        "pages": 2, "empty": 1, "rendered": 1, "boilerplate": 0.4, "code_blocks": {"found": 4, "kept": 4},
        "tables": {"found": 2, "kept": 1},
    }  # fmt: skip


def test_without_a_page_that_was_read_there_is_no_quality() -> None:
    _, tally = rows_of(skipped(Outcome.FAILED), SkippedPage("https://x.org/", Outcome.UNCHANGED, "304"), swaps=[])
    assert "quality" not in tally.report(run_id="r", entity="e", status="failed", waiting=0).model_dump()
