"""robots.txt by RFC 9309, with Crawl-delay and Content-Signal (promise C1).

Groups are found here, by the RFC; the patterns of the group that applies are matched by protego.

Content-Signal (contentsignals.org; no RFC): `Content-Signal: search=yes, ai-train=no, ai-input=no`, a line of
a group or a response header. Names and `yes`/`no` are case-insensitive and comma-separated; unknown names and
values say nothing, and a missing one neither grants nor forbids. `ai-input` is what this package does:
feeding content to models by retrieval. A line before the first User-agent line is taken to hold for all.
"""

import asyncio
import math
import re
from typing import Literal

from protego import Protego

from ingest import urls
from ingest.errors import FetchError, TooLarge
from ingest.fetcher import follow
from ingest.models import Fetcher, FetchRequest
from ingest.pace import Pace
from ingest.polite import host_of
from ingest.scope import Verdict

__all__ = ["RobotsPolicy", "RobotsRules", "forbids_ai_input", "robots_rules"]

_MAX_BYTES = 500 * 1024  # RFC 9309 section 2.5: at least so much must be read; the rest is ignored
_MAX_REDIRECTS = 10  # section 2.3.1.2: at least five
_ACCEPT = "text/plain, application/octet-stream;q=0.5, */*;q=0.1"
_LINE = re.compile(
    r"(user[- ]?agent|allow|dis[a-z]*low|crawl[- ]delay|content-signal|sitemap)\s*[:\s]\s*(.*)", re.IGNORECASE
)
_TOKEN = re.compile(r"\*|[A-Za-z_-]+")


def forbids_ai_input(signals: str) -> bool:
    """True where the value of a Content-Signal line or header says `ai-input=no`."""
    parts = (part.partition("=") for part in signals.lower().split(","))
    return any(name.strip() == "ai-input" and value.strip() == "no" for name, _, value in parts)


def robots_rules(value: str) -> frozenset[str]:
    """The rules for us in a robots meta element or in X-Robots-Tag headers: whole words, lower case.

    A rule of a header may be meant for one agent (`googlebot: noindex`); those for others are left out. An
    agent holds to the end of its header, so several headers come as one line each.
    """
    rules = list[str]()
    for line in value.lower().splitlines():
        agent = ""
        for written in line.split(","):
            rule = written.strip()
            name, colon, rest = rule.partition(":")
            if colon and not name.startswith(("max-", "unavailable_after")):
                agent, rule = name.strip(), rest.strip()
            if agent in ("", "*", "syncline"):
                rules.append(rule)
    return frozenset(rules)


class RobotsRules:
    """What the bytes of one robots.txt say to one agent, named by its product token."""

    def __init__(self, body: bytes, token: str) -> None:
        self.crawl_delay: float | None = None
        self.ai_input_forbidden = False
        lines = _lines(body)
        self.sitemaps = [value for field, value in lines if field == "sitemap"]
        rules = []
        for field, value in _group(lines, token):
            if field == "crawl-delay":
                self.crawl_delay = _seconds(value)
            elif field == "content-signal":
                self.ai_input_forbidden = self.ai_input_forbidden or forbids_ai_input(value)
            else:
                rules.append(f"{field}: {value}")
        self._patterns = Protego.parse("\n".join(["user-agent: *", *rules]))

    def check(self, address: str) -> Verdict:
        """Whether the agent may fetch `address`, and why."""
        if self.ai_input_forbidden:
            return Verdict(False, "robots.txt says Content-Signal: ai-input=no")
        if self._patterns.can_fetch(address, "*"):
            return Verdict(True, "robots.txt allows it")
        return Verdict(False, "robots.txt disallows it")


