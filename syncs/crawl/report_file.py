"""The report of a crawl as a file: a row for every address while it runs, the counts at its end, as one JSON document;
or, in a file whose name ends with .csv, the rows as a table.

Rows are written as they come, so that memory does not grow with the site. The file appears when the crawl is over,
under another name until then.
"""

import csv
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from ingest import BadInput
from syncs.crawl.models import CrawlReport, PageRow
from syncs.errors import SyncError

__all__ = ["ReportFile", "ReportUnwritable", "check_report_file", "open_report"]


class ReportUnwritable(SyncError):
    """The report could not be written to its end; what was crawled is stored."""


class ReportFile:
    """Where rows and counts go."""

    def __init__(self, target: Path, file: IO[str]) -> None:
        self._file = file
        self._target = target
        self._table = csv.writer(file) if target.suffix.lower() == ".csv" else None
        self._rows = 0
        self._begin()

    def _begin(self) -> None:
        with self._told():
            if self._table is not None:
                self._table.writerow(PageRow.model_fields)
            else:
                self._file.write('{"pages": [\n')

    def add(self, row: PageRow) -> None:
        """Write a row."""
        values = row.model_dump(mode="json")
        with self._told():
            if self._table is not None:
                self._table.writerow(map(_cell, values.values()))
            else:
                self._file.write((",\n" if self._rows else "") + json.dumps(values, ensure_ascii=False))
        self._rows += 1

    def finish(self, report: CrawlReport | None) -> None:
        """Write the counts, None where there are none, and give the file its name, in place of an older one."""
        counts = None if report is None else report.model_dump(mode="json", exclude={"skipped"})
        with self._told():
            if self._table is None:
                end = "\n" if self._rows else ""
                self._file.write(f'{end}],\n"report": {json.dumps(counts, ensure_ascii=False)}}}\n')
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._file.name, self._target)

    def close(self) -> None:
        """Finish without counts, where that was not done; without a row, there is no file, and an older one stays."""
        if not self._file.closed and self._rows:
            self.finish(None)
        self._discard()

    def _discard(self) -> None:
        with suppress(OSError):  # what it could not write is told, or is not wanted
            self._file.close()
        Path(self._file.name).unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._discard()
            raise ReportUnwritable(
                f"The report {self._target} could not be written: {error.strerror or error}. What is stored stays; "
                "make room or give another file, and the same crawl goes on."
            ) from error


@contextmanager
def open_report(name: str | None) -> Iterator[ReportFile | None]:
    """The report file `name` for the length of the block; BadInput where none can be written there.

    Where the block fails before `finish`, the file holds the rows so far and no counts.
    """
    if name is None:
        yield None
        return
    with closing(ReportFile(*_open(name))) as report:
        yield report


def _cell(value: object) -> object:
    """A value in a table; a spreadsheet would take some texts for formulas."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def check_report_file(name: str | None) -> None:
    """BadInput where no report can be written to the file `name`."""
    if name is not None:
        _, file = _open(name)
        file.close()
        Path(file.name).unlink()


def _open(name: str) -> tuple[Path, IO[str]]:
    """The file that is meant, links followed, and one beside it to be written first."""
    try:
        target = Path(name).expanduser().resolve()
        if target.exists() and not target.is_file():
            raise BadInput(f"the report {name} is no file: name one that is to be written")
        return target, (target.parent / f".{uuid4().hex}.part").open(
            "x", encoding="utf-8", errors="replace", newline=""
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadInput(f"the report {name} cannot be written: {reason}; name a file in a folder that can be") from error
