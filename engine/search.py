"""Queries into hits: words by BM25, meaning by cosine, and both as one weighted sum of scores.

Each side names candidates; then every candidate gets its exact BM25 and its exact cosine, and the score is
`share * cosine + (1 - share) * bm25 / best bm25`, times the record's own weight. Rank fusion was measured and
loses against BM25 alone when the embedder is the weaker side; a weighted sum never does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pgvector import SparseVector
from psycopg import sql

from engine.bm25 import DIMENSIONS, query_weights, term_id
from engine.database import Connection
from engine.models import SearchHit
from engine.queries import query, quote_lexeme
from engine.space import REFINED, Space
from engine.words import words

__all__ = ["Question", "find", "refresh_statistics"]

CANDIDATES = 200
MOST_CANDIDATES = 100_000
# Words are taken rarest first until their records would exceed this share of the store: a word that most
# records hold tells nothing about which are worth scoring.
MOST_TEXT_SHARE = 0.2
FEWEST_TEXT_MATCHES = 5_000
MOST_QUERY_WORDS = 1_000  # the heaviest of a query that is a whole page
# What a search must not leave to the planner: a generic plan knows neither the words nor the limit, compiling
# a plan takes longer than running it, a join of vectors spills to disk, a walk of the graph ends too early.
SETTINGS = MappingProxyType(
    {
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
        "work_mem": "64MB",
        "hnsw.iterative_scan": "relaxed_order",
        "hnsw.ef_search": "200",
        "hnsw.max_scan_tuples": "200000",
    }
)
EVERY = 2**31
STATISTICS_LOCK = 0x53_54_41_54  # "STAT"


@dataclass(frozen=True, slots=True)
class Question:
    """A checked query. `where` and `values` restrict the records (alias `record`); no `vector`: text only."""

    text: str
    k: int
    where: sql.Composable
    values: Mapping[str, object]
    space: Space | None
    vector: Any  # as `checked_vectors` gave it
    lexical: bool
    restricted: bool

    @property
    def candidates(self) -> int:
        """How many records each side names."""
        return min(max(CANDIDATES, 5 * self.k), MOST_CANDIDATES)


async def find(connection: Connection, question: Question) -> list[SearchHit]:
    """The best `k` records for the question, best first; equal scores by record id."""
    # One snapshot for all: a page that is swapped meanwhile is seen old or new, whole (promise E1).
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    await _configure(connection, SETTINGS)
    candidates: set[int] = set()
    weights: dict[str, float] = {}
    if question.lexical:
        weights, tsqueries = await _weigh(connection, question.text)
        candidates.update(await _by_words(connection, question, weights, tsqueries))
    if question.vector is not None and question.space is not None:
        candidates.update(await _by_vector(connection, question, question.space, question.vector))
    scores = await _scores(connection, question, weights, candidates)
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[: question.k]
    return await _hits(connection, best)


async def _configure(connection: Connection, settings: Mapping[str, str]) -> None:
    """Settings for the rest of the transaction."""
    await connection.execute(
        "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) AS setting (name, value)",
        [list(settings), list(settings.values())],
    )


async def _weigh(connection: Connection, text: str) -> tuple[dict[str, float], list[str]]:
    """The query's words with their weights, and the tsqueries that name the candidates."""
    cursor = await connection.execute(query("word_documents"), {"words": list(dict.fromkeys(words(text)))})
    documents = {row["word"]: row["documents"] for row in await cursor.fetchall()}
    cursor = await connection.execute(query("corpus_records"))
    row = await cursor.fetchone()
    records = row["records"] if row else 0
    weights = query_weights(text, documents, records)
    heaviest = sorted(weights, key=lambda word: (-weights[word], word))[:MOST_QUERY_WORDS]
    budget = max(FEWEST_TEXT_MATCHES, int(records * MOST_TEXT_SHARE))
    return {word: weights[word] for word in heaviest}, _choose(heaviest, documents, budget)


