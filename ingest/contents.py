"""A page's own table of contents: it says nothing that the headings do not say (pure; trees are changed)."""

import re

from selectolax.lexbor import LexborNode

from ingest.boilerplate import ANY_HEADING, link_text, names_of, text_length

__all__ = ["drop_contents"]

_NAME = re.compile(r"(?:^|[-_ ])(?:toc|contents|outline)(?:$|[-_ ])", re.IGNORECASE)
_LABEL = re.compile(r"(?:table of )?contents|on this page|in this (?:article|page|section)", re.IGNORECASE)
_LINKED = 0.5  # share of its text that is links
_REPEATED = 0.8  # share of a list's links that name the headings they lead to


def drop_contents(main: LexborNode, url: str = "") -> None:
    """Remove what is named a table of contents and is little else than links into this page, with its label; and,
    before the page's second heading, a list without a name whose links name the headings that they lead to."""
    here = url.partition("#")[0].rpartition("/")[2]
    headings = {_words(heading) for heading in main.css(ANY_HEADING)}
    seen = 0
    found: list[LexborNode] = []
    for node in main.css(f"{ANY_HEADING}, div, ul, ol, dl, aside, details, section"):
        if re.fullmatch("h[1-6]", node.tag or ""):
            seen += not _is_label(node)
        elif node.mem_id != main.mem_id:
            named = _NAME.search(names_of(node)) is not None
            listed = node.tag in ("ul", "ol") and seen < 2 and not _is_introduced(node)
            if (named or listed) and _leads_into_page(node, here) and (named or _names_headings(node, headings)):
                found.append(node)
    for node in reversed(found):
        label = _element_before(node)
        node.decompose()
        if label is not None and _is_label(label):
            label.decompose()


def _leads_into_page(node: LexborNode, here: str) -> bool:
    links = [(link.attributes.get("href") or "").partition("#") for link in node.css("a[href]")]
    inside = all(mark and address in ("", here) for address, mark, _ in links)
    if len(links) < 2 or not inside:
        return False
    return link_text(node) > _LINKED * len(_LABEL.sub("", node.text(deep=True), count=1).strip())


def _names_headings(node: LexborNode, headings: set[str]) -> bool:
    links = node.css("a[href]")
    return len(links) > 2 and sum(_words(link) in headings for link in links) >= _REPEATED * len(links)


def _is_introduced(node: LexborNode) -> bool:
    """True where a sentence comes right before a list: then it is a part of the text."""
    before = _element_before(node)
    if before is None or before.tag in ANY_HEADING.split(", "):
        return False
    return text_length(before) > 0 and not _is_label(before)


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
