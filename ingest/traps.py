"""Addresses without end: calendars, counters, session ids, growing paths, facets (promise C6).

Pure. An address is known by its *shape*: runs of digits and random-looking parts are blanks. What tells a trap
from a large site is where an address was first found: the pages of a site are mostly found from pages of other
shapes (an index, an overview), those of a trap from each other. So only addresses that were found on a page of
their own shape count against the budget of that shape.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Budget", "Trap"]

MOST_SELF_FOUND = 150
"""Addresses of one shape that may be found on pages of that shape, where the shape is a date, a random token
or a combination of query parameters."""

MOST_NUMBERED = 5_000
"""The same where the shape is a number: generated API references are webs of thousands of numbered pages."""

MOST_COUNTED = 100_000
"""The same where the numbers are those of a count: a site that numbers its pages leaves few of them out."""

LONGEST_CHAIN = 90
"""Numbered pages, each found on the one before, that may follow one another."""

MOST_VARIANTS = 10_000
"""Query strings that one path may have."""

_SPARSE = 10  # times as many numbers as pages, or as many pages as numbers, make no count
_MOST_PARTS = 32  # of a path
_MOST_SAME = 3  # times that one part, which is no number, may be in a path

_SESSION_NAME = re.compile(
    r"(?:j|php|asp\.net_|asp)?_?sess(?:ion)?_?(?:id)?|aspsessionid\w*|sid|cftoken|cfid|oscsid|zenid|_session",
    re.IGNORECASE,
)
_SESSION_VALUE = re.compile(r"[0-9A-Za-z.!_-]{12,}")
_PATH_SESSION = re.compile(
    r";(?:jsessionid|phpsessid|sid)=([^/?#;]*)|/\((?:S|X|F|A)\(([0-9A-Za-z]{12,})\)+\)", re.IGNORECASE
)
_TOKEN = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}"
    r"|(?=(?:[A-Za-z]*\d){3})(?=(?:\d*[A-Za-z]){3})[0-9A-Za-z]{12,})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_DATE = re.compile(
    r"(?<!\d)[12]\d{3}[-/_.](?:0?[1-9]|1[0-2])(?:[-/_.](?:0?[1-9]|[12]\d|3[01]))?(?!\d)/?$"
    r"|(?<!\d)(?:0?[1-9]|1[0-2])[-/_.][12]\d{3}(?!\d)/?$"
    r"|(?<!\d)(?:19|20|21)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)/?$"
)
_DATE_NAME = re.compile(r"year|month|day|week|date|yyyy|mm|tribe-bar-date", re.IGNORECASE)


class Trap(NamedTuple):
    """A trap that was met: what it is, its first address that was left out, and how many links to such were."""

    reason: str
    url: str
    left_out: int


class _Shape(NamedTuple):
    name: str  # equal for addresses that differ in blanks only; "" for an address without blanks
    kind: str  # what a trap of this shape is called
    most: int

    def same(self, url: str) -> bool:
        """True where another address has this shape; of one with parameters, where it has this path."""
        path, mark, _ = self.name.partition("?…")
        return _blank(url.partition("?")[0]) == path if mark else _shape(url).name == self.name


@dataclass
class _Count:
    self_found: int = 0
    highest: int = 0  # number that ends one of the addresses
    chains: dict[int, int] = field(default_factory=dict)  # hash of an address: how far it is down a chain


class Budget:
    """Admits addresses until their shape has used up its budget. For one crawl; memory grows with shapes."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}
        self._variants: dict[int, int] = {}
        self._sessions: dict[int, int] = {}
        self._traps: dict[str, Trap] = {}

    @property
    def traps(self) -> list[Trap]:
        """The traps met so far, in order."""
        return list(self._traps.values())

    def admit(self, url: str, *, found_on: str = "") -> str | None:
        """Why `url` is left out as part of a trap, or None. To be asked once for each address.

        Both are in normal form; `found_on` is the page whose link led there.
        """
        for reason in (_growing(url), self._session(url), self._of_shape(url, found_on), self._variant(url)):
            if reason is not None:
                met = self._traps.get(reason)
                self._traps[reason] = Trap(reason, url if met is None else met.url, 1 + (met.left_out if met else 0))
                return reason
        return None

    def _session(self, url: str) -> str | None:
        bare = _without_session(url)
        if bare == url:
            return None
        first = self._sessions.setdefault(hash(bare), hash(url))
        return None if first == hash(url) else "trap: session ids in the addresses; each page is taken once"

    def _of_shape(self, url: str, found_on: str) -> str | None:
        shape = _shape(url)
        if not shape.name or not found_on:
            return None
        count = self._counts.setdefault((shape.kind, shape.name), _Count())
        if not shape.same(found_on):
            return None
        where = shape.name.split("://", 1)[-1].partition("/")[2]
        chain = count.chains.get(hash(found_on), 0) + 1
        if shape.most > MOST_SELF_FOUND and chain > LONGEST_CHAIN:
            return f"trap: {shape.kind} without end at /{where}: more than {LONGEST_CHAIN} one after another"
        counted = count.self_found / _SPARSE <= count.highest <= count.self_found * _SPARSE
        most = MOST_COUNTED if shape.most == MOST_NUMBERED and counted else shape.most
        if count.self_found >= most:
            return f"trap: {shape.kind} without end at /{where}: {most:,} were found on one another"
        count.self_found += 1
        count.highest = max(count.highest, _last_number(url))
        count.chains[hash(url)] = chain
        return None

    def _variant(self, url: str) -> str | None:
        path, mark, _ = url.partition("?")
        if not mark:
            return None
        count = self._variants[hash(path)] = self._variants.get(hash(path), 0) + 1
        if count <= MOST_VARIANTS:
            return None
        return f"trap: more than {MOST_VARIANTS:,} query strings at {urlsplit(path).path}"


