"""Sites into a file and out of it: the same to search, nothing embedded again, and never half-imported."""

import asyncio
import gzip
import json
import math
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.embedders.fake import HashEmbedder
from engine.errors import EngineError, InvalidExport
from engine.models import ImportReport, PageInput, RecordInput
from engine.portable import LineWriter
from engine.postgres import PostgresEngine
from syncs.cli.transfer import _writing

pytestmark = pytest.mark.slow

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
USERS: Mapping[str, str] = {"connection_id": "crm", "name": "users"}
QUERIES = ("alpha", "beta two", "kite gamma", "word7x")
STORE = """
SELECT to_jsonb(entity) - '{id,key}'::text[], to_jsonb(page) - '{id,entity_id,seq,taken_by}'::text[],
       to_jsonb(record) - '{id,entity_id,page_id,updated_at}'::text[]
FROM syncline.entity
LEFT JOIN (syncline.page FULL JOIN syncline.record ON record.page_id = page.id)
    ON entity.id IN (page.entity_id, record.entity_id)
ORDER BY entity.name, page.url, record.external_id
"""


def run(
    url: str, scenario: Callable[[PostgresEngine], Coroutine[Any, Any, Any]], embedder: HashEmbedder | None = None
) -> Any:
    async def main() -> Any:
        async with PostgresEngine(url, embedder=embedder or HashEmbedder(8, refuses="badtext")) as engine:
            return await scenario(engine)

    return asyncio.run(main())


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def page(url: str, *texts: str, **facts: Any) -> PageInput:
    chunks: list[RecordInput] = [
        {
            "external_id": f"{url}_chunk_{number}",
            "data": {"markdown": text, "n": [number, 0.1, None]},
            "embed_text": f"Crumb\n{text}",
            "headings": ["Crumb"],
            "terms": ["term"],
            "anchor": f"a{number}",
            "position": number,
            "span": (number * 10, number * 10 + 5),
            "weight": 0.5 if number else 1,
        }
        for number, text in enumerate(texts)
    ]
    given = {"markdown": "\n\n".join(texts), "metadata": {"title": "T"}, "anchors": [(0, "a0", 1, "T")], **facts}
    return PageInput(url=url, records=chunks, content_hash="|".join(texts), fetched_at=1_700_000_000.123456, **given)


async def fill(engine: PostgresEngine) -> None:
    """A crawled site with a gone page, a waiting one and a text that has no vector; and an entity of records."""
    ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={"limit": 3})
    await ledger.discover([(f"https://x.org/{name}", f"https://x.org/{name}#f", 1) for name in "cabdw"])
    pages = [page(f"https://x.org/{name}", f"alpha {name}", "beta two", etag='"e"', links=["l"]) for name in "abd"]
    await engine.swap_pages(**SITE, pages=[*pages, page("https://x.org/c", "kite gamma é\U0001f600", "BADTEXT here")])
    await ledger.settle("https://x.org/d", "skipped", "404", {"gone": True})
    await ledger.end(finished=False)
    await engine.retire_pages(**SITE)
    people: list[RecordInput] = [
        {"external_id": "u1", "data": {"name": "Ann"}},
        {"external_id": "u2", "data": {"name": "Bob"}, "text": "word7x alpha"},
    ]
    await engine.sync_records(**USERS, records=people, last_sync_id="cursor-9")
    await engine.optimize()


async def lines_of(engine: PostgresEngine, *asked: Any, **options: Any) -> list[bytes]:
    return [line async for line in engine.export_lines(*asked, **options)]


def imported(url: str, lines: Iterable[bytes], *, replace: bool = False, embedder: Any = None) -> ImportReport:
    found = run(url, lambda engine: engine.import_lines(lines, replace=replace), embedder)
    assert isinstance(found, ImportReport)
    return found


async def found(engine: PostgresEngine) -> list[Any]:
    return [
        [(hit.to_json(), hit.fetched_at, hit.changed_at) for hit in await engine.search(asked, mode=mode, k=20)]
        for asked in QUERIES
        for mode in ("hybrid", "vector", "text")
    ]


