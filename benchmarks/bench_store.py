"""How fast pages are written, beside a bare COPY BINARY of the same record, word and vector rows.

Both write into tables of the same columns and indexes, a thousand records in a transaction, in the same database and in
turns. The store writes records alone, and whole pages, whose own rows (markdown, anchors, links) a second COPY writes,
too. What the store does besides is told apart: preparing rows (checking, cleaning, hashing, the words and their
weights: processor time of the client), and looking for what is there already. Vectors are drawn beforehand, so that no
embedder is measured. Beside them, where they are installed, the vector stores of LangChain (langchain-postgres) and
LlamaIndex (llama-index-vector-stores-postgres) take the same texts, vectors and metadata, a thousand in a call.

Worse would be a lower share of the bare COPY. Prints a table. The database lies in a fresh folder, which is removed.
"""

import argparse
import asyncio
import importlib.util
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
from pgvector import SparseVector, Vector
from pgvector.psycopg import register_vector_async
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from engine import Embeddings, PageInput, PostgresEngine
from engine.bm25 import DIMENSIONS as PLACES
from engine.bm25 import term_id
from engine.embedded import server_status
from engine.packing import pack_words
from engine.pages import PageRows, page_rows, write_pages, write_records
from engine.records import ensure_entity, entity_key
from engine.rows import Row, texts_of

BARE = "bare COPY BINARY of records, words and vectors"
BARE_PAGES = "the same, and of the pages' own rows"
RECORDS = "the store, records, rows ready"
PAGES = "the store, pages, rows ready"
WHOLE = "the store, pages, whole (`swap_pages`)"
SAME_ROWS = {RECORDS: BARE, PAGES: BARE_PAGES, WHOLE: BARE_PAGES}
DIMENSIONS = 256
RECORDS_A_PAGE = 10
PAGES_A_CALL = 100
WORDS_A_RECORD = 150
COLUMNS = (
    "entity_id, page_id, external_id, external_hash, data, content, embed_text, content_hash, embed_hash, position, "
    "span, anchor, headings, terms, weight, lexemes, bm25"
)
TYPES = (
    *("int8", "int8", "text", "bytea", "jsonb", "text", "text", "bytea", "bytea", "int4", "int4range", "text"),
    *("text[]", "text[]", "float8", "tsvector", "sparsevec"),
)
PAGE_TYPES = {
    "url": "text",
    "url_hash": "bytea",
    "aliases": "text[]",
    "etag": "text",
    "last_modified": "text",
    "content_hash": "text",
    "metadata": "jsonb",
    "markdown": "text",
    "anchors": "jsonb",
    "links": "text[]",
    "depth": "int4",
    "extractor": "text",
    "chunk_settings": "text",
    "fetched_at": "timestamptz",
}


class Words(tuple[str, ...]):
    """Words on their way into a `tsvector`, for which psycopg has no adapter."""


class WordsDumper(Dumper):
    """Their adapter."""

    format = Format.BINARY
    oid = types["tsvector"].oid

    def dump(self, obj: Words) -> bytes:
        """In binary."""
        return pack_words(obj)


class Drawn:
    """An embedder whose vectors are there already."""

    name = "drawn:numbers@256"
    model = "numbers"
    dimensions = DIMENSIONS
    max_tokens = 1_000_000
    usd_per_million_tokens = 0.0

    def __init__(self) -> None:
        self.postmaster = 0  # of the server that is measured
        self._vectors = np.random.default_rng(0).standard_normal((4_096, DIMENSIONS)).astype(np.float32)

    def vector(self, text: str) -> Any:
        """The vector of a text."""
        return self._vectors[len(text) * 31 % 4_096]

    def estimate(self, texts: Sequence[str]) -> Embeddings:
        """Free of charge."""
        return Embeddings([], 0)

    async def embed(self, texts: Sequence[str], *, kind: str) -> Embeddings:
        """At once."""
        return Embeddings([self.vector(text) for text in texts], 0)

    async def aclose(self) -> None:
        """Nothing to close."""


