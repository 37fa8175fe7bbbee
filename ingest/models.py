"""The values that pass through `ingest`: a request, a response, a page, a page that was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

__all__ = [
    "Anchor",
    "CrawledPage",
    "FetchRequest",
    "FetchResponse",
    "Fetcher",
    "Freshness",
    "Kept",
    "MarkdownPage",
    "Outcome",
    "SkippedPage",
    "VisitFacts",
]


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One GET of one address; redirects are not followed."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int | None = None  # after decompression; None: the fetcher's own cap


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """One answer, its body decoded and within the cap. Header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = field(default=0.0, compare=False)  # for all its tries, the waits before them not counted


class Fetcher(Protocol):
    """The seam to HTTP: one request, one answer, no redirects followed, `FetchError` on failure."""

    async def fetch(self, request: FetchRequest) -> FetchResponse: ...

    async def aclose(self) -> None: ...


class Anchor(NamedTuple):
    """A place in the markdown that a URL fragment can point at. A plain tuple for other packages."""

    offset: int  # characters from the start of the markdown
    id: str
    level: int | None  # 1-6 for a heading, else None
    term: str  # the heading's text, the `dt` or API signature; "" for a bare anchor


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a document on its way to markdown. Text is characters without white space, and without scripts.

    Blocks of code are counted on the page, tables in its content: what is around that is often laid out with them.
    """

    characters: int = 0  # of the markdown
    text: int = 0  # of the page
    kept_text: int = 0  # of its content
    code_blocks: int = 0
    kept_code_blocks: int = 0
    tables: int = 0
    kept_tables: int = 0


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """What is told of a visit to an address beside its page: for reports, nothing is decided by it.

    `source` is what named the address (`start`, `link`, `redirect`, `canonical`, `sitemap`, `llms.txt`, `list`) and
    `found_on` the page or list that did; both are empty where that is not known, as of a page of an earlier crawl that
    nothing has named so far.
    """

    at: float | None = None  # Unix time, seconds; None where nothing was asked for
    seconds: float | None = None  # for the requests, all tries counted, and the waits before them not
    bytes: int | None = None  # of the answer, decoded
    depth: int | None = None
    source: str = ""
    found_on: str = ""
    rendered: bool = False
    empty: bool = False  # the site's own page, without a text
    kept: Kept | None = None  # None where no document was read, as with a 304


@dataclass(frozen=True, slots=True)
class MarkdownPage:
    """What `html_to_markdown` reads out of one HTML document; `links` are absolute and in document order."""

    markdown: str
    anchors: Sequence[Anchor] = ()
    title: str = ""
    description: str = ""
    language: str = ""
    canonical: str | None = None
    links: Sequence[str] = ()
    noindex: bool = False
    nofollow: bool = False
    markdown_copy: str | None = None
    """The address of the same content as markdown, where the document names one."""
    breadcrumb: Sequence[str] = ()  # the pages above this one, as the site shows them, from the outside in
    modified: str = ""  # when the page says that it was last changed, ISO 8601; not the header
    generator: str = ""
    kept: Kept | None = field(default=None, compare=False)


class Freshness(StrEnum):
    """What a page is against what the store holds of it. `back`: it was gone, and is there again."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    GONE = "gone"
    BACK = "back"


class Outcome(StrEnum):
    """Why a page that was taken up is not in the stream as a `CrawledPage`."""

    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SkippedPage:
    """An in-scope address that was taken up and gave no new page. `transient`: a later run may get it."""

    url: str
    outcome: Outcome
    reason: str
    transient: bool = False
    visit: VisitFacts = field(default_factory=VisitFacts, compare=False)


@dataclass(frozen=True, slots=True)
class CrawledPage:
    """A page worth storing. `url` is its identity (the normal form of where it was found after redirects)."""

    url: str
    markdown: str
    anchors: Sequence[Anchor] = ()
    title: str = ""
    description: str = ""
    language: str = ""
    links: Sequence[str] = ()
    aliases: Sequence[str] = ()
    depth: int = 0
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str = ""  # of the extracted title, markdown and anchors: what decides "changed"
    extractor: str = ""  # version of the extraction; another one means: fetch without validators
    fetched_at: float = 0.0  # Unix time, seconds
    canonical: str | None = None
    breadcrumb: Sequence[str] = ()
    modified: str = ""  # when the page says that it was last changed, ISO 8601; `last_modified` is the header
    generator: str = ""
    rendered: bool = False  # read as its scripts made it, in a browser
    freshness: Freshness = Freshness.NEW  # new, changed or back
    visit: VisitFacts = field(default_factory=VisitFacts, compare=False)

    @property
    def metadata(self) -> dict[str, object]:
        """The page's facts as one JSON-ready mapping; `source_url` and `title` are always there."""
        facts: dict[str, object] = {"source_url": self.url, "title": self.title}
        said = {
            "description": self.description,
            "language": self.language,
            "canonical": self.canonical,
            "breadcrumb": list(self.breadcrumb),
            "modified": self.modified,
            "generator": self.generator,
            "rendered": self.rendered,
        }
        facts.update({name: value for name, value in said.items() if value})
        return facts
