"""Sitemaps and feeds as lists of addresses (pure; sitemaps.org protocol 0.9, RSS 2.0 and 1.0, Atom RFC 4287).

Read by a scanner of our own over the text, not by an XML parser: sitemaps are often broken (a raw `&`, a cut
end), and all that is wanted of one is the text of a few elements. Nothing declared in a document is ever
expanded or fetched, so entities can neither read files nor grow. The time is linear in the length of the text.
"""

import re
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from types import MappingProxyType
from typing import Literal, NamedTuple

from ingest.charset import decode_text
from ingest.urls import resolve

__all__ = ["MAX_SITEMAP_BYTES", "SITEMAP_ACCEPT", "Listed", "Sitemap", "changed_at", "read_sitemap"]

MAX_SITEMAP_BYTES = 50 * 1024 * 1024
"""Most bytes read of one sitemap, after decompression: the protocol's own bound."""

SITEMAP_ACCEPT = (
    "application/xml, text/xml, application/rss+xml, application/atom+xml, text/plain;q=0.9, "
    "application/gzip;q=0.9, application/x-gzip;q=0.9, application/octet-stream;q=0.5, */*;q=0.1"
)
"""The Accept header of a request for a sitemap; it names the types that compressed ones are sent as."""

_GZIP = b"\x1f\x8b"
_MAX_WRAPPINGS = 2  # a .gz file that is also sent with another layer around it
_MAX_STACK = 64  # elements open at once; what is nested deeper is no sitemap's
_MAX_LOCATION = 16_384  # characters of one written address
_MAX_TIME = 64

# What begins with `<`: a comment, a CDATA section, an instruction or declaration, else a tag.
_MARKUP = re.compile(r"<(?:(!--|!\[CDATA\[|!DOCTYPE|[!?])|(/?)(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)([^<>]*)>?)")
_END_OF = MappingProxyType({"!--": "-->", "![CDATA[": "]]>", "!": ">", "?": "?>"})
_DOCTYPE = re.compile(r"[^\[>]*(?:\[(.*?)\]\s*)?>", re.DOTALL)
_DECLARED = re.compile(r"<!ENTITY\s+(?:%\s+)?([^\s\"'<>]+)")
_REFERENCE = re.compile(r"&([^\s&;#]+);")
_RAW = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_ROOTS = frozenset({"urlset", "sitemapindex", "rss", "feed", "rdf", "url", "sitemap"})
# (parent, element): what its text is. A `loc` straight below the root is a broken sitemap's, and taken.
_PAGES = frozenset({("url", "loc"), ("urlset", "loc"), ("item", "link")})
_INDEXED = frozenset({("sitemap", "loc"), ("sitemapindex", "loc")})
_TIMES = frozenset({("url", "lastmod"), ("sitemap", "lastmod"), ("item", "pubdate"), ("entry", "updated")})
_ENTRIES = frozenset({"url", "sitemap", "item", "entry"})
_Role = Literal["page", "sitemap"]
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$")
_DAY = 86_400.0


class Listed(NamedTuple):
    """An address that a list names, and when it says that the page changed (as written; a hint, never proof)."""

    address: str
    modified: str = ""


class Sitemap(NamedTuple):
    """What one document lists: pages, and further sitemaps of an index. `whole` is False where it broke off."""

    pages: tuple[Listed, ...] = ()
    sitemaps: tuple[Listed, ...] = ()
    whole: bool = True


def read_sitemap(body: bytes, url: str, content_type: str = "") -> Sitemap | None:
    """The sitemap or feed in `body`, found at `url`; None for what is neither, such as a page that says 404.

    gzip is known by its first bytes, with several members and cut short. Addresses are resolved against `url`,
    those that are not http or https are left out, each is listed once, in order. Of a broken document what
    stands before the break is listed. At most `MAX_SITEMAP_BYTES` are read.
    """
    body, whole = _unpacked(body)
    text = decode_text(body, content_type).replace("\0", "")
    if not text.lstrip().startswith("<"):
        return _read_lines(text, url, whole)
    scanner = _Scanner(text)
    pages: dict[str, str] = {}
    sitemaps: dict[str, str] = {}
    for role, written, modified in scanner.entries():
        address = _address(url, written, scanner.declared)
        if address is not None:
            (sitemaps if role == "sitemap" else pages).setdefault(address, modified)
    if scanner.root not in _ROOTS:
        return None
    return Sitemap(
        tuple(Listed(*entry) for entry in pages.items()),
        tuple(Listed(*entry) for entry in sitemaps.items()),
        whole and scanner.closed,
    )


def changed_at(written: str) -> float | None:
    """When a list says that a page changed, as Unix time; None where it does not say, or says what cannot be.

    ISO 8601 as in sitemaps (W3C Note on date and time formats) and Atom, RFC 5322 as in RSS; without a zone it is
    UTC. What names a day, a month or a year only is its end: the page may have changed at any time until then. A
    time that begins more than a day from now cannot be.
    """
    written = written.strip()
    if not written:
        return None
    try:
        if (date := _DATE.match(written)) is not None:
            year, month, day = (int(part) if part else None for part in date.groups())
            began = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
            days = 1 if day else 31 if month else 366
            ended = began + timedelta(days=days)
        else:
            began = ended = _moment(written)
        return ended.timestamp() if began.timestamp() <= time.time() + _DAY else None
    except (ValueError, OverflowError, TypeError):
        return None


