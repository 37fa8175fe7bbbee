"""The documentation site builds without a warning and loads nothing from elsewhere; the demo runs."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?P<src>[^"'\s>]+)"""
    r"""|<link\b[^>]*\bhref=["']?(?P<href>[^"'\s>]+)|url\(["']?(?P<url>[^"')]+)"""
)

pytestmark = pytest.mark.slow


def other_hosts(text: str) -> list[str]:
    """What a browser would load from another host by itself, in an HTML page or a style sheet."""
    loads = [match.group(match.lastgroup or 0) for match in LOADED.finditer(text)]
    return [address for address in loads if re.match(r"(?:https?:)?//", address)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


def test_every_page_is_built_and_no_script_is_published(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert {path.parent.name for path in site.glob("*/index.html")} == pages
    assert list(site.rglob("*.py")) == []


def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    found = {
        str(path.relative_to(site)): other_hosts(path.read_text("utf-8"))
        for path in [*site.rglob("*.html"), *site.rglob("*.css")]
    }
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://other.example/a.js"></script>',
        '<link rel="stylesheet" href="//other.example/a.css">',
        "@font-face { src: url('https://other.example/a.woff2') }",
    ],
)
def test_a_planted_load_from_another_host_is_found(text: str) -> None:
    assert len(other_hosts(text)) == 1


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A user without settings, and with an empty data folder that a root's Postgres may live in."""
    names = ("DATABASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "SYNCLINE_EMBEDDER")
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        Path(folder).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name not in names}
        yield kept | {"SYNCLINE_DATA": f"{folder}/data"}


def test_the_demonstration_crawls_the_documentation_and_answers(environment: dict[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, "docs/demo.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert sum(line.startswith("$ syncline search") for line in result.stdout.splitlines()) == 3
    assert "/embedded-database/" in result.stdout
