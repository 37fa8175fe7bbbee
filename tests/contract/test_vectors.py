"""A vector store means the same over every engine."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from engine import InvalidFilter, InvalidQuery, InvalidRecord, MockEngine
from engine.protocols import Engine
from syncs import Runtime, SyncContext, create_sync
from syncs.vectors import VectorItem, VectorMatch, Vectors, VectorStore

pytestmark = pytest.mark.promise("E8")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]

NOTES: tuple[VectorItem, ...] = (
    {"id": "cat", "text": "The cat sleeps on the sofa", "metadata": {"lang": "en", "year": 2023}},
    {"id": "dog", "text": "The dog sleeps in the garden", "metadata": {"lang": "en", "year": 2025, "tags": ["pet"]}},
    {"id": "katze", "text": "Katze sleeps auf dem Sofa", "metadata": {"lang": "de"}},
    {"id": "bare", "text": "Nothing sleeps here"},
)


async def filled(engine: Engine) -> VectorStore:
    store = VectorStore(engine, "notes")
    report = await store.upsert(NOTES)
    assert (report.added, report.computed) == (4, 4)
    return store


def ids(matches: list[VectorMatch]) -> list[str]:
    return sorted(match.id for match in matches)


def test_a_query_finds_items_with_their_text_and_metadata(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        store = await filled(engine)
        best, *others = await store.query("cat sleeps")
        assert (best.id, best.text) == ("cat", "The cat sleeps on the sofa")
        assert best.metadata == {"lang": "en", "year": 2023}
        assert all(best.score >= other.score for other in others)
        assert len(await store.query("sleeps", k=2)) == 2

    on(scenario)


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"lang": "en"}, ["cat", "dog"]),
        ({"year": {"gte": 2024}}, ["dog"]),
        ({"tags": {"contains": "pet"}}, ["dog"]),
        ({"lang": {"exists": False}}, ["bare"]),
        ({"or": [{"lang": "de"}, {"year": 2023}]}, ["cat", "katze"]),
        ({"not": {"lang": "en"}}, ["bare", "katze"]),
        ({"and": [{"lang": "en"}, {"not": {"year": 2023}}]}, ["dog"]),
        ({}, ["bare", "cat", "dog", "katze"]),
    ],
)
def test_a_filter_is_about_the_metadata(on: With, filter: dict[str, object], found: list[str]) -> None:
    async def scenario(engine: Engine) -> None:
        store = await filled(engine)
        assert ids(await store.query("sleeps", filter=filter)) == found

    on(scenario)


def test_an_item_is_replaced_by_its_id(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        store = await filled(engine)
        report = await store.upsert([{"id": "cat", "text": "The cat hunts"}, NOTES[1]])
        assert (report.added, report.updated, report.unchanged) == (0, 1, 1)
        assert await store.get(["cat"]) == [{"id": "cat", "text": "The cat hunts", "metadata": {}}]
        assert (await store.query("hunts"))[0].text == "The cat hunts"

    on(scenario)


def test_items_are_got_and_deleted_by_id(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        store = await filled(engine)
        assert await store.get(["dog", "nobody", "cat"]) == [NOTES[0], NOTES[1]]
        assert await store.delete(["dog", "nobody"]) == 1
        assert await store.get(["dog"]) == []
        assert ids(await store.query("sleeps")) == ["bare", "cat", "katze"]

    on(scenario)


def test_a_store_that_was_never_written_to_is_empty(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        store = VectorStore(engine, "empty")
        assert await store.query("anything") == []
        assert await store.get(["a"]) == []
        assert await store.get([]) == []
        assert await store.delete(["a"]) == 0
        assert (await store.upsert([])).added == 0

    on(scenario)


def test_stores_and_records_of_others_do_not_mix(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        store = await filled(engine)
        other = VectorStore(engine, "other")
        await other.upsert([{"id": "cat", "text": "Another cat sleeps"}])
        await engine.sync_records(
            connection_id="SYSTEM", name="notes", records=[{"external_id": "x", "data": {"markdown": "It sleeps"}}]
        )
        assert ids(await store.query("sleeps")) == ["bare", "cat", "dog", "katze"]
        assert [match.text for match in await other.query("cat")] == ["Another cat sleeps"]
        await other.delete(["cat"])
        assert len(await store.get(["cat"])) == 1

    on(scenario)


@pytest.mark.parametrize(
    ("use", "error", "says"),
    [
        (lambda store: store.query(" "), InvalidQuery, "empty"),
        (lambda store: store.query("a", k=0), InvalidQuery, "k is 0"),
        (lambda store: store.query("a", filter={"year": {"above": 1}}), InvalidFilter, "above"),
        (lambda store: store.query("a", filter={"a b": 1}), InvalidFilter, "a b"),
        (lambda store: store.query("a", filter={"or": "x"}), InvalidFilter, "or"),
        (lambda store: store.query("a", filter={"not": "x"}), InvalidFilter, "JSON object"),
        (lambda store: store.upsert([{"id": "a"}]), InvalidRecord, "'notes'"),
        (lambda store: store.upsert([{"id": 1, "text": "a"}]), InvalidRecord, "'notes'"),
        (lambda store: store.upsert([NOTES[0], NOTES[0]]), InvalidRecord, "cat"),
    ],
)
def test_a_wrong_use_is_an_error_of_the_engine_that_says_what_is_wrong(
    on: With, use: Callable[[VectorStore], Awaitable[object]], error: type[Exception], says: str
) -> None:
    async def scenario(engine: Engine) -> None:
        store = await filled(engine)
        with pytest.raises(error, match=says):
            await use(store)
        assert len(await store.get([item["id"] for item in NOTES])) == len(NOTES)

    on(scenario)


def test_a_runtimes_own_object_is_given_as_it_is_and_every_other_name_is_a_store() -> None:
    engine, own = MockEngine(), object()
    vectors = Vectors(engine, {"mine": own})
    assert vectors["mine"] is own
    assert isinstance(vectors["notes"], VectorStore)
    assert vectors["notes"].name == "notes"
    assert (list(vectors), len(vectors), "mine" in vectors, "notes" in vectors) == (["mine"], 1, True, False)


@create_sync(id="remember")
async def remember(ctx: SyncContext[str]) -> list[str]:
    """Keep a text, and say what is near it."""
    await ctx.vectors["notes"].upsert([{"id": ctx.run_id, "text": ctx.context}])
    return [match.text for match in await ctx.vectors["notes"].query(ctx.context)]


def test_a_sync_has_stores_by_name(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        runtime = Runtime(engine=engine, syncs={"remember": remember})
        assert await runtime.sync(remember, "a first thought") == ["a first thought"]

    on(scenario)
