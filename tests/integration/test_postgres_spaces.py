"""Several embedding models side by side: filled from stored texts, compared, switched and dropped without a crawl."""

import asyncio
import random
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import psycopg
import pytest

from engine import space as space_module
from engine.embedders.fake import HashEmbedder
from engine.errors import EmbedderError, InvalidQuery, SpaceMismatch, UnknownEmbedder
from engine.models import Embeddings, PageInput
from engine.postgres import PostgresEngine

pytestmark = [pytest.mark.slow, pytest.mark.promise("E6")]

Scenario = Callable[[PostgresEngine], Coroutine[Any, Any, object]]
SITE = {"connection_id": "SYSTEM", "name": "docs"}
TEXTS = ("how to bake bread", "how to fly kites", "how to refuse politely")
SMALL, SMALLER = "wordllama:l2_supercat_256@128", "wordllama:l2_supercat_256@64"


def run(url: str, scenario: Scenario, embedder: Any = None) -> None:
    async def main() -> None:
        async with PostgresEngine(url, embedder=embedder) as engine:
            await scenario(engine)

    asyncio.run(main())


def page(number: int, *texts: str) -> PageInput:
    url = f"https://x.org/{number}"
    return PageInput(
        url=url,
        content_hash="|".join(texts),
        fetched_at=1.7e9,
        records=[{"external_id": f"{url}#{place}", "data": {"markdown": text}} for place, text in enumerate(texts)],
    )


