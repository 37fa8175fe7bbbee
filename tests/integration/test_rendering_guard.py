"""The browser reaches nothing by itself, and leaves nothing behind: hostile pages, crashes, cancels and kills."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ingest import CrawledPage, FakeFetcher, FetchError, FetchResponse, HttpFetcher, crawl
from ingest.addresses import AddressPolicy
from ingest.chromium import FLAGS, Chromium
from ingest.rendering import Renderer, Rendering
from ingest.robots import RobotsPolicy

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

PAGE = "http://127.0.0.1:59999/a"  # a page on loopback may ask for loopback; nothing is sent to it
NO_BARRIER = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,HttpsUpgrades"
WAYS_OUT = """<!doctype html><title>x</title>
<link rel=preconnect href="@TCP/preconnect"><link rel=dns-prefetch href="@TCP/dns">
<link rel=prefetch href="@TCP/prefetch">
<link rel=modulepreload href="@TCP/modulepreload"><link rel=preload as=script href="@TCP/preload">
<link rel=prerender href="@TCP/prerender"><link rel=icon href="@TCP/icon"><link rel=manifest href="@TCP/manifest">
<link rel=stylesheet href="@TCP/style"><style>@import "@TCP/import"; body {background: url(@TCP/background)}</style>
<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["@TCP/spec"], "eagerness": "immediate"}],
"prerender": [{"source": "list", "urls": ["/prerendered"], "eagerness": "immediate"}]}</script>
<body><img src="@TCP/image"><iframe src="@TCP/frame"></iframe><video src="@TCP/video"></video>
<object data="@TCP/object"></object>
<a id=ping ping="@TCP/ping" href="#x">x</a><a id=download href="@TCP/download" download>x</a>
<form id=form action="@TCP/form" method=post target=_blank></form><script src="@TCP/script"></script>
<script>
const attempt = (what) => { try { const made = what(); if (made && made.catch) made.catch(() => 0); } catch {} };
attempt(() => fetch("@TCP/fetch"));
attempt(() => fetch("@TCP/keepalive", {mode: "no-cors", keepalive: true, method: "POST", body: "x"}));
attempt(() => fetch("/redirect"));
attempt(() => navigator.sendBeacon("@TCP/beacon", "x"));
attempt(() => new WebSocket("ws:@TCP/socket".replace("http:", "")));
attempt(() => new EventSource("@TCP/events"));
attempt(() => new Worker(URL.createObjectURL(new Blob([
  `fetch("@TCP/worker"); new WebSocket("ws:@TCP/x".replace("http:", "")); importScripts("@TCP/imported")`]))));
attempt(() => new SharedWorker(URL.createObjectURL(new Blob([`fetch("@TCP/shared")`]))));
attempt(() => navigator.serviceWorker.register("/service.js"));
attempt(() => new WebTransport("https://127.0.0.1:@UDP/transport").ready);
attempt(() => {
  const servers = ["stun:127.0.0.1:@UDP", {urls: "turn:127.0.0.1:@PORT?transport=tcp", username: "a", credential: "b"}];
  const made = new RTCPeerConnection({iceServers: [{urls: servers[0]}, servers[1]]});
  self.kept = made;
  made.createDataChannel("x");
  return made.createOffer().then(offer => made.setLocalDescription(offer));
});
attempt(() => window.open("@TCP/popup"));
attempt(() => document.getElementById("ping").click());
attempt(() => document.getElementById("download").click());
attempt(() => document.getElementById("form").submit());
attempt(() => { new Image().src = "@TCP/pixel"; });
attempt(() => import("@TCP/module"));
attempt(() => { const frame = document.createElement("iframe");
  frame.srcdoc = `<img src="@TCP/inner"><script>fetch("@TCP/srcdoc")</` + "script>"; document.body.append(frame); });
attempt(() => new PaymentRequest([{supportedMethods: "@TCP/pay"}],
  {total: {label: "x", amount: {currency: "USD", value: "1"}}}).canMakePayment());
addEventListener("pagehide", () => navigator.sendBeacon("@TCP/bye", "x"));
setTimeout(() => { location.href = "@TCP/location"; }, 1500);
</script>"""


class Listener:
    """Keeps whatever reaches a TCP and a UDP port of this machine."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self._tcp, self._udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        for one in (self._tcp, self._udp):
            one.bind(("127.0.0.1", 0))
        self._tcp.listen(64)
        self.tcp, self.udp = self._tcp.getsockname()[1], self._udp.getsockname()[1]
        for run in (self._accept, self._receive):
            threading.Thread(target=run, daemon=True).start()

    def page(self) -> str:
        """The hostile page, with every way out leading here."""
        page = WAYS_OUT.replace("@TCP", f"http://127.0.0.1:{self.tcp}")
        return page.replace("@PORT", str(self.tcp)).replace("@UDP", str(self.udp))

    def close(self) -> None:
        for one in (self._tcp, self._udp):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.5)
                try:
                    self.seen.append(b"tcp " + connection.recv(100))
                except OSError:
                    self.seen.append(b"tcp")

    def _receive(self) -> None:
        while True:
            try:
                self.seen.append(b"udp " + self._udp.recvfrom(100)[0])
            except OSError:
                return


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def chromium(system_part: Callable[[str], Path]) -> Path:
    return system_part("chromium")


