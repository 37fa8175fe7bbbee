"""The whole path: what a first crawl of a site costs, and another one where nothing changed.

Debian's python3.11-doc is served on loopback by a thread of this process, with validators, and crawled by the command
line into an embedded Postgres: once into an empty store, then again, `--rounds` times. Processor time is that of the
crawl's processes and of the server's; the site's is not counted. It says more than the wall clock on a machine that has
other work. Starting the command, which every crawl pays once, is told apart (`syncline --help`).

Worse would be more processor time a page, or an unchanged crawl of more than a tenth of a first one. Prints a table.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from engine.embedded import start_server, stop_server

PACKAGE = Path("/usr/share/doc/python3.11/html")
TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Seconds of one command: by the clock, of its processes, and of the database server's."""

    wall: float
    client: float
    server: float


class Site(SimpleHTTPRequestHandler):
    """A folder, with validators."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to say."""


def serve() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(PACKAGE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/"


def children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def postgres(postmaster: int) -> float:
    """Processor time of a server, with its processes that have ended."""
    total = 0
    for process in (postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15] if process == postmaster else fields[11:13]))
    return total / TICKS


def run(postmaster: int, *words: str) -> tuple[Cost, str]:
    client, server, started = children(), postgres(postmaster), time.perf_counter()
    ran = subprocess.run([sys.executable, "-m", "syncs.cli", *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"syncline {' '.join(words)} failed: {ran.stderr}")
    wall = time.perf_counter() - started
    return Cost(wall, children() - client, postgres(postmaster) - server), ran.stdout


def measure(db: Path, rounds: int, limit: int, embedder: str) -> tuple[int, list[Cost], list[Cost], list[Cost]]:
    """Pages of the site, and the costs of a start of the command, of first crawls, and of unchanged ones."""
    status = asyncio.run(start_server(db))
    assert status.url is not None
    assert status.process is not None
    words = ("crawl", serve(), "--db", os.fspath(db), "--embedder", embedder, "--limit", str(limit), "--json")
    starts, first, again, pages = list[Cost](), list[Cost](), list[Cost](), 0
    for _ in range(rounds):
        starts.append(run(status.process, "--help")[0])
        with psycopg.connect(status.url) as connection:
            connection.execute("DROP SCHEMA IF EXISTS syncline CASCADE")
        for costs, outcome in ((first, "stored"), (again, "unchanged")):
            cost, printed = run(status.process, *words)
            costs.append(cost)
            pages = json.loads(printed)["pages"][outcome]
    return pages, starts, first, again


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=10_000, help="pages")
    parser.add_argument("--embedder", default="wordllama")
    asked = parser.parse_args()
    if not PACKAGE.exists():
        raise SystemExit("Debian's package python3.11-doc is missing: apt install python3.11-doc")
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        try:
            pages, *costs = measure(Path(folder), asked.rounds, asked.limit, asked.embedder)
        finally:
            asyncio.run(stop_server(Path(folder), force=True))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, ", end="")
    print(f"Python {platform.python_version()}; {pages} pages, {asked.rounds} rounds, medians\n")
    print("| what | seconds (range) | pages/s | CPU-ms a page: crawl | database |\n|---|---|---|---|---|")
    for name, spent in zip(("a start of the command", "first crawl", "nothing changed"), costs, strict=True):
        wall, client, server = (statistics.median(values) for values in zip(*spent, strict=True))
        low, high = min(spent).wall, max(spent).wall
        each = [f"{pages / wall:,.0f}", *(f"{1_000 * seconds / pages:.2f}" for seconds in (client, server))]
        cells = (
            name,
            f"{wall:.1f} ({low:.1f}-{high:.1f})",
            *(each if name != "a start of the command" else ["", *each[1:]]),
        )
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
