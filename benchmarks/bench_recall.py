"""How many of the ten records that an exact search finds does `search` find, plain and under filters (promise E5)?

Debian's python3.11-doc, sqlite3-doc, git-doc and nodejs-doc, those that are installed, are crawled as folders into one
store with real vectors (wordllama), so many that search by meaning walks a graph. What is asked are headings of chunks
drawn at random (a fixed seed). Filters are such as people use: a site, a folder, a name in the address; what share of
the records they let through is in the table. The exact search scores all of those in numpy, from the same vectors;
records of equal score count as the same. Beside the recall: the worst question, the rows given, and the median time.

Worse would be a recall below 0.95, or fewer rows than there are matches.
"""

import argparse
import asyncio
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine import PostgresEngine
from engine.filters import matches, parse
from syncs import Runtime
from syncs.crawl import site_crawl

SITES = {
    "python": "/usr/share/doc/python3.11/html",
    "sqlite": "/usr/share/doc/sqlite3",
    "git": "/usr/share/doc/git/html",
    "nodejs": "/usr/share/doc/nodejs/api",
}
FILTERS: Sequence[tuple[str, str | None, Mapping[str, Any] | None]] = (
    ("none", None, None),
    ("all but one page", None, {"not": {"source_url": {"contains": "library/json"}}}),
    ("all sites but one", None, {"not": {"source_url": {"contains": "/python3.11/"}}}),
    ("one site", "sqlite", None),
    ("one folder", None, {"source_url": {"contains": "/html/library/"}}),
    ("a few pages", None, {"source_url": {"contains": "asyncio"}}),
    ("one page", None, {"source_url": {"contains": "library/json"}}),
    ('titles with "and"', None, {"title": {"contains": " and "}}),
    ("no page", None, {"source_url": "nowhere"}),
)
K = 10
"""Records in an answer."""
EQUAL = 2e-6
"""Scores are rounded to six places, and vectors kept in single precision."""
HEAD = (
    "| restriction | matches | recall@10 | worst question | answers with too few rows | ms, median |",
    "|---|---|---|---|---|---|",
)


class Held(NamedTuple):
    """Every record that has a vector."""

    ids: Sequence[str]
    sites: Sequence[str]
    data: Sequence[Mapping[str, Any]]
    headings: Sequence[str]
    weights: Any
    vectors: Any


async def crawl(engine: PostgresEngine, installed: Sequence[str]) -> None:
    """The sites that are installed, into the store."""
    asked = {"local": True, "return_pages": "none"}
    async with Runtime(engine=engine, syncs={"site_crawl": site_crawl}) as runtime:
        for name, folder in SITES.items():
            if folder in installed:
                done = await runtime.sync("site_crawl", asked | {"url": folder, "name": name})
                report = done.report
                print(f"{name}: {report.pages.stored:,} pages, {report.chunks.added:,} chunks", flush=True)
        await engine.optimize()


async def read(engine: PostgresEngine) -> Held:
    """All that is there, for the exact search."""
    rows = await engine._database.fetch(
        "SELECT record.id, entity.name, record.external_id, record.data, record.headings, record.weight, "
        "vectors.embedding FROM syncline.record JOIN syncline.entity ON entity.id = record.entity_id "
        "JOIN syncline.vector_1 AS vectors ON vectors.hash = record.embed_hash ORDER BY record.id"
    )
    vectors = np.array([row["embedding"].to_numpy() for row in rows], dtype=np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Held(
        [row["external_id"] for row in rows],
        [row["name"] for row in rows],
        [row["data"] for row in rows],
        [" ".join(row["headings"]) for row in rows],
        np.array([row["weight"] for row in rows]),
        vectors,
    )


def matching(held: Held, site: str | None, filter: Mapping[str, Any] | None) -> Any:
    """Places of the records that a restriction lets through."""
    wanted = parse(filter) if filter is not None else None
    return np.array(
        [
            place
            for place, (name, data) in enumerate(zip(held.sites, held.data, strict=True))
            if site in (None, name) and (wanted is None or matches(wanted, data))
        ],
        dtype=int,
    )


async def measure(engine: PostgresEngine, questions: int) -> list[str]:
    """The rows of the table."""
    held = await read(engine)
    drawn = random.Random(20_261_126)
    asked = drawn.sample(sorted({heading for heading in held.headings if heading}), questions)
    embedder = await engine.embedder()
    embeddings = (await embedder.embed(asked, kind="query")).vectors
    lines = [f"{len(held.ids):,} records, {questions} questions, {held.vectors.shape[1]} dimensions", "", *HEAD]
    for label, site, filter in FILTERS:
        if site is not None and site not in held.sites:
            continue
        places = matching(held, site, filter)
        recalls, times, short = [], [], 0
        for text, vector in zip(asked, embeddings, strict=True):
            query = np.asarray(vector, dtype=np.float64)
            exact = held.vectors[places] @ (query / np.linalg.norm(query)) * held.weights[places]
            wanted = min(K, len(places))
            started = time.perf_counter()
            hits = await engine.search(text, entity=site, filter=filter, mode="vector", k=K)
            times.append(time.perf_counter() - started)
            short += len(hits) < wanted
            if wanted:
                least = np.sort(exact)[-wanted] - EQUAL
                recalls.append(sum(hit.score >= least for hit in hits) / wanted)
        share = len(places) / len(held.ids)
        figures = [f"{statistics.mean(recalls):.3f}", f"{min(recalls):.1f}"] if recalls else ["", ""]
        cells = [label, f"{len(places):,} ({share:.2%})", *figures, str(short), f"{statistics.median(times) * 1e3:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


async def run(db: str, installed: Sequence[str], questions: int) -> list[str]:
    """Crawl, then measure."""
    async with PostgresEngine(db, embedder="wordllama") as engine:
        await crawl(engine, installed)
    async with PostgresEngine(db) as engine:
        return await measure(engine, questions)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--db", help="a DSN or the folder of an embedded database; a fresh one otherwise")
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    installed = [path for path in SITES.values() if Path(path).is_dir()]
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        Path(folder).chmod(0o711)
        lines = asyncio.run(run(given.db or f"{folder}/postgres", installed, given.questions))
    print(f"\n{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}; {lines[0]}")
    print("\n".join(lines[1:]))


if __name__ == "__main__":
    main()
