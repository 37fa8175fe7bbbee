"""`syncline status` and `syncline doctor`: how the store is, and whether everything that is needed works."""

import os
from typing import NamedTuple

from chunking import ChunkingError, TiktokenCounter
from engine import EngineError, PostgresEngine
from syncs.cli.options import Db, Debug, Json
from syncs.cli.output import print_json, run_with_engine, show

__all__ = ["doctor", "status"]


def status(db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """Show the database, its size and what it holds."""

    async def work(engine: PostgresEngine) -> None:
        found = await engine.status()
        if json:
            print_json(found)
            return
        for label, value in found.items():
            shown = f"{value:,}" if isinstance(value, int) else value
            show(f"{label:10} {'none yet' if shown is None else shown}")

    run_with_engine(work, db=db, debug=debug)


def doctor(db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """Check what Syncline needs, one line each; what is missing is named with its remedy."""

    async def work(engine: PostgresEngine) -> int:
        checks = [*await _check_store(engine), _check_key(), _check_tokenizer()]
        if json:
            print_json([check._asdict() for check in checks])
        else:
            for check in checks:
                show(f"{'ok' if check.ok else 'NO':3} {check.check}: {check.text}")
        return 0 if all(check.ok for check in checks) else 1

    run_with_engine(work, db=db, debug=debug)


class _Check(NamedTuple):
    check: str
    ok: bool
    text: str


async def _check_store(engine: PostgresEngine) -> list[_Check]:
    try:
        found = await engine.status()
        may_write = await engine.writable()
    except EngineError as error:
        return [_Check("database", False, str(error))]
    rights = "may be written" if may_write else "may not be written: grant INSERT, UPDATE and DELETE on them"
    checks = [
        _Check("database", True, f"PostgreSQL {found['server']}, {found['store']}"),
        _Check("pgvector", True, str(found["pgvector"])),
        _Check("right to write", may_write, f"the store's tables {rights}"),
    ]
    try:
        return [*checks, _Check("embedder", True, f"{await engine.check()} answers")]
    except EngineError as error:
        return [*checks, _Check("embedder", False, str(error))]


def _check_key() -> _Check:
    is_set = bool(os.environ.get("OPENAI_API_KEY"))
    return _Check("OPENAI_API_KEY", True, "set" if is_set else "not set, and not needed by the local embedder")


def _check_tokenizer() -> _Check:
    try:
        count = TiktokenCounter().count("Syncline")
    except ChunkingError as error:
        return _Check("tokenizer", False, str(error))
    return _Check("tokenizer", True, f"cl100k_base counts {count} tokens in 'Syncline'")
