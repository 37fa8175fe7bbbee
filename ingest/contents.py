"""A page's own table of contents: it says nothing that the headings do not say (pure; trees are changed)."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from ingest.boilerplate import ANY_HEADING, link_text, names_of, text_length
from ingest.nesting import outer

__all__ = ["drop_contents"]

_NAME = re.compile(r"(?:^|[-_ ])(?:toc|contents|outline)(?:$|[-_ ])", re.IGNORECASE)
_LABEL = re.compile(r"(?:table of )?contents|on this page|in this (?:article|page|section)", re.IGNORECASE)
_HEADINGS = frozenset(ANY_HEADING.split(", "))
_LINKED = 0.5  # share of its text that is links
_REPEATED = 0.8  # share of a list's links that name the headings they lead to


def drop_contents(main: LexborNode, url: str = "") -> None:
    """Remove what is named a table of contents and is little else than links into this page, with its label; and,
    before the page's second heading, a list without a name whose links name the headings that they lead to."""
    here = url.partition("#")[0].rpartition("/")[2]
    headings = {_words(heading) for heading in outer(main.css(ANY_HEADING))}
    candidates = outer(_candidates(main))
    before = {node.mem_id: _element_before(node) for node in candidates}
    looked_at = {label.mem_id for label in outer(filter(None, before.values()))}
    found: list[LexborNode] = []
    for node in candidates:
        named, label = _is_named(node), before[node.mem_id]
        if not named and label is not None and (label.mem_id not in looked_at or _introduces(label)):
            continue
        if _leads_into_page(node, here) and (named or _names_headings(node, headings)):
            found.append(node)
    for node in reversed(found):
        label = _element_before(node)
        node.decompose()
        if label is not None and _is_label(label):
            label.decompose()


def _candidates(main: LexborNode) -> Iterator[LexborNode]:
    """What is named a table of contents, and the lists before the second heading."""
    seen = 0
    for node in main.css(f"{ANY_HEADING}, div, ul, ol, dl, aside, details, section"):
        if node.tag in _HEADINGS:
            seen += seen < 2 and not _is_label(node)
        elif node.mem_id != main.mem_id and (_is_named(node) or (node.tag in ("ul", "ol") and seen < 2)):
            yield node


def _is_named(node: LexborNode) -> bool:
    return _NAME.search(names_of(node)) is not None


def _leads_into_page(node: LexborNode, here: str) -> bool:
    links = [(link.attributes.get("href") or "").partition("#") for link in node.css("a[href]")]
    inside = all(mark and address in ("", here) for address, mark, _ in links)
    if len(links) < 2 or not inside:
        return False
    return link_text(node) > _LINKED * len(_LABEL.sub("", node.text(deep=True), count=1).strip())


def _names_headings(node: LexborNode, headings: set[str]) -> bool:
    links = node.css("a[href]")
    return len(links) > 2 and sum(_words(link) in headings for link in links) >= _REPEATED * len(links)


def _introduces(before: LexborNode) -> bool:
    """True for a sentence right before a list, which makes that a part of the text."""
    return before.tag not in _HEADINGS and text_length(before) > 0 and not _is_label(before)


def _is_label(node: LexborNode) -> bool:
    return _LABEL.fullmatch(" ".join(node.text(deep=True).split()).rstrip(": ")) is not None


def _element_before(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and not before.is_element_node:
        before = before.prev
    return before


def _words(node: LexborNode) -> str:
    """The words of a heading or of a link to it, without the number of a section before them."""
    return re.sub(r"^[\W\d.]+|\W+$", "", " ".join(node.text(deep=True).split())).casefold()