def counts(url: str) -> dict[str, int]:
    """Vectors of each space, by its number."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'syncline' AND tablename ~ '^vector_[0-9]+$'"
        ).fetchall()
        found = {}
        for (table,) in tables:
            row = connection.execute(f"SELECT count(*) FROM syncline.{table}").fetchone()
            found[table] = row[0] if row else 0
        return found


def test_another_model_is_filled_from_stored_texts_while_search_stays_with_the_first(database_url: str) -> None:
    first, second = HashEmbedder(), HashEmbedder(model="other")

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(1, *TEXTS), page(2, TEXTS[0], "something else")])
        paid = first.texts
        report = await engine.add_space(second)
        assert (report.computed, second.texts) == (4, 4)
        assert first.texts == paid
        assert (await engine.add_space(second)).computed == 0
        assert [(one["name"], one["active"], one["vectors"], one["missing"]) for one in await engine.spaces()] == [
            (first.name, True, 4, 0),
            (second.name, False, 4, 0),
        ]
        await engine.search("bread", k=1)
        assert (first.texts, second.texts) == (paid + 1, 4)

    run(database_url, scenario, first)


def test_a_switch_embeds_what_came_meanwhile_and_then_everything_uses_the_new_model(database_url: str) -> None:
    first, second = HashEmbedder(), HashEmbedder(model="other")

    async def before(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(1, *TEXTS)])
        await engine.add_space(second)
        await engine.swap_pages(**SITE, pages=[page(2, "a late page")])
        report = await engine.use_space(second, weight=0.5)
        assert report.computed == 1
        with pytest.raises(SpaceMismatch, match="syncline embeddings use"):
            await engine.search("bread")

    async def after(engine: PostgresEngine) -> None:
        asked = second.texts
        assert (await engine.search("bread", k=1))[0].external_id == "https://x.org/1#0"
        assert second.texts == asked + 1
        report = await engine.swap_pages(**SITE, pages=[page(1, *TEXTS)])
        assert (report.computed, report.reused) == (0, 3)
        await engine.swap_pages(**SITE, pages=[page(3, "only in the new one")])
        assert (await engine.spaces())[1]["weight"] == 0.5

    run(database_url, before, first)
    run(database_url, after, second)
    assert counts(database_url) == {"vector_1": 4, "vector_2": 5}


def test_an_engine_that_was_open_goes_on_with_the_model_that_another_process_switched_to(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(1, *TEXTS)])
        async with PostgresEngine(database_url) as other:
            assert (await other.embedder()).name == SMALL
            await engine.add_space(SMALLER)
            await engine.use_space(SMALLER)
            assert (await other.search("bread", k=1))[0].external_id == "https://x.org/1#0"
            assert (await other.swap_pages(**SITE, pages=[page(2, "new")])).computed == 1
            assert (await other.embedder()).name == SMALLER

    run(database_url, scenario, SMALL)
    assert counts(database_url) == {"vector_1": 3, "vector_2": 4}


class Switching(HashEmbedder):
    """Lets something happen after its vectors were made and before they are kept."""

    def __init__(self, happens: Callable[[], Coroutine[Any, Any, object]]) -> None:
        super().__init__()
        self._happens = happens

    async def embed(self, texts: Sequence[str], *, kind: Any) -> Embeddings:
        answer = await super().embed(texts, kind=kind)
        await self._happens()
        return answer


@pytest.mark.parametrize("write", ["pages", "records"])
def test_a_writer_that_embedded_before_the_switch_does_not_write_a_text_without_a_vector(
    database_url: str, write: str
) -> None:
    second = HashEmbedder(model="other")

    async def main() -> None:
        async with PostgresEngine(database_url, embedder=HashEmbedder()) as other:
            await other.swap_pages(**SITE, pages=[page(1, *TEXTS)])
            await other.add_space(second)
            async with PostgresEngine(database_url, embedder=Switching(lambda: other.use_space(second))) as engine:
                writing = (
                    engine.swap_pages(**SITE, pages=[page(2, "late")])
                    if write == "pages"
                    else engine.sync_records(**SITE, records=[{"external_id": "late", "data": {}, "text": "late"}])
                )
                with pytest.raises(SpaceMismatch):
                    await writing
            assert await other.get_page("https://x.org/2") is None
            assert len(await other.get_records(**SITE)) == 3

    asyncio.run(main())


def test_the_active_space_is_not_dropped_and_another_one_is_with_its_vectors(database_url: str) -> None:
    first, second = HashEmbedder(), HashEmbedder(model="other", refuses="politely")

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(1, *TEXTS)])
        assert (await engine.add_space(second)).failed == 1
        assert (await engine.spaces())[1]["failed"] == 1
        with pytest.raises(EmbedderError, match="is what search uses"):
            await engine.drop_space(first.name)
        await engine.use_space(second)  # a text that the model does not take keeps nobody from it
        await engine.drop_space(first.name)
        assert [one["name"] for one in await engine.spaces()] == [second.name]
        with pytest.raises(UnknownEmbedder, match="there is hash:other@64"):
            await engine.use_space(first)

    run(database_url, scenario, first)
    assert counts(database_url) == {"vector_2": 2}


def test_a_comparison_says_what_both_models_find(database_url: str) -> None:
    first, same, other = HashEmbedder(256), HashEmbedder(255), HashEmbedder(1, model="one number")

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(1, *TEXTS, *(f"filler {n} text" for n in range(20)))])
        await engine.add_space(same)
        await engine.add_space(other)
        (alike,) = await engine.compare_spaces(same, ["bake bread"], k=1)
        assert (alike.overlap, alike.same_first) == (1.0, True)
        (unlike,) = await engine.compare_spaces(other, ["bake bread"], k=5)
        assert len(unlike.active) == len(unlike.other) == 5
        assert unlike.active[0].external_id == "https://x.org/1#0"
        assert unlike.overlap < 1
        assert not unlike.same_first
        (_, first_now, first_then), *_ = unlike.places
        assert first_now == 1
        assert first_then is None or first_then > 1
        with pytest.raises(InvalidQuery, match="empty"):
            await engine.compare_spaces(same, [" "])

    run(database_url, scenario, first)


def test_a_long_build_of_the_index_says_how_far_it_is_while_others_read(database_url: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(space_module, "PROGRESS_SECONDS", 0.05)
    said: list[str] = []

    async def scenario(engine: PostgresEngine) -> None:
        records: Any = [{"external_id": f"{n}", "data": {"markdown": f"text {n}"}} for n in range(4_000)]
        await engine.sync_records(**SITE, records=records)
        monkeypatch.setattr(space_module, "SCANNED_NUMBERS", 1_000)
        building = asyncio.create_task(engine.optimize(on_progress=said.append))
        while not said:
            assert len(await engine.search("text 7", k=3)) == 3
        assert not building.done()
        await building
        assert (await engine.spaces())[0]["indexed"]

    run(database_url, scenario, HashEmbedder(512))
    assert re.fullmatch(r"indexing: [\d,]+ vectors, \d+%", said[0])


class Given(HashEmbedder):
    """Vectors that were drawn: the text is their number."""

    def __init__(self, vectors: Any) -> None:
        super().__init__(vectors.shape[1], model="drawn")
        self._drawn = vectors

    async def embed(self, texts: Sequence[str], *, kind: Any) -> Embeddings:
        return Embeddings([self._drawn[int(text.split()[-1])] for text in texts])


@pytest.mark.promise("E5")
@pytest.mark.parametrize("kind", ["vector", "halfvec", "bit"])
def test_each_type_of_space_finds_what_an_exact_search_finds(
    database_url: str, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, dimensions = 3_000, 128
    draw = np.random.default_rng(5)
    centres = draw.standard_normal((60, dimensions))
    vectors = centres[draw.integers(0, 60, size + 20)] + 0.7 * draw.standard_normal((size + 20, dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    drawn = Given(vectors.astype(np.float32))
    monkeypatch.setattr(space_module, "SCANNED_NUMBERS", 100 * dimensions)  # a graph from 100 vectors on

    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(**SITE, records=[{"external_id": "0", "data": {}, "text": "first"}])
        records = [{"external_id": str(n), "data": {}, "text": f"number {n}"} for n in range(size)]
        random.Random(1).shuffle(records)
        await engine.delete_entity(**SITE)
        await engine.sync_records(**SITE, records=records)
        await engine.add_space(drawn, type=kind)
        await engine.use_space(drawn)
        assert (await engine.spaces())[1]["indexed"]

    async def search(engine: PostgresEngine) -> None:
        shares = []
        for number in range(size, size + 20):
            hits = await engine.search(f"query {number}", k=10, mode="vector")
            exact = np.argsort(-(vectors[:size] @ vectors[number]))[:10]
            shares.append(len({int(hit.external_id) for hit in hits} & set(map(int, exact))) / 10)
        assert float(np.mean(shares)) >= 0.95

    run(database_url, scenario, HashEmbedder())
    run(database_url, search, drawn)


def test_vectors_of_many_dimensions_are_indexed_as_half_precision_or_as_bits(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(1, *TEXTS)])
        for dimensions, kind in ((2_000, "vector"), (4_000, "halfvec"), (4_001, "bit"), (16_000, "bit")):
            await engine.add_space(HashEmbedder(dimensions))
            assert (await engine.spaces())[-1]["type"] == kind
        with pytest.raises(EmbedderError, match="at most 16,000 as bit"):
            await engine.add_space(HashEmbedder(16_001))
        with pytest.raises(EmbedderError, match=r"at most 2,000 as vector.*take halfvec or bit"):
            await engine.add_space(HashEmbedder(3_000), type="vector")
        with pytest.raises(EmbedderError, match="is there, as vector"):
            await engine.add_space(HashEmbedder(2_000), type="halfvec")

    run(database_url, scenario, HashEmbedder())
