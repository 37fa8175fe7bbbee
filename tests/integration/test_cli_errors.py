"""Wrong input and a world that does not play along: an exit code, one sentence, and nothing half-written."""

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.slow

# Nobody listens there: a command that says anything else has not tried to open the database.
CLOSED = "postgresql://u:hunter2@127.0.0.1:1/x"
PASSWORD = "hunter2"


def refused(ran: Any, code: int, *parts: str) -> None:
    """`ran` ended with this code and one sentence that holds the parts."""
    assert (ran.code, ran.out) == (code, ""), ran.err
    for part in parts:
        assert part in ran.error
    assert PASSWORD not in ran.err
    assert "defect" not in ran.err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["crawl", "docs.example.org"], ["docs.example.org has no scheme", "https://docs.example.org"]),
        (["crawl", "ftp://example.org/"], ["has the scheme ftp; only http and https"]),
        (["crawl", ""], ["the URL is empty"]),
        (["crawl", "http://h/", "--path-regex", "("], ["path_regex '('", "missing )"]),
        (["crawl", "http://h/", "--include", "*"], ["include '*'"]),
        (["crawl", "http://h/", "--exclude", "["], ["exclude '['"]),
        (["crawl", "http://h/", "--limit", "0"], ["'--limit'", "1"]),
        (["crawl", "http://h/", "--limit", "ten"], ["'--limit'", "integer"]),
        (["crawl", "http://h/", "--concurrency", "0"], ["'--concurrency'", "1"]),
        (["crawl", "http://h/", "--max-depth", "-1"], ["'--max-depth'", "0"]),
        (["crawl", "http://h/", "--robots", "maybe"], ["robots: ", "'obey' or 'ignore'"]),
        (["crawl", "http://h/", "--name", " "], ["name: "]),
        (["crawl", "http://h/", "--embedder", "nix"], ["There is no embedder 'nix'", "wordllama"]),
        (["crawl", "http://h/", "--embedder", "wordllama@7"], ["no 7 dimensions"]),
        (["search", " "], ["The query is empty"]),
        (["search", "x", "-k", "0"], ["'-k'", "1"]),
        (["search", "x", "--mode", "both"], ["Unknown search mode 'both'"]),
        (["search", "x", "--filter", "{"], ["--filter is not JSON"]),
        (["search", "x", "--filter", '{"a": {"$near": 1}}'], ["$near"]),
        (["page", "nowhere"], ["nowhere"]),
    ],
)
def test_what_is_wrong_as_typed_is_said_before_a_database_is_opened(
    in_process, words: list[str], parts: list[str]
) -> None:
    refused(in_process(*words, "--db", CLOSED), 2, *parts)


Answers = dict[str, Any]


def forbids(site: Any) -> Answers:
    return {"/robots.txt": (200, {"Content-Type": "text/plain"}, "User-agent: *\nDisallow: /\n")}


def endless(site: Any) -> Answers:
    def pieces() -> Iterator[bytes]:
        while True:
            yield b"<p>and so on</p>" * 4096

    return {"/": lambda _: (200, {"Content-Type": "text/html"}, pieces())}


STARTS: dict[str, tuple[Callable[[Any], Answers], list[str]]] = {
    "robots": (forbids, ["robots.txt", "--robots ignore"]),
    "404": (lambda site: {}, ["answers 404"]),
    "elsewhere": (
        lambda site: {"/": (302, {"Location": f"http://localhost:{site.port}/"}, b"")},
        ["another host", "start from http://localhost:"],
    ),
    "pdf": (lambda site: {"/": (200, {"Content-Type": "application/pdf"}, b"%PDF")}, ["application/pdf"]),
    "endless": (endless, ["bytes"]),
}


@pytest.mark.parametrize("case", STARTS)
def test_a_start_url_that_cannot_be_crawled_leaves_nothing_behind(
    syncline, site_server, database_url: str, rows, case: str
) -> None:
    routes, parts = STARTS[case]
    site_server.routes = routes(site_server)
    refused(syncline("crawl", f"{site_server.url}/", "--json", "--db", database_url), 1, site_server.url, *parts)
    assert rows("SELECT FROM syncline.entity") == rows("SELECT FROM syncline.page") == []
    assert [run["state"] for run in rows("SELECT state FROM syncline.run")] == ["failed"]


@pytest.mark.parametrize(
    ("url", "part"),
    [("http://no-such-host.invalid/", "does not resolve"), ("http://127.0.0.1:9/", "connection refused")],
)
def test_a_host_that_cannot_be_reached_leaves_nothing_behind(
    syncline, database_url: str, rows, url: str, part: str
) -> None:
    refused(syncline("crawl", url, "--db", database_url), 1, part)
    assert rows("SELECT FROM syncline.entity") == []


def test_a_page_without_an_end_in_the_middle_of_a_site_is_listed_and_the_rest_is_stored(
    syncline, site_server, chain, database_url: str
) -> None:
    site_server.routes = {**chain(4), "/docs/p2": endless(site_server)["/"]}
    ran = syncline("crawl", f"{site_server.url}/docs/", "--json", "--db", database_url)
    assert ran.json["pages"]["stored"] == 3
    assert [(item["url"], item["outcome"]) for item in ran.json["skipped"]] == [
        (f"{site_server.url}/docs/p2", "failed")
    ]


