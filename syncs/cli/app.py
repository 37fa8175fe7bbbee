"""The `syncline` command and its subcommands."""

import typer

from syncs.cli.chunks import chunks
from syncs.cli.crawling import crawl
from syncs.cli.database import db
from syncs.cli.doctor import doctor
from syncs.cli.embedding import gc, retry
from syncs.cli.mcp import mcp
from syncs.cli.reading import explain, map_, scrape
from syncs.cli.running import runs, sync, syncs
from syncs.cli.searching import page, search
from syncs.cli.sites import remove, sites
from syncs.cli.spaces import embeddings
from syncs.cli.status import status
from syncs.cli.transfer import export, import_

__all__ = ["app", "main"]

app = typer.Typer(
    name="syncline",
    help="Crawl a documentation site into Postgres with pgvector, and search it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (crawl, search, page, sites, remove, status, doctor, retry, gc, export, syncs, sync, runs, mcp):
    app.command()(command)
app.command()(scrape)
app.command()(chunks)
app.command("map")(map_)  # the function's name leaves the builtin alone
app.command("import")(import_)
app.command()(explain)
app.add_typer(embeddings, name="embeddings")
app.add_typer(db, name="db")


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed or incomplete, 2 wrong input, 130 interrupted."""
    app()
