"""The catalogue as LangChain tools. Needs the extra `syncline[langchain]`."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from syncs.runtime import Runtime
from syncs.tools.catalogue import tools_of
from syncs.tools.extras import need
from syncs.tools.tool import Tool, ToolError

if TYPE_CHECKING:
    from langchain_core.tools import StructuredTool

__all__ = ["langchain_tools"]


def langchain_tools(source: Runtime | Sequence[Tool]) -> "list[StructuredTool]":
    """`StructuredTool`s to be used with `ainvoke`.

    The content is JSON text, the artifact the same as an object. A call that fails gives its error as content,
    with the status "error". Raises `MissingExtra` without langchain-core.
    """
    need("langchain_core", "langchain")
    from langchain_core.tools import StructuredTool

    return [
        StructuredTool(
            name=tool.name,
            description=tool.description,
            args_schema=dict(tool.input_schema),
            coroutine=_coroutine(tool),
            response_format="content_and_artifact",
            handle_tool_error=True,
        )
        for tool in tools_of(source).values()
    ]


def _coroutine(tool: Tool) -> Callable[..., Awaitable[tuple[str, dict[str, Any]]]]:
    from langchain_core.tools import ToolException

    async def call(**arguments: Any) -> tuple[str, dict[str, Any]]:
        try:
            answer = await tool.call(arguments)
        except ToolError as error:
            raise ToolException(str(error)) from error
        return json.dumps(answer, ensure_ascii=False), answer

    return call
