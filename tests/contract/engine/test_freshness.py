"""What a ledger knows of pages between crawls: which are due, which nothing names, with which options, on every
engine."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from engine.embedders.fake import HashEmbedder
from engine.models import PageInput, RetireReport
from engine.protocols import Engine, Ledger

OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
HOUR = 3_600.0
LONG_AGO = "Sat, 01 Jan 2000 00:00:00 GMT"


def url(name: str) -> str:
    return f"https://x.org/{name}"


def found(*names: str) -> list[tuple[str, str, int]]:
    return [(url(name), url(name), 1) for name in names]


def page(name: str, age: float = 0.0, **facts: Any) -> PageInput:
    """A page that was fetched `age` seconds ago."""
    return PageInput(
        url=url(name),
        records=[{"external_id": f"{url(name)}_chunk_0", "data": {"markdown": name}, "position": 0}],
        markdown=name,
        content_hash=name,
        fetched_at=time.time() - age,
        **{"extractor": "v1", "last_modified": LONG_AGO, **facts},
    )


async def begin(engine: Engine, run_id: str = "r", **options: object) -> Ledger:
    return await engine.open_ledger(**SITE, start_url=url(""), run_id=run_id, options=options)


async def first_crawl(engine: Engine, pages: Sequence[PageInput]) -> None:
    """A crawl in which something names each page, and all of them are stored."""
    ledger = await begin(engine)
    await ledger.discover([(each.url, each.url, 1) for each in pages])
    await engine.swap_pages(**SITE, pages=pages)
    await ledger.end(finished=True)


async def taken(ledger: Ledger) -> list[str]:
    return [known.url.removeprefix("https://x.org/") for known in await ledger.take(50)]


async def orphans(engine: Engine, names: str) -> str:
    """Which of these pages are marked."""
    rows = {name: await engine.get_page(url(name)) for name in names}
    return "".join(name for name, row in rows.items() if row is not None and row["orphan_since"] is not None)


@pytest.mark.promise("C9")
def test_a_refresh_takes_up_what_is_due_and_leaves_the_rest_alone(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        pages = [
            page("fresh"),
            page("old", 8 * 24 * HOUR),
            page("young", 2 * HOUR, last_modified=None),
            page("remade", extractor="v0"),
            page("failing"),
            page("gone"),
        ]
        await first_crawl(engine, pages)
        ledger = await begin(engine, run="second")
        await ledger.revisit(found("failing", "gone"))
        await ledger.settle(url("failing"), "failed", "timeout", {})
        await ledger.settle(url("gone"), "skipped", "404", {"gone": True})
        await ledger.discover(found("never"))
        await ledger.end(finished=True)

        ledger = await begin(engine, revisit="due")
        known = [entry async for batch in ledger.known() for entry in batch]
        await ledger.revisit(known, extractor="v1")
        assert await taken(ledger) == ["old", "young", "remade", "failing", "gone", "never"]
        assert (await ledger.waiting(), await ledger.counted(), await ledger.passed_over()) == (6, 0, 1)
        await ledger.settle(url("old"), "unchanged", "304", {"fetched_at": time.time()})
        assert (await ledger.waiting(), await ledger.counted()) == (5, 1)
        await ledger.end(finished=True)
        assert await engine.retire_pages(**SITE, prune=True) == RetireReport(pages=1, records=1)
        assert (await engine.get_page(url("fresh")) or {})["state"] == "stored"

        ledger = await begin(engine, "last", revisit="all")
        await ledger.revisit(known)
        assert len(await ledger.take(50)) == 7
        assert await ledger.passed_over() == 0
        await ledger.end(finished=True)

    on(scenario)


@pytest.mark.promise("C9", "C10")
def test_a_refresh_that_was_cut_off_goes_on_with_what_was_due(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await first_crawl(engine, [page("a"), page("b", 8 * 24 * HOUR), page("c", 8 * 24 * HOUR)])
        for run_id, left in (("r1", "bc"), ("r2", "c")):
            ledger = await begin(engine, run_id, revisit="due")
            assert ledger.resumed == (run_id == "r2")
            await ledger.revisit(found(*"abc"), extractor="v1")
            assert await taken(ledger) == list(left)
            assert await ledger.passed_over() == 1
            await engine.swap_pages(**SITE, pages=[page(left[0])])
            await ledger.end(finished=False)

    on(scenario)


@pytest.mark.promise("C3", "C9")
def test_a_page_that_a_list_says_changed_since_is_due_after_all(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        now = time.time()
        await first_crawl(engine, [page("a", HOUR / 2), page("b", HOUR / 2), page("c", HOUR / 2)])
        ledger = await begin(engine, revisit="due")
        await ledger.revisit(found(*"abc"), extractor="v1")
        assert await taken(ledger) == []
        listed = {url("a"): now - HOUR, url("b"): now - HOUR / 4}
        await ledger.discover(found(*"abc"), listed=listed)
        assert await taken(ledger) == ["b"]
        assert (await ledger.waiting(), await ledger.passed_over()) == (1, 2)
        await ledger.end(finished=True)
        # What the list said is remembered: the page was not had meanwhile.
        ledger = await begin(engine, "next", revisit="due")
        await ledger.revisit(found(*"abc"), extractor="v1")
        assert await taken(ledger) == ["b"]
        await engine.swap_pages(**SITE, pages=[page("b")])
        await ledger.discover(found(*"abc"), listed=listed)
        assert await taken(ledger) == []
        await ledger.end(finished=True)

    on(scenario)


@pytest.mark.promise("E3")
def test_a_stored_page_that_nothing_names_is_marked_until_something_does(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await first_crawl(engine, [page(name) for name in "abcd"])
        ledger = await begin(engine)
        await ledger.revisit(found(*"abc"))  # d is out of this crawl's scope
        await ledger.discover(found("a"))
        for name in "abc":
            await ledger.settle(url(name), "unchanged", "304", {})
        assert await orphans(engine, "abcd") == ""
        assert await ledger.mark_orphans() == 2
        assert await orphans(engine, "abcd") == "bc"
        await ledger.end(finished=True)
        since = (await engine.get_page(url("c")) or {})["orphan_since"]

        ledger = await begin(engine, "cut", step=3)
        await ledger.revisit(found(*"abcd"))
        await ledger.discover(found("a"))
        await ledger.end(finished=False)
        ledger = await begin(engine, "resumed", step=3)
        await ledger.revisit(found(*"abcd"))
        await ledger.discover(found("b"))
        assert await orphans(engine, "abcd") == "c", "a link is evidence at once"
        for name in "abc":
            await ledger.settle(url(name), "unchanged", "304", {})
        await ledger.settle(url("d"), "failed", "timeout", {})
        assert await ledger.mark_orphans() == 1, "of d, nobody knows whether it is alive"
        assert await orphans(engine, "abcd") == "c"
        assert (await engine.get_page(url("c")) or {})["orphan_since"] == since
        await ledger.end(finished=True)

    on(scenario)


@pytest.mark.promise("E2", "E3")
def test_a_page_that_was_gone_is_known_as_such_until_it_is_stored_again(open_engine: OpenEngine) -> None:
    async def scenario() -> None:
        embedder = HashEmbedder()
        async with open_engine(embedder) as engine:
            await first_crawl(engine, [page("a"), page("b"), page("c")])
            ledger = await begin(engine)
            await ledger.revisit(found(*"abc"))
            await ledger.settle(url("b"), "skipped", "404", {"gone": True})
            await ledger.end(finished=True)
            await engine.retire_pages(**SITE)
            embedded = embedder.texts

            ledger = await begin(engine, "back")
            await ledger.revisit(found(*"abc"))
            assert [(known.gone, known.stored) for known in await ledger.take(5)] == [
                (False, True), (True, False), (False, True),
            ]  # fmt: skip
            await engine.swap_pages(**SITE, pages=[page("b")])
            await ledger.end(finished=True)
            assert embedder.texts == embedded

            ledger = await begin(engine, "after")
            await ledger.revisit(found(*"abc"))
            assert not any(known.gone for known in await ledger.take(5))
            await ledger.end(finished=True)

    asyncio.run(scenario())


@pytest.mark.promise("C9")
def test_links_that_changed_on_an_unchanged_page_are_kept(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await first_crawl(engine, [page("a", links=[url("old")])])
        for facts, links in (({}, ["old"]), ({"links": (url("new"),)}, ["new"]), ({"links": ()}, [])):
            ledger = await begin(engine, repr(links))
            await ledger.revisit(found("a"))
            await ledger.settle(url("a"), "unchanged", "the same", facts)
            await ledger.end(finished=True)
            (row,) = await engine.stored_pages(**SITE)
            assert row["links"] == [url(name) for name in links]

    on(scenario)


@pytest.mark.promise("C9")
def test_metadata_that_changed_on_an_unchanged_page_is_kept(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await first_crawl(engine, [page("a", metadata={"title": "A", "description": "old"})])
        new = {"title": "A", "description": "new"}
        for facts, description in (({}, "old"), ({"metadata": new}, "new"), ({}, "new")):
            ledger = await begin(engine, description)
            await ledger.revisit(found("a"))
            await ledger.settle(url("a"), "unchanged", "the same", facts)
            await ledger.end(finished=True)
            (row,) = await engine.stored_pages(**SITE)
            assert row["metadata"] == {"title": "A", "description": description}

    on(scenario)


@pytest.mark.promise("C10")
def test_the_options_of_the_last_crawl_are_kept_and_its_end_is_told(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        async def run(finished: bool, **options: object) -> tuple[bool, object, bool]:
            """One run: whether it went on with the one before, then what is told of the site."""
            ledger = await engine.open_ledger(
                **SITE, start_url=url(""), run_id="r", options=options, incidental=["concurrency"]
            )
            await ledger.end(finished=finished)
            (site,) = await engine.sites()
            return ledger.resumed, site["options"], site["unfinished"]

        await engine.create_entity(**SITE)
        (site,) = await engine.sites()
        assert (site["options"], site["unfinished"]) == (None, False)
        assert await run(False, limit=3, concurrency=8) == (False, {"limit": 3, "concurrency": 8}, True)
        assert await run(False, limit=3, concurrency=1) == (True, {"limit": 3, "concurrency": 1}, True)
        assert await run(True, limit=3) == (True, {"limit": 3}, False)
        assert await run(True, limit=3) == (False, {"limit": 3}, False)
        assert await run(False, limit=4) == (False, {"limit": 4}, True)
        assert await run(False, limit=5) == (False, {"limit": 5}, True)

    on(scenario)
