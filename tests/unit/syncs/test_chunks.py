"""A crawled page as a page of records, and the storing half of a crawl over the engine's fake."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from engine import MockEngine, PageInput, StoreUnavailable, SyncReport
from ingest import Anchor, CrawledPage
from syncs.crawl.chunks import chunk_page, chunk_settings, records_of
from syncs.crawl.models import SiteCrawlIn
from syncs.crawl.store import CONNECTION, MOST_PAGES, PageStore, rechunk
from syncs.crawl.tally import Tally

URL = "https://docs.example.org/guide/login"
MARKDOWN = "# Login\n\nHow to log in.\n\n## Tokens\n\n```python\nlogin('me')\n```\n\nA token is kept.\n"
PAGE = CrawledPage(
    url=URL,
    markdown=MARKDOWN,
    anchors=(Anchor(0, "login", 1, "Login"), Anchor(MARKDOWN.index("## Tokens"), "tokens", 2, "Tokens")),
    title="Login",
    language="en",
    links=("https://docs.example.org/guide/",),
    depth=2,
    etag='"v1"',
    content_hash="abc",
    extractor="1",
    fetched_at=1.5,
)


def test_a_page_keeps_its_facts_and_its_chunks_are_records() -> None:
    page = chunk_page(PAGE, 8190, 16)
    assert (page.url, page.markdown, page.metadata) == (URL, MARKDOWN, PAGE.metadata)
    assert (page.etag, page.content_hash, page.extractor, page.depth) == ('"v1"', "abc", "1", 2)
    assert page.anchors == [(0, "login", 1, "Login"), (MARKDOWN.index("## Tokens"), "tokens", 2, "Tokens")]
    assert page.chunk_settings == chunk_settings(8190, 16)
    assert [record["external_id"] for record in page.records] == [f"{URL}_chunk_{n}" for n in range(len(page.records))]
    last = page.records[-1]
    assert (last["anchor"], list(last["headings"])) == ("tokens", ["Login", "Tokens"])
    assert set(last["data"]) == {"markdown", "source_url", "title", "languages", "tokens"}
    assert (last["data"]["source_url"], last["data"]["title"]) == (URL, "Login")
    start, end = last["span"]
    assert MARKDOWN[start:end].strip() == last["data"]["markdown"].strip()
    assert any(record["data"]["languages"] == ["python"] for record in page.records)


def test_a_chunk_of_small_sections_names_what_each_of_them_defines() -> None:
    markdown = "# Paths\n\n`join(a, b)`\n\nJoins.\n\n`split(a)`\n\nSplits.\n"
    anchors = [
        (0, "paths", 1, "Paths"),
        (markdown.index("`join"), "join", None, "join(a, b)"),
        (markdown.index("`split"), "split", None, "split(a)"),
    ]
    (record,) = records_of("https://x.org/p", markdown, {"title": "Paths"}, anchors, 8190, 400)
    assert list(record["headings"]) == ["Paths"]
    assert list(record["terms"]) == ["join(a, b)", "split(a)"]


def test_a_list_of_links_weighs_less_than_prose_with_links() -> None:
    listed = "\n".join(f"- [Section number {n}](https://x.org/{n})" for n in range(20))
    prose = "How to open a file is told in [another place](https://x.org/files), at some length and with care."
    weights = [
        records_of("https://x.org/p", text, {"title": "T"}, [], 8190, 400)[0]["weight"] for text in (listed, prose)
    ]
    assert weights == [0.4, 1.0]


def test_records_are_json_and_the_same_every_time() -> None:
    page = chunk_page(PAGE, 8190, 400)
    assert page == chunk_page(PAGE, 8190, 400)
    assert json.loads(json.dumps([record["data"] for record in page.records]))


def test_chunk_settings_differ_where_the_chunks_could() -> None:
    assert len({chunk_settings(8190, 400), chunk_settings(8190, 64), chunk_settings(512, 400)}) == 3
    assert chunk_settings(8190, 400) == chunk_settings(8190, 400)


@pytest.mark.parametrize(
    ("markdown", "weight"),
    [
        ("Plain text, without any link.", 1.0),
        ("Read [this](/a) first, and then the other four chapters.", 1.0),
        ("- [One](/a)\n- [Two](/b)\n- [Three \\[3\\]](/c)", 0.4),
        ("...", 1.0),
    ],
)
def test_a_list_of_links_weighs_less_than_text(markdown: str, weight: float) -> None:
    (record,) = records_of(URL, markdown, {}, [], 8190, 400)
    assert record["weight"] == pytest.approx(weight, abs=0.02)


def asked(**options: Any) -> SiteCrawlIn:
    return SiteCrawlIn(url=URL, **options)


def pages(count: int) -> list[CrawledPage]:
    return [CrawledPage(f"{URL}/{n}", f"# Page {n}\n\nText.", content_hash=str(n)) for n in range(count)]


class Watched(MockEngine):
    """Notes how many pages each swap brings."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    async def swap_pages(self, *, pages: Sequence[PageInput], **rest: Any) -> SyncReport:
        self.batches.append(len(pages))
        return await super().swap_pages(pages=pages, **rest)


async def store(engine: MockEngine, given: Sequence[CrawledPage], tally: Tally, **options: Any) -> None:
    async with PageStore(engine, "site", asked(**options), tally, None) as pages:
        for page in given:
            tally.take(page)
            await pages.add(page)


def test_pages_are_stored_in_batches_and_counted_once_they_are() -> None:
    engine, tally = Watched(), Tally()
    asyncio.run(store(engine, pages(50), tally))
    assert (sum(engine.batches), tally.stored) == (50, 50)
    assert max(engine.batches) <= MOST_PAGES


def test_what_storing_raises_ends_the_crawl() -> None:
    class Away(MockEngine):
        async def swap_pages(self, **rest: Any) -> SyncReport:
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable, match="away"):
        asyncio.run(store(Away(), pages(200), Tally()))
    with pytest.raises(StoreUnavailable, match="away"):
        asyncio.run(store(Away(), pages(1), Tally()))


@pytest.mark.parametrize("count", [1, 200])
def test_a_cancelled_store_leaves_no_task_behind(count: int) -> None:
    class Stuck(MockEngine):
        async def swap_pages(self, **rest: Any) -> SyncReport:
            reached.set()
            await asyncio.Event().wait()
            raise AssertionError("it was cancelled before")

    reached = asyncio.Event()

    async def main() -> None:
        task = asyncio.create_task(store(Stuck(), pages(count), Tally()))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_stored_pages_are_chunked_again_as_a_fresh_crawl_would() -> None:
    async def main() -> None:
        engine, again, fresh = MockEngine(), Tally(), MockEngine()
        await store(engine, [PAGE, *pages(20)], Tally())
        await rechunk(engine, "site", asked(target_size=16), again)
        await store(fresh, [PAGE, *pages(20)], Tally(), target_size=16)
        of = {"connection_id": CONNECTION, "name": "site"}
        assert await engine.get_records(**of) == await fresh.get_records(**of)
        assert (again.stored, again.counters()["chunks"] > 0) == (0, True)
        twice = Tally()
        await rechunk(engine, "site", asked(target_size=16), twice)
        assert twice.counters()["chunks"] == 0

    asyncio.run(main())
