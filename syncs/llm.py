"""`LLM`: a prompt in, text or a validated object out, from any server that speaks OpenAI's chat completions.

LLMError               no answer: out of reach, too slow, overloaded, or not speaking the protocol
├── LLMRefused         the server says no for good: the key, the quota, the model's name, the request
├── LLMDeclined        the model would not answer, or a filter took its answer away
├── LLMTruncated       the answer was cut off at the model's limit of tokens
└── LLMInvalidOutput   the answer is empty, or is not of the type that was asked for
"""

import asyncio
import importlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pydantic import BaseModel, Field, ValidationError

from engine.openai_server import OPENAI_URL, OpenAIServer, failure_of
from syncs.errors import SyncError
from syncs.redaction import without_secrets
from syncs.schemas import problems_of
from syncs.structured_output import OutputType

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAIError

__all__ = ["LLM", "Completion", "LLMDeclined", "LLMError", "LLMInvalidOutput", "LLMRefused", "LLMTruncated"]

T = TypeVar("T")

Messages = Sequence[Mapping[str, Any]]

# How servers without structured output call what they do not know.
_STRUCTURED = re.compile(r"response.?(?:format|schema)|json.?schema|structured.?output|grammar", re.IGNORECASE)
_BY_SCHEMA = "Answer with one JSON value that fits this JSON Schema, and with nothing else:\n"


class LLMError(SyncError):
    """The model gave no answer; the message names model, server and remedy, never the key."""


class LLMRefused(LLMError):
    """The server says no for good: a wrong key, no quota, an unknown model, a request that it does not take."""


class LLMDeclined(LLMError):
    """The model would not answer, or a content filter took its answer away."""


class LLMTruncated(LLMError):
    """The answer was cut off at a limit of tokens."""


