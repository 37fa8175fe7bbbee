"""What each change to a site costs: embedding calls, texts, tokens, rows and transactions, for a crawl after each.

A copy of Debian's python3.11-doc is served on loopback and crawled by the command line into an embedded Postgres, with
the embedder `openai` at a loopback server that counts. Then something changes, and the site is crawled again, and so
on: one row a change. Rows are what PostgreSQL counts as inserted, updated and deleted in the records' and vectors'
tables, and in all others; transactions are all that were committed, the run's heartbeats among them.

Beside it, where they are installed, LangChain's `index(cleanup="full")` over PGVector and LlamaIndex's
`IngestionPipeline` (`UPSERTS_AND_DELETE`, with its cache) over PGVectorStore are given the same pages each time, as the
very texts that ours embeds, with the page's address, title, description and the chunk's anchor as metadata.
LangChain gets chunks, as its documents are; LlamaIndex gets pages, and ours as its node parser, so that it can tell
what is of which page. Their records of what is there are kept in memory. A crawl that dies is one whose process is
killed; for them, an embedding server that breaks at half, which is kinder, since their memory survives.

    pip install --no-deps langchain-postgres langchain-text-splitters sqlalchemy llama-index-core \
        llama-index-vector-stores-postgres ...    (langchain-postgres asks for an older pgvector than ours)

Worse would be any text embedded that was embedded before, or a row written for what did not change. `--write` puts the
tables into docs/freshness.md.
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
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

import ingest
from chunking import TiktokenCounter
from engine.embedded import start_server, stop_server
from syncs.crawl import SiteCrawlIn
from syncs.crawl.chunks import records_of

PACKAGE = Path("/usr/share/doc/python3.11/html")
PAGE = "library/json.html"
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "freshness.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
BATCH = 100
DIMENSIONS = 64
count_tokens = TiktokenCounter().count


class Broken(Exception):
    """The embedding server is no more."""


@dataclass
class Spent:
    """What was embedded, and by how many calls."""

    calls: int = 0
    tokens: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    left: int | None = None  # texts until it breaks
    lock: threading.Lock = field(default_factory=threading.Lock)

    def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """Their vectors, and the tokens of this call."""
        if self.left is not None:
            if len(texts) > self.left:
                raise Broken
            self.left -= len(texts)
        tokens = sum(map(count_tokens, texts))
        with self.lock:
            self.calls += 1
            self.tokens += tokens
            self.texts.update(texts)
        return [vector(text) for text in texts], tokens


def vector(text: str) -> list[float]:
    return [byte - 127.5 for byte in blake2b(text.encode(), digest_size=DIMENSIONS).digest()]


class Site(SimpleHTTPRequestHandler):
    """A folder, with validators; `down`, it hangs up."""

    protocol_version = "HTTP/1.1"
    statuses: Counter[int]
    down: threading.Event

    def do_GET(self) -> None:
        if self.down.is_set():
            self.close_connection = True
        else:
            super().do_GET()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        self.statuses[int(code)] += 1

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to say."""


class Model(BaseHTTPRequestHandler):
    """A server of OpenAI's embeddings, free of charge."""

    protocol_version = "HTTP/1.1"
    spent: Spent

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) < int(self.headers["Content-Length"]):  # its client was killed meanwhile
            self.close_connection = True
            return
        asked = json.loads(body)
        vectors, tokens = self.spent.embed(asked["input"])
        data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        body = json.dumps({"data": data, "usage": usage}).encode()
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

    def pages(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob("**/*.html"))


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


class Step(NamedTuple):
    """What happens to the site, and whether the crawl after it is killed, or finds nobody there."""

    name: str
    change: Change = lambda folder: None
    dies: bool = False
    down: bool = False


def steps(dying: Sequence[str]) -> list[Step]:
    kept: list[str] = []

    def remove(folder: Folder) -> None:
        kept.append((folder.root / PAGE).read_text("utf-8"))
        (folder.root / PAGE).unlink()

    return [
        Step("first crawl"),
        Step("nothing changed"),
        Step("metadata of every page", lambda folder: folder.edit(described, folder.pages())),
        Step("one paragraph of a page", lambda folder: folder.edit(revised, [PAGE])),
        Step("a section on top of a page", lambda folder: folder.edit(with_news, [PAGE])),
        Step("a section moved in a page", lambda folder: folder.edit(moved, [PAGE])),
        Step("a page removed", remove),
        Step("the page back", lambda folder: folder.write(PAGE, kept[0])),
        Step(
            f"a paragraph in {len(dying)} pages; dies at half",
            lambda folder: folder.edit(partial(revised, word="Killed"), dying),
            dies=True,
        ),
        Step("the next one"),
        Step("the site does not answer", down=True),
    ]