@pytest.fixture
def exported(database_url: str) -> list[bytes]:
    """The lines of a filled store."""

    async def scenario(engine: PostgresEngine) -> list[bytes]:
        await fill(engine)
        return await lines_of(engine)

    lines = run(database_url, scenario)
    assert isinstance(lines, list)
    return lines


@pytest.fixture
def other_url(make_database: Callable[[], str]) -> str:
    """Another empty database."""
    return make_database()


@pytest.mark.promise("E2")
def test_an_imported_store_is_the_same_and_searches_the_same_and_embeds_nothing(
    exported: list[bytes], database_url: str, other_url: str
) -> None:
    embedder = HashEmbedder(8, refuses="badtext")
    report = imported(other_url, iter(exported), embedder=embedder)
    assert (report.entities, report.pages, report.records, report.missing) == (2, 5, 8, 0)
    assert rows(other_url, STORE) == rows(database_url, STORE)
    assert rows(other_url, "SELECT url FROM syncline.page ORDER BY seq") == [
        (f"https://x.org/{name}",) for name in "cabdw"
    ]
    vectors = "SELECT hash, embedding::text FROM syncline.vector_1 ORDER BY hash"
    used = vectors.replace("ORDER", "WHERE hash IN (SELECT embed_hash FROM syncline.record) ORDER")
    assert rows(other_url, vectors) == rows(database_url, used)
    failures = "SELECT hash, reason, tries FROM syncline.embed_failure"
    assert rows(other_url, failures) == rows(database_url, failures)
    assert run(other_url, found) == run(database_url, found)
    assert embedder.texts == 0

    async def swap_again(engine: PostgresEngine) -> None:
        again = await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "alpha a", "beta two", etag='"e"')])
        assert (again.unchanged, again.computed) == (2, 0)
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={"limit": 3})
        assert ledger.resumed is True
        await ledger.end(finished=True)

    run(other_url, swap_again)


def test_an_export_of_an_export_is_the_same_but_for_its_head(exported: list[bytes], other_url: str) -> None:
    imported(other_url, exported)
    assert run(other_url, lines_of)[1:-1] == exported[1:-1]


def test_one_site_is_exported_alone_and_all_models_where_asked(database_url: str, other_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> tuple[list[bytes], list[bytes]]:
        await fill(engine)
        await engine.add_space(HashEmbedder(4, model="other"), type="halfvec")
        return await lines_of(engine, "https://x.org/"), await lines_of(engine, connection_id="crm", every_space=True)

    site, users = run(database_url, scenario)
    names = [json.loads(line)["entity"]["name"] for line in site if b'"entity":' in line[:12]]
    assert names == [SITE["name"]]
    assert [space["name"] for space in json.loads(site[0])["syncline"]["spaces"]] == [HashEmbedder(8).name]
    imported(other_url, users)
    imported(other_url, site)
    assert rows(other_url, "SELECT name, type, active FROM syncline.embedding_space ORDER BY id") == [
        (HashEmbedder(8).name, "vector", True),
        (HashEmbedder(4, model="other").name, "halfvec", False),
    ]
    half = (
        "SELECT embedding::text FROM syncline.vector_2 "
        "WHERE hash = (SELECT embed_hash FROM syncline.record WHERE external_id = 'u2')"
    )
    assert rows(other_url, half) == rows(database_url, half) != []


def test_a_site_that_is_there_is_replaced_only_where_that_is_said(exported: list[bytes], database_url: str) -> None:
    before = rows(database_url, STORE)
    with pytest.raises(EngineError, match=r"has CRAWL_https://x.org/ \(connection SYSTEM\) already.*--replace"):
        imported(database_url, [exported[0], *exported[-1:0:-1][::-1]])
    assert rows(database_url, STORE) == before

    async def change(engine: PostgresEngine) -> None:
        await engine.swap_pages(**SITE, pages=[page("https://x.org/a", "other")])
        await engine.sync_records(**SITE, records=[{"external_id": "more", "data": {}}])
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={})
        with pytest.raises(EngineError, match="is being crawled, so nothing was imported"):
            await engine.import_lines(exported, replace=True)
        await ledger.end(finished=True)

    run(database_url, change)
    imported(database_url, exported, replace=True)
    assert rows(database_url, STORE) == before


