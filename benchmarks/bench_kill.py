"""A crawl killed at random moments, and its database killed: what is left, and what the next run does again.

A site of generated pages is crawled by a process of its own into an embedded Postgres, with an embedding server of
OpenAI's protocol that refuses one text, which is set aside; both servers are in this process. At a moment drawn at
random (a fixed seed: so long after the n-th page, or the n-th vector, was asked for or answered) either the crawl's
process or the database's postmaster gets SIGKILL. Then, once the server has noticed: is every page that is stored as it
should be, with all its records and their vectors (promise E1)? Does the next run end with the content of an undisturbed
crawl, ask again only for pages that were not stored yet, and buy again only texts whose vectors were not committed
(promise C10)? A crawl that outlives its database, and completes, has no next run; it is only looked at.

Worse would be any moment that does not hold, or more pages or texts again than can be in flight. `--json` prints the
figures for the test, `--write` puts the table into docs/robustness.md.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from engine import EngineError, PostgresEngine
from engine.embedded import server_status, start_server, stop_server
from engine.embedders.halving import PLAIN
from syncs import Runtime
from syncs.crawl import site_crawl

SEED = 20_261_123
PAGES = 120
NAME = "site"
POISON = "venom"
SECONDS = 600.0
LONGEST_DELAY = 0.1  # seconds after an event: a page is converted, a batch swapped and committed in less
OTHERS = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)
PAGE = Path(__file__).resolve().parents[1] / "docs" / "robustness.md"
BEGIN, END = "<!-- kills -->", "<!-- /kills -->"
PROCESSES = multiprocessing.get_context("forkserver")


def vector(text: str) -> list[float]:
    return [byte - 127.5 for byte in blake2b(text.encode(), digest_size=16).digest()]


@dataclass
class Moment:
    """When to kill: so many seconds after the n-th event of a kind."""

    kind: str
    number: int
    delay: float
    reached: threading.Event = field(default_factory=threading.Event, repr=False)


@dataclass
class World:
    """The site and the embedding server: what was asked of them, and the moment that is waited for."""

    moment: Moment | None = None
    events: Counter[str] = field(default_factory=Counter)
    paths: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, moment: Moment | None) -> None:
        self.moment, self.events, self.paths, self.texts = moment, Counter(), [], []

    def note(self, kind: str, count: int = 1) -> None:
        with self.lock:
            self.events[kind] += count
            moment = self.moment
            if moment is not None and kind == moment.kind and self.events[kind] >= moment.number:
                moment.reached.set()


def page(number: int) -> str:
    """One page: the first links to all others, each other has sections enough for several chunks."""
    if number == 0:
        links = "".join(f'<li><a href="p{n}">Page {n}</a></li>' for n in range(1, PAGES))
        return f"<title>Start</title><main><h1>Start</h1><p>This is where it begins.</p><ul>{links}</ul></main>"
    poison = f" It has {POISON} in it." if number == PAGES // 2 else ""
    parts = "".join(
        f"<h2 id=s{number}-{n}>Part {n}</h2><p>Part {n} of page {number}.{poison} {'It is told at length. ' * 60}</p>"
        for n in range(2)
    )
    return f"<title>Page {number}</title><main><h1>Page {number}</h1>{parts}</main>"


def handler_for(world: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number = re.fullmatch(r"/docs/(?:p(\d+))?", self.path)
            if number is None:
                self.answer(404, "text/plain", b"not here")
                return
            world.paths.append(self.path)
            world.note("page asked for")
            self.answer(200, "text/html", page(int(number[1] or 0)).encode())
            world.note("page answered")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if len(body) < int(self.headers["Content-Length"]):  # its client was killed meanwhile
                self.close_connection = True
                return
            texts = json.loads(body)["input"]
            if any(POISON in text for text in texts):
                error = {"error": {"message": "$.input is invalid", "type": "invalid_request_error"}}
                self.answer(400, "application/json", json.dumps(error).encode())
                return
            world.texts += texts
            world.note("text sent", len(texts))
            data = [{"index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
            usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
            self.answer(200, "application/json", json.dumps({"data": data, "usage": usage}).encode())
            world.note("vector answered", len(texts))

        def answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to say."""

    return Handler


