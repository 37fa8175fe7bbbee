"""`LLM` with the real openai client, against a chat completions server on loopback that misbehaves when told to."""

import asyncio
import json
import traceback
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from syncs.llm import LLM, Completion, LLMDeclined, LLMError, LLMInvalidOutput, LLMRefused, LLMTruncated

KEY = "sk-loopback-0123456789"
AT_ONCE = {"Retry-After-Ms": "1"}
Body = dict[str, Any]
Answer = tuple[int, dict[str, str], "Body | bytes"]


class City(BaseModel):
    name: str
    people: int


@dataclass
class ChatServer:
    """Gives its `answers` in order, each a text, a body, or status, headers and body; keeps the requests."""

    url: str = ""
    answers: list[str | Body | bytes | Answer] = field(default_factory=list)
    requests: list[Body] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    echo: bool = False  # answer with the last message

    def llm(self, **options: Any) -> LLM:
        return LLM("loopback", **{"base_url": self.url, "api_key": KEY, "retries": 0, "timeout": 30, **options})

    def answer(self, request: Body, key: str | None) -> Answer:
        self.requests.append(request)
        self.keys.append(key)
        given = request["messages"][-1]["content"] if self.echo else self.answers.pop(0)
        if isinstance(given, str):
            given = said(given)
        return given if isinstance(given, tuple) else (200, {}, given)


def said(content: str | None, *, finish_reason: str = "stop", refusal: str | None = None) -> Body:
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 0,
        "model": "loopback",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def refusal(status: int, message: str = "no", code: str | None = None, param: str | None = None) -> Answer:
    return status, AT_ONCE, {"error": {"message": message, "type": code, "code": code, "param": param}}


@pytest.fixture
def server(site_server: Any) -> ChatServer:
    chat = ChatServer(f"{site_server.url}/v1")
    site_server.serve_json(
        "/v1/chat/completions", lambda asked, request: chat.answer(asked, request.headers["authorization"])
    )
    return chat


def ask(llm: LLM, prompt: Any = "How are you?", **options: Any) -> Any:
    async def main() -> Any:
        try:
            return await llm(prompt, **options)
        finally:
            await llm.aclose()

    return asyncio.run(main())


def failure_of(llm: LLM, **options: Any) -> LLMError:
    with pytest.raises(LLMError) as raised:
        ask(llm, **options)
    return raised.value


def test_a_prompt_is_answered_with_text(server: ChatServer) -> None:
    server.answers = [" Well. \n"]
    assert ask(server.llm(options={"temperature": 0}), system="Be short.") == "Well."
    (request,) = server.requests
    assert request == {
        "model": "loopback",
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "How are you?"}],
        "temperature": 0,
    }
    assert server.keys == [f"Bearer {KEY}"]


def test_messages_are_sent_as_they_are(server: ChatServer) -> None:
    server.answers = ["And you?"]
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": [{"type": "text", "text": "How are you?"}]},
    ]
    ask(server.llm(), messages)
    assert server.requests[0]["messages"] == messages


def test_a_completion_carries_its_tokens(server: ChatServer) -> None:
    without = said("Well.")
    del without["usage"]
    server.answers = [said("Well."), without, '{"name": "Bern", "people": 1}']

    async def main() -> list[Completion[Any]]:
        llm = server.llm()
        done: list[Completion[Any]] = [await llm.complete("a"), await llm.complete("b")]
        done.append(await llm.complete("c", output=City))
        await llm.aclose()
        return done

    assert asyncio.run(main()) == [
        Completion("Well.", 7, 3),
        Completion("Well.", 0, 0),
        Completion(City(name="Bern", people=1), 7, 3),
    ]


