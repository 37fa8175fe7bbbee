"""What a failed database means: what passes when tried again, and for the rest a sentence with the remedy."""

import re

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from engine.errors import StoreUnavailable

__all__ = ["describe_dsn", "is_passing", "parse_dsn", "reason_of", "store_error"]

# An @ or / of a password that is not percent-encoded: libpq would take the rest of the password for a host.
_STRAY_AT = re.compile(r"[^:/?]*://[^?]*[@/][^?]*@")

# SQLSTATEs of a connection that is gone, or a server that stops or starts (PostgreSQL, appendix A).
_LOST = ("08", "57P01", "57P02", "57P03")
_RETRIED = (errors.DeadlockDetected, errors.SerializationFailure)


def parse_dsn(dsn: str) -> dict[str, str | int | None]:
    """The parts of a DSN, by libpq. Raises psycopg.ProgrammingError, whose text may hold the password."""
    if _STRAY_AT.match(dsn):
        raise psycopg.ProgrammingError("more than one @")
    return conninfo_to_dict(dsn)


def describe_dsn(dsn: str) -> str:
    """Where a DSN points, for messages: host, port and database, never user or password."""
    try:
        parts = parse_dsn(dsn)
    except (psycopg.ProgrammingError, UnicodeError):
        return "the given database address"
    where = parts.get("host") or parts.get("hostaddr") or "the local server"
    return f"{parts.get('dbname') or 'the default database'} on {where}:{parts.get('port') or 5432}"


def reason_of(error: Exception) -> str:
    """The line of a database's message that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Multiple connection attempts failed"):
        del lines[0]
    return lines[0].removeprefix("- ").rstrip(".") if lines else type(error).__name__


def _is_lost(error: psycopg.Error) -> bool:
    if isinstance(error, PoolTimeout) or not isinstance(error, psycopg.OperationalError):
        return False
    # libpq's own errors have no SQLSTATE: the server, or the way to it, went away.
    return error.sqlstate is None or error.sqlstate.startswith(_LOST)


def is_passing(error: psycopg.Error) -> bool:
    """True where the transaction may simply be tried again: a deadlock, a lost connection, a restart."""
    return isinstance(error, _RETRIED) or _is_lost(error)


def store_error(error: psycopg.Error, where: str) -> StoreUnavailable:
    """The error to raise in place of the driver's, with what to do. `where` names the store."""
    reason = reason_of(error)
    match error:
        case PoolTimeout():
            message = (
                f"No connection to {where} came free in time: raise SYNCLINE_POOL_SIZE or SYNCLINE_POOL_TIMEOUT "
                "(limits), or check that the server is up and accepts more connections (max_connections)."
            )
        case errors.DiskFull():
            message = f"The disk under {where} is full: free some space and run the same again. What was stored stays."
        case errors.QueryCanceled() | errors.LockNotAvailable():
            message = (
                f"{where} cancelled a statement ({reason}): raise its statement_timeout or lock_timeout, or "
                "SYNCLINE_STATEMENT_TIMEOUT, or run the same again."
            )
        case errors.InsufficientPrivilege():
            message = (
                f"{where} refuses ({reason}): connect as the role that set up the store, or let it grant "
                "its rights on the schema syncline."
            )
        case errors.ReadOnlySqlTransaction():
            message = f"{where} is read-only ({reason}): connect to the primary server to write."
        case _ if _is_lost(error):
            message = (
                f"The connection to {where} was lost ({reason}): check that the server runs, then run the "
                "same again. What was committed stays."
            )
        case _:
            message = f"{where} failed ({reason}): run the same again; if it fails again, see the server's log."
    return StoreUnavailable(message)
