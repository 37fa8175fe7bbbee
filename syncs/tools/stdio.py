"""The MCP server over standard input and output. Needs the extra `syncline[mcp]`."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, TextIO

from syncs.runtime import Runtime
from syncs.tools.mcp import mcp_server
from syncs.tools.tool import Tool

__all__ = ["serve_stdio"]


async def serve_stdio(source: Runtime | Sequence[Tool]) -> None:
    """Serve one client until it closes standard input.

    Standard output is the protocol's: what tools print goes to standard error meanwhile. Raises `MissingExtra`
    without the package mcp.
    """
    server = mcp_server(source)
    from mcp.server.stdio import stdio_server

    with _taken_stdin() as file:
        lines: Any = _lines(file)  # the SDK asks for a file of anyio's, and only iterates over it
        async with stdio_server(stdin=lines) as (received, sent):
            await server.run(received, sent, server.create_initialization_options())


async def _lines(file: TextIO) -> AsyncIterator[str]:
    """The lines of `file`, read in a thread that nobody has to wait for.

    The SDK's own reader cannot be cancelled while it waits for a line, so that a signal would not end the server.
    """
    loop = asyncio.get_running_loop()
    read: asyncio.Queue[str | None] = asyncio.Queue()

    def take() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            for line in file:
                loop.call_soon_threadsafe(read.put_nowait, line)
            loop.call_soon_threadsafe(read.put_nowait, None)

    Thread(target=take, name="standard input", daemon=True).start()
    while (line := await read.get()) is not None:
        yield line


@contextmanager
def _taken_stdin() -> Iterator[TextIO]:
    """Standard input under another descriptor, so that no process that is started meanwhile reads from it."""
    private, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        # Never closed: a thread may be reading it, and would read what the descriptor is used for next.
        yield os.fdopen(private, encoding="utf-8", errors="replace", closefd=False)
    finally:
        os.dup2(private, 0)