def test_a_type_is_asked_for_by_its_strict_schema_and_validated(server: ChatServer) -> None:
    server.answers = ['{"name": "Bern", "people": 134000}']
    assert ask(server.llm(), output=City) == City(name="Bern", people=134000)
    wanted = server.requests[0]["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["strict"] is True
    assert wanted["json_schema"]["schema"]["required"] == ["name", "people"]
    assert wanted["json_schema"]["schema"]["additionalProperties"] is False


@dataclass
class Town:
    name: str


@pytest.mark.parametrize(
    ("output", "answer", "value", "strict"),
    [
        (dict[str, int], '{"a": 1}', {"a": 1}, False),
        (Town, '{"name": "Thun"}', Town("Thun"), True),
        (list[City], '{"value": [{"name": "Bern", "people": 1}]}', [City(name="Bern", people=1)], True),
        (int, '{"value": 3}', 3, True),
        (City | None, '{"value": null}', None, True),
    ],
)
def test_any_type_that_pydantic_knows_can_be_asked_for(
    server: ChatServer, output: Any, answer: str, value: object, strict: bool
) -> None:
    server.answers = [answer]
    assert ask(server.llm(), output=output) == value
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is strict


@pytest.mark.parametrize(
    "refused",
    [
        refusal(400, "This response_format type is unavailable now"),
        refusal(400, "Invalid parameter", param="response_format"),
        refusal(404, "This model does not support structured outputs"),
        refusal(400, "This model does not support response format `json_schema`"),
        (422, AT_ONCE, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be 'text'"}]}),
    ],
)
def test_a_server_without_structured_output_is_given_the_schema_in_the_prompt(
    server: ChatServer, refused: Answer
) -> None:
    server.answers = [refused, '<think>Bern.</think>Sure:\n```json\n{"name": "Bern", "people": 134000}\n```']
    assert ask(server.llm(), output=City, system="Be exact.") == City(name="Bern", people=134000)
    first, second = server.requests
    assert "response_format" in first
    assert "response_format" not in second
    assert [message["role"] for message in second["messages"]] == ["system", "user"]
    asked = second["messages"][1]["content"]
    assert asked.startswith("How are you?\n\nAnswer with one JSON value")
    assert json.loads(asked[asked.index("{") :]) == City.model_json_schema()


def test_the_schema_becomes_a_message_of_its_own_after_one_that_is_no_text_of_the_user(server: ChatServer) -> None:
    server.answers = [refusal(400, "no json_schema here"), '{"name": "Bern", "people": 1}']
    messages = [{"role": "user", "content": [{"type": "text", "text": "Which town?"}]}]
    assert ask(server.llm(), messages, output=City).name == "Bern"
    assert server.requests[1]["messages"][0] == messages[0]
    assert server.requests[1]["messages"][1]["role"] == "user"
    assert len(server.requests[1]["messages"]) == 2


def test_another_refusal_is_not_asked_again(server: ChatServer) -> None:
    server.answers = [refusal(400, "the context is too long")]
    failure = failure_of(server.llm(), output=City)
    assert isinstance(failure, LLMRefused)
    assert "the context is too long" in str(failure)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (said(None, refusal="I will not."), LLMDeclined, "declined to answer (I will not.)"),
        (said("half", finish_reason="content_filter"), LLMDeclined, "content filter"),
        (said('{"name": "Be', finish_reason="length"), LLMTruncated, "max_completion_tokens"),
        (said(None), LLMInvalidOutput, "empty answer"),
        (said("  "), LLMInvalidOutput, "empty answer"),
        (said("I do not know."), LLMInvalidOutput, "did not answer with City: Invalid JSON"),
        (said('{"name": "Bern"'), LLMInvalidOutput, "Invalid JSON"),
        (said('{"name": "Bern", "people": "many"}'), LLMInvalidOutput, "people: Input should be a valid integer"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_its_own_kind(
    server: ChatServer, answer: Body, kind: type[LLMError], says: str
) -> None:
    server.answers = [answer]
    failure = failure_of(server.llm(), output=City)
    assert type(failure) is kind
    assert says in str(failure)
    assert f"loopback at {server.url}" in str(failure)


def test_a_wrong_field_is_told_without_its_value(server: ChatServer) -> None:
    server.answers = ['{"name": "Bern", "people": "hunter2"}']
    failure = failure_of(server.llm(), output=City)
    assert isinstance(failure, LLMInvalidOutput)
    assert [path for path, _ in failure.problems] == ["people"]
    assert "hunter2" not in "".join(traceback.format_exception(failure))


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"choices": []}, {"choices": None}, {"data": []}])
def test_what_is_no_chat_completion_is_refused_and_named(server: ChatServer, body: Any) -> None:
    server.answers = [body]
    failure = failure_of(server.llm())
    assert "no chat completion" in str(failure)
    assert server.url in str(failure)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (refusal(403, f"{KEY} may not"), "OPENAI_API_KEY"),
        (refusal(404, "no such model", "model_not_found"), "does not exist"),
        (refusal(429, "pay", "insufficient_quota"), "quota"),
        (refusal(400, f"what is {KEY}"), "does not take the request"),
        ((422, AT_ONCE, {"detail": "messages: too many"}), "messages: too many"),
    ],
)
def test_a_refusal_for_good_says_what_to_do(server: ChatServer, answer: Answer, says: str) -> None:
    server.answers = [answer]
    failure = failure_of(server.llm())
    assert isinstance(failure, LLMRefused)
    assert says in str(failure)


