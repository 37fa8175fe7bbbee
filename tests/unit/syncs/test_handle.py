"""A started run: its reports, its result, its cancellation, its deadline (promises S2 and S3)."""

import asyncio
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from engine.mock import MockEngine
from syncs import (
    DeadlineExceeded,
    InvalidInput,
    Progress,
    RunCancelled,
    Runtime,
    SyncContext,
    SyncError,
    UnknownSync,
    create_sync,
)


class Number(BaseModel):
    n: int


@create_sync(id="count")
async def count(ctx: SyncContext[Number]) -> int:
    for step in range(ctx.context.n):
        ctx.progress(f"step {step}", steps=step + 1)
        await asyncio.sleep(0)
    return ctx.context.n


@create_sync(id="for-ever")
async def for_ever(ctx: SyncContext[Number]) -> int:
    ctx.progress("begun")
    await asyncio.Event().wait()
    return 0


@create_sync(id="parent")
async def parent(ctx: SyncContext[Number]) -> int:
    ctx.progress("before")
    return await ctx.sync(count, ctx.context)


def make_runtime(**options: Any) -> Runtime:
    syncs = {"count": count, "for_ever": for_ever, "parent": parent}
    return Runtime(engine=MockEngine(), syncs=syncs, **options)


async def state(runtime: Runtime, run_id: str) -> tuple[str, object]:
    (row,) = await runtime.engine.get_runs(run_id=run_id)
    return row["state"], row["error"]


def test_a_started_run_reports_and_has_a_result() -> None:
    async def main() -> None:
        heard: list[Progress] = []
        runtime = make_runtime(on_progress=heard.append)
        handle = runtime.start(count, {"n": 3}, run_id="r")
        assert (handle.sync, handle.run_id, handle.done) == ("count", "r", False)
        reports = [report async for report in handle.events()]
        assert [(report.message, report.counters["steps"]) for report in reports] == [
            ("step 0", 1),
            ("step 1", 2),
            ("step 2", 3),
        ]
        assert await handle.result() == 3
        assert await handle.result() == 3
        assert handle.done
        assert heard == reports
        assert [report async for report in handle.events()] == reports, "who comes late misses nothing"
        assert await state(runtime, "r") == ("succeeded", None)

    asyncio.run(main())


def test_two_readers_hear_all_of_it_and_children_are_heard_too() -> None:
    async def main() -> None:
        handle = make_runtime().start("parent", {"n": 2})

        async def heard() -> list[tuple[str, str]]:
            return [(report.sync, report.message) async for report in handle.events()]

        assert (
            await asyncio.gather(heard(), heard())
            == [[("parent", "before"), ("count", "step 0"), ("count", "step 1")]] * 2
        )

    asyncio.run(main())


def test_a_reader_that_is_far_behind_misses_the_oldest_reports_only() -> None:
    async def main() -> None:
        handle = make_runtime().start(count, {"n": 1_500})
        assert await handle.result() == 1_500
        steps = [report.counters["steps"] async for report in handle.events()]
        assert steps == list(range(501, 1_501))

    asyncio.run(main())


def test_a_started_run_is_checked_before_it_begins() -> None:
    async def main() -> None:
        runtime = make_runtime()
        with pytest.raises(UnknownSync, match="did you mean 'count'"):
            runtime.start("cuont", {"n": 1})
        with pytest.raises(InvalidInput, match=r"run r: invalid input: n: "):
            runtime.start(count, {"n": "many"}, run_id="r")
        assert await runtime.engine.get_runs() == []

    asyncio.run(main())


@pytest.mark.promise("S2")
def test_a_cancelled_run_says_so_and_its_row_is_ended() -> None:
    async def main() -> None:
        runtime = make_runtime()
        handle = runtime.start(for_ever, {"n": 1}, run_id="r")
        async for _ in handle.events():
            assert handle.cancel() is True
        with pytest.raises(RunCancelled, match="sync 'for-ever', run r: cancelled"):
            await handle.result()
        assert handle.cancel() is False
        assert await state(runtime, "r") == ("cancelled", None)

    asyncio.run(main())


