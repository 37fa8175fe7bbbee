"""A crawl killed at moments drawn at random: what is stored is whole, and the next run does what was in flight."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.embedding import BATCH
from syncs.crawl import SiteCrawlIn
from syncs.crawl.store import MOST_PAGES

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = 6
WINDOW = 2 * SiteCrawlIn(url="https://x.org/").concurrency  # visits under way or waiting for their turn
IN_FLIGHT = WINDOW + 3 * MOST_PAGES + 1  # two batches that wait, one that is written, a page on its way


@pytest.mark.slow
@pytest.mark.promise("C10", "E1")
def test_a_crawl_killed_at_random_moments_is_whole_and_the_next_run_repeats_what_was_in_flight() -> None:
    script = ROOT / "benchmarks" / "bench_kill.py"
    words = [sys.executable, str(script), "--json", "--crawls", str(MOMENTS), "--servers", "0"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=1_800, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (figures,) = json.loads(ran.stdout)
    assert (figures["moments"], figures["held"], figures["wrong"]) == (MOMENTS, MOMENTS, [])
    assert figures["within"] >= MOMENTS - 1, "the moments are within the crawl"
    fewest, _, most = figures["stored"]
    assert fewest < most, "and not all at one place of it"
    assert 0 < figures["again"][1] <= IN_FLIGHT
    assert figures["twice"][1] <= BATCH