def _last_number(url: str) -> int:
    numbers = _NUMBER.findall(url)
    return int(numbers[-1][:18]) if numbers else 0


def _growing(url: str) -> str | None:
    """A path that says the same again and again: relative links that a server resolves at any depth."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if len(parts) > _MOST_PARTS:
        return f"trap: paths that grow: more than {_MOST_PARTS} parts"
    words = [part for part in parts if not part.isdecimal()]
    same = next((part for part in words if words.count(part) > _MOST_SAME), None)
    return None if same is None else f"trap: paths that grow: /{same} again and again"


def _parameters(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in re.split("[&;]", query) if part)]


def _without_session(url: str) -> str:
    before, mark, query = url.partition("?")
    before = _PATH_SESSION.sub("", before)
    kept = [f"{name}={value}" for name, value in _parameters(query) if not _is_session(name, value)]
    if len(kept) == len(_parameters(query)):
        return before + mark + query
    return "?".join([before, "&".join(kept)] if kept else [before])


def _is_session(name: str, value: str) -> bool:
    return bool(_SESSION_NAME.fullmatch(name) and _SESSION_VALUE.fullmatch(value) and re.search(r"\d", value))


def _shape(url: str) -> _Shape:
    """The shape of an address, by the first of its marks: combined parameters, a token, a date, a number."""
    before, _, query = url.partition("?")
    parameters = _parameters(query)
    dated = bool(_DATE.search(before)) or any(
        (_DATE_NAME.fullmatch(name) and _NUMBER.search(value)) or _DATE.search(value) for name, value in parameters
    )
    if len(parameters) > 1:
        kind = "a calendar" if dated else "combinations of query parameters"
        return _Shape(f"{_blank(before)}?…", kind, MOST_SELF_FOUND)
    parts = [part for part in urlsplit(before).path.split("/") if part and not part.isdecimal()]
    if len(set(parts)) < len(parts):
        name = f"{urlsplit(before).netloc}/{'/'.join(sorted(set(parts)))}/…"
        return _Shape(name, "paths that repeat themselves", MOST_SELF_FOUND)
    blank = _blank(before) + "".join(f"?{name}={_blank(value)}" for name, value in parameters)
    if "{random}" in blank:
        return _Shape(blank, "random addresses", MOST_SELF_FOUND)
    if "{n}" not in blank:
        return _Shape("", "", 0)
    if dated:
        return _Shape(blank, "a calendar", MOST_SELF_FOUND)
    return _Shape(blank, "numbered pages", MOST_NUMBERED)


def _blank(text: str) -> str:
    origin, slashes, rest = text.partition("://")
    host, slash, path = rest.partition("/") if slashes else ("", "", text)
    path = _TOKEN.sub("{random}", path)
    path = _NUMBER.sub("{n}", path)
    # A path of numbers that grows has one shape at every depth.
    return origin + slashes + host + slash + re.sub(r"\{(n|random)\}(?:/\{\1\})+", r"{\1}", path) if slashes else path
