"""A faulty embeddings server: nothing wrong is stored, nothing hangs, and the next run mends what is missing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "bench_embedding_faults.py"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """One run of the benchmark."""
    ran = subprocess.run([sys.executable, str(SCRIPT), "--json"], capture_output=True, text=True, timeout=1_800)
    assert ran.returncode == 0, ran.stderr
    return list(json.loads(ran.stdout))


@pytest.mark.slow
@pytest.mark.promise("E1", "E7")
def test_every_fault_comes_out_as_expected(rows: list[dict[str, Any]]) -> None:
    assert [row for row in rows if not row["held"]] == []
    assert len(rows) >= 30


@pytest.mark.slow
def test_every_fault_is_in_the_documentation(rows: list[dict[str, Any]]) -> None:
    text = (ROOT / "docs" / "robustness.md").read_text("utf-8")
    assert [row["does"] for row in rows if f"| {row['does']} |" not in text] == []
