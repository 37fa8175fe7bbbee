"""What the suite does to engines beside their own methods."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from engine.mock import MockEngine
from engine.protocols import Engine

Age = Callable[[Engine, str, float], None]


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
