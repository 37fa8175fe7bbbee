"""The site crawl sync: the one place that joins the path from a URL to records."""

from syncs.crawl.models import CrawlData, CrawlReport, SiteCrawlIn, SiteCrawlOut
from syncs.crawl.sync import CrawlInterrupted, entity_name, site_crawl

__all__ = [
    "CrawlData",
    "CrawlInterrupted",
    "CrawlReport",
    "SiteCrawlIn",
    "SiteCrawlOut",
    "entity_name",
    "site_crawl",
]
