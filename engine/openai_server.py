"""A server of OpenAI's protocol: its address, its key, and what its refusals mean, for embeddings and for chat."""

import json
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAIError

__all__ = ["OPENAI_URL", "Cause", "Failure", "OpenAIServer", "failure_of"]

OPENAI_URL = "https://api.openai.com/v1"
# Providers echo keys in their messages, also in parts: "sk-abc***xyz".
_KEY = re.compile(r"\b(?:sk-|Bearer )[\w*.\-]+")
# What a message could do to a terminal or to the order in which a line is read.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NO_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})

Cause = Literal["key", "quota", "model", "overloaded", "request", "slow", "unreachable", "unknown"]


@dataclass(frozen=True, slots=True)
class OpenAIServer:
    """Where the server is and what opens it. The key is in no representation of it."""

    base_url: str
    api_key: str

    @property
    def is_url(self) -> bool:
        """True for the address of a web server."""
        try:
            parts = urlsplit(self.base_url)
            return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            return False

    @property
    def is_openai(self) -> bool:
        """True for OpenAI's own, which always needs a key."""
        return self.is_url and urlsplit(self.base_url).hostname == urlsplit(OPENAI_URL).hostname

    @property
    def key_is_sound(self) -> bool:
        """False where the key holds characters that no key has."""
        return self.api_key.isascii() and self.api_key.isprintable() and " " not in self.api_key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        """The address without what is before its host's @; "" for what is no web server's."""
        if not self.is_url:
            return ""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def masked(self, message: str) -> str:
        """A provider's message without anything that is or looks like a key."""
        if self.api_key:
            message = message.replace(self.api_key, "***")
        return _KEY.sub("***", message)

    def scrub(self, message: str) -> str:
        """A provider's message `masked`, on one line, cut short."""
        return " ".join(_UNSHOWN.sub(" ", self.masked(message)).split())[:200]

    def client(
        self, *, retries: int, timeout: float, on_answer: Callable[[int, Mapping[str, str]], None] | None = None
    ) -> "AsyncOpenAI":
        """The SDK's client; `timeout` is in seconds, for one try. `on_answer` sees status and headers of every answer,
        those that are tried again included. A quota that is used up is not tried again."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        async def look(response: Any) -> None:
            if on_answer is not None:
                on_answer(response.status_code, response.headers)
            # The same status as of too many requests, which the client tries again.
            if response.status_code == 429 and _codes(await response.aread()) & _NO_QUOTA:
                response.headers["x-should-retry"] = "false"

        # Servers that need no key still get a header, which the client insists on.
        key = self.api_key or "none"
        http = DefaultAsyncHttpxClient(event_hooks={"response": [look]}, timeout=timeout)
        return AsyncOpenAI(api_key=key, base_url=self.base_url, max_retries=retries, timeout=timeout, http_client=http)


class Failure(NamedTuple):
    """What an error of the client means. `request`: the server does not take what was asked."""

    cause: Cause
    message: str  # as it came: it may hold the key
    status: int | None = None


def failure_of(error: "OpenAIError") -> Failure:
    """What went wrong, from the status and the codes that OpenAI and its like answer with."""
    import openai

    if isinstance(error, openai.APIStatusError):
        status, codes = error.status_code, {error.code, error.type}
        # The client takes a server's words only where they are in OpenAI's form.
        said = error.message if " - " in error.message else f"{error.message} {error.response.text}".strip()
        return Failure(_cause(status, codes), said, status)
    if isinstance(error, openai.APITimeoutError):
        return Failure("slow", str(error))
    if isinstance(error, openai.APIConnectionError):
        return Failure("unreachable", str(error.__cause__ or error))
    return Failure("unknown", str(error))


def _codes(body: bytes) -> set[object]:
    """What an error's answer calls it, where it is of OpenAI's form."""
    try:
        error = json.loads(body)["error"]
        return {error.get("code"), error.get("type")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()


def _cause(status: int, codes: Set[object]) -> Cause:
    if status in (401, 403):
        return "key"
    if status == 402 or codes & _NO_QUOTA:
        return "quota"
    if status == 404 or "model_not_found" in codes:
        return "model"
    return "overloaded" if status in (408, 409, 429) or status >= 500 else "request"
