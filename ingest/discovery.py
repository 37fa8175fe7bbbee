"""Where a site lists its pages: its sitemaps and its llms.txt, found and read through the crawl's own fetcher."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from ingest.errors import FetchError, TooLarge
from ingest.fetcher import follow
from ingest.llms_txt import read_llms_txt
from ingest.markdown_page import html_original
from ingest.models import Fetcher, FetchRequest, FetchResponse, Outcome, SkippedPage
from ingest.robots import RobotsPolicy
from ingest.scope import Scope
from ingest.sitemaps import MAX_SITEMAP_BYTES, SITEMAP_ACCEPT, Listed, Sitemap, read_sitemap
from ingest.urls import identity, is_local, resolve

__all__ = ["MAX_SITEMAPS", "MAX_SITEMAP_DEPTH", "Lists", "Source", "copies_of"]

MAX_SITEMAPS = 1_000
"""Most sitemaps read in one crawl."""

MAX_SITEMAP_DEPTH = 4
"""Most sitemaps on the way from the first one, itself included: an index of indexes of sitemaps has three."""

_MAX_LLMS_BYTES = 4 * 1024 * 1024
_LLMS_ACCEPT = "text/markdown, text/plain, */*;q=0.1"


@dataclass(frozen=True, slots=True)
class Source:
    """Addresses that a list of the site names: `name` is what kind of list, `url` which one."""

    name: str
    url: str
    listed: Sequence[Listed]


@dataclass
class Lists:
    """Reads a site's lists. What they name is taken for addresses, whatever it is; the scope decides.

    `findings` are the lists that robots.txt or an index names and that could not be read, and the caps that were
    met. A list that was only looked for in the usual places leaves none.
    """

    fetcher: Fetcher
    robots: RobotsPolicy
    scope: Scope
    executor: Executor | None = None
    findings: list[SkippedPage] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    async def llms_txt(self) -> Source | None:
        """The links of the first llms.txt that there is: in the start URL's folder, else at the root."""
        for url in self._places("llms.txt"):
            request = FetchRequest(url, {"Accept": _LLMS_ACCEPT}, max_bytes=_MAX_LLMS_BYTES)
            response = await self._get(request, named=False)
            if response is not None:
                kind = response.headers.get("content-type", "")
                links = read_llms_txt(response.body, response.url, kind)
                if links is not None:
                    return Source("llms.txt", response.url, [Listed(link) for link in links])
        return None

    async def sitemaps(self) -> AsyncIterator[Source]:
        """Every sitemap that robots.txt names or that lies in the usual places, with those that an index names."""
        named = [resolve(self.scope.start, written) for written in await self.robots.sitemaps(self.scope.start)]
        for url in named:
            if url is not None and self.scope.holds_host(url):
                async for source in self.sitemap(url):
                    yield source
        for url in self._places("sitemap.xml"):
            at_root = url.count("/") == 3
            if named and at_root:
                continue
            async for source in self.sitemap(url, named=False):
                at_root = False
                yield source
            if at_root:
                async for source in self.sitemap(url.replace("sitemap.xml", "sitemap_index.xml"), named=False):
                    yield source

    async def sitemap(self, url: str, *, named: bool = True) -> AsyncIterator[Source]:
        """The sitemap at `url` and, breadth first, those that it names. `named`: somebody says that it is there."""
        waiting = deque([(url, 1, named)])
        while waiting:
            url, depth, named = waiting.popleft()
            if identity(url) in self._seen:
                continue
            if len(self._seen) >= MAX_SITEMAPS:
                self._note(url, f"not read: {MAX_SITEMAPS:,} sitemaps are read in one crawl, and this is one more")
                return
            self._seen.add(identity(url))
            request = FetchRequest(url, {"Accept": SITEMAP_ACCEPT}, max_bytes=MAX_SITEMAP_BYTES)
            response = await self._get(request, named=named)
            found = await self.read(response, named=named) if response is not None else None
            if found is None:
                continue
            yield Source("sitemap", url, found.pages)
            inner = [one.address for one in found.sitemaps if self.scope.holds_host(one.address)]
            if inner and depth == MAX_SITEMAP_DEPTH:
                self._note(url, f"the sitemaps in it are not read: it is itself {depth} sitemaps deep")
                continue
            waiting.extend((address, depth + 1, True) for address in inner)

    async def read(self, response: FetchResponse, *, named: bool = True) -> Sitemap | None:
        """The sitemap that an answer holds, read off the event loop; None, and a finding, for what is none."""
        loop = asyncio.get_running_loop()
        kind = response.headers.get("content-type", "")
        found = await loop.run_in_executor(self.executor, read_sitemap, response.body, response.url, kind)
        if named and (found is None or not found.whole):
            what = "is no sitemap" if found is None else "the sitemap is cut off or damaged; what could be read was"
            self._note(response.url, what)
        return found

    def _places(self, name: str) -> Sequence[str]:
        """Where a list of this name usually lies: in the start URL's folder and at the root."""
        start = self.scope.start
        if is_local(start):
            return ()
        folder = f"{self.scope.folder.rstrip('/')}/{name}"
        return tuple(dict.fromkeys(str(resolve(start, path)) for path in (folder, f"/{name}")))

    async def _get(self, request: FetchRequest, *, named: bool) -> FetchResponse | None:
        """The answer, through redirects on the site's hosts; None where there is none, with a finding if named."""
        url = request.url
        try:
            if (refusal := await self._refusal(url)) is not None:
                if named:
                    self._note(url, refusal)
                return None
            response, _ = await follow(self.fetcher, request, admit=self._refusal)
        except TooLarge as error:
            if named:
                self._note(url, f"{error.reason}; what lies behind was not read")
            return FetchResponse(url, 200, {}, error.partial)
        except FetchError as error:
            if named:
                self._note(url, error.reason, transient=error.transient, failed=True)
            return None
        if 200 <= response.status < 300:
            return response
        if named:
            missing = response.status in (404, 410)
            reason = f"the sitemap answers {response.status}"
            self._note(url, reason, transient=response.status >= 500 or response.status == 429, failed=not missing)
        return None

    async def _refusal(self, url: str) -> str | None:
        if not self.scope.holds_host(url):
            return "another host"
        verdict = await self.robots.check(url)
        return None if verdict.allowed else verdict.rule

    def _note(self, url: str, reason: str, *, transient: bool = False, failed: bool = False) -> None:
        if not any(finding.url == url for finding in self.findings[-1:]):
            outcome = Outcome.FAILED if failed else Outcome.SKIPPED
            self.findings.append(SkippedPage(url, outcome, reason, transient))


def copies_of(source: Source, scope: Scope) -> Mapping[str, str]:
    """The markdown copies that an llms.txt names, by the identity of the HTML page in scope that each copies."""
    found: dict[str, str] = {}
    for address, _ in source.listed:
        original = html_original(address)
        if original is not None and scope.admit(original).allowed:
            found.setdefault(identity(original), address)
    return found
