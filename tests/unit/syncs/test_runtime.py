"""Running a sync: names, validation, context, children, and the design's own example."""

import asyncio
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, field_validator

from engine.mock import MockEngine
from syncs import (
    DuplicateSync,
    InvalidInput,
    InvalidOutput,
    MissingEngine,
    Progress,
    Runtime,
    SyncContext,
    SyncError,
    UnknownSync,
    create_sync,
)


class Number(BaseModel):
    n: int


class Text(BaseModel):
    s: str


@create_sync(id="double-sync")
async def double(ctx: SyncContext[Number]) -> Text:
    return Text(s=str(2 * ctx.context.n))


@create_sync(id="other")
async def other(ctx: SyncContext[Number]) -> Text:
    return Text(s="other")


def runtime(**syncs: Any) -> Runtime:
    return Runtime(engine=MockEngine(), syncs=syncs)


def test_the_example_of_the_design_runs_as_written() -> None:
    class UserIn(BaseModel):
        user_id: str
        data: dict[str, object]

    class Done(BaseModel):
        success: bool
        message: str

    async def execute(ctx: SyncContext[UserIn]) -> Done:
        await ctx.engine.sync_records(
            connection_id="users",
            name="user_data",
            records=[{"external_id": ctx.context.user_id, "data": ctx.context.data}],
        )
        return Done(success=True, message="Data synchronized successfully")

    my_sync = create_sync(
        id="my-sync",
        description="Synchronize user data",
        input_schema=UserIn,
        output_schema=Done,
        execute=execute,
    )

    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"my_sync": my_sync}, agents={}, vectors={}, llm=None)
        result = await runtime.sync("my_sync", {"user_id": "123", "data": {"name": "John Doe"}})
        assert result == Done(success=True, message="Data synchronized successfully")
        stored = await runtime.engine.get_records(connection_id="users", name="user_data")
        assert stored == [{"external_id": "123", "data": {"name": "John Doe"}}]

    asyncio.run(main())


@pytest.mark.parametrize("name", ["double", "double-sync", double])
def test_a_sync_is_named_by_its_key_its_id_or_itself(name: Any) -> None:
    assert asyncio.run(runtime(double=double).sync(name, {"n": 2})) == Text(s="4")


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownSync, match=r"'duble'; did you mean 'double' or 'double-sync'\?"):
        asyncio.run(runtime(double=double, unlike=other).sync("duble", {"n": 2}))


def test_a_sync_that_is_not_registered_is_not_run() -> None:
    with pytest.raises(UnknownSync, match="'other' is not registered"):
        asyncio.run(runtime(double=double).sync(other, {"n": 2}))


def test_one_name_for_two_syncs_is_an_error() -> None:
    with pytest.raises(DuplicateSync, match="'other' names two syncs"):
        Runtime(engine=MockEngine(), syncs={"other": double, "x": other})
    twin = create_sync(id="double-sync", execute=other.execute)
    with pytest.raises(DuplicateSync, match="'double-sync' names two syncs"):
        Runtime(engine=MockEngine(), syncs={"a": double, "b": twin})


def test_a_key_may_equal_the_syncs_own_id_and_a_sync_may_have_two_keys() -> None:
    both = Runtime(engine=MockEngine(), syncs={"double-sync": double, "again": double})
    assert asyncio.run(both.sync("again", {"n": 1})) == Text(s="2")


def test_a_runtime_without_engine_is_an_error() -> None:
    with pytest.raises(MissingEngine, match="needs engine="):
        Runtime(syncs={"double": double})


def test_leaving_the_runtime_closes_the_engine_and_the_model_even_where_one_fails_to_close() -> None:
    closed: list[str] = []

    class Closing(MockEngine):
        async def aclose(self) -> None:
            closed.append("engine")

    class Model:
        async def aclose(self) -> None:
            closed.append("llm")
            raise OSError("already gone")

    async def main() -> None:
        async with Runtime(engine=Closing(), syncs={"double": double}, llm=Model()) as opened:
            await opened.sync("double", {"n": 1})
            assert closed == []

    with pytest.raises(OSError, match="already gone"):
        asyncio.run(main())
    assert sorted(closed) == ["engine", "llm"]


