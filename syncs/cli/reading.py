"""`syncline scrape`, `map` and `explain`: look at a page or a site without storing anything."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict
from typing import Annotated, cast

import typer

import ingest
from ingest.browser import Render as Renders
from ingest.crawler import Discover as Discovers
from ingest.crawler import Prefer as Prefers
from ingest.crawler import RobotsMode
from syncs.cli.options import Debug, Json
from syncs.cli.output import fail, print_json, run, show
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
from syncs.crawl.workers import open_executor

__all__ = ["PageOrFile", "explain", "map_", "read_page", "scrape"]

PageOrFile = Annotated[str, typer.Argument(help="The page's URL, or an HTML or markdown file.", show_default=False)]


def scrape(
    url: PageOrFile,
    prefer: Prefer = "html",
    render: Render = "auto",
    robots: Robots = "obey",
    content_selector: ContentSelector = None,
    remove_selector: RemoveSelector = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print one page as markdown, as a crawl would store it."""

    async def work() -> None:
        page = await read_page(
            url,
            prefer=prefer,
            render=render,
            robots=robots,
            content_selector=content_selector,
            remove_selector=remove_selector,
        )
        _show_page(page, as_json=json)

    run(work(), debug=debug)


async def read_page(
    url: str,
    *,
    prefer: str,
    render: str,
    robots: str,
    content_selector: str | None,
    remove_selector: str | None,
    heard: Callable[[ingest.FetchResponse], None] | None = None,
) -> ingest.CrawledPage:
    """One page, as a crawl that starts there would store it; where it would not, the command ends with the reason.

    `heard` is given what was fetched for it.
    """
    pages = ingest.crawl(
        url,
        max_depth=0,
        discover="links",
        prefer=cast("Prefers", prefer),
        render=cast("Renders", render),
        robots=cast("RobotsMode", robots),
        concurrency=1,
        content_selector=content_selector,
        remove_selector=remove_selector,
        heard=heard,
    )
    reasons: list[str] = []
    async with aclosing(pages):
        async for page in pages:
            if isinstance(page, ingest.CrawledPage):
                return page
            reasons.append(f"{page.url}: {page.reason}")
    return fail("; ".join(reasons[:1] or [f"{url} holds no page"]))


def map_(
    url: Annotated[
        str,
        typer.Argument(
            help="Where a crawl would start: a page, sitemap or llms.txt; a local folder or file.", show_default=False
        ),
    ],
    path_regex: PathRegex = None,
    include: Include = None,
    exclude: Exclude = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most N addresses.", show_default=False)] = None,
    max_depth: MaxDepth = None,
    subdomains: Subdomains = False,
    ignore_query: IgnoreQuery = False,
    discover: Discover = "all",
    concurrency: Concurrency = 8,
    robots: Robots = "obey",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the addresses that a crawl would take."""

    async def work() -> None:
        found: list[dict[str, object]] = []
        with open_executor() as executor:
            settings = ingest.Settings(
                concurrency, cast("RobotsMode", robots), cast("Discovers", discover), executor=executor
            )
            addresses = ingest.map_site(
                url,
                path_regex=path_regex,
                limit=limit,
                include=include or (),
                exclude=exclude or (),
                max_depth=max_depth,
                subdomains=subdomains,
                ignore_query=ignore_query,
                settings=settings,
            )
            async with aclosing(addresses):
                async for one in addresses:
                    if json:
                        found.append(_entry(one))
                    else:
                        show(one.url)
        if json:
            print_json(found)

    run(work(), debug=debug)


def explain(
    url: Annotated[str, typer.Argument(help="The address in question.", show_default=False)],
    start: Annotated[
        str | None, typer.Option(help="Where the crawl starts. Default: the address itself.", show_default=False)
    ] = None,
    path_regex: PathRegex = None,
    include: Include = None,
    exclude: Exclude = None,
    subdomains: Subdomains = False,
    ignore_query: IgnoreQuery = False,
    robots: Robots = "obey",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say whether a crawl takes an address, and by which rule."""

    async def work() -> None:
        said = await ingest.explain(
            url,
            start=start,
            path_regex=path_regex,
            include=include or (),
            exclude=exclude or (),
            subdomains=subdomains,
            ignore_query=ignore_query,
            settings=ingest.Settings(robots=cast("RobotsMode", robots)),
        )
        if json:
            print_json(asdict(said))
            return
        show(f"{said.url}: {'taken' if said.allowed else 'left out'}", style="bold")
        show(f"  scope   {said.scope} (the crawl starts at {said.start})")
        if said.robots:
            show(f"  robots  {said.robots}")
        for note in said.notes:
            show(f"  note    {note}")

    run(work(), debug=debug)


def _show_page(page: ingest.CrawledPage, *, as_json: bool) -> None:
    if not as_json:
        show(page.markdown)
        return
    print_json(
        {
            "url": page.url,
            "metadata": page.metadata,
            "markdown": page.markdown,
            "anchors": [list(anchor) for anchor in page.anchors],
            "links": list(page.links),
        }
    )


def _entry(found: ingest.Found) -> dict[str, object]:
    entry = asdict(found)
    return entry if found.modified else {name: value for name, value in entry.items() if name != "modified"}
