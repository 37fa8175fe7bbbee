"""What an answer's status and headers say (pure)."""

import re
from http import HTTPStatus

from ingest.models import FetchResponse
from ingest.urls import resolve

__all__ = ["REDIRECTS", "canonical_header", "phrase", "redirect_target"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]*))?)*)")
_IS_CANONICAL = re.compile(
    r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?canonical(?:\s[^\"]*)?\"|canonical(?:$|[\s;]))", re.IGNORECASE
)


def canonical_header(response: FetchResponse) -> str | None:
    """The canonical address that a Link header names (RFC 8288, RFC 6596), or None."""
    for match in _LINK.finditer(response.headers.get("link", "")):
        if _IS_CANONICAL.search(match[2]):
            return resolve(response.url, match[1])
    return None


def phrase(status: int) -> str:
    """A status as people read it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def redirect_target(response: FetchResponse) -> str | None:
    """Where a redirect leads; None for another answer, and where there is no http or https address in it."""
    location = response.headers.get("location")
    if response.status not in REDIRECTS or location is None:
        return None
    return resolve(response.url, location)
