"""The catalogue as LangChain's own objects, and what is said where an optional package is missing."""

import asyncio
import importlib.util
import json
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from engine import MockEngine
from syncs import Runtime
from syncs.crawl import site_crawl
from syncs.tools import catalogue
from syncs.tools.extras import MissingExtra
from syncs.tools.langchain import langchain_tools
from syncs.tools.mcp import mcp_server

pytestmark = pytest.mark.promise("S4")


async def filled() -> Runtime:
    engine = MockEngine()
    await engine.sync_records(
        connection_id="users", name="notes", records=[{"external_id": "a", "data": {"markdown": "A token is kept."}}]
    )
    return Runtime(engine=engine, syncs={"site_crawl": site_crawl})


def test_tools_are_invoked_with_content_and_artifact() -> None:
    async def main() -> None:
        tools = {tool.name: tool for tool in langchain_tools(await filled())}
        assert list(tools) == ["search", "page", "sites", "status", "runs", "explain", "site_crawl", "refresh_site"]
        assert list(tools["search"].args) == ["query", "site", "k", "mode", "filter"]
        found = await tools["search"].ainvoke({"query": "token"})
        assert json.loads(found)["results"][0]["site"] == "notes"
        call = {"type": "tool_call", "id": "1", "name": "search", "args": {"query": "token", "k": None}}
        message = await tools["search"].ainvoke(call)
        assert isinstance(message, ToolMessage)
        assert (message.status, message.artifact) == ("success", json.loads(str(message.content)))

    asyncio.run(main())


def test_an_error_is_content_that_the_agent_reads() -> None:
    async def main() -> None:
        tools = {tool.name: tool for tool in langchain_tools(await filled())}
        call = {"type": "tool_call", "id": "1", "name": "search", "args": {"query": "x", "k": 0}}
        message = await tools["search"].ainvoke(call)
        assert isinstance(message, ToolMessage)
        assert message.status == "error"
        assert message.content == "search: invalid arguments: k: Input should be greater than or equal to 1"

    asyncio.run(main())


def test_a_model_is_told_of_the_same_schema_as_everywhere() -> None:
    runtime = asyncio.run(filled())
    for tool, shown in zip(catalogue(runtime), langchain_tools(runtime), strict=True):
        function = convert_to_openai_tool(shown)["function"]
        assert (function["name"], function["description"]) == (tool.name, tool.description)
        assert function["parameters"]["properties"] == tool.input_schema["properties"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (langchain_tools, "the package langchain_core is not installed: pip install 'syncline[langchain]'"),
        (mcp_server, "the package mcp is not installed: pip install 'syncline[mcp]'"),
    ],
)
def test_a_missing_package_is_one_sentence(make: Any, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncs.tools.extras.find_spec", lambda name: None)
    assert importlib.util.find_spec("mcp") is not None
    with pytest.raises(MissingExtra) as missing:
        make(Runtime(engine=MockEngine()))
    assert str(missing.value) == sentence