def damaged(lines: list[bytes]) -> dict[str, tuple[list[bytes], str]]:
    """Exports that are none, and what is said of each."""
    record = next(place for place, line in enumerate(lines) if b'"Ann"' in line)
    vector = next(place for place, line in enumerate(lines) if line.startswith(b'{"vector"'))

    def without(place: int) -> list[bytes]:
        return [*lines[:place], *lines[place + 1 :]]

    def instead(place: int, line: bytes) -> list[bytes]:
        return [*lines[:place], line, *lines[place + 1 :]]

    head = lines[0].replace(b'"format":1', b'"format":9')
    shorter = json.loads(lines[vector])
    shorter["vector"]["embedding"] = shorter["vector"]["embedding"][:16]
    return {
        "empty": ([], "its first line does not say so"),
        "something else": ([b'{"a": {}}\n'], "its first line does not say so"),
        "other JSON": ([b'{"a": 1}\n'], "Line 1 is no line of an export"),
        "no JSON": ([b"\x00\xff" * 100], "Line 1 is no line of an export"),
        "another version": ([head, *lines[1:]], "has the format 9"),
        "cut between lines": (lines[:-1], "is cut off after line"),
        "cut in a line": ([*lines[:record], lines[record][:20]], "is cut off in the middle"),
        "a line lost": (without(record), "its digest or its counts differ"),
        "a text changed": (instead(record, lines[record].replace(b"Ann", b"Eve")), "its digest or its counts differ"),
        "a line twice": (instead(record, lines[record] * 2), "Line"),
        "a record twice": ([*lines[: record + 1], *lines[record:]], "damaged near line|digest"),
        "an unknown line": (instead(record, b'{"pages": {}}\n'), "'pages' is unknown"),
        "no entity": ([lines[0], lines[record]], "cut off|before its entity"),
        "a short vector": (instead(vector, json.dumps(shorter).encode()), "no vector of 8 numbers"),
        "a page of nothing": (instead(2, b'{"page": {}}\n'), "damaged near line"),
        "more after the end": ([*lines, lines[record]], "more after its end"),
        "no number": (instead(2, lines[2].replace(b'"depth":', b'"depth":"x","d":')), "damaged near line"),
        "a NUL": (instead(2, lines[2].replace(b"kite", b"\\u0000")), "its digest or its counts differ"),
    }


def test_what_is_no_whole_export_is_one_sentence_and_leaves_the_store_as_it_was(
    exported: list[bytes], other_url: str
) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        await engine.create_entity(connection_id="c", name="kept")
        for case, (lines, said) in damaged(exported).items():
            with pytest.raises(InvalidExport, match=said) as caught:
                await engine.import_lines(lines)
            assert "\n" not in str(caught.value), case
            assert [site["name"] for site in await engine.sites()] == ["kept"], case
            assert await engine.spaces() == [], case
        assert (await engine.import_lines(exported)).entities == 2

    run(other_url, scenario)


WRONG_FACTS: Sequence[tuple[str, str, object]] = [
    ("page", "fetched_at", "infinity"),
    ("page", "missing_since", "0001-01-01T00:00:00 BC"),
    ("page", "changed_at", "9999-12-31T23:59:59-12:00"),
    ("page", "url", 5),
    ("page", "metadata", [1]),
    ("page", "anchors", "x"),
    ("page", "links", [5]),
    ("page", "state", None),
    ("entity", "created_at", "-infinity"),
    ("entity", "crawl_options", "x"),
    ("record", "page", 5),
    ("vector", "hash", "ab"),
    ("vector", "space", -1),
    ("failure", "space", True),
]
WRONG_SPACES: Sequence[tuple[str, object]] = [
    ("weight", math.nan),
    ("weight", 5),
    ("weight", "x"),
    ("dimensions", True),
    ("dimensions", -1),
]


