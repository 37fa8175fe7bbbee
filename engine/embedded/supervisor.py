"""The small process that outlives every user of an embedded server: it starts Postgres, and stops it when the
last user is gone, however that user went.

Standard library only, and run by its path (`python -I -S supervisor.py ROLE FOLDER ...`), so that it starts
in milliseconds and stays small. So what both it and the users need is here: the locks, and how to stop.
"""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = [
    "KEEP_LOCK",
    "SERVER_LOCK",
    "SOCKET_FILE",
    "START_LOCK",
    "SUPERVISOR_LOCK",
    "USERS_LOCK",
    "accepts",
    "clear_socket",
    "discard_socket",
    "is_held",
    "is_same_file",
    "main",
    "open_own",
    "read_postmaster",
    "socket_folder",
    "stop_postmaster",
    "trim_log",
    "try_lock",
]

START_LOCK = "start.lock"
USERS_LOCK = "users.lock"
SERVER_LOCK = "server.lock"
SUPERVISOR_LOCK = "supervisor.lock"
KEEP_LOCK = "keep.lock"
SOCKET_FILE = ".s.PGSQL.5432"

STOP_SECONDS = 60.0  # for the checkpoint of a fast stop, before an immediate one
LOG_BYTES = 4 << 20  # a log above this is cut ...
LOG_KEPT_BYTES = 256 << 10  # ... to its newest lines
LOG_CHECK_SECONDS = 60.0
KEEP_CHECK_SECONDS = 0.25
POLL_SECONDS = 0.02