def _choose(heaviest: Sequence[str], documents: Mapping[str, int], budget: int) -> list[str]:
    """The tsqueries that name the candidates, to be tried in order until enough records match."""
    if not heaviest:
        return []
    rare, held = [], 0
    for word in heaviest:
        held += documents.get(word, 1)
        if held > budget:
            break
        rare.append(word)
    quoted = list(map(quote_lexeme, heaviest))
    # Where even the rarest word is in most records, those that hold all of the words are worth scoring.
    first = " | ".join(quoted[: len(rare)]) if rare else " & ".join(quoted)
    return list(dict.fromkeys([first, " | ".join(quoted)]))


def _sparse(weights: Mapping[str, float]) -> SparseVector:
    return SparseVector({term_id(word): weight for word, weight in weights.items()}, DIMENSIONS)


async def _by_words(
    connection: Connection, question: Question, weights: Mapping[str, float], tsqueries: Sequence[str]
) -> list[int]:
    """The best records by BM25 over all the words, of those that match the first tsquery that enough do."""
    statement = sql.SQL(
        "SELECT record.id FROM syncline.record WHERE record.lexemes @@ %(words)s::tsquery AND {where} "
        "ORDER BY (record.bm25 <#> %(sparse)s) * record.weight, record.id LIMIT %(candidates)s"
    ).format(where=question.where)
    values = {**question.values, "sparse": _sparse(weights), "candidates": question.candidates}
    found: list[int] = []
    for tsquery in tsqueries:
        cursor = await connection.execute(statement, {**values, "words": tsquery})
        found = [row["id"] for row in await cursor.fetchall()]
        if len(found) >= question.k:
            break
    return found


async def _by_vector(connection: Connection, question: Question, space: Space, vector: Any) -> list[int]:
    """The nearest records: by an exact scan where few match, else by the graph, walked until enough match."""
    values = {**question.values, "vector": space.value(vector), "candidates": question.candidates}
    if question.restricted or not await _has_graph(connection, space):
        matching, nearest = await _scan(connection, question, space, values, space.scanned)
        if matching <= space.scanned:
            return nearest
    nearest = await _walk(connection, question, space, values)
    if len(nearest) < question.candidates:
        # A walk has its limits, and the records that match may be far away.
        _, nearest = await _scan(connection, question, space, values, EVERY)
    return nearest


async def _has_graph(connection: Connection, space: Space) -> bool:
    cursor = await connection.execute("SELECT to_regclass(%s) IS NOT NULL AS built", [f"syncline.{space.index}"])
    row = await cursor.fetchone()
    return bool(row and row["built"])


async def _scan(
    connection: Connection, question: Question, space: Space, values: Mapping[str, object], most: int
) -> tuple[int, list[int]]:
    """How many records match (`most` + 1 for any more than that); where it is no more, the nearest of all."""
    # Adding zero keeps the planner from walking the graph where every match is to be compared.
    cursor = await connection.execute(
        sql.SQL(
            "WITH matching AS MATERIALIZED ("
            "  SELECT id, embed_hash FROM syncline.record"
            "  WHERE embed_hash IS NOT NULL AND {where} LIMIT %(most)s + 1"
            "), counted AS (SELECT count(*) AS n FROM matching) "
            "SELECT counted.n, nearest.id FROM counted LEFT JOIN LATERAL ("
            "  SELECT matching.id FROM matching JOIN {table} AS vectors ON vectors.hash = matching.embed_hash"
            "  WHERE counted.n <= %(most)s"
            "  ORDER BY (vectors.embedding <=> %(vector)s) + 0, matching.id LIMIT %(candidates)s"
            ") AS nearest ON true"
        ).format(table=space.table, where=question.where),
        {**values, "most": most},
    )
    rows = await cursor.fetchall()
    return rows[0]["n"], [row["id"] for row in rows if row["id"] is not None]