class Server(ThreadingHTTPServer):
    """A server whose clients may be killed."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def serve(world: World) -> str:
    server = Server(("127.0.0.1", 0), handler_for(world))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


# --- the crawl, in a process of its own ---------------------------------------------------------------


def crawl(url: str, db: str, quiet: bool) -> None:
    """Crawl the site; ends with 0 where the crawl is complete. `quiet` shows no traceback of what was expected."""

    async def main() -> str:
        engine = PostgresEngine(db, embedder="openai:loopback@16")
        async with Runtime(engine=engine, syncs={"site_crawl": site_crawl}) as runtime:
            asked = {"url": f"{url}/docs/", "name": NAME, "discover": "links", "return_pages": "none"}
            return str((await runtime.sync("site_crawl", asked)).report.status)

    try:
        status = asyncio.run(main())
    except EngineError:
        if not quiet:
            raise
        status = "failed"
    sys.exit(0 if status == "complete" else 1)


def started(url: str, db: str, *, quiet: bool = False) -> BaseProcess:
    process = PROCESSES.Process(target=crawl, args=(url, db, quiet))
    process.start()
    return process


def ended(process: BaseProcess) -> int:
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        raise SystemExit(f"a crawl did not end within {SECONDS:.0f} seconds")
    return process.exitcode


# --- what is in the store -----------------------------------------------------------------------------

Stored = Mapping[str, tuple[dict[str, Any], list[dict[str, Any]]]]


def stored(database: str) -> tuple[Stored, list[str], set[bytes]]:
    """Stored pages with their records; what contradicts promise E1; and the hashes of the texts that have a vector."""
    try:
        with psycopg.connect(database, row_factory=dict_row, autocommit=True) as connection:
            while connection.execute(OTHERS).fetchall():
                time.sleep(0.01)  # what a killed process sent may be on its way into the store
            pages = connection.execute(
                "SELECT id, url, state, content_hash, metadata, markdown, anchors, links, depth FROM syncline.page "
                "WHERE content_hash IS NOT NULL ORDER BY url"
            ).fetchall()
            records = connection.execute(
                "SELECT page_id, external_id, data, embed_text, embed_hash, position, span::text, anchor, headings, "
                "lexemes::text, bm25::text FROM syncline.record ORDER BY page_id, position"
            ).fetchall()
            vectors = {row["hash"] for row in connection.execute("SELECT hash FROM syncline.vector_1")}
            aside = {row["hash"] for row in connection.execute("SELECT hash FROM syncline.embed_failure")}
    except psycopg.errors.UndefinedTable:
        return {}, [], set()
    wrong = []
    held = {row.pop("id"): (row, list[dict[str, Any]]()) for row in pages}
    for record in records:
        owner = held.get(record.pop("page_id"))
        if owner is None:
            wrong.append(f"{record['external_id']} belongs to no stored page")
            continue
        owner[1].append(record)
        if record["embed_hash"] not in vectors | aside:
            wrong.append(f"{record['external_id']} has no vector")
    return {row["url"]: (row, own) for row, own in held.values()}, wrong, vectors


@dataclass
class Outcome:
    """What one moment led to."""

    moment: Moment
    killed: bool
    stored: int
    again: int
    twice: int
    survived: bool
    wrong: Sequence[str]


def disturbed(
    url: str, db: str, database: str, world: World, whole: Stored, moment: Moment, kill: Callable[[BaseProcess], bool]
) -> Outcome:
    """One crawl that is killed at a moment by `kill`, and the next run."""
    world.begin(moment)
    process = started(url, db, quiet=True)
    while not moment.reached.wait(0.02) and process.is_alive():
        pass  # there may be fewer events this time
    time.sleep(moment.delay)
    killed = kill(process)
    code = ended(process)
    if not asyncio.run(server_status(Path(db))).running:
        asyncio.run(start_server(Path(db)))
    held, wrong, vectors = stored(database)
    wrong += [f"{page} is not as it should be" for page in held if held[page] != whole[page]]
    paths, texts = list(world.paths), list(world.texts)
    world.begin(None)
    if ended(started(url, db)) != 0:
        wrong.append("the next run did not complete")
    after, more, _ = stored(database)
    wrong += more
    if after != whole:
        wrong.append("the next run did not end with the content of an undisturbed crawl")
    # The start page is always looked at, to see whether the site can be crawled.
    repeated = [path for path in world.paths[1:] if path in paths]
    wrong += [f"{path} was stored, and asked for again" for path in repeated if f"{url}{path}" in held and code != 0]
    hashes = {record["embed_text"]: record["embed_hash"] for _, own in whole.values() for record in own}
    wrong += [f"bought again: {text[:40]!r}" for text in world.texts if hashes.get(text) in vectors]
    twice = (Counter(texts) + Counter(world.texts)) - Counter({*texts, *world.texts})
    del twice[PLAIN]  # not a text of the site's: it shows whether the server works
    again = 0 if code == 0 else len(repeated)
    return Outcome(moment, killed, len(held), again, twice.total(), code == 0, wrong)


def kill_crawl(process: BaseProcess) -> bool:
    alive = process.is_alive()
    process.kill()
    return alive


def kill_postgres(db: str) -> Callable[[BaseProcess], bool]:
    def kill(process: BaseProcess) -> bool:
        status = asyncio.run(server_status(Path(db)))
        if status.process is None:
            return False
        alive = process.is_alive()
        os.kill(status.process, signal.SIGKILL)
        return alive

    return kill


def moments(count: int, events: Counter[str], drawn: random.Random) -> list[Moment]:
    """As many of each kind of event, at any of its times in an undisturbed crawl."""
    kinds = sorted(events)
    chosen = [kinds[number % len(kinds)] for number in range(count)]
    return [Moment(kind, drawn.randint(1, events[kind]), drawn.uniform(0, LONGEST_DELAY)) for kind in chosen]


def summary(killed: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of a table's row; `again` and `twice` are those of all moments, and of the worst."""
    hit = [outcome for outcome in outcomes if outcome.killed]
    stores = sorted(outcome.stored for outcome in hit)
    return {
        "killed": killed,
        "moments": len(outcomes),
        "within": len(hit),
        "held": sum(not outcome.wrong for outcome in outcomes),
        "stored": [stores[0], stores[len(stores) // 2], stores[-1]] if stores else [],
        "again": [sum(outcome.again for outcome in hit), max((outcome.again for outcome in hit), default=0)],
        "twice": [sum(outcome.twice for outcome in hit), max((outcome.twice for outcome in hit), default=0)],
        "survived": sum(outcome.survived for outcome in hit),
        "wrong": [f"{outcome.moment}: {wrong}" for outcome in outcomes for wrong in outcome.wrong[:3]],
    }


COLUMNS = (
    *("killed", "moments", "within the crawl", "held", "pages stored by then: fewest / median / most"),
    *("pages asked for again: all / most", "texts paid twice: all / most", "crawls that went on by themselves"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def line(figures: Mapping[str, Any]) -> str:
    cells = [figures[name] for name in ("killed", "moments", "within", "held", "stored", "again", "twice", "survived")]
    written = [" / ".join(map(str, cell)) if isinstance(cell, list) else str(cell) for cell in cells]
    return f"| {' | '.join(written)} |"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    measured = (
        f"Measured {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} on {platform.machine()}, "
        f"{os.cpu_count()} processors; a site of {PAGES} pages."
    )
    return "\n".join([measured, "", HEAD, *map(line, rows), *(wrong for figures in rows for wrong in figures["wrong"])])


def undisturbed(url: str, db: str, database: str, world: World) -> Stored:
    """What a crawl stores that nothing disturbs."""
    if ended(started(url, db)) != 0:
        raise SystemExit("the undisturbed crawl is not complete")
    whole, wrong, _ = stored(database)
    if wrong or len(whole) != PAGES:
        raise SystemExit(f"the undisturbed crawl is not whole: {wrong}")
    return whole


def measure(db: Path, crawls: int, servers: int) -> Iterator[dict[str, Any]]:
    """The figures of both kinds of kill."""
    world = World()
    url, folder = serve(world), os.fspath(db)
    os.environ |= {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-loopback"}
    status = asyncio.run(start_server(db))
    assert status.url is not None
    whole = undisturbed(url, folder, status.url, world)
    drawn, events = random.Random(SEED), Counter(world.events)
    for name, count, kill in (("the crawl", crawls, kill_crawl), ("the postmaster", servers, kill_postgres(folder))):
        outcomes = []
        for moment in moments(count, events, drawn):
            with psycopg.connect(status.url) as connection:
                connection.execute("DROP SCHEMA syncline CASCADE")
            outcomes.append(disturbed(url, folder, status.url, world, whole, moment, kill))
            print(f"{name} {len(outcomes)} of {count}: {outcomes[-1]}", file=sys.stderr, flush=True)
        if outcomes:
            yield summary(name, outcomes)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--crawls", type=int, default=200, help="moments at which the crawl is killed")
    parser.add_argument("--servers", type=int, default=50, help="moments at which the postmaster is killed")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON document")
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    asked = parser.parse_args()
    PROCESSES.set_forkserver_preload(["syncs.crawl", "engine", "openai", "chunking", "markdownify", "tiktoken"])
    rows = []
    with tempfile.TemporaryDirectory(prefix="syncline-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        db = Path(folder) / "db"
        try:
            rows += measure(db, asked.crawls, asked.servers)
        finally:
            asyncio.run(stop_server(db, force=True))
    if asked.json:
        print(json.dumps(rows))
    else:
        print(table(rows))
    if asked.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return int(any(figures["wrong"] for figures in rows))


if __name__ == "__main__":
    sys.exit(main())
