"""The command line as a person runs it: real processes, with a clean environment."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from typer.testing import CliRunner

from syncs.cli import app

SECONDS = 60.0


@dataclass(frozen=True)
class Ran:
    """What a finished command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one sentence that says what is wrong."""
        found = re.findall(r"^Error: (.*)$", self.err, re.MULTILINE)
        assert len(found) == 1, self.err
        assert "Traceback" not in self.err
        assert found[0].count("\n") == 0
        return str(found[0])


class Command:
    """Starts `python -m syncs.cli`, each in a session of its own."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "syncs.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for it, and for everything that holds its output: its workers do."""
        out, err = process.communicate(timeout=SECONDS)
        return Ran(process.returncode, out, err)

    def __call__(self, *words: str, **env: str) -> Ran:
        return self.end(self.start(*words, **env))


@pytest.fixture
def syncline() -> Iterator[Command]:
    """`syncline("search", "...")` runs the command; `.start` and `.end` in two steps."""
    command = Command()
    yield command
    for process in command.running:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=SECONDS)


@pytest.fixture
def in_process() -> Callable[..., Ran]:
    """The same command within the test's process: for what ends before a server or a worker is needed."""

    def invoke(*words: str, **env: str) -> Ran:
        result = CliRunner().invoke(app, words, env=env)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return invoke


Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def rows(database_url: str) -> Rows:
    """The answer of a query to the test's database."""

    def ask(query: str) -> list[dict[str, Any]]:
        with psycopg.connect(database_url, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    return ask


Contents = Callable[[str], tuple[list[dict[str, Any]], list[dict[str, Any]]]]


@pytest.fixture
def contents(rows: Rows) -> Contents:
    """An entity's pages and records in the store, but for their ids, times, reasons and aliases."""

    def read(entity: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        of = f"JOIN syncline.entity e ON e.id = entity_id WHERE e.name = '{entity}'"
        pages = rows(
            "SELECT url, state, etag, content_hash, metadata, markdown, anchors, links, "
            f"depth, extractor, chunk_settings FROM syncline.page {of} ORDER BY url"
        )
        records = rows(
            "SELECT external_id, data, content, embed_text, embed_hash, position, span::text, anchor, "
            "headings, weight, lexemes::text, bm25::text, "
            "EXISTS (SELECT FROM syncline.vector_1 v WHERE v.hash = embed_hash) AS embedded, "
            "(SELECT url FROM syncline.page p WHERE p.id = page_id) AS page "
            f"FROM syncline.record {of} ORDER BY external_id"
        )
        return pages, records

    return read


def html(title: str, body: str) -> tuple[int, dict[str, str], str]:
    page = f"<html lang=en><head><title>{title}</title></head><body><main>{body}</main></body></html>"
    return 200, {"Content-Type": "text/html; charset=utf-8"}, page


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses connections."""
    with socket.socket() as held:  # bound and not listening: nobody else gets it, nobody answers
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def make_page() -> Callable[[str, str], tuple[int, dict[str, str], str]]:
    """An HTML page as an answer of `site_server`, from its title and body."""
    return html


@pytest.fixture
def chain() -> Callable[[int], dict[str, Any]]:
    """Routes of a site of `count` pages: a start page that links to all of them."""

    def routes(count: int) -> dict[str, Any]:
        links = "".join(f'<li><a href="/docs/p{n}">Page {n}</a></li>' for n in range(1, count))
        site = {"/docs/": html("Start", f"<h1>Start</h1><p>This is where it begins.</p><ul>{links}</ul>")}
        for n in range(1, count):
            text = f"<h1 id=top{n}>Page {n}</h1><p>What there is to say of number {n}.</p>"
            told = "".join(f"<p>Part {i} of word{n}. {'It is told at length. ' * 8}</p>" for i in range(12))
            text += f"<h2 id=more{n}>More</h2>{told}"
            site[f"/docs/p{n}"] = html(f"Page {n}", text)
        return site

    return routes