async def _walk(connection: Connection, question: Question, space: Space, values: Mapping[str, object]) -> list[int]:
    """The nearest records, by the graph where there is one. OFFSET keeps the planner from beginning at the
    records, which without fresh statistics looks cheap."""
    cursor = await connection.execute(
        sql.SQL(
            "SELECT record.id FROM {table} AS vectors CROSS JOIN LATERAL ("
            "  SELECT * FROM syncline.record WHERE record.embed_hash = vectors.hash OFFSET 0"
            ") AS record WHERE {where} ORDER BY {distance} LIMIT %(wanted)s"
        ).format(table=space.table, where=question.where, distance=space.distance),
        {**values, "wanted": question.candidates * (REFINED if space.type == "bit" else 1)},
    )
    return [row["id"] for row in await cursor.fetchall()]


async def _scores(
    connection: Connection, question: Question, weights: Mapping[str, float], candidates: set[int]
) -> dict[int, float]:
    if not candidates:
        return {}
    bm25 = sql.SQL("coalesce(-(record.bm25 <#> %(sparse)s), 0)") if weights else sql.SQL("0::float8")
    cosine, join = sql.SQL("0::float8"), sql.Composed([])
    values: dict[str, Any] = {"ids": list(candidates), "sparse": _sparse(weights) if weights else None}
    space = question.space if question.vector is not None else None
    if space is not None:
        cosine = sql.SQL("coalesce(1 - (vectors.embedding <=> %(vector)s), 0)")
        join = sql.SQL("LEFT JOIN {} AS vectors ON vectors.hash = record.embed_hash").format(space.table)
        values["vector"] = space.value(question.vector)
    cursor = await connection.execute(
        sql.SQL(
            "SELECT record.id, record.weight, {bm25} AS bm25, {cosine} AS cosine FROM syncline.record {join} "
            "WHERE record.id = ANY(%(ids)s)"
        ).format(bm25=bm25, cosine=cosine, join=join),
        values,
    )
    rows = await cursor.fetchall()
    if space is None:
        return {row["id"]: row["weight"] * row["bm25"] for row in rows}
    share = space.weight if weights else 1.0
    best = max((row["bm25"] for row in rows), default=0.0) or 1.0
    return {row["id"]: row["weight"] * (share * row["cosine"] + (1 - share) * row["bm25"] / best) for row in rows}


async def _hits(connection: Connection, best: Sequence[tuple[int, float]]) -> list[SearchHit]:
    cursor = await connection.execute(query("hits"), {"ids": [key for key, _ in best]})
    rows = {row["id"]: row for row in await cursor.fetchall()}
    return [
        SearchHit(
            url=rows[key]["url"],
            anchor=rows[key]["anchor"],
            title=rows[key]["title"],
            headings=tuple(rows[key]["headings"]),
            markdown=rows[key]["markdown"] or "",
            score=round(score, 6),
            external_id=rows[key]["external_id"],
            entity=rows[key]["entity"],
            fetched_at=rows[key]["fetched_at"],
            changed_at=rows[key]["changed_at"],
        )
        for key, score in best
        if key in rows
    ]


async def refresh_statistics(connection: Connection, *, tolerance: float = 0.0) -> int | None:
    """Count in how many records each word is, unless the count of records changed by less than `tolerance`
    (a share) since. One process at a time: the others leave it to that one.

    Returns the records counted last, None where another process counts.
    """
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s) AS mine", [STATISTICS_LOCK])
    row = await cursor.fetchone()
    if row is None or not row["mine"]:
        return None
    measured = await (await connection.execute(query("corpus_records"))).fetchone()
    now = await (await connection.execute(query("text_records"))).fetchone()
    assert measured is not None, "a migration wrote the row"
    assert now is not None, "count(*) gives a row"
    if abs(now["n"] - measured["records"]) <= tolerance * measured["records"]:
        return int(measured["records"])
    await connection.execute(query("count_words"))
    await connection.execute(query("measure_corpus"))
    # What a bulk of writes leaves to be done: the planner's statistics, and words that are in no tree yet.
    await connection.execute("ANALYZE syncline.record, syncline.word")
    owner = await (await connection.execute(query("own_index"))).fetchone()
    if owner is not None and owner["own"]:
        await connection.execute(query("flush_index"))
    return int(now["n"])
