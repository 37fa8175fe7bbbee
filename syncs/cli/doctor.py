"""`syncline doctor`: whether everything that is needed is there and works, each part with its remedy."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chunking import ChunkingError, TiktokenCounter
from engine import EngineError, PostgresEngine
from engine.embedded import server_status
from ingest import IngestError, Session, find_browser
from syncs.cli.options import Db, Debug, Json
from syncs.cli.output import print_json, run_with_engine, show
from syncs.cli.status import faults_of

__all__ = ["doctor"]

LEAST_FREE = 1 << 30  # bytes
LEAST_CONNECTIONS = 10


class _Check(NamedTuple):
    check: str
    ok: bool
    text: str


def doctor(db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """Check what Syncline needs, one line each; what is missing is named with its remedy."""

    async def work(engine: PostgresEngine) -> int:
        checks = [*await _check_store(engine), *await _check_folder(db), *_check_machine()]
        if json:
            print_json([check._asdict() for check in checks])
        else:
            for check in checks:
                show(f"{'ok' if check.ok else 'NO':3} {check.check}: {check.text}")
        return 0 if all(check.ok for check in checks) else 1

    run_with_engine(work, db=db, debug=debug)


async def _check_store(engine: PostgresEngine) -> list[_Check]:
    try:
        found = await engine.status()
        may_write = await engine.writable()
        health = await engine.health()
        settings = await engine.server_settings()
    except EngineError as error:
        return [_Check("database", False, str(error))]
    rights = "may be written" if may_write else "may not be written: grant INSERT, UPDATE and DELETE on them"
    checks = [
        _Check("database", True, f"PostgreSQL {found['server']}, {found['store']}"),
        _Check("pgvector", True, str(found["pgvector"])),
        _Check("right to write", may_write, f"the store's tables {rights}"),
        *_check_server(settings),
        *(_Check(check, False, text) for check, text in faults_of(health)),
    ]
    try:
        return [*checks, _Check("embedder", True, f"{await engine.check()} answers")]
    except EngineError as error:
        return [*checks, _Check("embedder", False, str(error))]


def _check_server(settings: dict[str, object]) -> Iterator[_Check]:
    most, held = int(str(settings["max_connections"])), int(str(settings["connections"]))
    room = f"{held} of {most} are in use"
    if most - held < LEAST_CONNECTIONS:
        room += ": raise the server's max_connections, or lower SYNCLINE_POOL_SIZE"
    if settings["pooled"]:
        room += "; a pooler is in between"
    yield _Check("connections", most - held >= LEAST_CONNECTIONS, room)
    if not settings["fsync"]:
        yield _Check("fsync", False, "off, so that a power cut may destroy the store: set fsync = on in the server")
    if not settings["autovacuum"]:
        yield _Check("autovacuum", False, "off, so that the store only grows: set autovacuum = on in the server")


async def _check_folder(db: str | None) -> list[_Check]:
    """The disk under an embedded database."""
    named = db or os.environ.get("DATABASE_URL")
    if named and ("=" in named or ":" in named):
        return []
    try:
        folder = (await server_status(Path(named) if named else None)).folder
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
    except (EngineError, OSError) as error:
        return [_Check("disk", False, str(error))]
    text = f"{free / 1e9:,.1f} GB free under {folder}"
    enough = free >= LEAST_FREE
    return [_Check("disk", enough, text if enough else f"{text}: free some space, or name another folder with --db")]


def _check_machine() -> Iterator[_Check]:
    is_set = bool(os.environ.get("OPENAI_API_KEY"))
    yield _Check("OPENAI_API_KEY", True, "set" if is_set else "not set, and not needed by the local embedder")
    yield _check_tokenizer()
    try:
        browser = find_browser("auto")
        without = "none, so that pages which only scripts fill are left out (--render)"
        yield _Check("browser", True, without if browser is None else str(browser))
        session = Session.from_environment()
        yield _Check("session", True, "none is set" if session is None else "SYNCLINE_SESSION can be read")
    except IngestError as error:
        yield _Check("settings", False, str(error))


def _check_tokenizer() -> _Check:
    try:
        count = TiktokenCounter().count("Syncline")
    except ChunkingError as error:
        return _Check("tokenizer", False, str(error))
    return _Check("tokenizer", True, f"cl100k_base counts {count} tokens in 'Syncline'")
