"""Credentials of one's own for a site behind a login: sent to one origin, and shown to nobody."""

import base64
import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.errors import BadInput
from ingest.models import Fetcher, FetchRequest, FetchResponse
from ingest.urls import Origin, origin, parse

__all__ = ["Session", "SessionFetcher"]

_FIELDS = ("headers", "cookies", "basic", "bearer")
# They belong to the request itself; a wrong one would break it, or lead it elsewhere.
_NOT_SETTABLE = frozenset(
    {
        "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "accept-encoding",
        "user-agent", "proxy-authorization", "if-none-match", "if-modified-since", "range", "expect",
    }
)  # fmt: skip
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Session:
    """Headers, cookies and a basic or bearer authorization for the start URL's origin.

    `basic` is (user, password). The values are in no message, and not in this object's `repr`. Raises
    BadInput, naming the entry and never its value, for what no header can hold.
    """

    def __init__(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        bearer: str | None = None,
    ) -> None:
        if basic is not None and bearer is not None:
            raise BadInput("the session has both basic and bearer; a request can carry only one of them")
        found = {name.lower(): _checked("header", name, value) for name, value in (headers or {}).items()}
        for name in found:
            if name in _NOT_SETTABLE:
                raise BadInput(f"the session sets the header {name}, which is the crawler's own; leave it out")
        if cookies:
            if "cookie" in found:
                raise BadInput("the session has cookies and a Cookie header; give one of them")
            pairs = (f"{name}={_checked('cookie', name, value, but=';, ')}" for name, value in cookies.items())
            found["cookie"] = "; ".join(pairs)
        if basic is not None or bearer is not None:
            if "authorization" in found:
                raise BadInput("the session has an Authorization header beside basic or bearer; give one of them")
            found["authorization"] = _basic(*basic) if basic else f"Bearer {_checked('bearer', '', bearer or '')}"
        self._headers = found

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Session":
        """The session that a TOML file describes: tables `headers`, `cookies` and `basic` (user, password), and
        `bearer`. Raises BadInput naming the file."""
        where = Path(path).expanduser()
        try:
            written = tomllib.loads(where.read_text("utf-8"))
        except OSError as error:
            raise BadInput(
                f"the session file {where} cannot be read: {os.strerror(error.errno or 0).lower()}"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # its message may quote the file
            raise BadInput(f"the session file {where} is not a TOML document in UTF-8") from None
        try:
            return cls._of(written)
        except BadInput as error:
            raise BadInput(f"{error} (in the session file {where})") from None

    @classmethod
    def from_environment(cls) -> "Session | None":
        """The session of the file that `SYNCLINE_SESSION` names; None where it is not set."""
        path = os.environ.get("SYNCLINE_SESSION", "").strip()
        return cls.from_file(path) if path else None

    @classmethod
    def _of(cls, written: Mapping[str, Any]) -> "Session":
        unknown = sorted(set(written) - set(_FIELDS))
        if unknown:
            raise BadInput(f"the session has the unknown entry {unknown[0]!r}; it may have {', '.join(_FIELDS)}")
        basic = _table(written, "basic")
        if basic and set(basic) != {"user", "password"}:
            raise BadInput("the session's table basic must have user and password, and nothing else")
        bearer = written.get("bearer")
        if bearer is not None and not isinstance(bearer, str):
            raise BadInput("the session's bearer must be a string")
        return cls(
            headers=_table(written, "headers"),
            cookies=_table(written, "cookies"),
            basic=(basic["user"], basic["password"]) if basic else None,
            bearer=bearer,
        )

    @property
    def headers(self) -> dict[str, str]:
        """What is added to a request. Secret."""
        return dict(self._headers)

    def __repr__(self) -> str:
        return f"<Session with {', '.join(sorted(self._headers)) or 'nothing'}>"


class SessionFetcher:
    """A `Fetcher` that adds a session to the requests for one origin (RFC 6454), and to no other.

    A redirect is a request of its own, so what another host, port or scheme is asked for goes without.
    """

    def __init__(self, fetcher: Fetcher, session: Session, start: str) -> None:
        self._fetcher = fetcher
        self._session = session
        self._origin: Origin = origin(start)

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        """The answer of the fetcher behind this one. The request's own headers go before the session's."""
        address = parse(request.url)
        if address is None or origin(address) != self._origin:
            return await self._fetcher.fetch(request)
        own = {name.lower() for name in request.headers}
        added = {name: value for name, value in self._session.headers.items() if name not in own}
        return await self._fetcher.fetch(replace(request, headers={**added, **request.headers}))

    async def aclose(self) -> None:
        """Close the fetcher behind this one."""
        await self._fetcher.aclose()


def _table(written: Mapping[str, Any], name: str) -> dict[str, str]:
    table = written.get(name, {})
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise BadInput(f"the session's {name} must be a table of strings")
    return dict(table)


def _checked(what: str, name: str, value: str, *, but: str = "") -> str:
    """`value`, where a header can hold it (RFC 9110 section 5.5; cookies RFC 6265 section 4.1.1)."""
    if what != "bearer" and not (name and _TOKEN.issuperset(name)):
        raise BadInput(f"the session has a {what} whose name is not one that HTTP knows")
    called = f"{what} {name}" if name else what
    if not (value.isascii() and value.isprintable() and value == value.strip()) or any(sign in value for sign in but):
        raise BadInput(f"the session's {called} has a value that no header can hold")
    return value


def _basic(user: str, password: str) -> str:
    if ":" in user or not (user + password).isprintable():
        raise BadInput("the session's basic user must have no colon, and neither part a control character")
    try:
        pair = base64.b64encode(f"{user}:{password}".encode())
    except UnicodeEncodeError:
        raise BadInput("the session's basic user or password cannot be written in UTF-8") from None
    return f"Basic {pair.decode('ascii')}"
