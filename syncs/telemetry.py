"""Spans and metrics of runs, through OpenTelemetry's API: without an SDK they cost next to nothing.

Attributes are ids, names and counts; never an input, an output or an error's own text unmasked.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from engine.telemetry import span
from syncs.redaction import without_secrets

__all__ = ["RunSpan", "batch_span", "count_pages", "run_span"]

_tracer = trace.get_tracer("syncline.syncs")
_meter = metrics.get_meter("syncline.syncs")
_runs = _meter.create_counter("syncline.runs", "{run}", "Runs that ended, by sync and state.")
_seconds = _meter.create_histogram("syncline.run.duration", "s", "How long runs took, by sync and state.")
_pages = _meter.create_counter("syncline.pages", "{page}", "Pages of crawls, by outcome.")


@contextmanager
def run_span(sync: str, run_id: str, parent: str | None) -> Iterator["RunSpan"]:
    """The span of a run; what happens inside it is its child. The run says how it ended."""
    attributes = {"syncline.sync": sync, "syncline.run_id": run_id}
    if parent is not None:
        attributes["syncline.parent_run_id"] = parent
    with _tracer.start_as_current_span(
        f"sync {sync}", attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as opened:
        yield RunSpan(opened, sync)


class RunSpan:
    """A run's span and its metrics."""

    def __init__(self, opened: Span, sync: str) -> None:
        self._span = opened
        self._sync = sync
        self._began = time.perf_counter()

    def end(self, state: str, error: str | None) -> None:
        """Say how the run ended; `error` is a sentence without secrets."""
        self._span.set_attribute("syncline.state", state)
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        labels = {"syncline.sync": self._sync, "syncline.state": state}
        _runs.add(1, labels)
        _seconds.record(time.perf_counter() - self._began, labels)


@contextmanager
def batch_span(entity: str, pages: int, records: int) -> Iterator[None]:
    """The span of a batch of pages that is embedded and swapped in."""
    attributes: dict[str, str | int] = {
        "syncline.entity": without_secrets(entity),
        "syncline.pages": pages,
        "syncline.records": records,
    }
    with span("store pages", attributes, SpanKind.INTERNAL):
        yield


def count_pages(outcome: str, pages: int = 1) -> None:
    """Count pages of a crawl by what became of them."""
    _pages.add(pages, {"syncline.outcome": outcome})
