"""A run's row means the same in every engine (promises S2 and E8)."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import pytest

from engine.protocols import Engine

pytestmark = pytest.mark.promise("E8", "S2")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]


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
