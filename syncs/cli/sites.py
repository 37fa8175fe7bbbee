"""`syncline sites` and `syncline remove`: what was crawled."""

from typing import Annotated

import typer

from engine import PostgresEngine
from syncs.cli.options import Db, Debug, Json, site_name
from syncs.cli.output import notice, print_json, run_with_engine, show

__all__ = ["remove", "sites"]


def sites(db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """List what was crawled."""

    async def work(engine: PostgresEngine) -> None:
        rows = await engine.sites()
        if json:
            print_json(rows)
            return
        if not rows:
            notice("The store is empty: syncline crawl URL fills it.")
            return
        for row in rows:
            fetched = f"{row['fetched_at']:%Y-%m-%d %H:%M}" if row["fetched_at"] else "never"
            show(row["name"], style="bold")
            show(
                f"   {row['pages']:,} pages, {row['records']:,} chunks, last fetch {fetched}"
                + (", unfinished" if row["unfinished"] else "")
                + (f", from {row['start_url']}" if row["start_url"] else "")
            )

    run_with_engine(work, db=db, debug=debug)


def remove(
    site: Annotated[str, typer.Argument(help="Its name or its URL.", show_default=False)],
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Remove a site with its pages and records; vectors stay, so that crawling it again costs none."""

    async def work(engine: PostgresEngine) -> None:
        found = await engine.find_entity(site_name(site))
        removed = await engine.delete_entity(connection_id=found["connection_id"], name=found["name"])
        if json:
            print_json({"entity": found["name"], "removed": removed})
        else:
            show(f"Removed {found['name']}.")

    run_with_engine(work, db=db, debug=debug)
