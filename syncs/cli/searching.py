"""`syncline search` and `syncline page`: read what is stored."""

import json as jsonlib
from typing import Annotated, cast

import typer

from engine import InvalidFilter, PostgresEngine, SearchHit
from engine.protocols import SearchMode
from ingest import normal_url
from syncs.cli.excerpt import excerpt
from syncs.cli.options import Db, Debug, Json, site_name
from syncs.cli.output import fail, notice, print_json, run_with_engine, show

__all__ = ["page", "search"]


def search(
    query: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    entity: Annotated[
        str | None, typer.Option(help="Search one site only: its name or its URL.", show_default=False)
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="At most N results.")] = 10,
    mode: Annotated[str, typer.Option(help="hybrid, vector or text.")] = "hybrid",
    filter: Annotated[str | None, typer.Option(help="JSON: only records whose data match.", show_default=False)] = None,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Find the sections that answer a question."""

    async def work(engine: PostgresEngine) -> None:
        site = None if entity is None else site_name(entity)
        hits = await engine.search(query, entity=site, k=k, mode=cast("SearchMode", mode), filter=_filter(filter))
        if json:
            print_json([hit.to_json() for hit in hits])
            return
        for number, hit in enumerate(hits, 1):
            _show(number, hit, query)
        if not hits:
            empty = not await engine.sites()
            notice("The store is empty: syncline crawl URL fills it." if empty else "Nothing was found.")

    run_with_engine(work, db=db, debug=debug)


def page(
    url: Annotated[str, typer.Argument(help="The page's URL.", show_default=False)],
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print a stored page as markdown."""

    async def work(engine: PostgresEngine) -> None:
        found = await engine.get_page(normal_url(url))
        if found is None or found["markdown"] is None:
            reason = f": {found['reason']}" if found and found["reason"] else ""
            if found and found["missing_since"] is not None:
                reason += f", since {found['missing_since']:%Y-%m-%d %H:%M}"
            fail(f"{url} is not stored{reason}. Known sites are listed by syncline sites.")
        if json:
            print_json(found)
            return
        show(str(found["markdown"]))
        if found["orphan_since"] is not None:
            notice(f"Nothing on its site links to this page any more, as of {found['orphan_since']:%Y-%m-%d %H:%M}.")

    run_with_engine(work, db=db, debug=debug)


def _filter(text: str | None) -> dict[str, object] | None:
    if text is None:
        return None
    try:
        value = jsonlib.loads(text)
    except ValueError as error:
        raise InvalidFilter(f'--filter is not JSON ({error}): write it as \'{{"field": "value"}}\'.') from None
    if not isinstance(value, dict):
        raise InvalidFilter('--filter must be a JSON object, such as \'{"field": "value"}\'.')
    return value


def _show(number: int, hit: SearchHit, query: str) -> None:
    where = f"{hit.url}#{hit.anchor}" if hit.anchor else hit.url
    path = list(hit.headings) if hit.headings[:1] == (hit.title,) else [hit.title, *hit.headings]
    show(f"{number}. {' > '.join(part for part in path if part) or hit.external_id}", style="bold")
    show(f"   {where}  ({hit.score:.2f})", style="cyan")
    show("\n".join(f"   {line}" for line in excerpt(hit.markdown, query).splitlines()) + "\n")
