"""What is not the page that was asked for, and what only talks about such things."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ingest.errors import FetchError
from ingest.missing import MissingPages, Probe
from ingest.models import FetchResponse
from ingest.page import html_to_markdown, read_page
from ingest.quarantine import challenge, login_redirect, looks_missing, not_a_page, same_text

pytestmark = pytest.mark.promise("C8")
A = "https://x.org/docs/a"
PROSE = "<p>" + "What this page documents is told in words that a reader needs. " * 20 + "</p>"


def why(html: str, status: int = 200, **headers: str) -> str | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = FetchResponse(A, status, {"content-type": "text/html", **named}, html.encode())
    found = not_a_page(response, html_to_markdown(html, A))
    return None if found is None else found.reason


@pytest.mark.parametrize(
    ("html", "part"),
    [
        ("<title>Just a moment...</title><p>Checking your browser</p>", "challenge (Cloudflare)"),
        ("<title>Attention Required! | Cloudflare</title><h1>Sorry, you have been blocked</h1>", "Cloudflare"),
        ("<script>window._cf_chl_opt = {}</script><p>wait</p>", "Cloudflare"),
        ("<script src='/.well-known/ddos-guard/js-challenge/index.js'></script><p>wait</p>", "DDoS-Guard"),
        ("<iframe src='/_Incapsula_Resource?x=1'></iframe><p>Request unsuccessful.</p>", "Imperva"),
        ("<h1>Access Denied</h1><p>Reference https://errors.edgesuite.net/18.1</p>", "Akamai"),
        ("<script src='https://geo.captcha-delivery.com/x.js'></script><p>x</p>", "DataDome"),
        ("<div id='px-captcha'></div><p>Press &amp; Hold</p>", "PerimeterX"),
        ("<script src='https://a.b.token.awswaf.com/c.js'></script><p>x</p>", "AWS WAF"),
        ("<script src='/.within.website/x/cmd/anubis/static/main.mjs'></script><p>x</p>", "Anubis"),
        ("<title>Sign in</title><form><input name=u><input type='password'></form><p>Welcome</p>", "login form"),
        ("<h1>Log in to continue</h1><form><input type=password></form>", "login form"),
        ("<title>x.org</title><p>This domain may be for sale!</p>", "parked"),
        ("<title>Docs</title><div id='root'></div><script src=a.js></script>", "only JavaScript fills"),
        ("<app-root></app-root><script src=main.js></script>", "only JavaScript fills"),
        (
            "<noscript>You need to enable JavaScript to run this app.</noscript><script>x()</script><p>x</p>",
            "asks for JavaScript",
        ),
        ("<script>x()</script><p>JavaScript is required to view this page.</p>", "asks for JavaScript"),
        ("<script>x()</script><p>JavaScript is disabled.</p>", "asks for JavaScript"),
        (
            "<noscript>JavaScript is disabled on your browser.</noscript><script>x()</script><p>index.html</p>",
            "asks for",
        ),
        ("<nav><a href=b>b</a></nav>", "no text"),
        ("\x00\x01\x02PNG" + "\x03\x04" * 100, "binary data"),
    ],
)
def test_an_answer_that_is_not_the_page_has_a_reason(html: str, part: str) -> None:
    assert part in (why(html) or "")


@pytest.mark.parametrize(
    "html",
    [
        f"<title>Just a moment...</title>{PROSE}",
        f"<h1>Cloudflare challenges</h1><p>They set window._cf_chl_opt and px-captcha.</p>{PROSE}",
        f"<title>Sign in</title><h1>How to log in</h1><form><input type=password></form>{PROSE}",
        "<title>Passwords</title><p>Choose one.</p><form><input type=password></form>",
        f"<h1>Single-page apps</h1><div id='app'></div><script src=a.js></script>{PROSE}",
        "<h1>API</h1><p>Call the thing.</p><script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>",
        "<h1>Contact</h1><form><div class='g-recaptcha'></div></form><p>Write to us.</p>",
        f"<h1>Enable JavaScript</h1><p>Please enable JavaScript in your browser.</p><script>x()</script>{PROSE}",
        "<h1>Stub</h1><p>Short, and without any script.</p>",
        "<p>One stray \x00 in the text of a page that is otherwise quite as it should be.</p>",
        "<h1>404 Not Found</h1><p>The server has no such page.</p>",
        "<noscript><img src='track.gif'></noscript><script>x()</script><p>Short.</p>",
        "<noscript>JavaScript is disabled on your browser.</noscript><script>x()</script>"
        "<main><h1>Uses of Class org.x.Zeppelin</h1><p>No usage of org.x.Zeppelin</p></main>",
    ],
)
def test_a_page_that_only_talks_of_it_is_a_page(html: str) -> None:
    assert why(html) is None


@pytest.mark.parametrize(
    ("status", "headers", "body", "who"),
    [
        (403, {"cf-mitigated": "challenge"}, b"", "Cloudflare"),
        (200, {"cf-mitigated": "Challenge "}, b"<p>x</p>", "Cloudflare"),
        (202, {"x-amzn-waf-action": "challenge"}, b"", "AWS WAF"),
        (429, {"x-vercel-mitigated": "challenge"}, b"", "Vercel"),
        (503, {}, b"<form id=x class='cf-browser-verification'>", "Cloudflare"),
        (403, {}, b"<div class='h-captcha'></div>", "a captcha"),
        (403, {}, b"<h1>Forbidden</h1>", None),
        (503, {}, b"<h1>Maintenance: a challenge for us all</h1>", None),
        (404, {}, b"<div id='px-captcha'></div>", None),
        (200, {"cf-mitigated": "no"}, b"<p>x</p>", None),
    ],
)
def test_a_challenge_is_known_by_its_header_or_its_own_document(
    status: int, headers: Mapping[str, str], body: bytes, who: str | None
) -> None:
    assert challenge(status, headers, body) == who


@pytest.mark.parametrize(
    ("target", "status", "expected"),
    [
        ("https://x.org/login?next=/docs/a", 302, True),
        ("https://x.org/login", 302, True),
        ("https://x.org/users/sign_in", 303, True),
        ("https://x.org/wp-login.php?redirect_to=%2Fdocs", 301, True),
        ("https://login.x.org/", 302, True),
        ("https://accounts.y.com/o/oauth2/v2?continue=x", 302, True),
        ("https://idp.y.com/saml2?SAMLRequest=abc", 302, True),
        ("https://x.org/docs/login", 301, False),  # a page about logins that moved
        ("https://x.org/docs/authentication", 302, False),
        ("https://x.org/docs/login", 302, False),
        ("https://x.org/docs/sso", 302, False),
        ("https://x.org/guides/auth", 302, False),
        ("https://x.org/auth?returnTo=%2Fdocs%2Fa", 302, True),
        ("https://x.org/session/new?return_to=a", 302, True),
        ("https://x.org/docs/login-guide", 302, False),
        ("https://x.org/docs/b?next=2", 302, False),
        ("https://www.x.org/docs/a", 302, False),
    ],
)
def test_a_redirect_to_a_login_is_told_from_one_to_a_page(target: str, status: int, expected: bool) -> None:
    assert login_redirect(A, target, status) is expected


def test_a_login_page_that_redirects_to_its_own_spelling_is_no_redirect_to_a_login() -> None:
    assert not login_redirect("https://x.org/docs/login", "https://x.org/docs/login/", 302)
    assert not login_redirect("https://login.x.org/docs", "https://login.x.org/docs/a", 302)


# --- soft 404 -------------------------------------------------------------------------------------

MISSING = "<title>Page not found</title><h1>Oops</h1><p>We could not find {0}. Try the search.</p>"


def holds(html: str, probe: Callable[[str], Probe | None], url: str = A, times: int = 1) -> tuple[bool, list[str]]:
    asked: list[str] = []

    async def ask(address: str) -> Probe | None:
        asked.append(address)
        return probe(address)

    async def run() -> bool:
        missing = MissingPages(ask)
        page = html_to_markdown(html, url)
        found = [await missing.holds(FetchResponse(url, 200), page) for _ in range(times)]
        assert len(set(found)) == 1
        return found[0]

    return asyncio.run(run()), asked


def text_of(html: str) -> Callable[[str], Probe]:
    return lambda address: Probe(html_to_markdown(html.format(address), address).markdown)


def test_a_page_that_a_random_address_answers_with_too_is_a_soft_404_and_the_folder_is_asked_once() -> None:
    found, asked = holds(MISSING.format("/docs/a"), text_of(MISSING), times=3)
    assert found
    assert len(asked) == 1
    assert asked[0].startswith("https://x.org/docs/n0")


def test_a_page_about_404_on_a_site_with_another_answer_is_a_page() -> None:
    about = "<title>404 Not Found</title><h1>404 Not Found</h1><p>The server has no page at that address.</p>"
    assert holds(about, text_of(MISSING))[0] is False
    assert holds(about, lambda _: None)[0] is False


def test_a_page_to_which_missing_addresses_redirect_is_a_soft_404() -> None:
    page = "<title>Not found</title><p>Nothing here.</p>"
    assert holds(page, lambda _: Probe("", "https://x.org/404.html"), "https://x.org/404.html")[0] is True
    assert holds(page, lambda _: Probe("", "https://x.org/"), "https://x.org/404.html")[0] is False


def test_nothing_is_asked_where_no_page_looks_like_it() -> None:
    for html in ("<title>A</title><p>Text of a.</p>", f"<title>404 Not Found</title>{PROSE * 2}"):
        assert holds(html, text_of(MISSING)) == (False, [])


def test_a_probe_that_fails_proves_nothing() -> None:
    def fail(address: str) -> Probe:
        raise FetchError(address, "reset", "gone")

    assert holds(MISSING.format("/docs/a"), fail)[0] is False


def test_texts_are_the_same_up_to_numbers_and_the_address_that_they_quote() -> None:
    one = "Page not found. The page /docs/a/b could not be found on this server. Request 1234."
    two = "Page not found. The page /docs/n0af could not be found on this server. Request 98."
    assert same_text(one, two, address="https://x.org/docs/a/b")
    assert not same_text(one, "404 Not Found is what a server answers for a page that it has not.")
    assert not same_text(one, "")
    assert same_text("", "")


REAL = {
    "python3.11-doc": ("library/http.html", "library/getpass.html", "howto/urllib2.html", "library/http.cookies.html"),
    "sqlite3-doc": ("index.html", "copyright.html", "404.html", "keyword_index.html"),
}


@pytest.mark.parametrize("package", [pytest.param(name, marks=pytest.mark.needs(name)) for name in REAL])
def test_no_short_page_and_no_page_about_errors_of_real_documentation_is_taken_for_something_else(
    package: str, system_part: Callable[[str], Path]
) -> None:
    folder = system_part(package)
    short = sorted(folder.rglob("*.html"), key=lambda file: file.stat().st_size)[:25]
    judged = 0
    for file in [*short, *(folder / name for name in REAL[package])]:
        if file.is_file() and file.name not in ("search.html", "404.html"):
            body = file.read_bytes()
            url = f"https://x.org/{file.name}"
            page = read_page(body, url, "text/html")
            response = FetchResponse(url, 200, {"content-type": "text/html"}, body)
            judged += 1
            found = not_a_page(response, page)
            assert found is None or found.reason == "no text was found in it", file
            assert not looks_missing(page), file
    assert judged > 20
