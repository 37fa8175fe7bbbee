"""The options that every command has, and how a site is named."""

from typing import Annotated

import typer

from ingest import normal_url, site_url

__all__ = ["Db", "Debug", "Json", "MaxCost", "site_name"]

_PATHS = ("/", "./", "../", "~/")

Db = Annotated[
    str | None,
    typer.Option(
        help="A PostgreSQL address, or a folder for an embedded one. Default: DATABASE_URL, else your data folder.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
MaxCost = Annotated[
    float | None,
    typer.Option(min=0, help="Stop before embedding would cost more than so many US dollars.", show_default=False),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def site_name(typed: str) -> str:
    """A site as typed, by name, by URL or by a path that shows itself as one; addresses in their normal form, as the
    store has them."""
    if typed.lower().startswith(("http://", "https://", "file:")):
        return normal_url(typed)
    return site_url(typed) if typed.startswith(_PATHS) else typed
