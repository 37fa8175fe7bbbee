"""How the command line speaks: exit codes, one sentence for an error, documents, and progress."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from chunking import VocabularyUnavailable
from engine import (
    EmbedderRefused,
    InvalidFilter,
    InvalidQuery,
    SpaceMismatch,
    StoreUnavailable,
    UnknownEmbedder,
)
from ingest import BadInput, StartRefused
from syncs import InvalidInput, Progress, UnknownSync
from syncs.cli import progress
from syncs.cli.options import site_name
from syncs.cli.output import fail, notice, print_json, run, show
from syncs.cli.progress import crawl_display

Capture = pytest.CaptureFixture[str]


async def gives(result: int | BaseException | None) -> int | None:
    if isinstance(result, BaseException):
        raise result
    return result


def exit_code(work: Coroutine[Any, Any, int | None], *, debug: bool = False) -> int:
    with pytest.raises(typer.Exit) as caught:
        run(work, debug=debug)
    return int(caught.value.exit_code)


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), (130, 130)])
def test_the_command_exits_with_the_code_of_its_work(result: int | None, code: int, capsys: Capture) -> None:
    assert exit_code(gives(result)) == code
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("b"), 2),
        (InvalidQuery("q"), 2),
        (InvalidFilter("f"), 2),
        (UnknownEmbedder("u"), 2),
        (StartRefused("s"), 1),
        (StoreUnavailable("d"), 1),
        (EmbedderRefused("k"), 1),
        (SpaceMismatch("m"), 1),
        (VocabularyUnavailable("v"), 1),
        (UnknownSync("n"), 2),
    ],
)
def test_an_error_is_its_sentence_and_its_code(error: Exception, code: int, capsys: Capture) -> None:
    assert exit_code(gives(error)) == code
    assert capsys.readouterr().err == f"Error: {error}\n"


def test_invalid_input_is_named_by_field_without_the_run(capsys: Capture) -> None:
    error = InvalidInput("site-crawl-sync", "3191", [("limit", "too small"), ("name", "too long")])
    assert exit_code(gives(error)) == 2
    assert capsys.readouterr().err == "Error: limit: too small; name: too long\n"


def test_a_sentence_said_by_the_work_itself_is_not_said_twice(capsys: Capture) -> None:
    async def work() -> None:
        fail("nothing is there", 2)

    assert exit_code(work()) == 2
    assert capsys.readouterr().err == "Error: nothing is there\n"


def test_a_defect_is_called_one_and_shows_its_traceback_on_request(capsys: Capture) -> None:
    assert exit_code(gives(ValueError("odd"))) == 1
    said = capsys.readouterr().err
    assert said == "Error: ValueError: odd. This is a defect of Syncline; --debug shows where.\n"
    with pytest.raises(ValueError, match="odd"):
        run(gives(ValueError("odd")), debug=True)


def test_debug_keeps_the_exit_code_and_the_sentence(capsys: Capture) -> None:
    assert exit_code(gives(BadInput("wrong")), debug=True) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("Error: wrong\n")


@pytest.mark.parametrize("debug", [False, True])
def test_no_error_shows_a_password(debug: bool, capsys: Capture) -> None:
    assert exit_code(gives(StoreUnavailable("postgresql://u:hunter2@h/d is away")), debug=debug) == 1
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_cancel_the_work_which_ends_cleanly(number: int, capsys: Capture) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    ended = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    try:
        assert exit_code(work()) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended == [True]
    assert capsys.readouterr().err == "Interrupted; what is done is kept.\n"


def test_a_closed_pipe_is_left_to_the_one_who_knows_it(capsys: Capture) -> None:
    with pytest.raises(BrokenPipeError):
        run(gives(BrokenPipeError()), debug=False)
    assert capsys.readouterr().err == ""


def test_a_document_is_json_with_its_letters_and_times(capsys: Capture) -> None:
    print_json({"title": "Überblick", "at": datetime(2026, 1, 2, tzinfo=UTC)})
    out = capsys.readouterr().out
    assert "Überblick" in out
    assert json.loads(out)["at"] == "2026-01-02T00:00:00+00:00"


@pytest.mark.parametrize("say", [show, notice])
def test_text_is_printed_as_it_is_but_cannot_steer_the_terminal(say: Callable[[str], None], capsys: Capture) -> None:
    say("a\tb :heart: [bold]x[/bold]\n" + "long " * 60 + "\x1b[31m\x9b2J\x07")
    printed = capsys.readouterr()
    assert printed.out + printed.err == "a\tb :heart: [bold]x[/bold]\n" + "long " * 60 + "[31m2J\n"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("HTTP://Docs.Example.org:80/a?utm_source=x#y", "http://docs.example.org/a"),
        ("CRAWL_https://docs.example.org/", "CRAWL_https://docs.example.org/"),
        ("my docs", "my docs"),
    ],
)
def test_a_site_may_be_named_by_its_url_in_any_spelling(typed: str, name: str) -> None:
    assert site_name(typed) == name


def report(message: str, **counters: int) -> Progress:
    return Progress("site-crawl-sync", "r", message, counters)


def test_without_a_terminal_progress_is_a_plain_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with crawl_display(None) as display:
        display.update(report("going on"))
        clock.now = 4.9
        display.update(report("u", fetched=1, stored=1))
        clock.now = 6.0
        display.update(report("u", fetched=12, stored=9, unchanged=0, left_out=3, chunks=1234, embedded=8))
        display.update(report("u", fetched=13, stored=9))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "going on", "9 pages stored · 3 left out · 1,234 chunks · 8 embedded · 2 pages/s"
    ]  # fmt: skip
