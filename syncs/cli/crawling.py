"""`syncline crawl`: calls the site crawl sync; there is no second path."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

import typer

import ingest
from engine import PostgresEngine, describe_choice
from syncs import Runtime
from syncs.cli.options import Db, Debug, Json, MaxCost
from syncs.cli.output import WRONG, fail, notice, print_json, run_with_engine, show
from syncs.cli.progress import crawl_display
from syncs.cli.scope_options import (
    Concurrency,
    ContentSelector,
    Discover,
    Exclude,
    IgnoreQuery,
    Include,
    MaxDepth,
    PathRegex,
    Prefer,
    RemoveSelector,
    Render,
    Robots,
    Subdomains,
)
from syncs.crawl import CrawlInterrupted, CrawlReport, Quality, check_report_file, site_crawl
from syncs.errors import InvalidInput
from syncs.schemas import validated

__all__ = ["crawl"]

EXIT_CODES = MappingProxyType({"complete": 0, "limited": 0, "partial": 1, "failed": 1, "interrupted": 130})
MOST_LISTED = 10


def crawl(
    url: Annotated[
        str,
        typer.Argument(
            help="Where to start: a page, sitemap or llms.txt; a local folder, page or file of addresses.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="Store under this entity name. Default: CRAWL_ and the URL.", show_default=False),
    ] = None,
    path_regex: PathRegex = None,
    include: Include = None,
    exclude: Exclude = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after N pages stored or unchanged.", show_default=False)
    ] = None,
    max_depth: MaxDepth = None,
    subdomains: Subdomains = False,
    ignore_query: IgnoreQuery = False,
    discover: Discover = "all",
    prefer: Prefer = "html",
    concurrency: Concurrency = 8,
    embedder: Annotated[
        str | None,
        typer.Option(help="provider[:model][@dimensions]. Default: the store's own.", show_default=False),
    ] = None,
    render: Render = "auto",
    robots: Robots = "obey",
    content_selector: ContentSelector = None,
    remove_selector: RemoveSelector = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask only for known pages that may have changed by now, and for new ones.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Fetch every page anew and store it, changed or not.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take out stored pages, too, that are outside of this crawl's scope.")
    ] = False,
    max_gone: Annotated[
        float, typer.Option(min=0, max=1, help="Most of the stored pages that may leave at once, as a share.")
    ] = 0.5,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what it would do and cost; nothing is stored, embedded or paid.")
    ] = False,
    max_cost: MaxCost = None,
    report: Annotated[
        str | None,
        typer.Option(
            help="Write a row for every address that was taken up: as JSON, as a table where FILE ends with .csv.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Crawl a website, or a folder of this machine, into the database."""
    if refresh and force:
        fail("--refresh leaves out pages that --force would fetch: give one of the two.", WRONG)
    asked = {
        "url": url,
        "name": name,
        "path_regex": path_regex,
        "include": include or [],
        "exclude": exclude or [],
        "limit": limit,
        "max_depth": max_depth,
        "subdomains": subdomains,
        "ignore_query": ignore_query,
        "discover": discover,
        "prefer": prefer,
        "concurrency": concurrency,
        "render": render,
        "robots": robots,
        "revisit": "due" if refresh else "force" if force else "all",
        "content_selector": content_selector,
        "remove_selector": remove_selector,
        "local": True,
        "prune": prune,
        "max_gone": max_gone,
        "plan": plan,
        "max_cost": max_cost,
        "return_pages": "none",
        "report_file": report,
    }

    async def work(engine: PostgresEngine) -> int:
        _check(asked, embedder)
        if robots == "ignore":
            notice("robots.txt is ignored on request: do this on a site of your own only.")
        notice(await engine.describe_embedder())
        with crawl_display(limit) as display:
            runtime = Runtime(engine=engine, syncs={"site_crawl": site_crawl}, on_progress=display.update)
            try:
                done = (await runtime.sync(site_crawl, asked)).report
            except CrawlInterrupted as interrupted:
                done = interrupted.report
        if json:
            print_json(done.model_dump(mode="json"))
        else:
            _show(done)
            if plan and (await engine.embedder()).usd_per_million_tokens is None:
                show("  price       not known; SYNCLINE_EMBEDDER_PRICE says it, in US dollars for a million tokens")
        return EXIT_CODES[done.status]

    run_with_engine(work, db=db, debug=debug, embedder=embedder)


