"""A crawl interrupted or killed: what is done is kept, nothing is left running, the next run goes on."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.embedded import server_status

pytestmark = pytest.mark.slow

PAGES = 24
SECONDS = 30.0


class Gate:
    """A page that is not answered until the gate is opened; `reached` says that it was asked for."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, request: Any) -> Any:
        self.reached.set()
        self.open.wait(SECONDS)
        return self.answer


@pytest.fixture
def gate_at(site_server, chain) -> Callable[[int], Gate]:
    """Makes the site hang at page `n`."""
    gates: list[Gate] = []

    def hang(n: int) -> Gate:
        site_server.routes = chain(PAGES)
        gate = Gate(site_server.routes[f"/docs/p{n}"])
        site_server.routes[f"/docs/p{n}"] = gate
        gates.append(gate)
        return gate

    yield hang
    for gate in gates:
        gate.open.set()


def until(condition: Callable[[], bool], reason: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {SECONDS:.0f} seconds: {reason}"
        time.sleep(0.02)


def stored(rows, entity: str) -> int:
    """Pages that another session sees."""
    try:
        return len(
            rows(
                "SELECT FROM syncline.page p JOIN syncline.entity e ON e.id = entity_id "
                f"WHERE e.name = '{entity}' AND content_hash IS NOT NULL"
            )
        )
    except psycopg.errors.UndefinedTable:
        return 0


def interrupt(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C does: the signal goes to every process of the group."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.promise("C10")
@pytest.mark.promise("S2")
def test_ctrl_c_ends_a_crawl_with_its_report_and_the_next_run_goes_on(
    syncline, site_server, gate_at, database_url: str, rows, contents
) -> None:
    gate = gate_at(20)
    start = f"{site_server.url}/docs/"
    words = ("crawl", start, "--name", "cut", "--json", "--db", database_url)
    process = syncline.start(*words)
    assert gate.reached.wait(SECONDS)
    until(lambda: stored(rows, "cut") > 0, "a page is stored")
    interrupt(process)
    began = time.monotonic()
    cut = syncline.end(process)
    assert time.monotonic() - began < 10
    assert cut.code == 130
    assert "Traceback" not in cut.err
    assert "Error" not in cut.err
    report = cut.json
    assert report["status"] == "interrupted"
    pages = report["pages"]
    assert pages["stored"] == stored(rows, "cut") > 0
    assert pages["discovered"] == pages["stored"]
    assert pages["discovered"] + pages["waiting"] == PAGES
    run = rows(f"SELECT state, ended_at FROM syncline.run WHERE id = '{report['run_id']}'")[0]
    assert (run["state"], run["ended_at"] is not None) == ("cancelled", True)

    gate.open.set()
    asked_before = len(site_server.paths)
    rest = syncline(*words)
    assert rest.code == 0, rest.err
    assert f"going on with the crawl that was cut off: {pages['stored']} pages are done" in rest.err
    assert rest.json["pages"]["stored"] == PAGES - pages["stored"]
    again = [path for path in site_server.paths[asked_before:] if path.startswith("/docs/p")]
    assert len(again) <= PAGES - pages["stored"]

    assert syncline("crawl", start, "--name", "whole", "--db", database_url).code == 0
    assert contents("cut") == contents("whole")


def test_ctrl_c_for_people_says_interrupted_and_so_does_sigterm(
    syncline, site_server, gate_at, database_url: str
) -> None:
    gate = gate_at(5)
    for number in (signal.SIGINT, signal.SIGTERM):
        gate.reached.clear()
        process = syncline.start("crawl", f"{site_server.url}/docs/", "--db", database_url)
        assert gate.reached.wait(SECONDS)
        process.send_signal(number)
        ran = syncline.end(process)
        assert ran.code == 130
        assert ": interrupted\n" in ran.out
        assert "Traceback" not in ran.err


def test_ctrl_c_before_the_first_page_is_taken_up_has_a_report_too(
    syncline, site_server, database_url: str, rows
) -> None:
    robots = Gate((404, {}, b""))
    site_server.routes = {"/robots.txt": robots}
    process = syncline.start("crawl", f"{site_server.url}/docs/", "--json", "--db", database_url)
    assert robots.reached.wait(SECONDS)
    interrupt(process)
    ran = syncline.end(process)
    robots.open.set()
    assert (ran.code, ran.json["status"], ran.json["pages"]["discovered"]) == (130, "interrupted", 0)
    assert rows("SELECT FROM syncline.entity") == []


@pytest.mark.promise("C10")
@pytest.mark.promise("E1")
@pytest.mark.parametrize("page", [1, 22])
def test_a_crawl_killed_anywhere_ends_with_the_store_of_an_undisturbed_one(
    syncline, site_server, gate_at, database_url: str, rows, contents, page: int
) -> None:
    gate = gate_at(page)
    start = f"{site_server.url}/docs/"
    words = ("crawl", start, "--name", "killed", "--json", "--db", database_url)
    process = syncline.start(*words)
    assert gate.reached.wait(SECONDS)
    if page > 20:
        until(lambda: stored(rows, "killed") > 0, "a page is stored")
    process.kill()
    assert syncline.end(process).code == -signal.SIGKILL  # and its workers have let go of its output
    done = stored(rows, "killed")
    gate.open.set()
    rest = syncline(*words)
    assert rest.code == 0, rest.err
    assert rest.json["status"] == "complete"
    assert rest.json["pages"]["stored"] == PAGES - done

    assert syncline("crawl", start, "--name", "whole", "--db", database_url).code == 0
    assert contents("killed") == contents("whole")


def test_a_killed_crawl_leaves_no_embedded_server_behind(syncline, gate_at, site_server, open_folder: Path) -> None:
    folder = open_folder / "killed"
    gate = gate_at(12)
    words = ("crawl", f"{site_server.url}/docs/", "--json", "--db", os.fspath(folder))
    process = syncline.start(*words)
    assert gate.reached.wait(SECONDS)
    running = asyncio.run(server_status(folder))
    assert running.running
    process.kill()
    syncline.end(process)
    until(lambda: not asyncio.run(server_status(folder)).running, "the server stops with its last user")
    gate.open.set()
    rest = syncline(*words)
    assert (rest.code, rest.json["status"]) == (0, "complete")
    assert not asyncio.run(server_status(folder)).running


def test_two_crawls_of_one_site_at_a_time_are_refused(syncline, gate_at, site_server, database_url: str) -> None:
    gate = gate_at(5)
    words = ("crawl", f"{site_server.url}/docs/", "--db", database_url)
    first = syncline.start(*words)
    assert gate.reached.wait(SECONDS)
    second = syncline(*words)
    assert second.code == 1
    assert "is being crawled by another process: wait for it, or stop it." in second.error
    gate.open.set()
    assert syncline.end(first).code == 0
