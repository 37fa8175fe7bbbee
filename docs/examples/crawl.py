"""A site crawl: every page of a site as markdown, in chunks, in the database, and found again."""

import asyncio
import sys

from engine import PostgresEngine
from syncs import Runtime
from syncs.crawl import site_crawl


async def main(url: str, question: str) -> None:
    async with Runtime(engine=PostgresEngine(), syncs={"site_crawl": site_crawl}) as runtime:
        result = await runtime.sync("site_crawl", {"url": url, "path_regex": "/docs/", "limit": 100})
        for page in result.crawl_data:
            print(page.metadata["source_url"], page.metadata["title"], f"{len(page.markdown)} characters")
        for hit in await runtime.engine.search(question, entity=result.entity_type, k=1):
            print(f"{hit.url}#{hit.anchor}", " > ".join(hit.headings))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
