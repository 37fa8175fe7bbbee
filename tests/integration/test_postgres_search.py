"""Search on real Postgres: ranking as defined, every match found, plans that use the indexes, recall."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from engine import search, space
from engine.bm25 import query_weights, record_weights
from engine.database import Database
from engine.embedders.fake import HashEmbedder
from engine.errors import EmbedderError, InvalidQuery
from engine.models import Embeddings, RecordInput, SearchHit
from engine.postgres import PostgresEngine
from engine.words import words

pytestmark = [pytest.mark.slow, pytest.mark.promise("E5")]

Scenario = Callable[[PostgresEngine], Coroutine[Any, Any, None]]
PLACE: Mapping[str, str] = {"connection_id": "c", "name": "docs"}
OTHER: Mapping[str, str] = {"connection_id": "c", "name": "other"}
COMMON = [f"common{number}" for number in range(20)]
RARE = [f"rare{number}" for number in range(300)]
RECORDS = 24_000
DIMENSIONS = 32


def run(url: str, scenario: Scenario, embedder: Any = None) -> None:
    async def main() -> None:
        async with PostgresEngine(url, embedder=embedder or HashEmbedder()) as engine:
            await scenario(engine)

    asyncio.run(main())


def texts(count: int, seed: int = 1) -> list[str]:
    random = Random(seed)
    return [
        " ".join(random.choices(COMMON, k=random.randint(3, 30)) + random.choices(RARE, k=random.randint(1, 8)))
        for _ in range(count)
    ]


def records(count: int, seed: int = 1) -> list[RecordInput]:
    return [
        {
            "external_id": f"{seed}-{number:04}",
            "data": {"markdown": text, "n": number, "even": number % 2 == 0},
            "headings": ["Guide", RARE[number % 50]],
        }
        for number, text in enumerate(texts(count, seed))
    ]


def bm25(made: Sequence[RecordInput], query: str) -> dict[str, float]:
    """Every record's score, by the definition."""
    bags = {each["external_id"]: record_weights(str(each["data"]["markdown"]), each["headings"]) for each in made}
    documents = {word: sum(word in bag for bag in bags.values()) for word in set(words(query))}
    weights = query_weights(query, documents, len(bags))
    return {key: sum(weights[word] * bag.get(word, 0.0) for word in weights) for key, bag in bags.items()}


def cosines(made: Sequence[RecordInput], query: str) -> dict[str, float]:
    given = [str(each["data"]["markdown"]) for each in made]
    vectors = asyncio.run(HashEmbedder().embed([query, *given], kind="document")).vectors
    array = np.asarray(vectors)
    return dict(zip([each["external_id"] for each in made], (array[1:] @ array[0]).tolist(), strict=True))


def assert_ranked(hits: Sequence[SearchHit], scores: Mapping[str, float]) -> None:
    """The hits have these scores, and no record outside of them scores more."""
    for hit in hits:
        assert hit.score == pytest.approx(scores[hit.external_id], abs=2e-4)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    left = set(scores) - {hit.external_id for hit in hits}
    assert max(scores[key] for key in left) <= hits[-1].score + 2e-4


MODES: tuple[Any, ...] = ("text", "vector", "hybrid")
QUERIES = [
    "rare3 rare40",
    "common1 common2 rare7",
    "common0",
    "rare9 rare9 unknown",
    "common1 common2 common3",
]


def test_each_mode_ranks_by_its_definition(database_url: str) -> None:
    made = records(300)
    exact = {query: (bm25(made, query), cosines(made, query)) for query in QUERIES}

    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(**PLACE, records=made)
        await engine.optimize()
        for query, (lexical, cosine) in exact.items():
            by_text = await engine.search(query, mode="text")
            assert len(by_text) == min(10, sum(score > 0 for score in lexical.values()))
            assert_ranked(by_text, lexical)
            assert_ranked(await engine.search(query, mode="vector"), cosine)
            best = max(lexical.values())
            fused = {key: 0.2 * cosine[key] + 0.8 * lexical[key] / best for key in lexical}
            assert_ranked(await engine.search(query), fused)

    run(database_url, scenario)


