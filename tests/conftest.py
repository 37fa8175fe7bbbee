"""What tests share: a clean environment, a site on loopback, conformance data, parts of the system."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from engine.embedded import EmbeddedServer, stop_server

KEPT = frozenset({"SYNCLINE_CORPORA", "SYNCLINE_REQUIRE_ALL"})
SCRUBBED = (
    "OPENAI_",
    "SYNCLINE_",
    "DATABASE_URL",
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGPASS",
    "PGDATABASE",
    "PGSERVICE",
)
PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"})


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that another account may enter: as root, the embedded server runs under one, and pytest's own
    temporary folders are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="syncline-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def clean_environment(open_folder: Path) -> Iterator[None]:
    """No key, database, proxy or setting of the user reaches a test, and no test reaches the user's data."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name not in KEPT and (name.startswith(SCRUBBED) or name.lower() in PROXIES):
                patch.delenv(name)
        patch.setenv("SYNCLINE_DATA", str(open_folder / "data"))
        patch.setenv("SYNCLINE_CHROMIUM", "none")  # a test that renders says so
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A job in the background ignores Ctrl-C, and so would every program that a test starts and interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# --- a database -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server(clean_environment: None, open_folder: Path) -> Iterator[str]:
    """A running Postgres with pgvector; the connection string of its maintenance database."""
    server = asyncio.run(EmbeddedServer.open(open_folder / "shared"))
    yield server.conninfo
    asyncio.run(server.close())


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder with a short path that the server's account may enter (root's tmp_path is closed)."""
    place = Path(tempfile.mkdtemp(prefix="emb-", dir="/tmp"))
    place.chmod(0o711)
    yield place
    for lock in place.rglob("server.lock"):
        asyncio.run(stop_server(lock.parent, force=True))
    shutil.rmtree(place)


@pytest.fixture
def make_database(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Makes empty databases; gives their connection strings."""
    made: list[str] = []

    def make() -> str:
        made.append(f"test_{uuid4().hex}")
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{made[-1]}"')
        return make_conninfo(postgres_server, dbname=made[-1])

    yield make
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in made:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(make_database: Callable[[], str]) -> str:
    """The connection string of an empty database of its own."""
    return make_database()


# --- parts of the system --------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A part of the system that some tests need: where it is (None if it is missing), and how to get it."""

    path: Path | None
    remedy: str


def find_part(name: str) -> Part:
    folders = {"sqlite3-doc": "/usr/share/doc/sqlite3", "python3.11-doc": "/usr/share/doc/python3.11/html"}
    if name in folders:
        folder = Path(folders[name])
        return Part(folder if (folder / "index.html").is_file() else None, f"apt-get install {name}")
    if name in {"chromium", "openssl", "pgbouncer"}:
        program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        return Part(Path(program) if program else None, f"apt-get install {name}")
    raise pytest.UsageError(f"tests/conftest.py knows no part of the system named {name!r}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            part = find_part(name)
            if part.path is None:
                missing(f"MISSING PART {name}: this test did not run; {part.remedy}", "SYNCLINE_REQUIRE_ALL")


def missing(reason: str, fails_under: str) -> None:
    """Skip the test; fail it where the environment says that nothing may be missing."""
    if os.environ.get(fails_under, "").lower() in {"1", "true"}:
        pytest.fail(f"{reason} ({fails_under} is set)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def system_part() -> Callable[[str], Path]:
    """The path of a part that the test is marked to need: `system_part("sqlite3-doc")`."""

    def path(name: str) -> Path:
        found = find_part(name).path
        assert found is not None, f"mark the test with @pytest.mark.needs({name!r})"
        return found

    return path


# --- conformance data -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def corpus() -> Callable[[str], Any]:
    """Reads conformance data by file name: from SYNCLINE_CORPORA or `../shared/corpora` by the project."""
    named = os.environ.get("SYNCLINE_CORPORA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "corpora"

    def read(name: str) -> Any:
        file = folder / name
        if not file.is_file():
            missing(f"no conformance data: {name} (set SYNCLINE_CORPORA to the folder that holds it)", "CI")
        return json.loads(file.read_text("utf-8"))

    return read


# --- a site on loopback ---------------------------------------------------------------------------


@dataclass(frozen=True)
class SiteRequest:
    """What the server was asked: the target as it stood on the wire, the headers by lower-case name, the body."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


Answer = tuple[int, Mapping[str, str], "bytes | str | Iterable[bytes]"]
Route = bytes | Answer | Callable[[SiteRequest], "bytes | Answer"]
# A function of the JSON that was sent, and of the request: status, headers, and a JSON document or bytes.
JsonRoute = Callable[[Any, SiteRequest], tuple[int, Mapping[str, str], Any]]


@dataclass
class SiteServer:
    """A web server on 127.0.0.1 that answers from `routes` and keeps every request in `requests`.

    A route is (status, headers, body), or a function of the request that gives one, or bytes that are written
    to the connection as they are. A body of pieces is sent chunked, for as long as the client listens. A path
    with a query is looked up whole, then without the query; what is not found is a 404.
    """

    url: str = ""  # without a slash at the end
    port: int = 0
    routes: dict[str, Route] = field(default_factory=dict)
    requests: list[SiteRequest] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The targets asked for, in order."""
        return [request.path for request in self.requests]

    def serve_json(self, path: str, answer: JsonRoute) -> None:
        """Answer JSON with JSON at `path`, as a model's server does."""

        def route(request: SiteRequest) -> Answer:
            status, headers, found = answer(json.loads(request.body), request)
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            return status, {"Content-Type": "application/json", **headers}, body

        self.routes[path] = route

    def answer(self, request: SiteRequest) -> bytes | Answer:
        self.requests.append(request)
        bare = request.path.partition("?")[0]
        route = self.routes.get(request.path, self.routes.get(bare, (404, {}, b"not here")))
        return route(request) if callable(route) else route


def handler_for(site: SiteServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer = site.answer(SiteRequest(self.command, self.path, headers, body))
            try:
                if isinstance(answer, bytes):
                    self.wfile.write(answer)
                    self.close_connection = True
                else:
                    self.send(*answer)
                self.wfile.flush()
            except OSError:  # the client has hung up, as a client with a cap does
                self.close_connection = True

        do_HEAD = do_POST = do_GET

        def send(self, status: int, headers: Mapping[str, str], body: bytes | str | Iterable[bytes]) -> None:
            body = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if isinstance(body, bytes):
                framed = {"content-length", "transfer-encoding"} & {name.lower() for name in headers}
                if not framed and status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in body:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                self.rfile.close()

        def log_message(self, format: str, *args: object) -> None:
            return None

    return Handler


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        return None  # a connection that the client resets is no news


@pytest.fixture
def make_site_server() -> Iterator[Callable[[], SiteServer]]:
    """Starts servers on loopback, for a test that needs more than one."""
    running: list[tuple[QuietServer, threading.Thread]] = []

    def start() -> SiteServer:
        site = SiteServer()
        server = QuietServer(("127.0.0.1", 0), handler_for(site))
        site.port = server.server_address[1]
        site.url = f"http://127.0.0.1:{site.port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((server, thread))
        return site

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site_server(make_site_server: Callable[[], SiteServer]) -> SiteServer:
    """A web server on loopback: set `.routes`, crawl `.url`, look at `.requests`."""
    return make_site_server()
