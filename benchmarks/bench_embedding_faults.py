"""What a faulty embeddings server costs, and that nothing wrong is stored: one row for each fault.

A server of OpenAI's protocol on loopback misbehaves in one way at a time while 300 new texts, 12 pages of 25, are
written by `PostgresEngine.swap_pages` in two calls, as a crawl writes them. Then the server is whole again and the same
pages are written once more. After both, every vector in the database is compared with the right one for its text, and
every page that can be seen must be whole. "Paid twice" are texts that the server billed more than once, both writes
together; "calls" are the requests of the first write and, behind the plus, of the second.

Worse is a row that did not hold, more calls, more texts paid twice, or more seconds. `--json` prints the rows for the
test, `--write` puts the table into docs/robustness.md. The database lies in a fresh folder, which is removed.
"""

import argparse
import asyncio
import base64
import json
import math
import os
import platform
import re
import shutil
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from engine import EmbedderError, EmbedderRefused, HashEmbedder, PageInput, PostgresEngine
from engine.clean import digest
from engine.embedders import EmbedderName, OpenAIEmbedder

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "robustness.md"
BEGIN, END = "<!-- embedding faults -->", "<!-- /embedding faults -->"
KEY = "sk-loopback-0123456789"
DIMENSIONS = 8
PAGES, CHUNKS, CALLS = 12, 25, 2
DEADLINE = 120.0  # seconds for a request with all its tries; the default is 300
SHORT = 15.0  # where it is the deadline that ends it
HANGS = 240.0
QUIET = 6  # looks in a row without a request under way: a busy machine may be late with one
RIGHT = HashEmbedder(DIMENSIONS)
EVERY = range(1, 10_000)
FROM_7 = range(7, 10_000)


