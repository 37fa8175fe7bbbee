"""`site_crawl`: crawl a website, turn its pages into chunks, and store them. The path on one screen."""

import asyncio
from concurrent.futures import Executor
from contextlib import aclosing

import ingest
from engine.errors import CostCeiling
from engine.protocols import Engine, Ledger
from syncs.context import SyncContext
from syncs.crawl.models import CrawlData, CrawlReport, CrawlStatus, SiteCrawlIn, SiteCrawlOut
from syncs.crawl.report_file import ReportFile, open_report
from syncs.crawl.store import CONNECTION, PageStore, rechunk
from syncs.crawl.tally import Tally
from syncs.crawl.workers import open_executor
from syncs.sync import create_sync

__all__ = ["CrawlInterrupted", "entity_name", "site_crawl"]

MOST_FAILURES = 5  # texts that were not embedded, named in the notes

# What is of this run and not kept for the next, and what is kept but does not make it another crawl.
_OF_THE_RUN = frozenset({"return_pages", "name", "local", "prune", "max_gone", "plan", "report_file"})
_INCIDENTAL = ("concurrency", "max_cost")


class CrawlInterrupted(asyncio.CancelledError):
    """The crawl was cancelled; `report` says what was done, all of which is kept."""

    def __init__(self, report: CrawlReport) -> None:
        super().__init__("the crawl was interrupted; what is done is kept")
        self.report = report


def entity_name(asked: SiteCrawlIn) -> str:
    """The entity that a crawl is stored in: its `name`, else CRAWL_ and the start URL's normal form."""
    return asked.name or f"CRAWL_{ingest.site_url(asked.url)}"


async def execute(ctx: SyncContext[SiteCrawlIn]) -> SiteCrawlOut:
    """Crawl, chunk, store; then bring the indexes up to date."""
    asked, engine = ctx.context, ctx.engine
    if not asked.local and ingest.site_url(asked.url).startswith("file:"):
        raise ingest.BadInput(f"{asked.url} is a folder or file of this machine; say local=True if that is meant")
    ingest.check_scope(asked.url, asked.path_regex, asked.include, asked.exclude)
    ingest.find_browser(asked.render)
    with open_report(asked.report_file) as file:
        if not asked.plan:
            return await _run(_Crawl(ctx, engine, file))
        async with engine.rehearse() as rehearsal:
            return await _run(_Crawl(ctx, rehearsal, file))


async def _run(crawl: "_Crawl") -> SiteCrawlOut:
    asked, engine = crawl.ctx.context, crawl.engine
    try:
        # Where pages are stored, the embedder has worked before, and this run may need nothing of it.
        stored = await engine.stored_pages(connection_id=CONNECTION, name=crawl.entity, count=1)
        await engine.check(max_cost=asked.max_cost, ask=not stored)
        finished = await _fill(crawl)
        await engine.optimize(on_progress=crawl.ctx.progress)
        report = await crawl.report()
        await crawl.end(finished=finished)
        crawl.write(report)
    except asyncio.CancelledError:
        report = await crawl.report("interrupted")
        crawl.write(report)
        raise CrawlInterrupted(report) from None
    finally:
        await crawl.end(finished=False)
    if report.status == "failed" or asked.plan:
        return SiteCrawlOut(success=report.status != "failed", crawl_data=[], entity_type="", report=report)
    pages = await _pages(engine, crawl.entity) if asked.return_pages == "all" else []
    return SiteCrawlOut(success=True, crawl_data=pages, entity_type=crawl.entity, report=report)


async def _fill(crawl: "_Crawl") -> bool:
    """Everything that changes the store; False where the ceiling on the cost cut it off."""
    asked, engine, tally = crawl.ctx.context, crawl.engine, crawl.tally
    try:
        with open_executor() as executor:
            await _stream(crawl, executor)
        await rechunk(engine, crawl.entity, asked, tally)
    except CostCeiling as ceiling:
        tally.stopped(ceiling)
    else:
        tally.retired(
            await engine.retire_pages(
                connection_id=CONNECTION, name=crawl.entity, most=asked.max_gone, prune=asked.prune
            )
        )
        await crawl.mark_orphans()
    if tally.failed:
        tally.set_aside(await engine.embed_failures(connection_id=CONNECTION, name=crawl.entity, limit=MOST_FAILURES))
    return not tally.cut_off


