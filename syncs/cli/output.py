"""What the command line prints, and the one place where errors become sentences and exit codes."""

import asyncio
import json
import re
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import typer
from rich.console import Console

from chunking import ChunkingError, InvalidOption, TiktokenCounter
from engine import EngineError, InvalidFilter, InvalidQuery, PostgresEngine, UnknownEmbedder, UnknownEntity
from ingest import BadInput, IngestError
from syncs.errors import InvalidInput, SyncError, UnknownSync, UnusableApp
from syncs.redaction import without_secrets

__all__ = ["WRONG", "fail", "notice", "print_json", "run", "run_with_engine", "show"]

WRONG_INPUT = (
    BadInput,
    InvalidFilter,
    InvalidInput,
    InvalidOption,
    InvalidQuery,
    UnknownEmbedder,
    UnknownEntity,
    UnknownSync,
    UnusableApp,
)
FAILED, WRONG, INTERRUPTED = 1, 2, 130

# What a page's text could do to a terminal. Tabs and line ends are text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def show(text: str, style: str | None = None) -> None:
    """Text on standard output as it is, but for control characters; colours on a terminal only."""
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    plain = _CONTROL.sub("", text)
    if style is not None and console.is_terminal:
        console.print(plain, style=style)
    else:  # Console.print would turn tabs into spaces
        sys.stdout.write(plain + "\n")


def notice(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(_CONTROL.sub("", text) + "\n")


def fail(text: str, code: int = FAILED) -> NoReturn:
    """Say in one sentence what is wrong, and exit."""
    notice(f"Error: {without_secrets(text)}")
    raise typer.Exit(code)


def print_json(document: object) -> None:
    """One JSON document on standard output; times in ISO 8601."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=_as_json) + "\n")


def _as_json(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def run_with_engine(
    work: Callable[[PostgresEngine], Awaitable[int | None]],
    *,
    db: str | None,
    debug: bool,
    embedder: str | None = None,
) -> NoReturn:
    """`run` work that needs the engine, which is closed at its end."""

    async def opened() -> int | None:
        count = TiktokenCounter().count
        async with PostgresEngine(db, embedder=embedder, count_tokens=count) as engine:
            return await work(engine)

    run(opened(), debug=debug)


def run(work: Coroutine[Any, Any, int | None], *, debug: bool) -> NoReturn:
    """Run `work` and exit with its code; an error is one sentence, with `debug` its traceback too.

    The first Ctrl-C, and SIGTERM, cancel the work so that it ends cleanly; a second Ctrl-C ends it at once.
    """
    try:
        code = asyncio.run(_cancelled_by_sigterm(work))
        sys.stdout.flush()
    except (KeyboardInterrupt, asyncio.CancelledError):
        notice("Interrupted; what is done is kept.")
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, BrokenPipeError):  # said already; a reader that has seen enough is no error
        raise
    except (ChunkingError, EngineError, IngestError, SyncError) as error:
        if debug:
            notice(without_secrets(traceback.format_exc()))
        fail(*_sentence(error))
    except Exception as error:
        if debug:
            raise
        fail(f"{type(error).__name__}: {error}. This is a defect of Syncline; --debug shows where.")
    raise typer.Exit(code or 0)


async def _cancelled_by_sigterm(work: Coroutine[Any, Any, int | None]) -> int | None:
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _sentence(error: Exception) -> tuple[str, int]:
    """What an error says to a person, and its exit code."""
    if isinstance(error, InvalidInput):
        return "; ".join(f"{path}: {reason}" for path, reason in error.problems), WRONG
    return str(error), WRONG if isinstance(error, WRONG_INPUT) else FAILED
