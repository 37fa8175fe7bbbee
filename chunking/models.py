"""The value that chunking produces: one chunk of a document."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Anchor", "Chunk"]

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
