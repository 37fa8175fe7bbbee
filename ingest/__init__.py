"""From a URL to pages as markdown: crawl a site, or convert one document. Knows nothing of chunks and stores."""

from ingest.crawler import check_scope, crawl
from ingest.errors import BadInput, BlockedAddress, FetchError, IngestError, StartRefused
from ingest.fetcher import FakeFetcher, HttpFetcher
from ingest.ledger import KnownPage, MemoryLedger, PageLedger
from ingest.models import (
    Anchor,
    CrawledPage,
    Fetcher,
    FetchRequest,
    FetchResponse,
    MarkdownPage,
    Outcome,
    SkippedPage,
)
from ingest.page import html_to_markdown
from ingest.to_markdown import MarkdownRules
from ingest.urls import identity as normal_url

__all__ = [
    "Anchor",
    "BadInput",
    "BlockedAddress",
    "CrawledPage",
    "FakeFetcher",
    "FetchError",
    "FetchRequest",
    "FetchResponse",
    "Fetcher",
    "HttpFetcher",
    "IngestError",
    "KnownPage",
    "MarkdownPage",
    "MarkdownRules",
    "MemoryLedger",
    "Outcome",
    "PageLedger",
    "SkippedPage",
    "StartRefused",
    "check_scope",
    "crawl",
    "html_to_markdown",
    "normal_url",
]
