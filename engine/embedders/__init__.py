"""Text into vectors: the embedders that there are, and the choice among them."""

import os
from collections.abc import Callable, Mapping

from engine.embedders.batches import count_bytes
from engine.embedders.fake import HashEmbedder
from engine.embedders.names import (
    WORDLLAMA_SIZES,
    EmbedderChoice,
    EmbedderName,
    choose_embedder,
    describe_choice,
)
from engine.embedders.openai import OpenAIEmbedder
from engine.embedders.wordllama import WordLlamaEmbedder
from engine.protocols import Embedder

__all__ = [
    "EmbedderChoice",
    "EmbedderName",
    "HashEmbedder",
    "OpenAIEmbedder",
    "WordLlamaEmbedder",
    "choose_embedder",
    "describe_choice",
    "open_embedder",
]


async def open_embedder(
    name: str | None = None,
    *,
    env: Mapping[str, str] = os.environ,
    count_tokens: Callable[[str], int] = count_bytes,
) -> Embedder:
    """Open the embedder `name`, or without one, the environment's (see `choose_embedder`).

    `count_tokens` counts the tokens of a text for OpenAI's models; bytes, which are never fewer, stand in
    for it. Raises `UnknownEmbedder`, `EmbedderRefused` where the key is missing, and `EmbedderError`.
    """
    chosen = choose_embedder(name, env=env).name
    if chosen.provider == "wordllama":
        return WordLlamaEmbedder(chosen.dimensions or WORDLLAMA_SIZES[0])
    return await OpenAIEmbedder.open(chosen, env=env, count_tokens=count_tokens)