def test_the_weight_of_a_record_multiplies_its_score(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        given: list[RecordInput] = [
            {"external_id": key, "data": {"markdown": "a zeppelin"}, "weight": weight}
            for key, weight in (("whole", 1.0), ("half", 0.5), ("none", 0.0))
        ]
        await engine.sync_records(**PLACE, records=given)
        for mode in MODES:
            scores = {hit.external_id: hit.score for hit in await engine.search("zeppelin", mode=mode)}
            assert scores["half"] == pytest.approx(scores["whole"] / 2, abs=1e-6)
            assert scores["none"] == 0.0

    run(database_url, scenario)


@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
def test_a_search_gives_k_hits_or_all_that_match(database_url: str, mode: Any, monkeypatch: Any) -> None:
    # So few that words common in the store are left out of the candidates.
    monkeypatch.setattr(search, "FEWEST_TEXT_MATCHES", 10)
    monkeypatch.setattr(search, "MOST_TEXT_SHARE", 0.01)

    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(**PLACE, records=records(300))
        await engine.sync_records(**OTHER, records=[{"external_id": "x", "data": {"markdown": "common1"}}])
        await engine.optimize()
        asked: Mapping[str, Any] = {"mode": mode, "filter": {"n": {"lt": 40}, "even": True}}
        everything = "common0 " + " ".join(COMMON[1:])
        for k in (1, 7, 20, 50, 5_000):
            assert len(await engine.search(everything, k=k, **asked)) == min(k, 20)
        # The rare word is not in the entity, the common one is.
        (hit,) = await engine.search("rare5 common1", entity="other", mode=mode)
        assert hit.external_id == "x"

    run(database_url, scenario)


def test_a_filter_over_the_markdown_finds_what_one_over_other_fields_leaves_out(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(
            **PLACE,
            records=[{"external_id": key, "data": {"markdown": f"kite {key}", "n": 1}} for key in "ab"],
        )
        for filter in ({"markdown": {"contains": "kite b"}}, {"not": {"markdown": "kite a"}, "n": 1}):
            (hit,) = await engine.search("kite", filter=filter)
            assert hit.external_id == "b"
            (found,) = await engine.get_records(**PLACE, filter=filter)
            assert found["external_id"] == "b"

    run(database_url, scenario)


def test_a_wrong_question_is_one_clear_sentence(database_url: str) -> None:
    wrong: Sequence[tuple[str, dict[str, Any], str]] = [
        ("", {}, "empty"),
        (" \n", {}, "empty"),
        ("x", {"k": 0}, "at least one"),
        ("x", {"mode": "fuzzy"}, "hybrid, vector or text"),
        ("x", {"entity": "nowhere\0"}, "Known: docs"),
    ]

    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(**PLACE, records=records(1))
        for query, asked, said in wrong:
            with pytest.raises(InvalidQuery, match=said):
                await engine.search(query, **asked)

    run(database_url, scenario)


def test_a_store_where_nothing_was_embedded_is_searched_all_the_same(database_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(**PLACE, records=[{"external_id": "a", "data": {"n": 1}}])
        for mode in MODES:
            assert await engine.search("kite", mode=mode) == []

    run(database_url, scenario)


def test_queries_of_any_text_are_searched(database_url: str) -> None:
    nasty = [
        "a\0b",
        "\ud800",
        "'; DROP TABLE x; --",
        "a' | b & !c:*",
        "\\",
        "%s %(x)s {}",
        "日本語",
        "x" * 100_000,
    ]
    nasty.append(" ".join(f"word{number}" for number in range(20_000)))

    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(**PLACE, records=records(5))
        for query in nasty:
            assert len(await engine.search(query)) == 5

    run(database_url, scenario)


def test_a_query_that_the_embedder_cannot_place_is_refused(database_url: str) -> None:
    class Nowhere(HashEmbedder):
        async def embed(self, texts: Sequence[str], *, kind: Any) -> Embeddings:
            if kind == "query":
                return Embeddings([[0.0] * self.dimensions])
            return await super().embed(texts, kind=kind)

    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(**PLACE, records=records(5))
        with pytest.raises(EmbedderError, match="zero or not finite"):
            await engine.search("kite")
        assert await engine.search("common1", mode="text")

    run(database_url, scenario, Nowhere())


# --- tens of thousands of records -----------------------------------------------------------------


class Given(HashEmbedder):
    """A query is the number of a record, and means almost what that record means."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        super().__init__(DIMENSIONS)
        self.given = vectors

    async def embed(self, texts: Sequence[str], *, kind: Any) -> Embeddings:
        if kind == "document":
            return await super().embed(texts, kind=kind)
        return Embeddings([self.given[int(text)].tolist() for text in texts])


def meanings(count: int, seed: int) -> NDArray[np.float32]:
    """Vectors around a few hundred subjects, as texts have them; not evenly spread, as none has."""
    random = np.random.default_rng(seed)
    subjects = np.random.default_rng(0).standard_normal((300, DIMENSIONS))
    made = subjects[random.integers(300, size=count)] + 0.6 * random.standard_normal((count, DIMENSIONS))
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def big_store(postgres_server: str) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """A store of 24,000 records that were written by SQL, without statistics or a graph yet."""
    name = "test_big"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = psycopg.conninfo.make_conninfo(postgres_server, dbname=name)
    vectors = meanings(RECORDS, seed=1)

    async def first(engine: PostgresEngine) -> None:
        await engine.sync_records(**PLACE, records=[{"external_id": "first", "data": {"markdown": "first"}}])

    run(url, first, Given(vectors))
    with psycopg.connect(url) as connection:
        (entity,) = connection.execute("SELECT id FROM syncline.entity").fetchone() or (0,)
        with connection.cursor().copy("COPY syncline.vector_1 (hash, embedding) FROM STDIN") as copy:
            for number, vector in enumerate(vectors.tolist()):
                copy.write_row((b"%d" % number, str(vector)))
        connection.execute(
            """
            INSERT INTO syncline.record
                (entity_id, external_id, external_hash, data, embed_text, embed_hash, lexemes, bm25)
            SELECT %s, n::text, n::text::bytea, jsonb_build_object('n', n, 'half', n %% 2 = 0), 'text',
                   n::text::bytea, array_to_tsvector(ARRAY['all', 'w' || n %% 1000]), '{1:1}/1000000000'
            FROM generate_series(0, %s) AS n
            """,
            [entity, RECORDS - 1],
        )
    yield url, vectors
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def indexes(plan: Any) -> set[str]:
    """Names of the indexes that a plan reads."""
    if isinstance(plan, list):
        return set().union(*map(indexes, plan))
    if not isinstance(plan, dict):
        return set()
    own = {plan["Index Name"]} if "Index Name" in plan else set()
    return own.union(*map(indexes, plan.values()))


def explained(url: str, monkeypatch: pytest.MonkeyPatch, scenario: Scenario, embedder: Any) -> list[set[str]]:
    """The indexes of each statement over records that a scenario runs."""
    plans: list[set[str]] = []
    execute = psycopg.AsyncConnection.execute

    async def explain(self: Any, query: Any, values: Any = None, **options: Any) -> Any:
        text = query if isinstance(query, str) else query.as_string(self)
        if "FROM syncline.record" in text or "CROSS JOIN LATERAL" in text:
            row = await (await execute(self, f"EXPLAIN (FORMAT JSON) {text}", values)).fetchone()
            plans.append(
                indexes(json.loads(row["QUERY PLAN"]) if isinstance(row["QUERY PLAN"], str) else row["QUERY PLAN"])
            )
        return await execute(self, query, values, **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", explain)
    run(url, scenario, embedder)
    return plans


def test_statistics_are_counted_and_the_graph_is_built_once(
    big_store: tuple[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, vectors = big_store
    monkeypatch.setattr(space, "SCANNED_NUMBERS", 10_000 * DIMENSIONS)

    async def build() -> list[bool]:
        database = Database(url)
        try:
            found = await database.transact(space.active_space)
            assert found is not None
            return list(await asyncio.gather(*(space.build_index(database, found) for _ in range(4))))
        finally:
            await database.aclose()

    async def scenario(engine: PostgresEngine) -> None:
        await engine.optimize()
        await engine.optimize()

    assert sorted(asyncio.run(build())) == [False, False, False, True]
    run(url, scenario, Given(vectors))
    with psycopg.connect(url) as connection:
        counted = dict(connection.execute("SELECT word, documents FROM syncline.word").fetchall())
        assert (counted["all"], counted["w7"], counted["first"]) == (RECORDS, RECORDS // 1000, 1)
        assert connection.execute("SELECT records FROM syncline.corpus").fetchone() == (RECORDS + 1,)
        assert connection.execute("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%hnsw%'").fetchone() == (1,)
        assert connection.execute(
            "SELECT reltuples FROM pg_class WHERE oid = 'syncline.record'::regclass"
        ).fetchone() == (RECORDS + 1,)


@pytest.mark.parametrize("statistics", ["fresh", "none"])
def test_candidates_come_from_the_word_index_and_from_the_graph(
    big_store: tuple[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch, statistics: str
) -> None:
    url, vectors = big_store
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        if statistics == "none":  # as after a first crawl, before autovacuum came by
            connection.execute("SET allow_system_table_mods = on")
            connection.execute("DELETE FROM pg_statistic WHERE starelid = 'syncline.record'::regclass")
            connection.execute("UPDATE pg_class SET reltuples = -1 WHERE oid = 'syncline.record'::regclass")
    monkeypatch.setattr(space, "SCANNED_NUMBERS", 10_000 * DIMENSIONS)

    async def by_words(engine: PostgresEngine) -> None:
        for asked in ({}, {"filter": {"half": True}}, {"entity": "docs"}):
            assert len(await engine.search("w8 all", mode="text", **asked)) == 10

    async def by_meaning(engine: PostgresEngine) -> None:
        for asked in ({}, {"filter": {"half": True}}, {"entity": "docs"}):
            assert len(await engine.search("7", mode="vector", **asked)) == 10

    with monkeypatch.context() as patch:
        plans = explained(url, patch, by_words, Given(vectors))
    assert sum("record_lexemes" in plan for plan in plans) == 3
    with monkeypatch.context() as patch:
        plans = explained(url, patch, by_meaning, Given(vectors))
    walks = [plan for plan in plans if "vector_1_hnsw" in plan]
    assert len(walks) == 3
    assert all(plan == {"vector_1_hnsw", "record_embed_hash"} for plan in walks)


@pytest.mark.parametrize(
    ("filter", "modulus"),
    [(None, 1), ({"half": True}, 2), ({"n": {"lt": 30}}, 0)],
    ids=["plain", "half", "few"],
)
def test_the_nearest_records_are_found_under_filters_of_every_selectivity(
    big_store: tuple[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch, filter: Any, modulus: int
) -> None:
    url, vectors = big_store
    monkeypatch.setattr(space, "SCANNED_NUMBERS", 10_000 * DIMENSIONS)
    asked = meanings(40, seed=2)
    numbers = np.arange(RECORDS)
    matching = numbers[numbers % modulus == 0] if modulus else numbers[:30]
    recalls = []

    async def scenario(engine: PostgresEngine) -> None:
        for number, vector in enumerate(asked):
            exact = matching[np.argsort(-(vectors[matching] @ vector))[:10]]
            found = [hit.external_id for hit in await engine.search(str(number), mode="vector", filter=filter)]
            assert len(found) == 10
            recalls.append(len({str(each) for each in exact} & set(found)) / 10)

    run(url, scenario, Given(asked))
    assert np.mean(recalls) >= (0.95 if modulus else 1.0)


def test_a_walk_that_ends_before_enough_records_match_is_followed_by_an_exact_scan(
    big_store: tuple[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, vectors = big_store
    monkeypatch.setattr(space, "SCANNED_NUMBERS", 10 * DIMENSIONS)
    monkeypatch.setattr(
        search,
        "SETTINGS",
        {**search.SETTINGS, "hnsw.iterative_scan": "off", "hnsw.ef_search": "10"},
    )

    async def scenario(engine: PostgresEngine) -> None:
        far = np.argsort(vectors @ vectors[0])[:50]  # the records that are furthest from what is asked
        filter = {"n": {"in": [int(number) for number in far]}}
        hits = await engine.search("0", mode="vector", filter=filter)
        assert [hit.external_id for hit in hits] == [str(number) for number in far[::-1][:10]]

    run(url, scenario, Given(vectors))
