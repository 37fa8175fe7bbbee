"""Addresses and identities, against cases of the URL standard and of RFC 3986 section 6."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import urls
from ingest.errors import BadInput


def test_every_case_of_the_url_standard_gives_its_address_or_none(corpus: Callable[[str], Any]) -> None:
    wrong = []
    for case in corpus("urltestdata_flat.json"):
        if case["surrogate"]:
            continue
        expected = None
        # Links with a user name or a password, and links that are not http or https, are not followed; on a
        # page of a local folder, those to other local files are.
        local = ("file:///",) if (case["base"] or "").startswith("file:") else ()
        if not case["failure"] and case["href"].startswith(("http:", "https:", *local)):
            expected = case["href"].partition("#")[0]
            expected = None if "@" in expected.split("/")[2] else expected
        if (found := urls.resolve(case["base"], case["input"])) != expected:
            wrong.append((case, found))
    assert wrong == []


def test_every_pair_of_addresses_is_one_page_or_two_as_rfc_3986_says(corpus: Callable[[str], Any]) -> None:
    wrong = []
    for pair in corpus("url_dedupe.json"):
        a, b = (urls.parse(pair[side]) for side in "ab")
        same = None not in (a, b) and urls.identity(str(a)) == urls.identity(str(b))
        if pair["same"] != "policy" and same != pair["same"]:
            wrong.append(pair)
    assert wrong == []


@pytest.mark.promise("C5")
@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("http://h/%7Euser?q=%2C#part", "http://h/%7Euser?q=%2C"),
        ("http://h/a[1]?utm_source=x", "http://h/a[1]?utm_source=x"),
        ("HTTP://H:80", "http://h/"),
        ("http://h/a?", "http://h/a?"),
    ],
)
def test_an_address_stays_as_the_page_wrote_it(written: str, address: str) -> None:
    assert urls.parse(written) == address


@pytest.mark.promise("C5")
@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("http://h/%7euser/%c3%a9", "http://h/~user/%C3%A9"),
        ("https://h:443/a/./b/../c", "https://h/a/c"),
        ("http://h/a?utm_source=x&b=2&GCLID=y&a=1", "http://h/a?b=2&a=1"),
        ("http://h/a?utm_source=x", "http://h/a"),
        ("http://h/a?", "http://h/a"),
        ("http://h/a?b&&c=", "http://h/a?b&c="),
        ("http://h/100%", "http://h/100%25"),
        ("http://h/a/", "http://h/a/"),
        ("http://h/a/index.html", "http://h/a/index.html"),
        ("http://h//a", "http://h//a"),
        ("http://www.h/", "http://www.h/"),
    ],
)
def test_an_identity_is_the_normal_form(address: str, normal: str) -> None:
    assert urls.identity(address) == normal


@given(st.text(alphabet="aZ~%01234efEF/.?&=#+é ;@:", max_size=40))
def test_an_identity_is_its_own_identity(rest: str) -> None:
    address = urls.parse(f"http://h.example/{rest}")
    if address is not None:
        normal = urls.identity(address)
        assert urls.identity(normal) == normal
        assert urls.parse(normal) == normal


@pytest.mark.parametrize("href", ["javascript:alert(1)", "mailto:a@b", "data:,x", "http://", "\ud800", "ftp://h/"])
def test_what_is_no_web_address_leads_nowhere(href: str) -> None:
    assert urls.resolve("http://h/a", href) is None


def test_a_link_with_a_password_is_not_followed() -> None:
    assert urls.resolve("http://h/", "http://user:secret@h/") is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("http://x.org/a", "https://x.org/b", True),
        ("http://www.x.org/", "https://x.org/", True),
        ("http://x.org:8080/", "http://x.org/", False),
        ("http://x.org:8080/", "https://x.org:8080/", True),
        ("http://docs.x.org/", "http://x.org/", False),
        ("http://localhost:8000/", "http://127.0.0.1:8000/", False),
    ],
)
@pytest.mark.promise("C2")
def test_scheme_and_www_do_not_make_another_host_but_a_port_does(a: str, b: str, same: bool) -> None:
    assert urls.same_host(a, b) is same


def test_an_origin_is_scheme_host_and_port() -> None:
    assert urls.origin("https://H.org/a") == ("https", "h.org", 443)
    assert urls.origin("http://[::1]:81/") == ("http", "::1", 81)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        (" https://docs.example.org ", "https://docs.example.org/"),
        ("HTTP://localhost:8000/a#b", "http://localhost:8000/a"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
    ],
)
def test_a_url_that_a_user_typed_becomes_an_address(typed: str, address: str) -> None:
    assert urls.check_url(typed) == address


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "the URL is empty; give one such as https://docs.example.org/"),
        ("docs.python.org/3", "docs.python.org/3 has no scheme; did you mean https://docs.python.org/3 ?"),
        ("localhost:8000/a", "localhost:8000/a has no scheme; did you mean http://localhost:8000/a ?"),
        ("example.org:8000", "example.org:8000 has no scheme; did you mean https://example.org:8000 ?"),
        ("//docs.example.org", "//docs.example.org is not a URL; give one such as https://docs.example.org/"),
        ("ftp://h/a", "ftp://h/a has the scheme ftp; only http and https can be crawled"),
        ("mailto:a@b", "***@b has the scheme mailto; only http and https can be crawled"),
        ("https://", "https:// has no host"),
        ("https:///?q", "https:///?q has no host"),
        ("https://h:99999/", "https://h:99999/ is not a valid URL: check its host and port"),
        ("https://a b/", "https://a b/ is not a valid URL: check its host and port"),
        ("https://u:hunter2@h/", "the URL of h holds a user name or password; give it without"),
        ("https://h/" + "a" * 8192, "the URL has 8,202 characters; at most 8,192 are taken"),
        ("https://h/" + "é" * 4000, "the URL has 24,010 encoded characters; at most 8,192 are taken"),
    ],
)
def test_a_url_that_cannot_be_crawled_gets_one_clear_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        urls.check_url(typed)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "typed", ["ftp://u:hunter2@h/", "u:hunter2@h.org/", "https://u:hunter/2@h:x/", "https://u:hunter2@/"]
)
def test_an_error_about_a_url_never_holds_its_password(typed: str) -> None:
    with pytest.raises(BadInput) as caught:
        urls.check_url(typed)
    assert "hunter" not in str(caught.value)
