"""The options that say which addresses a crawl takes: the same for `crawl`, `map` and `explain`."""

from typing import Annotated

import typer

__all__ = [
    "Concurrency",
    "ContentSelector",
    "Discover",
    "Exclude",
    "IgnoreQuery",
    "Include",
    "MaxDepth",
    "PathRegex",
    "Prefer",
    "RemoveSelector",
    "Render",
    "Robots",
    "Subdomains",
]

ContentSelector = Annotated[
    str | None,
    typer.Option(help="CSS selector: what matches is the content of a page.", show_default=False),
]
RemoveSelector = Annotated[
    str | None,
    typer.Option(help="CSS selector: what matches is taken out of each page.", show_default=False),
]
PathRegex = Annotated[
    str | None,
    typer.Option(help="Only addresses whose path and query match; replaces the folder rule.", show_default=False),
]
Include = Annotated[
    list[str] | None,
    typer.Option(help="Only addresses whose full URL matches; may be repeated.", show_default=False),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="No address whose full URL matches; may be repeated.", show_default=False),
]
MaxDepth = Annotated[
    int | None,
    typer.Option(min=0, help="Follow links at most N steps from the start page.", show_default=False),
]
Subdomains = Annotated[bool, typer.Option("--subdomains", help="Take in the hosts below the start's, too.")]
IgnoreQuery = Annotated[bool, typer.Option("--ignore-query", help="Follow links without their query string.")]
Discover = Annotated[str, typer.Option(help="'all', or 'links' to read neither sitemaps nor llms.txt.")]
Prefer = Annotated[str, typer.Option(help="'html', or 'markdown' where the site has it, without anchors.")]
Concurrency = Annotated[int, typer.Option(min=1, max=256, help="At most N requests at a time.")]
Render = Annotated[
    str,
    typer.Option(help="Run pages' scripts in a browser: 'auto' where a page is empty without, 'never', 'always'."),
]
Robots = Annotated[str, typer.Option(help="'obey', or 'ignore' on a site of your own.")]