def made_pages(count: int, seed: int) -> list[PageInput]:
    """Pages of words as frequent as in a language, some 80 distinct ones a record."""
    draw = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(2, 10))) for _ in range(20_000)]
    pages = []
    for number in range(count):
        url = f"https://docs.example.org/{seed}/{number}"
        texts = [
            " ".join(vocabulary[min(19_999, int(draw.paretovariate(0.6)))] for _ in range(WORDS_A_RECORD))
            for _ in range(RECORDS_A_PAGE)
        ]
        pages.append(
            PageInput(
                url=url,
                markdown="\n\n".join(texts),
                content_hash=str(number),
                fetched_at=1.7e9,
                records=[
                    {
                        "external_id": f"{url}_chunk_{place}",
                        "data": {"markdown": text, "source_url": url, "title": f"Page {number}"},
                        "embed_text": f"Page {number} > Part {place}\n\n{text}",
                        "headings": [f"Page {number}", f"Part {place}"],
                        "anchor": f"part-{place}",
                        "span": (1_000 * place, 1_000 * place + 990),
                        "position": place,
                    }
                    for place, text in enumerate(texts)
                ],
            )
        )
    return pages


def batches(pages: Sequence[PageInput]) -> list[Sequence[PageInput]]:
    return [pages[start : start + PAGES_A_CALL] for start in range(0, len(pages), PAGES_A_CALL)]


class Rate(NamedTuple):
    """Records in a second, by the clock and of processor time, client's and server's together."""

    wall: float
    processor: float


