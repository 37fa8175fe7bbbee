"""`syncline status`: what the store holds, and how fresh and sound that is."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from engine import PostgresEngine
from syncs.cli.options import Db, Debug, Json
from syncs.cli.output import print_json, run_with_engine, show

__all__ = ["faults_of", "status"]

MOST_DEAD = 0.3  # share of dead rows from which a table is told ...
FEWEST_DEAD = 10_000  # ... where there are so many
GRAPHS = MappingProxyType(
    {
        "ready": "with a graph",
        "building": "whose graph is being built",
        "missing": "without a graph yet",
        "none": "compared one by one",
    }
)


def status(db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """Show the database, what it holds, and how fresh and sound that is."""

    async def work(engine: PostgresEngine) -> None:
        found, health = await engine.status(), await engine.health()
        if json:
            print_json({**found, **health})
            return
        for label, text in (*_facts(found), *_sites(health), *_storage(health)):
            show(f"{label:10} {text}")

    run_with_engine(work, db=db, debug=debug)


def _facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "store", f"{found['store']}, {_size(found['bytes'])}"
    yield "server", f"PostgreSQL {found['server']}, pgvector {found['pgvector']}"
    counts = [f"{found[name]:,} {name}" for name in ("entities", "pages", "records")]
    yield "holds", ", ".join(counts)
    yield "embedder", found["embedder"] or "none yet"


def _sites(health: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for site in health["sites"]:
        yield "site", f"{site['name']}: {site['pages']:,} pages"
        if site["pages"]:
            yield "", f"fetched from {site['oldest']:%Y-%m-%d %H:%M} to {site['newest']:%Y-%m-%d %H:%M}"
        counts = [f"{site[name]:,} {name}" for name in ("due", "orphans", "gone", "waiting") if site[name]]
        yield "", ", ".join(counts) or "nothing due"


def _storage(health: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for space in health["spaces"]:
        counts = [f"{space['vectors']:,} vectors"]
        counts += [f"{space['missing']:,} texts without one"] if space["missing"] else []
        counts += [f"{space['failed']:,} set aside"] if space["failed"] else []
        name = f"{'*' if space['active'] else ' '} {space['name']}"
        yield "space", f"{name}: {', '.join(counts)}; {GRAPHS[space['graph']]}, {_size(space['bytes'])}"
    indexes = health["indexes"]
    valid, size = sum(index["valid"] for index in indexes), sum(index["bytes"] for index in indexes)
    yield "indexes", f"{valid} of {len(indexes)} are valid, {_size(size)}"
    for _, text in faults_of(health):
        yield "", text


def faults_of(health: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is not well with a store's indexes, vectors and tables, each with its remedy."""
    for index in health["indexes"]:
        if not index["valid"]:
            yield "indexes", f"{index['name']} is not valid: run REINDEX INDEX syncline.{index['name']}"
    for space in health["spaces"]:
        name = space["name"]
        if space["active"] and space["missing"]:
            yield "vectors", f"{space['missing']:,} texts have no vector of {name}: syncline retry embeds them"
        if space["active"] and space["graph"] == "missing":
            yield "indexes", f"the vectors of {name} have no graph: syncline embeddings use {name} builds it"
    for table in health["tables"]:
        rows = table["rows"] + table["dead"]
        if table["dead"] >= max(FEWEST_DEAD, MOST_DEAD * rows):
            name = table["name"]
            yield "bloat", f"{table['dead'] / rows:.0%} of the rows of {name} are dead: run VACUUM syncline.{name}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1_000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1_000
    return f"{count:,.1f} GB"
