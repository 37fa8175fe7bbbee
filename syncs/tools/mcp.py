"""The catalogue as an MCP server, for `stdio` and `http` to serve. Needs the extra `syncline[mcp]`.

Built on the SDK's low-level server, which sends our own schemas and errors as they are.
"""

import asyncio
import importlib.metadata
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from syncs.context import Progress
from syncs.runtime import Runtime
from syncs.tools.catalogue import tools_of
from syncs.tools.extras import need
from syncs.tools.tool import Report, Tool, ToolError, find
from syncs.tools.untrusted import NOTICE, plain

if TYPE_CHECKING:
    from mcp.server import Server
    from mcp.server.context import ServerRequestContext
    from mcp_types import (
        CallToolRequestParams,
        CallToolResult,
        ListResourcesResult,
        ListResourceTemplatesResult,
        ListToolsResult,
        PaginatedRequestParams,
        ReadResourceRequestParams,
        ReadResourceResult,
    )
    from mcp_types import Tool as MCPTool

__all__ = ["PAGE_URI", "SITES_URI", "mcp_server"]

PAGE_URI = "syncline://page/"
SITES_URI = "syncline://sites"
MOST_PAGE_CHARACTERS = 40_000
REPORT_SECONDS = 0.25  # between two progress notifications of a call

INSTRUCTIONS = (
    "Documentation websites, crawled into a store: search finds the sections that answer a question, page reads on, "
    f"sites lists what there is. {NOTICE}"
)


def mcp_server(source: Runtime | Sequence[Tool]) -> "Server[Any]":
    """The tools as a server of the official SDK; its `run` and `streamable_http_app` serve it.

    An answer is structured content and the same as JSON text; an error is a result with `isError`, whose text
    the agent can act on. Where the client asks for progress, a run's reports are sent as notifications, and
    cancelling a request cancels its run. Raises `MissingExtra` without the package mcp.
    """
    need("mcp", "mcp")
    from mcp.server import Server

    handlers = _Handlers(tools_of(source))
    reads = {"page", "sites"} <= handlers.tools.keys()
    return Server(
        "syncline",
        version=importlib.metadata.version("syncline"),
        title="Syncline",
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources if reads else None,
        on_list_resource_templates=handlers.list_templates if reads else None,
        on_read_resource=handlers.read_resource if reads else None,
    )


class _Handlers:
    """The requests of MCP, answered from the tools."""

    def __init__(self, tools: dict[str, Tool]) -> None:
        self.tools = tools

    async def list_tools(
        self, ctx: "ServerRequestContext[Any]", params: "PaginatedRequestParams | None"
    ) -> "ListToolsResult":
        from mcp_types import ListToolsResult

        return ListToolsResult(tools=[_described(tool) for tool in self.tools.values()])

    async def call_tool(self, ctx: "ServerRequestContext[Any]", params: "CallToolRequestParams") -> "CallToolResult":
        from mcp_types import CallToolResult, TextContent

        try:
            tool = find(self.tools, params.name)
            answer = await _to_its_end(tool.call(params.arguments or {}, _report_to(ctx)))
        except ToolError as error:
            return CallToolResult(content=[TextContent(text=str(error))], is_error=True)
        text = json.dumps(answer, ensure_ascii=False)
        return CallToolResult(content=[TextContent(text=text)], structured_content=answer)

    async def list_resources(
        self, ctx: "ServerRequestContext[Any]", params: "PaginatedRequestParams | None"
    ) -> "ListResourcesResult":
        from mcp_types import ListResourcesResult, Resource

        sites = Resource(
            uri=SITES_URI,
            name="sites",
            title="The sites",
            description=self.tools["sites"].description,
            mime_type="application/json",
        )
        return ListResourcesResult(resources=[sites])

    async def list_templates(
        self, ctx: "ServerRequestContext[Any]", params: "PaginatedRequestParams | None"
    ) -> "ListResourceTemplatesResult":
        from mcp_types import ListResourceTemplatesResult, ResourceTemplate

        page = ResourceTemplate(
            uri_template=PAGE_URI + "{+url}",
            name="page",
            title="A page",
            description=f"A page that was crawled, by its URL, as markdown; of a long one the first "
            f"{MOST_PAGE_CHARACTERS:,} characters. {NOTICE}",
            mime_type="text/markdown",
        )
        return ListResourceTemplatesResult(resource_templates=[page])

    async def read_resource(
        self, ctx: "ServerRequestContext[Any]", params: "ReadResourceRequestParams"
    ) -> "ReadResourceResult":
        from mcp import MCPError
        from mcp_types import INVALID_PARAMS, ReadResourceResult, TextResourceContents

        try:
            if params.uri == SITES_URI:
                text, mime_type, meta = json.dumps(await self.tools["sites"].call({})), "application/json", None
            elif params.uri.startswith(PAGE_URI):
                asked = {"url": params.uri.removeprefix(PAGE_URI), "max_characters": MOST_PAGE_CHARACTERS}
                meta = await self.tools["page"].call(asked)
                text, mime_type = meta.pop("text"), "text/markdown"
            else:
                raise ToolError(f"there is no resource {params.uri!r}: read {SITES_URI} or {PAGE_URI}<the page's URL>")
        except ToolError as error:
            raise MCPError(INVALID_PARAMS, str(error)) from error
        contents = TextResourceContents(uri=params.uri, mime_type=mime_type, text=text, _meta=meta)
        return ReadResourceResult(contents=[contents])


def _described(tool: Tool) -> "MCPTool":
    from mcp_types import Tool as MCPTool
    from mcp_types import ToolAnnotations

    return MCPTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.input_schema),
        output_schema=dict(tool.output_schema),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )


def _report_to(ctx: "ServerRequestContext[Any]", clock: Callable[[], float] = time.monotonic) -> Report:
    """Progress as notifications that the client can keep up with: the first report, and then one now and then."""
    count, sent = 0, -REPORT_SECONDS

    async def report(progress: Progress) -> None:
        nonlocal count, sent
        count += 1
        if count > 1 and clock() - sent < REPORT_SECONDS:
            return
        sent = clock()
        counters = ", ".join(f"{name} {value}" for name, value in progress.counters.items())
        text = ": ".join(part for part in (progress.message, counters) if part)
        await ctx.session.report_progress(count, message=plain(text))

    return report


async def _to_its_end(call: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """The result of `call`. When the request is cancelled, so is the call, once, and its end is waited for.

    A task of its own: the SDK's cancel scope cancels whoever awaits in it again and again, and a run could not
    write its end.
    """
    import anyio

    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task})
        raise
    return task.result()
