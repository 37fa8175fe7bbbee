"""The options that every command has, and how a site is named."""

from typing import Annotated

import typer

from ingest import normal_url

__all__ = ["Db", "Debug", "Json", "site_name"]

Db = Annotated[
    str | None,
    typer.Option(
        help="A PostgreSQL address, or a folder for an embedded one. Default: DATABASE_URL, else your data folder.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def site_name(typed: str) -> str:
    """A site as typed, by name or by URL; a URL in its normal form, as the store has it."""
    return normal_url(typed) if typed.lower().startswith(("http://", "https://")) else typed
