"""What belongs to a crawl, and by which rule."""

from collections.abc import Callable

import pytest

from ingest.errors import BadInput
from ingest.scope import Scope

pytestmark = pytest.mark.promise("C2")


@pytest.mark.parametrize(
    ("start", "folder"),
    [
        ("https://x.org/", "/"),
        ("https://x.org", "/"),
        ("https://x.org/docs", "/docs"),
        ("https://x.org/docs/", "/docs/"),
        ("https://x.org/docs/3.12", "/docs/3.12"),
        ("https://x.org/a/b.html", "/a/"),
        ("https://x.org/a/index.php?x=1", "/a/"),
        ("https://x.org/page.html", "/"),
        ("https://x.org/%64ocs/", "/docs/"),
    ],
)
def test_the_folder_is_taken_from_the_start_url(start: str, folder: str) -> None:
    assert Scope(start).folder == folder


@pytest.mark.parametrize(
    ("start", "url", "allowed"),
    [
        ("https://x.org/docs", "https://x.org/docs", True),
        ("https://x.org/docs", "https://x.org/docs?a=1", True),
        ("https://x.org/docs", "https://x.org/docs/a/b", True),
        ("https://x.org/docs", "https://x.org/docs2", False),
        ("https://x.org/docs", "https://x.org/", False),
        ("https://x.org/docs/", "https://x.org/docs", False),
        ("https://x.org/docs/", "https://x.org/%64ocs/a", True),
        ("https://x.org/docs/", "https://x.org/Docs/a", False),
        ("https://x.org/docs/", "https://x.org/docs/../a", False),
        ("https://x.org/a/b.html", "https://x.org/a/c/d.html", True),
        ("https://x.org/docs/", "http://www.x.org/docs/a", True),
        ("https://www.x.org/docs/", "https://x.org/docs/a", True),
        ("https://x.org/docs/", "https://x.org:8443/docs/a", False),
        ("https://x.org/docs/", "https://api.x.org/docs/a", False),
        ("https://x.org/docs/", "https://x.org.evil.org/docs/a", False),
        ("http://localhost:8000/", "http://localhost:8000/a", True),
        ("http://localhost:8000/", "http://localhost:8001/a", False),
    ],
)
def test_host_and_folder_are_the_default_scope(start: str, url: str, allowed: bool) -> None:
    assert Scope(start).admit(url).allowed is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://x.org/blog/2024", True),
        ("https://x.org/a?blog=1", True),
        ("https://x.org/docs/a", False),
        ("https://blog.x.org/blog", False),
    ],
)
def test_path_regex_is_searched_in_path_and_query_and_replaces_the_folder(url: str, allowed: bool) -> None:
    assert Scope("https://x.org/docs/", path_regex="blog").admit(url).allowed is allowed


def test_path_regex_does_not_see_the_host() -> None:
    assert not Scope("https://blog.org/", path_regex="blog").admit("https://blog.org/a").allowed
    assert Scope("https://blog.org/docs/", path_regex="^/a$").admit("https://blog.org/a").allowed


def test_include_is_searched_in_the_full_url_and_replaces_the_folder() -> None:
    scope = Scope("https://x.org/docs/", include=["x.org/blog/", r"\.md$"])
    assert scope.admit("https://x.org/blog/a").allowed
    assert scope.admit("https://x.org/a.md").allowed
    assert not scope.admit("https://x.org/docs/a").allowed
    assert not scope.admit("https://y.org/blog/x.org/blog/").allowed


def test_exclude_always_wins() -> None:
    scope = Scope("https://x.org/", path_regex="a", include=["a"], exclude=["/old/"])
    assert scope.admit("https://x.org/a").allowed
    assert scope.admit("https://x.org/old/a") == (False, "exclude '/old/' matches")


def test_one_string_is_one_pattern_and_not_its_characters() -> None:
    assert not Scope("https://x.org/", include="blog").admit("https://x.org/b").allowed


@pytest.mark.parametrize(
    ("setting", "build"),
    [
        ("path_regex", lambda: Scope("https://x.org/", path_regex="a(b")),
        ("include", lambda: Scope("https://x.org/", include=["ok", "a(b"])),
        ("exclude", lambda: Scope("https://x.org/", exclude=["a(b"])),
    ],
)
def test_an_expression_that_does_not_compile_is_refused_with_its_place(
    setting: str, build: Callable[[], Scope]
) -> None:
    with pytest.raises(BadInput) as caught:
        build()
    expected = f"{setting} 'a(b' is not a regular expression: missing ), unterminated subpattern at position 1"
    assert str(caught.value) == expected


def test_a_repeat_count_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadInput, match="not a regular expression"):
        Scope("https://x.org/", path_regex="a{99999999999999999999}")


@pytest.mark.promise("C6")
def test_depth_and_length_are_limited() -> None:
    scope = Scope("https://x.org/", max_depth=2)
    assert scope.admit("https://x.org/a", depth=2).allowed
    assert not scope.admit("https://x.org/a", depth=3).allowed
    assert not scope.admit("https://x.org/" + "a" * 8192).allowed
    with pytest.raises(BadInput, match="max_depth is -1"):
        Scope("https://x.org/", max_depth=-1)


def test_a_start_that_redirects_on_its_host_gives_the_folder() -> None:
    scope = Scope("https://x.org/docs", exclude=["/old/"]).rebase("https://www.x.org/docs/en/index.html")
    assert scope.folder == "/docs/en/"
    assert not scope.admit("https://x.org/docs/en/old/a").allowed
    with pytest.raises(BadInput, match=r"start from https://y\.org/ instead"):
        scope.rebase("https://y.org/")


@pytest.mark.parametrize(
    ("scope", "url", "rule"),
    [
        (Scope("https://x.org/d/"), "https://x.org/d/a", "it is inside the start URL's folder /d/"),
        (Scope("https://x.org/d/"), "https://x.org/", "it is outside the start URL's folder /d/"),
        (Scope("http://x.org:81/"), "http://y.org/", "y.org is another host than x.org:81"),
        (Scope("https://x.org/", "^/a"), "https://x.org/a?b", "path_regex '^/a' is found in /a?b"),
        (Scope("https://x.org/", "^/a"), "https://x.org/b", "path_regex '^/a' is not found in /b"),
        (Scope("https://x.org/", include=["a"]), "https://x.org/a", "include 'a' matches"),
        (Scope("https://x.org/", include=["z"]), "https://x.org/a", "no include pattern matches"),
    ],
)
def test_a_verdict_names_the_rule(scope: Scope, url: str, rule: str) -> None:
    assert scope.admit(url).rule == rule
