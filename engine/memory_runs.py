"""The run table of a `MockEngine`."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.checks import check_beat, check_count, check_end, check_run_id
from engine.clean import clean_json, clean_text
from engine.errors import EngineError
from engine.protocols import DEAD_AFTER, DIED, LIVE

__all__ = ["MemoryRuns"]


class MemoryRuns:
    """The part of `MockEngine` that keeps runs."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, Any]] = {}

    async def start_run(
        self, run_id: str, *, sync: str, input: Mapping[str, object], parent: str | None = None
    ) -> None:
        """Open a run's row, as running; one that is started again under its id starts over. Marks what died."""
        key, now = check_run_id(run_id), datetime.now(UTC)
        self._runs.pop(key, None)
        self._runs = {other: _seen(run) for other, run in self._runs.items()}
        self._runs[key] = {
            "id": key,
            "parent": None if parent is None else check_run_id(parent),
            "sync": clean_text(sync),
            "state": "running",
            "input": clean_json(input),
            "output": None,
            "counters": {},
            "error": None,
            "started_at": now,
            "heartbeat_at": now,
            "ended_at": None,
        }

    async def beat_run(
        self, run_id: str, counters: Mapping[str, object] | None = None, *, state: str | None = None
    ) -> None:
        """Say that the run is alive, how far it is, and with `state="cancelling"` that it was told to stop."""
        check_beat(state)
        run = self._run(run_id)
        if run["state"] not in (*LIVE, "died"):
            return
        if run["state"] != "cancelling":
            run["state"] = state or "running"
        run.update(heartbeat_at=datetime.now(UTC), ended_at=None, error=None)
        if counters is not None:
            run["counters"] = clean_json(counters)

    async def end_run(
        self,
        run_id: str,
        *,
        state: str,
        counters: Mapping[str, object] | None = None,
        output: Mapping[str, object] | None = None,
        error: str | None = None,
    ) -> None:
        """Close a run's row with its state."""
        check_end(state)
        run, now = self._run(run_id), datetime.now(UTC)
        if counters is not None:
            run["counters"] = clean_json(counters)
        error = None if error is None else clean_text(error)
        run.update(state=state, output=clean_json(output), error=error, heartbeat_at=now, ended_at=now)

    async def get_runs(
        self, *, run_id: str | None = None, parent: str | None = None, limit: int = 20
    ) -> list[dict[str, Any]]:
        """The latest runs, newest first; the one with this id, or the children of one."""
        wanted = None if run_id is None else clean_text(run_id)
        of = None if parent is None else clean_text(parent)
        found = [
            deepcopy(_seen(run))
            for key, run in reversed(self._runs.items())
            if wanted in (None, key) and of in (None, run["parent"])
        ]
        return found[: check_count("limit", limit)]

    def _oldest_live(self) -> datetime:
        """When the oldest run began that is under way; now where there is none."""
        started: list[datetime] = [run["started_at"] for run in self._runs.values() if _seen(run)["state"] in LIVE]
        return min([datetime.now(UTC), *started])

    def _prune_runs(self, older_than: float) -> int:
        """Forget runs that ended more than so many seconds ago; how many."""
        before = datetime.now(UTC) - timedelta(seconds=older_than)
        ended = {key: _seen(run)["ended_at"] for key, run in self._runs.items()}
        old = [key for key, end in ended.items() if end is not None and end < before]
        for key in old:
            del self._runs[key]
        return len(old)

    def _run(self, run_id: str) -> dict[str, Any]:
        run = self._runs.get(clean_text(run_id))
        if run is None:
            raise EngineError(f"There is no run {run_id!r}: start_run opens one.")
        return run


def _seen(run: dict[str, Any]) -> dict[str, Any]:
    """The run, as died where its process has given no sign of life."""
    if run["state"] not in LIVE or datetime.now(UTC) - run["heartbeat_at"] <= timedelta(seconds=DEAD_AFTER):
        return run
    return {**run, "state": "died", "error": DIED, "ended_at": run["heartbeat_at"]}