class Reply(NamedTuple):
    """What goes back: `body` is sent as it is; `cut` closes the connection after so many bytes of it; `billed` says
    whether the provider worked, and charges for it, though the answer may be lost."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: int | None = None
    billed: bool = True
    drips: bool = False


class Asked(NamedTuple):
    """A request: its place among those of the fault, from 1, and its texts."""

    number: int
    texts: list[str]


Policy = Callable[[Asked], Reply]


def vectors_of(texts: Sequence[str]) -> list[list[float]]:
    return [list(vector) for vector in asyncio.run(RIGHT.embed(texts, kind="document")).vectors]


def answer(texts: Sequence[str], change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None) -> Reply:
    """The right answer, or what `change` makes of its items."""
    items: list[dict[str, Any]] = [
        {"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors_of(texts))
    ]
    body = {
        "object": "list",
        "data": items if change is None else change(items),
        "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)},
    }
    return Reply(body=json.dumps(body).encode())


def refusal(status: int, code: str | None = None, *, says: str = "no", **headers: str) -> Reply:
    error = {"error": {"message": says, "type": code, "code": code}}
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, named, json.dumps(error).encode(), billed=False)


def at(numbers: range | Sequence[int], reply: Callable[[Asked], Reply] | Reply) -> Policy:
    """`reply` to these requests of the fault, the right answer to the others."""

    def policy(asked: Asked) -> Reply:
        if asked.number not in numbers:
            return answer(asked.texts)
        return reply if isinstance(reply, Reply) else reply(asked)

    return policy


def changed(
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], numbers: range | Sequence[int] = FROM_7
) -> Policy:
    """Answers with other items."""
    return at(numbers, lambda asked: answer(asked.texts, change))


def last(numbers: range | Sequence[int] = FROM_7, **values: Any) -> Policy:
    """Answers whose last item is another."""
    return changed(lambda items: [*items[:-1], items[-1] | values], numbers)


def packed(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pack = struct.Struct(f"<{DIMENSIONS}f").pack
    return [item | {"embedding": base64.b64encode(pack(*item["embedding"])).decode()} for item in items]


def slow(asked: Asked) -> Reply:
    time.sleep(0.5)
    return answer(asked.texts)


def poisoned(status: int) -> Policy:
    """A server that takes no request with the text about poison in it."""
    said = refusal(status, "invalid_request_error", says="$.input is invalid")
    return lambda asked: said if any("poison" in text for text in asked.texts) else answer(asked.texts)


def cut(bytes_sent: int) -> Callable[[Asked], Reply]:
    return lambda asked: answer(asked.texts)._replace(cut=bytes_sent)


class RateLimit:
    """`rate` requests a second, as many in reserve, told by the headers; more are refused without Retry-After."""

    def __init__(self, rate: float) -> None:
        self.rate, self.left, self.at = rate, rate, time.monotonic()
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> Reply:
        with self.lock:
            now = time.monotonic()
            self.left, self.at = min(self.rate, self.left + self.rate * (now - self.at)), now
            refused = self.left < 1
            self.left -= not refused
            reset = f"{max(0, (self.rate - self.left) / self.rate):.3f}s"
            told = {"limit": f"{self.rate:.0f}", "remaining": f"{int(self.left)}", "reset": reset}
        headers = tuple((f"x-ratelimit-{name}-requests", value) for name, value in told.items())
        reply = refusal(429, "rate_limit_exceeded") if refused else answer(asked.texts)
        return reply._replace(headers=headers)


@dataclass(frozen=True)
class Fault:
    """One way to misbehave. `seen` must be in what the first write came to; `aside` texts are set aside by it.

    `first` is how many of the pages the first write must have stored.
    """

    does: str
    policy: Policy
    expected: str
    seen: str = "stored"
    first: int = PAGES
    aside: int = 0
    most_twice: int = 0
    deadline: float = DEADLINE


def faults() -> list[Fault]:
    lost = (PAGES // CALLS) * CHUNKS  # at most the texts of the call that failed
    html = b"<!doctype html><title>Sign in</title>"

    def wrong(does: str, policy: Policy, seen: str) -> Fault:
        expected = "asked for again, then refused; the run stops"
        return Fault(f"{does}, from the 7th answer on", policy, expected, seen, PAGES // 2, most_twice=lost)

    return [
        Fault("answers as it should", at([], Reply()), "stored"),
        Fault(
            "429 with Retry-After: 1, to three requests",
            at(range(2, 5), refusal(429, "rate_limit_exceeded", Retry_After="1")), "stored after the pause",
        ),
        Fault("429 without Retry-After, to three requests", at(range(2, 5), refusal(429)), "tried again, stored"),
        Fault("429 to all but 3 requests a second, told by x-ratelimit headers", RateLimit(3), "kept to, stored"),
        Fault(
            "429 with Retry-After: a day, from the 7th request on", at(FROM_7, refusal(429, Retry_After="86400")),
            "the run stops at once", "is overloaded or broken", PAGES // 2, most_twice=lost,
        ),
        Fault("500 to three requests", at(range(2, 5), refusal(500)), "tried again, stored"),
        Fault(
            "503 from the 7th request on", at(FROM_7, refusal(503)), "tried again, then the run stops",
            "is overloaded or broken", PAGES // 2, most_twice=lost,
        ),
        Fault("takes half a second for every answer", slow, "stored"),
        Fault(
            "one byte of the answer a second, for ever", at(EVERY, Reply(drips=True)),
            f"given up after {SHORT:g} seconds", "gave no whole answer within", 0, most_twice=lost, deadline=SHORT,
        ),
        Fault(
            "cuts three connections before the answer", at(range(2, 5), cut(0)),
            "tried again, stored; the lost answers are paid twice", most_twice=96,
        ),
        Fault(
            "cuts three answers in the middle", at(range(2, 5), cut(500)),
            "tried again, stored; the lost answers are paid twice", most_twice=96,
        ),
        Fault(
            "cuts every connection", at(EVERY, refusal(500)._replace(cut=0)), "tried again, then the run stops",
            "cannot be reached", 0,
        ),
        Fault(
            "NaN in one answer", last([2], embedding=[math.nan] * DIMENSIONS), "asked for again, stored", most_twice=32
        ),
        Fault("HTML with status 200, once", at([2], Reply(body=html)), "asked for again, stored", most_twice=32),
        wrong("one embedding too few", changed(lambda items: items[:-1]), "1 embeddings for "),
        wrong("one embedding too many", changed(lambda items: [*items, items[0]]), "3 embeddings for "),
        wrong("NaN in a vector", last(embedding=[math.nan] * DIMENSIONS), "not finite"),
        wrong("a vector of zeros", last(embedding=[0.0] * DIMENSIONS), "is zero"),
        wrong("null in a vector", last(embedding=[None] * DIMENSIONS), "not a list of numbers"),
        Fault("items in another order than the texts", changed(lambda items: items[::-1], EVERY), "put right, stored"),
        wrong("an index twice", last(index=0), "index is 0"),
        wrong("an item without index", last(index=None), "index is None"),
        wrong("a vector of another size", last(embedding=[0.5] * (DIMENSIONS - 1)), "7 dimensions instead of 8"),
        Fault("base64 that was not asked for", changed(packed, EVERY), "read, stored"),
        wrong("HTML with status 200", at(FROM_7, Reply(body=html)), "not JSON"),
        Fault(
            "HTML with status 502, from the 7th request on", at(FROM_7, Reply(502, (), html, billed=False)),
            "tried again, then the run stops", "is overloaded or broken", PAGES // 2, most_twice=lost,
        ),
        Fault("400 where one poisoned text is in the request", poisoned(400), "that text set aside, the rest stored",
              "1 set aside", aside=1),
        Fault("413 where one poisoned text is in the request", poisoned(413), "that text set aside, the rest stored",
              "1 set aside", aside=1),
        Fault(
            "400 to every request", at(EVERY, refusal(400, says="unknown field")),
            "the run stops, no text is blamed", "does not take the request", 0,
        ),
        Fault(
            "refuses the key, from the 7th request on", at(FROM_7, refusal(401, says=f"no: {KEY}")),
            "the run stops at once", "refuses the key", PAGES // 2, most_twice=lost,
        ),
        Fault(
            "has no quota left, from the 7th request on", at(FROM_7, refusal(429, "insufficient_quota")),
            "the run stops at once", "has no quota left", PAGES // 2, most_twice=lost,
        ),
    ]  # fmt: skip


@dataclass
class Server:
    """Answers by `policy`, and keeps what it was asked and what it billed for."""

    url: str = ""
    policy: Policy = field(default=lambda asked: answer(asked.texts))
    calls: int = 0
    busy: int = 0
    billed: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def reply(self, texts: list[str]) -> Reply:
        with self.lock:
            self.calls += 1
            self.busy += 1
            asked, policy = Asked(self.calls, texts), self.policy
        reply = policy(asked)
        with self.lock:
            self.busy -= 1
            if reply.billed:
                self.billed.update(texts)
        return reply

    async def settle(self) -> None:
        """Wait for requests whose client has hung up."""
        self.stopped.set()
        calls, quiet = self.calls, 0
        while quiet < QUIET:
            await asyncio.sleep(0.05)
            quiet = 0 if self.busy or calls != self.calls else quiet + 1
            calls = self.calls

    def begin(self, policy: Policy | None) -> None:
        self.policy = policy or (lambda asked: answer(asked.texts))
        self.calls = 0
        self.stopped.clear()


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            reply = server.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"])
            try:
                self.send(reply)
            except OSError:  # the client has hung up
                self.close_connection = True

        def send(self, reply: Reply) -> None:
            if reply.cut == 0:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in (*reply.headers, ("Content-Type", "application/json")):
                self.send_header(name, value)
            self.send_header("Content-Length", str(1 << 20 if reply.drips else len(reply.body)))
            self.end_headers()
            while reply.drips and not server.stopped.is_set():
                self.wfile.write(b" ")
                self.wfile.flush()
                server.stopped.wait(1)
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            self.wfile.flush()
            self.close_connection = reply.cut is not None or reply.drips

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                self.rfile.close()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to say."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A connection that the client resets is no news."""

    http = Quiet(("127.0.0.1", 0), Handler)
    http.daemon_threads, http.block_on_close = True, False
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    yield server
    server.stopped.set()
    http.shutdown()
    http.server_close()


