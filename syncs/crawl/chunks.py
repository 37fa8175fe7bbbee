"""A crawled page into a page of records (pure, so that it can run in any executor)."""

import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from chunking import Chunk, MDocument
from engine import PageInput, RecordInput
from ingest import CrawledPage

__all__ = ["chunk_page", "chunk_settings", "records_of"]

_LINK = re.compile(r"\[((?:\\.|[^\]\\])*)\]\([^)]*\)")
_NO_LETTER = re.compile(r"[\W_]+")
MOST_WEIGHT_LOST = 0.6

CHUNKER = 2
"""Version of the chunking. Another one makes the next crawl chunk every stored page again."""


def chunk_settings(max_size: int, target_size: int) -> str:
    """What a page's chunks depend on besides its content: where it differs, a page is chunked again."""
    settings = {"chunker": CHUNKER, "strategy": "markdown", "max_size": max_size, "target_size": target_size}
    return json.dumps(settings, sort_keys=True)


def chunk_page(page: CrawledPage, max_size: int, target_size: int) -> PageInput:
    """The page with its chunks as records, under external ids `<page url>_chunk_<i>`."""
    anchors = [(place.offset, place.id, place.level, place.term) for place in page.anchors]
    return PageInput(
        url=page.url,
        records=records_of(page.url, page.markdown, page.metadata, anchors, max_size, target_size),
        markdown=page.markdown,
        anchors=anchors,
        metadata=page.metadata,
        links=page.links,
        aliases=page.aliases,
        depth=page.depth,
        etag=page.etag,
        last_modified=page.last_modified,
        content_hash=page.content_hash,
        extractor=page.extractor,
        chunk_settings=chunk_settings(max_size, target_size),
        fetched_at=page.fetched_at,
    )


def records_of(
    url: str,
    markdown: str,
    metadata: Mapping[str, object],
    anchors: Sequence[tuple[int, str, int | None, str]],
    max_size: int,
    target_size: int,
) -> list[RecordInput]:
    """One record a chunk. `data` holds the chunk's markdown and what a filter may ask for."""
    document = MDocument.from_markdown(markdown, metadata, anchors=anchors)
    chunks = document.chunk(strategy="markdown", max_size=max_size, target_size=target_size).get_docs()
    return [
        RecordInput(
            external_id=f"{url}_chunk_{chunk.position}",
            data={
                "markdown": chunk.text,
                "source_url": url,
                "title": metadata.get("title", ""),
                "languages": list(chunk.languages),
                "tokens": chunk.token_count,
            },
            embed_text=chunk.embed_text,
            headings=chunk.headings,
            anchor=chunk.anchor,
            span=chunk.span,
            position=chunk.position,
            terms=_terms(chunk, anchors),
            weight=_weight(chunk.text),
        )
        for chunk in chunks
    ]


def _terms(chunk: Chunk, anchors: Sequence[tuple[int, str, int | None, str]]) -> list[str]:
    """What the chunk defines besides its headings: where small sections are packed, each one's heading or signature."""
    start, end = chunk.span
    first = bisect_left(anchors, start, key=lambda anchor: anchor[0])
    last = bisect_left(anchors, end, key=lambda anchor: anchor[0])
    return [term for _, _, _, term in anchors[first:last] if term and term not in chunk.headings]


def _weight(markdown: str) -> float:
    """Less for a list of links: a table of contents or an index names everything and answers nothing.

    Full up to two fifths of links; measured on two sites (docs/search-quality.md).
    """
    linked = sum(len(match[1]) for match in _LINK.finditer(markdown))
    text = len(_NO_LETTER.sub("", _LINK.sub(r"\1", markdown)))
    share = min(1.0, linked / text) if text else 0.0
    return round(1 - MOST_WEIGHT_LOST * max(0.0, (share - 0.4) / 0.6), 3)
