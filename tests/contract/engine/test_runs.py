"""A run's row means the same in every engine (promises S2 and E8)."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import pytest

from engine.errors import EngineError, InvalidQuery
from engine.protocols import DEAD_AFTER, DIED, Engine

pytestmark = pytest.mark.promise("E8", "S2")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
Age = Callable[[Engine, str, float], None]
LONG = DEAD_AFTER + 10


async def row_of(engine: Engine, run_id: str) -> dict[str, Any]:
    (row,) = await engine.get_runs(run_id=run_id)
    return row


def test_a_run_is_a_row_from_start_to_end(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("r1", sync="crawl", input={"url": "https://x.org/"}, parent="p")
        (row,) = await engine.get_runs(run_id="r1")
        assert (row["id"], row["sync"], row["parent"], row["state"]) == ("r1", "crawl", "p", "running")
        assert (row["input"], row["counters"]) == ({"url": "https://x.org/"}, {})
        assert (row["output"], row["error"], row["ended_at"]) == (None, None, None)
        await engine.beat_run("r1", {"pages": 1})
        await engine.beat_run("r1")
        (row,) = await engine.get_runs(run_id="r1")
        assert row["counters"] == {"pages": 1}
        await engine.end_run("r1", state="succeeded", output={"stored": 1})
        (row,) = await engine.get_runs(run_id="r1")
        assert (row["state"], row["output"], row["error"]) == ("succeeded", {"stored": 1}, None)
        started, beaten, ended = row["started_at"], row["heartbeat_at"], row["ended_at"]
        assert isinstance(started, datetime)
        assert isinstance(beaten, datetime)
        assert isinstance(ended, datetime)
        assert started <= beaten <= ended

    on(scenario)


def test_runs_are_listed_newest_first(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        for number in range(4):
            await engine.start_run(f"r{number}", sync="crawl", input={})
        await engine.end_run("r0", state="failed", error="ValueError: no")
        assert [row["id"] for row in await engine.get_runs()] == ["r3", "r2", "r1", "r0"]
        assert [row["id"] for row in await engine.get_runs(limit=2)] == ["r3", "r2"]
        assert [(row["state"], row["error"]) for row in await engine.get_runs(run_id="r0")] == [
            ("failed", "ValueError: no")
        ]
        assert await engine.get_runs(run_id="r9") == []

    on(scenario)


def test_a_run_started_again_under_its_id_starts_over(on: With) -> None:
    # A job system that tries a job again names the run by the job.
    async def scenario(engine: Engine) -> None:
        await engine.start_run("job-7", sync="crawl", input={"n": 1})
        await engine.beat_run("job-7", {"pages": 3})
        await engine.end_run("job-7", state="failed", error="no")
        await engine.start_run("job-7", sync="crawl", input={"n": 2})
        (row,) = await engine.get_runs(run_id="job-7")
        assert (row["state"], row["input"], row["counters"]) == ("running", {"n": 2}, {})
        assert (row["output"], row["error"], row["ended_at"]) == (None, None, None)

    on(scenario)


def test_the_end_may_bring_the_last_counters(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        for run_id in ("r1", "r2"):
            await engine.start_run(run_id, sync="crawl", input={})
            await engine.beat_run(run_id, {"pages": 1})
        await engine.end_run("r1", state="succeeded", counters={"pages": 2})
        await engine.end_run("r2", state="failed", error="no")
        assert [(await row_of(engine, run_id))["counters"] for run_id in ("r1", "r2")] == [{"pages": 2}, {"pages": 1}]

    on(scenario)


def test_the_children_of_a_run_are_listed(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("p", sync="all", input={})
        for number in range(3):
            await engine.start_run(f"c{number}", sync="one", input={}, parent="p")
        await engine.start_run("other", sync="one", input={}, parent="c1")
        assert [row["id"] for row in await engine.get_runs(parent="p")] == ["c2", "c1", "c0"]
        assert [row["id"] for row in await engine.get_runs(parent="p", limit=1)] == ["c2"]
        assert [row["id"] for row in await engine.get_runs(parent="p", run_id="c1")] == ["c1"]
        assert await engine.get_runs(parent="other") == []
        assert await engine.get_runs(limit=0) == []
        with pytest.raises(InvalidQuery, match="limit"):
            await engine.get_runs(limit=-1)

    on(scenario)


def test_a_run_that_is_told_to_stop_is_cancelling_until_it_ends(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("r", sync="crawl", input={})
        await engine.beat_run("r", state="running")
        await engine.beat_run("r", {"pages": 1}, state="cancelling")
        await engine.beat_run("r", {"pages": 2})
        await engine.beat_run("r", state="running")  # no beat takes it back
        row = await row_of(engine, "r")
        assert (row["state"], row["counters"], row["ended_at"]) == ("cancelling", {"pages": 2}, None)
        await engine.end_run("r", state="cancelled")
        assert (await row_of(engine, "r"))["state"] == "cancelled"

    on(scenario)


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_a_beat_that_comes_late_changes_nothing_of_a_run_that_has_ended(on: With, state: str) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("r", sync="crawl", input={})
        await engine.end_run("r", state=state, counters={"pages": 2}, error="said")
        ended = await row_of(engine, "r")
        await engine.beat_run("r", {"pages": 1}, state="cancelling")
        assert await row_of(engine, "r") == ended

    on(scenario)


def test_a_state_that_there_is_not_is_refused(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("r", sync="crawl", input={})
        with pytest.raises(EngineError, match="'succeeded'"):
            await engine.beat_run("r", state="succeeded")
        for state in ("running", "died", "done"):
            with pytest.raises(EngineError, match=f"'{state}'"):
                await engine.end_run("r", state=state)
        assert (await row_of(engine, "r"))["state"] == "running"

    on(scenario)


def test_a_run_that_nobody_started_cannot_beat_or_end(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(EngineError, match="no run 'nobody'"):
            await engine.beat_run("nobody")
        with pytest.raises(EngineError, match="no run 'nobody'"):
            await engine.end_run("nobody", state="succeeded")
        assert await engine.get_runs() == []

    on(scenario)


def test_a_run_holds_any_text_but_for_the_cleaning(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("r\0", sync="s\0", input={"a": "\0"}, parent="p\0")
        await engine.beat_run("r\0", {"n": float("nan")})
        await engine.end_run("r\0", state="failed", error="e\ud800")
        row = await row_of(engine, "r\0")
        assert (row["id"], row["sync"], row["parent"]) == ("r\ufffd", "s\ufffd", "p\ufffd")
        assert (row["input"], row["counters"], row["error"]) == ({"a": "\ufffd"}, {"n": None}, "e\ufffd")
        assert await engine.get_runs(parent="p\0") == [row]

    on(scenario)


@pytest.mark.parametrize("state", ["running", "cancelling"])
def test_a_run_without_a_heartbeat_is_shown_as_died_before_anybody_marks_it(on: With, age: Age, state: str) -> None:
    async def scenario(engine: Engine) -> None:
        for run_id in ("dead", "slow"):
            await engine.start_run(run_id, sync="crawl", input={})
            await engine.beat_run(run_id, state=state)
        age(engine, "dead", LONG)
        age(engine, "slow", DEAD_AFTER / 2)
        row = await row_of(engine, "dead")
        assert (row["state"], row["error"], row["ended_at"]) == ("died", DIED, row["heartbeat_at"])
        assert [(each["id"], each["state"]) for each in await engine.get_runs()] == [("slow", state), ("dead", "died")]

    on(scenario)


def test_the_next_run_marks_those_that_died_and_no_others(on: With, age: Age) -> None:
    async def scenario(engine: Engine) -> None:
        for run_id in ("dead", "ended", "alive"):
            await engine.start_run(run_id, sync="crawl", input={}, parent="dead")
        await engine.end_run("ended", state="failed", error="its own")
        for run_id in ("dead", "ended"):
            age(engine, run_id, LONG)
        shown = await row_of(engine, "dead")
        await engine.start_run("next", sync="crawl", input={})
        age(engine, "dead", -LONG)  # marked: it stays so, whatever its heartbeat
        marked = await row_of(engine, "dead")
        assert (marked["state"], marked["error"], marked["ended_at"]) == ("died", DIED, shown["ended_at"])
        states = {row["id"]: (row["state"], row["error"]) for row in await engine.get_runs()}
        assert states["ended"] == ("failed", "its own")
        assert states["alive"] == states["next"] == ("running", None)

    on(scenario)


@pytest.mark.parametrize("marked", [False, True])
def test_a_run_that_only_slept_is_revived_by_its_next_beat(on: With, age: Age, marked: bool) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("r", sync="crawl", input={})
        await engine.beat_run("r", {"pages": 1})
        age(engine, "r", LONG)
        if marked:
            await engine.start_run("next", sync="crawl", input={})
        assert (await row_of(engine, "r"))["state"] == "died"
        await engine.beat_run("r")
        row = await row_of(engine, "r")
        assert (row["state"], row["error"], row["ended_at"]) == ("running", None, None)
        assert row["counters"] == {"pages": 1}
        age(engine, "r", LONG)
        await engine.start_run("next", sync="crawl", input={})
        await engine.beat_run("r", state="cancelling")
        assert (await row_of(engine, "r"))["state"] == "cancelling"
        await engine.end_run("r", state="succeeded")
        assert (await row_of(engine, "r"))["state"] == "succeeded"

    on(scenario)


def test_a_run_that_died_may_end_or_start_over(on: With, age: Age) -> None:
    async def scenario(engine: Engine) -> None:
        for run_id in ("late", "again"):
            await engine.start_run(run_id, sync="crawl", input={})
            age(engine, run_id, LONG)
        await engine.start_run("again", sync="crawl", input={"try": 2})
        await engine.end_run("late", state="succeeded", output={"stored": 1})
        row = await row_of(engine, "late")
        assert (row["state"], row["error"], row["output"]) == ("succeeded", None, {"stored": 1})
        row = await row_of(engine, "again")
        assert (row["state"], row["error"], row["input"]) == ("running", None, {"try": 2})

    on(scenario)
