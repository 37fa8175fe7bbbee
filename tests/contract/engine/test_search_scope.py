"""Where a search looks, and how fresh what it finds is, in every engine (promise E8)."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.errors import InvalidQuery
from engine.models import PageInput, RecordInput
from engine.protocols import Engine

pytestmark = pytest.mark.promise("E8")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
URL = "https://x.org/a"


async def store(engine: Engine, connection_id: str, name: str, external_id: str) -> None:
    record: RecordInput = {"external_id": external_id, "data": {"n": 1}, "text": "zeppelin"}
    await engine.sync_records(connection_id=connection_id, name=name, records=[record])


def page(text: str, fetched_at: float, **metadata: object) -> PageInput:
    chunk: RecordInput = {"external_id": "c", "data": {"markdown": text, "title": "Of the record"}}
    return PageInput(url=URL, records=[chunk], content_hash=text, fetched_at=fetched_at, metadata=metadata)


def test_a_search_keeps_to_a_connection_and_to_an_entity_of_it(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        for connection_id, name in [("crm", "users"), ("crm", "deals"), ("erp", "users")]:
            await store(engine, connection_id, name, f"{connection_id}-{name}")

        async def ids(**asked: Any) -> list[str]:
            return sorted(hit.external_id for hit in await engine.search("zeppelin", mode="text", **asked))

        assert await ids() == ["crm-deals", "crm-users", "erp-users"]
        assert await ids(connection_id="crm") == ["crm-deals", "crm-users"]
        assert await ids(connection_id="erp") == ["erp-users"]
        assert await ids(connection_id="erp", entity="users") == ["erp-users"]
        assert await ids(connection_id="crm", entity="users") == ["crm-users"]
        assert await ids(connection_id="crm", filter={"n": 2}) == []
        for mode in ("hybrid", "vector"):
            hits = await engine.search("zeppelin", mode=mode, connection_id="erp")
            assert [hit.external_id for hit in hits] == ["erp-users"]

    on(scenario)


def test_a_connection_or_an_entity_that_there_is_not_is_an_error_that_says_which_there_are(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(InvalidQuery, match=r"'crm'.*the store is empty"):
            await engine.search("zeppelin", connection_id="crm")
        await store(engine, "erp", "orders", "o")
        await store(engine, "crm", "users", "u")
        with pytest.raises(InvalidQuery, match=r"connection 'crn'\. Known: crm, erp"):
            await engine.search("zeppelin", connection_id="crn")
        with pytest.raises(InvalidQuery, match=r"called 'orders'\. Known: users"):
            await engine.search("zeppelin", connection_id="crm", entity="orders")
        with pytest.raises(InvalidQuery, match=r"called 'user'\. Known: users, orders"):
            await engine.search("zeppelin", entity="user")

    on(scenario)


def test_the_exact_name_comes_before_a_crawl_s_and_a_crawl_before_other_connections(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        async def found() -> str:
            (hit,) = await engine.search("zeppelin", mode="text", entity="docs")
            return hit.external_id

        await store(engine, "b", "CRAWL_docs", "b-crawl")
        await store(engine, "a", "CRAWL_docs", "a-crawl")
        assert await found() == "a-crawl"
        await store(engine, "SYSTEM", "CRAWL_docs", "crawl")
        assert await found() == "crawl"
        await store(engine, "z", "docs", "exact")
        assert await found() == "exact"

    on(scenario)


def test_a_hit_says_when_its_page_was_last_seen_and_when_it_changed(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        async def hit() -> Any:
            (found,) = await engine.search("zeppelin", mode="text")
            return found

        await engine.swap_pages(**SITE, pages=[page("A zeppelin", 1e9)])
        first = await hit()
        stored: Any = await engine.get_page(URL)
        assert first.fetched_at == datetime.fromtimestamp(1e9, UTC)
        assert first.changed_at == stored["changed_at"]
        await engine.swap_pages(**SITE, pages=[page("A zeppelin", 1.5e9)])
        again = await hit()
        assert (again.fetched_at.timestamp(), again.changed_at) == (1.5e9, first.changed_at)
        await engine.swap_pages(**SITE, pages=[page("Two zeppelins: zeppelin", 1.6e9)])
        changed = await hit()
        assert (changed.fetched_at.timestamp(), changed.changed_at > first.changed_at) == (1.6e9, True)
        assert set(changed.to_json()) == {
            "url", "anchor", "title", "headings", "markdown", "score", "external_id", "entity"
        }  # fmt: skip

    on(scenario)


def test_a_record_without_a_page_has_no_such_times(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await store(engine, "crm", "users", "u")
        (hit,) = await engine.search("zeppelin", mode="text")
        assert (hit.fetched_at, hit.changed_at) == (None, None)

    on(scenario)


def test_the_title_is_the_page_s_and_else_the_record_s(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        for metadata, title in [({"title": "Of the page"}, "Of the page"), ({}, "Of the record"), ({"title": 7}, "7")]:
            await engine.swap_pages(**SITE, pages=[page("zeppelin", 1e9, **metadata)])
            (hit,) = await engine.search("zeppelin", mode="text")
            assert hit.title == title

    on(scenario)
