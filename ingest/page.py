"""One fetched document into a `MarkdownPage` (pure: bytes in, values out, so it can run in any executor)."""

from dataclasses import replace
from hashlib import sha256

from selectolax.lexbor import LexborHTMLParser

from ingest.boilerplate import ANY_HEADING
from ingest.charset import decode_text, media_type
from ingest.extract import Selectors, main_node
from ingest.kept import count_text, kept_of_html, kept_of_markdown
from ingest.markdown_page import read_markdown
from ingest.metadata import page_title, read_document
from ingest.models import Anchor, MarkdownPage
from ingest.nesting import without_abyss
from ingest.to_markdown import MarkdownRules, to_markdown

__all__ = ["EXTRACTOR", "content_hash", "html_to_markdown", "is_html", "is_page", "read_page"]

EXTRACTOR = "5"
"""Version of what becomes of a page. Another one makes the next crawl read every page again."""

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset({"text/markdown", "text/x-markdown", "text/plain"})


def is_html(content_type: str) -> bool:
    """True for HTML, of which the scripts may be run. No content type counts as HTML."""
    kind = media_type(content_type)
    return not kind or kind in _HTML


def is_page(content_type: str) -> bool:
    """True for what can be stored as a page: HTML, markdown, plain text. No content type counts as HTML."""
    return is_html(content_type) or media_type(content_type) in _TEXT


def read_page(body: bytes, url: str, content_type: str = "", selectors: Selectors | None = None) -> MarkdownPage:
    """A fetched document as markdown: HTML is converted, markdown and plain text are kept as they are."""
    if media_type(content_type) in _TEXT:
        page = read_markdown(decode_text(body, content_type), url)
        return replace(page, kept=kept_of_markdown(page.markdown))
    return _converted(decode_text(body, content_type), url, selectors)


def html_to_markdown(
    html: bytes | str,
    url: str,
    content_type: str = "",
    *,
    content_selector: str | None = None,
    remove_selector: str | None = None,
    rules: type[MarkdownRules] | None = None,
) -> MarkdownPage:
    """Main content, anchors, metadata and links of an HTML document.

    `url` is where the document was found: links are resolved against it (or its `base`). Bytes are decoded by
    the encoding standard, `content_type` being the header's value. Boilerplate outside the main content is
    left out. What matches the CSS selector `content_selector` is the content instead (nothing, where nothing
    does), and what matches `remove_selector` is taken away. `rules` is a subclass of `MarkdownRules` whose methods
    say what becomes of each tag. Raises BadInput for a selector that is none.
    """
    text = html if isinstance(html, str) else decode_text(html, content_type)
    return _converted(text, url, Selectors(content_selector, remove_selector).check(), rules)


def _converted(
    html: str, url: str, selectors: Selectors | None, rules: type[MarkdownRules] | None = None
) -> MarkdownPage:
    tree = LexborHTMLParser(without_abyss(html))
    document = read_document(tree, url)
    text = count_text(tree.body, scripts=True) if tree.body is not None else 0
    node = main_node(tree, url=url, title=document.title, selectors=selectors)
    markdown, anchors, heading = "", list[Anchor](), ""
    if node is not None:
        first = node.css_first(ANY_HEADING)
        heading = " ".join(first.text(deep=True).split()) if first is not None else ""
        markdown, anchors = to_markdown(node, document.base, rules)
    return MarkdownPage(
        markdown=markdown,
        anchors=anchors,
        title=page_title(document.title, heading) or heading,
        description=document.description,
        language=document.language,
        canonical=document.canonical,
        breadcrumb=document.breadcrumb,
        modified=document.modified,
        generator=document.generator,
        links=document.links,
        noindex=document.noindex,
        nofollow=document.nofollow,
        markdown_copy=document.markdown_copy,
        kept=kept_of_html(markdown, text, node, None if selectors is not None and selectors.content else tree.body),
    )


def content_hash(page: MarkdownPage) -> str:
    """SHA-256 of what is stored of a page: equal hashes mean no change, or that two pages are one."""
    parts = [page.title, page.markdown, *(f"{anchor.offset} {anchor.id}" for anchor in page.anchors)]
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
