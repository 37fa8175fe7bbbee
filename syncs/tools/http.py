"""The MCP server over streamable HTTP: who may reach it, and its start and end."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

from syncs.errors import SyncError
from syncs.runtime import Runtime
from syncs.tools.mcp import mcp_server
from syncs.tools.tool import Tool

if TYPE_CHECKING:
    from mcp.server.transport_security import TransportSecuritySettings

__all__ = ["CannotListen", "UnsafeAddress", "check_address", "serve_http"]

PATH = "/mcp"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d+)?")
LAST_WORDS_SECONDS = 3  # how long open connections may go on once the server is told to end


class UnsafeAddress(SyncError):
    """The server would answer to any host name, or a name is none; the message says what to do."""


class CannotListen(SyncError):
    """The address cannot be listened on; the message says why."""


def check_address(host: str, allow_hosts: Sequence[str]) -> "TransportSecuritySettings":
    """The Host and Origin headers that are answered: loopback's names where it is bound there, and `allow_hosts`.

    A web page that a person has open can have any name resolve to this machine (DNS rebinding), so that the
    names must be known. A name without a port allows every port. Raises `UnsafeAddress` where none is given.
    """
    names = [*(LOOPBACK if _is_loopback(host) else ()), *allow_hosts]
    if not names:
        raise UnsafeAddress(
            f"bound to {host}, the server can be reached from other machines: name the hosts that it is called by "
            "(--allow-host docs.example.org), so that no other is answered"
        )
    wrong = [name for name in allow_hosts if not _HOST.fullmatch(name)]
    if wrong:
        raise UnsafeAddress(
            f"{wrong[0]!r} is no host: write a name or an address (IPv6 in brackets), with or without a port"
        )
    from mcp.server.transport_security import TransportSecuritySettings

    hosts = [host for name in names for host in ((name,) if _has_port(name) else (name, f"{name}:*"))]
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)


async def serve_http(
    source: Runtime | Sequence[Tool],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_hosts: Sequence[str] = (),
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until the task is cancelled; `on_ready` is told the address. Port 0 takes a free one.

    There is no authentication: whoever reaches an address that is not loopback can call every tool. Raises
    `UnsafeAddress`, `CannotListen`, and `MissingExtra` without the package mcp.
    """
    server = mcp_server(source)
    settings = check_address(host, allow_hosts)
    import uvicorn

    class Quiet(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # what a signal means is the program's to decide: it cancels this task

    app = server.streamable_http_app(streamable_http_path=PATH, transport_security=settings, host=host)
    with _listening(host, port) as listener:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=LAST_WORDS_SECONDS, lifespan="on"
        )
        running = Quiet(config)
        serving = asyncio.ensure_future(running.serve(sockets=[listener]))
        if on_ready is not None:
            shown = f"[{host}]" if ":" in host else host
            on_ready(f"http://{shown}:{listener.getsockname()[1]}{PATH}")
        try:
            await asyncio.wait({serving})
        except asyncio.CancelledError:
            running.should_exit = True
            await asyncio.wait({serving})
            raise
        serving.result()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens: whoever is told of the address can connect at once."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise CannotListen(f"cannot listen on {host}, port {port}: {error}: choose another with --port") from error
    with listener:
        yield listener


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_port(name: str) -> bool:
    return not name.endswith("]") and ":" in name