def test_what_may_pass_is_tried_again(server: ChatServer) -> None:
    server.answers = [refusal(429), refusal(503), "Well."]
    assert ask(server.llm(retries=2)) == "Well."


def test_what_does_not_pass_is_an_error_after_the_last_try(server: ChatServer) -> None:
    server.answers = [refusal(503, "come back tomorrow")] * 2
    failure = failure_of(server.llm(retries=1))
    assert type(failure) is LLMError
    assert "come back tomorrow" in str(failure)
    assert server.answers == []


@pytest.mark.promise("S5")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_the_key_is_in_no_message_context_or_representation(server: ChatServer, status: int) -> None:
    server.answers = [refusal(status, f"the key {KEY}, also known as sk-loop***789, is not right")]
    llm = server.llm()
    failure = failure_of(llm)
    shown = "".join(traceback.format_exception(failure, chain=True)) + repr(failure) + repr(llm)
    assert "sk-loop" not in shown
    assert failure.__context__ is None
    assert failure.__cause__ is None


def test_an_answer_that_never_ends_is_given_up(server: ChatServer) -> None:
    server.answers = [(200, {"Transfer-Encoding": "chunked"}, b"1\r\n{\r\n")]
    assert "within 0.2 seconds" in str(failure_of(server.llm(timeout=0.2)))


def test_a_server_that_is_not_there_is_named_without_the_password_in_its_address() -> None:
    failure = failure_of(LLM("m", base_url="http://user:hunter2@127.0.0.1:1/v1", api_key=KEY, retries=0))
    assert "m at http://127.0.0.1:1/v1 cannot be reached" in str(failure)
    assert "hunter2" not in "".join(traceback.format_exception(failure, chain=True))


def test_the_environment_names_the_server_and_the_key(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    server.answers = ["Well."]
    assert ask(LLM("loopback")) == "Well."
    assert server.keys == [f"Bearer {KEY}"]


def test_a_server_that_wants_no_key_is_used_without_one(server: ChatServer) -> None:
    server.answers = ["Well."]
    assert ask(LLM("loopback", base_url=server.url)) == "Well."


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "set OPENAI_API_KEY"),
        ({"base_url": "127.0.0.1:8080", "api_key": KEY}, "looks like http://127.0.0.1:8080/v1"),
        ({"base_url": "http://[::1/v1", "api_key": KEY}, "looks like http://127.0.0.1:8080/v1"),
        ({"api_key": "sk-ключ"}, "characters that no key has"),
    ],
)
def test_a_setting_that_cannot_be_is_an_error_at_the_first_call_and_not_before(
    options: dict[str, str], says: str
) -> None:
    llm = LLM("m", **options)
    failure = failure_of(llm)
    assert isinstance(failure, LLMRefused)
    assert says in str(failure)


def test_a_closed_model_opens_again(server: ChatServer) -> None:
    server.answers = ["one", "two"]
    llm = server.llm()
    assert (ask(llm), ask(llm)) == ("one", "two")


def test_calls_at_once_do_not_mix(server: ChatServer) -> None:
    async def main() -> list[str]:
        llm = server.llm()
        try:
            return await asyncio.gather(*(llm(f"number {number}") for number in range(8)))
        finally:
            await llm.aclose()

    server.echo = True
    assert asyncio.run(main()) == [f"number {number}" for number in range(8)]
