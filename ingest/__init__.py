"""From a URL to pages as markdown: crawl a site, or convert one document. Knows nothing of chunks and stores."""

from ingest.browser import find_browser
from ingest.crawler import Settings, check_scope, crawl
from ingest.elements import Element
from ingest.errors import BadInput, BlockedAddress, BrowserMissing, FetchError, IngestError, StartRefused
from ingest.fetcher import FakeFetcher, HttpFetcher
from ingest.folder import FolderFetcher
from ingest.frontier import Found
from ingest.given import site_url
from ingest.ledger import KnownPage, MemoryLedger, PageLedger
from ingest.models import (
    Anchor,
    CrawledPage,
    Fetcher,
    FetchRequest,
    FetchResponse,
    Freshness,
    Kept,
    MarkdownPage,
    Outcome,
    SkippedPage,
    VisitFacts,
)
from ingest.pace import Politeness
from ingest.page import html_to_markdown
from ingest.session import Session
from ingest.survey import Explanation, explain, map_site
from ingest.to_markdown import MarkdownRules
from ingest.urls import identity as normal_url

__all__ = [
    "Anchor",
    "BadInput",
    "BlockedAddress",
    "BrowserMissing",
    "CrawledPage",
    "Element",
    "Explanation",
    "FakeFetcher",
    "FetchError",
    "FetchRequest",
    "FetchResponse",
    "Fetcher",
    "FolderFetcher",
    "Found",
    "Freshness",
    "HttpFetcher",
    "IngestError",
    "Kept",
    "KnownPage",
    "MarkdownPage",
    "MarkdownRules",
    "MemoryLedger",
    "Outcome",
    "PageLedger",
    "Politeness",
    "Session",
    "Settings",
    "SkippedPage",
    "StartRefused",
    "VisitFacts",
    "check_scope",
    "crawl",
    "explain",
    "find_browser",
    "html_to_markdown",
    "map_site",
    "normal_url",
    "site_url",
]
