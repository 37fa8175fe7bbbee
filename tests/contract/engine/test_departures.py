"""When pages leave the store, and how they come back (promise E3), on every engine."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from engine.embedders.fake import HashEmbedder
from engine.models import PageInput, RetireReport
from engine.protocols import Engine

OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]

pytestmark = pytest.mark.promise("E3")

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
GONE: Mapping[str, object] = {"gone": True}


def url(name: str) -> str:
    return f"https://x.org/{name}"


def page(name: str) -> PageInput:
    """A page of two chunks that both say its name."""
    texts = [f"{name} is told here", f"more of {name}"]
    return PageInput(
        url=url(name),
        records=[
            {"external_id": f"{url(name)}_chunk_{number}", "data": {"markdown": text}, "position": number}
            for number, text in enumerate(texts)
        ],
        markdown="\n\n".join(texts),
        content_hash=name,
        etag=f'"{name}"',
        fetched_at=1_700_000_000.0,
    )


async def crawl(
    engine: Engine, *, store: Sequence[str] = (), settle: Mapping[str, tuple[str, Mapping[str, object]]] | None = None
) -> None:
    """One crawl: it stores pages, and settles others by outcome and facts."""
    visits = settle or {}
    ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={})
    await ledger.discover([(url(name), url(name), 1) for name in (*store, *visits)])
    await engine.swap_pages(**SITE, pages=[page(name) for name in store])
    for name, (outcome, facts) in visits.items():
        await ledger.settle(url(name), outcome, "said so", facts)
    await ledger.end(finished=True)


async def found(engine: Engine) -> set[str]:
    """The pages that search finds."""
    return {hit.url.removeprefix("https://x.org/") for hit in await engine.search("told here", k=50, mode="text")}


def test_a_page_that_is_gone_leaves_with_its_records_and_the_others_stay(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await crawl(engine, store=["a", "b", "c"])
        await crawl(engine, settle={"b": ("skipped", GONE), "a": ("unchanged", {}), "c": ("failed", {})})
        assert await found(engine) == {"a", "b", "c"}, "until the crawl is over"
        assert await engine.retire_pages(**SITE) == RetireReport(pages=1, records=2)
        assert await found(engine) == {"a", "c"}
        gone = await engine.get_page(url("b"))
        assert gone is not None
        assert (gone["state"], gone["reason"], gone["markdown"]) == ("gone", "said so", None)
        assert gone["missing_since"] is not None
        (site,) = await engine.sites()
        assert (site["pages"], site["records"]) == (2, 4)
        assert [row["url"] for row in await engine.stored_pages(**SITE)] == [url("a"), url("c")]
        assert await engine.retire_pages(**SITE) == RetireReport()

    on(scenario)


@pytest.mark.parametrize("outcome", ["failed", "quarantined", "skipped", "unchanged"])
def test_without_evidence_a_page_stays(on: With, outcome: str) -> None:
    async def scenario(engine: Engine) -> None:
        await crawl(engine, store=["a", "b"])
        await crawl(engine, settle={"a": (outcome, {})})
        assert await engine.retire_pages(**SITE) == RetireReport()
        assert await found(engine) == {"a", "b"}

    on(scenario)


def test_a_page_that_comes_back_before_the_end_stays_and_one_that_only_fails_does_not_come_back(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await crawl(engine, store=["a", "b", "c", "d", "e", "f"])
        gone = dict.fromkeys("abc", ("skipped", GONE))
        await crawl(engine, settle=gone)
        await crawl(engine, store=["a"], settle={"b": ("unchanged", {}), "c": ("failed", {})})
        assert await engine.retire_pages(**SITE) == RetireReport(pages=1, records=2)
        assert await found(engine) == {"a", "b", "d", "e", "f"}

    on(scenario)


@pytest.mark.promise("E2")
def test_a_page_that_comes_back_is_stored_anew_without_an_embedding(open_engine: OpenEngine) -> None:
    async def scenario() -> None:
        embedder = HashEmbedder()
        async with open_engine(embedder) as engine:
            await crawl(engine, store=["a", "b"])
            await crawl(engine, settle={"b": ("skipped", GONE)})
            await engine.retire_pages(**SITE)
            before = embedder.texts
            ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="next", options={})
            await ledger.discover([(url("b"), url("b"), 1)])
            (known,) = await ledger.take(5)
            assert (known.stored, known.etag, known.content_hash) == (False, None, None), "a 304 must not be asked for"
            assert await ledger.holder("b") is None
            await engine.swap_pages(**SITE, pages=[page("b")])
            await ledger.end(finished=True)
            assert await engine.retire_pages(**SITE) == RetireReport()
            assert await found(engine) == {"a", "b"}
            assert embedder.texts == before
            back = await engine.get_page(url("b"))
            assert back is not None
            assert (back["state"], back["missing_since"]) == ("stored", None)

    asyncio.run(scenario())


def test_more_than_a_set_share_never_leaves_at_once(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await crawl(engine, store=["a", "b", "c", "d"])
        await crawl(engine, settle=dict.fromkeys("abc", ("skipped", GONE)))
        assert await engine.retire_pages(**SITE) == RetireReport(refused=3)
        assert await found(engine) == {"a", "b", "c", "d"}
        assert await engine.retire_pages(**SITE, most=0.75) == RetireReport(pages=3, records=6)
        assert await found(engine) == {"d"}

    on(scenario)


def test_what_a_crawl_had_nothing_to_do_with_leaves_only_when_pruned(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await crawl(engine, store=["a", "b"])
        await crawl(engine, store=["a"])
        assert await engine.retire_pages(**SITE) == RetireReport()
        assert await engine.retire_pages(**SITE, prune=True) == RetireReport(pages=1, records=2)
        assert await found(engine) == {"a"}

    on(scenario)


def test_the_row_of_a_gone_page_is_forgotten_after_its_grace(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await crawl(engine, store=["a", "b"])
        await crawl(engine, settle={"b": ("skipped", GONE), "never-stored": ("skipped", GONE)})
        await engine.retire_pages(**SITE)
        assert (await engine.get_page(url("b")) or {})["state"] == "gone"
        assert (await engine.get_page(url("never-stored")) or {})["state"] == "gone"
        await engine.retire_pages(**SITE, grace=-1)
        assert await engine.get_page(url("b")) is None
        assert await engine.get_page(url("never-stored")) is None
        assert (await engine.get_page(url("a")) or {})["state"] == "stored"

    on(scenario)
