"""An embeddings server on loopback that speaks OpenAI's protocol, and misbehaves when told to."""

import asyncio
import base64
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.embedders import HashEmbedder

Body = dict[str, Any]
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
