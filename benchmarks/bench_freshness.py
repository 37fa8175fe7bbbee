"""What each change to a site costs: embedding calls, texts, tokens, rows and transactions, for a crawl after each.

A copy of Debian's python3.11-doc is served on loopback and crawled by the command line into an embedded Postgres, with
the embedder `openai` at a loopback server that counts. Then something changes, and the site is crawled again, and so
on: one row a change. Rows are what PostgreSQL counts as inserted, updated and deleted in the records' and vectors'
tables, and in all others; transactions are all that were committed, the run's heartbeats among them. Beside it, where
they are installed, LangChain's `index(cleanup="full")` over PGVector and LlamaIndex's `IngestionPipeline`
(`UPSERTS_AND_DELETE`) over PGVectorStore are given the same pages' markdown after each change, split by their own
splitters at as many tokens as ours; their records of what is there are kept in memory.

Worse would be any text embedded that was embedded before, or a row written for what did not change.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

import ingest
from chunking import TiktokenCounter
from engine.embedded import start_server, stop_server

PACKAGE = Path("/usr/share/doc/python3.11/html")
PAGE = "library/json.html"
TOKENS = 400
DIMENSIONS = 64
count_tokens = TiktokenCounter().count


@dataclass
class Spent:
    """What was embedded, and by how many calls."""

    calls: int = 0
    tokens: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """Their vectors, and the tokens of this call."""
        tokens = sum(map(count_tokens, texts))
        with self.lock:
            self.calls += 1
            self.tokens += tokens
            self.texts.update(texts)
        return [vector(text) for text in texts], tokens


def vector(text: str) -> list[float]:
    return [byte - 127.5 for byte in blake2b(text.encode(), digest_size=DIMENSIONS).digest()]


class Site(SimpleHTTPRequestHandler):
    """A folder, with validators."""

    protocol_version = "HTTP/1.1"
    statuses: Counter[int]

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        self.statuses[int(code)] += 1

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to say."""