class RobotsPolicy:
    """The robots.txt of every origin that a crawl meets, each fetched once.

    A 4xx answer allows everything; 5xx, a network failure and a refused address forbid everything (RFC 9309
    section 2.3.1). With `mode="ignore"` nothing is fetched and everything is allowed. A Crawl-delay is told to
    `pace` as soon as it is known.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        token: str = "syncline",
        mode: Literal["obey", "ignore"] = "obey",
        pace: Pace | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._token = token
        self._mode = mode
        self._pace = pace
        self._rules: dict[urls.Origin, RobotsRules | Verdict] = {}
        self._locks: dict[urls.Origin, asyncio.Lock] = {}

    async def check(self, address: str) -> Verdict:
        """Whether `address` may be fetched; the first call for an origin fetches its robots.txt."""
        if self._mode == "ignore":
            return Verdict(True, "robots.txt is ignored on request")
        rules = await self._rules_for(address)
        return rules if isinstance(rules, Verdict) else rules.check(address)

    async def crawl_delay(self, address: str) -> float | None:
        """The Crawl-delay in seconds for the origin of `address`, or None."""
        if self._mode == "ignore":
            return None
        rules = await self._rules_for(address)
        return None if isinstance(rules, Verdict) else rules.crawl_delay

    async def sitemaps(self, address: str) -> list[str]:
        """The sitemaps that the robots.txt of the origin of `address` names, as written."""
        if self._mode == "ignore":
            return []
        rules = await self._rules_for(address)
        return [] if isinstance(rules, Verdict) else list(rules.sitemaps)

    async def _rules_for(self, address: str) -> RobotsRules | Verdict:
        origin = urls.origin(address)
        async with self._locks.setdefault(origin, asyncio.Lock()):
            if origin not in self._rules:
                rules = self._rules[origin] = await self._load(address)
                if self._pace is not None and isinstance(rules, RobotsRules) and rules.crawl_delay is not None:
                    self._pace.set_delay(host_of(address), rules.crawl_delay)
            return self._rules[origin]

    async def _load(self, address: str) -> RobotsRules | Verdict:
        url = urls.resolve(address, "/robots.txt") or address
        request = FetchRequest(url, {"Accept": _ACCEPT}, max_bytes=_MAX_BYTES)
        try:
            response, _ = await follow(self._fetcher, request, max_redirects=_MAX_REDIRECTS)
        except TooLarge as error:
            return RobotsRules(error.partial[: _end_of_lines(error.partial)], self._token)
        except FetchError as error:
            if error.kind == "redirects":
                return Verdict(True, f"{error}, so there is no robots.txt")
            return Verdict(False, f"its robots.txt cannot be fetched ({error}), which forbids everything")
        if response.status >= 500:
            return Verdict(False, f"{url} answers {response.status}, which forbids everything")
        if not 200 <= response.status < 300:
            return Verdict(True, f"there is no robots.txt ({url} answers {response.status})")
        return RobotsRules(response.body, self._token)


def _end_of_lines(body: bytes) -> int:
    return max(body.rfind(b"\n"), body.rfind(b"\r")) + 1


def _lines(body: bytes) -> list[tuple[str, str]]:
    """The records as (field, value); unknown ones are left out, because they must not close a group."""
    records = []
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    for line in re.split(r"\r\n|\r|\n", text):
        match = _LINE.match(line.partition("#")[0].strip())
        if match is None:
            continue
        field = match[1].lower().replace(" ", "-")
        if field.startswith("user"):
            field = "user-agent"
        elif field.startswith("di"):
            field = "disallow"
        # protego would split the value at line ends that only Unicode knows
        records.append((field, " ".join(match[2].splitlines()).strip()))
    return records


def _group(lines: list[tuple[str, str]], token: str) -> list[tuple[str, str]]:
    """The records of all groups that name `token`, or of those for `*` if none does (section 2.2.1)."""
    own: list[tuple[str, str]] = []
    default: list[tuple[str, str]] = []
    named = False
    agents: set[str] = set()
    grouped = False
    closed = True
    for field, value in lines:
        if field == "user-agent":
            agents = set() if closed else agents
            grouped, closed = True, False
            match = _TOKEN.match(value)
            agents.add(match[0].lower() if match else "")
            named = named or token.lower() in agents
        elif field != "sitemap":
            closed = closed or field in ("allow", "disallow")
            for_all = not grouped and field == "content-signal"
            own += [(field, value)] if for_all or token.lower() in agents else []
            default += [(field, value)] if for_all or "*" in agents else []
    return own if named else default


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