def document(body: str, url: str = PAGE) -> FetchResponse:
    return FetchResponse(url, 200, {"content-type": "text/html; charset=utf-8"}, body.encode())


# --- nothing is reached ---------------------------------------------------------------------------


def load_without_our_answers(program: Path, page: str, flags: Sequence[str]) -> None:
    """Open the hostile page in a browser with these flags, which asks the network for all but the page.

    Chromium's own barrier between networks is off, because it is not what is tested.
    """
    from playwright.async_api import Route, async_playwright

    async def give(route: Route) -> None:
        if route.request.url == PAGE:
            await route.fulfill(status=200, content_type="text/html", body=page)
        else:
            await route.continue_()

    async def main() -> None:
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path=program, args=[*flags, NO_BARRIER], chromium_sandbox=os.geteuid() != 0
            )
            opened = await browser.new_page()
            await opened.route("**/*", give)
            await opened.goto(PAGE, wait_until="commit")
            await opened.wait_for_timeout(3_000)
            await browser.close()

    asyncio.run(main())


@pytest.mark.promise("C7")
def test_the_flags_alone_keep_the_browser_off_the_network(chromium: Path, listener: Listener) -> None:
    load_without_our_answers(chromium, listener.page(), ())
    seen = b"\n".join(listener.seen)
    assert {name for name in (b"udp", b"/fetch", b"/image", b"/popup") if name in seen} == {
        b"udp", b"/fetch", b"/image", b"/popup"
    }  # fmt: skip
    listener.seen.clear()
    load_without_our_answers(chromium, listener.page(), FLAGS)
    assert listener.seen == []


@pytest.mark.promise("C7")
def test_a_hostile_page_reaches_nothing_but_what_the_crawl_may_fetch(chromium: Path, listener: Listener) -> None:
    class Site(HttpFetcher):
        """The real fetcher, but for the page's own site."""

        async def fetch(self, request: Any) -> FetchResponse:
            asked.append(request.url)
            if request.url.startswith(PAGE[:-1]):
                redirect = request.url.endswith("/redirect")
                location = {"location": f"http://127.0.0.1:{listener.tcp}/redirected"} if redirect else {}
                return FetchResponse(request.url, 302 if redirect else 404, location)
            return await super().fetch(request)

    asked: list[str] = []

    async def main() -> Rendering:
        fetcher = Site(policy=AddressPolicy())
        renderer = Renderer(chromium, fetcher, RobotsPolicy(fetcher, mode="ignore"))
        try:
            found = await renderer.render(document(listener.page()))
            await renderer.render(document("<script>setTimeout(() => document.body.append('end'), 1000)</script>"))
            return found
        finally:
            await renderer.aclose()

    found = asyncio.run(main())
    assert listener.seen == []
    local = f"http://127.0.0.1:{listener.tcp}"
    refused = {url.removeprefix(local) for url in asked if url.startswith(local)}
    assert {"/fetch", "/script", "/module", "/redirected"} <= refused
    assert refused <= {"/fetch", "/script", "/module", "/redirected", "/modulepreload", "/preload", "/srcdoc"}
    assert f"{local}/location" in found.leads_to


# --- nothing is left ------------------------------------------------------------------------------


def descendants(of: int) -> dict[int, str]:
    """The running processes below one, with their command lines."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if after_name[0] != "Z":
                parents[int(folder.name)] = int(after_name[1])
    found: dict[int, str] = {}
    level = {of}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        for pid in level:
            try:
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty folder. Chromium has a socket in its temporary folder, and the path of one has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def browsers() -> dict[int, str]:
    """The processes of browsers, and of what drives them."""
    signs = ("--user-data-dir", "run-driver")
    return {pid: command for pid, command in descendants(os.getpid()).items() if any(sign in command for sign in signs)}


def wait_until(true: Callable[[], object], seconds: float = 15.0) -> bool:
    """Whether something becomes true in time: what other processes do is not told to this one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        threading.Event().wait(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Killing(FakeFetcher):
    """Kills processes of the browser when a script asks for `/kill`."""

    def __init__(self, which: str) -> None:
        super().__init__({})
        self.which = which
        self.killed: list[int] = []

    async def fetch(self, request: Any) -> FetchResponse:
        if request.url.endswith("/kill"):
            self.killed = [pid for pid, command in browsers().items() if self.which in command]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)
        return await super().fetch(request)


