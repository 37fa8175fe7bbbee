"""Soft 404s: what a site answers for an address that cannot exist, asked where a page looks like that answer."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ingest.errors import FetchError
from ingest.models import FetchResponse, MarkdownPage
from ingest.quarantine import looks_missing, same_text
from ingest.urls import identity, resolve

__all__ = ["MissingPages", "Probe"]

_MOST_PROBES = 20  # in one crawl, at most one for each folder


class Probe(NamedTuple):
    """The answer to an address that cannot exist: its text, and where it redirects, if it does."""

    text: str
    target: str | None = None


class MissingPages:
    """Tells pages from soft 404s. `ask` fetches and reads one address, or gives None where it may not.

    A page that looks like "not found" is one only if a random address in its folder gets the same answer, or
    a redirect to it. Precise, and at most one request for a folder, and none on a site without such pages.
    """

    def __init__(self, ask: Callable[[str], Awaitable[Probe | None]]) -> None:
        self._ask = ask
        self._probes: dict[str, asyncio.Task[Probe | None]] = {}

    async def holds(self, response: FetchResponse, page: MarkdownPage) -> bool:
        """True where this answer is what the site says of pages that are not there."""
        if not looks_missing(page):
            return False
        folder = resolve(response.url, ".")
        if folder is None or (folder not in self._probes and len(self._probes) >= _MOST_PROBES):
            return False
        if folder not in self._probes:
            # A letter and digits: no site has it, and the comparison leaves words with digits out.
            self._probes[folder] = asyncio.ensure_future(self._asked(f"{folder}n0{secrets.token_hex(12)}"))
        probe = await asyncio.shield(self._probes[folder])
        if probe is None:
            return False
        if probe.target is not None:
            return identity(probe.target) == identity(response.url)
        return same_text(page.markdown, probe.text, address=response.url)

    async def _asked(self, address: str) -> Probe | None:
        try:
            return await self._ask(address)
        except FetchError:
            return None
