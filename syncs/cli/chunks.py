"""`syncline chunks`: one page as the chunks that a crawl would store of it, or as another strategy cuts it."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Annotated

import typer

from chunking import ENCODINGS, STRATEGIES, Chunk
from syncs.cli.cutting import chunk_options, kind_for, read_document
from syncs.cli.options import Debug, Json
from syncs.cli.output import print_json, run, show
from syncs.cli.scope_options import ContentSelector, Prefer, RemoveSelector, Render, Robots
from syncs.crawl import SiteCrawlIn

__all__ = ["chunks"]

_MAX_SIZE = SiteCrawlIn.model_fields["max_size"].default
_TARGET_SIZE = SiteCrawlIn.model_fields["target_size"].default


def chunks(
    url: Annotated[
        str, typer.Argument(help="The page's URL, or an HTML, markdown, JSON or text file.", show_default=False)
    ],
    strategy: Annotated[str, typer.Option(help=f"How it is cut: {', '.join(STRATEGIES)}.")] = "markdown",
    max_size: Annotated[int, typer.Option(min=64, help="Hard cap of a chunk, in tokens.")] = _MAX_SIZE,
    target_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"What chunks are packed up to, in tokens. Default: {_TARGET_SIZE}, or the cap where that is less.",
            show_default=False,
        ),
    ] = None,
    min_size: Annotated[
        int | None, typer.Option(min=0, help="A chunk below N tokens may grow over the target.", show_default=False)
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(min=0, help="Repeat at most N tokens of the chunk before. Default: none.", show_default=False),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help=f"What counts the tokens: one of tiktoken's; {' and '.join(ENCODINGS)} need no network.")
    ] = "cl100k_base",
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
    """Print the chunks that a crawl would store of one page, with their sizes and places, or those of a strategy."""

    async def work() -> None:
        reading = {
            "prefer": prefer,
            "render": render,
            "robots": robots,
            "content_selector": content_selector,
            "remove_selector": remove_selector,
        }
        typed = {
            "max_size": max_size,
            "target_size": target_size,
            "min_size": min_size,
            "overlap": overlap,
            "encoding": encoding,
            "include_breadcrumb": not no_breadcrumb,
        }
        kind = kind_for(strategy, url, reading)
        options = chunk_options(strategy, kind, typed)
        document = await read_document(url, kind, reading)
        found = document.chunk(**options).get_docs()
        if json:
            print_json(_document(document.source.metadata, options, found))
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
    metadata: Mapping[str, object], options: Mapping[str, object], found: Sequence[Chunk]
) -> dict[str, object]:
    return {
        "url": metadata["source_url"],
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
