"""The named SQL statements of `engine/sql/*.sql`, read once, and how a word is written in them."""

import re
from functools import cache
from importlib import resources
from typing import LiteralString

__all__ = ["migrations", "query", "quote_lexeme"]

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def _statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(resources.files("engine").joinpath("sql").iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        parts = _NAME.split(file.read_text(encoding="utf-8"))[1:]
        found.update(zip(parts[::2], parts[1::2], strict=True))
    return found


def query(name: str) -> LiteralString:
    """The statement called `name`. Its text ships with the package, so it counts as literal for psycopg."""
    return _statements()[name]


def migrations() -> list[tuple[int, str, LiteralString]]:
    """(number, file name, SQL) of every migration, in order."""
    folder = resources.files("engine").joinpath("sql", "migrations")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
    return [(int(file.name.split("_")[0]), file.name, file.read_text(encoding="utf-8")) for file in files]


def quote_lexeme(word: str) -> str:
    """`word` as a quoted lexeme (PostgreSQL documentation, section 8.11), whatever signs it holds."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
