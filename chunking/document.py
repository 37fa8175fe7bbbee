"""`MDocument`: a text with its metadata and anchors, cut into chunks by a named strategy."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

from chunking.blocks import Parsed, parse_text
from chunking.errors import InvalidOption, NotChunked, UnknownStrategy
from chunking.markdown import MarkdownStrategy
from chunking.models import Anchor, Chunk
from chunking.parsing import parse_markdown
from chunking.tokens import TokenCounter

__all__ = ["ChunkOptions", "MDocument"]

_STRATEGIES = ("markdown",)


class ChunkOptions(TypedDict, total=False):
    """What `MDocument.chunk` can be told; sizes are tokens."""

    max_size: int  # cap of `text` and of `embed_text`; default 8190, at least 64
    target_size: int | None  # what packing aims for; default None: the cap
    min_size: int  # a chunk below it may grow over the target; default 0
    include_breadcrumb: bool  # title and headings in `embed_text`; default True
    counter: TokenCounter  # default: tiktoken's cl100k_base


@dataclass(frozen=True, slots=True)
class MDocument:
    """A document on its way to chunks: `MDocument.from_markdown(md, {...}).chunk(...).get_docs()`.

    Immutable: `chunk` returns a new document. Make one with `from_markdown` or `from_text`.
    """

    parsed: Parsed
    metadata: Mapping[str, object] = field(default_factory=dict)
    anchors: Sequence[Anchor] = ()
    chunks: tuple[Chunk, ...] | None = None

    @classmethod
    def from_markdown(
        cls, markdown: str, metadata: Mapping[str, object] | None = None, anchors: Sequence[Anchor] = ()
    ) -> "MDocument":
        """A markdown document.

        `metadata` is copied onto each chunk, and its `title` heads the breadcrumb; `anchors` are tuples
        (offset in the markdown, id, heading level or None, term).
        """
        return cls(parse_markdown(markdown), dict(metadata or {}), tuple(anchors))

    @classmethod
    def from_text(
        cls, text: str, metadata: Mapping[str, object] | None = None, anchors: Sequence[Anchor] = ()
    ) -> "MDocument":
        """A plain text: paragraphs parted by blank lines, nothing in it is markup."""
        return cls(parse_text(text), dict(metadata or {}), tuple(anchors))

    def chunk(self, strategy: str = "markdown", **options: Unpack[ChunkOptions]) -> "MDocument":
        """The same document with its chunks. `UnknownStrategy` or `InvalidOption` name what was meant."""
        if strategy not in _STRATEGIES:
            hint = _nearest(strategy, _STRATEGIES)
            raise UnknownStrategy(f"There is no chunking strategy {strategy!r}{hint}.")
        known = tuple(ChunkOptions.__annotations__)
        for name in options:
            if name not in known:
                raise InvalidOption(f"The {strategy} strategy has no option {name!r}{_nearest(name, known)}.")
        chunks = MarkdownStrategy(**options).chunks(self.parsed, self.anchors, self.metadata)
        return replace(self, chunks=tuple(chunks))

    def get_docs(self) -> list[Chunk]:
        """The chunks in order; `NotChunked` where `chunk` was not called."""
        if self.chunks is None:
            raise NotChunked("This document has no chunks yet: call get_docs on what .chunk(...) returns.")
        return list(self.chunks)


def _nearest(name: str, known: Sequence[str]) -> str:
    """A suggestion to end an error message with: the nearest known name, else all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(known)}"
