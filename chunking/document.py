"""`MDocument`: a text with its metadata and anchors, cut into chunks by a named strategy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Unpack, overload

from chunking.errors import InvalidDocument, InvalidOption, NotChunked, UnknownStrategy, nearest
from chunking.models import Anchor, Chunk, Kind, Source
from chunking.options import (
    CharacterOptions,
    HtmlOptions,
    JsonOptions,
    MarkdownOptions,
    PackingOptions,
    RecursiveOptions,
    SentenceOptions,
)
from chunking.strategies import STRATEGIES
from chunking.strategy import Strategy

__all__ = ["MDocument"]

_FACTORIES: tuple[tuple[Kind, str], ...] = (
    ("markdown", "from_markdown"), ("text", "from_text"), ("html", "from_html"), ("json", "from_json"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MDocument:
    """A document on its way to chunks: `MDocument.from_markdown(md, {...}).chunk(...).get_docs()`.

    Immutable: `chunk` returns a new document. Make one with `from_markdown`, `from_text`, `from_html` or `from_json`.
    The metadata is copied onto each chunk, and its `title` heads the breadcrumb.
    """

    source: Source
    chunks: tuple[Chunk, ...] | None = None

    @classmethod
    def from_markdown(
        cls, markdown: str, metadata: Mapping[str, object] | None = None, anchors: Sequence[Anchor] = ()
    ) -> "MDocument":
        """A markdown document. `anchors` are tuples (offset in the markdown, id, heading level or None, term)."""
        return cls(_source(markdown, "markdown", metadata, anchors))

    @classmethod
    def from_text(
        cls, text: str, metadata: Mapping[str, object] | None = None, anchors: Sequence[Anchor] = ()
    ) -> "MDocument":
        """A plain text: paragraphs parted by blank lines, nothing in it is markup."""
        return cls(_source(text, "text", metadata, anchors))

    @classmethod
    def from_html(cls, html: str, metadata: Mapping[str, object] | None = None) -> "MDocument":
        """An HTML page, for the strategies html, recursive and token. `ingest.html_to_markdown` keeps more of it."""
        return cls(_source(html, "html", metadata, ()))

    @classmethod
    def from_json(cls, text: str, metadata: Mapping[str, object] | None = None) -> "MDocument":
        """A JSON document, for the strategies json, recursive and token."""
        return cls(_source(text, "json", metadata, ()))

    @overload
    def chunk(self, strategy: Literal["markdown"] = "markdown", **options: Unpack[MarkdownOptions]) -> "MDocument": ...
    @overload
    def chunk(self, strategy: Literal["recursive"], **options: Unpack[RecursiveOptions]) -> "MDocument": ...
    @overload
    def chunk(self, strategy: Literal["character"], **options: Unpack[CharacterOptions]) -> "MDocument": ...
    @overload
    def chunk(self, strategy: Literal["sentence"], **options: Unpack[SentenceOptions]) -> "MDocument": ...
    @overload
    def chunk(self, strategy: Literal["token", "latex"], **options: Unpack[PackingOptions]) -> "MDocument": ...
    @overload
    def chunk(self, strategy: Literal["html"], **options: Unpack[HtmlOptions]) -> "MDocument": ...
    @overload
    def chunk(self, strategy: Literal["json"], **options: Unpack[JsonOptions]) -> "MDocument": ...
    @overload
    def chunk(self, strategy: str, **options: object) -> "MDocument": ...
    def chunk(self, strategy: str = "markdown", **options: Any) -> "MDocument":
        """The same document with its chunks.

        `UnknownStrategy` and `InvalidOption` name what was meant; `InvalidDocument` where the strategy does not
        read such a document.
        """
        if strategy not in STRATEGIES:
            raise UnknownStrategy(f"There is no chunking strategy {strategy!r}{nearest(strategy, STRATEGIES)}")
        chosen = STRATEGIES[strategy]
        self._check_kind(strategy, chosen)
        known = [option.name for option in fields(chosen)]
        for name in options:
            if name not in known:
                raise InvalidOption(f"The {strategy} strategy has no option {name!r}{nearest(name, known)}")
        return replace(self, chunks=tuple(chosen(**options).chunks(self.source)))

    def get_docs(self) -> list[Chunk]:
        """The chunks in order; `NotChunked` where `chunk` was not called."""
        if self.chunks is None:
            raise NotChunked("This document has no chunks yet: call get_docs on what .chunk(...) returns.")
        return list(self.chunks)

    def _check_kind(self, strategy: str, chosen: type[Strategy]) -> None:
        kind = self.source.kind
        if kind in chosen.reads:
            return
        if strategy == "markdown" and kind == "html":
            remedy = "turn the page into markdown with ingest.html_to_markdown first"
        else:
            makers = [name for known, name in _FACTORIES if known in chosen.reads]
            usable = [name for name, other in STRATEGIES.items() if kind in other.reads]
            remedy = f"make the document with {' or '.join(makers)}, or use {', '.join(usable)}"
        raise InvalidDocument(f"The {strategy} strategy does not read {kind}: {remedy}.")


def _source(text: str, kind: Kind, metadata: Mapping[str, object] | None, anchors: Sequence[Anchor]) -> Source:
    return Source(text, kind, dict(metadata or {}), tuple(sorted(anchors, key=lambda anchor: anchor[0])))
