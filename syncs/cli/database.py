"""`syncline db`: the embedded server, for who wants to keep it running or look into it."""

from pathlib import Path
from typing import Annotated

import typer

from engine import PostgresEngine
from engine.embedded import ServerStatus, server_status, start_server, stop_server
from syncs.cli.options import Db, Debug, Json
from syncs.cli.output import fail, print_json, run, run_with_engine, show

__all__ = ["db"]

db = typer.Typer(
    help="Start, stop or find the embedded database; let a role search a server's.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[str | None, typer.Option("--db", help="Its folder. Default: your data folder.", show_default=False)]


@db.command()
def start(folder: Folder = None, json: Json = False, debug: Debug = False) -> None:
    """Start the embedded database and keep it running until `db stop`."""

    async def work() -> None:
        _show(await start_server(_path(folder)), json)

    run(work(), debug=debug)


@db.command()
def stop(
    folder: Folder = None,
    force: Annotated[bool, typer.Option("--force", help="Now, even while it is used.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Stop the embedded database: at once if nobody uses it, else when its last user is gone."""

    async def work() -> None:
        _show(await stop_server(_path(folder), force=force), json)

    run(work(), debug=debug)


@db.command()
def url(folder: Folder = None, json: Json = False, debug: Debug = False) -> None:
    """Print the running database's address, for psql or another program."""

    async def work() -> None:
        found = await server_status(_path(folder))
        if found.url is None:
            fail(f"The embedded Postgres in {found.folder} is not running: syncline db start keeps it running.")
        if json:
            print_json({"url": found.url})
        else:
            show(found.url)

    run(work(), debug=debug)


@db.command("grant-search")
def grant_search(
    role: Annotated[str, typer.Argument(help="A role of the server.", show_default=False)],
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Let a role of the server search what is stored, and change nothing."""

    async def work(engine: PostgresEngine) -> None:
        await engine.grant_search(role)
        if json:
            print_json({"role": role, "granted": "search"})
        else:
            show(f"{role} may search and read {engine.where}.")

    run_with_engine(work, db=db, debug=debug)


def _path(folder: str | None) -> Path | None:
    if folder is not None and "://" in folder:
        fail("--db takes a folder here: only the embedded database is started and stopped by Syncline.", 2)
    return Path(folder) if folder else None


def _show(found: ServerStatus, as_json: bool) -> None:
    if as_json:
        print_json({"folder": found.folder, "running": found.running, "kept": found.kept, "url": found.url})
        return
    state = "running" if found.running else "stopped"
    show(f"The embedded Postgres in {found.folder} is {state}{', and kept' if found.kept else ''}.")
