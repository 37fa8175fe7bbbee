"""The site crawl sync: the one place that joins the path from a URL to records."""

from syncs.crawl.models import CrawlData, CrawlReport, PageRow, Quality, SiteCrawlIn, SiteCrawlOut
from syncs.crawl.report_file import ReportUnwritable, check_report_file
from syncs.crawl.sync import CrawlInterrupted, entity_name, site_crawl

__all__ = [
    "CrawlData",
    "CrawlInterrupted",
    "CrawlReport",
    "PageRow",
    "Quality",
    "ReportUnwritable",
    "SiteCrawlIn",
    "SiteCrawlOut",
    "check_report_file",
    "entity_name",
    "site_crawl",
]
