"""llms.txt (llmstxt.org): a site's own list of its pages, in markdown.

Its links are a source of addresses. The file itself, and `llms-full.txt` with its kin, which repeat the text of
many pages in one file, are no pages: stored beside the pages they would answer every search a second time.
"""

from collections.abc import Sequence

from ingest.charset import decode_text, media_type
from ingest.markdown_page import markdown_links

__all__ = ["is_llms_txt", "names_list", "read_llms_txt"]

MAX_LLMS_LINKS = 50_000
_LIST = "llms.txt"
_NAMES = frozenset({_LIST, "llms-full.txt", "llms-small.txt", "llms-medium.txt", "llms-ctx.txt", "llms-ctx-full.txt"})
_TYPES = frozenset({"", "text/plain", "text/markdown", "text/x-markdown"})


def is_llms_txt(address: str) -> bool:
    """True for the address of an llms.txt, llms-full.txt or one of its kin, by the file's name."""
    return _name(address) in _NAMES


def names_list(address: str) -> bool:
    """True for the address of an llms.txt, whose links are what it is read for."""
    return _name(address) == _LIST


def read_llms_txt(body: bytes, url: str, content_type: str = "") -> Sequence[str] | None:
    """The addresses that the llms.txt at `url` links to, in order; None for what is no llms.txt.

    By the format it is markdown that begins with a heading; links are taken wherever they stand. A page that is
    HTML, such as an answer for a missing file, is none.
    """
    if media_type(content_type) not in _TYPES:
        return None
    text = decode_text(body, content_type).lstrip()
    if text.startswith("<"):
        return None
    links = markdown_links(text, url)[:MAX_LLMS_LINKS]
    return links if links or text.startswith("#") else None


def _name(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[2].lower()