def processor(postmaster: int) -> float:
    """Seconds of this process and of the server's, as far as they live."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    stats = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in children]
    return time.process_time() + sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def sparse(row: Row) -> SparseVector:
    """The words' weights, as a program that knows pgvector's adapters would write them."""
    return SparseVector({term_id(word): weight for word, weight in row.weights.items()}, PLACES)


async def timed(work: Callable[[], Awaitable[object]], records: int, postmaster: int) -> Rate:
    """How fast the work is done."""
    spent, started = processor(postmaster), time.perf_counter()
    await work()
    return Rate(records / (time.perf_counter() - started), records / (processor(postmaster) - spent))


async def copy_bare(
    connection: Any, prepared: Sequence[Sequence[PageRows]], embedder: Drawn, *, with_pages: bool = False
) -> Rate:
    """The same rows, ready made, into tables without anything else to do; those of the pages, too, if asked."""
    rows = [[row for item in items for row in item.rows] for items in prepared]
    await connection.execute("DROP TABLE IF EXISTS bare_page, bare_record, bare_vector")
    await connection.execute("CREATE TABLE bare_page (LIKE syncline.page INCLUDING ALL)")
    await connection.execute("CREATE TABLE bare_record (LIKE syncline.record INCLUDING ALL)")
    await connection.execute("CREATE TABLE bare_vector (LIKE syncline.vector_1 INCLUDING ALL)")
    await connection.commit()
    ready = [
        (
            [
                (
                    *(1, None, row.external_id, row.external_hash, Jsonb(row.data), row.content, row.embed_text),
                    *(row.content_hash, row.embed_hash, row.position, Range(*row.span) if row.span else None),
                    *(row.anchor, list(row.headings), list(row.terms), row.weight, Words(row.weights), sparse(row)),
                )
                for row in batch
            ],
            [(key, Vector(embedder.vector(text))) for key, text in sorted(dict(texts_of(batch)).items())],
            [(1, item.url, *(item.values[name] for name in PAGE_TYPES)) for item in items] if with_pages else [],
        )
        for items, batch in zip(prepared, rows, strict=True)
    ]

    async def work() -> None:
        for records, vectors, pages in ready:
            for table, columns, values in (
                (
                    f"bare_page (entity_id, address, {', '.join(PAGE_TYPES)})",
                    ("int8", "text", *PAGE_TYPES.values()),
                    pages,
                ),
                (f"bare_record ({COLUMNS})", TYPES, records),
                ("bare_vector (hash, embedding)", ("bytea", "vector"), vectors),
            ):
                async with (
                    connection.cursor() as cursor,
                    cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy,
                ):
                    copy.set_types(columns)
                    for value in values:
                        await copy.write_row(value)
                await connection.commit()

    return await timed(work, sum(map(len, rows)), embedder.postmaster)


async def measure(pages_a_round: int, rounds: int) -> dict[str, list[Rate]]:
    """Rows in a second of each way, by round."""
    figures: dict[str, list[Rate]] = {}
    embedder = Drawn()
    records = pages_a_round * RECORDS_A_PAGE
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        async with PostgresEngine(folder, embedder=embedder) as engine:
            await engine.check()
            status = await server_status(Path(folder))
            assert status.process is not None
            embedder.postmaster = status.process
            await engine.sync_records(
                connection_id="b", name="first", records=[{"external_id": "1", "data": {"markdown": "first"}}]
            )
            async with await psycopg.AsyncConnection.connect(await engine.conninfo()) as connection:
                await register_vector_async(connection)
                connection.adapters.register_dumper(Words, WordsDumper)
                for number in range(rounds):
                    pages = made_pages(pages_a_round, number)
                    for name, value in (await one_round(engine, connection, pages, embedder, records)).items():
                        figures.setdefault(name, []).append(value)
                    for name, peer in PEERS.items():
                        rate = await peer(pages, embedder, await engine.conninfo())
                        if rate is not None:
                            figures.setdefault(name, []).append(rate)
    return figures


async def one_round(
    engine: PostgresEngine, connection: Any, pages: Sequence[PageInput], embedder: Drawn, records: int
) -> dict[str, Rate]:
    started = time.process_time()
    prepared = [page_rows(batch) for batch in batches(pages)]
    for items in prepared:
        for item in items:
            for row in item.rows:
                _ = (row.text_index, row.external_hash, row.content_hash, row.embed_hash)
    preparing = records / (time.process_time() - started)
    rows = [[row for item in items for row in item.rows] for items in prepared]
    bare = await copy_bare(connection, prepared, embedder)
    with_pages = await copy_bare(connection, prepared, embedder, with_pages=True)
    key = entity_key("b", pages[0].url)

    async def written() -> None:
        for items, batch in zip(prepared, rows, strict=True):
            await engine._embed(batch)
            await engine._database.transact(partial(_write, key=key, items=items))

    async def whole() -> None:
        for batch in batches(pages):
            await engine.swap_pages(connection_id="b", name="whole", pages=batch)

    async def alone() -> None:
        for batch in rows:
            await engine._embed(batch)
            await engine._database.transact(partial(_write_alone, key=key, rows=batch))

    await _empty(engine)
    records_alone = await timed(alone, records, embedder.postmaster)
    await _empty(engine)
    ready = await timed(written, records, embedder.postmaster)
    await _empty(engine)
    return {
        BARE: bare,
        BARE_PAGES: with_pages,
        RECORDS: records_alone,
        PAGES: ready,
        WHOLE: await timed(whole, records, embedder.postmaster),
        "preparing rows alone": Rate(preparing, preparing),
    }


async def _empty(engine: PostgresEngine) -> None:
    """Every way begins with empty tables, as those of the bare COPY are."""
    await engine._database.fetch("TRUNCATE syncline.record, syncline.page, syncline.vector_1")


async def _write(connection: Any, key: Any, items: Any) -> object:
    return await write_pages(connection, await ensure_entity(connection, key), items)


async def _write_alone(connection: Any, key: Any, rows: Sequence[Row]) -> object:
    return await write_records(connection, await ensure_entity(connection, key), rows)


async def langchain(pages: Sequence[PageInput], embedder: Drawn, conninfo: str) -> Rate | None:
    """LangChain's PGVector, vectors given."""
    if importlib.util.find_spec("langchain_postgres") is None:
        return None
    from langchain_core.embeddings import FakeEmbeddings
    from langchain_postgres import PGVector
    from sqlalchemy import create_engine

    database = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
    store = PGVector(FakeEmbeddings(size=DIMENSIONS), connection=database, collection_name=pages[0].url)
    calls = [[record for page in batch for record in page.records] for batch in batches(pages)]

    async def work() -> None:
        for call in calls:
            store.add_embeddings(
                [record["data"]["markdown"] for record in call],
                [embedder.vector(record["embed_text"]).tolist() for record in call],
                [{"source_url": record["data"]["source_url"], "anchor": record["anchor"]} for record in call],
                [record["external_id"] for record in call],
            )

    return await timed(work, sum(map(len, calls)), embedder.postmaster)


