"""An `/embeddings` endpoint of OpenAI's protocol: texts to checked vectors, and every failure explained."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.embedders.answer import Answer, BadAnswer, read_answer
from engine.embedders.pace import Pace
from engine.errors import EmbedderError, EmbedderRefused, TextRefused
from engine.openai_server import OpenAIServer, failure_of

if TYPE_CHECKING:
    from openai import OpenAIError

__all__ = ["Endpoint", "Server"]

_OFFLINE = "or work offline with --embedder wordllama"
_SECONDS_A_TRY = 60.0
# What servers answer where a text is too long, or not to their liking: 400 (OpenAI, vLLM), 413 and 422 (Text
# Embeddings Inference). Wrong requests get them, too.
_CONTENT = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True, repr=False)
class Server(OpenAIServer):
    """The server, checked: `EmbedderRefused` for an address or a key that cannot be right."""

    def __post_init__(self) -> None:
        if not self.is_url:
            raise EmbedderRefused("OPENAI_BASE_URL is not the URL of a server: it looks like http://127.0.0.1:8080/v1.")
        if not self.api_key and self.is_openai:
            raise EmbedderRefused(
                f"OpenAI needs a key: set OPENAI_API_KEY, set OPENAI_BASE_URL to another server, {_OFFLINE}."
            )
        if not self.key_is_sound:
            raise EmbedderRefused("OPENAI_API_KEY holds characters that no key has: set it anew.")


class Endpoint:
    """Asks one model of one server, at most `concurrency` requests at a time, fewer where its rate limits say so.

    The client retries what may pass (429, 5xx, lost connections), keeping to Retry-After, within `deadline`
    seconds a request, all tries together; an answer that is wrong is asked for once more. `shorten` asks the model
    for that many dimensions. `count_tokens` tells what a request takes from a limit on tokens.
    """

    def __init__(
        self,
        server: Server,
        model: str,
        *,
        shorten: int | None,
        concurrency: int,
        deadline: float,
        retries: int,
        count_tokens: Callable[[str], int],
    ) -> None:
        self.server = server
        self.model = model
        self._shorten = shorten
        self._deadline = deadline
        self._slots = asyncio.Semaphore(concurrency)
        self._count_tokens = count_tokens
        self._pace = Pace()
        self._client = server.client(retries=retries, timeout=_SECONDS_A_TRY, on_answer=self._pace.learn)

    @property
    def most_tokens(self) -> float:
        """A request of more tokens is over the server's rate limit; infinite where no answer has named one."""
        return self._pace.most_tokens

    async def ask(self, texts: Sequence[str], dimensions: int | None) -> Answer:
        """The vectors of `texts`, which are not blank.

        Raises `EmbedderRefused` where asking again is useless, `TextRefused` where other texts might be taken, else
        `EmbedderError`; all name the model and the server, never the key.
        """
        import openai

        failure: EmbedderError
        try:
            try:
                return await self._try(texts, dimensions)
            except BadAnswer as wrong:
                # A proxy, or one of several machines, may have been at fault.
                answer = await self._try(texts, dimensions)
                return replace(answer, tokens=answer.tokens + wrong.tokens)
        except TimeoutError:
            failure = EmbedderError(
                f"{self} gave no whole answer within {self._deadline:g} seconds: try again, {_OFFLINE}."
            )
        except BadAnswer as wrong:
            failure = EmbedderError(
                f"{self} {self.server.scrub(str(wrong))}: nothing of it was stored; check OPENAI_BASE_URL and the name "
                "of the model."
            )
        except openai.OpenAIError as error:
            failure = self._explain(error)
        # Raised here, so that no client error, which may hold the key, hangs on it as its context.
        raise failure

    async def _try(self, texts: Sequence[str], dimensions: int | None) -> Answer:
        import openai

        async with self._slots:
            tokens = await self._turn(texts)
            async with asyncio.timeout(self._deadline):
                response = await self._client.embeddings.with_raw_response.create(
                    model=self.model,
                    input=list(texts),
                    dimensions=openai.omit if self._shorten is None else self._shorten,
                    # Every server sends lists of numbers; base64 is a quarter of their size.
                    encoding_format="base64" if self.server.is_openai else "float",
                )
        answer = read_answer(response.content, len(texts), dimensions)
        self._pace.settle(tokens, answer.tokens)
        return answer

    async def _turn(self, texts: Sequence[str]) -> int:
        """Wait for a turn; the tokens that were counted for it, none where no limit on them is known."""
        limited = math.isfinite(self._pace.most_tokens)
        tokens = sum(map(self._count_tokens, texts)) if limited else 0
        await self._pace.turn(tokens)
        return tokens

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def __str__(self) -> str:
        return f"openai:{self.model} at {self.server}"

    def _explain(self, error: "OpenAIError") -> EmbedderError:
        failed = failure_of(error)
        status, said = failed.status, self.server.scrub(failed.message)
        match failed.cause:
            case "key":
                return EmbedderRefused(f"{self} refuses the key ({status}): check OPENAI_API_KEY, {_OFFLINE}.")
            case "quota":
                return EmbedderRefused(f"{self} has no quota left for this key: top up the account, {_OFFLINE}.")
            case "model":
                return EmbedderRefused(
                    f"{self} does not exist ({status}): check the model's name and OPENAI_BASE_URL, {_OFFLINE}."
                )
            case "slow":
                return EmbedderError(f"{self} does not answer: try again later, {_OFFLINE}.")
            case "unreachable":
                return EmbedderError(
                    f"{self} cannot be reached, or breaks off ({said}): check OPENAI_BASE_URL and the network, "
                    f"{_OFFLINE}."
                )
            case "unknown":
                return EmbedderError(f"{self} failed: {said}.")
            case "overloaded":
                return EmbedderError(f"{self} is overloaded or broken ({said}): try again later, {_OFFLINE}.")
            case "request":
                if status in _CONTENT:
                    return TextRefused(f"{self} does not take the request ({said})")
                return EmbedderError(
                    f"{self} does not take the request ({said}): check OPENAI_BASE_URL, and the model's name and "
                    "limits."
                )
