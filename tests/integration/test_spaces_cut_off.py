"""Filling another model that is cut off, by a ceiling or by a fault, goes on where it was and pays no text twice."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from engine.embedders.fake import HashEmbedder
from engine.errors import CostCeiling, EmbedderError
from engine.models import Embeddings, PageInput
from engine.postgres import PostgresEngine

pytestmark = [pytest.mark.slow, pytest.mark.promise("E2", "E6")]

SITE = {"connection_id": "SYSTEM", "name": "docs"}
TEXTS = 10


class Failing(HashEmbedder):
    """Fails at one of its calls."""

    failing_call = 3

    async def embed(self, texts: Sequence[str], *, kind: Any) -> Embeddings:
        if self.calls + 1 == self.failing_call:
            self.calls += 1
            raise EmbedderError("the server is overloaded")
        return await super().embed(texts, kind=kind)


@pytest.fixture
def on_store(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[PostgresEngine], Coroutine[Any, Any, None]]], None]:
    """Runs a scenario on a store of ten texts, with batches of two."""
    monkeypatch.setattr("engine.embedding.BATCH", 2)
    monkeypatch.setattr("engine.vectors.BATCH", 4)

    def run(scenario: Callable[[PostgresEngine], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with PostgresEngine(database_url, embedder=HashEmbedder(8)) as engine:
                records: Any = [{"external_id": str(n), "data": {"markdown": f"word{n}"}} for n in range(TEXTS)]
                await engine.swap_pages(**SITE, pages=[PageInput(url="https://x.org/", records=records)])
                await scenario(engine)

        asyncio.run(main())

    return run


async def missing(engine: PostgresEngine) -> list[int]:
    return [space["missing"] for space in await engine.spaces()]


def test_a_ceiling_keeps_what_was_paid_for_and_the_same_again_pays_for_the_rest(on_store: Any) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        other = HashEmbedder(8, model="other", usd_per_million_tokens=1_000_000)  # a dollar a word
        with pytest.raises(CostCeiling) as stopped:
            await engine.add_space(other, max_cost=5)
        assert (stopped.value.spent.computed, stopped.value.spent.cost_usd) == (4, 4)
        assert await missing(engine) == [0, 6]
        with pytest.raises(CostCeiling) as stopped:
            await engine.use_space(other, max_cost=2)
        assert stopped.value.spent.computed == 2
        assert [space["active"] for space in await engine.spaces()] == [True, False]
        report = await engine.use_space(other, max_cost=4)
        assert (report.computed, other.texts) == (4, TEXTS)
        assert [space["active"] for space in await engine.spaces()] == [False, True]

    on_store(scenario)


def test_a_fault_in_the_middle_keeps_the_batches_before_it(on_store: Any) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        other = Failing(8, model="other")
        with pytest.raises(EmbedderError, match="overloaded"):
            await engine.add_space(other)
        assert await missing(engine) == [0, TEXTS - 4]
        assert (await engine.add_space(other)).computed == TEXTS - 4
        assert other.texts == TEXTS

    on_store(scenario)


def test_a_space_that_is_there_in_another_type_is_told_with_the_remedy(on_store: Any) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        other = HashEmbedder(8, model="other")
        await engine.add_space(other, type="halfvec")
        with pytest.raises(EmbedderError, match=r"is there, as halfvec: drop it first, to add it as bit"):
            await engine.add_space(other, type="bit")
        await engine.drop_space(other.name)
        await engine.add_space(other, type="bit")
        assert [(space["type"], space["missing"]) for space in await engine.spaces()] == [("vector", 0), ("bit", 0)]

    on_store(scenario)


def test_a_text_that_another_model_does_not_take_is_set_aside_there_alone(on_store: Any) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        other = HashEmbedder(8, model="other", refuses="word3")
        report = await engine.add_space(other)
        assert (report.computed, report.failed) == (TEXTS - 1, 1)
        assert [(space["missing"], space["failed"]) for space in await engine.spaces()] == [(0, 0), (0, 1)]
        assert await engine.embed_failures() == []
        await engine.use_space(other)

    on_store(scenario)