class Model(BaseHTTPRequestHandler):
    """A server of OpenAI's embeddings, free of charge."""

    protocol_version = "HTTP/1.1"
    spent: Spent

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        vectors, tokens = self.spent.embed(asked["input"])
        body = json.dumps(
            {
                "data": [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to say."""


class Server(ThreadingHTTPServer):
    """A server whose clients may be killed."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(handler: Any) -> str:
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class Folder:
    """The site's files, as somebody who writes them changes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._day = 0

    def tick(self) -> None:
        """Another day: what is written from now on is newer, by a second's precision."""
        self._day += 1

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.write_text(text, "utf-8")
        then = time.time() - 86_400 * (60 - self._day)
        os.utime(path, (then, then))

    def edit(self, change: Callable[[str], str], names: Iterable[str]) -> None:
        for name in names:
            text = (self.root / name).read_text("utf-8")
            changed = change(text)
            assert changed != text, f"{name} was to change"
            self.write(name, changed)

    def pages(self, pattern: str = "**/*.html") -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))


def described(text: str) -> str:
    return text.replace("</head>", '<meta name="description" content="Revised in the autumn."></head>', 1)


def revised(text: str, word: str = "Revised") -> str:
    """The page with one paragraph changed, in its middle."""
    ends = [match.start() for match in re.finditer(r"\.</p>", text)]
    if not ends:
        return text.replace("</h1>", f" {word}</h1>", 1)
    middle = ends[len(ends) // 2]
    return f"{text[:middle]}. {word} in the autumn{text[middle:]}"


def with_news(text: str) -> str:
    news = '<section id="news"><h2>News</h2><p>What is new is said on top of the page, in a section.</p></section>'
    return text.replace("</h1>", f"</h1>{news}", 1)


def moved(text: str) -> str:
    """The page with its last section of the second level before its first one."""
    sections = [match.start() for match in re.finditer(r'<section id="[^"]*">\s*(<span[^>]*></span>)?<h2>', text)]
    last = sections[-1]
    depth, end = 0, last
    for match in re.finditer(r"<section\b|</section>", text[last:]):
        depth += 1 if match[0] != "</section>" else -1
        if depth == 0:
            end = last + match.end()
            break
    section = text[last:end]
    return text[: sections[0]] + section + text[sections[0] : last] + text[end:]


Change = Callable[[Folder], object]


def changes(dying: Sequence[str]) -> list[tuple[str, Change, bool]]:
    """What happens to the site, in order; True where the crawl after it is killed at its half."""
    kept: list[str] = []

    def remove(folder: Folder) -> None:
        kept.append((folder.root / PAGE).read_text("utf-8"))
        (folder.root / PAGE).unlink()

    return [
        ("first crawl", lambda folder: None, False),
        ("nothing changed", lambda folder: None, False),
        ("metadata of every page", lambda folder: folder.edit(described, folder.pages()), False),
        ("one paragraph of a page", lambda folder: folder.edit(revised, [PAGE]), False),
        ("a section on top of a page", lambda folder: folder.edit(with_news, [PAGE]), False),
        ("a section moved in a page", lambda folder: folder.edit(moved, [PAGE]), False),
        ("a page removed", remove, False),
        ("the page back", lambda folder: folder.write(PAGE, kept[0]), False),
        (
            f"a paragraph of {len(dying)} pages, killed at half, run again",
            lambda folder: folder.edit(partial(revised, word="Killed"), dying),
            True,
        ),
    ]


@dataclass
class Cost:
    """One row of the table."""

    step: str
    answers: str
    calls: int
    texts: int
    tokens: int
    again: int
    rows: dict[str, tuple[int, int, int]]
    transactions: int
    seconds: float

    def line(self) -> str:
        cells = [
            self.step,
            self.answers,
            *(f"{number:,}" for number in (self.calls, self.texts, self.tokens, self.again)),
            *(" / ".join(f"{number:,}" for number in self.rows[kind]) for kind in ("records", "vectors", "others")),
            f"{self.transactions:,}",
            f"{self.seconds:.1f}",
        ]
        return f"| {' | '.join(cells)} |"


COLUMNS = (
    *("change", "200 / 304", "calls", "texts", "tokens", "embedded before", "records +/~/-", "vectors +/~/-"),
    *("other rows +/~/-", "transactions", "s"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


class Database:
    """PostgreSQL's own counts of what was written."""

    def __init__(self, url: str, records: str, vectors: str) -> None:
        self._url = url
        self._kinds = (("records", records), ("vectors", vectors))

    def read(self) -> tuple[dict[str, tuple[int, int, int]], int]:
        """Rows inserted, updated and deleted by kind, and transactions, once nobody else is connected."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            while connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND backend_type = 'client backend' AND state <> 'idle'"
            ).fetchall():
                time.sleep(0.1)
            time.sleep(1.5)  # backends that are idle tell of their rows every second
            tables = connection.execute(
                "SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
            ).fetchall()
            (transactions,) = connection.execute(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            ).fetchone() or (0,)
        rows = {"records": (0, 0, 0), "vectors": (0, 0, 0), "others": (0, 0, 0)}
        for name, *counts in tables:
            kind = next((kind for kind, pattern in self._kinds if re.fullmatch(pattern, name)), "others")
            added = [before + now for before, now in zip(rows[kind], counts, strict=True)]
            rows[kind] = (added[0], added[1], added[2])
        return rows, transactions


def measured(step: str, database: Database, spent: Spent, statuses: Counter[int], work: Callable[[], None]) -> Cost:
    rows, transactions = database.read()
    calls, tokens, texts, answers = spent.calls, spent.tokens, spent.texts.copy(), statuses.copy()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    after, transactions_after = database.read()
    new = spent.texts - texts
    return Cost(
        step,
        f"{statuses[200] - answers[200]:,} / {statuses[304] - answers[304]:,}" if statuses else "",
        spent.calls - calls,
        new.total(),
        spent.tokens - tokens,
        new.total() - sum(text not in texts for text in new),
        {
            kind: (counts[0] - rows[kind][0], counts[1] - rows[kind][1], counts[2] - rows[kind][2])
            for kind, counts in after.items()
        },
        max(transactions_after - transactions - 3, 0),  # those of the counting
        seconds,
    )


class Syncline:
    """The command line, as a user has it."""

    def __init__(self, url: str, db: str, env: dict[str, str], limit: int) -> None:
        command = [sys.executable, "-m", "syncs.cli", "crawl", url, "--embedder", f"openai:loopback@{DIMENSIONS}"]
        self._command = [*command, "--db", db, "--limit", str(limit), "--json"]
        self._env = env

    def crawl(self) -> None:
        ran = subprocess.run(self._command, env=self._env, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(f"the crawl failed: {ran.stderr}")

    def killed(self, when: Callable[[], bool]) -> None:
        with subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            while run.poll() is None and not when():
                time.sleep(0.005)
            run.send_signal(signal.SIGKILL)
        self.crawl()


converted = lru_cache(maxsize=None)(ingest.html_to_markdown)  # neither theirs nor measured


def markdown_of(folder: Folder, names: Iterable[str], url: str) -> list[tuple[str, str, dict[str, str]]]:
    """The pages that are there, as (url, markdown, metadata)."""
    found = []
    for name in names:
        path = folder.root / name
        path = path / "index.html" if path.is_dir() else path
        if path.exists():
            page = converted(path.read_bytes(), url + name)
            facts = {"source_url": url + name, "title": page.title, "description": page.description}
            found.append((url + name, page.markdown, {key: value for key, value in facts.items() if value}))
    return found


class LangChain:
    """LangChain's `index` over PGVector."""

    name = 'LangChain `index(cleanup="full")`, PGVector'
    records, vectors = r".*\.langchain_pg_embedding", "-"

    def __init__(self, conninfo: str) -> None:
        from langchain_core.embeddings import Embeddings
        from langchain_core.indexing import InMemoryRecordManager
        from langchain_postgres import PGVector
        from langchain_text_splitters import RecursiveCharacterTextSplitter
        from sqlalchemy import create_engine

        spent = self.spent = Spent()

        class Counting(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return spent.embed(texts)[0]

            def embed_query(self, text: str) -> list[float]:
                return spent.embed([text])[0][0]

        database = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
        self._store = PGVector(Counting(), connection=database, collection_name="docs")
        self._database = database
        self._manager = InMemoryRecordManager(namespace="docs")
        self._manager.create_schema()
        self._splitter = RecursiveCharacterTextSplitter.from_language(
            "markdown", chunk_size=TOKENS, chunk_overlap=0, length_function=count_tokens
        )

    def take(self, pages: Sequence[tuple[str, str, dict[str, str]]]) -> None:
        from langchain_core.documents import Document
        from langchain_core.indexing import index

        documents = self._splitter.split_documents([Document(text, metadata=facts) for _, text, facts in pages])
        index(
            documents,
            self._manager,
            self._store,
            cleanup="full",
            source_id_key="source_url",
            batch_size=1_000,
            key_encoder="blake2b",
        )
        self._database.dispose()  # a connection that ends tells of its rows


class LlamaIndex:
    """LlamaIndex's pipeline over PGVectorStore."""

    name = "LlamaIndex `IngestionPipeline(UPSERTS_AND_DELETE)`, PGVectorStore"
    records, vectors = r".*\.data_docs", "-"

    def __init__(self, conninfo: str) -> None:
        from llama_index.core.embeddings import MockEmbedding
        from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.core.storage.docstore import SimpleDocumentStore
        from llama_index.vector_stores.postgres import PGVectorStore
        from sqlalchemy import create_engine
        from sqlalchemy.ext.asyncio import create_async_engine

        spent = self.spent = Spent()

        class Counting(MockEmbedding):
            def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
                return spent.embed(texts)[0]

        self._database = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
        store = PGVectorStore(
            engine=self._database,
            async_engine=create_async_engine(
                "postgresql+psycopg://", async_creator=lambda: psycopg.AsyncConnection.connect(conninfo)
            ),
            table_name="docs",
            embed_dim=DIMENSIONS,
        )
        self._pipeline = IngestionPipeline(
            transformations=[
                SentenceSplitter(chunk_size=TOKENS, chunk_overlap=0),
                Counting(embed_dim=DIMENSIONS, embed_batch_size=1_000),
            ],
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
            vector_store=store,
        )

    def take(self, pages: Sequence[tuple[str, str, dict[str, str]]]) -> None:
        from llama_index.core import Document

        self._pipeline.run(documents=[Document(text=text, id_=url, metadata=facts) for url, text, facts in pages])
        self._database.dispose()


PEERS: tuple[tuple[str, Any], ...] = (("langchain_postgres", LangChain), ("llama_index", LlamaIndex))


def copied(work: Path) -> Folder:
    folder = Folder(work)
    shutil.copytree(PACKAGE, work, symlinks=False, ignore=shutil.ignore_patterns("_sources", "*.js"))
    for name in folder.pages():
        folder.write(name, (work / name).read_text("utf-8"))
    return folder


def ours(limit: int, dying: Sequence[str], url: str, database_url: str, scratch: Path) -> list[str]:
    """The rows of Syncline; returns the names of the pages that it stored."""
    folder = copied(scratch / "ours")
    statuses: Counter[int] = Counter()
    spent = Spent()
    site = serve(partial(type("CountedSite", (Site,), {"statuses": statuses}), directory=str(folder.root))) + "/"
    model = serve(type("CountedModel", (Model,), {"spent": spent}))
    env = {**os.environ, "OPENAI_BASE_URL": f"{model}/v1", "OPENAI_API_KEY": "sk-loopback"}
    program = Syncline(site, url, env, limit)
    database = Database(database_url, r"syncline\.record", r"syncline\.vector_\d+")
    subprocess.run([sys.executable, "-m", "syncs.cli", "status", "--db", url], check=True, capture_output=True)
    print(f"\n**Syncline**\n\n{HEAD}")
    for step, change, dies in changes(dying):
        folder.tick()
        change(folder)
        before = statuses[200]
        half = before + len(dying) // 2

        def killed(half: int = half) -> None:
            program.killed(lambda: statuses[200] >= half)

        print(measured(step, database, spent, statuses, killed if dies else program.crawl).line(), flush=True)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT url FROM syncline.page WHERE content_hash IS NOT NULL ORDER BY seq")
        return [row[0].removeprefix(site) for row in rows]


def theirs(peer: Any, names: Sequence[str], dying: Sequence[str], database_url: str, scratch: Path) -> None:
    folder = copied(scratch / peer.__name__)
    program = peer(database_url)
    database = Database(database_url, peer.records, peer.vectors)
    print(f"\n**{peer.name}**\n\n{HEAD}")
    for step, change, dies in changes(dying):
        folder.tick()
        change(folder)
        pages = markdown_of(folder, names, "http://127.0.0.1/")
        cost = measured(
            step.replace(", killed at half, run again", "") if dies else step,
            database,
            program.spent,
            Counter(),
            partial(program.take, pages),
        )
        print(cost.line(), flush=True)


def main() -> None:
    """Crawl, change, crawl again; then the peers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=10_000, help="pages of the site")
    parser.add_argument("--dying", type=int, default=40, help="pages that change before the crawl that is killed")
    asked = parser.parse_args()
    if not PACKAGE.exists():
        raise SystemExit("Debian's package python3.11-doc is missing: apt install python3.11-doc")
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {PACKAGE}")
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as scratch,
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as db,
    ):
        status = asyncio.run(start_server(Path(db)))
        assert status.url is not None
        try:
            library = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.glob("library/*.html"))
            dying = [name for name in library if name != PAGE][: asked.dying]
            names = ours(asked.limit, dying, db, status.url, Path(scratch))
            for module, peer in PEERS:
                if importlib.util.find_spec(module) is None:
                    print(f"\n{peer.name}: not installed")
                else:
                    theirs(peer, names, dying, status.url, Path(scratch))
        finally:
            asyncio.run(stop_server(Path(db), force=True))


if __name__ == "__main__":
    main()
