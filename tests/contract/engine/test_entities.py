"""Entities and what is done to their records, in every engine (promise E8)."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import pytest

from engine.embedders.fake import HashEmbedder
from engine.errors import EmbedderError, InvalidRecord, UnknownEntity
from engine.models import Embeddings, PageInput, RecordInput, SyncReport
from engine.protocols import EmbedKind, Engine

pytestmark = pytest.mark.promise("E8")

OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
USERS: Mapping[str, str] = {"connection_id": "crm", "name": "users"}
SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
URL = "https://x.org/a"


def record(external_id: str, text: str | None = None, **data: object) -> RecordInput:
    made: RecordInput = {"external_id": external_id, "data": data}
    if text is not None:
        made["text"] = text
    return made


def page(*texts: str) -> PageInput:
    """A page of one chunk a text, with a breadcrumb."""
    chunks: list[RecordInput] = [
        {
            "external_id": f"{URL}_chunk_{number}",
            "data": {"markdown": text},
            "embed_text": f"Breadcrumb\n{text}",
            "headings": ["Breadcrumb"],
            "anchor": "top",
            "position": number,
        }
        for number, text in enumerate(texts)
    ]
    return PageInput(
        url=URL, records=chunks, metadata={"title": "A page"}, content_hash="|".join(texts), fetched_at=1e9
    )


async def found(engine: Engine, word: str) -> list[str]:
    return [hit.external_id for hit in await engine.search(word, mode="text")]


async def data_of(engine: Engine, entity: Mapping[str, str] = USERS) -> dict[Any, Any]:
    return {each["external_id"]: each["data"] for each in await engine.get_records(**entity)}


# --- entities ---------------------------------------------------------------------------------------------


def test_an_entity_is_made_once_and_given_as_it_is(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        made = await engine.create_entity(**USERS)
        assert {name: made[name] for name in ("connection_id", "name", "start_url", "last_sync_id")} == {
            **USERS,
            "start_url": None,
            "last_sync_id": None,
        }
        assert isinstance(made["created_at"], datetime)
        assert made["updated_at"] == made["created_at"]
        await engine.sync_records(**USERS, records=[record("a")], last_sync_id="7")
        filled = await engine.get_entity(**USERS)
        assert (filled["id"], filled["last_sync_id"]) == (made["id"], "7")
        assert filled["created_at"] == made["created_at"] < filled["updated_at"]
        assert await engine.create_entity(**USERS) == filled
        assert await data_of(engine) == {"a": {}}

    on(scenario)


def test_an_entity_that_is_made_anew_has_a_new_id_and_no_records(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        first = await engine.create_entity(**USERS)
        await engine.sync_records(**USERS, records=[record("a")])
        assert await engine.delete_entity(**USERS) is True
        other = await engine.create_entity(connection_id="crm", name="other")
        again = await engine.create_entity(**USERS)
        assert len({first["id"], other["id"], again["id"]}) == 3
        assert await engine.get_records(**USERS) == []

    on(scenario)


def test_an_unknown_entity_is_an_error_that_names_the_nearest(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(UnknownEntity, match=r"'users'.*none yet"):
            await engine.get_entity(**USERS)
        await engine.create_entity(connection_id="erp", name="orders")
        with pytest.raises(UnknownEntity, match=r"Known: orders \(connection erp\)"):
            await engine.get_entity(**USERS)
        for name in ("accounts", "users"):
            await engine.create_entity(connection_id="crm", name=name)
        with pytest.raises(UnknownEntity, match=r"connection 'crm' is called 'user'\. Known: users, accounts"):
            await engine.get_entity(connection_id="crm", name="user")

    on(scenario)


@pytest.mark.parametrize("wrong", ["", "  ", "a\nb", "x" * 8_001])
@pytest.mark.parametrize("which", ["connection_id", "name"])
def test_a_name_that_no_entity_can_have_is_refused_everywhere(on: With, which: str, wrong: str) -> None:
    async def scenario(engine: Engine) -> None:
        entity = {**USERS, which: wrong}
        crawl: dict[str, Any] = {"start_url": "https://x.org/", "run_id": "r", "options": {}}
        for attempt in (
            engine.create_entity(**entity),
            engine.get_entity(**entity),
            engine.delete_entity(**entity),
            engine.sync_records(**entity, records=[record("a")]),
            engine.get_records(**entity),
            engine.delete_records(**entity, external_ids=["a"]),
            engine.swap_pages(**entity, pages=[page("a")]),
            engine.stored_pages(**entity),
            engine.open_ledger(**entity, **crawl),
        ):
            with pytest.raises(InvalidRecord, match=f"The {which}"):
                await attempt
        assert await engine.sites() == []

    on(scenario)


def test_records_are_read_by_their_ids(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record("a"), record("b"), record("c\0")])
        await engine.sync_records(connection_id="crm", name="others", records=[record("d")])

        async def ids(*asked: str, **options: Any) -> list[object]:
            found = await engine.get_records(**USERS, external_ids=asked, **options)
            return [one["external_id"] for one in found]

        assert await ids("c\0", "a", "a", "d", "none") == ["a", "c\ufffd"]
        assert await ids() == []
        assert await ids("a", "b", limit=1, offset=1) == ["b"]
        assert await ids("a", "b", filter={"nothing": {"exists": True}}) == []
        for wrong in ("ab", [1]):
            with pytest.raises(InvalidRecord, match="external_ids must be a list of texts"):
                await engine.get_records(**USERS, external_ids=wrong)

    on(scenario)


def test_reading_and_deleting_what_is_not_there_makes_nothing(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        assert await engine.get_records(**USERS) == []
        assert await engine.stored_pages(**USERS) == []
        assert await engine.delete_records(**USERS, external_ids=["a"]) == 0
        assert await engine.delete_entity(**USERS) is False
        assert await engine.sites() == []

    on(scenario)


# --- last_sync_id -----------------------------------------------------------------------------------------


def test_the_last_sync_id_stays_until_another_is_given(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        async def last() -> object:
            return (await engine.get_entity(**USERS))["last_sync_id"]

        await engine.sync_records(**USERS, records=[record("a")])
        assert await last() is None
        await engine.sync_records(**USERS, records=[record("a")], last_sync_id="cursor-1")
        await engine.sync_records(**USERS, records=[record("b")])
        assert await last() == "cursor-1"
        await engine.sync_records(**USERS, records=[], last_sync_id="cursor-2\0")
        assert await last() == "cursor-2\ufffd"
        assert set(await data_of(engine)) == {"a", "b"}

    on(scenario)


def test_a_sync_that_found_nothing_still_keeps_where_it_got_to(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        assert await engine.sync_records(**USERS, records=[], last_sync_id="0") == SyncReport()
        assert (await engine.get_entity(**USERS))["last_sync_id"] == "0"

    on(scenario)


def test_a_refused_call_keeps_no_last_sync_id(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        twice = [record("a"), record("a")]
        with pytest.raises(InvalidRecord, match="twice"):
            await engine.sync_records(**USERS, records=twice, last_sync_id="1")
        wrong: Any = 3
        with pytest.raises(InvalidRecord, match="last_sync_id must be text"):
            await engine.sync_records(**USERS, records=[record("a")], last_sync_id=wrong)
        assert await engine.sites() == []

    on(scenario)


# --- merge ------------------------------------------------------------------------------------------------


def test_a_merge_keeps_the_fields_that_are_not_given(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record("a", n=1, deep={"x": 1, "y": 2}, gone=None)])
        report = await engine.sync_records(**USERS, records=[record("a", n=2, deep={"x": 3}), record("b")], merge=True)
        assert (report.added, report.updated) == (1, 1)
        # By top-level key: what is within a field is replaced.
        assert await data_of(engine) == {"a": {"n": 2, "deep": {"x": 3}, "gone": None}, "b": {}}
        report = await engine.sync_records(**USERS, records=[record("a", n=2), record("b")], merge=True)
        assert report.unchanged == 2

    on(scenario)


def test_without_merge_the_data_is_replaced(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record("a", "zeppelin", n=1)])
        await engine.sync_records(**USERS, records=[record("a", m=2)])
        assert await data_of(engine) == {"a": {"m": 2}}
        assert await found(engine, "zeppelin") == []

    on(scenario)


def test_a_merge_into_nothing_inserts(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        report = await engine.sync_records(**USERS, records=[record("a", "zeppelin", n=1)], merge=True)
        assert (report.added, report.computed) == (1, 1)
        assert await found(engine, "zeppelin") == ["a"]

    on(scenario)


def test_the_text_follows_the_merged_data(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        def merge(*records: RecordInput) -> Coroutine[Any, Any, SyncReport]:
            return engine.sync_records(**USERS, records=records, merge=True)

        await engine.sync_records(
            **USERS, records=[record("a", markdown="zeppelin"), record("b", "balloon", markdown="kite")]
        )
        report = await merge(record("a", n=1), record("b", n=1))
        assert (report.updated, report.computed) == (2, 0)
        assert [await found(engine, word) for word in ("zeppelin", "balloon")] == [["a"], ["b"]]
        report = await merge(record("a", markdown="glider"), record("b", markdown="glider"))
        assert (report.updated, report.computed) == (2, 1)
        # A text that was given goes before the markdown, then as now.
        assert [await found(engine, word) for word in ("zeppelin", "glider", "balloon")] == [[], ["a"], ["b"]]
        await merge(record("b", "rocket"))
        assert [await found(engine, word) for word in ("balloon", "rocket")] == [[], ["b"]]
        await merge(record("a", markdown=None))
        assert await found(engine, "glider") == []

    on(scenario)


def test_what_is_embedded_beside_the_text_stays_as_long_as_the_text(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        made: RecordInput = {"external_id": "a", "data": {"markdown": "kite"}, "embed_text": "breadcrumb kite"}
        await engine.sync_records(**USERS, records=[made])
        await engine.sync_records(**USERS, records=[record("a", n=1)], merge=True)
        assert await found(engine, "breadcrumb") == ["a"]
        await engine.sync_records(**USERS, records=[record("a", markdown="glider")], merge=True)
        assert [await found(engine, word) for word in ("breadcrumb", "glider")] == [[], ["a"]]

    on(scenario)


def test_a_record_of_a_page_that_is_merged_into_stays_the_page_s(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.swap_pages(**SITE, pages=[page("zeppelin", "balloon")])
        chunk = f"{URL}_chunk_0"
        report = await engine.sync_records(**SITE, records=[record(chunk, reviewed=True)], merge=True)
        assert (report.updated, report.computed) == (1, 0)
        (hit,) = await engine.search("zeppelin", mode="text", filter={"reviewed": True})
        assert (hit.url, hit.title, hit.anchor, list(hit.headings)) == (URL, "A page", "top", ["Breadcrumb"])
        swapped = await engine.swap_pages(**SITE, pages=[page("zeppelin", "rocket")])
        assert (swapped.updated, swapped.added, swapped.deleted) == (2, 0, 0)
        assert await data_of(engine, SITE) == {
            chunk: {"markdown": "zeppelin"},
            f"{URL}_chunk_1": {"markdown": "rocket"},
        }

    on(scenario)


def test_a_record_of_a_page_that_is_replaced_leaves_the_page(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.swap_pages(**SITE, pages=[page("zeppelin", "balloon")])
        chunk = f"{URL}_chunk_0"
        await engine.sync_records(**SITE, records=[record(chunk, "zeppelin")])
        (hit,) = await engine.search("zeppelin", mode="text")
        assert (hit.url, hit.title, hit.anchor, list(hit.headings)) == ("", "", None, [])
        with pytest.raises(InvalidRecord, match="belongs to a record without a page already"):
            await engine.swap_pages(**SITE, pages=[page("zeppelin", "rocket")])
        await engine.delete_records(**SITE, external_ids=[chunk])
        assert (await engine.swap_pages(**SITE, pages=[page("zeppelin", "rocket")])).added == 1

    on(scenario)


def test_merges_at_the_same_time_lose_no_field(open_engine: OpenEngine) -> None:
    async def scenario() -> None:
        async with open_engine(HashEmbedder()) as engine:
            await engine.sync_records(**USERS, records=[record("a", markdown="start")])
            merges = [
                engine.sync_records(
                    **USERS,
                    records=[record("a", **{f"field{number}": number, "markdown": f"word{number}"})],
                    merge=True,
                )
                for number in range(8)
            ]
            await asyncio.gather(*merges)
            data = (await data_of(engine))["a"]
            assert {f"field{number}" for number in range(8)} <= set(data)
            assert [await found(engine, f"word{n}") for n in range(8)].count(["a"]) == 1
            assert await found(engine, data["markdown"]) == ["a"]

    asyncio.run(scenario())


class Interrupted(HashEmbedder):
    """Lets something else happen while it embeds, once."""

    meanwhile: Callable[[], Coroutine[Any, Any, object]] | None = None

    async def embed(self, texts: Any, *, kind: EmbedKind) -> Embeddings:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().embed(texts, kind=kind)


def test_a_merge_into_a_text_that_changes_meanwhile_embeds_the_text_of_both(open_engine: OpenEngine) -> None:
    async def scenario() -> None:
        embedder = Interrupted()
        async with open_engine(embedder) as engine:
            await engine.sync_records(**USERS, records=[record("a", markdown="kite")])

            def rewrite() -> Coroutine[Any, Any, object]:
                return engine.sync_records(**USERS, records=[record("a", markdown="zeppelin", n=1)], merge=True)

            embedder.meanwhile = rewrite
            await engine.sync_records(**USERS, records=[record("a", m=2), record("b", "balloon")], merge=True)
            assert await data_of(engine) == {"a": {"markdown": "zeppelin", "n": 1, "m": 2}, "b": {}}
            assert embedder.texts == 3  # kite, zeppelin, balloon: each once
            for word, external_id in (("zeppelin", "a"), ("balloon", "b")):
                assert await found(engine, word) == [external_id]
                assert await engine.search(word, mode="vector", k=1) != []

    asyncio.run(scenario())


class Broken(HashEmbedder):
    """Refuses texts with the word "bad"."""

    async def embed(self, texts: Any, *, kind: EmbedKind) -> Embeddings:
        if any("bad" in text for text in texts):
            raise EmbedderError("no")
        return await super().embed(texts, kind=kind)


@pytest.mark.parametrize("merge", [False, True])
def test_records_that_cannot_be_embedded_leave_everything_as_it_was(open_engine: OpenEngine, merge: bool) -> None:
    async def scenario() -> None:
        async with open_engine(Broken()) as engine:
            records = [record("a", n=1), record("b", "bad")]
            with pytest.raises(EmbedderError):
                await engine.sync_records(**USERS, records=records, merge=merge, last_sync_id="1")
            assert await engine.sites() == []

    asyncio.run(scenario())


# --- deleting records -------------------------------------------------------------------------------------


def test_records_are_deleted_by_id_and_found_no_more(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record(name, "zeppelin") for name in "abc"])
        await engine.sync_records(connection_id="crm", name="other", records=[record("a", "zeppelin")])
        before = (await engine.get_entity(**USERS))["updated_at"]
        assert await engine.delete_records(**USERS, external_ids=["a", "c", "nobody", "a"]) == 2
        assert (await engine.get_entity(**USERS))["updated_at"] > before
        assert set(await data_of(engine)) == {"b"}
        assert sorted(await found(engine, "zeppelin")) == ["a", "b"]
        assert await engine.delete_records(**USERS, external_ids=["a", "c"]) == 0
        assert await engine.delete_records(**USERS, external_ids=[]) == 0

    on(scenario)


def test_thousands_of_records_are_deleted_in_one_call(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        ids = [f"{number:05}" for number in range(3_000)]
        await engine.sync_records(**USERS, records=[record(each) for each in ids])
        assert await engine.delete_records(**USERS, external_ids=ids[1:]) == 2_999
        assert set(await data_of(engine)) == {ids[0]}

    on(scenario)


@pytest.mark.parametrize("wrong", ["abc", [1], None])
def test_ids_to_delete_are_a_list_of_texts(on: With, wrong: Any) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record("a")])
        with pytest.raises(InvalidRecord, match="list of texts"):
            await engine.delete_records(**USERS, external_ids=wrong)
        assert set(await data_of(engine)) == {"a"}

    on(scenario)
