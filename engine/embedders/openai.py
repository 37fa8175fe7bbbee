"""OpenAI's embeddings, and those of every server that speaks its protocol."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from engine.embedders.answer import Answer
from engine.embedders.batches import count_bytes, into_batches, into_windows
from engine.embedders.endpoint import OPENAI_URL, Endpoint, Server
from engine.embedders.names import EmbedderName
from engine.embedders.openai_models import OPENAI_MODELS
from engine.embedders.vectors import unit_vectors
from engine.errors import EmbedderError
from engine.models import Embeddings
from engine.protocols import EmbedKind

__all__ = ["OpenAIEmbedder"]

_CONCURRENCY = 8
# OpenAI's bounds on a request (2,048 texts, 300,000 tokens; never more tokens than bytes). Other servers have
# bounds of their own, and the smallest default among the common ones is 32 texts.
_MAX_BYTES = 300_000
_MAX_ITEMS_OPENAI = 2048
_MAX_ITEMS = 32
# The window of OpenAI's models, taken for models that are not known.
_MAX_TOKENS = 8191


class OpenAIEmbedder:
    """An `Embedder` on an endpoint; made by `open`.

    A text over `max_tokens` is embedded by windows; its vector is their average, weighted by length, and
    `Embeddings.windowed` counts it. A blank text is not sent: it gets the first axis as its vector. All
    vectors are of length one. `cost_usd` is what OpenAI's list price makes of the billed tokens, and 0 for
    other servers.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        name: EmbedderName,
        *,
        dimensions: int,
        max_tokens: int,
        count_tokens: Callable[[str], int],
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._count_tokens = count_tokens
        self.dimensions = dimensions
        self.max_tokens = max_tokens

    @classmethod
    async def open(
        cls,
        name: EmbedderName,
        *,
        env: Mapping[str, str],
        count_tokens: Callable[[str], int] = count_bytes,
        deadline: float = 300.0,
        retries: int = 4,
    ) -> "OpenAIEmbedder":
        """Open `name` with the key in `OPENAI_API_KEY`, at `OPENAI_BASE_URL` where that is set.

        The size of a model that is not OpenAI's is learned from one request. Its window is taken to be
        8,191 tokens unless `SYNCLINE_EMBEDDER_MAX_TOKENS` says otherwise. Without `count_tokens`, bytes are
        counted, which are never fewer: then long texts are cut into more windows than need be.

        Raises `EmbedderRefused` where there is no key, or the server will not have it, and `EmbedderError`.
        """
        server = Server(env.get("OPENAI_BASE_URL", "").strip() or OPENAI_URL, env.get("OPENAI_API_KEY", "").strip())
        known = OPENAI_MODELS.get(name.model)
        max_tokens = _read_max_tokens(env) or (known.max_tokens if known else _MAX_TOKENS)
        # In a thread, because importing the client takes a second.
        endpoint = await asyncio.to_thread(
            Endpoint, server, name.model, shorten=name.dimensions,
            concurrency=_CONCURRENCY, deadline=deadline, retries=retries,
        )  # fmt: skip
        dimensions = name.dimensions or (known.dimensions if known else None)
        try:
            if dimensions is None:
                dimensions = (await endpoint.ask(["size"], None)).vectors.shape[1]
        except EmbedderError:
            await endpoint.aclose()
            raise
        return cls(endpoint, name, dimensions=dimensions, max_tokens=max_tokens, count_tokens=count_tokens)

    @property
    def name(self) -> str:
        return str(self._name)

    @property
    def model(self) -> str:
        return self._name.model

    async def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Embeddings:
        """Documents and queries alike, in concurrent requests; the first failure stops those that remain."""
        windows = [
            window
            for text_index, text in enumerate(texts)
            for window in into_windows(_sendable(text), text_index, self.max_tokens, self._count_tokens)
        ]
        max_items = _MAX_ITEMS_OPENAI if self._endpoint.server.is_openai else _MAX_ITEMS
        batches = into_batches(windows, max_items, _MAX_BYTES)
        answers = await self._ask_all([[window.content for window in batch] for batch in batches])
        sums = np.zeros((len(texts), self.dimensions))
        for batch, answer in zip(batches, answers, strict=True):
            for window, vector in zip(batch, answer.vectors, strict=True):
                sums[window.text_index] += window.weight * vector
        tokens = sum(answer.tokens for answer in answers)
        parts = np.bincount([window.text_index for window in windows]) if windows else np.zeros(0)
        return Embeddings(
            unit_vectors(sums), tokens=tokens, windowed=int((parts > 1).sum()), cost_usd=self.price(tokens)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoint.aclose()

    async def _ask_all(self, batches: Sequence[Sequence[str]]) -> list[Answer]:
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._endpoint.ask(batch, self.dimensions)) for batch in batches]
        except* EmbedderError as failures:
            failure = failures
        else:
            return [task.result() for task in asked]
        raise failure.exceptions[0]

    def price(self, tokens: int) -> float:
        """US dollars for `tokens`, by the list price."""
        known = OPENAI_MODELS.get(self.model)
        if known is None or not self._endpoint.server.is_openai:
            return 0.0
        return tokens * known.usd_per_million_tokens / 1_000_000


def _sendable(text: str) -> str:
    """A text as UTF-8 can carry it: a lone surrogate cannot be sent."""
    return text.encode("utf-8", "replace").decode()


def _read_max_tokens(env: Mapping[str, str]) -> int | None:
    given = env.get("SYNCLINE_EMBEDDER_MAX_TOKENS", "").strip()
    if not given:
        return None
    if not given.isdecimal() or int(given) < 1:
        raise EmbedderError(f"SYNCLINE_EMBEDDER_MAX_TOKENS is the model's window in tokens, and not {given!r}.")
    return int(given)
