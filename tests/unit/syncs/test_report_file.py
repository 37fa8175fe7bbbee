"""The report of a crawl as a file: streamed, whole or not there, and refused before any work where it cannot be."""

import asyncio
import csv
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine import MockEngine
from ingest import BadInput, StartRefused
from syncs import Runtime
from syncs.crawl import CrawlInterrupted, PageRow, ReportUnwritable, check_report_file, site_crawl
from syncs.crawl.report_file import open_report
from syncs.tools import catalogue

ROW = PageRow(url="https://x.org/é", outcome="stored", chunks=2)


def crawl(url: str, target: Path, **options: object) -> Any:
    async def main() -> Any:
        async with Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl}) as runtime:
            return await runtime.sync("site_crawl", {"url": url, "report_file": str(target), **options})

    return asyncio.run(main())


@pytest.fixture
def site(site_server: Any) -> Any:
    def page(text: str) -> tuple[int, dict[str, str], str]:
        return 200, {"Content-Type": "text/html"}, f"<title>T</title><main>{text}</main>"

    site_server.routes = {
        "/docs/": page("<h1>Start</h1><p>Text. <a href=a>a</a> <a href=dead>dead</a> <a href=empty>e</a></p>"),
        "/docs/a": page("<h1>A</h1><p>More text.</p><pre>code</pre>"),
        "/docs/empty": page(""),
    }
    return site_server


@pytest.mark.promise("C11")
def test_the_file_has_a_row_for_every_address_and_the_counts(site: Any, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    report = crawl(f"{site.url}/docs/", target).report
    document = json.loads(target.read_text("utf-8"))
    assert list(document) == ["pages", "report"]
    assert document["report"] == report.model_dump(mode="json", exclude={"skipped"})
    rows = {row["url"].removeprefix(f"{site.url}/docs/"): row for row in document["pages"]}
    assert len(document["pages"]) == len(rows) == report.pages.discovered == 4
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "": "stored", "a": "stored", "dead": "skipped", "empty": "quarantined"
    }  # fmt: skip
    assert rows["dead"]["found_on"] == f"{site.url}/docs/"
    assert (rows["a"]["chunks"], rows["a"]["code_blocks"], rows["a"]["kept_code_blocks"]) == (1, 1, 1)
    assert rows["a"]["tokens"] > 3
    assert rows["empty"]["empty"]
    assert report.quality.empty == 1
    assert list(tmp_path.iterdir()) == [target]


def test_a_second_crawl_writes_the_file_anew_and_says_what_names_its_pages_now(site: Any, tmp_path: Path) -> None:
    target = tmp_path / "report.json"

    async def main() -> tuple[Any, Any]:
        async with Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl}) as runtime:
            asked = {"url": f"{site.url}/docs/"}
            await runtime.sync("site_crawl", asked)
            status, headers, body = site.routes["/docs/"]
            site.routes["/docs/"] = status, headers, body.replace("<a href=dead>dead</a>", "")
            await runtime.sync("site_crawl", {**asked, "report_file": str(target)})
            (row,) = await runtime.engine.sites()
            return json.loads(target.read_text("utf-8")), row["options"]

    document, options = asyncio.run(main())
    rows = {row["url"].removeprefix(f"{site.url}/docs/"): row for row in document["pages"]}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "": "stored", "a": "unchanged", "dead": "skipped", "empty": "quarantined"
    }  # fmt: skip
    assert (rows["a"]["source"], rows["a"]["found_on"]) == ("link", f"{site.url}/docs/")
    assert (rows["dead"]["source"], rows["dead"]["found_on"]) == (None, None)
    assert rows[""]["freshness"] == "changed"
    assert "report_file" not in options


