"""`syncline crawl`: calls the site crawl sync; there is no second path."""

from types import MappingProxyType
from typing import Annotated

import typer

import ingest
from engine import PostgresEngine, describe_choice
from syncs import Runtime
from syncs.cli.options import Db, Debug, Json
from syncs.cli.output import notice, print_json, run_with_engine, show
from syncs.cli.progress import crawl_display
from syncs.crawl import CrawlInterrupted, CrawlReport, site_crawl
from syncs.errors import InvalidInput
from syncs.schemas import validated

__all__ = ["crawl"]

EXIT_CODES = MappingProxyType({"complete": 0, "limited": 0, "partial": 1, "failed": 1, "interrupted": 130})
MOST_LISTED = 10


def crawl(
    url: Annotated[str, typer.Argument(help="Where to start; its host and folder are crawled.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option(help="Store under this entity name. Default: CRAWL_ and the URL.", show_default=False),
    ] = None,
    path_regex: Annotated[
        str | None,
        typer.Option(help="Only addresses whose path and query match; replaces the folder rule.", show_default=False),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="Only addresses whose full URL matches; may be repeated.", show_default=False),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="No address whose full URL matches; may be repeated.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after N pages stored or unchanged.", show_default=False)
    ] = None,
    max_depth: Annotated[
        int | None,
        typer.Option(min=0, help="Follow links at most N steps from the start page.", show_default=False),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="At most N requests at a time.")] = 8,
    embedder: Annotated[
        str | None,
        typer.Option(help="provider[:model][@dimensions]. Default: the store's own.", show_default=False),
    ] = None,
    robots: Annotated[str, typer.Option(help="'obey', or 'ignore' on a site of your own.")] = "obey",
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Crawl a website into the database."""
    asked = {
        "url": url,
        "name": name,
        "path_regex": path_regex,
        "include": include or [],
        "exclude": exclude or [],
        "limit": limit,
        "max_depth": max_depth,
        "concurrency": concurrency,
        "robots": robots,
        "return_pages": "none",
    }

    async def work(engine: PostgresEngine) -> int:
        # What is wrong as typed is said before a database is opened.
        validated(site_crawl.input_adapter, asked, error=InvalidInput, sync=site_crawl.id, run_id="none")
        ingest.check_scope(url, path_regex, include or (), exclude or (), max_depth)
        if embedder is not None:
            describe_choice(embedder)
        if robots == "ignore":
            notice("robots.txt is ignored on request: do this on a site of your own only.")
        notice(await engine.describe_embedder())
        with crawl_display(limit) as display:
            runtime = Runtime(engine=engine, syncs={"site_crawl": site_crawl}, on_progress=display.update)
            try:
                report = (await runtime.sync(site_crawl, asked)).report
            except CrawlInterrupted as interrupted:
                report = interrupted.report
        if json:
            print_json(report.model_dump(mode="json"))
        else:
            _show(report)
        return EXIT_CODES[report.status]

    run_with_engine(work, db=db, debug=debug, embedder=embedder)


def _show(report: CrawlReport) -> None:
    pages, chunks, vectors = report.pages, report.chunks, report.embeddings
    cost = f", ${vectors.cost_usd:.4f}" if vectors.cost_usd else ""
    windowed = f", {vectors.windowed:,} over the model's window and averaged" if vectors.windowed else ""
    show(f"{report.entity}: {report.status}", style="bold")
    show(f"  run         {report.run_id}")
    show(
        f"  pages       {pages.discovered:,} taken up: {pages.stored:,} stored, {pages.unchanged:,} unchanged"
        f", {pages.duplicate:,} duplicate, {pages.skipped:,} skipped, "
        f"{pages.quarantined:,} quarantined, {pages.failed:,} failed; {pages.waiting:,} waiting"
    )
    show(
        f"  chunks      {chunks.added:,} added, {chunks.updated:,} updated, {chunks.moved:,} moved, "
        f"{chunks.unchanged:,} unchanged, {chunks.deleted:,} deleted"
    )
    show(
        f"  embeddings  {vectors.computed:,} computed, {vectors.reused:,} reused, {vectors.tokens:,} tokens"
        f"{cost}{windowed}"
    )
    show(f"  time        {report.seconds:.1f} s, {pages.discovered / max(report.seconds, 0.001):.0f} pages/s")
    if report.skipped:
        show("  left out:")
        for page in report.skipped[:MOST_LISTED]:
            show(f"    {page.url}: {page.reason}")
        if len(report.skipped) > MOST_LISTED:
            show(f"    … and {len(report.skipped) - MOST_LISTED:,} more; --json lists all")