class LLMInvalidOutput(LLMError):
    """The answer is empty or not of the type that was asked for.

    `problems` is a list of (field path, reason), without the values.
    """

    def __init__(self, message: str, problems: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Completion(Generic[T]):
    """An answer, and the tokens that it is billed by: 0 where the server does not say."""

    output: T
    input_tokens: int
    output_tokens: int


class LLM:
    """A chat model: `await llm("...")` is text, `await llm("...", output=Model)` a validated `Model`.

    `base_url` and `api_key` default to `OPENAI_BASE_URL` and `OPENAI_API_KEY`, then to OpenAI's server; other
    servers may need no key. `timeout` is in seconds, for a whole answer with all its tries; `retries` is how
    often the client tries again what may pass (429, 5xx, lost connections). `options` is sent with every
    request: `{"temperature": 0}`, say. Nothing is opened before the first call.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 120.0,
        retries: int = 2,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.model = model
        self._server = OpenAIServer(
            (base_url or os.environ.get("OPENAI_BASE_URL", "")).strip() or OPENAI_URL,
            (api_key or os.environ.get("OPENAI_API_KEY", "")).strip(),
        )
        self._timeout = timeout
        self._retries = retries
        self._options = dict(options or {})
        self._client: AsyncOpenAI | None = None

    @overload
    async def __call__(self, prompt: str | Messages, *, system: str | None = None) -> str: ...

    @overload
    async def __call__(self, prompt: str | Messages, *, output: type[T], system: str | None = None) -> T: ...

    async def __call__(self, prompt: str | Messages, *, output: Any = str, system: str | None = None) -> Any:
        """The model's answer to a prompt or to a list of messages, as `complete` gives it."""
        return (await self.complete(prompt, output=output, system=system)).output

    @overload
    async def complete(self, prompt: str | Messages, *, system: str | None = None) -> Completion[str]: ...

    @overload
    async def complete(
        self, prompt: str | Messages, *, output: type[T], system: str | None = None
    ) -> Completion[T]: ...

    async def complete(
        self, prompt: str | Messages, *, output: Any = str, system: str | None = None
    ) -> Completion[Any]:
        """The answer with its count of tokens.

        `output` is any type that pydantic can validate and give a JSON Schema: a model, a dataclass, a
        TypedDict, `list[int]`. The server is asked to keep to the schema, strictly where that can be expressed
        so; one that cannot is given the schema in the prompt. What comes back is validated in any case.

        Raises `LLMError`: `LLMRefused`, `LLMDeclined`, `LLMTruncated` or `LLMInvalidOutput` where it is known
        better.
        """
        messages = _messages(prompt, system)
        if output is str:
            answer = await self._ask(messages, None)
            return answer.completion(self._text_of(answer))
        wanted = OutputType(output)
        answer = await self._ask(messages, wanted)
        return answer.completion(self._read(wanted, self._text_of(answer)))

    async def __aenter__(self) -> "LLM":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; a later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def __repr__(self) -> str:
        return f"LLM({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.model} at {str(self._server) or 'no URL'}"

    async def _ask(self, messages: Messages, wanted: OutputType | None) -> "_Answer":
        client = await self._open()
        import openai

        failure: LLMError
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._send(client, messages, wanted)
            return _Answer.model_validate_json(body)
        except TimeoutError:
            failure = LLMError(
                f"{self} gave no whole answer within {self._timeout:g} seconds: try again, or give it a longer timeout."
            )
        except ValidationError:
            failure = LLMError(f"{self} answered with something that is no chat completion: check base_url.")
        except openai.OpenAIError as error:
            failure = self._explain(error)
        # Raised here, so that no client error, which may hold the key, hangs on it as its context.
        raise failure

    async def _send(self, client: "AsyncOpenAI", messages: Messages, wanted: OutputType | None) -> bytes:
        """The body of the answer; a server that has no structured output is asked again without it."""
        import openai

        if wanted is None:
            return await self._post(client, messages, openai.omit)
        try:
            return await self._post(client, messages, wanted.response_format)
        except (openai.BadRequestError, openai.NotFoundError, openai.UnprocessableEntityError) as error:
            if not _STRUCTURED.search(error.response.text):
                raise
        return await self._post(client, _with_schema(messages, wanted.schema), openai.omit)

    async def _post(self, client: "AsyncOpenAI", messages: Messages, response_format: Any) -> bytes:
        sent: Any = messages  # the client's own types name every kind of message
        response = await client.chat.completions.with_raw_response.create(
            model=self.model, messages=sent, response_format=response_format, extra_body=self._options
        )
        return response.content

    async def _open(self) -> "AsyncOpenAI":
        if self._client is None:
            self._check()
            # In a thread, because importing the client takes a second.
            await asyncio.to_thread(importlib.import_module, "openai")
            if self._client is None:
                self._client = self._server.client(retries=self._retries, timeout=self._timeout)
        return self._client

    def _check(self) -> None:
        if not self._server.is_url:
            raise LLMRefused(
                f"base_url (or OPENAI_BASE_URL) for {self.model} is not the URL of a server: it looks like "
                "http://127.0.0.1:8080/v1."
            )
        if not self._server.api_key and self._server.is_openai:
            raise LLMRefused(f"{self} needs a key: set OPENAI_API_KEY, or give base_url for another server.")
        if not self._server.key_is_sound:
            raise LLMRefused(f"The key for {self} holds characters that no key has: set OPENAI_API_KEY anew.")

    def _text_of(self, answer: "_Answer") -> str:
        choice = answer.choices[0]
        if choice.message.refusal:
            raise LLMDeclined(f"{self} declined to answer ({self._scrub(choice.message.refusal)}): change the prompt.")
        if choice.finish_reason == "content_filter":
            raise LLMDeclined(f"{self} had its answer taken away by a content filter: change the prompt.")
        if choice.finish_reason == "length":
            raise LLMTruncated(
                f"{self} was cut off at its limit of tokens: ask for less, or raise the limit with "
                "options={'max_completion_tokens': ...}."
            )
        text = (choice.message.content or "").strip()
        if not text:
            raise LLMInvalidOutput(f"{self} gave an empty answer: try again, or change the prompt.")
        return text

    def _read(self, wanted: OutputType, text: str) -> Any:
        try:
            return wanted.read(text)
        except ValidationError as invalid:
            problems = problems_of(invalid)
        listed = "; ".join(f"{path}: {reason}" if path else reason for path, reason in problems)
        # Raised here: pydantic's own error holds the values, and would be kept as the context.
        raise LLMInvalidOutput(
            f"{self} did not answer with {wanted.name}: {without_secrets(listed)[:500]}: try again, or describe the "
            "fields in the type.",
            problems,
        )

    def _scrub(self, message: str) -> str:
        """A provider's message on one line, cut short, without secrets."""
        return self._server.scrub(without_secrets(self._server.masked(message)))

    def _explain(self, error: "OpenAIError") -> LLMError:
        failed = failure_of(error)
        status, said = failed.status, self._scrub(failed.message)
        match failed.cause:
            case "key":
                return LLMRefused(f"{self} refuses the key ({status}): check api_key (or OPENAI_API_KEY).")
            case "quota":
                return LLMRefused(f"{self} has no quota left for this key: top up the account.")
            case "model":
                return LLMRefused(f"{self} does not exist ({status}): check the model's name and base_url.")
            case "slow":
                return LLMError(f"{self} does not answer: try again later, or give it a longer timeout.")
            case "unreachable":
                return LLMError(
                    f"{self} cannot be reached, or breaks off ({said}): check base_url (or OPENAI_BASE_URL) and the "
                    "network."
                )
            case "unknown":
                return LLMError(f"{self} failed: {said}.")
            case "overloaded":
                return LLMError(f"{self} is overloaded or broken ({said}): try again later.")
            case "request":
                return LLMRefused(
                    f"{self} does not take the request ({said}): check the prompt's length and the options."
                )


def _messages(prompt: str | Messages, system: str | None) -> Messages:
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    return asked if system is None else [{"role": "system", "content": system}, *asked]


def _with_schema(messages: Messages, schema: Mapping[str, Any]) -> Messages:
    """The messages with the schema at the end: in the last one where it is a user's text, because some models want
    users and assistants to take turns."""
    asked = f"{_BY_SCHEMA}{json.dumps(schema)}"
    last = messages[-1] if messages else {}
    if last.get("role") == "user" and isinstance(last.get("content"), str):
        return [*messages[:-1], {**last, "content": f"{last['content']}\n\n{asked}"}]
    return [*messages, {"role": "user", "content": asked}]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(BaseModel):
    """What is read of a chat completion. Clients hand on whatever a server sends, so it is checked here."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None

    def completion(self, output: T) -> Completion[T]:
        usage = self.usage or _Usage()
        return Completion(output, usage.prompt_tokens, usage.completion_tokens)
