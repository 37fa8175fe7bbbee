"""The arrows between and inside the packages, as import-linter contracts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ingest", "chunking", "engine", "syncs")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contracts run on the tree in `folder`; a process of its own, as the linter changes sys.path."""
    code = "from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_import_contracts_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("chunking/planted.py", "import engine"),
        ("ingest/planted.py", "import syncs"),
        ("engine/planted.py", "import ingest"),
        ("chunking/planted.py", "import httpx"),
        ("syncs/crawl/planted.py", "import syncs.cli"),
        ("syncs/runtime.py", "import psycopg"),
    ],
)
def test_a_planted_import_breaks_a_contract(module: str, line: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    with (tmp_path / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout, result.stdout + result.stderr