async def llama_index(pages: Sequence[PageInput], embedder: Drawn, conninfo: str) -> Rate | None:
    """LlamaIndex's PGVectorStore, vectors given."""
    if not importlib.util.find_spec("llama_index") or not importlib.util.find_spec("llama_index.vector_stores"):
        return None
    from llama_index.core.schema import TextNode
    from llama_index.vector_stores.postgres import PGVectorStore
    from sqlalchemy import create_engine
    from sqlalchemy.ext.asyncio import create_async_engine

    store = PGVectorStore(
        engine=create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo)),
        async_engine=create_async_engine("postgresql+psycopg://"),
        table_name=f"llama_{abs(hash(pages[0].url)) % 10**6}",
        embed_dim=DIMENSIONS,
        hybrid_search=True,
    )
    calls = [[record for page in batch for record in page.records] for batch in batches(pages)]
    nodes = [
        [
            TextNode(
                id_=record["external_id"],
                text=record["data"]["markdown"],
                embedding=embedder.vector(record["embed_text"]).tolist(),
                metadata={"source_url": record["data"]["source_url"], "anchor": record["anchor"]},
            )
            for record in call
        ]
        for call in calls
    ]

    async def work() -> None:
        for call in nodes:
            await asyncio.to_thread(store.add, call)

    return await timed(work, sum(map(len, calls)), embedder.postmaster)


PEERS = {"langchain-postgres PGVector": langchain, "llama-index PGVectorStore": llama_index}


def share(rates: Sequence[Rate], base: Sequence[Rate], kind: str) -> str:
    """How fast beside the base, round by round: median and range."""
    shares = [getattr(rate, kind) / getattr(one, kind) for rate, one in zip(rates, base, strict=True)]
    return f"{statistics.median(shares):.0%} ({min(shares):.0%}-{max(shares):.0%})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--pages", type=int, default=400, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.pages, asked.rounds))
    bare = figures[BARE]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"\n{asked.pages * RECORDS_A_PAGE:,} records a round, {asked.rounds} rounds, medians\n")
    print(
        "| way | records/s | share of bare COPY (range) | of a COPY of the same rows | processor time a record | "
        "share of bare COPY |"
    )
    print("|---|---|---|---|---|---|")
    for name, rates in figures.items():
        same = SAME_ROWS.get(name)
        cells = (
            f"{statistics.median(rate.wall for rate in rates):,.0f}",
            share(rates, bare, "wall"),
            share(rates, figures[same], "wall") if same else "",
            f"{1_000 / statistics.median(rate.processor for rate in rates):.2f} ms",
            share(rates, bare, "processor"),
        )
        print(f"| {name} | {' | '.join(cells)} |")
    missing = [name for name in PEERS if name not in figures]
    if missing:
        print(f"\nNot installed, so not measured: {', '.join(missing)}.")


if __name__ == "__main__":
    main()
