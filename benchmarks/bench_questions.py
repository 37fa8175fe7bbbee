"""Crawl two real documentation sites and ask each ten questions that were written before looking at the answers.

Needs Debian's packages sqlite3-doc and python3.11-doc, which are served on loopback; `--db` names the store (default:
a fresh folder that is removed). Prints the crawl reports and the table of docs/search-quality.md.
"""

import argparse
import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from engine import PostgresEngine
from syncs import Runtime
from syncs.crawl import site_crawl

SITES = (
    (
        "sqlite",
        47615,
        "/usr/share/doc/sqlite3",
        (
            ("how do I create an index on an expression", ("expridx.html", "lang_createindex.html")),
            ("what is the maximum length of a string or BLOB", ("limits.html",)),
            ("how do I make a column autoincrement", ("autoinc.html", "faq.html")),
            ("how to back up a database while it is in use", ("backup.html",)),
            ("what happens to the WAL file at a checkpoint", ("wal.html", "walformat.html")),
            ("full text search with a prefix query", ("fts5.html", "fts3.html")),
            ("difference between VACUUM and auto_vacuum", ("lang_vacuum.html", "pragma.html")),
            ("how is the type affinity of a column decided", ("datatype3.html",)),
            ("insert a row or update it on conflict", ("lang_upsert.html", "lang_conflict.html")),
            ("how do I extract a value from a JSON document", ("json1.html",)),
        ),
    ),
    (
        "python",
        47616,
        "/usr/share/doc/python3.11/html",
        (
            ("what does os.path.join do with an absolute component", ("library/os.path.html",)),
            ("how do I read a CSV file with a header row into dictionaries", ("library/csv.html",)),
            ("run a subprocess and capture its output", ("library/subprocess.html",)),
            ("why are there separate tuple and list data types", ("faq/design.html",)),
            ("sort a list by a key function", ("howto/sorting.html", "library/stdtypes.html")),
            ("how do I cancel an asyncio task", ("library/asyncio-task.html",)),
            (
                "format a float with two decimals",
                ("library/string.html", "tutorial/inputoutput.html", "tutorial/floatingpoint.html"),
            ),
            ("what does the global statement do", ("reference/simple_stmts.html",)),
            ("parse command line arguments with subcommands", ("library/argparse.html", "howto/argparse.html")),
            (
                "how does the with statement use a context manager",
                ("reference/compound_stmts.html", "reference/datamodel.html", "library/contextlib.html"),
            ),
        ),
    ),
)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log line for each."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: str, port: int) -> Iterator[str]:
    """Serve a folder on loopback while the context lasts."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(QuietHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{port}/"
        server.shutdown()


async def measure(db: str) -> None:
    """Crawl both sites twice, then print each question with the place of the right page and what came first."""
    async with Runtime(engine=PostgresEngine(db), syncs={"site_crawl": site_crawl}) as runtime:
        for name, port, folder, questions in SITES:
            with serve(folder, port) as url:
                for _ in range(2):
                    done = await runtime.sync("site_crawl", {"url": url, "name": name, "return_pages": "none"})
                    print(name, done.report.model_dump_json(exclude={"skipped", "run_id"}))
            print(f"\n| {name}: question | right page | its section | first hit |\n|---|---|---|---|")
            found = 0
            for question, right in questions:
                hits = await runtime.engine.search(question, entity=name, k=10)
                paths = [hit.url.removeprefix(url) for hit in hits]
                place = next((i for i, path in enumerate(paths) if path in right), None)
                found += place is not None and place < 3
                section = "" if place is None else f"`{paths[place]}#{hits[place].anchor or ''}`".replace("#`", "`")
                rank = "not in 10" if place is None else str(place + 1)
                print(f"| {question} | {rank} | {section} | `{paths[0]}` |")
            print(f"\n{name}: right page in the first three for {found} of {len(questions)}\n")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", help="a DSN or the folder of an embedded database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(measure(given.db or f"{folder}/postgres"))


if __name__ == "__main__":
    main()
