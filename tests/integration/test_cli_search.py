"""`syncline search` over a crawled site: documents, filters, and the answer for people."""

from typing import Any

import pytest

pytestmark = pytest.mark.slow

FIELDS = ["url", "anchor", "title", "headings", "markdown", "score", "external_id", "entity"]


def article(title: str, *sections: tuple[str, str, str]) -> str:
    parts = "".join(f'<h2 id="{name}">{heading}</h2>{body}' for name, heading, body in sections)
    return f'<h1 id="top">{title}</h1>{parts}'


@pytest.fixture
def crawled(syncline, site_server, make_page, database_url: str) -> str:
    """A site of three pages in the store; its start URL."""
    tokens = "<p>A token is kept for a day, and renewed by every request.</p>" * 30
    login = "<pre><code class='language-python'>login('me', password)</code></pre><p>Call it once.</p>" * 30
    pages = {
        "/docs/": make_page("Guide", '<h1>Guide</h1><a href="login">Login</a> <a href="backup">Backup</a>'),
        "/docs/login": make_page(
            "Login", article("Login", ("how", "How to log in", login), ("tokens", "Tokens", tokens))
        ),
        "/docs/backup": make_page(
            "Backup", article("Backup", ("disk", "Copy to a disk", "<p>Mount the disk, and copy.</p>" * 50))
        ),
    }
    site_server.routes = dict(pages)
    start = f"{site_server.url}/docs/"
    assert syncline("crawl", start, "--db", database_url).code == 0
    return start


def test_a_question_finds_its_section_in_every_mode(syncline, crawled: str, database_url: str) -> None:
    def search(*words: str) -> list[dict[str, Any]]:
        ran = syncline("search", *words, "--json", "--db", database_url)
        assert (ran.code, ran.err) == (0, "")
        found: list[dict[str, Any]] = ran.json
        assert [list(hit) for hit in found] == [FIELDS] * len(found)
        assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)
        return found

    for mode in ("hybrid", "vector", "text"):
        best = search("how long is a token kept", "--mode", mode, "-k", "2")[0]
        assert (best["url"], best["anchor"], best["title"]) == (f"{crawled}login", "tokens", "Login")
        assert best["headings"] == ["Login", "Tokens"]
        assert best["external_id"].startswith(f"{crawled}login_chunk_")
        assert best["entity"] == f"CRAWL_{crawled}"
        assert "A token is kept for a day" in best["markdown"]

    assert len(search("copy", "-k", "1")) == 1
    by_title = search("copy the token", "--filter", '{"title": "Backup"}')
    assert {hit["title"] for hit in by_title} == {"Backup"}
    by_url = search("token", "--entity", crawled.upper().replace("/DOCS/", "/docs/"))
    assert by_url == search("token", "--entity", f"CRAWL_{crawled}") != []
    assert search("xylophone", "--mode", "text") == []


def test_for_people_a_hit_shows_where_it_is_and_how_it_begins(syncline, crawled: str, database_url: str) -> None:
    ran = syncline("search", "how long is a token kept", "-k", "1", "--db", database_url)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "1. Login > Tokens"
    assert lines[1].startswith(f"   {crawled}login#tokens  (")
    assert "A token is kept for a day" in ran.out
    assert "\x1b" not in ran.out

    nothing = syncline("search", "xylophone", "--mode", "text", "--db", database_url)
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "Nothing was found.\n")
