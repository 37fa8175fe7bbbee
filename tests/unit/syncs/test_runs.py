"""Every run has a row, and the row has an end, whatever happens (promise S2)."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel

import syncs.runs
from engine.errors import StoreUnavailable
from engine.mock import MockEngine
from syncs import Runtime, Sync, SyncContext, create_sync


class Number(BaseModel):
    n: int


async def row(engine: MockEngine, run_id: str = "r") -> dict[str, Any]:
    (found,) = await engine.get_runs(run_id=run_id)
    return found


def run(sync: Sync[Any, Any], given: object, engine: MockEngine | None = None) -> dict[str, Any]:
    """The row that a run left; what it raised is left aside."""

    async def main() -> dict[str, Any]:
        store = engine or MockEngine()
        runtime = Runtime(engine=store, syncs={"it": sync})
        await asyncio.gather(runtime.sync("it", given, run_id="r"), return_exceptions=True)
        return await row(store)

    return asyncio.run(main())


@pytest.mark.promise("S2")
def test_a_run_that_succeeds_has_a_row_with_input_counters_output_and_times() -> None:
    @create_sync(id="count")
    async def count(ctx: SyncContext[Number]) -> dict[str, int]:
        assert (await row_of(ctx))["state"] == "running"
        ctx.progress("half", pages=1)
        ctx.progress(pages=2, chunks=7)
        return {"stored": 2}

    async def row_of(ctx: SyncContext[Number]) -> dict[str, object]:
        return (await ctx.engine.get_runs(run_id=ctx.run_id))[0]

    left = run(count, {"n": 3})
    assert (left["sync"], left["state"], left["parent"], left["error"]) == ("count", "succeeded", None, None)
    assert (left["input"], left["counters"]) == ({"n": 3}, {"pages": 2, "chunks": 7})
    assert left["output"] == {"stored": 2}
    assert left["started_at"] <= left["heartbeat_at"] <= left["ended_at"]


@pytest.mark.promise("S2")
def test_a_run_that_fails_has_an_end_with_its_error() -> None:
    @create_sync(id="fails")
    async def fails(ctx: SyncContext[Number]) -> None:
        ctx.progress(pages=1)
        raise OSError("postgres://me:hunter2@db/x is away")

    left = run(fails, {"n": 1})
    assert (left["state"], left["counters"]) == ("failed", {"pages": 1})
    assert left["error"] == "OSError: postgres://***@db/x is away"
    assert left["ended_at"] is not None


def test_a_models_own_error_is_kept_without_its_values() -> None:
    class Password(BaseModel):
        password: int

    @create_sync(id="builds")
    async def builds(ctx: SyncContext[Number]) -> None:
        Password.model_validate({"password": "hunter2"})

    left = run(builds, {"n": 1})
    assert "password: Input should be a valid integer" in left["error"]
    assert "hunter2" not in left["error"]


async def cancelled(runtime: Runtime, started: asyncio.Event, times: int = 1) -> None:
    task = asyncio.create_task(runtime.sync("it", {"n": 1}, run_id="r"))
    await started.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.promise("S2")
@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_run_is_ended_as_cancelled_and_the_cancellation_goes_on(times: int) -> None:
    class Slow(MockEngine):
        async def end_run(self, run_id: str, **end: Any) -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            await super().end_run(run_id, **end)

    async def main() -> None:
        started = asyncio.Event()
        seen: list[bool] = []

        @create_sync(id="waits")
        async def waits(ctx: SyncContext[Number]) -> None:
            ctx.progress(pages=4)
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                seen.append(ctx.cancelled)

        engine = Slow()
        await cancelled(Runtime(engine=engine, syncs={"it": waits}), started, times)
        left = await row(engine)
        assert (left["state"], left["counters"]) == ("cancelled", {"pages": 4})
        assert left["ended_at"] is not None

    asyncio.run(main())


@pytest.mark.promise("S2")
def test_a_cancelled_plain_function_is_asked_to_return_and_waited_for() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        started, told = asyncio.Event(), threading.Event()

        @create_sync(id="works")
        def works(ctx: SyncContext[Number]) -> None:
            loop.call_soon_threadsafe(started.set)
            while not ctx.cancelled:
                pass
            shown.wait(5)
            told.set()

        class Watched(MockEngine):
            async def beat_run(
                self, run_id: str, counters: Mapping[str, object] | None = None, *, state: str | None = None
            ) -> None:
                await super().beat_run(run_id, counters, state=state)
                states.append((await row(self))["state"])
                shown.set()

        states: list[str] = []
        shown = threading.Event()
        engine = Watched()
        await cancelled(Runtime(engine=engine, syncs={"it": works}), started)
        assert told.is_set()
        assert states == ["cancelling"]
        assert (await row(engine))["state"] == "cancelled"

    asyncio.run(main())


@pytest.mark.promise("S2")
def test_a_run_cancelled_while_its_row_is_opened_has_an_end_too() -> None:
    started = asyncio.Event()

    class Slow(MockEngine):
        async def start_run(
            self, run_id: str, *, sync: str, input: Mapping[str, object], parent: str | None = None
        ) -> None:
            started.set()
            await asyncio.sleep(0)
            await super().start_run(run_id, sync=sync, input=input, parent=parent)

    @create_sync(id="never")
    async def never(ctx: SyncContext[Number]) -> None:
        raise AssertionError("it was cancelled before")

    async def main() -> None:
        engine = Slow()
        await cancelled(Runtime(engine=engine, syncs={"it": never}), started)
        assert (await row(engine))["state"] == "cancelled"

    asyncio.run(main())


@pytest.mark.promise("S2")
def test_a_cancelled_parent_leaves_no_child_running() -> None:
    async def main() -> None:
        started = asyncio.Event()

        @create_sync(id="child")
        async def child(ctx: SyncContext[Number]) -> None:
            started.set()
            await asyncio.Event().wait()

        @create_sync(id="parent")
        async def parent(ctx: SyncContext[Number]) -> None:
            await ctx.sync(child, ctx.context)

        engine = MockEngine()
        await cancelled(Runtime(engine=engine, syncs={"it": parent, "child": child}), started)
        assert [(left["sync"], left["state"]) for left in await engine.get_runs()] == [
            ("child", "cancelled"), ("parent", "cancelled"),
        ]  # fmt: skip

    asyncio.run(main())


@pytest.mark.promise("S2")
def test_a_heartbeat_carries_the_counters_and_outlives_a_store_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(syncs.runs, "HEARTBEAT_SECONDS", 0)

    beaten = asyncio.Event()

    class Away(MockEngine):
        beats = 0

        async def beat_run(
            self, run_id: str, counters: Mapping[str, object] | None = None, *, state: str | None = None
        ) -> None:
            self.beats += 1
            if self.beats == 1:
                raise StoreUnavailable("away for a moment")
            await super().beat_run(run_id, counters, state=state)
            beaten.set()

    @create_sync(id="beats")
    async def beats(ctx: SyncContext[Number]) -> object:
        ctx.progress(pages=1)
        async with asyncio.timeout(5):
            await beaten.wait()
        return {"meanwhile": (await ctx.engine.get_runs())[0]["counters"]}

    engine = Away()
    left = run(beats, {"n": 1}, engine)
    assert (left["state"], left["output"]) == ("succeeded", {"meanwhile": {"pages": 1}})
    assert "heartbeat could not be written: away for a moment" in caplog.text


def test_a_failure_is_not_hidden_by_a_store_that_cannot_write_its_end() -> None:
    class Away(MockEngine):
        async def end_run(self, run_id: str, **end: Any) -> None:
            raise StoreUnavailable("the database is down")

    @create_sync(id="fails")
    async def fails(ctx: SyncContext[Number]) -> None:
        raise ValueError("its own")

    @create_sync(id="works")
    async def works(ctx: SyncContext[Number]) -> None: ...

    runtime = Runtime(engine=Away(), syncs={"fails": fails, "works": works})
    with pytest.raises(ValueError, match="its own") as caught:
        asyncio.run(runtime.sync("fails", {"n": 1}))
    assert "the end of the run could not be written: the database is down" in caught.value.__notes__
    with pytest.raises(StoreUnavailable):
        asyncio.run(runtime.sync("works", {"n": 1}))


def test_secrets_of_the_input_are_masked_in_the_row() -> None:
    class Source(BaseModel):
        dsn: str
        options: dict[str, Any]

    seen = []

    @create_sync(id="masks")
    async def masks(ctx: SyncContext[Source]) -> dict[str, str]:
        seen.append(ctx.context.dsn)
        return {"access_token": "abc", "site": "https://u:p@x.org/"}

    left = run(masks, {"dsn": "postgres://u:p@h/d", "options": {"api_key": "abc", "limit": 3}})
    assert seen == ["postgres://u:p@h/d"]
    assert left["input"] == {"dsn": "***", "options": {"api_key": "***", "limit": 3}}
    assert left["output"] == {"access_token": "***", "site": "https://***@x.org/"}
