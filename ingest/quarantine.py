"""Answers that are not the page that was asked for: challenges, logins, empty shells, soft 404s (promise C8).

Pure, and in doubt for the page: what is documentation about challenges, logins or "404 Not Found" has prose,
so all signs but a mitigation header count only where there is next to no text, and a soft 404 must in addition
look like the answer to an address that cannot exist.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from ingest.charset import sniff_encoding
from ingest.models import FetchResponse, MarkdownPage

__all__ = [
    "LEAST",
    "Finding",
    "challenge",
    "login_redirect",
    "looks_missing",
    "needs_scripts",
    "not_a_page",
    "same_text",
]

_START = 1_445  # bytes by which the kind of a resource is told (MIME Sniffing standard, "resource header")
_BINARY = bytes([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])
_HEAD = 65_536  # bytes of a document in which signs are looked for
_FEW = 600  # characters of text that a challenge, a login form or a shell has at most
LEAST = 200  # characters of text that a page has which does without JavaScript
_HARDLY_ANY = 40  # characters of text that no page has which has anything to say
_SHORT = 2_000  # characters of text that a page may have which says that there is none
_ALIKE = 0.8  # share of words that two answers have in common where they are one template

# Headers by which a gateway says that it answers instead of the site; `None`: any value.
_MITIGATED: tuple[tuple[str, frozenset[str] | None, str], ...] = (
    ("cf-mitigated", frozenset({"challenge"}), "Cloudflare"),
    ("x-vercel-mitigated", frozenset({"challenge", "deny"}), "Vercel"),
    ("x-amzn-waf-action", frozenset({"challenge", "captcha"}), "AWS WAF"),
    ("x-datadome-cid", None, "DataDome"),
)
# What only a challenge's own document holds. Cloudflare's /cdn-cgi/challenge-platform/ alone is on healthy pages.
_CHALLENGES: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("Cloudflare", rb"window\._cf_chl_opt|/cdn-cgi/challenge-platform/h/[bg]/orchestrate|cf-browser-verification"),
        ("Cloudflare", rb"<title>\s*(?:Just a moment\.\.\.|Attention Required! \| Cloudflare)\s*</title>"),
        ("DDoS-Guard", rb"/\.well-known/ddos-guard/|<title>\s*DDoS-Guard\s*</title>"),
        ("Imperva", rb"_Incapsula_Resource|Incapsula incident ID"),
        ("Akamai", rb"errors\.edgesuite\.net|/_sec/cp_challenge/|sec-if-cpt-container"),
        ("DataDome", rb"(?:ct|geo)\.captcha-delivery\.com"),
        ("PerimeterX", rb"id=[\"']px-captcha|window\._pxAppId"),
        ("AWS WAF", rb"\.token\.awswaf\.com|AwsWafIntegration"),
        ("Sucuri", rb"sucuri_cloudproxy_js|sucuri website firewall"),
        ("Anubis", rb"/\.within\.website/x/cmd/anubis/"),
        ("a captcha", rb"<(?:div|iframe|script)[^>]{0,300}(?:g-recaptcha|h-captcha|cf-turnstile|hcaptcha\.com/1/api)"),
    )
)
_PARKED = re.compile(
    rb"sedoparking\.com|parkingcrew\.net|bodis\.com|parklogic\.com|(?:this|the) domain (?:name )?(?:is|may be) for sale"
    rb"|domain is parked|parked free, courtesy of",
    re.IGNORECASE,
)
_PASSWORD = re.compile(rb"<input[^>]{0,500}type\s*=\s*[\"']?password", re.IGNORECASE)
_LOGIN_WORDS = re.compile(
    r"\b(?:log[ -]?in|log[ -]?on|sign[ -]?in|single sign-on|authentication required|anmelden|connexion)\b",
    re.IGNORECASE,
)
_LOGIN_PART = re.compile(r"(?:log-?_?[io]n|sign-?_?in|sign-?_?on|wp-login)(?:\.\w{2,5})?", re.IGNORECASE)
# As likely the name of a page about it.
_MAYBE_LOGIN_PART = re.compile(r"(?:sso|saml2?|oauth2?|authorize|auth|session|new)(?:\.\w{2,5})?", re.IGNORECASE)
_LOGIN_HOST = re.compile(r"(?:login|accounts?|auth|sso|signin|id|idp|identity)\.", re.IGNORECASE)
_RETURN = re.compile(
    r"(?:next|return|return_?to|return_?url|redirect|redirect_?(?:to|ur[il])|continue|dest|destination|service|relaystate"
    r"|samlrequest|back|from|goto|target|ref|origin|url)",
    re.IGNORECASE,
)
_NEEDS_SCRIPT = re.compile(
    r"(?:enable|activate|turn on|requires?|needs?|without) (?:\w+ ){0,3}javascript|javascript (?:is |must be )"
    r"(?:\w+ )?(?:required|enabled)",
    re.IGNORECASE,
)
_NO_SCRIPT = re.compile(r"javascript is (?:\w+ )?(?:disabled|turned off)", re.IGNORECASE)
_SHELL = re.compile(
    rb"<(?:div|main|body)[^>]{0,200}id\s*=\s*[\"']?(?:root|app|__next|__nuxt|___gatsby|svelte|q-app)[\"']?[^>]{0,200}>"
    rb"\s*</|<app-root[^>]{0,200}>\s*</",
    re.IGNORECASE,
)
_LOADING = re.compile(r"\W*(?:loading|please wait)\W*(?:\w+\W*){0,3}", re.IGNORECASE)
_NOSCRIPT = re.compile(rb"<noscript[^>]{0,200}>(.{0,2000}?)</noscript", re.IGNORECASE | re.DOTALL)
_MISSING = re.compile(
    r"\b404\b|\bnot (?:be )?found\b|\b(?:page|document|file|topic|url) (?:(?:you\W+\w+ )?(?:\w+ ){0,4})?"
    r"(?:does(?: not|n.t) exist|no longer exists|is missing|is unavailable|(?:has|have) been (?:removed|deleted))"
    r"|nicht gefunden|introuvable|no encontrad[ao]|non trovata|não encontrad[ao]|не найден|見つかりません|找不到",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


class Finding(NamedTuple):
    """Why an answer is not the page. `own`: it is the site's own page, whose links lead on."""

    reason: str
    own: bool = False
    transient: bool = False


