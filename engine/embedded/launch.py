"""Start the server and the supervisor that stops it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from engine.embedded import supervisor
from engine.embedded.accounts import Account
from engine.embedded.binaries import Install
from engine.embedded.folder import prepare_socket
from engine.embedded.supervisor import (
    SERVER_LOCK,
    SUPERVISOR_LOCK,
    accepts,
    open_own,
    read_postmaster,
    trim_log,
    try_lock,
)
from engine.errors import StoreUnavailable

if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_SH

__all__ = ["describe_log", "ensure_supervised", "start_keeper", "start_postgres"]

POLL_SECONDS = 0.02
SHARED_MEMORY_BYTES = 1 << 30
LOG_LINES = 6


def start_postgres(folder: Path, install: Install, account: Account | None) -> int:
    """Start the server under a supervisor of its own; the length of the log before."""
    _discard_stale_postmaster(folder)
    sockets = prepare_socket(folder, account)
    log_file = folder / "server.log"
    trim_log(log_file)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": '"' + os.fspath(sockets).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        "port": "5432",
        "logging_collector": "off",
    }
    if _has_little_shared_memory():
        settings["dynamic_shared_memory_type"] = "mmap"
    command = [os.fspath(install.postgres), "-D", os.fspath(folder / "data")]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    server_lock = open_own(folder, SERVER_LOCK)
    try:
        while not try_lock(server_lock, LOCK_EX):  # somebody is looking whether it is held
            time.sleep(POLL_SECONDS)
        user = [str(account.uid), str(account.gid)] if account else ["", ""]
        log_start = log_file.stat().st_size if log_file.exists() else 0
        _supervise(folder, "serve", [*user, str(server_lock), *command], inherit=[server_lock])
    finally:
        os.close(server_lock)
    return log_start


def _supervise(folder: Path, role: str, arguments: Sequence[str] = (), *, inherit: Sequence[int] = ()) -> None:
    lock = open_own(folder, SUPERVISOR_LOCK)
    try:
        try_lock(lock, LOCK_SH)
        _run_supervisor(folder, role, lock, arguments, inherit=inherit)
    finally:
        os.close(lock)


def _run_supervisor(
    folder: Path, role: str, lock: int, arguments: Sequence[str] = (), *, inherit: Sequence[int] = ()
) -> None:
    """Start the supervisor in a session of its own: neither Ctrl-C nor a closed terminal reaches it."""
    log_file = open_own(folder, "server.log", os.O_APPEND)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    try:
        subprocess.run(
            [sys.executable, "-I", "-S", supervisor.__file__, role, os.fspath(folder), str(lock), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log_file,
            pass_fds=[lock, *inherit],
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            start_new_session=True,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise StoreUnavailable(
            f"the supervisor of the embedded Postgres in {folder} did not start "
            f"(exit code {error.returncode}): see {folder / 'server.log'}"
        ) from error
    finally:
        os.close(log_file)


def ensure_supervised(folder: Path) -> None:
    """A supervisor may have been killed: a server that nobody would stop gets a new one."""
    lock = open_own(folder, SUPERVISOR_LOCK)
    unsupervised = try_lock(lock, LOCK_EX)
    os.close(lock)
    if unsupervised:
        _supervise(folder, "watch")


def start_keeper(folder: Path, keep_lock: int, users_lock: int) -> None:
    """Start a process that holds both locks until the file of the first is removed."""
    _run_supervisor(folder, "keep", keep_lock, inherit=[users_lock])


def _discard_stale_postmaster(folder: Path) -> None:
    """Remove the `postmaster.pid` of a killed server, for no process of ours serves the folder now. Postgres
    would believe the number in it as long as any process bears it, a zombie included."""
    postmaster = read_postmaster(folder)
    if postmaster and accepts(postmaster[1]):
        raise StoreUnavailable(
            f"{folder / 'data'} is served by process {postmaster[0]}, which Syncline did not start: "
            f"stop it (kill -INT {postmaster[0]})"
        )
    (folder / "data" / "postmaster.pid").unlink(missing_ok=True)


def _has_little_shared_memory() -> bool:
    """Containers often have 64 MB in /dev/shm, too little for a parallel index build."""
    try:
        system = os.statvfs("/dev/shm")
    except FileNotFoundError:
        return False
    return system.f_blocks * system.f_frsize < SHARED_MEMORY_BYTES


def describe_log(folder: Path, start: int) -> str:
    """The last lines that the server wrote from `start` (bytes) on, for an error."""
    path = folder / "server.log"
    with path.open("rb") as log:
        log.seek(start)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()[-LOG_LINES:]
    return f"the last lines of {path}: " + (" | ".join(lines) if lines else "none")
