"""Whatever ends a swap of pages, the store holds the old pages or the new ones, and the vectors paid for."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import psycopg
import pytest

from engine import embedding
from engine.embedders.fake import HashEmbedder
from engine.errors import EmbedderError
from engine.models import Embeddings, PageInput
from engine.postgres import PostgresEngine

pytestmark = [pytest.mark.slow, pytest.mark.promise("E1")]

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
URLS = ("https://x.org/a", "https://x.org/b")

# The words that each page consists of, by generation: kept, moved, edited, new and gone ones.
PAGES: Mapping[str, Sequence[str]] = {
    "old": ["kept", "edited1", "moved", "gone1", "gone2"],
    "new": ["kept", "edited2", "new", "moved"],
}
MORE: Mapping[tuple[str, str], Sequence[str]] = {("new", URLS[1]): ["more1", "more2"]}  # so that one page grows


def pages(generation: str) -> list[PageInput]:
    return [
        PageInput(
            url=url,
            markdown=generation,
            content_hash=generation,
            fetched_at=1.7e9,
            records=[
                {"external_id": f"{url}#{place}", "data": {"markdown": f"{word} {url}"}, "position": place}
                for place, word in enumerate([*PAGES[generation], *MORE.get((generation, url), ())])
            ],
        )
        for url in URLS
    ]


def run(url: str, scenario: Callable[[PostgresEngine], Coroutine[Any, Any, object]], embedder: Any = None) -> None:
    async def main() -> None:
        async with PostgresEngine(url, embedder=embedder or HashEmbedder()) as engine:
            await scenario(engine)

    asyncio.run(main())


def swap(generation: str) -> Callable[[PostgresEngine], Coroutine[Any, Any, object]]:
    return lambda engine: engine.swap_pages(**SITE, pages=pages(generation))


def content(url: str) -> list[tuple[Any, ...]]:
    """Everything that a page swap writes."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT page.url, page.markdown, page.content_hash, page.state, record.external_id, "
            "       record.position, record.data, record.lexemes::text, record.bm25::text, record.embed_hash "
            "FROM syncline.page LEFT JOIN syncline.record ON record.page_id = page.id "
            "ORDER BY page.url, record.position"
        ).fetchall()


def vectors(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM syncline.vector_1").fetchone()
    return row[0] if row else 0


class Failing(HashEmbedder):
    """Answers so many calls, then fails."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    async def embed(self, texts: Sequence[str], *, kind: Any) -> Embeddings:
        self.left -= 1
        if self.left < 0:
            raise EmbedderError("no more quota")
        return await super().embed(texts, kind=kind)


@pytest.mark.parametrize("first", [True, False], ids=["first crawl", "later crawl"])
def test_an_embedder_that_fails_leaves_the_old_pages_and_keeps_what_was_paid_for(
    database_url: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "BATCH", 2)
    if not first:
        run(database_url, swap("old"))
        before, held = content(database_url), vectors(database_url)
    else:
        run(database_url, lambda engine: engine.sites())
        before, held = [], 0

    async def fail(engine: PostgresEngine) -> None:
        with pytest.raises(EmbedderError, match="no more quota"):
            await swap("new")(engine)

    run(database_url, fail, Failing(1))
    assert content(database_url) == before
    assert vectors(database_url) == held + 2
    again = HashEmbedder()
    run(database_url, swap("new"), again)
    assert again.texts == (10 if first else 6) - 2
    assert {row[1] for row in content(database_url)} == {"new"}


KILLED = """
import asyncio, os, signal, sys
import engine.bulk, engine.embedding, engine.pages
from engine.embedders.fake import HashEmbedder
from engine.postgres import PostgresEngine
from test_postgres_crash import swap

point = sys.argv[2]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Embedder(HashEmbedder):
    async def embed(self, texts, *, kind):
        answer = await super().embed(texts, kind=kind)
        if point == f"batch {self.calls}":
            die()
        return answer

def statement(name):
    if point == name:
        die()
    return query(name)

async def apply(*arguments):
    report = await written(*arguments)
    if point == "commit":
        await asyncio.sleep(0)
        die()
    return report

engine.embedding.BATCH = 2
query, engine.pages.query, engine.bulk.query = engine.pages.query, statement, statement
written, engine.pages._apply = engine.pages._apply, apply

async def main():
    async with PostgresEngine(sys.argv[1], embedder=Embedder()) as store:
        await swap("new")(store)
    die()  # after the end

asyncio.run(main())
"""
POINTS = {  # and how many vectors were bought by then
    "batch 1": 0,
    "batch 2": 2,
    "swap_page": 6,
    "records_of_pages": 6,
    "delete_records": 6,
    "move_records": 6,
    "replace_record": 6,
    "copy_records": 6,
    "commit": 6,
    "end": 6,
}


def test_a_process_killed_anywhere_leaves_the_old_pages_or_the_new_ones(database_url: str) -> None:
    run(database_url, swap("new"))
    new = content(database_url)
    run(database_url, swap("old"))
    old = content(database_url)
    assert old != new
    for point, bought in POINTS.items():
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "DELETE FROM syncline.vector_1 WHERE hash NOT IN (SELECT embed_hash FROM syncline.record)"
            )
        held = vectors(database_url)
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, database_url, point],
            env={"PYTHONPATH": __file__.rpartition("/")[0], "PATH": ""},
            check=False,
            timeout=60,
        )
        assert killed.returncode == -signal.SIGKILL
        with psycopg.connect(database_url, autocommit=True) as connection:
            # The server notices the dead client when it next reads from it, and rolls back.
            connection.execute("SELECT FROM syncline.entity FOR UPDATE")
        assert content(database_url) == (new if point == "end" else old), point
        assert vectors(database_url) == held + bought, point
    # And the next run does what was left.
    again = HashEmbedder()
    run(database_url, swap("new"), again)
    assert (content(database_url), again.texts) == (new, 0)


def test_a_search_sees_a_page_whole_while_it_is_swapped(database_url: str) -> None:
    words = {generation: sorted(f"{word} {URLS[0]}" for word in PAGES[generation]) for generation in PAGES}
    whole: dict[str, Any] = {"filter": {"markdown": {"contains": URLS[0]}}}

    async def scenario(engine: PostgresEngine) -> None:
        await swap("old")(engine)
        seen = []
        done = asyncio.Event()

        async def write() -> None:
            for _ in range(40):
                for generation in ("new", "old"):
                    await swap(generation)(engine)
            done.set()

        async def read() -> None:
            while not done.is_set():
                hits = await engine.search("kept moved x.org", k=50, **whole)
                seen.append(sorted(hit.markdown for hit in hits))

        await asyncio.gather(write(), read(), read())
        assert {tuple(each) for each in seen} == {tuple(each) for each in words.values()}

    run(database_url, scenario)