def _moment(written: str) -> datetime:
    read = datetime.fromisoformat if written[:1].isdigit() and written[4:5] == "-" else parsedate_to_datetime
    moment = read(written)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _unpacked(body: bytes) -> tuple[bytes, bool]:
    """The body out of its gzip layers, within the cap; False where it was cut, damaged or too large."""
    whole = len(body) <= MAX_SITEMAP_BYTES
    body = body[:MAX_SITEMAP_BYTES]
    for _ in range(_MAX_WRAPPINGS):
        if not body.startswith(_GZIP):
            break
        body, complete = _gunzipped(body)
        whole = whole and complete
    return body, whole


def _gunzipped(packed: bytes) -> tuple[bytes, bool]:
    out = bytearray()
    while packed.startswith(_GZIP):
        member = zlib.decompressobj(31)
        try:
            out += member.decompress(packed, MAX_SITEMAP_BYTES - len(out) + 1)
        except zlib.error:
            return bytes(out), False
        if len(out) > MAX_SITEMAP_BYTES:
            return bytes(out[:MAX_SITEMAP_BYTES]), False
        if not member.eof:
            return bytes(out), False
        packed = member.unused_data
    return bytes(out), True


def _read_lines(text: str, url: str, whole: bool) -> Sitemap | None:
    """A text sitemap: one absolute address a line. None where no line is one."""
    pages: dict[str, None] = {}
    for line in text.splitlines():
        written = line.strip()
        if written[:4].lower() == "http" and not re.search(r"\s", written[:_MAX_LOCATION]):
            address = _address(url, written, frozenset())
            if address is not None:
                pages.setdefault(address)
    return Sitemap(tuple(Listed(address) for address in pages), (), whole) if pages else None


def _address(url: str, written: str, declared: frozenset[str]) -> str | None:
    """The address that an element's text is; None without one, and where it needs an entity of the document's own."""
    written = written.strip()
    if not written or len(written) > _MAX_LOCATION or not declared.isdisjoint(_REFERENCE.findall(written)):
        return None
    # Only XML's own five entities and numbers are undone: in a query, `&copy=1` is text.
    plain = unescape(_RAW.sub("&amp;", written)).strip()
    return resolve(url, plain) if plain.isprintable() else None


class _Scanner:
    """Walks over the markup and gives each listed address with its time, when its entry ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._stack: list[tuple[str, str]] = []  # prefix and name of each open element
        self._found: list[tuple[_Role, str]] = []
        self._modified = ""
        self.root = ""
        """The name of the first element, in lower case, without its prefix."""
        self.closed = False
        """True once the root element was closed."""
        self.declared = frozenset[str]()
        """The names of the entities that the document declares."""

    def entries(self) -> Iterator[tuple[_Role, str, str]]:
        """Role, text and time of each address, in order; none where the root is no list's."""
        words: list[str] = []
        for piece in self._pieces():
            if isinstance(piece, str):
                words.append(piece)
                continue
            prefix, name = piece[3] or "", piece[4].lower()
            if not self.root:
                self.root = name
                if name not in _ROOTS:
                    return
            if piece[2]:
                self._take("".join(words), prefix, name)
                self._close(prefix, name)
            if name in _ENTRIES:
                yield from self._ended()
            if not piece[2]:
                self._open(prefix, name, piece[5])
            words = []
        yield from self._ended()

    def _pieces(self) -> Iterator[str | re.Match[str]]:
        """Text (a CDATA section's with its ampersands escaped) and tags."""
        text, position = self._text, 0
        while (start := text.find("<", position)) >= 0:
            if start > position:
                yield text[position:start]
            match = _MARKUP.match(text, start)
            position = start + 1 if match is None else match.end()
            if match is None or match[1] is None:
                if match is not None:
                    yield match
                continue
            if match[1] == "!DOCTYPE":
                declaration = _DOCTYPE.match(text, position)
                self.declared = frozenset(_DECLARED.findall(declaration[1] or "")) if declaration else self.declared
                end, after = (declaration.end(), 0) if declaration else (-1, 0)
            else:
                end, after = text.find(_END_OF[match[1]], position), len(_END_OF[match[1]])
            if end < 0:
                return
            if match[1] == "![CDATA[":
                yield text[position:end].replace("&", "&amp;")
            position = end + after

    def _open(self, prefix: str, name: str, attributes: str) -> None:
        if name == "link" and self._stack[-1:] == [(prefix, "entry")]:
            values = {found[1].lower(): found[2] or found[3] or "" for found in _ATTRIBUTE.finditer(attributes)}
            if values.get("rel", "alternate") == "alternate":
                self._found.append(("page", values.get("href", "")))
        if not attributes.rstrip().endswith("/") and len(self._stack) < _MAX_STACK:
            self._stack.append((prefix, name))

    def _take(self, text: str, prefix: str, name: str) -> None:
        """The text of an element that is closed now, where it is one of those that count."""
        if self._stack[-1:] != [(prefix, name)] or len(self._stack) < 2:
            return
        outer, parent = self._stack[-2]
        if outer != prefix:  # an image's or a video's own `loc`
            return
        if (parent, name) in _TIMES:
            self._modified = text.strip()[:_MAX_TIME]
        elif (parent, name) in _PAGES:
            self._found.append(("page", text))
        elif (parent, name) in _INDEXED:
            self._found.append(("sitemap", text))

    def _close(self, prefix: str, name: str) -> None:
        if (prefix, name) in self._stack:
            while self._stack.pop() != (prefix, name):
                pass
            self.closed = self.closed or not self._stack

    def _ended(self) -> Iterator[tuple[_Role, str, str]]:
        found, modified = self._found, self._modified
        self._found, self._modified = [], ""
        for role, written in found:
            yield role, written, modified
