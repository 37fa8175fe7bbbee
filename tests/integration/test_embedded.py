"""The embedded Postgres with real processes: shared, killed anywhere, kept, stopped with its last user."""

import asyncio
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import psycopg
import pytest

from engine.embedded import EmbeddedServer, ServerStatus, server_status, start_server, stop_server
from engine.embedded import server as server_module
from engine.embedded.binaries import find_install
from engine.embedded.supervisor import socket_folder
from engine.errors import StoreUnavailable

pytestmark = pytest.mark.slow

IS_ROOT = os.geteuid() == 0
SECONDS = 60.0

USER = """
import asyncio, os, signal, sys
from pathlib import Path
import psycopg
from engine.embedded import EmbeddedServer

def obey(server, word):
    if word == "query":
        with psycopg.connect(server.conninfo) as connection:
            return connection.execute("SELECT 'answer'").fetchone()[0]
    if word == "fork" and (child := os.fork()):
        return child
    if word == "fork":
        signal.pause()

async def main():
    server = await EmbeddedServer.open(Path(sys.argv[1]))
    signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "close":
            await server.close()
        print(obey(server, line.strip()), flush=True)

asyncio.run(main())
"""

STARTER = """
import asyncio, sys
from pathlib import Path
from engine.embedded import start_server

print(asyncio.run(start_server(Path(sys.argv[1]))).url)
"""