def test_who_waits_for_a_result_may_stop_waiting_without_ending_the_run() -> None:
    async def main() -> None:
        handle = make_runtime().start(for_ever, {"n": 1})
        waiting = asyncio.create_task(handle.result())
        async for _ in handle.events():
            break
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not handle.done
        handle.cancel()
        with pytest.raises(RunCancelled):
            await handle.result()

    asyncio.run(main())


def test_a_failed_run_raises_what_execute_raised() -> None:
    @create_sync(id="fails")
    async def fails(ctx: SyncContext[Number]) -> int:
        raise OSError("disk full")

    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"fails": fails})
        handle = runtime.start("fails", {"n": 1}, run_id="r")
        with pytest.raises(OSError, match="disk full"):
            await handle.result()
        assert [report async for report in handle.events()] == []
        assert await state(runtime, "r") == ("failed", "OSError: disk full")

    asyncio.run(main())


@pytest.mark.promise("S2")
def test_leaving_the_runtime_ends_the_runs_that_were_started() -> None:
    async def main() -> None:
        async with make_runtime() as runtime:
            handle = runtime.start(for_ever, {"n": 1}, run_id="r")
            async for _ in handle.events():
                break
        assert handle.done
        assert await state(runtime, "r") == ("cancelled", None)
        with pytest.raises(RunCancelled):
            await handle.result()

    asyncio.run(main())


@pytest.mark.promise("S2")
@pytest.mark.parametrize("how", ["sync", "start", "child"])
def test_a_run_that_is_out_of_time_is_cancelled_and_marked_failed(how: str) -> None:
    @create_sync(id="impatient")
    async def impatient(ctx: SyncContext[Number]) -> int:
        return await ctx.sync(for_ever, ctx.context, timeout=0.01)

    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"for_ever": for_ever, "impatient": impatient})
        calls = {
            "sync": lambda: runtime.sync("for_ever", {"n": 1}, timeout=0.01),
            "start": lambda: runtime.start("for_ever", {"n": 1}, timeout=0.01).result(),
            "child": lambda: runtime.sync("impatient", {"n": 1}),
        }
        with pytest.raises(DeadlineExceeded, match=r"sync 'for-ever', run \S+: not done within 0.01 seconds") as raised:
            await calls[how]()
        assert isinstance(raised.value, TimeoutError)
        for row in await runtime.engine.get_runs():
            assert row["state"] == "failed"
            assert "DeadlineExceeded" in str(row["error"])

    asyncio.run(main())


def test_a_plain_function_is_told_of_its_deadline_and_waited_for() -> None:
    returned = threading.Event()

    @create_sync(id="plain")
    def plain(ctx: SyncContext[Number]) -> int:
        while not ctx.cancelled:
            pass
        returned.set()
        return 1

    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"plain": plain})
        with pytest.raises(DeadlineExceeded):
            await runtime.sync("plain", {"n": 1}, timeout=0.01)
        assert returned.is_set()

    asyncio.run(main())


def test_a_timeout_of_the_syncs_own_is_no_deadline() -> None:
    @create_sync(id="slow-host")
    async def slow_host(ctx: SyncContext[Number]) -> int:
        raise TimeoutError("the host did not answer")

    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"slow_host": slow_host})
        with pytest.raises(TimeoutError, match="the host did not answer") as raised:
            await runtime.sync("slow_host", {"n": 1}, timeout=60)
        assert not isinstance(raised.value, DeadlineExceeded)

    asyncio.run(main())


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_a_number_of_seconds_above_zero(timeout: float) -> None:
    async def main() -> None:
        with pytest.raises(SyncError, match="give seconds above 0"):
            await make_runtime().sync("count", {"n": 1}, timeout=timeout)

    asyncio.run(main())
