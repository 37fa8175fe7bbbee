"""One HTML tree: its links, its metadata, and the node that holds its content (pure, on selectolax)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.robots import robots_rules
from ingest.urls import resolve

__all__ = ["Document", "main_node", "read_document"]

# The containers that documentation generators use, the most telling first; the last resort is the body.
MAIN_SELECTORS = (
    "[role=main]",
    "main",
    "article",
    "div.body",
    "div.document",
    "div.rst-content",
    "#content",
    "#main-content",
    "#main",
    ".content",
)
NEVER_CONTENT = (
    "script, style, template, noscript, noframes, noembed, nav, iframe, object, embed, canvas, input, "
    "select, textarea, dialog, [role=navigation], [role=search], [role=banner], [role=contentinfo], "
    "[aria-hidden=true], "
    "[hidden]:not([role=tabpanel]):not([hidden=until-found]), form:not(:has(h1, h2, h3, p, pre)), "
    "button:not(:is(h1, h2, h3, h4, h5, h6, summary) button), "
    "a.headerlink, a.anchorjs-link, a.hash-link, a.anchor-link, a.header-anchor, a.permalink, "
    "a.viewcode-link, .sphinxsidebar, .sidebar:not(:has(.sidebar-title)), .toctree-wrapper.compound.hidden, "
    ".breadcrumbs, .breadcrumb, .related, .prev-next-area, "
    ".md-source-file, .md-content__button, .theme-doc-footer, .edit-this-page, .cookie-banner, .copybtn, "
    ".linenodiv, td.linenos, td.gutter, td.rouge-gutter, pre .linenos, pre .lineno, .lnt, pre .ln, "
    ".line-numbers-rows"
)
# Where no container is marked, what has these names is the site's frame, unless it holds headings or prose.
_FRAME_NAME = re.compile(
    r"(?:^|[-_ ])(?:nav\w*|menu\w*|\w*menu|header|footer|sidebar|banner|toolbar|topbar|masthead|search\w*)"
    r"(?:$|[-_ ])",
    re.IGNORECASE,
)
_FRAME_LINKS = 0.5  # share of a frame's text that is links
_FRAME_TEXT = 400  # characters: a frame without links is short
_REST_TEXT = 120  # characters: what a header keeps beside its menus, a logo and a motto
_TITLE_SHARE, _TITLE_TEXT = 0.25, 200  # how much more text a container may hold that has the page's h1 too
# Links, and their share of the text, that make a block without a name a menu.
_MENU_LINKS, _MENU_SHARE = 8, 0.8
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_ANY_HEADING = ", ".join(_HEADINGS)
_CONTENTS_NAME = re.compile(r"(?:^|[-_ ])(?:toc|contents)(?:$|[-_ ])", re.IGNORECASE)
_PERMALINK = re.compile(r"^[\s¶#§🔗\u200b]*$")


@dataclass(frozen=True, slots=True)
class Document:
    """What a page says about itself, before its content is read."""

    title: str
    description: str
    language: str
    canonical: str | None
    base: str
    links: Sequence[str]
    noindex: bool
    nofollow: bool


def read_document(tree: LexborHTMLParser, url: str) -> Document:
    """Metadata and links of a parsed page. Links are absolute, without fragment, in order, each once."""
    base = _attribute(tree, "base[href]", "href")
    base_url = resolve(url, base) or url if base else url
    rules = frozenset[str]().union(
        *(
            robots_rules(node.attributes.get("content") or "")
            for node in tree.css("meta[name]")
            if (node.attributes.get("name") or "").lower() in ("robots", "syncline")
        )
    )
    canonical = _attribute(tree, "link[rel~=canonical][href]", "href")
    return Document(
        title=_title(tree),
        description=(_attribute(tree, "meta[name=description]", "content") or "").strip(),
        language=(_attribute(tree, "html", "lang") or "").strip(),
        canonical=resolve(base_url, canonical) if canonical else None,
        base=base_url,
        links=tuple(_links(tree, base_url)),
        noindex=not rules.isdisjoint(("noindex", "none")),
        nofollow=not rules.isdisjoint(("nofollow", "none")),
    )


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str | None:
    node = tree.css_first(selector)
    return node.attributes.get(name) if node is not None else None


def _title(tree: LexborHTMLParser) -> str:
    """The document's title, else its first h1; runs of white space as one space."""
    for selector in ("head title", "h1"):
        node = tree.css_first(selector)
        if node is not None:
            text = " ".join(node.text(deep=True).split()).rstrip("¶ ")
            if text:
                return text
    return ""


