"""Every notebook runs from top to bottom, and is kept with its results."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, its path short enough for a socket, that a Postgres started by root can live in."""
    with tempfile.TemporaryDirectory(prefix="nb-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def run(path: Path, folder: Path) -> None:
    """Execute a notebook in `folder`; `CellExecutionError` with the cell's traceback where one fails."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS != []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client", "ignore::DeprecationWarning:zmq")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLINE_DATA", str(folder / "data"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    for name in ("DATABASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "SYNCLINE_EMBEDDER"):
        monkeypatch.delenv(name, raising=False)
    run(path, folder)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_executed_in_order_and_without_errors(path: Path) -> None:
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [output for cell in cells for output in cell.outputs if output.output_type == "error"] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_serves_its_site_on_a_free_port(path: Path) -> None:
    ports = re.findall(r"""["']127\.0\.0\.1["'], *(\w+)\)""", "\n".join(cell.source for cell in code_cells(path)))
    assert ports == ["0"]