class _Crawl:
    """One run of the sync: its ledger, once the start page was found crawlable, and its tally."""

    def __init__(self, ctx: SyncContext[SiteCrawlIn], engine: Engine, file: ReportFile | None = None) -> None:
        self.ctx = ctx
        self.engine = engine
        self.entity = entity_name(ctx.context)
        self.tally = Tally(None if file is None else file.add)
        self._file = file
        self._ledger: Ledger | None = None
        self._before = 0  # pages that the interrupted run, which this one goes on with, had done

    async def open_ledger(self) -> ingest.PageLedger:
        """Begin, or go on with a crawl of the same options that was cut off."""
        asked = self.ctx.context
        ledger = await self.engine.open_ledger(
            connection_id=CONNECTION,
            name=self.entity,
            start_url=ingest.site_url(asked.url),
            run_id=self.ctx.run_id,
            options=asked.model_dump(exclude=set(_OF_THE_RUN), mode="json"),
            incidental=_INCIDENTAL,
        )
        self._ledger = ledger
        self._before = await ledger.counted()
        if ledger.resumed:
            self.ctx.progress(f"going on with the crawl that was cut off: {self._before} pages are done")
        return ledger

    async def report(self, status: CrawlStatus | None = None) -> CrawlReport:
        """What was done, once nothing more is written."""
        self.tally.unwritten()
        waiting = await self._ledger.waiting() if self._ledger is not None else 0
        not_due = await self._ledger.passed_over() if self._ledger is not None else 0
        status = status or self._status(waiting, not_due)
        report = self.tally.report(
            run_id=self.ctx.run_id, entity=self.entity, status=status, waiting=waiting, not_due=not_due
        )
        return report.model_copy(update={"planned": self.ctx.context.plan})

    def write(self, report: CrawlReport) -> None:
        """Finish the report's file, if there is to be one."""
        if self._file is not None:
            self._file.finish(report)

    async def mark_orphans(self) -> None:
        """Mark the pages that nothing names, where every page was visited."""
        if self._ledger is None or self.ctx.context.revisit == "due":
            return
        if self._status(await self._ledger.waiting()) == "complete":
            self.tally.orphaned(await self._ledger.mark_orphans())

    async def end(self, *, finished: bool) -> None:
        """Let go of the ledger, once."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            await ledger.end(finished=finished)

    def _status(self, waiting: int, not_due: int = 0) -> CrawlStatus:
        asked = self.ctx.context
        if not self.tally.usable and not self._before and not not_due:
            return "failed"
        if self.tally.transient or self.tally.incomplete:
            return "partial"
        return "limited" if waiting and (asked.limit is not None or asked.max_depth is not None) else "complete"


async def _stream(crawl: _Crawl, executor: Executor | None) -> None:
    ctx, asked, tally = crawl.ctx, crawl.ctx.context, crawl.tally
    pages = ingest.crawl(
        asked.url,
        path_regex=asked.path_regex,
        limit=asked.limit,
        include=asked.include,
        exclude=asked.exclude,
        max_depth=asked.max_depth,
        subdomains=asked.subdomains,
        ignore_query=asked.ignore_query,
        discover=asked.discover,
        prefer=asked.prefer,
        concurrency=asked.concurrency,
        render=asked.render,
        robots=asked.robots,
        revisit=asked.revisit,
        open_ledger=crawl.open_ledger,
        executor=executor,
        content_selector=asked.content_selector,
        remove_selector=asked.remove_selector,
    )
    async with PageStore(crawl.engine, crawl.entity, asked, tally, executor) as store, aclosing(pages):
        async for page in pages:
            tally.take(page)
            if page.visit.source == "start":
                tally.began_at(page.url, ingest.site_url(asked.url))
            if isinstance(page, ingest.CrawledPage):
                await store.add(page)
            ctx.progress(page.url, **tally.counters())
    ctx.progress("stored", **tally.counters())


async def _pages(engine: Engine, entity: str) -> list[CrawlData]:
    """Every stored page, unchanged ones included: the caller asked for all of them in memory."""
    found: list[CrawlData] = []
    after = 0
    while rows := await engine.stored_pages(connection_id=CONNECTION, name=entity, after=after):
        after = rows[-1]["id"]
        found += [CrawlData(markdown=row["markdown"], metadata=row["metadata"]) for row in rows]
    return found


site_crawl = create_sync(
    id="site-crawl-sync",
    label="Site Crawl Sync",
    description="Crawl a website, extract its pages as markdown, and store their chunks and embeddings.",
    input_schema=SiteCrawlIn,
    output_schema=SiteCrawlOut,
    execute=execute,
)
