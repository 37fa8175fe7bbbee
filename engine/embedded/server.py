"""Open, join, keep and stop the embedded server.

Who lives is known by locks (`flock`) on files of the data folder, which the kernel frees however one dies:

    start.lock        exclusive: the one process that looks at, starts or stops the server (and its initdb)
    users.lock        shared: every user; exclusive: who stops the server, so nobody is a user then
    server.lock       exclusive, inherited by all processes of the server: free when none of them is alive
    supervisor.lock   shared: the processes that wait for the last user to go, to stop the server then
    keep.lock         exclusive: the process that is a user until `stop_server` removes this file
"""

import asyncio
import logging
import os
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from engine.embedded import supervisor
from engine.embedded.accounts import Account, server_account
from engine.embedded.binaries import Install, find_install, reachable_install
from engine.embedded.folder import (
    SUPERUSER,
    check_folder,
    default_folder,
    initialise_data,
    prepare_folder,
)
from engine.embedded.launch import describe_log, ensure_supervised, start_keeper, start_postgres
from engine.embedded.supervisor import (
    KEEP_LOCK,
    SERVER_LOCK,
    START_LOCK,
    USERS_LOCK,
    is_held,
    is_same_file,
    open_own,
    try_lock,
)
from engine.errors import StoreUnavailable

if sys.platform != "win32":
    from fcntl import LOCK_EX, LOCK_SH

__all__ = ["EmbeddedServer", "ServerStatus", "server_status", "start_server", "stop_server"]

log = logging.getLogger(__name__)

DATABASE = "syncline"
# Giving up as the only user stops the server, and so throws a recovery after a crash away: be patient.
OPEN_SECONDS = 300.0
SLOW_SECONDS = 5.0
LEAST_DISK = 32_000_000  # bytes: two segments of the server's log


class EmbeddedServer:
    """One user of the server in a data folder, made by `open`, ended by `close` or death."""

    def __init__(self, folder: Path, users_lock: int) -> None:
        self.folder = folder
        self._users_lock: int | None = users_lock
        # A forked worker inherits the lock but is no user: it must not keep the server alive after us.
        reference = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(reference()))

    @classmethod
    async def open(cls, folder: Path | None = None) -> "EmbeddedServer":
        """Join the server of the folder (None: `default_folder()`); make and start it where needed.

        `StoreUnavailable` names the folder, what is wrong with it and the remedy.
        """
        patience = _Patience()
        opening = asyncio.ensure_future(asyncio.to_thread(_open, folder, patience))
        try:
            return cls(*await asyncio.shield(opening))
        except asyncio.CancelledError:
            patience.cancelled.set()
            await asyncio.wait([opening])  # a thread goes on, and nobody else would release its lock
            if not opening.cancelled() and opening.exception() is None:
                os.close(opening.result()[1])
            raise

    @property
    def conninfo(self) -> str:
        """Where the database is, as libpq keywords and values."""
        return _conninfo(self.folder, DATABASE)

    @property
    def url(self) -> str:
        """Where the database is, as a URI for `psql` and other programs."""
        return _url(self.folder)

    async def close(self) -> None:
        """Stop being a user. The last one stops the server, and returns when it has stopped."""
        users_lock, self._users_lock = self._users_lock, None
        if users_lock is not None:
            await asyncio.to_thread(_close, self.folder, users_lock)

    def _forget(self) -> None:
        if self._users_lock is not None:
            os.close(self._users_lock)  # the parent's descriptor still holds the lock
            self._users_lock = None


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What is known of the server in a data folder. `kept`: it runs until `stop_server`; `process`: the
    postmaster's id; `url`: the database's URI while it runs."""

    folder: Path
    running: bool
    kept: bool
    process: int | None
    url: str | None


async def server_status(folder: Path | None = None) -> ServerStatus:
    """Look, and change nothing."""
    return await asyncio.to_thread(_status, folder)


async def start_server(folder: Path | None = None) -> ServerStatus:
    """Start the server where it is not running, and keep it running until `stop_server`."""
    server = await EmbeddedServer.open(folder)
    try:
        await asyncio.to_thread(_keep, server.folder)
        return await server_status(server.folder)
    finally:
        await server.close()


async def stop_server(folder: Path | None = None, *, force: bool = False) -> ServerStatus:
    """Keep the server no longer: it stops now if nobody uses it, else with its last user (then `running`).
    With `force` it stops now, and the users lose their connections."""
    return await asyncio.to_thread(_stop, folder, force)


@dataclass(slots=True)
class _Patience:
    """How long one call waits for others, unless it is cancelled."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self.began

    def pause(self) -> bool:
        """Wait for a moment, longer each time; False where the time is over."""
        if self.cancelled.wait(min(0.02 + self.spent / 20, 0.25)):
            raise StoreUnavailable("opening the embedded Postgres was cancelled")
        return self.spent < OPEN_SECONDS

    def lock(self, descriptor: int, mode: int, folder: Path) -> None:
        while not try_lock(descriptor, mode):
            if not self.pause():
                raise StoreUnavailable(
                    f"another process has been starting or stopping the embedded Postgres in {folder} for "
                    f"{OPEN_SECONDS:.0f} seconds: see {folder / 'server.log'}"
                )


