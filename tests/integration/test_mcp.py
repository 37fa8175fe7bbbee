"""The MCP server with the official client: over stdio as a person sets it up, and over streamable HTTP."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from pydantic import BaseModel

from engine import MockEngine
from syncs import Runtime, SyncContext, create_sync
from syncs.crawl import site_crawl
from syncs.tools import catalogue
from syncs.tools.http import serve_http
from syncs.tools.untrusted import CLOSING, OPENING

pytestmark = pytest.mark.promise("S4")


class Nothing(BaseModel):
    pass


class Stuck:
    """A sync that reports once, and then goes on until it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.sync = create_sync(id="stuck", execute=self.execute, input_schema=Nothing, output_schema=Nothing)

    async def execute(self, ctx: SyncContext[Nothing]) -> Nothing:
        ctx.progress("begun", steps=1)
        self.begun.set()
        await asyncio.Event().wait()
        return Nothing()


class Seen:
    """A progress callback that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str | None]] = []
        self.first = asyncio.Event()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.told.append((progress, message))
        self.first.set()


@asynccontextmanager
async def served(runtime: Runtime, **options: Any) -> AsyncIterator[str]:
    """The address of an HTTP server in this event loop."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_http(catalogue(runtime), port=0, on_ready=ready.set_result, **options))
    await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    try:
        yield ready.result()
    finally:
        serving.cancel()
        await asyncio.wait({serving})
    assert serving.cancelled()


@pytest.fixture
def command(database_url: str) -> StdioServerParameters:
    """What an agent's configuration starts."""
    return StdioServerParameters(
        command=sys.executable, args=["-m", "syncs.cli", "mcp", "--db", database_url], env=dict(os.environ)
    )


async def check_crawled_site(client: Client, start: str) -> None:
    """What an agent does with a site of two pages: crawl, search, read, list."""
    seen = Seen()
    crawled = await client.call_tool("site_crawl", {"url": start, "limit": None}, progress_callback=seen)
    assert not crawled.is_error
    report = crawled.structured_content["report"]
    assert (report["status"], report["pages"]["stored"]) == ("complete", 2)
    assert crawled.structured_content["site"] == f"CRAWL_{start}"
    assert "crawl_data" not in crawled.structured_content
    assert json.loads(crawled.content[0].text) == crawled.structured_content
    assert seen.told[0][0] == 1
    assert [count for count, _ in seen.told] == sorted({count for count, _ in seen.told})
    assert start in str(seen.told[0][1])

    found = await client.call_tool("search", {"query": "what is there to say of number 1", "k": 1, "site": start})
    (hit,) = found.structured_content["results"]
    assert (hit["url"], hit["title"], hit["site"]) == (f"{start}p1", "Page 1", f"CRAWL_{start}")
    assert hit["text"].startswith(OPENING)
    assert hit["text"].endswith(CLOSING)
    for time in ("fetched_at", "changed_at"):
        assert re.match(r"20\d\d-\d\d-\d\dT", hit[time])

    part = await client.call_tool("page", {"url": f"{start}p1", "max_characters": 200})
    assert part.structured_content["next_offset"] > 0
    listed = await client.call_tool("sites")
    assert [site["name"] for site in listed.structured_content["sites"]] == [f"CRAWL_{start}"]
    run = await client.call_tool("runs", {"run_id": crawled.structured_content["run_id"]})
    assert [row["state"] for row in run.structured_content["runs"]] == ["succeeded"]


async def check_resources(client: Client, start: str) -> None:
    (sites,) = (await client.list_resources()).resources
    (template,) = (await client.list_resource_templates()).resource_templates
    assert template.uri_template == "syncline://page/{+url}"
    assert "never instructions" in str(template.description)
    (listed,) = (await client.read_resource(sites.uri)).contents
    assert json.loads(listed.text)["sites"][0]["start_url"] == start
    (page,) = (await client.read_resource(template.uri_template.replace("{+url}", f"{start}p1"))).contents
    assert page.mime_type == "text/markdown"
    assert page.text.startswith(f"{OPENING}\n# Page 1\n")
    assert page.meta["url"] == f"{start}p1"
    with pytest.raises(MCPError, match="is not stored: crawl its site first"):
        await client.read_resource(f"syncline://page/{start}nowhere")
    with pytest.raises(MCPError, match="there is no resource"):
        await client.read_resource("syncline://else")


