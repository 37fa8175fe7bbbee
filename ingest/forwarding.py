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
_SHORT = 2_048  # bytes of a document that has nothing else than a script that sends on
_SIGN = re.compile(rb"http-equiv\s*=\s*[\"']?\s*refresh", re.IGNORECASE)
_CONTENT = re.compile(
    r"\s*(?P<seconds>\d+|(?=\.))[\d.]*(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?(?:\"([^\"]*)|'([^']*)|(.*))",
    re.IGNORECASE | re.DOTALL,
)
_SCRIPTED = re.compile(
    r"\blocation(?:\.href)?\s*=\s*([\"'])([^\"'<>]+)\1\s*(?:[;}]|$|//)"
    r"|\blocation\.(?:replace|assign)\(\s*([\"'])([^\"'<>]+)\3\s*\)",
    re.MULTILINE,
)


class Forward(NamedTuple):
    """Where a document sends its reader, and whether it does so at once, as for good."""

    target: str
    at_once: bool


def forward(response: FetchResponse) -> Forward | None:
    """Where a successful answer sends its reader instead of giving a text, or None.

    By a `meta` element whose `http-equiv` is `refresh`, also in a `noscript`, as the HTML standard reads it ("shared
    declarative refresh steps"); or by a script that sets one address and is all that there is. What loads itself anew
    sends nobody anywhere, and a page with a text is read.
    """
    body = response.body
    if not 200 <= response.status < 300 or not is_html(response.headers.get("content-type", "")):
        return None
    declared = _SIGN.search(body, 0, _HEAD) is not None
    if not declared and (len(body) > _SHORT or b"location" not in body):
        return None
    tree = LexborHTMLParser(decode_text(body, response.headers.get("content-type", "")))
    said, at_once = _declared(tree) if declared else (_scripted(tree), False)
    base = tree.css_first("base[href]")
    where = (resolve(response.url, base.attributes.get("href") or "") if base is not None else None) or response.url
    target = resolve(where, said) if said else None
    if target is None or identity(target) == identity(response.url):
        return None
    for node in tree.css("script, style, noscript, template"):
        node.decompose()
    text = tree.body.text(deep=True) if tree.body is not None else ""
    return Forward(target, at_once) if len(" ".join(text.split())) <= _FEW else None


def _declared(tree: LexborHTMLParser) -> tuple[str, bool]:
    """The address that a `meta` element names, and whether it is gone to at once."""
    meta = tree.css_first("meta[http-equiv=refresh i][content]")
    said = _CONTENT.match((meta.attributes.get("content") or "") if meta is not None else "")
    if said is None:
        return "", False
    return (said[2] or said[3] or said[4] or "").strip(), (said["seconds"] or "0") == "0"


def _scripted(tree: LexborHTMLParser) -> str:
    """The one address that the document's own scripts go to; "" where they are from elsewhere, or name another one."""
    scripts = tree.css("script")
    if any("src" in script.attributes for script in scripts):
        return ""
    found = {match[2] or match[4] for script in scripts for match in _SCRIPTED.finditer(script.text(deep=True))}
    return found.pop() if len(found) == 1 else ""


def forward_target(response: FetchResponse) -> str | None:
    """The address that `forward` tells."""
    found = forward(response)
    return found.target if found is not None else None
