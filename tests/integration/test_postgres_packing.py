"""A row that is packed by hand is read by Postgres as the values that it was made of."""

import asyncio
from typing import Any, cast

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pgvector import SparseVector
from pgvector.psycopg import register_vector
from psycopg.rows import dict_row

from engine.bm25 import term_id
from engine.embedders.fake import HashEmbedder
from engine.models import RecordInput
from engine.postgres import PostgresEngine
from engine.rows import MOST_INTEGER, Row, rows_of

pytestmark = pytest.mark.slow

PLACE = st.integers(0, MOST_INTEGER)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
RECORD = st.fixed_dictionaries(
    {"external_id": st.text(min_size=1), "data": st.dictionaries(st.text(), JSON, max_size=3)},
    optional={
        "text": st.text(),
        "embed_text": st.text(),
        "headings": st.lists(st.text(), max_size=3),
        "terms": st.lists(st.text(), max_size=3),
        "anchor": st.text(),
        "position": PLACE,
        "span": st.tuples(PLACE, PLACE).map(sorted),
        "weight": st.floats(0, 1),
    },
)
READ = """
SELECT external_id, external_hash, data, content, embed_text, content_hash, embed_hash, position, lower(span) AS start,
       upper(span) AS end, anchor, headings, terms, weight, tsvector_to_array(lexemes) AS words, bm25
FROM syncline.record
"""


def expected(row: Row) -> dict[str, Any]:
    weights: dict[int, float] = {}
    for word, weight in row.weights.items():
        weights[term_id(word)] = weights.get(term_id(word), 0.0) + weight
    return {
        **{name: getattr(row, name) for name in ("external_id", "external_hash", "data", "content", "embed_text")},
        **{name: getattr(row, name) for name in ("content_hash", "embed_hash", "position", "anchor", "weight")},
        "start": row.span[0] if row.span else None,
        "end": row.span[1] if row.span else None,
        "headings": list(row.headings),
        "terms": list(row.terms),
        "words": set(row.weights) if row.weights else None,
        "bm25": {place: pytest.approx(weight, rel=1e-6) for place, weight in weights.items()} if weights else None,
    }


def found(row: dict[str, Any]) -> dict[str, Any]:
    sparse: SparseVector | None = row["bm25"]
    return {
        **row,
        "words": None if row["words"] is None else set(row["words"]),
        "bm25": None if sparse is None else dict(zip(sparse.indices(), sparse.values(), strict=True)),
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECORD, max_size=8, unique_by=lambda record: record["external_id"]), st.booleans())
def test_every_value_is_read_back_whether_it_was_added_or_replaced(
    database_url: str, given: list[dict[str, Any]], replacing: bool
) -> None:
    records = cast("list[RecordInput]", given)
    try:
        prepared = rows_of(records)
    except ValueError:  # two ids that are one once they are cleaned
        return
    before = [RecordInput(external_id=record["external_id"], data={"a": "before"}) for record in records]

    async def write() -> None:
        async with PostgresEngine(database_url, embedder=HashEmbedder()) as engine:
            await engine.delete_entity(connection_id="C", name="N")
            for written in (before, records) if replacing else (records,):
                await engine.sync_records(connection_id="C", name="N", records=written)

    asyncio.run(write())
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        register_vector(connection)
        stored = {row["external_id"]: found(row) for row in connection.execute(READ)}
    assert stored == {row.external_id: expected(row) for row in prepared}