def challenge(status: int, headers: Mapping[str, str], body: bytes, text: str = "") -> str | None:
    """Whose bot challenge an answer is, or None. `text` is what was extracted of it."""
    for name, values, who in _MITIGATED:
        value = headers.get(name)
        if value is not None and (values is None or value.strip().lower() in values) and not _is_prose(text):
            return who
    if (200 <= status < 300 and len(text) > _FEW) or status in (404, 410):
        return None
    head = body[:_HEAD]
    for who, sign in _CHALLENGES[:-1]:
        if sign.search(head):
            return who
    # A captcha's widget may stand in a form of any page, so here a refusal must say the rest.
    who, sign = _CHALLENGES[-1]
    return who if status in (401, 403, 429, 503) and sign.search(head) else None


def not_a_page(response: FetchResponse, page: MarkdownPage) -> Finding | None:
    """Why a successful answer is not the page that was asked for, or None. Soft 404s are told by comparison."""
    text = page.markdown
    if _is_binary(response):
        return Finding("binary data that says it is text")
    who = challenge(response.status, response.headers, response.body, text)
    if who is not None:
        return Finding(f"a bot challenge ({who}) instead of the page", transient=True)
    if len(text) > _FEW:
        return None
    head = response.body[:_HEAD]
    if _PASSWORD.search(head) and (_LOGIN_WORDS.search(page.title[:300]) or _LOGIN_WORDS.search(text[:300])):
        return Finding("a login form instead of the page")
    if _PARKED.search(head):
        return Finding("a parked domain's placeholder instead of the page")
    if len(text) < LEAST and b"<script" in head.lower():
        if _SHELL.search(head) or _LOADING.fullmatch(text):
            return Finding("an empty shell that only JavaScript fills", own=True)
        unscripted = [inside.decode("utf-8", "replace") for inside in _NOSCRIPT.findall(head)]
        asked = any(_NEEDS_SCRIPT.search(said) for said in (*unscripted, text)) or _NO_SCRIPT.search(text)
        # Javadoc notes it on every page, also on those that say one short thing without any script.
        noted = len(text) < _HARDLY_ANY and any(map(_NO_SCRIPT.search, unscripted))
        if asked or noted:
            return Finding("a page that asks for JavaScript instead of giving its text", own=True)
    if not any(character.isalnum() for character in text):
        return Finding("no text was found in it", own=True)
    return None


