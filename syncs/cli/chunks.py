"""`syncline chunks`: one page as the chunks that a crawl would store of it, with their sizes."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Annotated, Any

import typer

from chunking import Chunk, MDocument
from syncs.cli.options import Debug, Json
from syncs.cli.output import print_json, run, show
from syncs.cli.reading import PageOrFile, read_page
from syncs.cli.scope_options import ContentSelector, Prefer, RemoveSelector, Render, Robots
from syncs.crawl import SiteCrawlIn

__all__ = ["chunks"]

_MAX_SIZE = SiteCrawlIn.model_fields["max_size"].default
_TARGET_SIZE = SiteCrawlIn.model_fields["target_size"].default


def chunks(
    url: PageOrFile,
    max_size: Annotated[int, typer.Option(min=64, help="Hard cap of a chunk, in tokens.")] = _MAX_SIZE,
    target_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"What chunks are packed up to, in tokens. Default: {_TARGET_SIZE}, or the cap where that is less.",
            show_default=False,
        ),
    ] = None,
    min_size: Annotated[int, typer.Option(min=0, help="A chunk below N tokens may grow over the target.")] = 0,
    no_breadcrumb: Annotated[
        bool, typer.Option("--no-breadcrumb", help="Leave title and headings out of what is embedded and counted.")
    ] = False,
    sizes: Annotated[bool, typer.Option("--sizes", help="Only the line about each chunk, without its text.")] = False,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Show what is embedded and counted instead of the markdown.")
    ] = False,
    prefer: Prefer = "html",
    render: Render = "auto",
    robots: Robots = "obey",
    content_selector: ContentSelector = None,
    remove_selector: RemoveSelector = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the chunks that a crawl would store of one page, with their sizes and places."""

    async def work() -> None:
        options: dict[str, Any] = {
            "max_size": max_size,
            "target_size": min(_TARGET_SIZE, max_size) if target_size is None else target_size,
            "min_size": min_size,
            "include_breadcrumb": not no_breadcrumb,
        }
        MDocument.from_markdown("").chunk(**options)  # what is wrong with them is said before the page is fetched
        page = await read_page(
            url,
            prefer=prefer,
            render=render,
            robots=robots,
            content_selector=content_selector,
            remove_selector=remove_selector,
        )
        found = MDocument.from_markdown(page.markdown, page.metadata, anchors=page.anchors).chunk(**options).get_docs()
        if json:
            print_json(_document(page.url, page.metadata, options, found))
            return
        for chunk in found:
            show(_line(chunk), style="bold")
            if not sizes:
                show(f"\n{(chunk.embed_text if embedded else chunk.text).strip()}\n")
        show(_summary(found))

    run(work(), debug=debug)


def _line(chunk: Chunk) -> str:
    """Where a chunk is and how large, on one line."""
    parts = [f"{chunk.position}", f"{chunk.token_count:,} tokens", " > ".join(chunk.headings) or "(no heading)"]
    if chunk.anchor is not None:
        parts.append(f"#{chunk.anchor}")
    if chunk.languages:
        parts.append(", ".join(chunk.languages))
    return " · ".join(" ".join(part.split()) for part in parts)


def _summary(found: Sequence[Chunk]) -> str:
    sizes = [chunk.token_count for chunk in found]
    if not sizes:
        return "0 chunks"
    return (
        f"{len(sizes):,} chunks, {sum(sizes):,} tokens: smallest {min(sizes):,}, median {median(sizes):,.0f}, "
        f"largest {max(sizes):,}"
    )


def _document(
    url: str, metadata: Mapping[str, object], options: Mapping[str, object], found: Sequence[Chunk]
) -> dict[str, object]:
    return {
        "url": url,
        "metadata": metadata,
        "options": options,
        "chunks": [
            {
                "position": chunk.position,
                "tokens": chunk.token_count,
                "headings": list(chunk.headings),
                "anchor": chunk.anchor,
                "languages": list(chunk.languages),
                "span": list(chunk.span),
                "text": chunk.text,
                "embed_text": chunk.embed_text,
            }
            for chunk in found
        ],
    }
