"""`syncline mcp`: the store and the syncs for agents, over the Model Context Protocol."""

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from syncs import Runtime
from syncs.cli.options import Db, Debug
from syncs.cli.output import fail, notice
from syncs.cli.running import App, run_with_runtime

__all__ = ["mcp"]


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP instead of standard input and output.")] = False,
    host: Annotated[str, typer.Option(help="With --http: the address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --http: the port; 0 takes a free one.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="With --http: a host name that is answered to; may be repeated.", show_default=False),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only the tools that change nothing.")] = False,
    app: App = None,
    db: Db = None,
    debug: Debug = False,
) -> None:
    """Serve the store and the syncs to agents (MCP)."""
    # Here, so that no other command waits for it.
    from syncs.tools import catalogue
    from syncs.tools.extras import need
    from syncs.tools.http import UnsafeAddress, check_address, serve_http
    from syncs.tools.stdio import serve_stdio

    output = sys.stdout

    async def work(runtime: Runtime) -> None:
        need("mcp", "mcp")
        tools = catalogue(runtime, read_only=read_only)
        if not http:
            if sys.stdin.isatty():
                notice("Waiting for an MCP client on standard input; agents start this command themselves.")
            with redirect_stdout(output):
                await serve_stdio(tools)
            return
        try:
            check_address(host, allow_host or ())
        except UnsafeAddress as error:
            fail(str(error), 2)
        await serve_http(tools, host=host, port=port, allow_hosts=allow_host or (), on_ready=_say)

    with redirect_stdout(sys.stderr):  # standard output is the protocol's, whatever a user's module prints
        run_with_runtime(work, app=app, db=db, debug=debug)


def _say(url: str) -> None:
    notice(f"Listening on {url}; Ctrl-C ends it.")
