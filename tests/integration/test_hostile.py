"""A site that does everything wrong is crawled within its caps, and each behaviour comes out as documented."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MOST_MEMORY = 150 * 1024  # KiB that the crawl may add: a page, a window of pages, and what they became
MOST_SECONDS = 60


@pytest.fixture(scope="module")
def hostile_site() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield importlib.import_module("hostile_site")


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """One run of the benchmark, in a process of its own: memory is that of the crawl and nothing else."""
    script = ROOT / "benchmarks" / "bench_hostile.py"
    ran = subprocess.run([sys.executable, str(script), "--json"], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


@pytest.mark.slow
@pytest.mark.promise("C1", "C4", "C6", "C7", "C8", "C11")
def test_every_behaviour_of_a_hostile_site_comes_out_as_expected(measured: dict[str, Any]) -> None:
    assert [row for row in measured["rows"] if not row["held"]] == []
    assert len(measured["rows"]) >= 150


@pytest.mark.slow
@pytest.mark.promise("C6", "C11")
def test_traps_are_named_in_the_report_with_what_was_left_out(measured: dict[str, Any]) -> None:
    told = "\n".join(measured["traps"])
    for kind in ("a calendar", "numbered pages", "session ids", "random addresses", "query parameters", "paths that"):
        assert kind in told
    assert all("left out" in trap for trap in measured["traps"])


@pytest.mark.slow
@pytest.mark.promise("C6")
def test_a_hostile_site_costs_little_memory_and_time(measured: dict[str, Any]) -> None:
    assert measured["memory_kib"] < MOST_MEMORY
    assert measured["seconds"] < MOST_SECONDS


def test_every_behaviour_is_in_the_documentation(hostile_site: Any) -> None:
    text = (ROOT / "docs" / "robustness.md").read_text("utf-8")
    missing = [one.does for one in (*hostile_site.BEHAVIOURS, *hostile_site.SITES) if one.does not in text]
    assert missing == []
