"""The storing half of a crawl: pages come in one by one, are chunked, and are swapped in by batches."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from types import TracebackType

from engine import PageInput
from engine.protocols import Engine
from ingest import CrawledPage
from syncs.crawl.chunks import chunk_page, chunk_settings, records_of
from syncs.crawl.models import SiteCrawlIn
from syncs.crawl.tally import Tally
from syncs.telemetry import batch_span

__all__ = ["PageStore", "rechunk"]

CONNECTION = "SYSTEM"
MOST_PAGES = 16  # in one transaction
MOST_RECORDS = 1_000


class PageStore:
    """Stores pages beside the crawl that yields them; the crawl waits when storing falls behind."""

    def __init__(
        self, engine: Engine, entity: str, asked: SiteCrawlIn, tally: Tally, executor: Executor | None
    ) -> None:
        self._engine = engine
        self._entity = entity
        self._asked = asked
        self._tally = tally
        self._executor = executor
        self._pages: asyncio.Queue[CrawledPage | None] = asyncio.Queue(maxsize=2 * MOST_PAGES)
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "PageStore":
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._writer is not None, "entered before"
        try:
            if error is None:
                await self._hand_over(None)
                await self._writer
        finally:
            # Without effect where it is done. Pages that were not stored are fetched again by the next run.
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)

    async def add(self, page: CrawledPage) -> None:
        """Hand a page over. Raises what storing an earlier page raised."""
        await self._hand_over(page)

    async def _hand_over(self, page: CrawledPage | None) -> None:
        assert self._writer is not None, "entered before"
        put = asyncio.create_task(self._pages.put(page))
        try:
            await asyncio.wait({put, self._writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            put.cancel()  # without effect where it is done
        if self._writer.done():
            self._writer.result()

    async def _write(self) -> None:
        last = False
        while not last:
            page = await self._pages.get()
            batch: list[PageInput] = []
            while page is not None:
                batch.append(await self._chunked(page))
                full = len(batch) >= MOST_PAGES or sum(len(item.records) for item in batch) >= MOST_RECORDS
                if full or self._pages.empty():
                    break
                page = self._pages.get_nowait()
            last = page is None
            if batch:
                await swap(self._engine, self._entity, batch, self._tally, self._asked.max_cost)

    async def _chunked(self, page: CrawledPage) -> PageInput:
        asked = self._asked
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, chunk_page, page, asked.max_size, asked.target_size
        )


async def swap(
    engine: Engine, entity: str, pages: Sequence[PageInput], tally: Tally, max_cost: float | None, *, count: bool = True
) -> None:
    """Swap pages in one transaction, and count what that did. `max_cost` is the whole crawl's."""
    left = None if max_cost is None else max_cost - tally.cost_usd
    with batch_span(entity, len(pages), sum(len(page.records) for page in pages)):
        report = await engine.swap_pages(
            connection_id=CONNECTION, name=entity, pages=pages, max_cost=left, on_embedded=tally.count_embedded
        )
    tally.wrote(pages if count else (), report)


async def rechunk(engine: Engine, entity: str, asked: SiteCrawlIn, tally: Tally) -> None:
    """Chunk stored pages anew that were chunked with other settings: from what is stored, without a fetch."""
    settings = chunk_settings(asked.max_size, asked.target_size)
    after = 0
    while rows := await engine.stored_pages(
        connection_id=CONNECTION, name=entity, other_than=settings, after=after, count=MOST_PAGES
    ):
        after = rows[-1]["id"]
        pages = []
        for row in rows:
            anchors = [(int(place), str(name), level, str(term)) for place, name, level, term in row.pop("anchors")]
            records = await asyncio.to_thread(
                records_of,
                row["url"],
                row["markdown"],
                row["metadata"],
                anchors,
                asked.max_size,
                asked.target_size,
            )
            del row["id"]
            pages.append(PageInput(**{**row, "anchors": anchors, "records": records, "chunk_settings": settings}))
        await swap(engine, entity, pages, tally, asked.max_cost, count=False)