def open_own(folder: Path, name: str, flags: int = 0) -> int:
    """The descriptor of a private file of the folder, made if missing; a child gets it only if passed."""
    descriptor = os.open(folder / name, flags | os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:  # an ordinary user must be able to open the folder that root once opened for him
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def try_lock(descriptor: int, mode: int) -> bool:
    """Take a `flock` (LOCK_SH or LOCK_EX) without waiting; False where others hold it."""
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(folder: Path, name: str) -> bool:
    """Whether a living process holds the lock exclusively. Makes no file."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who ask at the same time do not take each other for the holder.
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def read_postmaster(folder: Path) -> tuple[int, Path] | None:
    """The process id and the socket that `postmaster.pid` names; of a server that may be long dead."""
    try:
        lines = os.fsdecode((folder / "data" / "postmaster.pid").read_bytes()).split("\n")
        return int(lines[0]), Path(lines[4], f".s.PGSQL.{int(lines[3])}")
    except (FileNotFoundError, IndexError, ValueError):  # none, or still being written
        return None


def socket_folder(folder: Path) -> Path:
    """Where the server's socket is: `socket` in the data folder, or what that links to."""
    place = folder / "socket"
    return place.readlink() if place.is_symlink() else place


def accepts(path: Path) -> bool:
    """Whether a process listens on the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(os.fspath(path))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return False
        except (BlockingIOError, TimeoutError):  # its queue is full: busy, so alive
            return True
    return True


def clear_socket(folder: Path) -> bool:
    """Remove what a killed server left in its socket folder; False where that folder is not there, or not the
    server's own (a link may point anywhere by now, after a cleaning of the temporary folder)."""
    target = socket_folder(folder)
    try:
        found, owner = target.lstat(), (folder / "data").stat()
    except FileNotFoundError:
        return False
    if found.st_uid != owner.st_uid or found.st_mode != stat.S_IFDIR | 0o700:
        return False
    for name in (SOCKET_FILE, SOCKET_FILE + ".lock"):
        (target / name).unlink(missing_ok=True)
    return True


def discard_socket(folder: Path) -> None:
    """Remove the socket folder of a server that is gone."""
    if clear_socket(folder):
        with contextlib.suppress(FileNotFoundError):
            socket_folder(folder).rmdir()
    if (folder / "socket").is_symlink():
        (folder / "socket").unlink(missing_ok=True)


def stop_postmaster(folder: Path, seconds: float = STOP_SECONDS) -> bool:
    """Stop the server: fast (open transactions are rolled back, a checkpoint is written), after `seconds`
    immediately (the next start recovers). True as soon as no process of it is left."""
    began = time.monotonic()
    signals = [(0.0, "INT"), (seconds, "QUIT")]
    while is_held(folder, SERVER_LOCK):
        waited = time.monotonic() - began
        if signals and waited >= signals[0][0]:
            postmaster = read_postmaster(folder)
            # Only a living postmaster listens, so the process id in its file cannot be another's.
            if postmaster and accepts(socket_folder(folder) / SOCKET_FILE):
                _send_signal(folder, postmaster[0], signals.pop(0)[1])
        if waited > 2 * seconds:
            return False
        time.sleep(POLL_SECONDS)
    discard_socket(folder)
    return True


def _send_signal(folder: Path, process: int, name: str) -> None:
    """Signal as the server's own account: root must not trust a number that the server's account wrote."""
    owner = (folder / "data").stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        os.kill(process, signal.Signals[f"SIG{name}"])
    else:
        command = ["/bin/sh", "-c", f"kill -s {name} {process}"]
        subprocess.run(command, user=owner.st_uid, group=owner.st_gid, extra_groups=[], cwd="/", check=False)


def trim_log(path: Path, limit: int = LOG_BYTES, kept: int = LOG_KEPT_BYTES) -> None:
    """Cut a log over `limit` bytes to its last `kept`; in place, for the server appends to the open file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "r+b") as log:
        if log.seek(0, os.SEEK_END) > limit:
            log.seek(-kept, os.SEEK_END)
            tail = log.read(kept).partition(b"\n")[2]
            log.seek(0)
            log.write(tail)
            log.truncate()


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether the path still leads to the open file: a folder may be replaced under its users."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _look_after(folder: Path, users: int) -> None:
    """Once a minute: bound the log, and end if the folder was deleted or replaced under us."""

    def check(_signal: int, _frame: object) -> None:
        if not is_same_file(users, folder / USERS_LOCK):
            raise SystemExit(0)
        trim_log(folder / "server.log")

    signal.signal(signal.SIGALRM, check)
    signal.setitimer(signal.ITIMER_REAL, LOG_CHECK_SECONDS, LOG_CHECK_SECONDS)


def _serve(user: str, group: str, server_lock: str, *command: str) -> None:
    """Start Postgres. Its processes inherit the server's lock, which is theirs to hold. Where it is gone before its
    users are, so are we: whoever starts it again starts a supervisor of its own."""
    signal.signal(signal.SIGCHLD, _end)
    account = int(user) if user else None
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=2,
        cwd="/",
        pass_fds=[int(server_lock)],
        user=account,
        group=int(group) if group else None,
        extra_groups=None if account is None else [],
    )
    os.close(int(server_lock))


def _end(_signal: int, _frame: object) -> None:
    os.waitpid(-1, os.WNOHANG)  # a killed postmaster must not linger as a zombie
    raise SystemExit(0)


def _watch(folder: Path, supervisor_lock: int) -> None:
    """Wait until no user is left, then stop the server."""
    users = open_own(folder, USERS_LOCK)
    _look_after(folder, users)
    fcntl.flock(users, fcntl.LOCK_EX)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nor one that is stopped
    signal.setitimer(signal.ITIMER_REAL, 0)
    if is_same_file(users, folder / USERS_LOCK):
        stop_postmaster(folder)
    os.close(supervisor_lock)  # before the users' lock, so that the next user sees that we are gone
    os.close(users)


def _keep(folder: Path, keep_lock: int) -> None:
    """Be a user, by the inherited lock, until somebody removes the file of the lock that says so."""
    while is_same_file(keep_lock, folder / KEEP_LOCK):
        time.sleep(KEEP_CHECK_SECONDS)


def main(arguments: list[str]) -> None:
    """`serve FOLDER SUPERVISOR_LOCK USER GROUP SERVER_LOCK COMMAND...`, `watch FOLDER SUPERVISOR_LOCK` or
    `keep FOLDER KEEP_LOCK`, with inherited descriptors of locks. Exits at once, and goes on in a child."""
    role, folder, lock, *rest = arguments
    if os.fork():
        os._exit(0)  # whoever started us reaps this process; the child belongs to nobody
    if role == "keep":
        _keep(Path(folder), int(lock))
        return
    if role == "serve":
        _serve(*rest)
    _watch(Path(folder), int(lock))


if __name__ == "__main__":
    main(sys.argv[1:])
