"""What is nearest by the vectors of real pages is found: plain, and under filters of every selectivity."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import ingest
from chunking import MDocument
from engine import PostgresEngine, space
from engine.filters import matches, parse
from engine.models import RecordInput

PAGES = 100
QUESTIONS = 60
FILTERS: Mapping[str, Any] = {
    "plain": None,
    "most of the pages": {"not": {"page": {"contains": "lang"}}},
    "half": {"odd": True},
    "one of 20": {"part": 7},
    "every page of a name": {"page": {"contains": "fts"}},
    "one page": {"page": "lang_select.html"},
    "nothing": {"page": "nowhere"},
}


def records_of(folder: Path) -> list[RecordInput]:
    """Small chunks of pages drawn at random."""
    made: list[RecordInput] = []
    paths = sorted(folder.glob("**/*.html"))
    always = folder / "lang_select.html"
    for path in [always, *Random(1).sample([path for path in paths if path != always], PAGES)]:
        page = ingest.html_to_markdown(path.read_bytes(), f"http://x.org/{path.name}")
        document = MDocument.from_markdown(page.markdown).chunk(max_size=128)
        for place, chunk in enumerate(document.get_docs()):
            facts = {"page": path.name, "odd": bool(len(made) % 2), "part": len(made) % 20, "markdown": chunk.text}
            made.append(
                {"external_id": f"{path.relative_to(folder)} {place}", "data": facts, "embed_text": chunk.embed_text}
            )
    return made


@pytest.mark.slow
@pytest.mark.needs("sqlite3-doc")
@pytest.mark.promise("E5")
def test_the_chunks_of_a_real_site_that_are_nearest_are_found_under_every_filter(
    database_url: str, system_part: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = records_of(system_part("sqlite3-doc"))
    # So that the graph is walked wherever more than 500 records match.
    monkeypatch.setattr(space, "SCANNED_NUMBERS", 500 * 256)
    asked = [str(record["data"]["markdown"])[:80] for record in Random(2).sample(made, QUESTIONS)]

    async def answers() -> tuple[Any, Any, dict[str, list[list[str]]]]:
        async with PostgresEngine(database_url, embedder="wordllama") as engine:
            await engine.sync_records(connection_id="c", name="docs", records=made)
            await engine.optimize()
            health = await engine.health()
            assert [each["graph"] for each in health["spaces"]] == ["ready"]
            embedder = await engine.embedder()
            vectors = (await embedder.embed([str(record["embed_text"]) for record in made], kind="document")).vectors
            queries = (await embedder.embed(asked, kind="query")).vectors
            found: dict[str, list[list[str]]] = {}
            for name, filter in FILTERS.items():
                for text in asked:
                    hits = await engine.search(text, mode="vector", filter=filter)
                    found.setdefault(name, []).append([hit.external_id for hit in hits])
            return np.array(vectors), np.array(queries), found

    vectors, queries, found = asyncio.run(answers())
    cosines = queries @ vectors.T / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(vectors, axis=1))
    places = {record["external_id"]: place for place, record in enumerate(made)}
    for name, filter in FILTERS.items():
        let_through = [place for place, each in enumerate(made) if not filter or matches(parse(filter), each["data"])]
        wanted = min(10, len(let_through))
        recalls = []
        for row, ids in zip(cosines, found[name], strict=True):
            assert len(ids) == wanted, f"{name}: every match up to ten is given"
            assert {places[key] for key in ids} <= set(let_through)
            least = np.sort(row[let_through])[-wanted] if wanted else 0.0
            recalls.append(sum(row[places[key]] >= least - 1e-6 for key in ids) / max(wanted, 1))
        if wanted:
            assert np.mean(recalls) >= (0.95 if len(let_through) > 500 else 1.0), name
