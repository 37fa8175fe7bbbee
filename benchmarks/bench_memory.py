"""Peak memory of a crawl of 2,000 and of 20,000 generated pages, side by side: it must not grow with the site.

The crawler alone: each crawl is a process of its own, and pages come from a fetcher in the process, so that what is
measured is frontier, ledger in memory and extraction. With `--command` the installed command, too: `syncline crawl` of
a site on loopback into an embedded database in a new folder, with the vectors of the model that comes with it. Its
memory is the sum of the resident sets of all its processes, looked at five times a second (from /proc, so on Linux);
the database's own processes are not among them. That takes some minutes. What may grow is what is known of each
address.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from ingest import FetchRequest, FetchResponse, crawl

__all__ = ["main"]

SIZES = (2_000, 20_000)
START = "https://docs.example.org/"
FANOUT = 10


class Generated:
    """Answers for a tree of pages, ten to a page, each a few kilobytes."""

    def __init__(self, pages: int, start: str = START) -> None:
        self._pages = pages
        self._start = start

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        """The page of this address; 404 for everything else."""
        name = request.url.removeprefix(self._start).removeprefix("p") or "0"
        number = int(name) if name.isdecimal() else self._pages
        if number >= self._pages:
            return FetchResponse(request.url, 404, {"content-type": "text/plain"}, b"not here")
        children = range(number * FANOUT + 1, min(number * FANOUT + FANOUT + 1, self._pages))
        links = "".join(f'<li><a href="{self._start}p{child}">Page {child}</a></li>' for child in children)
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


async def serve(pages: int) -> None:
    """Serve the pages on loopback until this process is ended; the port is the first line printed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readline():
            while (await reader.readline()).strip():
                pass
            found = await site.fetch(FetchRequest(f"{start}{request.split()[1].decode().removeprefix('/')}"))
            head = f"HTTP/1.1 {found.status} -\r\nContent-Type: {found.headers['content-type']}\r\n"
            writer.write(f"{head}Content-Length: {len(found.body)}\r\n\r\n".encode() + found.body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    start = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    site = Generated(pages, start)
    print(start, flush=True)
    await server.serve_forever()


def resident(root: int) -> int:
    """Bytes in memory of a process and of all below it."""
    below = defaultdict[int, list[int]](list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            below[int((folder / "stat").read_text().rpartition(")")[2].split()[1])].append(int(folder.name))
        except OSError:  # it has ended
            continue
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        waiting += below[process]
        try:
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        except OSError:
            continue
    return total


def run_command(pages: int) -> tuple[float, float, float]:
    """Pages stored, seconds and peak MB of `syncline crawl`."""
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(pages)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    start = server.stdout.readline().strip()
    command = Path(sys.executable).with_name("syncline")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # root's embedded database runs as another user
        environment = {**os.environ, "SYNCLINE_DATA": folder}
        environment.pop("DATABASE_URL", None)
        began, peak = time.perf_counter(), 0
        try:
            ran = subprocess.Popen(
                [command, "crawl", start, "--json", "--embedder", "wordllama"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            while ran.poll() is None:
                peak = max(peak, resident(ran.pid))
                time.sleep(0.2)
            seconds = time.perf_counter() - began
            written = ran.communicate()[0]
            if ran.returncode != 0:
                sys.exit(f"syncline crawl ended with {ran.returncode}: run it by hand to see why")
            report = json.loads(written)
        finally:
            server.terminate()
            server.wait()
            subprocess.run([command, "db", "stop"], env=environment, check=False, capture_output=True)
    return report["pages"]["stored"], seconds, peak / 2**20


def run_crawler(pages: int) -> tuple[float, float, float]:
    """Pages, seconds and peak MB of the crawler in a process of its own."""
    ran = subprocess.run([sys.executable, __file__, "--one", str(pages)], capture_output=True, text=True, check=True)
    stored, seconds, peak = (float(word) for word in ran.stdout.split())
    return stored, seconds, peak


def main() -> None:
    """Each size in processes of its own, as a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--command", action="store_true", help="measure the installed command, too")
    arguments.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.one is not None:
        asyncio.run(measure(asked.one))
        return
    if asked.serve is not None:
        asyncio.run(serve(asked.serve))
        return
    print(f"Python {platform.python_version()} on {platform.machine()}\n")
    print("| what | pages | seconds | peak MB | times the first |\n|---|---:|---:|---:|---:|")
    kinds = {"the crawler alone": run_crawler} | ({"`syncline crawl`": run_command} if asked.command else {})
    for name, run in kinds.items():
        first = 0.0
        for size in SIZES:
            stored, seconds, peak = run(size)
            first = first or peak
            print(f"| {name} | {stored:,.0f} | {seconds:.0f} | {peak:.0f} | {peak / first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
