"""The catalogue with OpenAI's own clients: tool calls of a model, which a server on loopback plays."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from engine import MockEngine, PageInput
from syncs import Runtime
from syncs.crawl import site_crawl
from syncs.tools import catalogue, openai_call, openai_tools

pytestmark = [pytest.mark.promise("S4"), pytest.mark.slow]

QUESTION = "How long is a token kept?"
URL = "https://docs.example.org/login"


class Model:
    """A server that plays a chat model: it asks for the tool calls one after another, then it answers."""

    def __init__(self, *calls: tuple[str, str]) -> None:
        self.calls = calls
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(asked)
        chat = path.endswith("/chat/completions")
        turns = asked["messages"] if chat else asked["input"]
        done = sum(turn.get("role") == "tool" or turn.get("type") == "function_call_output" for turn in turns)
        call = self.calls[done] if done < len(self.calls) else None
        return chat_completion(call, done) if chat else response(call, done)

    @property
    def answers(self) -> list[dict[str, Any]]:
        """What the tools answered, as the model was told."""
        last = self.requests[-1]
        told = [turn["content"] for turn in last.get("messages", ()) if turn["role"] == "tool"]
        told += [turn["output"] for turn in last.get("input", ()) if turn.get("type") == "function_call_output"]
        return [json.loads(text) for text in told]


def chat_completion(call: tuple[str, str] | None, number: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if call else "A day."}
    if call is not None:
        function = {"name": call[0], "arguments": call[1]}
        message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def response(call: tuple[str, str] | None, number: int) -> dict[str, Any]:
    item: dict[str, Any]
    if call is not None:
        item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "status": "completed"}
        item |= {"name": call[0], "arguments": call[1]}
    else:
        text = {"type": "output_text", "text": "A day.", "annotations": []}
        item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text]}
    whole = {"id": f"r_{number}", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    return {**whole, "output": [item], "parallel_tool_calls": False, "tool_choice": "auto", "tools": []}


@pytest.fixture
def play(make_site_server: Any) -> Callable[..., Model]:
    """Starts a model that makes the given tool calls."""

    def start(*calls: tuple[str, str]) -> Model:
        model, site = Model(*calls), make_site_server()
        model.url = f"{site.url}/v1"
        for path in ("/v1/chat/completions", "/v1/responses"):
            site.serve_json(path, lambda asked, request: (200, {}, model.answer(request.path, asked)))
        return model

    return start


async def stored() -> Runtime:
    """A runtime with one stored page, and a crawl."""
    engine = MockEngine()
    text = "A token is kept for a day."
    page = PageInput(
        url=URL,
        markdown=f"# Login\n\n{text}\n",
        metadata={"title": "Login"},
        fetched_at=1_700_000_000.0,
        records=[{"external_id": "login_0", "data": {"markdown": text}, "headings": ["Login"], "anchor": "login"}],
    )
    await engine.swap_pages(connection_id="SYSTEM", name="docs", pages=[page])
    return Runtime(engine=engine, syncs={"site_crawl": site_crawl})


CALLS = (
    ("search", '{"query": "token", "site": null, "k": null, "mode": null, "filter": null}'),
    ("page", f'{{"url": "{URL}", "anchor": null, "offset": null, "max_characters": null}}'),
    ("page", f'{{"url": "{URL}/x"}}'),
    ("search", '{"query": "token", "k": 0}'),
    ("serch", "{}"),
    ("sites", "{"),
)


def check_answers(answers: list[dict[str, Any]]) -> None:
    """What the six calls above are answered."""
    found, page, missing, wrong, unknown, broken = answers
    assert [(hit["url"], hit["anchor"], hit["site"]) for hit in found["results"]] == [(URL, "login", "docs")]
    assert found["results"][0]["fetched_at"] == "2023-11-14T22:13:20Z"
    assert "A token is kept for a day." in page["text"]
    assert "is not stored: crawl its site first" in missing["error"]
    assert wrong == {"error": "search: invalid arguments: k: Input should be greater than or equal to 1"}
    assert "did you mean 'search'?" in unknown["error"]
    assert "the arguments are not JSON" in broken["error"]


def test_chat_completions_call_the_tools(play: Callable[..., Model]) -> None:
    model = play(*CALLS)

    async def main() -> str | None:
        tools = catalogue(await stored())
        call = openai_call(tools)
        messages: list[Any] = [{"role": "user", "content": QUESTION}]
        async with AsyncOpenAI(base_url=model.url, api_key="none") as client:
            while True:
                answer = await client.chat.completions.create(
                    model="m", messages=messages, tools=openai_tools(tools, api="chat")
                )
                message = answer.choices[0].message
                messages.append(message)
                if not message.tool_calls:
                    return message.content
                for wanted in message.tool_calls:
                    output = await call(wanted.function.name, wanted.function.arguments)
                    messages.append({"role": "tool", "tool_call_id": wanted.id, "content": output})

    assert asyncio.run(main()) == "A day."
    check_answers(model.answers)
    sent = {tool["function"]["name"]: tool["function"]["strict"] for tool in model.requests[0]["tools"]}
    assert sent == {
        "search": False,
        "page": True,
        "sites": True,
        "status": True,
        "runs": True,
        "explain": True,
        "site_crawl": True,
        "refresh_site": True,
    }


def test_responses_call_the_tools(play: Callable[..., Model]) -> None:
    model = play(*CALLS)

    async def main() -> str:
        tools = catalogue(await stored())
        call = openai_call(tools)
        turns: list[Any] = [{"role": "user", "content": QUESTION}]
        async with AsyncOpenAI(base_url=model.url, api_key="none") as client:
            while True:
                answer = await client.responses.create(model="m", input=turns, tools=openai_tools(tools))
                turns += answer.output
                wanted = [item for item in answer.output if item.type == "function_call"]
                if not wanted:
                    return answer.output_text
                for item in wanted:
                    output = await call(item.name, item.arguments)
                    turns.append({"type": "function_call_output", "call_id": item.call_id, "output": output})

    assert asyncio.run(main()) == "A day."
    check_answers(model.answers)
    assert {tool["type"] for tool in model.requests[0]["tools"]} == {"function"}


def function_tools(runtime: Runtime) -> list[Any]:
    """The catalogue as tools of openai-agents, by the code that the documentation shows."""
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "FunctionTool" in block)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/agents.md", "exec"), names)
    made: list[Any] = names["function_tools"](runtime)
    return made


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_openai_agents_take_the_tools_and_call_them(play: Callable[..., Model], api: str) -> None:
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner

    model = play(CALLS[0], CALLS[1], CALLS[2], CALLS[3])

    async def main() -> object:
        tools = function_tools(await stored())
        async with AsyncOpenAI(base_url=model.url, api_key="none") as client:
            kind = OpenAIChatCompletionsModel if api == "chat" else OpenAIResponsesModel
            agent = Agent(name="docs", tools=tools, model=kind(model="m", openai_client=client))
            result = await Runner.run(agent, QUESTION, run_config=RunConfig(tracing_disabled=True))
        return result.final_output

    assert asyncio.run(main()) == "A day."
    found, page, missing, wrong = model.answers
    assert found["results"][0]["url"] == page["url"] == URL
    assert "error" in missing
    assert "k: Input should be greater" in wrong["error"]


def test_the_strict_schemas_are_what_openai_agents_makes_of_them() -> None:
    from agents.strict_schema import ensure_strict_json_schema

    async def main() -> list[dict[str, Any]]:
        return openai_tools(await stored())

    strict = [tool["parameters"] for tool in asyncio.run(main()) if tool["strict"]]
    assert len(strict) == 7
    for schema in strict:
        assert ensure_strict_json_schema(json.loads(json.dumps(schema))) == schema