def pages_of(name: str, poison: bool) -> list[PageInput]:
    def text(page: int, chunk: int) -> str:
        # The poisoned one is of the third page, in the middle of a request.
        return f"{name} page {page} chunk {chunk}" + (" poison" if poison and (page, chunk) == (3, 11) else "")

    return [
        PageInput(
            url=f"https://docs.example.org/{name}/{page}",
            records=[
                {"external_id": f"{name}/{page}_chunk_{chunk}", "data": {}, "text": text(page, chunk)}
                for chunk in range(CHUNKS)
            ],
            content_hash=f"{name} {page}",
        )
        for page in range(PAGES)
    ]


async def write(engine: PostgresEngine, name: str, pages: Sequence[PageInput]) -> tuple[str, bool]:
    """Write the pages as a crawl does, and say what came of it, and whether that was an answer of ours."""
    failed = 0
    try:
        async with asyncio.timeout(HANGS):
            for start in range(0, len(pages), PAGES // CALLS):
                part = pages[start : start + PAGES // CALLS]
                failed += (await engine.swap_pages(connection_id="bench", name=name, pages=part)).failed
    except TimeoutError:
        return "HANGS", False
    except EmbedderRefused as error:
        return f"stopped for good: {error}", KEY not in str(error)
    except EmbedderError as error:
        return f"stopped: {error}", KEY not in str(error)
    return f"stored, {failed} set aside" if failed else "stored", True


STORED = """
    SELECT p.url, r.embed_text, v.embedding::real[] AS vector
    FROM syncline.page p
    JOIN syncline.entity e ON e.id = p.entity_id
    JOIN syncline.record r ON r.page_id = p.id
    LEFT JOIN syncline.vector_1 v ON v.hash = r.embed_hash
    WHERE e.name = %s
"""


def state(conninfo: str, name: str, pages: Sequence[PageInput]) -> tuple[int, int, list[str]]:
    """Whole pages that can be seen, records without a vector, and everything that is wrong."""
    texts = {digest(record["text"]): record["text"] for page in pages for record in page.records}
    wrong: list[str] = []
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(STORED, [name]).fetchall()
        vectors = connection.execute(
            "SELECT hash, embedding::real[] FROM syncline.vector_1 WHERE hash = ANY(%s)", [list(texts)]
        ).fetchall()
    for (key, vector), right in zip(vectors, vectors_of([texts[key] for key, _ in vectors]), strict=True):
        if math.dist(vector, right) > 1e-5:
            wrong.append(f"the vector of {texts[key]!r} is wrong")
    seen = Counter(url for url, _, _ in rows)
    wrong += [f"{url} has {count} of {CHUNKS} records" for url, count in seen.items() if count != CHUNKS]
    without = [text for _, text, vector in rows if vector is None]
    wrong += [f"{text!r} has no vector" for text in without if "poison" not in text]
    return len(seen), len(without), wrong


async def measure_one(conninfo: str, server: Server, name: str, fault: Fault) -> dict[str, Any]:
    """With an embedder of its own, which has learned nothing from the faults before."""
    embedder = await OpenAIEmbedder.open(
        EmbedderName.parse(f"openai:loopback@{DIMENSIONS}"),
        env={"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY},
        deadline=fault.deadline,
    )
    async with PostgresEngine(conninfo, embedder=embedder) as engine:
        await engine.check()
        row = await written_twice(engine, server, name, fault)
    await embedder.aclose()
    return row


async def written_twice(engine: PostgresEngine, server: Server, name: str, fault: Fault) -> dict[str, Any]:
    pages = pages_of(name, poison=fault.aside > 0)
    conninfo = await engine.conninfo()
    server.billed.clear()
    server.begin(fault.policy)
    began = time.monotonic()
    seen, ours = await write(engine, name, pages)
    seconds = time.monotonic() - began
    await server.settle()
    calls = server.calls
    stored, without, wrong = await asyncio.to_thread(state, conninfo, name, pages)
    server.begin(None)
    again, _ = await write(engine, name, pages)
    if fault.aside:
        await engine.retry_embeddings()
    stored_at_last, without_at_last, wrong_at_last = await asyncio.to_thread(state, conninfo, name, pages)
    twice = sum(times > 1 for text, times in server.billed.items() if text != "syncline")
    held = (
        ours
        and fault.seen in seen
        and again.startswith("stored")
        and (stored, without) == (fault.first, fault.aside)
        and (stored_at_last, without_at_last) == (PAGES, 0)
        and not wrong + wrong_at_last
        and twice <= fault.most_twice
    )
    return {
        "does": fault.does, "expected": fault.expected, "held": held, "pages": stored,
        "seen": "; ".join([seen, *wrong[:1], *wrong_at_last[:1]]),
        "calls": calls, "calls_again": server.calls, "paid_twice": twice, "seconds": round(seconds, 1),
    }  # fmt: skip


async def measure(server: Server, folder: str) -> list[dict[str, Any]]:
    async with PostgresEngine(folder, embedder=RIGHT) as holder:
        conninfo = await holder.conninfo()
        return [await measure_one(conninfo, server, f"fault-{place}", fault) for place, fault in enumerate(faults())]


def run() -> list[dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="syncline-faults-"))
    folder.chmod(0o711)  # as root, the embedded server runs under another account
    try:
        with serving() as server:
            return asyncio.run(measure(server, str(folder / "data")))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} on {platform.machine()}, "
        f"{os.cpu_count()} processors, {PAGES * CHUNKS} texts a row: {len(rows)} faults, "
        f"{sum(row['held'] for row in rows)} as expected.",
        "",
        "| what the server does | expected | seen | pages stored | calls | texts paid twice | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        seen = ("" if row["held"] else "**NOT AS EXPECTED** ") + short(row["seen"])
        counts = (row["pages"], f"{row['calls']} + {row['calls_again']}", row["paid_twice"], row["seconds"])
        lines.append(f"| {' | '.join((row['does'], row['expected'], seen, *map(str, counts)))} |")
    return "\n".join(lines) + "\n"


def short(seen: str, most: int = 90) -> str:
    seen = re.sub(r"openai:loopback@?\d* at http://127\.0\.0\.1:\d+/v1 ", "it ", seen)
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON document")
    parser.add_argument("--write", action="store_true", help="write the table into docs/robustness.md")
    asked = parser.parse_args()
    rows = run()
    if asked.json:
        print(json.dumps(rows))
        return 0
    written = table(rows)
    if asked.write:
        head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        tail = rest.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}\n\n{written}\n{END}{tail}", "utf-8")
    print(written)
    return 0 if all(row["held"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
