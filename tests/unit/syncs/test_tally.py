"""How a crawl is counted: the sum rule of the report, and what is listed."""

from engine import SyncReport
from ingest import CrawledPage, Outcome, SkippedPage
from syncs.crawl.tally import Tally


def skipped(outcome: Outcome, n: int = 0, *, transient: bool = False) -> SkippedPage:
    return SkippedPage(f"https://x.org/{outcome.value}{n}", outcome, f"because of {outcome.value}", transient)


def full() -> Tally:
    tally = Tally()
    for number, outcome in enumerate(Outcome, 1):
        for n in range(number):
            tally.take(skipped(outcome, n))
    for n in range(7):
        tally.take(CrawledPage(f"https://x.org/{n}", "text"))
    tally.wrote(4, SyncReport(added=9, updated=1, moved=2, unchanged=3, deleted=4, computed=8, reused=1))
    tally.wrote(1, SyncReport(added=1, tokens=70, cost_usd=0.0000014))
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
    tally.wrote(1, SyncReport(computed=1, windowed=1))
    report = tally.report(run_id="r", entity="e", status="complete", waiting=0)
    assert report.model_dump(mode="json")["embeddings"]["windowed"] == 1


def test_only_stored_and_unchanged_pages_are_usable() -> None:
    tally = Tally()
    tally.take(CrawledPage("https://x.org/", "text"))
    tally.take(skipped(Outcome.FAILED))
    assert tally.usable == 0
    tally.take(skipped(Outcome.UNCHANGED))
    tally.wrote(1, SyncReport())
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
