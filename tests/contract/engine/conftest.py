"""The engines that the suite runs on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from engine.embedders.fake import HashEmbedder
from engine.mock import MockEngine
from engine.protocols import Engine

OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]


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