def _check(asked: Mapping[str, object], embedder: str | None) -> None:
    """What is wrong as typed, or not there, is said before a database is opened."""
    found = validated(site_crawl.input_adapter, asked, error=InvalidInput, sync=site_crawl.id, run_id="none")
    ingest.check_scope(found.url, found.path_regex, found.include, found.exclude, found.max_depth)
    ingest.find_browser(found.render)
    check_report_file(found.report_file)
    if embedder is not None:
        describe_choice(embedder)


def _show(report: CrawlReport) -> None:
    pages, chunks, vectors = report.pages, report.chunks, report.embeddings
    cost = f", ${vectors.cost_usd:.4f}" if vectors.cost_usd else ""
    windowed = f", {vectors.windowed:,} over the model's window and averaged" if vectors.windowed else ""
    failed = f"; {vectors.failed:,} not embedded" if vectors.failed else ""
    reused = f" ({vectors.reused / (vectors.computed + vectors.reused):.0%})" if vectors.reused else ""
    show(f"{report.entity}: {report.status}", style="bold")
    if report.planned:
        show("  a plan: this is what the crawl would do; nothing was stored, embedded or paid")
    show(f"  run         {report.run_id}")
    show(
        f"  pages       {pages.discovered:,} taken up: {pages.stored:,} stored, {pages.unchanged:,} unchanged"
        f", {pages.duplicate:,} duplicate, {pages.skipped:,} skipped, "
        f"{pages.quarantined:,} quarantined, {pages.failed:,} failed; {pages.waiting:,} waiting"
        + (f"; {pages.not_due:,} not due" if pages.not_due else "")
        + (f"; {pages.back:,} back" if pages.back else "")
        + (f"; {pages.deleted:,} left the store" if pages.deleted else "")
    )
    show(
        f"  chunks      {chunks.added:,} added, {chunks.updated:,} updated, {chunks.moved:,} moved, "
        f"{chunks.unchanged:,} unchanged, {chunks.deleted:,} deleted"
    )
    show(
        f"  embeddings  {vectors.computed:,} computed, {vectors.reused:,} reused{reused}, {vectors.tokens:,} tokens"
        f"{cost}{windowed}{failed}"
    )
    if report.quality is not None:
        show(f"  quality     {_quality(report.quality)}")
    for note in report.notes:
        show(f"  note        {note}")
    show(f"  time        {report.seconds:.1f} s, {pages.discovered / max(report.seconds, 0.001):.0f} pages/s")
    if report.skipped:
        show("  left out:")
        for page in report.skipped[:MOST_LISTED]:
            show(f"    {page.url}: {page.reason}")
        if len(report.skipped) > MOST_LISTED:
            show(f"    … and {len(report.skipped) - MOST_LISTED:,} more; --json lists all")


def _quality(quality: Quality) -> str:
    """What was kept of the pages, of each kind of block as far as there is one."""
    parts = [f"{quality.pages:,} pages read, {quality.boilerplate:.0%} of their text left out as the site's frame"]
    for name, counts in (("code blocks", quality.code_blocks), ("tables", quality.tables)):
        if counts.found:
            parts.append(f"{counts.kept:,} of {counts.found:,} {name} kept")
    if quality.rendered:
        parts.append(f"{quality.rendered:,} rendered")
    if quality.empty:
        parts.append(f"{quality.empty:,} more without a text")
    return ", ".join(parts)
