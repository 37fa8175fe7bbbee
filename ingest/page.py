"""One fetched document into a `MarkdownPage` (pure: bytes in, values out, so it can run in any executor)."""

import re
from hashlib import sha256

from bs4.exceptions import ParserRejectedMarkup
from selectolax.lexbor import LexborHTMLParser

from ingest.charset import decode_text, media_type
from ingest.extract import main_node, read_document
from ingest.models import Anchor, MarkdownPage
from ingest.to_markdown import to_markdown

__all__ = ["EXTRACTOR", "content_hash", "html_to_markdown", "is_page", "read_page"]

EXTRACTOR = "1"
"""Version of what becomes of a page. Another one makes the next crawl read every page again."""

# The parser's work on nested blocks grows with the square of their depth, and nothing can stop it on the way.
_MAX_DEPTH = 10_000
_BLOCK_TAG = re.compile(
    r"<(/?)(?:address|article|aside|blockquote|center|details|dd|div|dl|dt|fieldset|figure|footer|form|header|li|main|menu"
    r"|nav|ol|section|summary|ul)\b[^<>]*>?",
    re.IGNORECASE,
)
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset({"text/markdown", "text/x-markdown", "text/plain"})


def is_page(content_type: str) -> bool:
    """True for what can be stored as a page: HTML, markdown, plain text. No content type counts as HTML."""
    kind = media_type(content_type)
    return not kind or kind in _HTML or kind in _TEXT


def read_page(body: bytes, url: str, content_type: str = "") -> MarkdownPage:
    """A fetched document as markdown: HTML is converted, markdown and plain text are kept as they are."""
    if media_type(content_type) in _TEXT:
        text = decode_text(body, content_type).replace("\r\n", "\n").strip()
        return MarkdownPage(markdown=text, title=_first_heading(text))
    return html_to_markdown(body, url, content_type)


def html_to_markdown(html: bytes | str, url: str, content_type: str = "") -> MarkdownPage:
    """Main content, anchors, metadata and links of an HTML document.

    `url` is where the document was found: links are resolved against it (or its `base`). Bytes are decoded by
    the encoding standard, `content_type` being the header's value. Boilerplate outside the main content is
    left out.
    """
    text = html if isinstance(html, str) else decode_text(html, content_type)
    tree = LexborHTMLParser(_without_abyss(text))
    document = read_document(tree, url)
    node = main_node(tree)
    markdown, anchors = "", list[Anchor]()
    if node is not None and node.html:
        try:
            markdown, anchors = to_markdown(node.html, document.base)
        except (RecursionError, ParserRejectedMarkup):
            # Elements nested hundreds deep, or markup that is none: the text is worth more.
            lines = (line.strip() for line in node.text(deep=True, separator="\n").splitlines())
            markdown = "\n\n".join(line for line in lines if line)
    return MarkdownPage(
        markdown=markdown,
        anchors=anchors,
        title=document.title,
        description=document.description,
        language=document.language,
        canonical=document.canonical,
        links=document.links,
        noindex=document.noindex,
        nofollow=document.nofollow,
    )


def _without_abyss(html: str) -> str:
    """The document, without its block elements where they are nested absurdly deep."""
    depth = deepest = 0
    for match in _BLOCK_TAG.finditer(html):
        depth = max(0, depth - 1) if match[1] else depth + 1
        deepest = max(deepest, depth)
    return html if deepest <= _MAX_DEPTH else _BLOCK_TAG.sub("\n", html)


def content_hash(page: MarkdownPage) -> str:
    """SHA-256 of what is stored of a page: equal hashes mean no change, or that two pages are one."""
    parts = [page.title, page.markdown, *(f"{anchor.offset} {anchor.id}" for anchor in page.anchors)]
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _first_heading(markdown: str) -> str:
    line = next((line for line in markdown.splitlines() if line.startswith("# ")), "")
    return line.removeprefix("# ").strip()
