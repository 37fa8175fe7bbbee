"""Documents that have nothing to say but where to go on: what is put in the place of pages that moved (pure)."""

import re
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser

from ingest.charset import decode_text
from ingest.models import FetchResponse
from ingest.page import is_html
from ingest.urls import identity, resolve

__all__ = ["Forward", "forward", "forward_target"]

_HEAD = 16_384  # bytes in which it stands, if it does
_FEW = 600  # characters of text that such a document has at most
_SIGN = re.compile(rb"http-equiv\s*=\s*[\"']?\s*refresh", re.IGNORECASE)
_CONTENT = re.compile(
    r"\s*(?P<seconds>\d+|(?=\.))[\d.]*(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?(?:\"([^\"]*)|'([^']*)|(.*))",
    re.IGNORECASE | re.DOTALL,
)


class Forward(NamedTuple):
    """Where a document sends its reader, and whether it does so at once, as for good."""

    target: str
    at_once: bool


def forward(response: FetchResponse) -> Forward | None:
    """Where a successful answer sends its reader instead of giving a text, or None.

    By a `meta` element whose `http-equiv` is `refresh`, also in a `noscript`, as the HTML standard reads it ("shared
    declarative refresh steps"). One that loads the page itself anew sends nobody anywhere, and a page with a text is
    read.
    """
    if not 200 <= response.status < 300 or not is_html(response.headers.get("content-type", "")):
        return None
    if _SIGN.search(response.body, 0, _HEAD) is None:
        return None
    tree = LexborHTMLParser(decode_text(response.body, response.headers.get("content-type", "")))
    meta = tree.css_first("meta[http-equiv=refresh i][content]")
    said = _CONTENT.match((meta.attributes.get("content") or "") if meta is not None else "")
    base = tree.css_first("base[href]")
    where = (resolve(response.url, base.attributes.get("href") or "") if base is not None else None) or response.url
    target = resolve(where, (said[2] or said[3] or said[4] or "").strip()) if said is not None else None
    if said is None or target is None or identity(target) == identity(response.url):
        return None
    for node in tree.css("script, style, noscript, template"):
        node.decompose()
    text = tree.body.text(deep=True) if tree.body is not None else ""
    return Forward(target, (said["seconds"] or "0") == "0") if len(" ".join(text.split())) <= _FEW else None


def forward_target(response: FetchResponse) -> str | None:
    """The address that `forward` tells."""
    found = forward(response)
    return found.target if found is not None else None