def sealed(lines: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """An export of these lines, whole by its end."""
    writer = LineWriter()
    return [*(writer.line(kind, value) for line in lines for kind, value in line.items()), writer.end()]


def test_a_whole_export_with_a_fact_that_no_store_can_have_is_refused(exported: list[bytes], other_url: str) -> None:
    async def scenario(engine: PostgresEngine) -> None:
        for kind, name, value in WRONG_FACTS:
            lines = [json.loads(line) for line in exported[:-1]]
            next(line for line in lines if kind in line)[kind][name] = value
            with pytest.raises(InvalidExport, match=f"the {name} of a {kind} is none"):
                await engine.import_lines(sealed(lines))
        for name, value in WRONG_SPACES:
            lines = [json.loads(line) for line in exported[:-1]]
            lines[0]["syncline"]["spaces"][0][name] = value
            with pytest.raises(InvalidExport, match="a space that is none"):
                await engine.import_lines(sealed(lines))
        assert await engine.sites() == []

    run(other_url, scenario)


def test_vectors_of_another_model_are_kept_and_what_the_store_s_own_lacks_is_said(
    exported: list[bytes], other_url: str
) -> None:
    other = HashEmbedder(4, model="other")

    async def scenario(engine: PostgresEngine) -> None:
        await engine.sync_records(
            connection_id="c", name="own", records=[{"external_id": "a", "data": {}, "text": "t"}]
        )
        report = await engine.import_lines(exported)
        assert report.missing == 6
        assert [hit.external_id for hit in await engine.search("word7x", mode="text")] == ["u2"]
        retried = await engine.retry_embeddings()
        assert (retried.computed + retried.failed, other.texts) == (6, 7)

    run(other_url, scenario, other)


def test_the_memory_of_neither_side_grows_with_the_store(
    database_url: str, other_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for batch in ("exports.PAGES", "exports.ROWS", "imports.MOST_PAGES", "imports.MOST_ROWS"):
        monkeypatch.setattr(f"engine.{batch}", 20)

    async def fill_much(engine: PostgresEngine) -> None:
        for first in range(0, 400, 50):
            await engine.swap_pages(
                **SITE,
                pages=[page(f"https://x.org/{n}", f"word {n} " + "filler " * 3_000) for n in range(first, first + 50)],
            )

    async def transfer(engine: PostgresEngine) -> None:
        async with PostgresEngine(other_url, embedder=HashEmbedder(8)) as target:
            lines = [line async for line in engine.export_lines()]
            tracemalloc.start()
            async for _ in engine.export_lines():
                pass
            exporting = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            await target.import_lines(iter(lines))
            importing = tracemalloc.get_traced_memory()[1] - before
            tracemalloc.stop()
        size = sum(map(len, lines))
        assert size > 15_000_000
        assert max(exporting, importing) < size / 4

    run(database_url, fill_much)
    run(database_url, transfer)


# --- the command line ---------------------------------------------------------------------------------------


def test_a_site_goes_through_a_file_into_another_folder_and_is_crawled_there_for_nothing(
    syncline, site_server, chain, database_url: str, open_folder: Path, place: Path
) -> None:
    site_server.routes = chain(4)
    crawl = ("crawl", f"{site_server.url}/docs/", "--name", "a", "--json", "--db")
    asked = ("search", "word2 told at length", "--json", "--db")
    assert syncline(*crawl, database_url).code == 0
    file, folder = os.fspath(place / "site.jsonl.gz"), os.fspath(place / "elsewhere")
    done = syncline("export", file, "--entity", "a", "--json", "--db", database_url)
    assert (done.json["pages"], done.json["entities"]) == (4, 1)
    assert gzip.decompress(Path(file).read_bytes()).startswith(b'{"syncline":{"format":1,')
    assert [path.name for path in place.iterdir() if path.is_file()] == ["site.jsonl.gz"]
    assert syncline("import", file, "--db", folder).out.startswith("Imported 1 site, 4 pages, ")
    assert syncline(*asked, folder).json == syncline(*asked, database_url).json != []
    again = syncline(*crawl, folder).json
    assert (again["pages"]["unchanged"], again["embeddings"]["computed"]) == (4, 0)
    refused = syncline("import", file, "--db", folder)
    assert (refused.code, "--replace" in refused.error) == (1, True)


def test_what_cannot_be_exported_or_imported_is_said(in_process, database_url: str, place: Path) -> None:
    to = ("--db", database_url)
    assert in_process("export", "-", "--json", *to).code == 2
    ran = in_process("export", os.fspath(place / "no" / "folder.jsonl"), *to)
    assert (ran.code, "No such file or directory" in ran.error) == (1, True)
    ran = in_process("export", os.fspath(place / "x.jsonl"), "--entity", "nowhere", *to)
    assert (ran.code, "'nowhere'" in ran.error) == (2, True)
    assert list(place.iterdir()) == []
    ran = in_process("import", os.fspath(place / "none.jsonl"), *to)
    assert (ran.code, "cannot be read" in ran.error) == (1, True)
    (place / "text.jsonl").write_bytes(b"hello\n")
    assert in_process("import", os.fspath(place / "text.jsonl"), *to).code == 1
    packed = gzip.compress(b'{"syncline": {}}\n' * 100)
    (place / "cut.gz").write_bytes(packed[: len(packed) // 2])
    ran = in_process("import", os.fspath(place / "cut.gz"), *to)
    assert ran.code == 1
    assert ran.error


@pytest.mark.parametrize("name", [".", "file/x.jsonl", "a" * 300, "loop"])
def test_a_file_that_cannot_be_is_named_and_nothing_is_left_of_it(
    in_process, database_url: str, place: Path, name: str
) -> None:
    (place / "file").write_bytes(b"mine")
    (place / "loop").symlink_to(place / "loop")
    ran = in_process("export", os.fspath(place / name), "--db", database_url)
    assert ran.code == 1
    assert ran.error.startswith("The export cannot be written to ")
    assert sorted(path.name for path in place.iterdir()) == ["file", "loop"]


def test_an_export_replaces_neither_a_pipe_nor_a_link(in_process, database_url: str, place: Path) -> None:
    pipe, link, real = place / "pipe", place / "link", place / "real.jsonl"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        assert in_process("export", os.fspath(pipe), "--db", database_url).code == 0
        assert read.result(timeout=60).startswith(b'{"syncline":')
    assert pipe.is_fifo()
    real.write_bytes(b"older")
    link.symlink_to(real)
    assert in_process("export", os.fspath(link), "--db", database_url).code == 0
    assert link.is_symlink()
    assert real.read_bytes().startswith(b'{"syncline":')


def test_two_exports_to_one_file_at_once_do_not_mix(place: Path) -> None:
    path = place / "x.jsonl"
    with _writing(os.fspath(path)) as first, _writing(os.fspath(path)) as second:
        first.write(b"first\n")
        second.write(b"second\n")
        assert not path.exists()
    assert path.read_bytes() == b"first\n"
    assert list(place.iterdir()) == [path]


def test_an_export_goes_from_standard_output_to_standard_input(database_url: str, other_url: str) -> None:
    run(database_url, fill)

    def command(*words: str, **options: Any) -> Any:
        return subprocess.run([sys.executable, "-m", "syncs.cli", *words], capture_output=True, check=True, **options)

    exported = command("export", "-", "--db", database_url)
    assert exported.stdout.startswith(b'{"syncline":')
    assert exported.stderr.startswith(b"Exported 2 sites, 5 pages, ")
    command("import", "-", "--db", other_url, input=gzip.compress(exported.stdout))
    assert rows(other_url, STORE) == rows(database_url, STORE)
    command("import", "-", "--replace", "--db", other_url, input=exported.stdout)
    assert rows(other_url, STORE) == rows(database_url, STORE)
