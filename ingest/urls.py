"""Addresses by the URL standard (WHATWG), and the one normal form that is a page's identity (promise C5).

An *address* is what is sent to the server: absolute, http or https, without fragment, as the page wrote it.
An *identity* is what addresses of one page have in common (RFC 3986 section 6): it is compared and stored,
not sent. A page of a local folder has a `file:` address; only links of such pages lead to such addresses.
"""

import re
from typing import NamedTuple

from ada_url import URL

from ingest.errors import BadInput

__all__ = [
    "MAX_URL_LENGTH",
    "Origin",
    "check_url",
    "identity",
    "is_local",
    "origin",
    "parse",
    "resolve",
    "same_host",
    "site",
]

MAX_URL_LENGTH = 8192
"""Longest address that is taken up, in characters."""

_SCHEMES = frozenset({"http:", "https:"})
_DEFAULT_PORTS = (("http:", 80), ("https:", 443), ("file:", 0))

# Parameters that advertising and mail tools add to a link; they never choose the content.
_TRACKING = re.compile(
    r"(?:utm_\w+|gclid|gclsrc|dclid|gbraid|wbraid|gad_source|gad_campaignid|srsltid|_ga|_gl|fbclid|igsh|igshid"
    r"|msclkid|twclid|ttclid|li_fat_id|epik|yclid|ysclid|_openstat|mc_cid|mc_eid|mkt_tok|vero_id|vero_conv"
    r"|oly_anon_id|oly_enc_id|hsa_\w+|_hsenc|_hsmi|__hstc|__hssc|__hsfp|hsctatracking|wickedid|rb_clickid|s_kwcid"
    r"|ef_id|mtm_\w+|pk_\w+|piwik_\w+)",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d)")


class Origin(NamedTuple):
    """Scheme (without colon), host and port of an address."""

    scheme: str
    host: str
    port: int


def parse(text: str) -> str | None:
    """The address that `text` is; None if it is no absolute http or https URL that a crawl may follow."""
    return resolve(None, text)


def resolve(base: str | None, href: str) -> str | None:
    """The address that a link `href` on the page `base` leads to, without its fragment.

    None if it is no http or https URL, or holds a user name or password: those are never sent because a page
    says so. On a page of a local folder, and only there, a link may lead to a `file:` address (without a host).
    """
    url = _url(href, base)
    if url is None or url.username or url.password:
        return None
    local = url.protocol == "file:" and not url.host and base is not None and is_local(base)
    if url.protocol not in _SCHEMES and not local:
        return None
    return url.href.partition("#")[0]


def is_local(address: str) -> bool:
    """True for the address of a file of this machine."""
    return address[:5].lower() == "file:"


def identity(address: str) -> str:
    """The normal form of an address: equal for two spellings of one page, and its own normal form.

    RFC 3986 section 6: case of scheme, host and escapes, unreserved characters unescaped, dot segments,
    default port, empty path. Tracking parameters and an empty query are dropped, the order of the others is
    kept. Trailing slash and index.html are never guessed.
    """
    url = _url(address, None)
    if url is None:
        raise BadInput(f"not an address: {_shown(address)!r}")
    before, _, query = url.href.partition("#")[0].partition("?")
    kept = [part for part in query.split("&") if part and not _TRACKING.fullmatch(part.partition("=")[0])]
    return _ESCAPE.sub(_normal_escape, "?".join([before, "&".join(kept)] if kept else [before]))


def origin(address: str) -> Origin:
    """Scheme, host (an IPv6 one without brackets) and port of an address."""
    url = URL(address)
    port = int(url.port) if url.port else dict(_DEFAULT_PORTS)[url.protocol]
    return Origin(url.protocol[:-1], url.hostname.strip("[]"), port)


def same_host(a: str, b: str) -> bool:
    """True where two addresses are of one site: same host and port, where http and https, and `www.` or not,
    are one. A port other than the scheme's own is part of the host."""
    return site(a) == site(b)


def site(address: str) -> tuple[str, str]:
    """What `same_host` compares: the host without `www.`, and a port that is not the scheme's own ("" else)."""
    url = URL(address)
    return url.hostname.removeprefix("www."), url.port


def check_url(text: str) -> str:
    """The address that a user typed; `BadInput` with one sentence and, if there is one, the remedy."""
    typed = text.strip()
    if not typed:
        raise BadInput("the URL is empty; give one such as https://docs.example.org/")
    if len(typed) > MAX_URL_LENGTH:
        raise BadInput(f"the URL has {len(typed):,} characters; at most {MAX_URL_LENGTH:,} are taken")
    scheme = _SCHEME.match(typed)
    if scheme is None or (typed[scheme.end() : scheme.end() + 1] != "/" and "." in scheme[1]):
        raise BadInput(_without_scheme(typed))
    if scheme[1].lower() not in ("http", "https"):
        raise BadInput(f"{_shown(typed)} has the scheme {scheme[1]}; only http and https can be crawled")
    url = _url(typed, None)
    if url is None:
        host = typed[scheme.end() :].strip("/\\")
        what = "is not a valid URL: check its host and port" if host and host[0] not in "?#:" else "has no host"
        raise BadInput(f"{_shown(typed)} {what}")
    if url.username or url.password:
        raise BadInput(f"the URL of {url.host} holds a user name or password; give it without")
    address = url.href.partition("#")[0]
    if len(address) > MAX_URL_LENGTH:
        raise BadInput(f"the URL has {len(address):,} encoded characters; at most {MAX_URL_LENGTH:,} are taken")
    return address


def _url(text: str, base: str | None) -> URL | None:
    try:
        return URL(text, base)
    except ValueError:  # not a URL; a lone surrogate is a ValueError, too
        return None


def _normal_escape(match: re.Match[str]) -> str:
    digits = match[1]
    if digits is None:
        return "%25"
    character = chr(int(digits, 16))
    return character if character in _UNRESERVED else f"%{digits.upper()}"


def _without_scheme(typed: str) -> str:
    if typed.startswith(("/", ".", "\\")):
        return f"{_shown(typed)} is not a URL; give one such as https://docs.example.org/"
    rest = typed.lstrip(":/")
    local = re.match(r"(localhost|127\.|\[|10\.|192\.168\.)", rest, re.IGNORECASE)
    return f"{_shown(typed)} has no scheme; did you mean {'http' if local else 'https'}://{_shown(rest)} ?"


def _shown(text: str) -> str:
    """`text` as an error may print it: shortened, without control characters and without credentials."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    bare = re.sub(r"(^[^/]*//|^).*@", r"\1***@", printable)
    return bare if len(bare) <= 200 else f"{bare[:200]}…"
