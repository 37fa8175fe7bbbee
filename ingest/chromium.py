"""One Chromium for a crawl: without a way to the network, started when it is needed, and ended in all cases.

Needs the extra `syncline[render]`.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import FetchError

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

__all__ = ["FLAGS", "Chromium"]

FLAGS = (
    # Whatever is not answered by this program has no host, and beside that only a proxy that is none.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://proxy.invalid:9",
    "--proxy-bypass-list=<-loopback>",
    # WebRTC goes by UDP, past both. The switch has had both names.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--no-pings",
    "--disable-domain-reliability",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--js-flags=--max-old-space-size=512",  # MiB a page may have for its scripts' objects
)
"""What Chromium is started with, beside Playwright's own flags."""

_PROFILE = re.compile(r"--user-data-dir=(.+?) --remote-debugging-pipe")
_START_SECONDS = 30.0
_CLOSE_SECONDS = 10.0
_MOST_STARTS = 5  # a browser that crashes again and again is not worth more


class Chromium:
    """A browser that `open` starts, and starts again once it has crashed.

    For root it runs without Chromium's own sandbox, which refuses to work there; for everybody else with it.
    """

    def __init__(self, program: Path) -> None:
        self._program = program
        self._lock = asyncio.Lock()
        self._starts = 0
        self._driver: Playwright | None = None
        self._browser: Browser | None = None
        self._starting: asyncio.Future[Browser] | None = None
        self._folders: Sequence[Path] = ()

    async def open(self, url: str) -> "Browser":
        """The running browser, for the page `url`. `FetchError` of kind `render` where it does not start."""
        from playwright.async_api import Error

        async with self._lock:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            if self._starts == _MOST_STARTS:
                raise FetchError(url, "render", f"the browser ended {_MOST_STARTS} times and is not started again")
            self._starts += 1
            # Not cancelled half-way, so that `aclose` finds whatever has come to be.
            self._starting = asyncio.ensure_future(self._start())
            try:
                return await asyncio.shield(self._starting)
            except (Error, OSError) as error:
                reason = f"the browser {self._program} does not start: {_why(error)}"
                raise FetchError(url, "render", reason, transient=True) from error

    async def discard(self) -> None:
        """End a browser that does not obey; `open` starts another."""
        async with self._lock:
            await self._end()

    async def aclose(self) -> None:
        """End the browser, its processes and its temporary files."""
        if self._starting is not None:
            await asyncio.wait({self._starting})
            if not self._starting.cancelled():
                self._starting.exception()  # whoever waited for it was told
        await self._end()

    async def _start(self) -> "Browser":
        from playwright.async_api import async_playwright

        await self._end()
        async with asyncio.timeout(2 * _START_SECONDS):  # only the launch has a limit of its own
            self._driver = await async_playwright().start()
            self._browser = await self._driver.chromium.launch(
                executable_path=self._program,
                args=FLAGS,
                chromium_sandbox=not (hasattr(os, "geteuid") and os.geteuid() == 0),
                handle_sigint=False,  # Ctrl-C ends the crawl, which ends the browser
                timeout=1000 * _START_SECONDS,
            )
            self._folders = await _folders(self._browser)
        return self._browser

    async def _end(self) -> None:
        if self._driver is None:  # nothing to end, and reading the library takes a second
            return
        from playwright.async_api import Error

        browser, self._browser = self._browser, None
        driver, self._driver = self._driver, None
        if browser is not None:
            with suppress(Error, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await browser.close()
        if driver is not None:  # it ends what is left of the browser, and itself
            with suppress(Error, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await driver.stop()
        folders, self._folders = self._folders, ()
        for folder in folders:  # which are left where it crashed
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _folders(browser: "Browser") -> Sequence[Path]:
    """Where a browser keeps its files: its profile, and beside it the folder of the socket that this points to."""
    session = await browser.new_browser_cdp_session()
    told = await session.send("SystemInfo.getInfo")
    await session.detach()
    named = _PROFILE.search(told["commandLine"])
    if named is None:
        return ()
    profile = Path(named[1])
    try:
        socket = (profile / "SingletonSocket").readlink().parent
    except OSError:  # not every system has it
        return (profile,)
    return (profile, socket) if socket.parent == profile.parent else (profile,)


def _why(error: Exception) -> str:
    said = str(error)
    if "sandboxing failed" in said.lower():  # what was asked of the browser is said, too, and names the sandbox
        return "its sandbox does not work here (it needs user namespaces that are open to this account)"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = lines[0].partition(": ")[2] or lines[0] if lines else type(error).__name__
    if "has been closed" not in first:
        return first
    # Its socket is in the temporary folder, and the path of a socket has at most some 100 bytes.
    return "it ended at once: run it by hand to see why, or give TMPDIR a shorter path"
