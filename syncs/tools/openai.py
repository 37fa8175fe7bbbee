"""The catalogue for OpenAI's Chat Completions and Responses, and every server that speaks them."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from syncs.runtime import Runtime
from syncs.tools.catalogue import tools_of
from syncs.tools.schema import strict
from syncs.tools.tool import Tool, ToolError, find

__all__ = ["openai_call", "openai_tools"]


def openai_tools(
    source: Runtime | Sequence[Tool], *, api: Literal["chat", "responses"] = "responses"
) -> list[dict[str, Any]]:
    """What to give as `tools=` to `chat.completions.create` or to `responses.create`.

    A tool is strict where its schema can be expressed so: an argument that may be left out is then null.
    """
    functions = [_function(tool) for tool in tools_of(source).values()]
    if api == "responses":
        return [{"type": "function", **function} for function in functions]
    return [{"type": "function", "function": function} for function in functions]


def openai_call(source: Runtime | Sequence[Tool]) -> Callable[[str, str], Awaitable[str]]:
    """The function that answers a model's tool calls: `await call(name, arguments)`, JSON text in and out.

    A call that fails is answered with `{"error": ...}`, for the model to read; nothing but a cancellation is
    raised.
    """
    tools = tools_of(source)

    async def call(name: str, arguments: str) -> str:
        try:
            answer = await find(tools, name).call(_parsed(name, arguments))
        except ToolError as error:
            answer = {"error": str(error)}
        return json.dumps(answer, ensure_ascii=False)

    return call


def _function(tool: Tool) -> dict[str, Any]:
    schema = strict(tool.input_schema)
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.input_schema) if schema is None else schema,
        "strict": schema is not None,
    }


def _parsed(name: str, arguments: str) -> object:
    try:
        return json.loads(arguments or "{}")
    except ValueError as error:
        raise ToolError(f"{name}: the arguments are not JSON ({error}): write a JSON object") from error
