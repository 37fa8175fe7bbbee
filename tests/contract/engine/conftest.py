"""The engines that the suite runs on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from engine.embedders.fake import HashEmbedder
from engine.mock import MockEngine
from engine.protocols import Engine

OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
Age = Callable[[Engine, str, float], None]


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


@pytest.fixture
def age(request: pytest.FixtureRequest) -> Age:
    """`age(engine, run_id, seconds)` sets back the start and the last heartbeat of a run, as if it were older."""

    def set_back(engine: Engine, run_id: str, seconds: float) -> None:
        names = ("started_at", "heartbeat_at")
        if isinstance(engine, MockEngine):
            run = engine._runs[run_id]
            run.update({name: run[name] - timedelta(seconds=seconds) for name in names})
            return
        with psycopg.connect(request.getfixturevalue("database_url")) as connection:
            changed = ", ".join(f"{name} = {name} - make_interval(secs => %(seconds)s)" for name in names)
            connection.execute(
                f"UPDATE syncline.run SET {changed} WHERE id = %(id)s", {"seconds": seconds, "id": run_id}
            )

    return set_back
