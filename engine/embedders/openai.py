"""OpenAI's embeddings, and those of every server that speaks its protocol."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from engine.embedders.answer import Answer
from engine.embedders.batches import Window, count_bytes, into_batches, into_windows
from engine.embedders.endpoint import Endpoint, Server
from engine.embedders.halving import PLAIN, ask_by_halves
from engine.embedders.names import EmbedderName
from engine.embedders.openai_models import OPENAI_MODELS
from engine.embedders.vectors import unit_vectors
from engine.errors import EmbedderError, TextRefused
from engine.models import Embeddings
from engine.openai_server import OPENAI_URL
from engine.protocols import EmbedKind

__all__ = ["OpenAIEmbedder"]

# OpenAI's bounds on a request (2,048 texts, 300,000 tokens; never more tokens than bytes). Other servers have
# bounds of their own, and the smallest default among the common ones is 32 texts.
_MAX_BYTES = 300_000
_MAX_ITEMS_OPENAI = 2048
_MAX_ITEMS = 32
# The window of OpenAI's models, taken for models that are not known.
_MAX_TOKENS = 8191
_PRICE = re.compile(r"\d+(\.\d+)?", re.ASCII)
_REMEDY = (
    "if the text is too long, set SYNCLINE_EMBEDDER_MAX_TOKENS to the model's window, so that it is embedded in "
    "parts; syncline retry tries it again"
)


class OpenAIEmbedder:
    """An `Embedder` on an endpoint; made by `open`.

    A text over `max_tokens` is embedded by windows; its vector is their average, weighted by length, and
    `Embeddings.windowed` counts it. A blank text is not sent: it gets the first axis as its vector. All
    vectors are of length one. A text that the server does not take is found by halving its batch, and is in
    `Embeddings.refused`. `usd_per_million_tokens` is OpenAI's list price, and for other servers and models what
    `SYNCLINE_EMBEDDER_PRICE` says, else None.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        name: EmbedderName,
        *,
        dimensions: int,
        max_tokens: int,
        count_tokens: Callable[[str], int],
        usd_per_million_tokens: float | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._count_tokens = count_tokens
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.usd_per_million_tokens = usd_per_million_tokens

    @classmethod
    async def open(
        cls,
        name: EmbedderName,
        *,
        env: Mapping[str, str],
        count_tokens: Callable[[str], int] = count_bytes,
        size: int | None = None,
        deadline: float = 300.0,
        retries: int = 4,
        concurrency: int = 8,
    ) -> "OpenAIEmbedder":
        """Open `name` with the key in `OPENAI_API_KEY`, at `OPENAI_BASE_URL` where that is set.

        The size of a model that is not OpenAI's is `size`, or learned from one request. Its window is taken to be
        8,191 tokens unless `SYNCLINE_EMBEDDER_MAX_TOKENS` says otherwise. Without `count_tokens`, bytes are
        counted, which are never fewer: then long texts are cut into more windows than need be. At most `concurrency`
        requests are under way at a time, fewer where the server's rate limits say so; each is tried `retries` times
        more where it failed and that may help, within `deadline` seconds.

        Raises `EmbedderRefused` where there is no key, or the server will not have it, and `EmbedderError`.
        """
        server = Server(env.get("OPENAI_BASE_URL", "").strip() or OPENAI_URL, env.get("OPENAI_API_KEY", "").strip())
        known = OPENAI_MODELS.get(name.model)
        listed = known.usd_per_million_tokens if known and server.is_openai else None
        price = _read_price(env, listed)
        max_tokens = _read_max_tokens(env) or (known.max_tokens if known else _MAX_TOKENS)
        # In a thread, because importing the client takes a second.
        endpoint = await asyncio.to_thread(
            Endpoint, server, name.model, shorten=name.dimensions,
            concurrency=concurrency, deadline=deadline, retries=retries, count_tokens=count_tokens,
        )  # fmt: skip
        dimensions = name.dimensions or (known.dimensions if known else size)
        try:
            if dimensions is None:
                dimensions = await _measure(endpoint)
        except EmbedderError:
            await endpoint.aclose()
            raise
        return cls(
            endpoint, name, dimensions=dimensions, max_tokens=max_tokens, count_tokens=count_tokens,
            usd_per_million_tokens=price,
        )  # fmt: skip

    @property
    def name(self) -> str:
        return str(self._name)

    @property
    def model(self) -> str:
        return self._name.model

    async def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Embeddings:
        """Documents and queries alike, in concurrent requests; the first failure stops those that remain."""
        windows = self._windows(texts)
        max_items = _MAX_ITEMS_OPENAI if self._endpoint.server.is_openai else _MAX_ITEMS
        batches = into_batches(windows, max_items, min(_MAX_BYTES, self._endpoint.most_tokens))
        answers = await self._ask_all([[window.content for window in batch] for batch in batches])
        sums = np.zeros((len(texts), self.dimensions))
        refused: dict[int, str] = {}
        remaining = iter(windows)
        for answer in answers:
            if isinstance(answer, TextRefused):
                refused[next(remaining).text_index] = f"{answer}: {_REMEDY}."
                continue
            for vector, window in zip(answer.vectors, remaining, strict=False):
                sums[window.text_index] += window.weight * vector
        vectors = unit_vectors(sums)
        for index in refused:
            vectors[index] = []
        tokens = sum(answer.tokens for answer in answers if isinstance(answer, Answer))
        return self._embeddings(vectors, tokens, windows, refused)

    def estimate(self, texts: Sequence[str]) -> Embeddings:
        """The tokens of the texts by `count_tokens`, which are OpenAI's own where it is tiktoken's, and their price."""
        windows = self._windows(texts)
        return self._embeddings((), sum(self._count_tokens(window.content) for window in windows), windows)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoint.aclose()

    async def _ask_all(self, batches: Sequence[Sequence[str]]) -> list[Answer | TextRefused]:
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(ask_by_halves(batch, self._ask)) for batch in batches]
        except* EmbedderError as failures:
            failure = failures
        else:
            return [answer for task in asked for answer in task.result()]
        raise failure.exceptions[0]

    async def _ask(self, texts: Sequence[str]) -> Answer:
        return await self._endpoint.ask(texts, self.dimensions)

    def _windows(self, texts: Sequence[str]) -> list[Window]:
        return [
            window
            for text_index, text in enumerate(texts)
            for window in into_windows(_sendable(text), text_index, self._fits)
        ]

    def _fits(self, text: str) -> bool:
        # Bytes are quick to count, and an upper bound; the exact count is asked for only where it could matter.
        return count_bytes(text) <= self.max_tokens or self._count_tokens(text) <= self.max_tokens

    def _embeddings(
        self,
        vectors: Sequence[Sequence[float]],
        tokens: int,
        windows: Sequence[Window],
        refused: Mapping[int, str] = MappingProxyType({}),
    ) -> Embeddings:
        parts = Counter(window.text_index for window in windows if window.text_index not in refused)
        return Embeddings(
            vectors,
            tokens=tokens,
            windowed=sum(count > 1 for count in parts.values()),
            cost_usd=tokens * (self.usd_per_million_tokens or 0.0) / 1_000_000,
            refused=refused,
        )


async def _measure(endpoint: Endpoint) -> int:
    """The size of the model's vectors, from one request."""
    answer = (await ask_by_halves([PLAIN], lambda texts: endpoint.ask(texts, None)))[0]
    assert isinstance(answer, Answer), "a plain word that is refused is an error"
    return int(answer.vectors.shape[1])


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


def _read_price(env: Mapping[str, str], listed: float | None) -> float | None:
    """US dollars for a million tokens: the user's word, else the list price."""
    given = env.get("SYNCLINE_EMBEDDER_PRICE", "").strip()
    if not given:
        return listed
    if not _PRICE.fullmatch(given):
        raise EmbedderError(f"SYNCLINE_EMBEDDER_PRICE is US dollars for a million tokens, as in 0.02, not {given!r}.")
    return float(given)
