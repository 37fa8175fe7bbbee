"""The part of a page that is what it is about, freed of the site's frame (pure, on selectolax)."""

import re
from dataclasses import dataclass
from hashlib import sha256

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from ingest.boilerplate import (
    ANY_HEADING,
    drop_copies_of_images,
    drop_empty_boxes,
    drop_frame,
    drop_heading_above,
    drop_leading_links,
    drop_never_content,
    drop_small_frames,
    drop_update_line,
    is_site_name,
    text_length,
    thin_headers,
)
from ingest.contents import drop_contents
from ingest.errors import BadInput
from ingest.formulas import keep_sources
from ingest.line_numbers import drop_line_numbers
from ingest.nesting import ids_above, outer
from ingest.permalinks import drop_permalinks, drop_source_links
from ingest.tabs import label_panels

__all__ = ["Selectors", "main_node"]

# The containers that documentation generators use, the most telling first; the last resort is the body.
MAIN_SELECTORS = (
    "[role=main]",
    "main",
    "article",
    "div.body",
    "div.document",
    "div.rst-content",
    "#doc-content",
    "#content",
    "#main-content",
    "#main",
    ".content",
)
_TITLE_NAME = re.compile(r"(?:^|[-_ ])title(?:$|[ ])", re.IGNORECASE)
_TITLE_SHARE, _TITLE_TEXT = 0.25, 200  # how much more text a container may hold that has the page's h1 too


@dataclass(frozen=True, slots=True)
class Selectors:
    """CSS selectors (Selectors Level 4, without pseudo-elements) of a site's owner or user: what holds the content
    of a page, and what is to be removed from it. None: the page's structure decides."""

    content: str | None = None
    remove: str | None = None

    def check(self) -> "Selectors":
        """These selectors; BadInput for one that cannot be read."""
        for name, selector in (("content_selector", self.content), ("remove_selector", self.remove)):
            if selector is not None:
                try:
                    LexborHTMLParser("").css(selector)
                except SelectolaxError:
                    raise BadInput(f"{name} is {selector!r}, which is no CSS selector") from None
        return self

    @property
    def version(self) -> str:
        """A short name of the pair, "" for none: pages read with another one are read again."""
        if self.content is None and self.remove is None:
            return ""
        return "+" + sha256(f"{self.content}\0{self.remove}".encode()).hexdigest()[:12]


def main_node(
    tree: LexborHTMLParser, *, url: str = "", title: str = "", selectors: Selectors | None = None
) -> LexborNode | None:
    """The node that holds the page's content, freed of navigation, scripts and permalinks; None without one.

    `url` and `title` are the document's; they tell links into the page and the name of the site. With a content
    selector the node holds every element that matches it, in the order of the page, and None means that none does.
    The tree is changed: read links and metadata first.
    """
    body = tree.body
    if body is None:
        return None
    label_panels(tree)
    keep_sources(tree)
    if selectors is not None and selectors.remove is not None:
        for node in reversed(body.css(selectors.remove)):
            if node.mem_id != body.mem_id:
                node.decompose()
    if selectors is not None and selectors.content is not None:
        chosen = _selected(tree, body, selectors.content)
        if chosen is not None:
            drop_contents(chosen, url)
        return chosen
    linked = frozenset((node.attributes.get("href") or "")[1:] for node in tree.css("a[href^='#']"))
    drop_never_content(body)
    drop_line_numbers(body)
    drop_permalinks(body)
    chosen = _with_title(body, _choose(tree, body), title)
    thin_headers(chosen, title)
    _promote_title(tree, chosen, title)
    drop_contents(chosen, url)
    drop_source_links(chosen)
    drop_update_line(chosen)
    drop_leading_links(chosen)
    drop_heading_above(chosen, title)
    if chosen.tag == "body":
        drop_frame(body)
    drop_small_frames(chosen)
    drop_copies_of_images(chosen)
    drop_empty_boxes(chosen, linked)
    return chosen


def _selected(tree: LexborHTMLParser, body: LexborNode, selector: str) -> LexborNode | None:
    """One element that holds copies of those that match, each with what is around it taken away."""
    found = outer(body.css(selector), 1)
    holder = tree.create_node("div")
    for node in found:
        drop_never_content(node, keep=True)
        drop_line_numbers(node)
        drop_permalinks(node)
        holder.insert_child(node)
    return holder if found else None


def _with_title(body: LexborNode, main: LexborNode, title: str) -> LexborNode:
    """`main`, or the nearest element around it that has the page's h1 too, where that adds next to nothing else."""
    heading = main.css_first("h1")
    if heading is not None:
        return main
    headed = ids_above(body.css("h1"))
    node = main.parent
    while node is not None and node.tag != "html":
        if node.mem_id in headed:
            heading = node.css_first("h1")
            most = _TITLE_TEXT + (1 + _TITLE_SHARE) * text_length(main)
            wanted = text_length(node) <= most and heading is not None and not is_site_name(heading, title)
            return node if wanted else main
        node = node.parent
    return main


def _promote_title(tree: LexborHTMLParser, main: LexborNode, title: str) -> None:
    """Make an element whose class names it a title the page's h1, where it says what the document's title does."""
    node = next((node for node in main.css(f"[class*=title i], {ANY_HEADING}") if _may_be_title(node)), None)
    words = " ".join(node.text(deep=True).split()) if node is not None else ""
    if node is None or node.tag not in ("div", "p", "span"):
        return
    if words and title.endswith(words):
        heading = tree.create_node("h1")
        heading.insert_child(words)
        node.replace_with(heading)


def _may_be_title(node: LexborNode) -> bool:
    """True for a heading, and for what is named a title, by itself or as `fancy_title` or `page-title`."""
    return node.tag in ANY_HEADING.split(", ") or _TITLE_NAME.search(node.attributes.get("class") or "") is not None


def _choose(tree: LexborHTMLParser, body: LexborNode) -> LexborNode:
    """The first container that holds a fair part of the page's text: a teaser is not the content."""
    whole = text_length(body)
    for selector in MAIN_SELECTORS:
        nodes = outer(tree.css(selector))
        if not nodes:
            continue
        node = max(nodes, key=lambda node: len(node.text(deep=True)))
        text = text_length(node)
        if text and (text >= 0.5 * whole or (text >= 200 and text >= 0.2 * whole)):
            return node
    return body
