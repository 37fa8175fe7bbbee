"""Which addresses belong to a crawl, and by which rule (promise C2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ingest import urls
from ingest.errors import BadInput
from ingest.llms_txt import is_llms_txt

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
    a crawl reads the start page for links even where the scope leaves it out. With `subdomains`, the hosts
    below the start's are in scope, whole. With `ignore_query`, links are followed without their query. `listed`
    are the addresses of a list that the crawl was given: their hosts are then the scope, whole.
    """

    start: str
    path_regex: str | None = None
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    max_depth: int | None = None
    subdomains: bool = False
    ignore_query: bool = False
    listed: Sequence[str] = field(default=(), repr=False)
    folder: str = field(init=False)  # normal form, ends with "/" unless the start has no slash: `/docs`
    _sites: frozenset[tuple[str, str]] = field(init=False, repr=False)
    _path: re.Pattern[str] | None = field(init=False, repr=False)
    _include: tuple[re.Pattern[str], ...] = field(init=False, repr=False)
    _exclude: tuple[re.Pattern[str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_depth is not None and self.max_depth < 0:
            raise BadInput(f"max_depth is {self.max_depth}; it cannot be below 0")
        put = object.__setattr__
        put(self, "folder", "/" if self.listed else _folder(_path_of(urls.identity(self.start))))
        put(self, "_sites", frozenset(map(urls.site, self.listed or [self.start])))
        put(self, "_path", None if self.path_regex is None else _compiled("path_regex", self.path_regex))
        put(self, "_include", _all_compiled("include", self.include))
        put(self, "_exclude", _all_compiled("exclude", self.exclude))

    def admit(self, address: str, *, depth: int = 0) -> Verdict:
        """Whether the crawl takes up `address`, found `depth` links from the start, and by which rule."""
        if len(address) > urls.MAX_URL_LENGTH:
            return Verdict(False, f"the address is longer than {urls.MAX_URL_LENGTH:,} characters")
        if not self.holds_host(address):
            return Verdict(False, f"{_host(address)} is another host than {self._hosts()}")
        if self.max_depth is not None and depth > self.max_depth:
            return Verdict(False, f"it is {depth} links from the start and max_depth is {self.max_depth}")
        return self._by_pattern(urls.identity(address))

    def followed(self, link: str) -> str:
        """The address that a link stands for in this crawl."""
        return link.partition("?")[0] if self.ignore_query else link

    def holds_host(self, address: str) -> bool:
        """Whether `address` is on a host of this scope: the start's, on request one below it, or a listed one."""
        where = urls.site(address)
        if where in self._sites:
            return True
        return self.subdomains and any(
            port == where[1] and host and where[0].endswith(f".{host}") for host, port in self._sites
        )

    def rebase(self, new_start: str) -> "Scope":
        """The same rules with the folder of `new_start`, to which the start URL redirects on its own host."""
        if not self.holds_host(new_start):
            raise BadInput(f"{self.start} redirects to another host; to crawl that one, start from {new_start} instead")
        # On a subdomain nothing says which folder would be meant: the start's own stays.
        return replace(self, start=new_start) if urls.site(new_start) in self._sites else self

    def _by_pattern(self, url: str) -> Verdict:
        if is_llms_txt(url) and url != urls.identity(self.start):
            return Verdict(False, "an llms.txt names or repeats the site's pages, and is none")
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
        return self._by_folder(url)

    def _by_folder(self, url: str) -> Verdict:
        if self.listed:
            return Verdict(True, "it is on a host of the list")
        if urls.site(url) not in self._sites:
            return Verdict(True, f"it is on a subdomain of {self._hosts()}")
        path = _path_of(url)
        inside = path == self.folder or path.startswith(f"{self.folder.removesuffix('/')}/")
        where = "inside" if inside else "outside"
        return Verdict(inside, f"it is {where} the start URL's folder {self.folder}")

    def _hosts(self) -> str:
        return "those of the list" if self.listed else _host(self.start)


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
    path = "/" + url.split("/", 3)[3]  # an empty host, as in a local address, is a part too
    return path if query else path.partition("?")[0]


def _host(address: str) -> str:
    if urls.is_local(address):
        return "this machine's files"
    origin = urls.origin(address)
    usual = origin.port == (443 if origin.scheme == "https" else 80)
    return origin.host if usual else f"{origin.host}:{origin.port}"
