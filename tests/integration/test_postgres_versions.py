"""The store on every PostgreSQL that can be had: those of the wheel, and the system's where it has pgvector.

A version that is not here is skipped by its name. `apt-get install postgresql-17 postgresql-17-pgvector` has it tested,
or pgvector built against the server's `pg_config`.
"""

import asyncio
import importlib.util
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.embedded import EmbeddedServer
from engine.embedded.binaries import PACKAGE, Install
from engine.embedders.fake import HashEmbedder
from engine.migrate import OLDEST_VECTOR
from engine.models import PageInput, RecordInput
from engine.postgres import PostgresEngine

pytestmark = pytest.mark.slow

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
OF_THE_WHEEL = (16, 18)


def installs() -> Mapping[int, Install]:
    """Every PostgreSQL with pgvector, by its major version; of two, the wheel's."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    wheel = Path((spec.submodule_search_locations or [""])[0])
    folders = [*Path("/usr/lib/postgresql").glob("*"), *Path("/usr").glob("pgsql-*"), *wheel.glob("pginstall*")]
    found = {}
    for folder in folders:
        sharing = [folder / "share" / "postgresql", folder / "share", Path("/usr/share/postgresql") / folder.name]
        for share in sharing:
            if has_pgvector(share) and (folder / "bin" / "postgres").is_file():
                major = int((share / "postgres.bki").read_text("ascii", errors="replace").split()[2])
                found[major] = Install(folder, major)
    return found


def has_pgvector(share: Path) -> bool:
    """Whether the files of a new enough pgvector are there."""
    control = share / "extension" / "vector.control"
    found = re.search(r"default_version = '(\d+)\.(\d+)", control.read_text("utf-8")) if control.is_file() else None
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_VECTOR


@pytest.fixture(scope="module", params=[14, 15, 16, 17, 18])
def version(request: pytest.FixtureRequest) -> Install:
    """An installation of the version; skipped where there is none."""
    install = installs().get(request.param)
    if install is None:
        assert request.param not in OF_THE_WHEEL, "the wheel brings it"
        pytest.skip(f"MISSING PART PostgreSQL {request.param} with pgvector: this version was not tested")
    return install


@pytest.fixture(scope="module")
def server(version: Install, open_folder: Path) -> Iterator[str]:
    """A server of the version; the connection string of its database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.embedded.server.find_install", lambda: version)
        if version.major < 16:  # whose initdb takes no settings
            patch.setattr("engine.embedded.folder.SETTINGS", {})
        opened = asyncio.run(EmbeddedServer.open(open_folder / f"version-{version.major}"))
        yield opened.conninfo
        asyncio.run(opened.close())


@pytest.fixture
def url(server: str) -> str:
    """An empty database of that server."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS syncline CASCADE; DROP EXTENSION IF EXISTS vector CASCADE")
    return server


def run(url: str, scenario: Callable[[PostgresEngine], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        async with PostgresEngine(url, embedder=HashEmbedder(64)) as engine:
            return await scenario(engine)

    return asyncio.run(main())


def page(name: str, *texts: str) -> PageInput:
    url = f"https://x.org/{name}"
    records: list[RecordInput] = [
        {
            "external_id": f"{url}_chunk_{number}",
            "data": {"markdown": text, "n": number},
            "position": number,
            "span": (number, number + 1),
        }
        for number, text in enumerate(texts)
    ]
    return PageInput(url=url, records=records, markdown=" ".join(texts), content_hash=" ".join(texts), fetched_at=1.7e9)


def test_the_server_is_of_the_version_that_is_tested(url: str, version: Install) -> None:
    found = run(url, lambda engine: engine.status())
    assert found["server"].split(".")[0] == str(version.major)


def test_pages_are_swapped_found_filtered_and_leave(url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page("a", "alpha kite", "beta"), page("b", "gamma kite")])
        moved = await engine.swap_pages(**SITE, pages=[page("a", "new", "alpha kite", "beta too")])
        assert (moved.added, moved.moved, moved.updated) == (1, 1, 1)
        for mode in ("hybrid", "text", "vector"):
            hits = await engine.search("alpha kite", mode=mode, k=2, filter={"n": {"gte": 1}})
            assert hits[0].external_id == "https://x.org/a_chunk_1"
        assert len(await engine.get_records(**SITE, sort=["-n"], filter={"markdown": {"contains": "kite"}})) == 2
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={})
        await ledger.revisit([("https://x.org/b", "https://x.org/b", 1)])
        await ledger.settle("https://x.org/b", "skipped", "404", {"gone": True})
        await ledger.end(finished=True)
        assert (await engine.retire_pages(**SITE)).pages == 1
        assert [hit.url for hit in await engine.search("gamma", mode="text")] == []

    run(url, scenario)


@pytest.mark.parametrize("kind", ["vector", "halfvec", "bit"])
def test_vectors_of_each_type_have_a_graph_that_is_used(url: str, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.space.SCANNED_NUMBERS", 64)

    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page(str(n), f"word{n} of {n % 7}", f"more{n}") for n in range(60)])
        other = HashEmbedder(64, model=kind)
        await engine.add_space(other, type=kind)
        await engine.use_space(other)
        async with PostgresEngine(url, embedder=other) as reader:
            assert (await reader.search("word31 of", mode="vector", k=1))[0].external_id == "https://x.org/31_chunk_0"
            (_, space) = (await reader.health())["spaces"]
            assert (space["type"], space["graph"]) == (kind, "ready")

    run(url, scenario)


def test_an_export_of_one_server_is_read_by_it_again(url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page("a", "alpha", "beta")])
        before = await engine.search("alpha")
        lines = [line async for line in engine.export_lines()]
        assert (await engine.import_lines(lines, replace=True)).records == 2
        assert await engine.search("alpha") == before

    run(url, scenario)


def test_runs_upkeep_and_a_plan_work(url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.start_run("r", sync="s", input={})
        await engine.beat_run("r", {"n": 1})
        await engine.end_run("r", state="succeeded")
        async with engine.rehearse() as plan:
            assert (await plan.swap_pages(**SITE, pages=[page("a", "alpha")])).added == 1
        assert await engine.get_records(**SITE) == []
        await engine.swap_pages(**SITE, pages=[page("a", "alpha")])
        await engine.delete_entity(**SITE)
        assert (await engine.gc(runs_older_than=0)).vectors == 1
        assert (await engine.health())["sites"] == []
        assert (await engine.server_settings())["pooled"] is False

    run(url, scenario)