def until(condition: Callable[[], bool], reason: str) -> None:
    """Wait for a condition, for a minute at most."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {SECONDS:.0f} seconds: {reason}"
        time.sleep(0.02)


@dataclass
class User:
    """Another process that uses the server of a folder, in a process group of its own."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, folder: Path) -> "User":
        command = [sys.executable, "-c", USER, os.fspath(folder)]
        pipe = subprocess.PIPE
        return cls(subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, start_new_session=True))

    def read(self) -> str:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], SECONDS)[0], "the user process says nothing"
        return self.process.stdout.readline().decode().strip()

    def say(self, word: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        return self.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def start_user() -> Iterator[Callable[[Path], User]]:
    users: list[User] = []

    def start(folder: Path) -> User:
        users.append(User.start(folder))
        return users[-1]

    yield start
    for user in users:
        user.kill()


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """A data folder that was opened and closed once."""
    folder = Path(tempfile.mkdtemp(prefix="emb-", dir="/tmp"))

    async def open_once() -> None:
        await (await EmbeddedServer.open(folder)).close()

    asyncio.run(open_once())
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(template: Path, place: Path) -> Path:
    """A data folder of the test's own, with nothing running in it."""
    subprocess.run(["cp", "-a", os.fspath(template), os.fspath(place / "store")], check=True)
    return place / "store"


def status(folder: Path) -> ServerStatus:
    return asyncio.run(server_status(folder))


def postmaster(folder: Path) -> int:
    process = status(folder).process
    assert process is not None
    return process


def until_stopped(folder: Path) -> None:
    until(lambda: not status(folder).running, "the server stops when nobody uses it")


def open_server(folder: Path) -> EmbeddedServer:
    return asyncio.run(EmbeddedServer.open(folder))


def close(*servers: EmbeddedServer) -> None:
    for server in servers:
        asyncio.run(server.close())


def query(conninfo: str, statement: str) -> str:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return str((cursor.fetchone() or [""])[0]) if cursor.description else ""


# --- one process ---


def test_the_first_open_makes_the_database_and_the_last_close_stops_the_server(place: Path) -> None:
    folder = place / "new" / "store"
    first = open_server(folder)
    second = open_server(folder)
    assert query(first.conninfo, "SELECT current_database()") == "syncline"
    assert query(second.conninfo, "SHOW server_encoding") == "UTF8"
    assert query(second.conninfo, "SELECT datlocale FROM pg_database WHERE datname = 'syncline'") == "C.UTF-8"
    close(first)
    assert query(second.conninfo, "SELECT 1") == "1"
    close(second, second)
    assert not status(folder).running
    assert status(folder).url is None


def test_only_the_owner_and_root_get_in_and_nothing_listens_on_tcp(folder: Path) -> None:
    server = open_server(folder)
    for name, value in {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "fsync": "on",
        "synchronous_commit": "on",
        "jit": "off",
        "maintenance_work_mem": "512MB",
        "shared_buffers": "128MB",
        "max_connections": "100",
    }.items():
        assert query(server.conninfo, f"SHOW {name}") == value
    for private in (socket_folder(folder), folder / "data"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert private.stat().st_uid == (folder / "data").stat().st_uid
    close(server)


ODD_NAMES = ["a b", "100%", "a#b?c=d&e", 'it\'s "quoted"\\', "päth-文", "a,b", "deep" * 40]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_path_works_and_psql_understands_the_url(place: Path, template: Path, name: str) -> None:
    folder = place / name
    subprocess.run(["cp", "-a", os.fspath(template), os.fspath(folder)], check=True)
    server = open_server(folder)
    sockets = socket_folder(folder)
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert query(server.conninfo, "SELECT 1") == "1"
    os.kill(postmaster(folder), signal.SIGKILL)
    where = server.conninfo
    again = open_server(folder)
    assert query(where, "SELECT 1") == "1"
    psql = os.fspath(find_install().folder / "bin" / "psql")
    command = [psql, server.url, "-XAtc", "SELECT current_database()"]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "syncline\n"
    close(server, again)
    assert not sockets.exists()


def test_nothing_is_made_outside_of_the_data_folder(folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that all users of a machine share would shut out the second one."""
    temporary = place / "tmp"
    temporary.mkdir(mode=0o555)
    for name in ("TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, os.fspath(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = sorted(path.name for path in place.iterdir())
    server = open_server(folder)
    assert query(server.conninfo, "SELECT 1") == "1"
    assert list(temporary.iterdir()) == []
    close(server)
    assert sorted(path.name for path in place.iterdir()) == before
    assert list(temporary.iterdir()) == []


def test_a_recovery_that_takes_minutes_is_waited_for_and_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = server_module._answers
    spent = chain([0.0, 30.0, 60.0, 120.0, 240.0], repeat(299.0))
    silent = iter([False] * 4)
    monkeypatch.setattr(server_module._Patience, "spent", property(lambda patience: next(spent)))
    monkeypatch.setattr(server_module, "_answers", lambda of: next(silent, True) and answers(of))
    server = open_server(folder)
    assert query(server.conninfo, "SELECT 1") == "1"
    assert ["takes long: it recovers from a crash" in record.message for record in caplog.records] == [True]
    close(server)


def test_a_server_that_never_answers_is_given_up_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module._Patience, "spent", property(lambda patience: 301.0))
    monkeypatch.setattr(server_module, "_answers", lambda of: False)
    with pytest.raises(StoreUnavailable, match=r"has not answered for 300 seconds \(`syncline db stop --force`"):
        open_server(folder)
    monkeypatch.undo()
    until_stopped(folder)


def test_a_cancelled_open_leaves_no_user_behind(place: Path) -> None:
    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(EmbeddedServer.open(place / "store"), 0.1)

    asyncio.run(give_up())
    until_stopped(place / "store")
    server = open_server(place / "store")
    close(server)
    assert not status(place / "store").running


# --- several processes, and their deaths ---


def test_four_processes_at_once_share_one_first_open(place: Path, start_user: Callable[[Path], User]) -> None:
    users = [start_user(place / "store") for _ in range(4)]
    assert [user.read() for user in users] == ["ready"] * 4
    assert [user.say("query") for user in users] == ["answer"] * 4
    for user in users[:3]:
        user.say("close")
    assert users[3].say("query") == "answer"
    users[3].say("close")
    assert not status(place / "store").running


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_user_neither_stops_the_server_nor_keeps_it(
    folder: Path, start_user: Callable[[Path], User], death: signal.Signals
) -> None:
    first, second = start_user(folder), start_user(folder)
    assert (first.read(), second.read()) == ("ready", "ready")
    process = postmaster(folder)
    first.process.send_signal(death)
    first.process.wait(SECONDS)
    assert second.say("query") == "answer"
    assert postmaster(folder) == process
    second.process.send_signal(death)
    second.process.wait(SECONDS)
    until_stopped(folder)


def test_a_forked_worker_does_not_keep_the_server(folder: Path, start_user: Callable[[Path], User]) -> None:
    user = start_user(folder)
    assert user.read() == "ready"
    worker = int(user.say("fork"))
    user.kill()
    try:
        until_stopped(folder)
    finally:
        os.kill(worker, signal.SIGKILL)


def test_ctrl_c_reaches_neither_server_nor_supervisor(folder: Path, start_user: Callable[[Path], User]) -> None:
    user = start_user(folder)
    assert user.read() == "ready"
    process = postmaster(folder)
    os.killpg(user.process.pid, signal.SIGINT)
    assert user.read() == "interrupted"
    assert user.say("query") == "answer"
    assert postmaster(folder) == process
    user.kill()
    until_stopped(folder)


def supervisors(folder: Path) -> list[list[str]]:
    commands = [Path(entry, "cmdline") for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    words = []
    for command in commands:
        with suppress(OSError):  # processes end
            words.append(command.read_bytes().decode("utf-8", "replace").split("\0"))
    return [word for word in words if "serve" in word and str(folder) in word]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the supervisors by Linux's /proc")
def test_a_supervisor_whose_server_was_killed_does_not_wait_for_the_last_user(folder: Path) -> None:
    server = open_server(folder)
    for _ in range(3):
        os.kill(postmaster(folder), signal.SIGKILL)
        close(open_server(folder))
    until(lambda: len(supervisors(folder)) == 1, "the supervisors of killed servers are gone")
    assert query(server.conninfo, "SELECT 1") == "1"
    close(server)
    assert not status(folder).running
    until(lambda: not supervisors(folder), "and so is the last one")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the supervisor by Linux's /proc")
def test_a_killed_supervisor_is_replaced_by_the_next_open(folder: Path, start_user: Callable[[Path], User]) -> None:
    server = open_server(folder)
    process = postmaster(folder)
    parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(parent), signal.SIGKILL)
    user = start_user(folder)
    assert user.read() == "ready"
    assert postmaster(folder) == process
    close(server)
    assert user.say("query") == "answer"
    user.kill()
    until_stopped(folder)


def test_after_a_killed_postmaster_the_next_open_restarts_with_all_that_was_committed(folder: Path) -> None:
    server = open_server(folder)
    query(server.conninfo, "CREATE TABLE kept (id int); INSERT INTO kept SELECT generate_series(1, 1000)")
    for _ in range(3):
        process = postmaster(folder)
        os.kill(process, signal.SIGKILL)
        again = open_server(folder)
        assert postmaster(folder) != process
        assert query(again.conninfo, "SELECT count(*) FROM kept") == "1000"
        close(again)
    assert query(server.conninfo, "SELECT count(*) FROM kept") == "1000"
    close(server)
    assert not status(folder).running


@pytest.mark.parametrize("state", ["dead", "zombie", "another program's"])
def test_a_stale_process_id_does_not_hinder_a_start(folder: Path, state: str) -> None:
    server = open_server(folder)
    written = (folder / "data" / "postmaster.pid").read_text()
    close(server)
    owner = (folder / "data").stat().st_uid if IS_ROOT else None
    other = subprocess.Popen(["sleep", "60" if state == "another program's" else "0"], user=owner)
    try:
        if state == "dead":
            other.wait(SECONDS)
        if state == "zombie":
            os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        stale = written.replace(written.split()[0], str(other.pid), 1)
        (folder / "data" / "postmaster.pid").write_text(stale)
        again = open_server(folder)
        assert query(again.conninfo, "SELECT 1") == "1"
        assert postmaster(folder) != other.pid
        close(again)
        assert state != "another program's" or other.poll() is None
    finally:
        other.kill()
        other.wait(SECONDS)


def test_an_opener_killed_in_its_first_open_leaves_nothing_in_the_way(
    place: Path, start_user: Callable[[Path], User]
) -> None:
    folder = place / "store"
    user = start_user(folder)
    until(lambda: any(folder.glob("data.new-*/base")), "initdb has begun")
    user.kill()
    assert not (folder / "data").exists()
    server = open_server(folder)
    assert query(server.conninfo, "SELECT 1") == "1"
    assert not list(folder.glob("data.new-*"))
    close(server)


# --- kept running ---


def test_a_kept_server_runs_until_it_is_stopped(folder: Path, start_user: Callable[[Path], User]) -> None:
    command = [sys.executable, "-c", STARTER, os.fspath(folder)]
    url = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    assert query(url, "SELECT 1") == "1"
    process = postmaster(folder)
    close(open_server(folder))
    assert asyncio.run(start_server(folder)).process == process
    assert status(folder).kept
    user = start_user(folder)
    assert user.read() == "ready"
    stopping = asyncio.run(stop_server(folder))
    assert (stopping.running, stopping.kept) == (True, False)
    assert user.say("query") == "answer"
    user.say("close")
    assert not status(folder).running
    assert not asyncio.run(stop_server(folder)).running


def test_a_forced_stop_stops_under_its_users_and_they_can_open_again(folder: Path) -> None:
    server = open_server(folder)
    assert not asyncio.run(stop_server(folder, force=True)).running
    with pytest.raises(psycopg.OperationalError):
        query(server.conninfo, "SELECT 1")
    again = open_server(folder)
    assert query(server.conninfo, "SELECT 1") == "1"
    close(server, again)
    assert not status(folder).running


def test_stop_and_status_of_a_missing_folder_make_nothing(place: Path) -> None:
    assert not asyncio.run(stop_server(place / "none")).running
    assert not status(place / "none").running
    assert not (place / "none").exists()
