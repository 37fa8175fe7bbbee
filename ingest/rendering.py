"""Pages as their scripts make them: one Chromium for a crawl, a fresh context for each page.

Needs the extra `syncline[render]`. The browser has no way to the network: `page_requests` answers what it asks.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.chromium import Chromium
from ingest.errors import FetchError
from ingest.models import Fetcher, FetchResponse, MarkdownPage
from ingest.page import is_html
from ingest.page_requests import Answers, PageRequests, RenderLimits
from ingest.quarantine import LEAST, needs_scripts
from ingest.robots import RobotsPolicy
from ingest.urls import Origin, parse, same_host

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Error, Page, WebSocketRoute

__all__ = ["Renderer", "Rendering"]

_AT_ONCE = 4  # pages in the browser
_POLL_SECONDS = 0.1
_REST_SECONDS = 0.5  # without a request or a change, after which a page is done
_SHORT_REST_SECONDS = 2.0  # the same, while there is next to no text
_CLOSE_SECONDS = 5.0
_FROM_THE_SITE = frozenset({"etag", "last-modified", "content-type", "content-length"})  # of the plain answer

_WITHOUT = """
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "WebTransport", "SharedWorker"]) delete self[name];
"""
_STATE = """
() => {
  const root = document.documentElement;
  const text = document.body ? document.body.innerText.trim().length : 0;
  return [document.readyState === "complete", text, root ? root.getElementsByTagName("*").length : 0];
}
"""
# The document as it is seen: with the open shadow trees where they show, and without what stands in for scripts.
_DOCUMENT = """
(most) => {
  const inert = document.implementation.createHTMLDocument("");
  const add = (parent, nodes) => {
    for (const node of nodes) {
      if (node.nodeName === "NOSCRIPT") continue;
      if (node.nodeName === "SLOT" && node.getRootNode() instanceof ShadowRoot) {
        const given = node.assignedNodes();
        add(parent, given.length ? given : node.childNodes);
        continue;
      }
      const twin = parent.appendChild(inert.importNode(node, false));
      add(twin, node.shadowRoot ? node.shadowRoot.childNodes : node.childNodes);
    }
  };
  let html;
  try {
    const root = inert.importNode(document.documentElement, false);
    add(root, document.documentElement.childNodes);
    html = root.outerHTML;
  } catch (error) {  // nested too deep for a call
    html = document.documentElement.outerHTML;
  }
  return html.length > most ? null : "<!doctype html>" + html;
}
"""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A page as a browser has it: an answer whose body is the document after its scripts, without validators.

    `leads_to` is where scripts wanted to go instead. `lacked` is what they asked for first and did not get, in
    brackets, or empty.
    """

    response: FetchResponse
    leads_to: Sequence[str] = ()
    lacked: str = ""

    @property
    def kind(self) -> str:
        """The document's Content-Type."""
        return self.response.headers["content-type"]

    def page(self, read: MarkdownPage, plain: MarkdownPage) -> MarkdownPage:
        """The document as it was read, with what else is known: what the plain one asks of robots holds, too.

        Raises `FetchError` where there is next to no text and scripts did not get what they asked for.
        """
        if self.lacked and len(read.markdown) < LEAST:
            raise FetchError(self.response.url, "render", f"its scripts made next to no text{self.lacked}")
        return replace(
            read,
            links=(*read.links, *self.leads_to),
            noindex=read.noindex or plain.noindex,
            nofollow=read.nofollow or plain.nofollow,
        )