def test_an_embedder_without_a_key_or_with_a_wrong_one_leaves_nothing_behind(
    syncline, site_server, chain, database_url: str, rows
) -> None:
    site_server.routes = chain(2)
    crawl = ("crawl", f"{site_server.url}/docs/", "--db", database_url)
    refused(syncline(*crawl, "--embedder", "openai"), 1, "OPENAI_API_KEY")

    body = b'{"error": {"message": "Incorrect API key provided: sk-hunter2"}}'
    site_server.routes["/v1/embeddings"] = (
        401,
        {"Content-Type": "application/json", "Connection": "close"},
        body,
    )
    env = {"OPENAI_API_KEY": f"sk-{PASSWORD}", "OPENAI_BASE_URL": f"{site_server.url}/v1"}
    refused(syncline(*crawl, **env), 1, "openai", "OPENAI_API_KEY")
    assert rows("SELECT FROM syncline.entity") == []
    assert [path for path in site_server.paths if path.startswith("/docs")] == []


def test_a_model_that_does_not_fit_the_store_and_a_store_that_is_empty(
    syncline, site_server, chain, database_url: str, contents
) -> None:
    empty = syncline("search", "anything", "--db", database_url)
    assert (empty.code, empty.out) == (0, "")
    assert "The store is empty: syncline crawl URL" in empty.err
    assert syncline("search", "anything", "--json", "--db", database_url).json == []
    refused(syncline("search", "x", "--entity", "nowhere", "--db", database_url), 2, "'nowhere'")

    site_server.routes = chain(2)
    crawl = ("crawl", f"{site_server.url}/docs/", "--name", "a", "--db", database_url)
    assert syncline(*crawl).code == 0
    before = contents("a")
    refused(
        syncline(*crawl, "--embedder", "wordllama@64"),
        1,
        "embedded with wordllama",
        "wordllama:l2_supercat_256@64",
    )
    assert contents("a") == before


def test_a_folder_of_another_version_is_left_alone(syncline, open_folder: Path) -> None:
    folder = open_folder / "old"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("12\n", "utf-8")
    refused(syncline("sites", "--db", os.fspath(folder)), 1, os.fspath(folder), "12")
    assert [path.name for path in (folder / "data").iterdir()] == ["PG_VERSION"]


def test_a_user_without_rights_is_told_which_to_ask_for(syncline, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("DROP ROLE IF EXISTS visitor")
        owner.execute("CREATE ROLE visitor LOGIN")
    try:
        ran = syncline("sites", "--db", f"{database_url} user=visitor password={PASSWORD}")
        refused(ran, 1, "visitor", "CREATE EXTENSION")
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("CREATE EXTENSION vector")
        ran = syncline("sites", "--db", f"{database_url} user=visitor password={PASSWORD}")
        refused(ran, 1, "GRANT CREATE ON DATABASE")
    finally:
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("DROP ROLE visitor")


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize(
    "dsn",
    [
        CLOSED,
        "postgresql://u:hunter2@no-such-host.invalid/x",
        "postgresql://u:hunter2%@127.0.0.1:1/x",
        "mysql://u:hunter2@127.0.0.1/x",
        "host=127.0.0.1 port=1 user=u password=hunter2",
        "host=127.0.0.1 port=1 password=a hunter2",
    ],
)
def test_a_database_that_is_down_or_mistyped_is_named_without_its_password(
    in_process, dsn: str, debug: list[str]
) -> None:
    ran = in_process("sites", *debug, DATABASE_URL=dsn)
    assert (ran.code, ran.out) == (1, "")
    assert debug or ran.error
    assert ("Traceback" in ran.err) == bool(debug)
    assert PASSWORD not in ran.err


def message(kind: bytes, body: bytes) -> bytes:
    """A message of PostgreSQL's frontend/backend protocol 3.0."""
    return kind + struct.pack("!i", len(body) + 4) + body


READY = message(b"Z", b"I")


def welcome(version: bytes) -> bytes:
    status = message(b"S", b"server_version\0" + version + b"\0") + message(b"S", b"client_encoding\0UTF8\0")
    return message(b"R", struct.pack("!i", 0)) + status + READY


NO_ROWS = message(b"T", struct.pack("!h", 0)) + message(b"C", b"SELECT 0\0") + READY
WRONG_PASSWORD = message(b"E", b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "u"\0\0')


@pytest.fixture
def fake_postgres() -> Iterator[Callable[..., str]]:
    """A server that answers the start, and then each message, with the bytes given; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(first: bytes, then: bytes) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                size, code = struct.unpack("!ii", stream.read(8))
                stream.read(size - 8)
                while code != 196_608:  # asks for TLS or GSS encryption first
                    client.sendall(b"N")
                    size, code = struct.unpack("!ii", stream.read(8))
                    stream.read(size - 8)
                client.sendall(first)
                while (head := stream.read(5)) and head[:1] != b"X":
                    stream.read(struct.unpack("!i", head[1:])[0] - 4)
                    client.sendall(then)

    def start(first: bytes, then: bytes = NO_ROWS) -> str:
        threading.Thread(target=serve, args=(first, then), daemon=True).start()
        return f"postgresql://u:{PASSWORD}@127.0.0.1:{listener.getsockname()[1]}/x"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize(
    ("first", "then", "parts"),
    [
        (message(b"R", struct.pack("!i", 3)), WRONG_PASSWORD, ["password authentication failed"]),
        (welcome(b"12.9"), NO_ROWS, ["runs PostgreSQL 12", "upgrade the server"]),
        (welcome(b"17.2"), NO_ROWS, ["has no pgvector: install it"]),
    ],
    ids=["wrong password", "old server", "no pgvector"],
)
def test_a_server_that_does_not_fit_is_refused_with_the_remedy(
    syncline, fake_postgres, first: bytes, then: bytes, parts: list[str]
) -> None:
    dsn = fake_postgres(first, then)
    refused(syncline("sites", "--db", dsn), 1, *parts)
    debugged = syncline("sites", "--db", dsn, "--debug")
    assert (debugged.code, PASSWORD in debugged.err) == (1, False)