def _forget(server: EmbeddedServer | None) -> None:
    if server is not None:
        server._forget()


def _resolve(folder: Path | None) -> Path:
    if sys.platform == "win32":
        raise StoreUnavailable(
            "the embedded Postgres does not run on Windows yet: name a database with --db or DATABASE_URL"
        )
    return (folder or default_folder()).expanduser().resolve()


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """A full disk, a missing right, a read-only mount: one sentence that names the folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        at = f" ({error.filename})" if error.filename and str(error.filename) != str(folder) else ""
        raise StoreUnavailable(
            f"the embedded Postgres cannot use the folder {folder}: {reason}{at}; "
            "make it writable and free some space, or choose another folder with --db"
        ) from error


@contextmanager
def _start_lock(folder: Path, patience: _Patience) -> Iterator[int]:
    descriptor = open_own(folder, START_LOCK)
    try:
        patience.lock(descriptor, LOCK_EX, folder)
        yield descriptor
    finally:
        os.close(descriptor)


def _open(folder: Path | None, patience: _Patience) -> tuple[Path, int]:
    """The resolved folder, and the descriptor that makes its holder a user of the running server."""
    folder = _resolve(folder)
    with _usable(folder), ExitStack() as stack:
        install = find_install()
        check_folder(folder, install.major)
        account = server_account(folder)
        prepare_folder(folder, account)
        with _start_lock(folder, patience) as start_lock:
            users_lock = open_own(folder, USERS_LOCK)
            stack.callback(os.close, users_lock)
            patience.lock(users_lock, LOCK_SH, folder)
            if not (folder / "data").exists():
                initialise_data(folder, reachable_install(install, account, folder), account, start_lock)
            _ensure_running(folder, install, account, patience)
            ensure_supervised(folder)
        stack.pop_all()
    return folder, users_lock


def _ensure_running(folder: Path, install: Install, account: Account | None, patience: _Patience) -> None:
    """Return when the server answers a query: start it, once, if no process of it lives; else wait for it."""
    started, warned, log_start = False, False, 0
    while not _answers(folder):
        if not is_held(folder, SERVER_LOCK):
            if started:
                raise StoreUnavailable(
                    f"the embedded Postgres in {folder} did not start{_short_of_disk(folder)}; "
                    f"{describe_log(folder, log_start)}"
                )
            log_start = start_postgres(folder, reachable_install(install, account, folder), account)
            started = True
        if not warned and patience.spent > SLOW_SECONDS:
            warned = True
            log.warning("the embedded Postgres in %s takes long: it recovers from a crash, or stops", folder)
        if not patience.pause():
            raise StoreUnavailable(
                f"the embedded Postgres in {folder} has not answered for {OPEN_SECONDS:.0f} seconds "
                f"(`syncline db stop --force` stops it); {describe_log(folder, log_start)}"
            )


def _answers(folder: Path) -> bool:
    """Whether the server answers a query; makes the database where it is not there yet."""
    import psycopg

    try:
        with psycopg.connect(_conninfo(folder, "postgres"), autocommit=True, connect_timeout=10) as server:
            known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if not known.fetchone():
                server.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.errors.DiskFull as error:
        raise StoreUnavailable(f"the disk that holds {folder} is full: free some space") from error
    except psycopg.OperationalError as error:
        return "too many clients" in str(error)  # busy, but there
    return True


def _conninfo(folder: Path, database: str) -> str:
    from psycopg.conninfo import make_conninfo

    host = os.fspath(supervisor.socket_folder(folder))
    return make_conninfo("", host=host, port=5432, dbname=database, user=SUPERUSER)


def _url(folder: Path) -> str:
    host = quote(os.fsencode(supervisor.socket_folder(folder)), safe="")
    return f"postgresql://{SUPERUSER}@/{DATABASE}?host={host}&port=5432"


def _close(folder: Path, users_lock: int) -> None:
    patience = _Patience()
    try:
        if is_same_file(users_lock, folder / USERS_LOCK):
            with _usable(folder), _start_lock(folder, patience):
                _stop_if_unused(folder, users_lock, patience)
    finally:
        os.close(users_lock)


def _stop_if_unused(folder: Path, users_lock: int, patience: _Patience) -> None:
    if try_lock(users_lock, LOCK_EX):
        _stop_now(folder)
    else:  # beside other users at once, or as soon as a supervisor has stopped the server
        patience.lock(users_lock, LOCK_SH, folder)


def _stop_now(folder: Path) -> None:
    if not supervisor.stop_postmaster(folder):
        raise StoreUnavailable(
            f"the embedded Postgres in {folder} does not stop: see {folder / 'server.log'}, "
            f"and end the process that {folder / 'data' / 'postmaster.pid'} names"
        )


def _status(folder: Path | None) -> ServerStatus:
    folder = _resolve(folder)
    with _usable(folder):
        kept = is_held(folder, KEEP_LOCK)
        if not is_held(folder, SERVER_LOCK):
            return ServerStatus(folder, False, kept, None, None)
        postmaster = supervisor.read_postmaster(folder)
        return ServerStatus(folder, True, kept, postmaster[0] if postmaster else None, _url(folder))


def _keep(folder: Path) -> None:
    patience = _Patience()
    with _usable(folder), _start_lock(folder, patience), ExitStack() as stack:
        keep_lock = open_own(folder, KEEP_LOCK)
        stack.callback(os.close, keep_lock)
        if is_held(folder, KEEP_LOCK):
            return
        patience.lock(keep_lock, LOCK_EX, folder)
        users_lock = open_own(folder, USERS_LOCK)
        stack.callback(os.close, users_lock)
        patience.lock(users_lock, LOCK_SH, folder)
        start_keeper(folder, keep_lock, users_lock)


def _end_keeper(folder: Path, patience: _Patience) -> None:
    if not (folder / KEEP_LOCK).exists():
        return
    keep_lock = open_own(folder, KEEP_LOCK)
    try:
        (folder / KEEP_LOCK).unlink()
        patience.lock(keep_lock, LOCK_SH, folder)
    finally:
        os.close(keep_lock)


def _stop(folder: Path | None, force: bool) -> ServerStatus:
    folder, patience = _resolve(folder), _Patience()
    with _usable(folder):
        if (folder / "data").exists():
            with _start_lock(folder, patience), ExitStack() as stack:
                _end_keeper(folder, patience)
                users_lock = open_own(folder, USERS_LOCK)
                stack.callback(os.close, users_lock)
                if force:
                    _stop_now(folder)
                else:
                    _stop_if_unused(folder, users_lock, patience)
    return _status(folder)


def _short_of_disk(folder: Path) -> str:
    """What is to be said where the disk has no room for the server's log, which a start writes to."""
    free = shutil.disk_usage(folder).free
    return f": its disk is full ({free / 1e6:.0f} MB free), free some space" if free < LEAST_DISK else ""
