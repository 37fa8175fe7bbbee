"""How a crawl shows where it is: a live line on a terminal, a plain line now and then otherwise."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from syncs import Progress as RunProgress

__all__ = ["CrawlDisplay", "crawl_display"]

PLAIN_SECONDS = 5.0


@contextmanager
def crawl_display(limit: int | None) -> Iterator["CrawlDisplay"]:
    """The display for the length of a crawl, on standard error. `limit` makes the end known, and the ETA."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        yield CrawlDisplay(None, None)
        return
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    if limit is not None:
        columns += [BarColumn(bar_width=24), TimeRemainingColumn()]
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as live:
        yield CrawlDisplay(live, live.add_task("starting", total=limit))


class CrawlDisplay:
    """Takes the reports of a run and shows them."""

    def __init__(self, live: Progress | None, task: TaskID | None) -> None:
        self._live = live
        self._task = task
        self._started = self._shown = time.monotonic()

    def update(self, report: RunProgress) -> None:
        """Show a report; without a terminal only every few seconds."""
        if "fetched" not in report.counters:
            if report.message:
                self._say(report.message)
            return
        text = self._line(report.counters)
        if self._live is not None and self._task is not None:
            done = _count(report.counters, "stored") + _count(report.counters, "unchanged")
            self._live.update(self._task, description=text, completed=done)
        elif time.monotonic() - self._shown >= PLAIN_SECONDS:
            self._shown = time.monotonic()
            self._say(text)

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text)
        else:
            sys.stderr.write(text + "\n")

    def _line(self, counters: Mapping[str, object]) -> str:
        rate = _count(counters, "fetched") / max(time.monotonic() - self._started, 0.001)
        parts = [
            f"{_count(counters, 'stored'):,} pages stored",
            f"{_count(counters, 'unchanged'):,} unchanged",
            f"{_count(counters, 'left_out'):,} left out",
            f"{_count(counters, 'chunks'):,} chunks",
            f"{_count(counters, 'embedded'):,} embedded",
            f"{rate:.0f} pages/s",
        ]
        return " · ".join(part for part in parts if not part.startswith("0 ") or "stored" in part)


def _count(counters: Mapping[str, object], name: str) -> int:
    value = counters.get(name, 0)
    return value if isinstance(value, int) else 0
