"""One suite for every engine, in memory and in Postgres (promise E8); the order of hits is left out."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import pytest

from engine.embedders.fake import HashEmbedder
from engine.errors import EngineError, InvalidQuery, InvalidRecord
from engine.models import PageInput, RecordInput, SyncReport
from engine.protocols import Engine

pytestmark = pytest.mark.promise("E8")

OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
USERS: Mapping[str, str] = {"connection_id": "crm", "name": "users"}
SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}


def record(external_id: str, text: str | None = None, **data: object) -> RecordInput:
    made: RecordInput = {"external_id": external_id, "data": data}
    if text is not None:
        made["text"] = text
    return made


def changes(report: SyncReport) -> dict[str, int]:
    """What a write did to the records, without what it did not do."""
    counts = {name: getattr(report, name) for name in ("added", "updated", "moved", "unchanged", "deleted")}
    return {name: count for name, count in counts.items() if count}


# --- records ----------------------------------------------------------------------------------------------


def test_records_are_inserted_replaced_and_left_unchanged(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        first = await engine.sync_records(**USERS, records=[record("b", n=1, old=True), record("a", n=2)])
        assert changes(first) == {"added": 2}
        second = await engine.sync_records(**USERS, records=[record("a", n=2), record("b", n=3), record("c", n=4)])
        assert changes(second) == {"added": 1, "updated": 1, "unchanged": 1}
        # Replaced, not merged: `old` is gone.
        assert await engine.get_records(**USERS) == [
            {"external_id": "a", "data": {"n": 2}},
            {"external_id": "b", "data": {"n": 3}},
            {"external_id": "c", "data": {"n": 4}},
        ]

    on(scenario)


def test_records_that_are_not_sent_stay(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record("a"), record("b")])
        await engine.sync_records(**USERS, records=[record("c")])
        assert [found["external_id"] for found in await engine.get_records(**USERS)] == ["a", "b", "c"]

    on(scenario)


def test_an_empty_call_does_nothing(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        assert await engine.sync_records(**USERS, records=[]) == SyncReport()
        assert await engine.get_records(**USERS) == []
        assert await engine.delete_entity(**USERS) is False

    on(scenario)


@pytest.mark.parametrize("wrong", ["", "   ", "a\nb"])
@pytest.mark.parametrize("which", ["connection_id", "name"])
def test_a_name_that_is_empty_or_holds_control_characters_is_refused(on: With, which: str, wrong: str) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(InvalidRecord):
            await engine.sync_records(**{**USERS, which: wrong}, records=[])

    on(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        [record("a"), record("a")],
        [{"external_id": "", "data": {}}],
        [{"external_id": 3, "data": {}}],
        [{"data": {}}],
        [{"external_id": "a"}],
        [{"external_id": "a", "data": []}],
        [{"external_id": "a", "data": {"x": object()}}],
        [{"external_id": "a", "data": {}, "txt": "x"}],
        [{"external_id": "a", "data": {}, "text": 3}],
    ],
)
def test_a_malformed_record_is_refused_and_nothing_is_written(on: With, wrong: list[Any]) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(InvalidRecord):
            await engine.sync_records(**USERS, records=[record("good"), *wrong])
        assert await engine.get_records(**USERS) == []

    on(scenario)


def test_thousands_of_records_go_in_one_call(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        many = [record(f"{number:05}", n=number) for number in range(3_000)]
        assert changes(await engine.sync_records(**USERS, records=many)) == {"added": 3_000}
        assert changes(await engine.sync_records(**USERS, records=many)) == {"unchanged": 3_000}
        assert len(await engine.get_records(**USERS)) == 3_000

    on(scenario)


def test_entities_do_not_share_records(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        places = [("a", "x"), ("a", "y"), ("b", "x")]
        for number, (connection_id, name) in enumerate(places):
            await engine.sync_records(connection_id=connection_id, name=name, records=[record("id", n=number)])
        found = [await engine.get_records(connection_id=c, name=n) for c, n in places]
        assert found == [[{"external_id": "id", "data": {"n": number}}] for number in range(3)]

    on(scenario)


def test_an_entity_is_deleted_with_its_records_and_pages(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**SITE, records=[record("a")])
        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "text")])
        assert await engine.delete_entity(**SITE) is True
        assert await engine.get_records(**SITE) == []
        assert await engine.get_page("https://x.org/a") is None
        assert await engine.delete_entity(**SITE) is False

    on(scenario)


def test_external_ids_are_in_code_point_order_whatever_the_locale(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        ids = ["b", "a", "B", "_", "é", "a b", "a_chunk_10", "a_chunk_2", "\U0001f600", "\uffee"]
        await engine.sync_records(**USERS, records=[record(each) for each in ids])
        assert [found["external_id"] for found in await engine.get_records(**USERS)] == sorted(ids)

    on(scenario)


def test_data_comes_back_as_it_was_given(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        data: dict[str, Any] = {
            "text": "naïve \U0001f600 \\u0000 'quoted' %s {x}",
            "numbers": [0, -1, 1.5, 10**20, 2**53 + 1],
            "nested": {"a": [{"b": None}, True]},
            "": "empty key",
        }
        await engine.sync_records(**USERS, records=[{"external_id": "a", "data": data}])
        assert await engine.get_records(**USERS) == [{"external_id": "a", "data": data}]

    on(scenario)


def test_true_for_one_is_a_change(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        for value in (1, True, 1.0):
            assert (await engine.sync_records(**USERS, records=[record("a", n=value)])).unchanged == 0
            (found,) = await engine.get_records(**USERS)
            assert repr(found["data"]) == repr({"n": value})

    on(scenario)


def test_what_is_read_is_a_copy(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        given: dict[str, Any] = {"list": [1]}
        await engine.sync_records(**USERS, records=[{"external_id": "a", "data": given}])
        given["list"].append(2)
        for _ in range(2):
            (found,) = await engine.get_records(**USERS)
            data: Any = found["data"]
            assert data == {"list": [1]}
            data["list"].append(3)

    on(scenario)


# --- pages ------------------------------------------------------------------------------------------------


def page(url: str, *texts: str, **facts: Any) -> PageInput:
    """A page of one chunk a text."""
    chunks: list[RecordInput] = [
        {
            "external_id": f"{url}_chunk_{number}",
            "data": {"markdown": text},
            "embed_text": f"Breadcrumb\n{text}",
            "headings": ["Breadcrumb"],
            "position": number,
        }
        for number, text in enumerate(texts)
    ]
    title = facts.pop("title", "A page")
    return PageInput(
        url=url,
        records=chunks,
        markdown="\n\n".join(texts),
        metadata={"source_url": url, "title": title},
        content_hash="|".join(texts),
        fetched_at=1_700_000_000.0,
        **facts,
    )


SWAPS: Sequence[tuple[str, str, str, Mapping[str, int]]] = [
    ("the same again", "a b c", "a b c", {"unchanged": 3}),
    ("one added at the end", "a b", "a b c", {"unchanged": 2, "added": 1}),
    ("one added at the top", "a b", "x a b", {"moved": 2, "added": 1}),
    ("one edited in the middle", "a b c", "a x c", {"unchanged": 2, "updated": 1}),
    ("one taken out of the middle", "a b c", "a c", {"unchanged": 1, "moved": 1, "deleted": 1}),
    ("two swapped", "a b", "b a", {"moved": 2}),
    ("all of it new", "a b c", "x y", {"updated": 2, "deleted": 1}),
    ("emptied", "a b", "", {"deleted": 2}),
    ("filled", "", "a b", {"added": 2}),
    ("a repeated text loses one", "a a b", "a b", {"unchanged": 1, "moved": 1, "deleted": 1}),
    ("edited and moved", "a b", "x y a", {"moved": 1, "updated": 1, "added": 1}),
]


@pytest.mark.parametrize(("old", "new", "expected"), [swap[1:] for swap in SWAPS], ids=[swap[0] for swap in SWAPS])
def test_a_page_is_swapped_by_content_and_then_by_order(
    on: With, old: str, new: str, expected: Mapping[str, int]
) -> None:
    async def scenario(engine: Engine) -> None:
        url, other = "https://x.org/a", page("https://x.org/b", "a", "z")
        await engine.swap_pages(**SITE, pages=[page(url, *old.split()), other])
        assert changes(await engine.swap_pages(**SITE, pages=[page(url, *new.split())])) == expected
        found: list[Any] = await engine.get_records(**SITE)
        assert [each["data"]["markdown"] for each in found] == [*new.split(), "a", "z"]

    on(scenario)


def test_several_pages_are_swapped_together(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        pages = [page(f"https://x.org/{number}", f"text {number}") for number in range(5)]
        assert changes(await engine.swap_pages(**SITE, pages=pages)) == {"added": 5}
        assert changes(await engine.swap_pages(**SITE, pages=pages)) == {"unchanged": 5}

    on(scenario)


def test_a_page_or_an_external_id_given_twice_is_refused_and_nothing_is_written(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        one = page("https://x.org/a", "text")
        same_ids = PageInput(url="https://x.org/b", records=one.records)
        for pages in ([one, one], [one, same_ids]):
            with pytest.raises(InvalidRecord):
                await engine.swap_pages(**SITE, pages=pages)
        assert await engine.get_records(**SITE) == []
        assert await engine.get_page("https://x.org/a") is None

    on(scenario)


def test_a_stored_page_comes_back(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        anchors = [(0, "intro", 1, "Intro")]
        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "one", "two", title="Title", anchors=anchors)])
        found = await engine.get_page("https://x.org/a#intro")
        assert found is not None
        assert (found["url"], found["title"], found["markdown"]) == ("https://x.org/a", "Title", "one\n\ntwo")
        assert found["metadata"] == {"source_url": "https://x.org/a", "title": "Title"}
        assert (found["entity"], found["state"]) == (SITE["name"], "stored")
        assert found["anchors"] == [[0, "intro", 1, "Intro"]]
        fetched, changed = found["fetched_at"], found["changed_at"]
        assert isinstance(fetched, datetime)
        assert isinstance(changed, datetime)
        assert fetched.timestamp() == 1_700_000_000.0
        assert await engine.get_page("https://x.org/b") is None

    on(scenario)


def test_the_time_of_a_change_stays_while_the_content_does(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        async def changed() -> object:
            found = await engine.get_page("https://x.org/a")
            assert found is not None
            return found["changed_at"]

        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "one")])
        first = await changed()
        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "one")])
        assert await changed() == first
        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "two")])
        assert await changed() != first

    on(scenario)


@pytest.mark.parametrize("wrong", [{"metadata": {"x": object()}}, {"fetched_at": float("nan")}, {"fetched_at": 1e300}])
def test_a_page_that_cannot_be_stored_is_refused_before_anything_is_embedded(
    open_engine: OpenEngine, wrong: dict[str, Any]
) -> None:
    async def scenario() -> None:
        embedder, url = HashEmbedder(), "https://x.org/a"
        async with open_engine(embedder) as engine:
            bad = PageInput(**{"url": url, "records": page(url, "text").records, **wrong})
            with pytest.raises(InvalidRecord, match=url):
                await engine.swap_pages(**SITE, pages=[bad])
            assert await engine.swap_pages(**SITE, pages=[]) == SyncReport()
            assert await engine.sites() == []
            assert embedder.texts == 0

    asyncio.run(scenario())


def test_an_external_id_of_another_page_is_refused_and_both_pages_are_named(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        url = "https://x.org/a"
        await engine.swap_pages(**SITE, pages=[page(url, "one")])
        await engine.sync_records(**SITE, records=[record("free")])
        thief = PageInput(url="https://x.org/b", records=page(url, "two").records)
        with pytest.raises(InvalidRecord, match=r"https://x\.org/b belongs to the page https://x\.org/a"):
            await engine.swap_pages(**SITE, pages=[thief])
        with pytest.raises(InvalidRecord, match="belongs to a record without a page"):
            await engine.swap_pages(**SITE, pages=[PageInput(url="https://x.org/c", records=[record("free")])])
        assert [site["pages"] for site in await engine.sites()] == [1]
        assert len(await engine.get_records(**SITE)) == 2
        # Where the owner gives it up in the same swap, it is free.
        both = [PageInput(url=url, records=[], content_hash="none"), thief]
        assert changes(await engine.swap_pages(**SITE, pages=both)) == {"added": 1, "deleted": 1}

    on(scenario)


# --- embeddings -------------------------------------------------------------------------------------------


@pytest.mark.promise("E2")
def test_the_same_text_is_never_embedded_twice(open_engine: OpenEngine) -> None:
    async def scenario() -> None:
        embedder = HashEmbedder()
        url, other = "https://x.org/a", "https://x.org/b"

        async with open_engine(embedder) as engine:

            async def swap(*pages: PageInput) -> tuple[int, int]:
                before = embedder.texts
                report = await engine.swap_pages(**SITE, pages=pages)
                assert embedder.texts - before == report.computed
                return report.computed, report.reused

            assert await swap(page(url, "a", "b", "b")) == (2, 1)  # within one call
            assert await swap(page(url, "a", "b", "b")) == (0, 3)  # again
            assert await swap(page(url, "x", "a", "b")) == (1, 2)  # moved
            assert await swap(page(other, "a", "c")) == (1, 1)  # on another page
            assert await swap(page(url, "a")) == (0, 1)
            assert await swap(page(url, "a", "x")) == (0, 2)  # gone and come back
            await engine.delete_entity(**SITE)
            assert await swap(page(url, "a", "c")) == (0, 2)  # after the entity was deleted
            report = await engine.sync_records(**USERS, records=[record("r", "Breadcrumb\na"), record("s", n=1)])
            assert (report.computed, report.reused) == (0, 1)  # as a record; one without text needs none

    asyncio.run(scenario())


def test_what_was_embedded_is_told_batch_by_batch_and_billed_in_the_report(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        told: list[int] = []
        pages = [page("https://x.org/a", "one two", "three")]
        report = await engine.swap_pages(**SITE, pages=pages, on_embedded=told.append)
        assert (sum(told), report.computed, report.tokens) == (2, 2, 5)
        await engine.swap_pages(**SITE, pages=pages, on_embedded=told.append)
        assert sum(told) == 2

    on(scenario)


# --- crawls and sites -----------------------------------------------------------------------------------

CRAWL: Mapping[str, Any] = {**SITE, "start_url": "https://x.org/", "options": {"limit": None}}
FOUND = [(f"https://x.org/{name}", f"https://x.org/{name}?", depth) for depth, name in enumerate("abc")]


def test_a_ledger_hands_out_what_was_discovered_once_and_in_order(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        ledger = await engine.open_ledger(**CRAWL, run_id="r1")
        await ledger.discover([(url, address, 9) for url, address, _ in FOUND[:2]])
        await ledger.discover(FOUND)  # the way with the fewest links counts
        assert [found async for batch in ledger.known() for found in batch] == FOUND
        first = await ledger.take(1)
        assert [(page.url, page.address, page.depth, page.stored) for page in first] == [(*FOUND[0], False)]
        assert [page.url for page in await ledger.take(10, max_depth=1)] == ["https://x.org/b"]
        assert [page.url for page in await ledger.take(10)] == ["https://x.org/c"]
        assert await ledger.take(10) == []
        assert await ledger.waiting() == 3
        await ledger.end(finished=True)

    on(scenario)


def test_a_crawl_that_was_cut_off_is_gone_on_with_and_a_finished_one_begins_anew(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        async def run(run_id: str, **options: object) -> tuple[bool, int, int]:
            ledger = await engine.open_ledger(**{**CRAWL, "options": options}, run_id=run_id)
            await ledger.discover(FOUND)
            counts = ledger.resumed, await ledger.counted(), await ledger.waiting()
            for page_found in await ledger.take(1):
                await engine.swap_pages(**SITE, pages=[page(page_found.url, "text")])
            await ledger.end(finished=run_id == "r3")
            return counts

        assert await run("r1") == (False, 0, 3)
        assert await run("r2") == (True, 1, 2)
        assert await run("r3") == (True, 2, 1)
        assert await run("r4") == (False, 0, 3)
        assert await run("r5", limit=3) == (False, 0, 3)

    on(scenario)


def test_a_settled_address_is_done_and_what_is_stored_of_it_is_told(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        (url, _, _), (other, _, _), (third, _, _) = FOUND
        await engine.swap_pages(**SITE, pages=[page(url, "text", etag='"1"', links=[other], extractor="v1")])
        ledger = await engine.open_ledger(**CRAWL, run_id="r1")
        await ledger.discover(FOUND)
        taken = await ledger.take(3)
        assert (taken[0].stored, taken[0].etag, taken[0].content_hash) == (True, '"1"', "text")
        assert (taken[0].extractor, list(taken[0].links)) == ("v1", [other])
        assert [found.stored for found in taken] == [True, False, False]
        await ledger.settle(url, "unchanged", "304", {"etag": '"2"', "fetched_at": 1_800_000_000.0})
        await ledger.settle(other, "duplicate", "same content", {"alias_of": url})
        await ledger.settle(third, "failed", "timeout", {})
        assert (await ledger.waiting(), await ledger.counted()) == (0, 1)
        assert (await ledger.holder("text"), await ledger.holder("else")) == (url, None)
        await ledger.end(finished=True)
        states = [((await engine.get_page(each)) or {}).get("state") for each, _, _ in FOUND]
        assert states == ["stored", "duplicate", "failed"]
        stored: Any = await engine.get_page(url)
        assert (stored["reason"], stored["aliases"]) == ("304", [other])
        assert stored["fetched_at"].timestamp() == 1_800_000_000.0
        await engine.swap_pages(**SITE, pages=[page(url, "changed")])
        stored = await engine.get_page(url)
        assert stored["aliases"] == [other]

    on(scenario)


def test_an_entity_is_crawled_by_one_run_at_a_time(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        ledger = await engine.open_ledger(**CRAWL, run_id="r1")
        with pytest.raises(EngineError, match="being crawled"):
            await engine.open_ledger(**CRAWL, run_id="r2")
        await ledger.end(finished=False)
        again = await engine.open_ledger(**CRAWL, run_id="r2")
        assert again.resumed
        await again.end(finished=True)

    on(scenario)


def test_stored_pages_are_read_in_batches_and_by_their_chunk_settings(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        pages = [page(f"https://x.org/{n}", f"text {n}", chunk_settings="old" if n else "new") for n in range(4)]
        await engine.swap_pages(**SITE, pages=pages)
        seen: list[str] = []
        after = 0
        while rows := await engine.stored_pages(**SITE, other_than="new", after=after, count=2):
            assert len(rows) <= 2
            after = rows[-1]["id"]
            seen += [row["url"] for row in rows]
        assert seen == [each.url for each in pages[1:]]
        first = (await engine.stored_pages(**SITE))[0]
        assert {name: first[name] for name in ("markdown", "metadata", "content_hash", "fetched_at")} == {
            "markdown": "text 0",
            "metadata": pages[0].metadata,
            "content_hash": "text 0",
            "fetched_at": 1_700_000_000.0,
        }

    on(scenario)


def test_sites_and_status_count_what_is_stored(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        assert await engine.sites() == []
        ledger = await engine.open_ledger(**CRAWL, run_id="r1")
        await ledger.discover(FOUND)
        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "one", "two")])
        await engine.sync_records(**USERS, records=[record("u")])
        site, users = await engine.sites()
        assert (site["name"], site["start_url"], site["unfinished"]) == (SITE["name"], "https://x.org/", True)
        assert (site["pages"], site["records"], site["fetched_at"].timestamp()) == (1, 2, 1_700_000_000.0)
        assert (users["connection_id"], users["name"], users["start_url"]) == ("crm", "users", None)
        assert (users["pages"], users["records"], users["unfinished"]) == (0, 1, False)
        status = await engine.status()
        assert (status["entities"], status["pages"], status["records"]) == (2, 1, 3)
        assert status["embedder"] == await engine.check() == HashEmbedder().name
        await ledger.end(finished=True)

    on(scenario)


# --- search -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["text", "hybrid", "vector"])
def test_an_empty_store_has_no_hits(on: With, mode: Any) -> None:
    async def scenario(engine: Engine) -> None:
        assert await engine.search("anything", mode=mode) == []

    on(scenario)


@pytest.mark.parametrize(
    "asked", [{"query": ""}, {"query": "  \n"}, {"query": "a", "k": 0}, {"query": "a", "mode": "x"}]
)
def test_a_malformed_query_is_refused(on: With, asked: dict[str, Any]) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(InvalidQuery):
            await engine.search(**asked)

    on(scenario)


def test_the_only_record_with_the_word_is_found_with_its_place(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        url = "https://x.org/guide"
        chunk: RecordInput = {
            "external_id": f"{url}_chunk_0",
            "data": {"markdown": "Install the *zeppelin* first."},
            "embed_text": "Guide > Install\nInstall the zeppelin first.",
            "headings": ["Guide", "Install"],
            "anchor": "install",
            "position": 0,
        }
        guide = PageInput(url=url, records=[chunk], metadata={"source_url": url, "title": "The guide"})
        await engine.swap_pages(**SITE, pages=[guide, page("https://x.org/other", "balloons", "kites")])
        (hit,) = await engine.search("zeppelin", mode="text")
        assert (hit.url, hit.anchor, hit.title) == (url, "install", "The guide")
        assert (list(hit.headings), hit.markdown) == (["Guide", "Install"], "Install the *zeppelin* first.")
        assert (hit.external_id, hit.entity) == (f"{url}_chunk_0", SITE["name"])
        assert hit.score > 0
        for mode in ("hybrid", "vector"):
            assert hit.external_id in {found.external_id for found in await engine.search("zeppelin", mode=mode)}

    on(scenario)


@pytest.mark.parametrize(("k", "found"), [(1, 1), (2, 2), (4, 4), (100, 4)])
def test_a_search_gives_min_of_k_and_the_matches(on: With, k: int, found: int) -> None:
    async def scenario(engine: Engine) -> None:
        matching = [record(f"m{number}", f"zeppelin number {number}") for number in range(4)]
        await engine.sync_records(**USERS, records=[*matching, record("other", "balloons"), record("none", n=1)])
        hits = await engine.search("zeppelin", k=k, mode="text")
        assert len(hits) == found
        assert len({hit.external_id for hit in hits}) == found
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    on(scenario)


def test_a_search_keeps_to_its_entity_and_its_filter(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record("u1", "zeppelin", n=1), record("u2", "zeppelin", n=2)])
        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "zeppelin")])

        async def ids(**asked: Any) -> list[str]:
            return sorted(hit.external_id for hit in await engine.search("zeppelin", mode="text", **asked))

        assert await ids() == ["https://x.org/a_chunk_0", "u1", "u2"]
        assert await ids(entity="users") == ["u1", "u2"]
        assert await ids(entity="https://x.org") == ["https://x.org/a_chunk_0"]
        assert await ids(filter={"n": {"gt": 1}}) == ["u2"]
        assert await ids(entity="users", filter={"n": {"lt": 2}}) == ["u1"]
        assert await ids(filter={"n": 3}) == []
        with pytest.raises(InvalidQuery, match="nobody"):
            await ids(entity="nobody")

    on(scenario)


def test_a_record_is_found_by_what_it_says_now(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**USERS, records=[record("a", "zeppelin")])
        await engine.sync_records(**USERS, records=[record("a", "balloon")])
        assert await engine.search("zeppelin", mode="text") == []
        assert len(await engine.search("balloon", mode="text")) == 1
        await engine.sync_records(**USERS, records=[record("a", n=1)])
        assert await engine.search("balloon", mode="text") == []

    on(scenario)
