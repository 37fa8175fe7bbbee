"""Which addresses belong to a crawl, and by which rule (promise C2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest import urls
from ingest.errors import BadInput

__all__ = ["Scope", "Verdict"]

# What makes the last part of a path a file: `page.html` is one, `3.12` and `docs` are folders written without
# a slash.
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,9}$")


class Verdict(NamedTuple):
    """A decision on an address and the rule that made it, as the part of a sentence."""

    allowed: bool
    rule: str


@dataclass(frozen=True)
class Scope:
    """The addresses that a crawl from `start` may store, as promise C2 of the design defines.

    `path_regex` is searched in path and query, `include` and `exclude` in the full URL, all three in the
    normal form. The default is the folder of `start`; `path_regex` or `include` replaces it, the host stays;
    `exclude` always wins. `BadInput` at once for an expression that does not compile. `start` is an address;
    a crawl reads the start page for links even where the scope leaves it out.
    """

    start: str
    path_regex: str | None = None
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    max_depth: int | None = None
    folder: str = field(init=False)  # normal form, ends with "/" unless the start has no slash: `/docs`
    _path: re.Pattern[str] | None = field(init=False, repr=False)
    _include: tuple[re.Pattern[str], ...] = field(init=False, repr=False)
    _exclude: tuple[re.Pattern[str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_depth is not None and self.max_depth < 0:
            raise BadInput(f"max_depth is {self.max_depth}; it cannot be below 0")
        put = object.__setattr__
        put(self, "folder", _folder(_path_of(urls.identity(self.start))))
        put(self, "_path", None if self.path_regex is None else _compiled("path_regex", self.path_regex))
        put(self, "_include", _all_compiled("include", self.include))
        put(self, "_exclude", _all_compiled("exclude", self.exclude))

    def admit(self, address: str, *, depth: int = 0) -> Verdict:
        """Whether the crawl takes up `address`, found `depth` links from the start, and by which rule."""
        if len(address) > urls.MAX_URL_LENGTH:
            return Verdict(False, f"the address is longer than {urls.MAX_URL_LENGTH:,} characters")
        if not urls.same_host(self.start, address):
            return Verdict(False, f"{_host(address)} is another host than {_host(self.start)}")
        if self.max_depth is not None and depth > self.max_depth:
            return Verdict(False, f"it is {depth} links from the start and max_depth is {self.max_depth}")
        return self._by_pattern(urls.identity(address))

    def rebase(self, new_start: str) -> "Scope":
        """The same rules with the folder of `new_start`, to which the start URL redirects on its own host."""
        if not urls.same_host(self.start, new_start):
            raise BadInput(f"{self.start} redirects to another host; to crawl that one, start from {new_start} instead")
        return Scope(new_start, self.path_regex, self.include, self.exclude, self.max_depth)

    def _by_pattern(self, url: str) -> Verdict:
        for pattern in self._exclude:
            if pattern.search(url):
                return Verdict(False, f"exclude {pattern.pattern!r} matches")
        included = next((pattern for pattern in self._include if pattern.search(url)), None)
        if self._include and included is None:
            return Verdict(False, "no include pattern matches")
        path = _path_of(url, query=True)
        if self._path is not None and not self._path.search(path):
            return Verdict(False, f"path_regex {self._path.pattern!r} is not found in {path}")
        if self._path is not None:
            return Verdict(True, f"path_regex {self._path.pattern!r} is found in {path}")
        if included is not None:
            return Verdict(True, f"include {included.pattern!r} matches")
        return self._by_folder(_path_of(url))

    def _by_folder(self, path: str) -> Verdict:
        inside = path == self.folder or path.startswith(f"{self.folder.removesuffix('/')}/")
        where = "inside" if inside else "outside"
        return Verdict(inside, f"it is {where} the start URL's folder {self.folder}")


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        at = "" if error.pos is None else f" at position {error.pos}"
        raise BadInput(f"{name} {pattern!r} is not a regular expression: {error.msg}{at}") from error
    except OverflowError as error:
        raise BadInput(f"{name} {pattern!r} is not a regular expression: {error}") from error


def _all_compiled(name: str, patterns: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    if isinstance(patterns, str):  # a string is a sequence of its characters, which nobody means
        patterns = (patterns,)
    return tuple(_compiled(name, pattern) for pattern in patterns)


def _folder(path: str) -> str:
    parent, _, last = path.rpartition("/")
    return f"{parent}/" if _EXTENSION.search(last) else path


def _path_of(url: str, *, query: bool = False) -> str:
    """The path of a normal form, which always has one, with its query on request."""
    path = "/" + url.split("/", 3)[3]
    return path if query else path.partition("?")[0]


def _host(address: str) -> str:
    origin = urls.origin(address)
    usual = origin.port == (443 if origin.scheme == "https" else 80)
    return origin.host if usual else f"{origin.host}:{origin.port}"