async def check_errors(client: Client) -> None:
    async def error(name: str, arguments: dict[str, Any]) -> str:
        result = await client.call_tool(name, arguments)
        assert result.is_error
        assert result.structured_content is None
        assert "Traceback" not in result.content[0].text
        return str(result.content[0].text)

    assert await error("search", {"query": "x", "k": 1000}) == (
        "search: invalid arguments: k: Input should be less than or equal to 20"
    )
    assert "no site is called 'nowhere'" in await error("search", {"query": "x", "site": "nowhere"})
    assert "did you mean 'search'?" in await error("serch", {})
    assert "operator" in await error("search", {"query": "x", "filter": {"title": {"like": "x"}}})


async def check_cancelled(client: Client, name: str, arguments: dict[str, Any]) -> None:
    """A request that is given up ends its run as cancelled."""

    async def state() -> str:
        return str((await client.call_tool("runs", {"limit": 1})).structured_content["runs"][0]["state"])

    seen = Seen()
    call = asyncio.create_task(client.call_tool(name, arguments, progress_callback=seen))
    await seen.first.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(20):
        while (last := await state()) in ("running", "cancelling"):
            pass  # each question is a round trip
    assert last == "cancelled"


@pytest.mark.slow
def test_over_stdio_an_agent_crawls_searches_and_reads(site_server, chain, command: StdioServerParameters) -> None:
    site_server.routes = chain(2)
    start = f"{site_server.url}/docs/"

    def endless(request: Any) -> tuple[int, dict[str, str], str]:
        number = int(request.path.rpartition("p")[2] or 0)
        links = f"<a href=p{number + 1}>next</a>"
        return 200, {"Content-Type": "text/html"}, f"<title>{number}</title><h1>{number}</h1><p>Text {links} here.</p>"

    site_server.routes |= {f"/endless/p{number}": endless for number in range(5_000)}

    async def main() -> None:
        async with Client(command) as client:
            info = client.server_info
            assert info is not None
            assert info.name == "syncline"
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert list(tools) == ["search", "page", "sites", "status", "runs", "explain", "site_crawl", "refresh_site"]
            assert tools["search"].annotations.read_only_hint
            assert not tools["site_crawl"].annotations.read_only_hint
            assert tools["site_crawl"].annotations.open_world_hint
            assert "return_pages" not in tools["site_crawl"].input_schema["properties"]
            assert all(tool.output_schema["type"] == "object" for tool in tools.values())
            await check_crawled_site(client, start)
            await check_resources(client, start)
            await check_errors(client)
            status = await client.call_tool("status")
            assert (status.structured_content["pages"], status.structured_content["entities"]) == (2, 1)

            endless_site = {"url": f"{site_server.url}/endless/p0", "path_regex": "/endless/"}
            await check_cancelled(client, "site_crawl", endless_site)

    asyncio.run(main())


@pytest.mark.slow
def test_standard_output_holds_the_protocol_and_nothing_else(
    command: StdioServerParameters, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "noisy.py").write_text(
        "from engine import MockEngine\nfrom syncs import Runtime, SyncContext, create_sync\n"
        "print('imported')\n"
        "async def execute(ctx: SyncContext[dict[str, str]]) -> dict[str, str]:\n"
        "    print('called')\n    raise RuntimeError('pass' + 'word=' + 'hunter' + '2')\n"
        "runtime = Runtime(engine=MockEngine(), syncs={'noisy': create_sync(execute=execute)})\n",
        "utf-8",
    )
    given = command.model_copy(
        update={"args": ["-m", "syncs.cli", "mcp", "--app", "noisy:runtime"], "cwd": str(tmp_path)}
    )
    given.env["PYTHONPATH"] = os.pathsep.join(sys.path)

    async def main() -> None:
        with (tmp_path / "err").open("w+", encoding="utf-8") as err:
            async with Client(stdio_client(given, errlog=err)) as client:
                result = await client.call_tool("noisy", {})
                assert result.is_error
                assert result.content[0].text == (
                    "noisy failed with RuntimeError: the log of the server that runs it says where."
                )
            err.seek(0)
            said = err.read()
        assert all(part in said for part in ("imported", "called", "RuntimeError"))
        assert "hunter2" not in said

    asyncio.run(main())
    assert caplog.text == ""  # the client tells of every line that is not the protocol's


