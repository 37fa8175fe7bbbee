"""A web server on 127.0.0.1 that may answer anything: one loop in a thread, raw bytes on the wire.

A route is a `Reply`, or bytes that are written as they are before the connection closes, or a coroutine
function of the target and the writer. A route whose name ends with `*` takes every target that begins so.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """A complete answer; headers may repeat."""

    body: bytes | str = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", HTML),)

    def wire(self) -> bytes:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        lines = [f"HTTP/1.1 {self.status} Status", *(f"{name}: {value}" for name, value in self.headers)]
        if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in self.headers):
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


Custom = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
Computed = Callable[[str], Reply]
Route = Reply | bytes | Custom | Computed


@dataclass
class HostileServer:
    """`routes` by target; `hits` counts them by route; `most_at_once` is how many were open together at most."""

    routes: dict[str, Route] = field(default_factory=dict)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    port: int = 0
    most_at_once: int = 0
    _open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _route(self, target: str) -> Route:
        starred = [name for name in self.routes if name.endswith("*") and target.startswith(name[:-1])]
        names = (target, target.partition("?")[0], max(starred, key=len, default=""))
        name = next((name for name in names if name in self.routes), "")
        self.hits[name] += 1
        return self.routes.get(name, Reply("<h1>Not here</h1>", 404))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                target = head[0].split(" ")[1]
                pairs = (line.partition(":") for line in head[1:] if line)
                self.requests.append((target, {name.lower(): value.strip() for name, _, value in pairs}))
                await self._answer(self._route(target), target, writer)
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, route: Route, target: str, writer: asyncio.StreamWriter) -> None:
        if callable(route):
            found = route(target) if not asyncio.iscoroutinefunction(route) else route(target, writer)
            if not isinstance(found, Reply):
                await found
                return
            route = found
        writer.write(route.wire() if isinstance(route, Reply) else route)
        await writer.drain()


@contextmanager
def running(*servers: HostileServer) -> Iterator[None]:
    """Serve for the length of the block."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def main() -> None:
        listening = [await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**20) for server in servers]
        for server, socket in zip(servers, listening, strict=True):
            server.port = socket.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        for socket in listening:
            socket.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