class Renderer:
    """Runs the scripts of pages in `program`, a Chromium that is started for the first page.

    `always`: of every page, else only of those that have no text without. `fetcher` and `robots` answer for
    whatever a page asks; from the origin `withheld`, only its own pages. At most `at_once` pages are open.
    """

    def __init__(
        self,
        program: Path,
        fetcher: Fetcher,
        robots: RobotsPolicy,
        *,
        always: bool = False,
        withheld: Origin | None = None,
        limits: RenderLimits | None = None,
        at_once: int = _AT_ONCE,
    ) -> None:
        self.always = always
        self._chromium = Chromium(program)
        self._fetcher = fetcher
        self._robots = robots
        self._withheld = withheld
        self._limits = limits or RenderLimits()
        self._answers = Answers()
        self._turns = asyncio.Semaphore(min(at_once, _AT_ONCE))

    def wants(self, response: FetchResponse, page: MarkdownPage) -> bool:
        """True where this answer, which was read as `page`, is to be read as its scripts make it."""
        html = is_html(response.headers.get("content-type", ""))
        return html and (self.always or needs_scripts(response, page))

    async def render(self, response: FetchResponse) -> Rendering:
        """The page of this answer once its scripts have come to rest, or their time is over.

        Raises `FetchError` of kind `render` where there is no such page: the browser crashed or does not start, a
        script kept it busy, its own site failed a script's request, or a limit was met.
        """
        async with self._turns:
            try:
                async with asyncio.timeout(self._limits.total_seconds):
                    return await self._render(response)
            except TimeoutError as error:
                reason = f"its scripts were not done within {self._limits.total_seconds:g} seconds"
                raise FetchError(response.url, "render", reason, transient=True) from error

    async def aclose(self) -> None:
        """End the browser."""
        await self._chromium.aclose()

    async def _render(self, response: FetchResponse) -> Rendering:
        from playwright.async_api import Error

        browser = await self._chromium.open(response.url)
        requests = PageRequests(
            response,
            self._fetcher,
            self._robots,
            limits=self._limits,
            answers=self._answers,
            withheld=self._withheld,
        )
        context: BrowserContext | None = None
        try:
            context = await _fresh_context(browser, requests)
            page = await context.new_page()
            await page.goto(response.url, wait_until="commit", timeout=1000 * self._limits.seconds)
            await self._rest(page, requests)
            html = await self._within(page, _DOCUMENT, self._limits.characters)
            if html is None:
                reason = f"its document is over {self._limits.characters:,} characters once its scripts have run"
                raise FetchError(response.url, "render", reason)
            return _rendering(response, page.url, str(html), requests)
        except Error as error:
            raise _failed(response.url, browser, error) from error
        finally:
            await requests.aclose()
            if context is not None:
                await self._close(context)

    async def _rest(self, page: "Page", requests: PageRequests) -> None:
        """Wait until the page is done: nothing asked for, nothing changed, for a while."""
        seen: object = None
        spent, last = 0.0, time.monotonic()
        changed = last
        while spent < self._limits.seconds:
            await asyncio.sleep(_POLL_SECONDS)
            waiting = requests.pending
            state = await self._within(page, _STATE)
            if requests.failure is not None:
                raise requests.failure
            now = time.monotonic()
            if not waiting:
                spent += now - last
            last = now
            if state != seen or requests.pending:
                seen, changed = state, now
            ready, text, _ = state
            still = now - max(changed, requests.changed)
            if ready and still >= (_REST_SECONDS if text > LEAST else _SHORT_REST_SECONDS):
                return

    async def _within(self, page: "Page", script: str, argument: object = None) -> Any:
        """What a script of ours gives, unless the page's own keep the browser busy."""
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await page.evaluate(script, argument)
        except TimeoutError:
            reason = f"its scripts kept the browser busy for {self._limits.seconds:g} seconds"
            raise FetchError(page.url, "render", reason) from None

    async def _close(self, context: "BrowserContext") -> None:
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await context.close()
        except (Error, TimeoutError):
            await self._chromium.discard()


async def _fresh_context(browser: "Browser", requests: PageRequests) -> "BrowserContext":
    context = await browser.new_context(
        accept_downloads=False,
        service_workers="block",
        locale="en-US",
        timezone_id="UTC",
        reduced_motion="reduce",
        viewport={"width": 1280, "height": 4000},  # tall, for what is made when it comes into view
    )
    await context.add_init_script(_WITHOUT)
    await context.route("**/*", requests.take)
    await context.route_web_socket("**/*", _refuse_socket)
    return context


async def _refuse_socket(socket: "WebSocketRoute") -> None:
    await socket.close(code=1001, reason="refused")


def _rendering(response: FetchResponse, url: str, html: str, requests: PageRequests) -> Rendering:
    headers = {name: value for name, value in response.headers.items() if name not in _FROM_THE_SITE}
    headers["content-type"] = "text/html; charset=utf-8"
    # A script may have given its page another address (History API); what is relative in it is relative to that.
    now = parse(url)
    where = now if now is not None and same_host(now, response.url) else response.url
    body = html.encode("utf-8", "replace")
    rendered = replace(response, url=where, headers=headers, body=body)
    return Rendering(rendered, tuple(requests.leads_to), f" ({requests.lacked})" if requests.lacked else "")


def _failed(url: str, browser: "Browser", error: "Error") -> FetchError:
    if not browser.is_connected():
        return FetchError(url, "render", "the browser ended while it ran the page's scripts", transient=True)
    if "crash" in error.message.lower():
        return FetchError(url, "render", "its scripts crashed the browser", transient=True)
    said = (error.message.splitlines() or ["no reason given"])[0]
    return FetchError(url, "render", f"the browser did not open it: {said}", transient=True)