def test_an_interrupted_crawl_leaves_what_it_did(site: Any, tmp_path: Path) -> None:
    target = tmp_path / "report.json"

    async def main() -> None:
        task: asyncio.Task[Any]

        def told(progress: Any) -> None:
            if progress.counters.get("fetched") == 2:
                task.cancel()

        async with Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl}, on_progress=told) as runtime:
            asked = {"url": f"{site.url}/docs/", "report_file": str(target)}
            task = asyncio.ensure_future(runtime.sync("site_crawl", asked))
            await task

    with pytest.raises(CrawlInterrupted):
        asyncio.run(main())
    document = json.loads(target.read_text("utf-8"))
    assert document["report"]["status"] == "interrupted"
    assert len(document["pages"]) >= 2


def test_a_plan_has_a_report_too(site: Any, tmp_path: Path) -> None:
    crawl(f"{site.url}/docs/", tmp_path / "report.json", plan=True)
    document = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert document["report"]["planned"]
    assert sum(row["chunks"] or 0 for row in document["pages"]) == document["report"]["chunks"]["added"]


def test_a_crawl_that_cannot_start_leaves_an_older_report(site: Any, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(StartRefused):
        crawl(f"{site.url}/nothing", target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_rows_before_a_failure_are_kept_without_counts(tmp_path: Path) -> None:
    target = tmp_path / "report.json"

    def fail() -> None:
        with open_report(str(target)) as report:
            assert report is not None
            report.add(ROW)
            report.add(ROW)
            raise KeyError("the database is gone")

    with pytest.raises(KeyError):
        fail()
    document = json.loads(target.read_text("utf-8"))
    assert document == {"pages": [ROW.model_dump(mode="json")] * 2, "report": None}
    assert list(tmp_path.iterdir()) == [target]


def test_each_row_is_a_line_that_is_written_while_the_crawl_runs(tmp_path: Path) -> None:
    with open_report(str(tmp_path / "report.json")) as report:
        assert report is not None
        for _ in range(1_000):
            report.add(ROW)
        (part,) = tmp_path.iterdir()
        assert part.name.endswith(".part")
        assert part.stat().st_size > 100_000
        report.finish(None)
    lines = (tmp_path / "report.json").read_text("utf-8").splitlines()
    assert json.loads(lines[1].rstrip(","))["url"] == "https://x.org/é"
    assert [line[:11] for line in lines] == ['{"pages": [', *['{"url": "ht'] * 1_000, "],", '"report": n']


def test_a_name_that_ends_with_csv_makes_a_table(tmp_path: Path) -> None:
    with open_report(str(tmp_path / "report.CSV")) as report:
        assert report is not None
        report.add(ROW.model_copy(update={"reason": '=1+1, or "so"'}))
        report.add(ROW)
        report.finish(None)
    with (tmp_path / "report.CSV").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == list(PageRow.model_fields)
    assert (first["url"], first["reason"]) == ("https://x.org/é", '\'=1+1, or "so"')
    assert (second["outcome"], second["chunks"], second["tokens"]) == ("stored", "2", "")


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    with open_report(str(tmp_path / "link.json")) as report:
        assert report is not None
        report.finish(None)
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == {"pages": [], "report": None}


@pytest.mark.parametrize("name", ["missing/report.json", "", "file/report.json", "a\0b", "x" * 5_000])
def test_a_file_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, site: Any, name: str) -> None:
    (tmp_path / "file").touch()
    target = str(tmp_path / name)
    with pytest.raises(BadInput, match=r"cannot be written|is no file"):
        check_report_file(target)
    with pytest.raises(BadInput):
        crawl(f"{site.url}/docs/", Path(target))
    assert site.requests == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_devices_are_no_files() -> None:
    with pytest.raises(BadInput, match="is no file"):
        check_report_file("/dev/null")


def test_a_full_disk_ends_the_crawl_with_one_sentence_and_no_file(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ReportUnwritable, match=r"report\.json could not be written: No space left"):
        crawl(f"{site.url}/docs/", tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


def test_an_agent_cannot_write_files() -> None:
    runtime = Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl})
    for tool in catalogue(runtime):
        assert "report_file" not in tool.input_schema["properties"]
