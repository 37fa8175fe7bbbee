"""Peak memory of a crawl of 2,000 and of 20,000 generated pages, side by side: it must not grow with the site.

Each crawl is a process of its own. Pages come from a fetcher in the process, so that what is measured is the
crawler: frontier, ledger in memory, extraction. The store has a test of its own (tests/integration/test_cli_memory.py).
"""

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from ingest import FetchRequest, FetchResponse, crawl

__all__ = ["main"]

SIZES = (2_000, 20_000)
START = "https://docs.example.org/"
FANOUT = 10


class Generated:
    """Answers for a tree of pages, ten to a page, each a few kilobytes."""

    def __init__(self, pages: int) -> None:
        self._pages = pages

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        """The page of this address; 404 for everything else."""
        name = request.url.removeprefix(START).removeprefix("p") or "0"
        number = int(name) if name.isdecimal() else self._pages
        if number >= self._pages:
            return FetchResponse(request.url, 404, {"content-type": "text/plain"}, b"not here")
        children = range(number * FANOUT + 1, min(number * FANOUT + FANOUT + 1, self._pages))
        links = "".join(f'<li><a href="{START}p{child}">Page {child}</a></li>' for child in children)
        told = "".join(f"<p>Part {part} of page {number}. {'It is told at length. ' * 8}</p>" for part in range(8))
        html = (
            f"<html><head><title>Page {number}</title></head><body><main><h1>Page {number}</h1>{told}<ul>{links}</ul>"
        )
        return FetchResponse(request.url, 200, {"content-type": "text/html"}, html.encode())

    async def aclose(self) -> None:
        """Nothing to close."""


async def measure(pages: int) -> None:
    """Crawl, and print the pages, the seconds and the peak of the process's memory in MB."""
    began, stored = time.perf_counter(), 0
    async for page in crawl(START, fetcher=Generated(pages), discover="links"):
        stored += hasattr(page, "markdown")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{stored} {time.perf_counter() - began:.1f} {peak:.1f}")


def main(arguments: Sequence[str]) -> None:
    """Measure one size in this process, or each in a process of its own as a table."""
    if arguments:
        asyncio.run(measure(int(arguments[0])))
        return
    rows = []
    for size in SIZES:
        ran = subprocess.run([sys.executable, __file__, str(size)], capture_output=True, text=True, check=True)
        rows.append([float(word) for word in ran.stdout.split()])
    first = rows[0]
    print("| pages | seconds | peak MB | times the first |\n|---:|---:|---:|---:|")
    for stored, seconds, peak in rows:
        print(f"| {stored:,.0f} | {seconds:.1f} | {peak:.0f} | {peak / first[2]:.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