@pytest.mark.promise("S1")
def test_a_wrong_input_names_sync_field_and_run_and_nothing_is_run() -> None:
    ran = []

    @create_sync(id="strict")
    async def strict(ctx: SyncContext[Number]) -> None:
        ran.append(ctx.run_id)

    engine = MockEngine()
    with pytest.raises(InvalidInput) as caught:
        asyncio.run(Runtime(engine=engine, syncs={"strict": strict}).sync("strict", {"n": "many"}, run_id="r-1"))
    assert str(caught.value).startswith("sync 'strict', run r-1: invalid input: n: Input should be a valid integer")
    assert (caught.value.sync, caught.value.run_id) == ("strict", "r-1")
    assert [path for path, _ in caught.value.problems] == ["n"]
    assert ran == []
    assert asyncio.run(engine.get_runs()) == []


@pytest.mark.promise("S1")
def test_a_wrong_output_names_sync_field_and_run_and_fails_the_run() -> None:
    @create_sync(id="sloppy", output_schema=Text)
    async def sloppy(ctx: SyncContext[Number]) -> dict[str, object]:
        return {"s": ["not text"]}

    engine = MockEngine()
    with pytest.raises(
        InvalidOutput, match=r"sync 'sloppy', run r-2: invalid output: s: Input should be a valid string"
    ):
        asyncio.run(Runtime(engine=engine, syncs={"sloppy": sloppy}).sync("sloppy", {"n": 1}, run_id="r-2"))
    (row,) = asyncio.run(engine.get_runs())
    assert row["state"] == "failed"
    assert "s: Input should be a valid string" in str(row["error"])


def test_a_dict_becomes_the_output_model() -> None:
    @create_sync(id="loose", output_schema=Text)
    async def loose(ctx: SyncContext[Number]) -> dict[str, object]:
        return {"s": "x"}

    assert asyncio.run(runtime(loose=loose).sync(loose, Number(n=1))) == Text(s="x")


class Login(BaseModel):
    name: str
    password: str
    pin: SecretStr = SecretStr("0000")

    @field_validator("password")
    @classmethod
    def long_enough(cls, value: str) -> str:
        if len(value) < 20:
            raise ValueError(f"{value!r} is too short")
        return value


@pytest.mark.promise("S1")
@pytest.mark.parametrize("given", [{"name": 1, "password": "hunter2"}, {"password": {"value": "hunter2"}}])
def test_a_validation_error_never_shows_a_value(given: dict[str, object]) -> None:
    @create_sync(id="login")
    async def login(ctx: SyncContext[Login]) -> None: ...

    with pytest.raises(InvalidInput) as caught:
        asyncio.run(runtime(login=login).sync("login", given))
    assert "password: " in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None  # pydantic's own error would carry the values along


def test_a_plain_function_runs_in_a_thread_of_its_own() -> None:
    @create_sync(id="plain")
    def plain(ctx: SyncContext[Number]) -> int:
        return threading.get_ident()

    async def main() -> tuple[int, int]:
        return await runtime(plain=plain).sync(plain, Number(n=1)), threading.get_ident()

    worker, loop = asyncio.run(main())
    assert worker != loop


def test_an_object_with_an_async_call_is_a_function_too() -> None:
    class Adder:
        async def __call__(self, ctx: SyncContext[Number]) -> int:
            return ctx.context.n + 1

    adder = create_sync(id="adder", execute=Adder())
    assert asyncio.run(runtime(adder=adder).sync("adder", {"n": 1})) == 2


def test_the_context_carries_what_the_runtime_was_given() -> None:
    agents, vectors, llm = {"writer": object()}, {"docs": object()}, object()

    @create_sync(id="look")
    async def look(ctx: SyncContext[Number]) -> None:
        assert (dict(ctx.agents), dict(ctx.vectors), ctx.llm) == (agents, vectors, llm)
        assert ctx.engine is engine
        assert ctx.run_id == "r-3"

    engine = MockEngine()
    all_of_it = Runtime(engine=engine, syncs={"look": look}, agents=agents, vectors=vectors, llm=llm)
    asyncio.run(all_of_it.sync("look", {"n": 1}, run_id="r-3"))