def head(ours: bool) -> str:
    columns = [
        *("change", *(["200 / 304"] if ours else []), "calls", "texts", "tokens", "of them embedded before"),
        *("records +/~/-", *(["vectors +/~/-", "others +/~/-"] if ours else []), "transactions", "records held", "s"),
    ]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


class Database:
    """PostgreSQL's own counts of what was written."""

    def __init__(self, url: str, records: str, vectors: str | None) -> None:
        self._url = url
        self._records = records
        others = {"vectors": vectors, "others": ".*"} if vectors else {}
        self._kinds = {"records": rf"(.*\.)?{re.escape(records)}", **others}
        _, before, _ = self.read()
        self.counting = self.read()[1] - before  # transactions of the counting itself

    def read(self) -> tuple[dict[str, tuple[int, int, int]], int, int]:
        """Rows inserted, updated and deleted by kind, transactions, and records held, once nobody else is connected."""
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
            transactions = number(
                connection, "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            )
            there = number(connection, f"SELECT count(to_regclass('{self._records}'))")
            held = number(connection, f"SELECT count(*) FROM {self._records}") if there else 0  # noqa: S608
        rows = dict.fromkeys(self._kinds, (0, 0, 0))
        for name, *counts in tables:
            kind = next((kind for kind, pattern in self._kinds.items() if re.fullmatch(pattern, name)), None)
            if kind is not None:
                added = [before + now for before, now in zip(rows[kind], counts, strict=True)]
                rows[kind] = (added[0], added[1], added[2])
        return rows, transactions, held


def number(connection: Any, statement: str) -> int:
    (found,) = connection.execute(statement).fetchone()
    return int(found)


def measured(step: str, database: Database, spent: Spent, statuses: Counter[int], work: Callable[[], None]) -> str:
    """Do the work; its row of the table."""
    rows, transactions, _ = database.read()
    calls, tokens, texts, answers = spent.calls, spent.tokens, spent.texts.copy(), statuses.copy()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    after, transactions_after, held = database.read()
    new = spent.texts - texts
    again = new.total() - sum(text not in texts for text in new)
    counts = (spent.calls - calls, new.total(), spent.tokens - tokens, again)
    written = [[now - before for before, now in zip(rows[kind], after[kind], strict=True)] for kind in after]
    cells = [
        step,
        *([f"{statuses[200] - answers[200]:,} / {statuses[304] - answers[304]:,}"] if statuses else []),
        *(f"{count:,}" for count in counts),
        *(" / ".join(f"{count:,}" for count in kind) for kind in written),
        f"{max(transactions_after - transactions - database.counting, 0):,}",
        f"{held:,}",
        f"{seconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


class Syncline:
    """The command line, as a user has it."""

    def __init__(self, url: str, db: str, env: dict[str, str], limit: int) -> None:
        command = [sys.executable, "-m", "syncs.cli", "crawl", url, "--embedder", f"openai:loopback@{DIMENSIONS}"]
        self._command = [*command, "--db", db, "--limit", str(limit), "--json"]
        self._env = env

    def crawl(self, expected: int = 0) -> None:
        ran = subprocess.run(self._command, env=self._env, capture_output=True, text=True, check=False)
        if ran.returncode != expected:
            raise SystemExit(f"the crawl ended with {ran.returncode}: {ran.stderr}")

    def killed(self, when: Callable[[], bool]) -> None:
        with subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            while run.poll() is None and not when():
                time.sleep(0.005)
            run.send_signal(signal.SIGKILL)


class Page(NamedTuple):
    """A page as the peers are given it: its chunks are the very texts that ours embeds."""

    url: str
    markdown: str
    facts: dict[str, str]
    chunks: Sequence[tuple[str, dict[str, str]]]


@cache
def prepared(html: bytes, url: str) -> Page:
    """What is neither theirs nor measured."""
    page = ingest.html_to_markdown(html, url)
    anchors = [(anchor.offset, anchor.id, anchor.level, anchor.term) for anchor in page.anchors]
    settings = SiteCrawlIn(url=url)
    given = {"source_url": url, "title": page.title, "description": page.description}
    facts = {key: value for key, value in given.items() if value}
    chunks = records_of(url, page.markdown, facts, anchors, settings.max_size, settings.target_size)
    return Page(
        url,
        page.markdown,
        facts,
        [(str(one["embed_text"]), facts | ({"anchor": one["anchor"]} if one["anchor"] else {})) for one in chunks],
    )


def pages_of(folder: Folder, names: Iterable[str], url: str) -> list[Page]:
    """The pages that are there."""
    paths = [(folder.root / name, name) for name in names]
    paths = [(path / "index.html" if path.is_dir() else path, name) for path, name in paths]
    return [prepared(path.read_bytes(), url + name) for path, name in paths if path.exists()]


class LangChain:
    """LangChain's `index` over PGVector."""

    name = 'LangChain `index(cleanup="full")`, PGVector'
    packages = ("langchain-core", "langchain-postgres")
    records = "langchain_pg_embedding"

    def __init__(self, conninfo: str) -> None:
        from langchain_core.embeddings import Embeddings
        from langchain_core.indexing import InMemoryRecordManager
        from langchain_postgres import PGVector
        from sqlalchemy import create_engine

        spent = self.spent = Spent()

        class Counting(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return spent.embed(texts)[0]

            def embed_query(self, text: str) -> list[float]:
                return spent.embed([text])[0][0]

        self._database = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
        self._store = PGVector(Counting(), connection=self._database, collection_name="docs")
        self._manager = InMemoryRecordManager(namespace="docs")
        self._manager.create_schema()

    def take(self, pages: Sequence[Page]) -> None:
        from langchain_core.documents import Document
        from langchain_core.indexing import index

        try:
            index(
                [Document(text, metadata=facts) for page in pages for text, facts in page.chunks],
                self._manager,
                self._store,
                cleanup="full",
                source_id_key="source_url",
                batch_size=BATCH,
                key_encoder="blake2b",
            )
        finally:
            self._database.dispose()  # a connection that ends tells of its rows


class LlamaIndex:
    """LlamaIndex's pipeline over PGVectorStore."""

    name = "LlamaIndex `IngestionPipeline(UPSERTS_AND_DELETE)`, PGVectorStore"
    packages = ("llama-index-core", "llama-index-vector-stores-postgres")
    records = "data_docs"

    def __init__(self, conninfo: str) -> None:
        from llama_index.core.embeddings import MockEmbedding
        from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
        from llama_index.core.schema import BaseNode, NodeRelationship, TextNode, TransformComponent
        from llama_index.core.storage.docstore import SimpleDocumentStore
        from llama_index.vector_stores.postgres import PGVectorStore
        from sqlalchemy import create_engine
        from sqlalchemy.ext.asyncio import create_async_engine

        spent = self.spent = Spent()
        chunks = self._chunks = dict[str, Sequence[tuple[str, dict[str, str]]]]()

        class Counting(MockEmbedding):
            def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
                return spent.embed(texts)[0]

        class Chunks(TransformComponent):
            def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
                return [
                    TextNode(
                        text=text,
                        metadata=facts,
                        excluded_embed_metadata_keys=list(facts),
                        relationships={NodeRelationship.SOURCE: page.as_related_node_info()},
                    )
                    for page in nodes
                    for text, facts in chunks[page.node_id]
                ]

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
            transformations=[Chunks(), Counting(embed_dim=DIMENSIONS, embed_batch_size=BATCH)],
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
            vector_store=store,
        )

    def take(self, pages: Sequence[Page]) -> None:
        from llama_index.core import Document

        self._chunks |= {page.url: page.chunks for page in pages}
        documents = [Document(text=page.markdown, id_=page.url, metadata=page.facts) for page in pages]
        try:
            self._pipeline.run(documents=documents)
        finally:
            self._database.dispose()


PEERS: tuple[tuple[str, Any], ...] = (("langchain_postgres", LangChain), ("llama_index", LlamaIndex))


def copied(work: Path) -> Folder:
    folder = Folder(work)
    shutil.copytree(PACKAGE, work, symlinks=False, ignore=shutil.ignore_patterns("_sources", "*.js"))
    for name in folder.pages():
        folder.write(name, (work / name).read_text("utf-8"))
    return folder


def ours(limit: int, dying: Sequence[str], url: str, database_url: str, scratch: Path) -> tuple[list[str], list[str]]:
    """The table of Syncline, and the names of the pages that it stored."""
    folder = copied(scratch / "ours")
    statuses, down, spent = Counter[int](), threading.Event(), Spent()
    counted = type("CountedSite", (Site,), {"statuses": statuses, "down": down})
    site = serve(partial(counted, directory=str(folder.root))) + "/"
    model = serve(type("CountedModel", (Model,), {"spent": spent}))
    env = {**os.environ, "OPENAI_BASE_URL": f"{model}/v1", "OPENAI_API_KEY": "sk-loopback"}
    program = Syncline(site, url, env, limit)
    subprocess.run([sys.executable, "-m", "syncs.cli", "status", "--db", url], check=True, capture_output=True)
    database = Database(database_url, "syncline.record", r"syncline\.vector_\d+")
    lines = said(["", "**Syncline**", "", head(ours=True)])
    names: list[str] = []
    for step in steps(dying):
        folder.tick()
        step.change(folder)
        half = spent.texts.total() + len(dying) // 2
        work = partial(program.crawl, 1 if step.down else 0)
        if step.dies:
            work = partial(program.killed, lambda half=half: spent.texts.total() >= half)
        if step.down:
            down.set()
        lines += said([measured(step.name, database, spent, statuses, work)])
        if not names:
            with psycopg.connect(database_url) as connection:
                rows = connection.execute("SELECT url FROM syncline.page WHERE content_hash IS NOT NULL ORDER BY seq")
                names = [row[0].removeprefix(site) for row in rows]
    return lines, names


def theirs(peer: Any, names: Sequence[str], dying: Sequence[str], database_url: str, scratch: Path) -> list[str]:
    folder = copied(scratch / peer.__name__)
    program = peer(database_url)
    database = Database(database_url, peer.records, None)
    versions = ", ".join(f"{package} {version(package)}" for package in peer.packages)
    lines = said(["", f"**{peer.name}** ({versions})", "", head(ours=False)])
    for step in steps(dying):
        folder.tick()
        step.change(folder)
        pages = [] if step.down else pages_of(folder, names, "http://127.0.0.1/")
        program.spent.left = len(dying) // 2 if step.dies else None

        def work(step: Step = step, pages: Sequence[Page] = pages) -> None:
            try:
                program.take(pages)
            except Broken:
                assert step.dies

        lines += said([measured(step.name, database, program.spent, Counter(), work)])
    return lines


def said(lines: list[str]) -> list[str]:
    print("\n".join(lines), flush=True)
    return lines


def measure(limit: int, most_dying: int, scratch: Path, db: Path) -> list[str]:
    status = asyncio.run(start_server(db))
    assert status.url is not None
    library = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.glob("library/*.html"))
    dying = [name for name in library if name != PAGE][:most_dying]
    machine = f"Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} processors"
    lines = said([f"Measured {datetime.now(UTC):%Y-%m-%d} with {machine}; Debian's python3.11-doc."])
    try:
        table, names = ours(limit, dying, os.fspath(db), status.url, scratch)
        lines += table
        for module, peer in PEERS:
            if importlib.util.find_spec(module) is None:
                lines += said(["", f"**{peer.name}**: not installed, so not measured."])
            else:
                lines += theirs(peer, names, dying, status.url, scratch)
    finally:
        asyncio.run(stop_server(db, force=True))
    return lines


def main() -> None:
    """Crawl, change, crawl again; then the peers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=int, default=10_000, help="pages of the site")
    parser.add_argument("--dying", type=int, default=40, help="pages that change before the crawl that is killed")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/freshness.md")
    asked = parser.parse_args()
    if not PACKAGE.exists():
        raise SystemExit("Debian's package python3.11-doc is missing: apt install python3.11-doc")
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as scratch,
        tempfile.TemporaryDirectory(prefix="syncline-bench-") as db,
    ):
        lines = measure(asked.limit, asked.dying, Path(scratch), Path(db))
    if asked.write:
        before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{chr(10).join(lines)}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
