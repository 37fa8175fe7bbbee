"""The command's memory does not grow with the site: its peak on two sizes, workers included."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc"),
]

# Named as the installed command, so that it has worker processes, which import it again. Each process notes
# its own peak at its end: `ru_maxrss` would not do, since a process begins with that of its parent.
COMMAND = """
import os
import re
from multiprocessing.util import Finalize
from pathlib import Path


def note():
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    Path(os.environ["PEAKS"], str(os.getpid())).write_text(peak[1])


Finalize(None, note, exitpriority=1)

if __name__ == "__main__":
    from syncs.cli import main

    main()
"""

SMALL, LARGE = 40, 240
PAGE_BYTES = 48_000
# Two thirds of the text of the pages that the large site has more: whoever keeps all pages is over it. What
# may grow with a site is the little that is known of each address.
BOUND = (LARGE - SMALL) * PAGE_BYTES * 2 // 3


def listing(n: int) -> str:
    """A page that is one long listing: much text in few chunks, so that the test is not about embedding."""
    line = f"word{n} = call(first, second, third)\n"
    return f"<h1>Page {n}</h1><pre>{line * (PAGE_BYTES // len(line))}</pre>"


def large_site(make_page: Callable[[str, str], Any], count: int) -> dict[str, Any]:
    links = "".join(f'<a href="/docs/p{n}">{n}</a> ' for n in range(1, count))
    routes: dict[str, Any] = {"/docs/": make_page("Start", f"<h1>Start</h1><p>All pages: {links}</p>")}
    for n in range(1, count):
        routes[f"/docs/p{n}"] = lambda _, n=n: make_page(f"Page {n}", listing(n))
    return routes


@pytest.fixture
def peak(site_server, make_page, database_url: str, tmp_path: Path) -> Callable[[int], int]:
    """Bytes that the command held at most for a site of `count` pages: the sum over its processes."""
    command = tmp_path / "syncline"
    command.write_text(COMMAND, "utf-8")

    def measure(count: int) -> int:
        site_server.routes = large_site(make_page, count)
        peaks = tmp_path / f"peaks-{count}"
        peaks.mkdir()
        words = [sys.executable, command, "crawl", f"{site_server.url}/docs/", "--name", str(count)]
        ran = subprocess.run(
            [*words, "--db", database_url],
            env={**os.environ, "PEAKS": os.fspath(peaks)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        assert f"{count} stored" in ran.stdout
        found = [int(file.read_text("utf-8")) * 1024 for file in peaks.iterdir()]
        assert len(found) > 1, "the command and its workers"
        return sum(found)

    return measure


def test_memory_does_not_grow_with_the_site(peak: Callable[[int], int]) -> None:
    small = peak(SMALL)
    grown = peak(LARGE) - small
    assert grown < BOUND, f"{grown / 1e6:.1f} MB more for {LARGE - SMALL} pages more, {small / 1e6:.0f} before"
