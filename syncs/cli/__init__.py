"""The command line: `syncline`."""

from syncs.cli.app import app, main

__all__ = ["app", "main"]
