"""Tests of syncs: `MockEngine` is the whole engine in memory, so there is nothing to start."""

import asyncio

import pytest
from pydantic import BaseModel

from engine import MockEngine
from syncs import InvalidInput, Runtime, SyncContext, create_sync


class Person(BaseModel):
    name: str


class Greeting(BaseModel):
    message: str


@create_sync(id="greet", description="Greet somebody, and remember who was greeted")
async def greet(ctx: SyncContext[Person]) -> Greeting:
    await ctx.engine.sync_records(
        connection_id="people",
        name="greeted",
        records=[{"external_id": ctx.context.name, "data": {"run_id": ctx.run_id}}],
    )
    return Greeting(message=f"Hello, {ctx.context.name}")


def test_a_person_is_greeted_and_remembered() -> None:
    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"greet": greet})
        assert await runtime.sync(greet, Person(name="Ada"), run_id="run-1") == Greeting(message="Hello, Ada")
        records = await runtime.engine.get_records(connection_id="people", name="greeted")
        assert records == [{"external_id": "Ada", "data": {"run_id": "run-1"}}]

    asyncio.run(main())


def test_nobody_is_greeted_without_a_name() -> None:
    runtime = Runtime(engine=MockEngine(), syncs={"greet": greet})
    with pytest.raises(InvalidInput, match="name: Field required"):
        asyncio.run(runtime.sync("greet", {}))