@pytest.mark.promise("C11")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("--remote-debugging-pipe", "the browser ended while it ran the page's scripts"),
        ("--type=renderer", "its scripts crashed the browser"),
    ],
)
def test_a_browser_that_crashes_fails_the_page_and_the_next_one_is_rendered(
    chromium: Path, which: str, said: str, monkeypatch: pytest.MonkeyPatch, short_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(short_path))
    fetcher = Killing(which)

    async def main() -> str:
        renderer = Renderer(chromium, fetcher, RobotsPolicy(fetcher))
        try:
            with pytest.raises(FetchError) as failed:
                await renderer.render(document("<p>hi<script>fetch('/kill')</script>"))
            assert (failed.value.reason, failed.value.transient) == (said, True)
            found = await renderer.render(document("<p>again"))
            return found.response.body.decode()
        finally:
            await renderer.aclose()

    assert "again" in asyncio.run(main())
    assert fetcher.killed
    assert wait_until(lambda: not browsers())
    assert list(short_path.iterdir()) == []


def test_a_browser_that_crashes_again_and_again_is_given_up(chromium: Path) -> None:
    async def main() -> None:
        browser = Chromium(chromium)
        try:
            for _ in range(5):
                await (await browser.open(PAGE)).close()
            with pytest.raises(FetchError, match="ended 5 times and is not started again"):
                await browser.open(PAGE)
        finally:
            await browser.aclose()

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_crawl_that_is_over_has_ended_its_browser(
    chromium: Path, monkeypatch: pytest.MonkeyPatch, short_path: Path
) -> None:
    monkeypatch.setenv("SYNCLINE_CHROMIUM", str(chromium))
    monkeypatch.setenv("TMPDIR", str(short_path))
    site = FakeFetcher({PAGE: "<div id=root></div><script>root.append('Made by a script.')</script>"})

    async def main() -> tuple[bool, dict[int, str]]:
        async with aclosing(crawl(PAGE, fetcher=site, discover="links")) as stream:
            (page,) = [found async for found in stream]
        return isinstance(page, CrawledPage) and page.rendered, browsers()

    assert asyncio.run(main()) == (True, {})
    assert list(short_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("when", ["starting", "rendering", "hanging"])
def test_a_cancelled_crawl_ends_the_browser_and_its_files(
    chromium: Path, when: str, monkeypatch: pytest.MonkeyPatch, short_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(short_path))

    async def main() -> dict[int, str]:
        asked = asyncio.Event()

        class Site(FakeFetcher):
            async def fetch(self, request: Any) -> FetchResponse:
                asked.set()
                if when != "hanging":
                    await asyncio.Event().wait()
                return await super().fetch(request)

        fetcher = Site({})
        renderer = Renderer(chromium, fetcher, RobotsPolicy(fetcher, mode="ignore"))
        script = "fetch('/x')" + (".catch(() => 0).then(() => { while (true) {} })" if when == "hanging" else "")
        task = asyncio.create_task(renderer.render(document(f"<p>hi<script>{script}</script>")))
        if when == "starting":
            await asyncio.to_thread(wait_until, browsers)
        else:
            waiting = asyncio.create_task(asked.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            assert asked.is_set(), task.exception()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await renderer.aclose()
        return browsers()

    assert asyncio.run(main()) == {}
    assert list(short_path.iterdir()) == []


CHILD = """
import asyncio, sys
from pathlib import Path
from ingest import FakeFetcher, FetchResponse
from ingest.rendering import Renderer
from ingest.robots import RobotsPolicy

class Site(FakeFetcher):
    async def fetch(self, request):
        print("asked", flush=True)
        await asyncio.Event().wait()

async def main():
    site = Site({})
    renderer = Renderer(Path(sys.argv[1]), site, RobotsPolicy(site, mode="ignore"))
    page = FetchResponse("https://x.org/a", 200, {"content-type": "text/html"}, b"<script>fetch('/x')</script>")
    await renderer.render(page)

asyncio.run(main())
"""


@pytest.mark.promise("C10")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_crawl_leaves_neither_processes_nor_files(chromium: Path, short_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(chromium)]
    environment = {**os.environ, "TMPDIR": str(short_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        left = descendants(process.pid)
        assert any("--user-data-dir" in command for command in left.values())
        assert list(short_path.iterdir()) != []
        process.kill()
    assert wait_until(lambda: not any(map(alive, left)))
    assert wait_until(lambda: list(short_path.iterdir()) == [])
