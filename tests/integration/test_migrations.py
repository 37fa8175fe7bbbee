"""A store that an earlier version made is brought up to date with everything that it holds."""

import asyncio
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from psycopg import sql

from engine.clean import digest
from engine.embedders.fake import HashEmbedder
from engine.postgres import PostgresEngine
from engine.queries import migrations

pytestmark = pytest.mark.slow

TEXT = "a kite of paper"
TABLES = ("corpus", "embed_failure", "embedding_space", "entity", "page", "record", "run", "vector_1", "word")
ROWS = """
INSERT INTO syncline.entity (connection_id, name, start_url, crawl, crawl_options, last_sync_id) VALUES
    ('SYSTEM', 'CRAWL_https://x.org/', 'https://x.org/', 2, NULL, NULL),
    ('crm', 'users', NULL, 0, NULL, 'cursor'),
    ('crm', 'é文', NULL, 1, '{"limit": 3}', NULL);
INSERT INTO syncline.page
    (entity_id, url, url_hash, address, state, reason, etag, content_hash, metadata, markdown, anchors, links, aliases,
     depth, extractor, chunk_settings, crawl, settled, fetched_at, changed_at, missing_since)
VALUES
    (1, 'https://x.org/a', sha256('https://x.org/a'), 'https://x.org/a#', 'stored', '', '"1"', 'h', '{"title": "A"}',
     'a kite of paper', '[[0, "a", 1, "A"]]', '{https://x.org/b}', '{https://x.org/a/}',
     1, 'v1', 'c1', 2, 2, now(), now(), NULL),
    (1, 'https://x.org/b', sha256('https://x.org/b'), 'https://x.org/b', 'gone', '404', NULL, NULL, '{}', NULL, '[]',
     '{}', '{}', 1, NULL, NULL, 2, 2, now(), NULL, now()),
    (1, 'https://x.org/c', sha256('https://x.org/c'), 'https://x.org/c', 'waiting', '', NULL, NULL, '{}', NULL, '[]',
     '{}', '{}', 2, NULL, NULL, 2, 0, NULL, NULL, NULL);
INSERT INTO syncline.record
    (entity_id, page_id, external_id, external_hash, data, embed_text, content_hash, embed_hash, position, span, anchor,
     headings, terms, weight, lexemes, bm25)
VALUES
    (1, 1, 'https://x.org/a_chunk_0', sha256('https://x.org/a_chunk_0'),
     '{"markdown": "a kite of paper", "n": [1, 1.5]}', 'a kite of paper', sha256('a kite of paper'),
     sha256('a kite of paper'), 0, '[0,5)', 'a', '{A}', '{t}', 0.5, '''kite'' ''paper''', NULL),
    (2, NULL, 'u1', sha256('u1'), '{"name": "Ann"}', NULL, NULL, NULL, NULL, NULL, NULL, '{}', '{}', 1, NULL, NULL),
    (2, NULL, 'u2', sha256('u2'), '{"bad": true}', 'bad', sha256('bad'), sha256('bad'), NULL, NULL, NULL, '{}', '{}', 1,
     '''bad''', NULL);
INSERT INTO syncline.word VALUES ('kite', 1), ('paper', 1), ('bad', 1);
UPDATE syncline.corpus SET records = 2;
INSERT INTO syncline.embedding_space (name, dimensions, type, active) VALUES ('hash:words@8', 8, 'vector', true);
CREATE TABLE syncline.vector_1 (hash bytea PRIMARY KEY, embedding vector(8) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO syncline.embed_failure (hash, space_id, reason, tries) VALUES (sha256('bad'), 1, 'no', 3);
INSERT INTO syncline.run (id, parent, sync, state, input, output, counters, error, ended_at) VALUES
    ('r1', NULL, 'site-crawl-sync', 'succeeded', '{"url": "https://x.org/"}', '{}', '{"stored": 1}', NULL, now()),
    ('r2', 'r1', 's', 'failed', '{}', NULL, '{}', 'it broke', now());
"""


def make_store(url: str, version: int) -> None:
    """A store as the first `version` migrations made it, with rows in every table."""
    (vector,) = asyncio.run(HashEmbedder(8).embed([TEXT], kind="document")).vectors
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION vector; CREATE SCHEMA syncline")
        connection.execute(
            "CREATE TABLE syncline.migration (number integer PRIMARY KEY, name text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for number, name, statements in migrations()[:version]:
            connection.execute(statements)
            connection.execute("INSERT INTO syncline.migration (number, name) VALUES (%s, %s)", [number, name])
        connection.execute(ROWS)
        values = [digest(TEXT), str(list(vector))]
        connection.execute("INSERT INTO syncline.vector_1 VALUES (%s, %s::text::vector)", values)


def columns(url: str) -> Mapping[str, list[str]]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT table_name, array_agg(column_name::text ORDER BY column_name) "
            "FROM information_schema.columns WHERE table_schema = 'syncline' GROUP BY table_name"
        ).fetchall()
    return dict(found)


def contents(url: str, of: Mapping[str, list[str]]) -> dict[str, list[Any]]:
    """Every row of every table, in the columns named."""
    with psycopg.connect(url) as connection:
        return {
            table: connection.execute(
                sql.SQL("SELECT to_jsonb(facts) FROM (SELECT {} FROM {}) AS facts ORDER BY facts::text").format(
                    sql.SQL(", ").join(map(sql.Identifier, of[table])), sql.Identifier("syncline", table)
                )
            ).fetchall()
            for table in TABLES
        }


@pytest.mark.parametrize("version", range(1, len(migrations())))
def test_a_store_of_any_earlier_version_keeps_every_row_and_can_be_used(database_url: str, version: int) -> None:
    make_store(database_url, version)
    held = columns(database_url)
    before = contents(database_url, held)

    async def main() -> None:
        async with PostgresEngine(database_url, embedder=HashEmbedder(8)) as engine:
            assert len(await engine.sites()) == 3
            assert contents(database_url, held) == before
            for mode in ("text", "vector", "hybrid"):
                assert (await engine.search("kite", mode=mode))[0].external_id == "https://x.org/a_chunk_0"
            assert (await engine.get_entity(connection_id="crm", name="users"))["last_sync_id"] == "cursor"
            for name in ("users", "é文"):  # found again, not made anew
                assert (await engine.create_entity(connection_id="crm", name=name))["name"] == name
            assert [site["name"] for site in await engine.sites()] == ["CRAWL_https://x.org/", "users", "é文"]
            ledger = await engine.open_ledger(
                connection_id="SYSTEM", name="CRAWL_https://x.org/", start_url="https://x.org/", run_id="r", options={}
            )
            assert await ledger.holder("h") == "https://x.org/a"
            await ledger.end(finished=True)
            assert [row["id"] for row in await engine.get_runs(parent="r1")] == ["r2"]
            assert [failure["tries"] for failure in await engine.embed_failures()] == [3]

    asyncio.run(main())
