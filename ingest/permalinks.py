"""Links of a page that are tools and no text: to the place where they stand, to edit the page, to its source (pure, on
selectolax; trees are changed)."""

import re

from selectolax.lexbor import LexborNode

from ingest.nesting import outer

__all__ = ["drop_permalinks", "drop_source_links"]

_PERMALINK = re.compile(r"^[\s¶#§🔗◆ⓘ\u200b\uf0c1]*$")
_NAMED_PERMALINKS = "a.headerlink, a.anchorjs-link, a.hash-link, a.anchor-link, a.header-anchor, a.permalink"
_BESIDE = ", ".join(f"h{level}[id] + a[href^='#']" for level in range(1, 7))
_PERMALINK_WORDS = re.compile(
    r"perma(?:nent )?link|\blink (?:to|for) |\blink here\b|\bcopy (?:the )?link\b|\banchor (?:link|for)\b"
    r"|\bnavigate to header\b",
    re.IGNORECASE,
)
_SOURCE_WORDS = re.compile(
    r"\W*(?:(?:edit|improve|view|show|suggest)\b.{0,30}\b(?:page|source|edits?|github|gitlab|bitbucket|json)"
    r"|report (?:an? )?(?:bug|issue|problem)|edit|source(?: code)?|src)\W*",
    re.IGNORECASE,
)
_SOURCE_ADDRESS = re.compile(
    r"/(?:edit|blob|tree|raw|_sources|issues/new)(?:/|$|\?)|\.(?:md|mdx|rst|adoc|txt|json)$", re.IGNORECASE
)


def drop_permalinks(root: LexborNode) -> None:
    """Remove links to a place on the page whose text is a sign, and links beside a heading to that heading; where an id
    is on one, it stays, empty, to carry it. Of a link around a heading or term to itself the text stays."""
    for node in reversed(root.css(_NAMED_PERMALINKS)):
        words = node.text(deep=True)
        around = node.parent.text(deep=True) if node.parent is not None else ""
        beside = len(around.strip()) > len(words.strip())
        if _PERMALINK.match(words) or (beside and _PERMALINK_WORDS.search(words)):
            node.decompose()
        elif node.attributes.get("id") is None:
            node.unwrap()
    for node in root.css("dt[id] > a[href^='#']"):
        parent = node.parent
        if parent is not None and node.attributes.get("href") == f"#{parent.attributes.get('id')}":
            node.unwrap()
    for node in root.css(_BESIDE):
        heading = node.prev
        while heading is not None and not heading.is_element_node:
            heading = heading.prev
        if heading is not None and node.attributes.get("href") == f"#{heading.attributes.get('id')}":
            node.decompose()
    for node in root.css("a[href^='#']"):
        if not _PERMALINK.match(node.text(deep=True)) or node.css_first("img") is not None:
            continue
        if not node.attributes.get("id"):
            node.decompose()
            continue
        for child in list(node.iter(include_text=True)):
            child.decompose()


def drop_source_links(main: LexborNode) -> None:
    """Remove links to edit the page or to see its source, by their words and by where they lead; and labels of switches
    that show it."""
    for node in reversed(outer(main.css("a[href], label"))):
        words = node.text(deep=True)
        if len(words) < 80 and _SOURCE_WORDS.fullmatch(words.strip()):
            address = (node.attributes.get("href") or "").partition("#")[0]
            if node.tag == "label" or _SOURCE_ADDRESS.search(address):
                node.decompose()
