"""What chunking takes and produces: a source, and the chunks of it."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Anchor", "Chunk", "Kind", "Source"]

Kind = Literal["markdown", "text", "html", "json"]
"""What a document is written in."""

Anchor = tuple[int, str, int | None, str]
"""A place that a URL fragment can point at: (offset in the markdown, id, heading level or None, term)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a document, small enough for the cap it was cut with.

    `text` is a slice of the source, with the fence or table header repeated where a block was cut;
    `embed_text` is the breadcrumb and a plain rendering of the text: what is embedded, counted and indexed.
    """

    text: str
    embed_text: str
    token_count: int  # of embed_text, by the counter that the document was cut with
    headings: tuple[str, ...] = ()  # from the h1 down, then the term of an anchored item; without the title
    anchor: str | None = None  # the nearest anchor at or before the first character; None where there is none
    languages: tuple[str, ...] = ()  # of the code inside, lower case, in order of appearance
    span: tuple[int, int] = (0, 0)  # start and end in the source, in characters
    position: int = 0  # 0 for the first chunk of the document
    metadata: Mapping[str, object] = field(default_factory=dict)  # the document's; see MDocument


@dataclass(frozen=True, slots=True)
class Source:
    """A document before it is cut. Its metadata goes onto each chunk, and its `title` heads the breadcrumb."""

    text: str
    kind: Kind
    metadata: Mapping[str, object] = field(default_factory=dict)
    anchors: Sequence[Anchor] = ()

    @property
    def title(self) -> str:
        """The title in the metadata; empty where that is no text."""
        title = self.metadata.get("title")
        return title if isinstance(title, str) else ""

    def anchor_at(self, span: tuple[int, int]) -> str | None:
        """The id of the nearest anchor at or before the first non-space character of a span."""
        start, end = span
        first = end - len(self.text[start:end].lstrip())
        before = bisect_right(self.anchors, first, key=lambda anchor: anchor[0])
        while before and not self.anchors[before - 1][1]:
            before -= 1
        return self.anchors[before - 1][1] if before else None
