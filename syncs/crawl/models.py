"""Input, output and report of the site crawl sync."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ChunkCounts",
    "CrawlData",
    "CrawlReport",
    "CrawlStatus",
    "EmbeddingCounts",
    "KeptCounts",
    "LeftOut",
    "PageCounts",
    "PageRow",
    "Quality",
    "SiteCrawlIn",
    "SiteCrawlOut",
]

CrawlStatus = Literal["complete", "limited", "partial", "failed", "interrupted"]


class SiteCrawlIn(BaseModel):
    """What to crawl. Only `url` is needed; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        description="Where the crawl starts: a page, sitemap or llms.txt; its host and folder are the scope."
    )
    path_regex: str | None = Field(None, description="Searched in path and query; replaces the folder rule.")
    limit: int | None = Field(None, ge=1, description="Most pages to store or find unchanged; None: the whole site.")
    name: str | None = Field(
        None,
        max_length=8_000,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
        description="Name of the entity, without control characters; None: CRAWL_<start URL>.",
    )
    include: list[str] = Field(
        default_factory=list, description="Regular expressions over the full URL, any of which must match."
    )
    exclude: list[str] = Field(
        default_factory=list, description="Regular expressions over the full URL, none of which may match."
    )
    max_depth: int | None = Field(None, ge=0, description="Most links from the start page.")
    subdomains: bool = Field(False, description="Take in the hosts below the start's, too.")
    ignore_query: bool = Field(False, description="Follow links without their query string.")
    discover: Literal["all", "links"] = Field("all", description="'links' reads neither sitemaps nor llms.txt.")
    prefer: Literal["html", "markdown"] = Field(
        "html", description="'markdown' takes a page's markdown where the site has it; it has no anchors."
    )
    concurrency: int = Field(8, ge=1, le=256, description="Requests under way at once.")
    render: Literal["never", "auto", "always"] = Field(
        "auto", description="Run the scripts of pages that are empty without them, where a browser is there."
    )
    revisit: Literal["all", "due", "force"] = Field(
        "all",
        description="Which known pages are asked for: 'due' leaves out those that can be taken for unchanged, 'force' "
        "stores every page anew.",
    )
    robots: Literal["obey", "ignore"] = Field("obey", description="'ignore' is for a site of one's own.")
    content_selector: str | None = Field(None, description="CSS selector of what is a page's content.")
    remove_selector: str | None = Field(None, description="CSS selector of what is taken out of each page.")
    max_size: int = Field(8190, ge=64, le=8190, description="Hard cap of a chunk, in cl100k_base tokens.")
    target_size: int = Field(400, ge=16, le=8190, description="What chunks are packed up to, in tokens.")
    local: bool = Field(False, description="Whether `url` may name a folder or file of this machine.")
    prune: bool = Field(False, description="Take stored pages out, too, that are outside of this crawl's scope.")
    max_gone: float = Field(
        0.5, ge=0, le=1, description="Most of the stored pages that may leave at once, as a share: more is a fault."
    )
    plan: bool = Field(False, description="Only say what the crawl would do: nothing is stored, embedded or paid.")
    max_cost: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Stop before embedding would cost more than so many US dollars."
    )
    return_pages: Literal["all", "none"] = Field("all", description="'none' keeps memory flat.")
    report_file: str | None = Field(
        None,
        min_length=1,
        description="A local file to write a row for every address to: JSON, or a table if it ends with .csv.",
    )


class CrawlData(BaseModel):
    """One page as the sync returns it."""

    markdown: str
    metadata: dict[str, object]


class PageCounts(BaseModel):
    """Addresses by what became of them. discovered = stored + unchanged + duplicate + skipped + quarantined +
    failed; `waiting` is what a limit, a cap or an interruption left, and `not_due` what a refresh left alone, outside
    the sum. `back` are stored pages that had been gone."""

    discovered: int = 0
    stored: int = 0
    unchanged: int = 0
    duplicate: int = 0
    skipped: int = 0
    quarantined: int = 0
    failed: int = 0
    waiting: int = 0
    deleted: int = 0
    back: int = Field(0, exclude_if=lambda count: not count)
    not_due: int = Field(0, exclude_if=lambda count: not count)


class ChunkCounts(BaseModel):
    """Records by what the page swaps did to them."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    deleted: int = 0


class EmbeddingCounts(BaseModel):
    """Texts embedded and texts whose vector was there; tokens and US dollars that the provider billed. `failed` texts
    have no vector, because the model does not take them."""

    computed: int = 0
    reused: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    windowed: int = Field(0, exclude_if=lambda count: not count)
    failed: int = Field(0, exclude_if=lambda count: not count)


class LeftOut(BaseModel):
    """An address that was skipped, quarantined or failed, and why."""

    url: str
    outcome: str
    reason: str


class KeptCounts(BaseModel):
    """How many there were, and how many are in the markdown."""

    found: int = 0
    kept: int = 0


class Quality(BaseModel):
    """What was kept of the pages that this run read, and stored or found unchanged. `empty` pages had no text, so that
    nothing of them is stored; `boilerplate` is the share of the pages' text that was taken for the site's frame."""

    pages: int = 0
    empty: int = 0
    rendered: int = 0
    boilerplate: float = 0.0
    code_blocks: KeptCounts = Field(default_factory=KeptCounts)
    tables: KeptCounts = Field(default_factory=KeptCounts)


class PageRow(BaseModel):
    """One address that a crawl took up, in its report file. None: not known, or there is no such thing.

    `outcome` is `stored` or a `SkippedPage`'s; or `waiting` for a page that was read and not stored, since the crawl
    was cut off. `bytes` are of the answer, decoded; `characters` of the markdown; `text` and `kept_text` are
    characters without white space on the page and in its content.
    """

    url: str
    outcome: str
    reason: str = ""
    freshness: str | None = None
    depth: int | None = None
    source: str | None = None
    found_on: str | None = None
    visited_at: datetime | None = None
    seconds: float | None = None
    bytes: int | None = None
    characters: int | None = None
    text: int | None = None
    kept_text: int | None = None
    code_blocks: int | None = None
    kept_code_blocks: int | None = None
    tables: int | None = None
    kept_tables: int | None = None
    rendered: bool = False
    empty: bool = False
    chunks: int | None = None
    tokens: int | None = None


class CrawlReport(BaseModel):
    """The document of `crawl --json`. `planned`: this is what the crawl would do, and nothing of it was done."""

    run_id: str
    entity: str
    status: CrawlStatus
    pages: PageCounts
    chunks: ChunkCounts
    embeddings: EmbeddingCounts
    seconds: float
    skipped: list[LeftOut]
    notes: list[str] = Field(default_factory=list, exclude_if=lambda notes: not notes)
    planned: bool = Field(default=False, exclude_if=lambda planned: not planned)
    quality: Quality | None = Field(default=None, exclude_if=lambda quality: quality is None)


class SiteCrawlOut(BaseModel):
    """`crawl_data` is empty with `return_pages="none"`, and where nothing is stored."""

    success: bool
    crawl_data: list[CrawlData]
    entity_type: str
    report: CrawlReport
