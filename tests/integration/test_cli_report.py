"""`syncline crawl --report FILE`, and what a crawl says of the quality of what it kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def site(site_server: Any, make_page: Callable[..., Any]) -> Any:
    code = "<pre>a = 1</pre><table><tr><th>x<th>y<tr><td>1<td>2</table>"
    site_server.routes = {
        "/docs/": make_page("Start", "<h1>Start</h1><p>Welcome. <a href='a'>a</a> <a href='none'>none</a></p>"),
        "/docs/a": make_page("A", f"<h1>A</h1><p>Page a.</p>{code}"),
        "/docs/none": make_page("None", ""),
    }
    return site_server


@pytest.mark.slow
@pytest.mark.promise("C11")
def test_a_crawl_writes_its_report_and_says_what_it_kept(
    syncline: Any, site: Any, database_url: str, tmp_path: Path
) -> None:
    target = tmp_path / "report.json"
    ran = syncline("crawl", f"{site.url}/docs/", "--db", database_url, "--report", str(target))
    assert ran.code == 0
    (said,) = [line for line in ran.out.splitlines() if line.startswith("  quality")]
    assert said.endswith("1 of 1 code blocks kept, 1 of 1 tables kept, 1 more without a text")
    assert "2 pages read" in said
    document = json.loads(target.read_text("utf-8"))
    assert sorted(row["outcome"] for row in document["pages"]) == ["quarantined", "stored", "stored"]
    assert document["report"]["quality"]["code_blocks"] == {"found": 1, "kept": 1}


@pytest.mark.parametrize("name", ["missing/report.json", ""])
def test_a_report_that_cannot_be_written_is_wrong_input(in_process: Any, site: Any, tmp_path: Path, name: str) -> None:
    ran = in_process("crawl", f"{site.url}/docs/", "--report", f"{tmp_path}/{name}", "--db", str(tmp_path / "data"))
    assert ran.code == 2
    assert str(tmp_path) in ran.error
    assert (site.requests, list(tmp_path.iterdir())) == ([], [])