def _links(tree: LexborHTMLParser, base_url: str) -> Iterator[str]:
    # Pages hold thousands of links, most to the same few pages: they are told apart before they are resolved.
    written: set[str] = set()
    seen: set[str] = set()
    for node in tree.css("a[href], area[href], frame[src], iframe[src]"):
        attributes = node.attributes
        if "nofollow" in (attributes.get("rel") or "").lower().split():
            continue
        target = attributes.get("href") or attributes.get("src")
        if not target:
            continue
        target = target.partition("#")[0].strip()
        if not target or target in written:
            continue
        written.add(target)
        address = resolve(base_url, target)
        if address is not None and address not in seen:
            seen.add(address)
            yield address


def main_node(tree: LexborHTMLParser) -> LexborNode | None:
    """The node that holds the page's content, freed of navigation, scripts and permalinks; None without one.

    The tree is changed: read links and metadata first.
    """
    body = tree.body
    if body is None:
        return None
    # From the end, so that nothing is touched whose parent is gone already.
    for node in reversed(tree.css(NEVER_CONTENT)):
        if node.tag not in ("html", "body"):
            node.decompose()
    for node in tree.css("a[href^='#']"):
        if _PERMALINK.match(node.text(deep=True)) and node.css_first("img") is None:
            _drop_permalink(node)
    chosen = _with_title(_choose(tree, body))
    _drop_contents(chosen)
    _drop_leading_links(chosen)
    if chosen.tag == "body":
        _drop_frame(body)
    return chosen


def _drop_permalink(node: LexborNode) -> None:
    """Remove the link's sign; where the heading's id is on the link, the empty link stays to carry it."""
    if not node.attributes.get("id"):
        node.decompose()
        return
    for child in list(node.iter(include_text=True)):
        child.decompose()


def _with_title(main: LexborNode) -> LexborNode:
    """`main`, or the nearest element around it that has the page's h1 too, where that adds next to nothing else."""
    most = _TITLE_TEXT + (1 + _TITLE_SHARE) * _text_length(main)
    node: LexborNode | None = main
    while node is not None and node.tag != "html":
        if node.css_first("h1") is not None:
            return node if _text_length(node) <= most else main
        node = node.parent
    return main


def _drop_leading_links(main: LexborNode) -> None:
    """Remove lists of links that come before the first heading: a site's menu that nothing names as one."""
    rest = _text_length(main)
    found: list[LexborNode] = []
    level = main.child
    while level is not None:
        if level.tag in _HEADINGS:
            break
        if level.css_first(_ANY_HEADING) is not None:
            level = level.child
            continue
        text = _text_length(level) if level.is_element_node else 0
        if text and len(level.css("a[href]")) >= _MENU_LINKS and _link_text(level) > _MENU_SHARE * text:
            found.append(level)
            rest -= text
        level = level.next
    if level is not None and rest > _FRAME_TEXT:
        for node in found:
            node.decompose()


def _drop_contents(main: LexborNode) -> None:
    """Remove the page's own table of contents: named as one, and little else than links into this page."""
    found: list[LexborNode] = []
    for node in main.css("div, ul, ol, aside, details"):
        if node.mem_id == main.mem_id or not _CONTENTS_NAME.search(_names(node)):
            continue
        links = node.css("a[href]")
        inside = all((link.attributes.get("href") or "").startswith("#") for link in links)
        if len(links) > 1 and inside and _link_text(node) > _FRAME_LINKS * _text_length(node):
            found.append(node)
    for node in reversed(found):
        node.decompose()


def _drop_frame(body: LexborNode) -> None:
    """Remove what is named like a menu, a header or a footer and holds links or little text, but no heading;
    and what is left around it where that is next to nothing."""
    thinned: set[int] = set()
    for node in reversed(body.css("header, footer, aside, div, ul, ol, table, section, p")):
        parent = node.parent
        named = node.tag in ("header", "footer", "aside") or _FRAME_NAME.search(_names(node))
        if not named and node.mem_id not in thinned:
            continue
        if node.css_first(f"{_ANY_HEADING}, pre") is not None:
            continue
        text = _text_length(node)
        if (named and (text < _FRAME_TEXT or _link_text(node) > _FRAME_LINKS * text)) or text < _REST_TEXT:
            node.decompose()
            if parent is not None and parent.mem_id != body.mem_id:
                thinned.add(parent.mem_id)


def _names(node: LexborNode) -> str:
    return f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"


def _text_length(node: LexborNode) -> int:
    return len(node.text(deep=True).strip())


def _link_text(node: LexborNode) -> int:
    return sum(_text_length(link) for link in node.css("a"))


def _choose(tree: LexborHTMLParser, body: LexborNode) -> LexborNode:
    """The first container that holds a fair part of the page's text: a teaser is not the content."""
    whole = _text_length(body)
    for selector in MAIN_SELECTORS:
        nodes = tree.css(selector)
        if not nodes:
            continue
        node = max(nodes, key=lambda node: len(node.text(deep=True)))
        text = _text_length(node)
        if text and (text >= 0.5 * whole or (text >= 200 and text >= 0.2 * whole)):
            return node
    return body
