"""`syncline crawl` and what looks at the store: `sites`, `page`, `remove` and `db`."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import PostgresEngine
from engine.embedded import server_status
from syncs import Runtime
from syncs.crawl import SiteCrawlOut, site_crawl

pytestmark = pytest.mark.slow

PAGE_COUNTS = {
    "discovered", "stored", "unchanged", "duplicate", "skipped", "quarantined", "failed", "waiting", "deleted"
}  # fmt: skip
CHUNK_COUNTS = {"added", "updated", "moved", "unchanged", "deleted"}


def check_report(report: dict[str, Any]) -> dict[str, Any]:
    """The document of design.md, with what was kept of the pages where some were read, and its sum."""
    fields = [field for field in report if field != "quality"]
    assert fields == ["run_id", "entity", "status", "pages", "chunks", "embeddings", "seconds", "skipped"]
    pages = report["pages"]
    assert set(pages) == PAGE_COUNTS
    assert set(report["chunks"]) == CHUNK_COUNTS
    assert set(report["embeddings"]) == {"computed", "reused", "tokens", "cost_usd"}
    outcomes = ("stored", "unchanged", "duplicate", "skipped", "quarantined", "failed")
    assert pages["discovered"] == sum(pages[outcome] for outcome in outcomes)
    listed = pages["skipped"] + pages["quarantined"] + pages["failed"]
    assert len(report["skipped"]) == listed
    for left_out in report["skipped"]:
        assert set(left_out) == {"url", "outcome", "reason"}
        assert left_out["outcome"] in ("skipped", "quarantined", "failed")
        assert left_out["reason"]
    return report


def mixed_site(site_server, make_page, chain) -> None:
    """Ten pages; beside them a copy, a PDF, a dead link, an empty page, a hidden one, another folder."""
    site_server.routes = {
        **chain(10),
        "/docs/copy": chain(10)["/docs/p3"],
        "/docs/paper.pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF-1.7"),
        "/docs/empty": make_page("Empty", ""),
        "/docs/hidden": (
            200,
            {"Content-Type": "text/html", "X-Robots-Tag": "noindex"},
            "<p>Not for an index.</p>",
        ),
        "/blog/": make_page("Blog", "<h1>Blog</h1><p>Another folder.</p>"),
    }
    links = ["copy", "paper.pdf", "empty", "hidden", "dead", "/blog/"]
    more = "".join(f'<a href="{link}">{link}</a> ' for link in links)
    site_server.routes["/docs/p9"] = make_page("Page 9", f"<h1>Page 9</h1><p>See also: {more}</p>")


def test_a_site_is_crawled_into_the_store_and_the_report_adds_up(
    syncline, site_server, make_page, chain, database_url: str, contents, rows
) -> None:
    mixed_site(site_server, make_page, chain)
    start = f"{site_server.url}/docs/"

    first = syncline("crawl", start, "--json", "--db", database_url)
    assert first.code == 0, first.err
    report = check_report(first.json)
    assert (report["status"], report["entity"]) == ("complete", f"CRAWL_{start}")
    assert report["pages"] == {
        "discovered": 15, "stored": 10, "unchanged": 0, "duplicate": 1, "skipped": 3, "quarantined": 1,
        "failed": 0, "waiting": 0, "deleted": 0,
    }  # fmt: skip
    reasons = {item["url"].rpartition("/")[2]: item["reason"] for item in report["skipped"]}
    assert reasons["paper.pdf"] == "application/pdf is not a page"
    assert reasons["dead"] == "404 Not Found"
    assert reasons["hidden"].startswith("noindex")
    assert reasons["empty"] == "no text was found in it"
    assert "/blog/" not in site_server.paths
    assert "Embedding with wordllama:l2_supercat_256: it works offline" in first.err

    pages, records = contents(report["entity"])
    assert sum(page["state"] == "stored" for page in pages) == 10
    assert len(records) == report["chunks"]["added"] > 10
    assert all(record["embedded"] for record in records)
    run = rows("SELECT state, sync, counters, output FROM syncline.run")[0]
    assert (run["state"], run["sync"]) == ("succeeded", "site-crawl-sync")
    assert run["output"]["report"]["pages"] == report["pages"]

    second = check_report(syncline("crawl", start, "--json", "--db", database_url).json)
    assert (second["pages"]["unchanged"], second["pages"]["stored"]) == (10, 0)
    assert second["embeddings"] == {"computed": 0, "reused": 0, "tokens": 0, "cost_usd": 0.0}
    assert second["chunks"] == dict.fromkeys(CHUNK_COUNTS, 0)
    assert contents(report["entity"]) == (pages, records)


def test_a_start_that_leads_elsewhere_is_followed_and_named(
    syncline, site_server, make_page, chain, database_url: str
) -> None:
    forward = '<meta http-equiv="refresh" content="0; url=docs/">'
    site_server.routes = {
        **chain(2),
        "/": (200, {"Content-Type": "text/html"}, forward),
        "/docs": (301, {"Location": "/docs/"}, b""),
    }
    start = f"{site_server.url}/"
    report = syncline("crawl", start, "--json", "--db", database_url).json
    assert report["pages"]["stored"] == 2
    assert report["notes"] == [
        f"{start} leads to {start}docs/, so the scope is the folder of that page. A --path-regex or --include "
        "(path_regex, include) takes in more of the host."
    ]
    assert "notes" not in syncline("crawl", f"{start}docs", "--json", "--db", database_url).json


def test_the_report_for_people_says_what_the_document_says(
    syncline, site_server, make_page, chain, database_url: str
) -> None:
    mixed_site(site_server, make_page, chain)
    start = f"{site_server.url}/docs/"
    ran = syncline("crawl", start, "--db", database_url)
    assert ran.code == 0
    assert f"CRAWL_{start}: complete" in ran.out
    assert "15 taken up: 10 stored, 0 unchanged, 1 duplicate, 3 skipped, 1 quarantined, 0 failed" in ran.out
    assert f"{start}paper.pdf: application/pdf is not a page" in ran.out
    assert "\x1b" not in ran.out + ran.err

    again = syncline("crawl", start, "--db", database_url)
    assert "the store was made with it" in again.err


def test_limits_end_a_crawl_without_a_failure_and_leave_the_rest_waiting(
    syncline, site_server, chain, database_url: str
) -> None:
    site_server.routes = chain(12)
    start = f"{site_server.url}/docs/"
    limited = syncline("crawl", start, "--limit", "4", "--json", "--db", database_url)
    report = check_report(limited.json)
    assert (limited.code, report["status"]) == (0, "limited")
    assert (report["pages"]["stored"], report["pages"]["waiting"]) == (4, 8)

    flat = syncline("crawl", start, "--max-depth", "0", "--json", "--name", "flat", "--db", database_url)
    report = check_report(flat.json)
    assert (flat.code, report["entity"], report["status"]) == (0, "flat", "limited")
    assert (report["pages"]["discovered"], report["pages"]["waiting"]) == (1, 11)


def test_expressions_choose_the_pages(syncline, site_server, chain, database_url: str, contents) -> None:
    site_server.routes = chain(8)
    start = f"{site_server.url}/docs/"
    ran = syncline(
        "crawl", start, "--path-regex", "p[1-4]$", "--exclude", "/p2", "--json", "--name", "few",
        "--db", database_url,
    )  # fmt: skip
    assert check_report(ran.json)["pages"]["stored"] == 3
    stored = [page["url"] for page in contents("few")[0] if page["state"] == "stored"]
    assert stored == [f"{start}p1", f"{start}p3", f"{start}p4"]


def test_a_page_that_fails_for_now_makes_the_crawl_partial(syncline, site_server, chain, database_url: str) -> None:
    site_server.routes = {**chain(4), "/docs/p2": b""}  # hangs up without an answer
    ran = syncline("crawl", f"{site_server.url}/docs/", "--json", "--db", database_url)
    report = check_report(ran.json)
    assert (ran.code, report["status"]) == (1, "partial")
    assert [item["outcome"] for item in report["skipped"]] == ["failed"]
    assert report["pages"]["stored"] == 3


def test_a_site_of_which_nothing_can_be_stored_is_a_failed_crawl(
    syncline, site_server, make_page, database_url: str
) -> None:
    site_server.routes = {"/": make_page("Nothing", "")}
    ran = syncline("crawl", f"{site_server.url}/", "--json", "--db", database_url)
    assert (ran.code, check_report(ran.json)["status"]) == (1, "failed")


def test_robots_txt_is_ignored_only_on_request_and_that_is_said_and_kept(
    syncline, site_server, chain, database_url: str, rows
) -> None:
    rules = "User-agent: *\nDisallow: /docs/p1\n"
    site_server.routes = {**chain(3), "/robots.txt": (200, {"Content-Type": "text/plain"}, rules)}
    start = f"{site_server.url}/docs/"
    obeyed = syncline("crawl", start, "--json", "--db", database_url).json
    assert [(item["url"], item["outcome"]) for item in obeyed["skipped"]] == [(f"{start}p1", "skipped")]
    ignored = syncline("crawl", start, "--robots", "ignore", "--json", "--db", database_url)
    assert ignored.json["pages"]["stored"] == 1
    assert "robots.txt is ignored on request" in ignored.err
    assert [run["input"]["robots"] for run in rows("SELECT input FROM syncline.run ORDER BY started_at")] == [
        "obey", "ignore",
    ]  # fmt: skip


def test_what_was_crawled_is_listed_shown_and_removed(
    syncline, site_server, make_page, database_url: str, contents
) -> None:
    code = "<pre><code>all:\n\tmake :heart: [bold]x[/bold]\n</code></pre>"
    site_server.routes = {"/docs/": make_page("Start \x1b[31m", f"<h1>Start</h1>{code}")}
    start = f"{site_server.url}/docs/"
    name = "named [red] " + "n" * 150
    assert syncline("crawl", start, "--name", name, "--db", database_url).code == 0

    listed = syncline("sites", "--json", "--db", database_url).json
    assert [(site["name"], site["start_url"], site["pages"]) for site in listed] == [(name, start, 1)]
    plain = syncline("sites", "--db", database_url).out
    assert name in plain
    assert f"1 pages, {listed[0]['records']} chunks, last fetch" in plain

    shown = syncline("page", f"{start}?utm_source=mail#part", "--db", database_url)
    assert shown.code == 0
    assert "\tmake :heart: [bold]x[/bold]" in shown.out
    as_json = syncline("page", start, "--json", "--db", database_url).json
    assert (as_json["url"], as_json["entity"], as_json["state"]) == (start, name, "stored")
    assert as_json["markdown"] in shown.out

    missing = syncline("page", f"{start}nowhere", "--db", database_url)
    assert (missing.code, missing.out) == (1, "")
    assert missing.error.startswith(f"{start}nowhere is not stored")

    assert syncline("remove", start, "--json", "--db", database_url).json == {"entity": name, "removed": True}
    assert contents(name) == ([], [])
    gone = syncline("remove", start, "--db", database_url)
    assert gone.code == 2
    assert "No site or entity is called" in gone.error

    back = syncline("crawl", start, "--json", "--db", database_url).json
    assert (back["pages"]["stored"], back["embeddings"]["computed"]) == (1, 0)
    assert back["embeddings"]["reused"] > 0


def test_a_reader_that_has_seen_enough_is_no_error(syncline, site_server, make_page, database_url: str) -> None:
    long = "".join(f"<p>Sentence {n} of a page that no pipe holds.</p>" for n in range(4_000))
    site_server.routes = {"/docs/": make_page("Long", f"<h1>Long</h1>{long}")}
    start = f"{site_server.url}/docs/"
    assert syncline("crawl", start, "--db", database_url).code == 0
    for option in ([], ["--json"]):
        process = syncline.start("page", start, "--db", database_url, *option)
        assert process.stdout.read(10)
        process.stdout.close()
        process.stdout = None
        assert syncline.end(process).err == ""


def test_the_embedded_database_is_started_found_and_stopped(syncline, open_folder: Path) -> None:
    folder = open_folder / "cli database"
    db = ("--db", os.fspath(folder))
    away = syncline("db", "url", *db)
    assert away.code == 1
    assert "is not running: syncline db start" in away.error
    try:
        started = syncline("db", "start", *db, "--json").json
        assert (started["running"], started["kept"]) == (True, True)
        assert syncline("db", "url", *db).out.strip() == started["url"]
        assert syncline("db", "url", *db, "--json").json == {"url": started["url"]}
        assert syncline("status", "--db", started["url"], "--json").code == 0
        assert syncline("search", "anything", *db, "--json").json == []
    finally:
        stopped = syncline("db", "stop", *db)
    assert stopped.out == f"The embedded Postgres in {folder} is stopped.\n"
    assert not asyncio.run(server_status(folder)).running

    dsn = syncline("db", "stop", "--db", "postgresql://u:hunter2@h/d")
    assert (dsn.code, "hunter2" in dsn.err) == (2, False)


def run_sync(database_url: str, **asked: Any) -> SiteCrawlOut:
    async def main() -> SiteCrawlOut:
        async with Runtime(engine=PostgresEngine(database_url), syncs={"site_crawl": site_crawl}) as runtime:
            return await runtime.sync(site_crawl, asked)

    return asyncio.run(main())


def test_in_python_all_pages_come_back_stored_and_unchanged_ones(
    site_server, chain: Callable[[int], dict[str, Any]], database_url: str
) -> None:
    site_server.routes = chain(5)
    start = f"{site_server.url}/docs/"
    first = run_sync(database_url, url=start, limit=3)
    assert (first.success, first.entity_type, len(first.crawl_data)) == (True, f"CRAWL_{start}", 3)
    second = run_sync(database_url, url=start)
    assert (second.report.pages.unchanged, second.report.pages.stored) == (3, 2)
    assert {data.metadata["source_url"]: data.metadata["title"] for data in second.crawl_data} == {
        start: "Start", **{f"{start}p{n}": f"Page {n}" for n in range(1, 5)}
    }  # fmt: skip
    assert all(data.markdown.startswith("# ") for data in second.crawl_data)
    assert run_sync(database_url, url=start, return_pages="none").crawl_data == []

    site_server.routes = {"/docs/": (200, {"Content-Type": "text/html"}, "<html></html>")}
    nothing = run_sync(database_url, url=start, name="nothing")
    assert (nothing.success, nothing.crawl_data, nothing.entity_type) == (False, [], "")
    assert nothing.report.skipped[0].reason


def test_another_target_size_chunks_stored_pages_again_without_a_fetch_of_their_content(
    site_server, chain: Callable[[int], dict[str, Any]], database_url: str, contents, make_page
) -> None:
    site_server.routes = chain(4)
    served = dict(site_server.routes)
    start = f"{site_server.url}/docs/"

    def conditional(path: str) -> Callable[[Any], Any]:
        status, headers, body = served[path]

        def answer(request: Any) -> Any:
            if request.headers.get("if-none-match") == '"v1"':
                return 304, {"ETag": '"v1"'}, b""
            return status, {**headers, "ETag": '"v1"'}, body

        return answer

    site_server.routes = {path: conditional(path) for path in served}
    run_sync(database_url, url=start, name="again")
    before = contents("again")[1]
    smaller = run_sync(database_url, url=start, name="again", target_size=64).report
    assert (smaller.pages.stored, smaller.pages.unchanged) == (0, 4)
    after = contents("again")[1]
    assert len(after) > len(before)
    assert smaller.chunks.added > 0
    run_sync(database_url, url=start, name="fresh", target_size=64)
    assert contents("fresh") == contents("again")
    run_sync(database_url, url=start, name="again")
    assert contents("again")[1] == before


def test_a_script_without_a_main_guard_can_crawl(
    site_server, chain: Callable[[int], dict[str, Any]], database_url: str, tmp_path: Path
) -> None:
    site_server.routes = chain(2)
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, os\n"
        "from engine import PostgresEngine\n"
        "from syncs import Runtime\n"
        "from syncs.crawl import site_crawl\n"
        "print('once')\n"
        "async def main():\n"
        "    engine = PostgresEngine(os.environ['DB'])\n"
        "    async with Runtime(engine=engine, syncs={'s': site_crawl}) as runtime:\n"
        "        return await runtime.sync('s', {'url': os.environ['URL']})\n"
        "print(len(asyncio.run(main()).crawl_data))\n",
        "utf-8",
    )
    env = {**os.environ, "DB": database_url, "URL": f"{site_server.url}/docs/"}
    ran = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("once\n2\n", "")
