"""Text into vectors: the embedders that there are, and the choice among them."""

import asyncio
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from engine.embedders.batches import count_bytes
from engine.embedders.fake import HashEmbedder
from engine.embedders.fastembed import FastembedModel
from engine.embedders.local import LocalEmbedder, LocalModel
from engine.embedders.names import (
    WORDLLAMA_SIZES,
    EmbedderChoice,
    EmbedderName,
    choose_embedder,
    describe_choice,
)
from engine.embedders.openai import OpenAIEmbedder
from engine.embedders.sentence_transformers import SentenceTransformersModel
from engine.embedders.wordllama import WordLlamaEmbedder
from engine.protocols import Embedder

__all__ = [
    "EmbedderChoice",
    "EmbedderName",
    "HashEmbedder",
    "LocalEmbedder",
    "OpenAIEmbedder",
    "WordLlamaEmbedder",
    "choose_embedder",
    "describe_choice",
    "open_embedder",
]

_LOCAL: Mapping[str, Callable[[EmbedderName], LocalModel]] = MappingProxyType(
    {"sentence-transformers": SentenceTransformersModel, "fastembed": FastembedModel}
)


async def open_embedder(
    name: str | None = None,
    *,
    env: Mapping[str, str] = os.environ,
    count_tokens: Callable[[str], int] = count_bytes,
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> Embedder:
    """Open the embedder `name`, or without one, the environment's (see `choose_embedder`).

    `count_tokens` counts the tokens of a text for OpenAI's models; bytes, which are never fewer, stand in
    for it. `sizes` are those of vectors by the embedder's name, where they are known: a server need not be asked.
    Raises `UnknownEmbedder`, `EmbedderRefused` where the key is missing, and `EmbedderError`.
    """
    chosen = choose_embedder(name, env=env).name
    if chosen.provider == "wordllama":
        return WordLlamaEmbedder(chosen.dimensions or WORDLLAMA_SIZES[0])
    if chosen.provider in _LOCAL:
        # In a thread, because importing the library and loading the model take seconds.
        return await asyncio.to_thread(lambda: LocalEmbedder(chosen, _LOCAL[chosen.provider](chosen)))
    return await OpenAIEmbedder.open(chosen, env=env, count_tokens=count_tokens, size=sizes.get(str(chosen)))