def test_the_log_is_bound_to_the_run(caplog: pytest.LogCaptureFixture) -> None:
    @create_sync(id="talk")
    async def talk(ctx: SyncContext[Number]) -> None:
        ctx.log.info("stored %d", 3)

    with caplog.at_level(logging.INFO, logger="syncs.run"):
        asyncio.run(runtime(talk=talk).sync("talk", {"n": 1}, run_id="r-4"))
    (record,) = caplog.records
    assert record.getMessage() == "[talk r-4] stored 3"
    assert (record.sync, record.run_id) == ("talk", "r-4")


def test_another_sync_runs_as_a_child() -> None:
    @create_sync(id="parent")
    async def parent(ctx: SyncContext[Number]) -> str:
        by_object = await ctx.sync(double, Number(n=ctx.context.n))
        by_id = await ctx.sync("double-sync", {"n": 10})
        return f"{by_object.s} {by_id.s}"

    engine = MockEngine()
    both = Runtime(engine=engine, syncs={"parent": parent, "double": double})
    assert asyncio.run(both.sync("parent", {"n": 1}, run_id="top")) == "2 20"
    rows = asyncio.run(engine.get_runs())
    assert [(row["sync"], row["parent"]) for row in rows] == [
        ("double-sync", "top"), ("double-sync", "top"), ("parent", None),
    ]  # fmt: skip
    assert len({row["id"] for row in rows}) == 3


@pytest.mark.parametrize("where", ["loop", "thread"])
def test_progress_reaches_the_listener_on_the_event_loop(where: str) -> None:
    told: list[tuple[Progress, int]] = []

    def report(ctx: SyncContext[Number]) -> None:
        ctx.progress(pages=1)
        ctx.progress("indexing", pages=2, chunks=5)

    async def report_on_loop(ctx: SyncContext[Number]) -> None:
        report(ctx)

    sync = create_sync(id="report", execute=report if where == "thread" else report_on_loop)
    listening = Runtime(
        engine=MockEngine(),
        syncs={"report": sync},
        on_progress=lambda progress: told.append((progress, threading.get_ident())),
    )
    asyncio.run(listening.sync("report", {"n": 1}, run_id="r-5"))
    assert [(progress.message, progress.counters) for progress, _ in told] == [
        ("", {"pages": 1}), ("indexing", {"pages": 2, "chunks": 5}),
    ]  # fmt: skip
    assert {(progress.sync, progress.run_id, thread) for progress, thread in told} == {
        ("report", "r-5", threading.get_ident())
    }


@pytest.mark.promise("S3")
def test_a_failing_sync_is_called_once_and_its_exception_is_the_callers() -> None:
    calls = []

    @create_sync(id="fails")
    async def fails(ctx: SyncContext[Number]) -> None:
        calls.append(ctx.context.n)
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError) as caught:
        asyncio.run(runtime(fails=fails).sync("fails", {"n": 1}, run_id="r-6"))
    assert caught.value.__notes__ == ["in sync fails, run r-6"]
    assert calls == [1]


@pytest.mark.promise("S3")
def test_a_sync_is_done_when_the_call_returns_and_can_be_run_again_under_its_id() -> None:
    @create_sync(id="store")
    async def store(ctx: SyncContext[Number]) -> int:
        report = await ctx.engine.sync_records(
            connection_id="c", name="numbers", records=[{"external_id": "one", "data": {"n": ctx.context.n}}]
        )
        return report.added

    async def main() -> tuple[int, int, int]:
        alone = runtime(store=store)
        first = await alone.sync("store", {"n": 1}, run_id="job-7")
        second = await alone.sync("store", {"n": 1}, run_id="job-7")
        assert len(asyncio.all_tasks()) == 1  # nothing goes on behind the call
        return first, second, len(await alone.engine.get_records(connection_id="c", name="numbers"))

    assert asyncio.run(main()) == (1, 0, 1)


@pytest.mark.parametrize("run_id", ["", "  ", "a\nb", "x" * 201])
def test_a_run_id_is_short_printable_text(run_id: str) -> None:
    with pytest.raises(SyncError, match="run_id"):
        asyncio.run(runtime(double=double).sync("double", {"n": 1}, run_id=run_id))


@pytest.mark.slow
def test_importing_the_runtime_is_cheap() -> None:
    heavy = {"httpx", "openai", "tiktoken", "ingest", "chunking", "psycopg"}
    program = f"import sys, syncs; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