@pytest.mark.slow
def test_a_signal_ends_the_server_that_waits_for_a_line(command: StdioServerParameters) -> None:
    process = subprocess.Popen(
        [command.command, *command.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(initialize()) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "syncline"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130


@pytest.mark.slow
def test_over_http_an_agent_crawls_searches_and_reads(site_server, chain) -> None:
    site_server.routes = chain(2)
    start = f"{site_server.url}/docs/"

    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl})
        async with served(runtime) as url, Client(url) as client:
            await check_crawled_site(client, start)
            await check_resources(client, start)
            await check_errors(client)

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_over_http_a_request_that_is_given_up_ends_its_run(mode: str) -> None:
    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"stuck": Stuck().sync})
        async with served(runtime) as url, Client(url, mode=mode) as client:
            await check_cancelled(client, "stuck", {})

    asyncio.run(main())


@pytest.mark.slow
def test_a_server_that_ends_ends_its_runs() -> None:
    async def main() -> None:
        engine, stuck = MockEngine(), Stuck()
        async with served(Runtime(engine=engine, syncs={"stuck": stuck.sync})) as url:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "stuck", "arguments": {}}}
            async with httpx.AsyncClient() as web:
                opened = await web.post(url, json=initialize(), headers=HEADERS)
                session = {"mcp-session-id": opened.headers["mcp-session-id"]}
                call = asyncio.create_task(web.post(url, json=body, headers={**HEADERS, **session}, timeout=30))
                await stuck.begun.wait()
                ending = asyncio.timeout(20)
        async with ending:
            await asyncio.wait({call})
        assert [run["state"] for run in await engine.get_runs()] == ["cancelled"]

    asyncio.run(main())


HEADERS = {"Accept": "application/json, text/event-stream"}


def initialize() -> dict[str, Any]:
    client = {"name": "test", "version": "1"}
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}


@pytest.mark.parametrize(
    ("options", "headers", "status"),
    [
        ({}, {}, 200),
        ({}, {"Origin": "http://localhost:3000"}, 200),
        ({}, {"Host": "evil.example"}, 421),
        ({}, {"Host": "127.0.0.1.evil.example:80"}, 421),
        ({}, {"Origin": "http://evil.example"}, 403),
        ({}, {"Origin": "null"}, 403),
        ({"host": "0.0.0.0", "allow_hosts": ["docs.example"]}, {"Host": "docs.example"}, 200),
        ({"host": "0.0.0.0", "allow_hosts": ["docs.example"]}, {"Host": "docs.example:8000"}, 200),
        ({"host": "0.0.0.0", "allow_hosts": ["docs.example:1"]}, {"Host": "docs.example:2"}, 421),
        ({"host": "0.0.0.0", "allow_hosts": ["docs.example"]}, {}, 421),
        (
            {"host": "0.0.0.0", "allow_hosts": ["docs.example"]},
            {"Host": "docs.example", "Origin": "http://evil.example"},
            403,
        ),
    ],
)
def test_only_known_hosts_and_origins_are_answered(
    options: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    async def main() -> None:
        async with served(Runtime(engine=MockEngine()), **options) as url, httpx.AsyncClient() as web:
            address = url.replace("0.0.0.0", "127.0.0.1")
            answer = await web.post(address, json=initialize(), headers={**HEADERS, **headers})
            assert answer.status_code == status

    asyncio.run(main())


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["--host", "0.0.0.0"], 2, "name the hosts that it is called by (--allow-host docs.example.org)"),
        (["--host", "::"], 2, "name the hosts that it is called by"),
        (["--host", "0.0.0.0", "--allow-host", "*"], 2, "'*' is no host"),
        (["--allow-host", "https://docs.example"], 2, "'https://docs.example' is no host"),
        (["--host", "192.0.2.1", "--allow-host", "docs.example", "--port", "0"], 1, "cannot listen on 192.0.2.1"),
    ],
)
def test_an_unsafe_address_is_refused_before_anything_is_opened(
    in_process, words: list[str], code: int, reason: str
) -> None:
    ran = in_process("mcp", "--http", *words)
    assert ran.code == code
    assert reason in ran.error


@pytest.mark.slow
def test_the_command_serves_http_and_ends_at_a_signal(syncline, database_url: str) -> None:
    process = syncline.start("mcp", "--http", "--port", "0", "--read-only", "--db", database_url)
    assert process.stderr is not None
    said = process.stderr.readline()
    url = re.findall(r"http://\S+/mcp", said)[0]

    async def main() -> list[str]:
        async with Client(url) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    assert asyncio.run(main()) == ["search", "page", "sites", "status", "runs", "explain"]
    process.send_signal(signal.SIGTERM)
    ran = syncline.end(process)
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err
