"""What only a real Postgres can show of records and runs: writers in several engines, indexes, rights, dates."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine.dates import PATTERN, time_of, time_sql
from engine.embedders.fake import HashEmbedder
from engine.models import RecordInput
from engine.postgres import PostgresEngine
from engine.protocols import DEAD_AFTER, DIED
from engine.queries import query

pytestmark = pytest.mark.slow

USERS: Mapping[str, str] = {"connection_id": "crm", "name": "users"}
DEATH: Mapping[str, object] = {"dead_after": DEAD_AFTER, "died": DIED}


def run(url: str, scenario: Callable[[PostgresEngine], Coroutine[Any, Any, object]]) -> None:
    async def main() -> None:
        async with PostgresEngine(url, embedder=HashEmbedder()) as engine:
            await scenario(engine)

    asyncio.run(main())


def test_merges_of_one_record_from_two_engines_lose_no_field(database_url: str) -> None:
    async def main() -> None:
        async with (
            PostgresEngine(database_url, embedder=HashEmbedder()) as one,
            PostgresEngine(database_url, embedder=HashEmbedder()) as other,
        ):

            def merge(number: int) -> Coroutine[Any, Any, object]:
                record: RecordInput = {
                    "external_id": "a",
                    "data": {f"field{number}": number, **({"markdown": f"word{number}"} if number % 3 else {})},
                }
                return (one, other)[number % 2].sync_records(**USERS, records=[record], merge=True)

            await asyncio.gather(*map(merge, range(40)))
            ((_, data),) = [each.values() for each in await one.get_records(**USERS)]
            assert isinstance(data, dict)
            word = data.pop("markdown")
            assert data == {f"field{number}": number for number in range(40)}
            for mode in ("text", "vector"):
                hits = await other.search(word, mode=mode)
                assert [hit.markdown for hit in hits] == [word]

    asyncio.run(main())
    with psycopg.connect(database_url) as connection:
        unembedded = connection.execute(
            "SELECT count(*) FROM syncline.record LEFT JOIN syncline.vector_1 ON hash = embed_hash WHERE hash IS NULL"
        ).fetchone()
    assert unembedded == (0,)


def indexes(connection: psycopg.Connection[Any], name: str, **values: object) -> str:
    plan = connection.execute(f"EXPLAIN (FORMAT JSON) {query(name)}", {**DEATH, **values}).fetchone()
    return json.dumps(plan)


def test_runs_that_may_have_died_and_children_come_from_an_index(database_url: str) -> None:
    run(database_url, lambda engine: engine.sites())
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO syncline.run (id, sync, state, input, parent, started_at) "
            "SELECT n::text, 's', CASE WHEN n % 5000 = 0 THEN 'running' ELSE 'succeeded' END, '{}', (n / 10)::text, "
            "now() - make_interval(secs => n) "
            "FROM generate_series(1, 20000) AS n"
        )
        connection.execute("ANALYZE syncline.run")
        asked: Mapping[str, object] = {"limit": 20}
        assert "run_live" in indexes(connection, "start_run", id="x", sync="s", parent=None, input="{}")
        assert "run_parent" in indexes(connection, "runs", id=None, parent="77", **asked)
        assert "run_pkey" in indexes(connection, "runs", id="77", parent=None, **asked)
        assert "run_started" in indexes(connection, "runs", id=None, parent=None, **asked)


def test_a_beat_writes_to_no_index(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.start_run("r", sync="s", input={})
        for number in range(20):
            await engine.beat_run("r", {"n": number})

    run(database_url, scenario)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()") if connection.info.server_version >= 150_000 else None
        (updated, hot) = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'run'"
        ).fetchone() or (0, 0)
    assert updated == hot == 20


def test_a_reader_without_rights_to_write_sees_which_runs_died(database_url: str) -> None:
    async def write(engine: PostgresEngine) -> None:
        await engine.start_run("dead", sync="s", input={})
        await engine.create_entity(**USERS)

    run(database_url, write)
    reader = f"reader_{uuid4().hex}"
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE syncline.run SET heartbeat_at = heartbeat_at - interval '1 hour'")
        connection.execute(f"CREATE ROLE {reader} LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA syncline TO {reader}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA syncline TO {reader}")

    async def read(engine: PostgresEngine) -> None:
        (row,) = await engine.get_runs()
        assert (row["state"], row["error"], row["ended_at"]) == ("died", DIED, row["heartbeat_at"])
        assert (await engine.get_entity(**USERS))["name"] == "users"

    try:
        run(make_conninfo(database_url, user=reader), read)
    finally:
        with psycopg.connect(database_url) as connection:
            connection.execute(f"DROP OWNED BY {reader} CASCADE")
            connection.execute(f"DROP ROLE {reader}")


def written(chance: random.Random) -> str:
    """A text that is a date, or nearly one."""
    year = chance.choice([0, 1, 4, 100, 1900, 2000, 2023, 2024, 9999])
    day = f"{year:04}-{chance.randint(0, 13):02}-{chance.randint(0, 32):02}"
    clock = f"{chance.choice('T T_')}{chance.randint(0, 24):02}:{chance.randint(0, 61):02}"
    clock += chance.choice(
        ["", f":{chance.randint(0, 60):02}", f":{chance.randint(0, 59):02}.{chance.randint(0, 10**9)}"]
    )
    zone = chance.choice(["", "Z", "z", "+00", "-0030", "+05:30", "-15:59", "+16:00", "+1", "+24:00"])
    text = day + chance.choice(["", clock + zone])
    if chance.random() < 0.1:
        place = chance.randrange(len(text) + 1)
        text = text[:place] + chance.choice("0-: T\né٣") + text[place:]
    return text


@pytest.mark.promise("E8")
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_postgres_reads_every_date_as_python_does_whatever_its_time_zone(database_url: str, zone: str) -> None:
    texts = sorted({written(random.Random(seed)) for seed in range(20_000)})
    times = [time_of(text) for text in texts]
    assert 2_000 < sum(time is not None for time in times) < len(texts) - 2_000
    with psycopg.connect(database_url, options=f"-c timezone={zone} -c datestyle=SQL,DMY") as connection:
        found = connection.execute(
            f"SELECT CASE WHEN text ~ %(pattern)s THEN extract(epoch FROM {time_sql('text')}) END "
            "FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS given (text, place) ORDER BY place",
            {"pattern": PATTERN, "texts": texts},
        ).fetchall()
    first = timedelta(days=719_162)  # from 0001-01-01 to 1970-01-01
    wrong = [
        (text, time, epoch)
        for text, time, (epoch,) in zip(texts, times, found, strict=True)
        if (None if epoch is None else epoch * 10**6)
        != (None if time is None else (time - first) // timedelta(microseconds=1))
    ]
    assert wrong == []
