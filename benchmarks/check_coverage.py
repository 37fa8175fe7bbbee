"""Every file of four documentation packages, and what a crawl of them made of it.

    python benchmarks/check_coverage.py [PACKAGE ...]

nodejs-doc, git-doc, sqlite3-doc and python3.11-doc, as Debian installs them, are each served on loopback and crawled
whole from their index page. The files in the package's folder (those that the package lists, and the symbolic links
among them) are then put into one row each of a table: stored; a copy of a stored page; taken up and left out, with the
reason; or never asked for. What was never asked for is looked up in the links of every page of the package, read by
another parser (the standard library's): a file that one of the stored pages links to and the crawl did not take up is
a miss, and there must be none. Addresses without a file are dead links of the package.
"""

import asyncio
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from ingest import CrawledPage, SkippedPage, crawl

PACKAGES = {
    "nodejs-doc": Path("/usr/share/doc/nodejs/api"),
    "git-doc": Path("/usr/share/doc/git-doc"),
    "sqlite3-doc": Path("/usr/share/doc/sqlite3"),
    "python3.11-doc": Path("/usr/share/doc/python3.11/html"),
}


class Links(HTMLParser):
    """The addresses in a page's links, as the standard library's parser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        target = (
            values.get("src" if tag in ("frame", "iframe") else "href")
            if tag in ("a", "area", "frame", "iframe")
            else None
        )
        if target:
            (self.refused if "nofollow" in (values.get("rel") or "") else self.found).append(target)


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; a folder without an index page is not found, and nothing is logged."""

    def list_directory(self, path: object) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        return None


def package_files(package: str, folder: Path) -> set[str]:
    listed = subprocess.run(["dpkg", "-L", package], check=True, capture_output=True, text=True).stdout.splitlines()
    return {
        Path(name).relative_to(folder).as_posix()
        for name in listed
        if name.startswith(f"{folder}/") and not Path(name).is_dir()
    }


async def crawled(start: str) -> list[CrawledPage | SkippedPage]:
    with ProcessPoolExecutor(2) as executor:
        return [
            page
            if isinstance(page, SkippedPage)
            else CrawledPage(url=page.url, markdown="", aliases=page.aliases, links=page.links)
            async for page in crawl(start, executor=executor)
        ]


def links_of(folder: Path, pages: Iterator[str]) -> tuple[set[str], set[str]]:
    """The files that the pages link to, and those that they link to only with `nofollow`."""
    found: set[str] = set()
    refused: set[str] = set()
    for name in pages:
        reader = Links()
        reader.feed((folder / name).read_bytes().decode("utf-8", "replace"))
        for kind, targets in ((found, reader.found), (refused, reader.refused)):
            for target in targets:
                parts = urlsplit(urljoin(f"http://x/{name}", target.strip()))
                if parts.netloc == "x":
                    kind.add(unquote(parts.path.lstrip("/")) or "index.html")
    return found, refused - found


def account(package: str, folder: Path) -> Iterator[tuple[str, int, str]]:
    """(what became of files, how many, examples), the packages' files first, then addresses without one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    outcomes: dict[str, str] = {}
    try:
        for page in asyncio.run(crawled(base)):
            name = unquote(urlsplit(page.url).path.lstrip("/")) or "index.html"
            is_page = isinstance(page, CrawledPage)
            outcomes[name] = "stored as a page" if is_page else f"{page.outcome}: {page.reason.replace(base, '/')}"
    finally:
        server.shutdown()
        server.server_close()
    files = package_files(package, folder)
    read = [name for name in files if outcomes.get(name, "").startswith(("stored", "duplicate"))]
    linked, refused = links_of(folder, iter(read))
    table: dict[str, list[str]] = defaultdict(list)
    for name in sorted(files):
        outcome = outcomes.pop(name, "")
        if not outcome and name in linked:
            outcome = "MISSED: linked and not taken up"
        elif not outcome and name in refused:
            outcome = "not asked for: every link to it says nofollow"
        elif not outcome:
            suffix = Path(name).suffix or "no ending"
            what = "a page" if suffix == ".html" else "no page"
            outcome = f"not asked for: no link leads to it ({what}, {suffix})"
        table[generalised(outcome)].append(name)
    for name, outcome in sorted(outcomes.items()):
        table[f"no such file: {generalised(outcome)}"].append(name)
    for outcome, names in sorted(table.items(), key=lambda row: (row[0].startswith("no such"), -len(row[1]))):
        yield outcome, len(names), ", ".join(names[:3])


def generalised(outcome: str) -> str:
    """A duplicate's reason names the other page: one row holds them all."""
    return outcome.split(" of ")[0] if outcome.startswith("duplicate") else outcome


def main() -> None:
    for package in sys.argv[1:] or PACKAGES:
        print(f"\n{package}\n\n| what became of it | files | examples |\n|---|---|---|")
        counted: Counter[str] = Counter()
        for outcome, count, examples in account(package, PACKAGES[package]):
            counted["addresses without a file" if outcome.startswith("no such") else "files"] += count
            print(f"| {outcome} | {count} | {examples} |")
        print("\n" + ", ".join(f"{count} {name}" for name, count in counted.items()))


if __name__ == "__main__":
    main()
