"""The run table in Postgres: one row for every run of a sync (promise S2)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from psycopg.types.json import Jsonb

from engine.checks import check_beat, check_count, check_end, check_run_id
from engine.clean import clean_json, clean_text
from engine.database import Database
from engine.errors import EngineError
from engine.protocols import DEAD_AFTER, DIED
from engine.queries import query

__all__ = ["PostgresRuns"]

DEATH = MappingProxyType({"dead_after": DEAD_AFTER, "died": DIED})


class PostgresRuns:
    """The part of `PostgresEngine` that keeps runs."""

    _database: Database

    async def start_run(
        self, run_id: str, *, sync: str, input: Mapping[str, object], parent: str | None = None
    ) -> None:
        """Write the row of a run that begins now, and mark the runs that died, in one statement."""
        await self._database.fetch(
            query("start_run"),
            {
                "id": check_run_id(run_id),
                "sync": clean_text(sync),
                "parent": None if parent is None else check_run_id(parent),
                "input": Jsonb(clean_json(input)),
                **DEATH,
            },
        )

    async def beat_run(
        self, run_id: str, counters: Mapping[str, object] | None = None, *, state: str | None = None
    ) -> None:
        """Say that the run is alive, how far it is, and with `state="cancelling"` that it was told to stop.

        A run that died runs again; one that has ended is left as it is. EngineError where nobody started it.
        """
        check_beat(state)
        await self._change_run("beat_run", run_id, counters=_json(counters), state=state)

    async def end_run(
        self,
        run_id: str,
        *,
        state: str,
        counters: Mapping[str, object] | None = None,
        output: Mapping[str, object] | None = None,
        error: str | None = None,
    ) -> None:
        """Write how the run ended: succeeded, failed or cancelled; EngineError where nobody started it."""
        check_end(state)
        ended = {"counters": _json(counters), "output": _json(output), "error": _text(error)}
        await self._change_run("end_run", run_id, state=state, **ended)

    async def get_runs(
        self, *, run_id: str | None = None, parent: str | None = None, limit: int = 20
    ) -> list[dict[str, Any]]:
        """The latest runs, newest first; the one with this id, or the children of one."""
        values = {"id": _text(run_id), "parent": _text(parent), "limit": check_count("limit", limit)}
        return await self._database.fetch(query("runs"), {**values, **DEATH})

    async def _change_run(self, name: str, run_id: str, **values: object) -> None:
        if not await self._database.fetch(query(name), {"id": clean_text(run_id), **values}):
            raise EngineError(f"There is no run {run_id!r}: start_run opens one.")


def _text(text: str | None) -> str | None:
    return None if text is None else clean_text(text)


def _json(value: Mapping[str, object] | None) -> Jsonb | None:
    return None if value is None else Jsonb(clean_json(value))
