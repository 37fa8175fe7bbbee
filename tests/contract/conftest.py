"""The engines that a suite runs on; and what stands in for embedders: a server of OpenAI's protocol that misbehaves
when told to, and two libraries."""

import asyncio
import base64
import struct
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from engine.embedders import HashEmbedder
from engine.mock import MockEngine
from engine.protocols import Engine

Body = dict[str, Any]
OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
Fault = Callable[[Body, Body], "Body | bytes | tuple[int, dict[str, str], Body | bytes]"]


@dataclass
class EmbeddingsServer:
    """Answers with `HashEmbedder` vectors.

    Each of `faults`, a function of the request and the right answer, is used for one request, in order; it
    gives another body, or status, headers and body.
    """

    url: str = ""
    dimensions: int = 8
    base64: bool = False  # answer in base64 whatever was asked for
    faults: list[Fault] = field(default_factory=list)
    requests: list[Body] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def env(self) -> dict[str, str]:
        """The environment of somebody who uses this server."""
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "sk-loopback-0123456789"}

    @property
    def sent(self) -> list[str]:
        """Every text that arrived, in no particular order."""
        return [text for request in self.requests for text in request["input"]]

    def answer(self, request: Body, key: str) -> tuple[int, dict[str, str], Body | bytes]:
        with self.lock:
            self.requests.append(request)
            self.keys.append(key)
            fault = self.faults.pop(0) if self.faults else None
        good = self.good_answer(request)
        answer = fault(request, good) if fault else good
        return answer if isinstance(answer, tuple) else (200, {}, answer)

    def good_answer(self, request: Body) -> Body:
        texts = request["input"]
        size = request.get("dimensions", self.dimensions)
        vectors = asyncio.run(HashEmbedder(size).embed(texts, kind="document")).vectors
        pack = self.base64 or request["encoding_format"] == "base64"
        return {
            "object": "list",
            "model": request["model"],
            "data": [
                {"object": "embedding", "index": index, "embedding": packed(vector) if pack else vector}
                for index, vector in enumerate(vectors)
            ],
            "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)},
        }


def packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


@pytest.fixture
def embeddings_server(site_server: Any) -> EmbeddingsServer:
    """An OpenAI-compatible server: `.env` for `open_embedder`, `.faults` to queue, `.requests` to look at."""
    server = EmbeddingsServer(f"{site_server.url}/v1")
    site_server.serve_json(
        "/v1/embeddings", lambda asked, request: server.answer(asked, request.headers["authorization"])
    )
    return server


# --- models in this process -----------------------------------------------------------------------


@dataclass
class LocalLibraries:
    """What the stand-ins for sentence-transformers and fastembed have, and what they were asked.

    Their models have a window of `window` tokens, which are words. Like the real ones, they cut a longer text off in
    silence. The model `tiny` is on this machine; `far/Model` is on the hub alone, and `loads` says of each attempt
    whether it was looked for on this machine only.
    """

    window: int = 64
    dimensions: int = 16
    prompts: dict[str, str] = field(default_factory=dict)
    loads: list[tuple[str, bool]] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    answer: Callable[[NDArray[np.float32]], Any] = lambda rows: rows
    threads: set[int] = field(default_factory=set)

    def load(self, model: str, local_files_only: bool) -> None:
        self.loads.append((model, local_files_only))
        if model.startswith("/") or (local_files_only and "far" in model):
            raise OSError(f"{model} is not here.\nSee the manual.")

    def encode(self, texts: Sequence[str]) -> Any:
        self.batches.append(list(texts))
        self.threads.add(threading.get_ident())
        seen = [" ".join(text.split()[: self.window]) for text in texts]
        vectors = asyncio.run(HashEmbedder(self.dimensions).embed(seen, kind="document")).vectors
        return self.answer(np.asarray(vectors, dtype=np.float32).reshape(len(texts), self.dimensions))

    @property
    def sentence_transformers(self) -> SimpleNamespace:
        libraries = self

        class SentenceTransformer:
            def __init__(self, source: str, *, local_files_only: bool) -> None:
                libraries.load(source, local_files_only)
                self.max_seq_length = libraries.window
                self.prompts = {"query": "", "document": "", **libraries.prompts}

            def tokenizer(self, text: str, *, truncation: bool, verbose: bool) -> dict[str, list[int]]:
                return {"input_ids": [1] * len(text.split())}

            def encode_query(self, texts: list[str], *, prompt: str, show_progress_bar: bool) -> Any:
                return libraries.encode([prompt + text for text in texts])

            encode_document = encode_query

        return SimpleNamespace(SentenceTransformer=SentenceTransformer)

    @property
    def fastembed(self) -> SimpleNamespace:
        libraries = self
        tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        tokenizer.enable_padding(pad_id=1)

        class TextEmbedding:
            def __init__(self, model: str, *, local_files_only: bool) -> None:
                libraries.load(model, local_files_only)
                tokenizer.enable_truncation(libraries.window)
                self.model = SimpleNamespace(tokenizer=tokenizer)

            @staticmethod
            def list_supported_models() -> list[dict[str, str]]:
                return [{"model": "tiny"}, {"model": "far/Model"}]

            def passage_embed(self, texts: list[str], *, batch_size: int = 256) -> Iterator[Any]:
                for start in range(0, len(texts), batch_size):
                    yield from libraries.encode(texts[start : start + batch_size])

            query_embed = passage_embed

        return SimpleNamespace(TextEmbedding=TextEmbedding)


@pytest.fixture
def local_libraries(monkeypatch: pytest.MonkeyPatch) -> LocalLibraries:
    """Stand-ins for the libraries of the extras, whether those are installed or not."""
    libraries = LocalLibraries()
    logger = SimpleNamespace(enable=lambda name: None, disable=lambda name: None)
    monkeypatch.setitem(sys.modules, "sentence_transformers", libraries.sentence_transformers)
    monkeypatch.setitem(sys.modules, "fastembed", libraries.fastembed)
    monkeypatch.setitem(sys.modules, "loguru", SimpleNamespace(logger=logger))
    return libraries


# --- engines --------------------------------------------------------------------------------------


@pytest.fixture(params=["mock", pytest.param("postgres", marks=pytest.mark.slow)])
def open_engine(request: pytest.FixtureRequest) -> OpenEngine:
    """Opens an engine on an empty store: `async with open_engine(embedder) as engine`."""
    address = request.getfixturevalue("database_url") if request.param == "postgres" else ""

    @asynccontextmanager
    async def opened(embedder: HashEmbedder) -> AsyncIterator[Engine]:
        engine: Engine
        if address:
            from engine import PostgresEngine

            engine = PostgresEngine(address, embedder=embedder)
        else:
            engine = MockEngine(embedder=embedder)
        try:
            yield engine
        finally:
            await engine.aclose()

    return opened


@pytest.fixture
def on(open_engine: OpenEngine) -> With:
    """Runs a coroutine function with an engine on an empty store."""

    def run(scenario: Callable[[Engine], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with open_engine(HashEmbedder()) as engine:
                await scenario(engine)

        asyncio.run(main())

    return run
