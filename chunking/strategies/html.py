"""The html strategy: the text of a page by its headers, or by its sections."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from selectolax.lexbor import LexborHTMLParser, LexborNode

from chunking.breadcrumb import heading_label, under
from chunking.errors import InvalidOption
from chunking.models import Chunk, Kind, Source
from chunking.strategy import Strategy
from chunking.windows import TEXT_BREAKS, windows

__all__ = ["HtmlStrategy"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_UNSEEN = frozenset({"script", "style", "template", "-comment", "!doctype"})
_INLINE = frozenset(
    {
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i",
        "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time",
        "tt", "u", "var", "wbr",
    }
)  # fmt: skip
_CELLS = frozenset({"td", "th"})
_SPACE = re.compile(r"[ \t\r\n\f]+")
_TAG_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlStrategy(Strategy):
    """One chunk for what stands under each header, wherever it is in the tree, or in each section.

    `headers` are the elements that begin a chunk, outermost first (default h1 to h6); with `sections` instead, a
    chunk begins and ends with such an element. What is over the cap is cut as prose. Every text of the page but
    scripts, styles and templates is in a chunk. The text is not a slice of the page, so the span is (0, 0).
    """

    reads: ClassVar[frozenset[Kind]] = frozenset({"html"})

    headers: Sequence[str] = ()
    sections: Sequence[str] = ()

    def __post_init__(self) -> None:
        Strategy.__post_init__(self)
        for option, names in (("headers", self.headers), ("sections", self.sections)):
            wrong = [names] if isinstance(names, str) else [name for name in names if not _TAG_NAME.match(name)]
            if wrong:
                raise InvalidOption(f"{option} holds {wrong[0]!r}; give a list of element names, as ['h1', 'h2'].")
        if self.headers and self.sections:
            raise InvalidOption("Give headers or sections, not both.")

    def chunks(self, source: Source) -> list[Chunk]:
        page = LexborHTMLParser(source.text)
        if page.root is None:
            return []
        found = page.css_first("title")
        title = source.title or (heading_label(found.text()) if found else "")
        walk = _Walk(self.headers or (() if self.sections else _HEADINGS), self.sections)
        walk.through(page.root)
        metadata = {**source.metadata, "title": title} if title else dict(source.metadata)
        chunks: list[Chunk] = []
        for section in walk.done:
            for text, embed_text, tokens in self._cut(section, title):
                chunks.append(
                    Chunk(
                        text, embed_text, tokens, section.path, section.anchor, position=len(chunks),
                        metadata=dict(metadata),
                    )
                )  # fmt: skip
        return chunks

    def _cut(self, section: "_Section", title: str) -> Iterator[tuple[str, str, int]]:
        counter = self.counting()
        crumb = self.crumb(title, section.path, counter)
        text = section.text()

        def fits(start: int, end: int) -> bool:
            part = text[start:end]
            return max(counter.count(part), counter.count(under(crumb, part))) <= self.max_size

        for start, end in windows(text, (0, len(text)), fits, fits, TEXT_BREAKS):
            part = text[start:end]
            yield part, under(crumb, part), counter.count(under(crumb, part))


@dataclass(slots=True)
class _Section:
    path: tuple[str, ...]
    anchor: str | None
    parts: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = (line.rstrip() for line in "".join(self.parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


@dataclass(slots=True)
class _Walk:
    """A loop over the tree, not a recursion: pages nest as deep as they like."""

    headers: Sequence[str]
    sections: Sequence[str]
    done: list[_Section] = field(default_factory=list)
    path: list[tuple[int, str]] = field(default_factory=list)  # level and label
    anchor: str | None = None
    inside_pre: int = 0
    current: _Section = field(default_factory=lambda: _Section((), None))

    def through(self, root: LexborNode) -> None:
        """Take in the whole tree."""
        self.done.append(self.current)
        node: LexborNode | None = root
        while node is not None:
            seen = node.tag not in _UNSEEN
            if seen:
                self._enter(node)
            below = node.first_child if seen else None
            while below is None and node is not None:
                if node.tag not in _UNSEEN:
                    self._leave(node)
                if node.mem_id == root.mem_id:
                    return
                below = node.next
                if below is None:
                    node = node.parent
            node = below

    def _enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            parts = self.current.parts
            if not self.inside_pre:
                text = _SPACE.sub(" ", text)
                text = text.lstrip(" ") if not parts or parts[-1][-1:] in "\n\t " else text
            parts.append(text)
            return
        self.anchor = (node.attributes.get("id") if tag != "html" else None) or self.anchor
        self.inside_pre += tag in ("pre", "textarea")
        if tag in self.headers:
            level = self.headers.index(tag)
            while self.path and self.path[-1][0] >= level:
                self.path.pop()
            self.path.append((level, heading_label(node.text())))
            self._begin()
        elif tag in self.sections:
            heading = node.css_first(",".join(_HEADINGS))
            self.path.append((len(self.path), heading_label(heading.text()) if heading else ""))
            self._begin()
        self._edge(tag)

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        self.inside_pre -= tag in ("pre", "textarea")
        self._edge(tag)
        if tag in self.sections:
            self.path.pop()
            self._begin()

    def _edge(self, tag: str) -> None:
        if tag in _CELLS:
            self.current.parts.append("\t")
        elif tag not in _INLINE and tag != "-text":
            self.current.parts.append("\n")

    def _begin(self) -> None:
        self.current = _Section(tuple(label for _, label in self.path if label), self.anchor)
        self.done.append(self.current)
