"""`syncline export` and `syncline import`: sites into a file and out of it, with their vectors."""

import gzip
import json as jsonlib
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import Annotated, BinaryIO, cast
from uuid import uuid4

import typer

from engine import EngineError, InvalidExport, PostgresEngine
from engine.portable import MOST_LINE
from syncs.cli.options import Db, Debug, Json, site_name
from syncs.cli.output import WRONG, fail, notice, print_json, run_with_engine, show

__all__ = ["export", "import_"]

STANDARD = "-"
UNFINISHED = ".part"
GZIP = b"\x1f\x8b"


def export(
    file: Annotated[
        str, typer.Argument(help="Where to; .gz at its end compresses; - is standard output.", show_default=False)
    ],
    entity: Annotated[
        str | None, typer.Option(help="One site, by its name or its URL. Default: all.", show_default=False)
    ] = None,
    all_models: Annotated[
        bool, typer.Option("--all-models", help="The vectors of every embedding model, not of the one in use only.")
    ] = False,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write sites with their pages, chunks and vectors into a file of JSON lines."""
    if json and file == STANDARD:
        fail("--json and - both want standard output: give one of the two.", WRONG)

    async def work(engine: PostgresEngine) -> None:
        wanted = None if entity is None else site_name(entity)
        line = b""
        with _writing(file) as target:
            async with aclosing(engine.export_lines(wanted, every_space=all_models)) as lines:
                async for line in lines:
                    target.write(line)
        counts = {name: count for name, count in jsonlib.loads(line)["end"].items() if isinstance(count, int)}
        if json:
            print_json({"file": file, **counts})
        else:
            notice(f"Exported {_counted(counts)}.")

    run_with_engine(work, db=db, debug=debug)


def import_(
    file: Annotated[str, typer.Argument(help="An export; - is standard input.", show_default=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of sites that the store has already.")
    ] = False,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Read an export into the database: all of it, or nothing where it is damaged. Nothing is embedded."""

    async def work(engine: PostgresEngine) -> None:
        with _reading(file) as lines:
            report = await engine.import_lines(lines, replace=replace)
        if json:
            print_json(asdict(report))
            return
        show(f"Imported {_counted(asdict(report))}.")
        if report.missing:
            notice(
                f"{report.missing:,} texts have no vector of the store's own model, and are found by their words only: "
                "`syncline retry` embeds them."
            )

    run_with_engine(work, db=db, debug=debug)


def _counted(counts: dict[str, int]) -> str:
    names = {"entities": "site", "pages": "page", "records": "chunk", "vectors": "vector"}
    return ", ".join(f"{counts[name]:,} {said}{'' if counts[name] == 1 else 's'}" for name, said in names.items())


@contextmanager
def _writing(file: str) -> Iterator[BinaryIO]:
    """A file that is there once it is whole; a pipe or a device is written to as it is."""
    if file == STANDARD:
        yield sys.stdout.buffer
        return
    try:
        path = Path(file).resolve()
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as open_file, _packed(open_file, path) as target:
                yield target
            return
        with _unfinished(path) as plain:
            with _packed(plain, path) as target:
                yield target
            plain.flush()
            os.fsync(plain.fileno())
            os.replace(plain.name, path)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise EngineError(f"The export cannot be written to {file} ({reason}): choose another file.") from None


@contextmanager
def _unfinished(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path` that nobody else writes to, gone at the end if it was not given that name."""
    with (path.parent / f".{uuid4().hex}{UNFINISHED}").open("xb") as plain:
        try:
            yield plain
        finally:
            Path(plain.name).unlink(missing_ok=True)


@contextmanager
def _packed(plain: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    if path.suffix != ".gz":
        yield plain
        return
    with gzip.open(plain, "wb", compresslevel=6) as packed:
        yield cast("BinaryIO", packed)


@contextmanager
def _reading(file: str) -> Iterator[Iterator[bytes]]:
    """The lines of an export, unpacked where they are packed, whatever the file is called."""
    try:
        with sys.stdin.buffer if file == STANDARD else Path(file).open("rb") as plain, _unpacked(plain) as source:
            yield _lines(source)
    except OSError as error:
        raise EngineError(f"The export {file} cannot be read ({error.strerror or error}).") from None


@contextmanager
def _unpacked(plain: BinaryIO) -> Iterator[BinaryIO]:
    if cast("BufferedReader", plain).peek(2)[:2] != GZIP:
        yield plain
        return
    with gzip.open(plain, "rb") as source:
        yield cast("BinaryIO", source)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Lines, of which none is longer than an export's can be."""
    try:
        while line := source.readline(MOST_LINE + 1):
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidExport(f"The export is cut off or damaged ({error}): nothing was imported.") from None