def needs_scripts(response: FetchResponse, page: MarkdownPage) -> bool:
    """True for the site's own page that has no text as it came, and scripts that may make some."""
    wrong = not_a_page(response, page)
    return wrong is not None and wrong.own and b"<script" in response.body.lower()


def login_redirect(source: str, target: str, status: int) -> bool:
    """True where a redirect leads to a login instead of the page, and not to a page about logins.

    The last part of the target's path, or its host, is named like a login, that of the source is not, and the
    redirect carries the way back; or it is for now (not 301 or 308) and leads out of the source's folder.
    """
    there, here = urlsplit(target), urlsplit(source)
    last = there.path.rstrip("/").rpartition("/")[2]
    host = there.netloc != here.netloc and bool(_LOGIN_HOST.match(there.netloc)) and not _LOGIN_HOST.match(here.netloc)
    if any(_LOGIN_PART.fullmatch(part) for part in here.path.split("/")):
        return False
    if any(_RETURN.fullmatch(name) and value for name, value in parse_qsl(there.query)):
        return host or bool(_LOGIN_PART.fullmatch(last) or _MAYBE_LOGIN_PART.fullmatch(last))
    folder = here.path.rpartition("/")[0] + "/"
    inside = there.netloc == here.netloc and folder != "/" and there.path.startswith(folder)
    return status not in (301, 308) and not inside and (host or bool(_LOGIN_PART.fullmatch(last)))


def looks_missing(page: MarkdownPage) -> bool:
    """True for a page that may be a soft 404: little text, and a title or first lines that say "not found"."""
    if len(page.markdown) > _SHORT:
        return False
    return bool(_MISSING.search(page.title[:300]) or _MISSING.search(page.markdown[:300]))


def same_text(text: str, other: str, *, address: str = "") -> bool:
    """True where two texts are one template, up to numbers and the words of the address that one may quote.

    Measured as the share of words, each with its next, that both have (Jaccard).
    """
    quoted = frozenset(_WORD.findall(address.lower()))
    one, two = _pairs(text, quoted), _pairs(other, quoted)
    if not one or not two:
        return one == two
    return len(one & two) / len(one | two) >= _ALIKE


def _pairs(text: str, quoted: frozenset[str]) -> frozenset[tuple[str, str]]:
    words = [word for word in _WORD.findall(text.lower()) if word not in quoted and not re.search(r"\d", word)]
    return frozenset(zip(words, [*words[1:], ""], strict=False))


def _is_binary(response: FetchResponse) -> bool:
    """Many bytes that no text has (MIME Sniffing standard, "binary data byte"); a stray one is a typing error."""
    kind = response.headers.get("content-type", "")
    start = response.body[:_START]
    found = len(start) - len(start.translate(None, _BINARY))
    return found > 0.05 * len(start) and not sniff_encoding(response.body, kind).startswith("utf-16")


def _is_prose(text: str) -> bool:
    return len(text) > _SHORT
