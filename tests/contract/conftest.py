"""An embeddings server on loopback that speaks OpenAI's protocol, and misbehaves when told to."""

import asyncio
import base64
import contextlib
import json
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

    def answer(self, request: Body, key: str) -> tuple[int, dict[str, str], bytes]:
        with self.lock:
            self.requests.append(request)
            self.keys.append(key)
            fault = self.faults.pop(0) if self.faults else None
        good = self.good_answer(request)
        answer = fault(request, good) if fault else good
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
        return status, headers, body if isinstance(body, bytes) else json.dumps(body).encode()

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
def embeddings_server() -> Iterator[EmbeddingsServer]:
    """An OpenAI-compatible server: `.env` for `open_embedder`, `.faults` to queue, `.requests` to look at."""
    server = EmbeddingsServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, body = server.answer(request, self.headers["Authorization"])
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # a client that gave up has hung up
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return None

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    http.shutdown()
    thread.join()
    http.server_close()
