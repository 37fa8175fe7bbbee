"""What the fetcher does without a network: its name, its types, its fake, redirects across origins."""

import asyncio
import re

import pytest

from ingest.errors import BadInput, FetchError
from ingest.fetcher import FakeFetcher, HttpFetcher, default_user_agent, follow, is_text
from ingest.models import FetchRequest, FetchResponse


def test_the_user_agent_is_honest_and_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"syncline/\d+\.\d+\S* \(documentation indexer\)", default_user_agent())
    monkeypatch.setenv("SYNCLINE_USER_AGENT", "syncline (ops@example.org)")
    assert default_user_agent() == "syncline (ops@example.org)"


@pytest.mark.promise("C4")
def test_a_contact_is_told_to_every_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLINE_CONTACT", "  https://example.org/crawler ")
    assert re.fullmatch(r"syncline/\S+ \(documentation indexer; \+https://example\.org/crawler\)", default_user_agent())
    monkeypatch.setenv("SYNCLINE_CONTACT", "ops@example.org\r\nX-Evil: 1")
    with pytest.raises(BadInput, match="SYNCLINE_CONTACT"):
        HttpFetcher()


@pytest.mark.parametrize("agent", ["bad\nheader", "naïve"])
def test_a_user_agent_that_no_header_can_hold_is_refused(agent: str) -> None:
    with pytest.raises(BadInput, match="printable ASCII"):
        HttpFetcher(user_agent=agent)


def test_a_concurrency_below_one_is_refused() -> None:
    with pytest.raises(BadInput, match="concurrency is 0; it must be at least 1"):
        HttpFetcher(concurrency=0)


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/html; charset=utf-8", True),
        ("text/markdown", True),
        ("application/xhtml+xml", True),
        ("application/xml", True),
        ("", True),
        ("html", True),
        ("application/pdf", False),
        ("application/octet-stream", False),
        ("image/svg+xml", False),
        ("application/x-gzip", False),
    ],
)
def test_text_is_known_by_its_media_type(content_type: str, text: bool) -> None:
    assert is_text(content_type) is text


def test_the_fake_answers_with_text_errors_and_404() -> None:
    gone = FetchError("http://h/b", "reset", "gone")
    fake = FakeFetcher({"http://h/a": "<p>ü", "http://h/b": gone})

    async def run() -> None:
        page = await fake.fetch(FetchRequest("http://h/a"))
        assert (page.status, page.body.decode()) == (200, "<p>ü")
        with pytest.raises(FetchError) as caught:
            await fake.fetch(FetchRequest("http://h/b"))
        assert caught.value is gone
        assert (await fake.fetch(FetchRequest("http://h/c"))).status == 404

    asyncio.run(run())
    assert [request.url for request in fake.requests] == ["http://h/a", "http://h/b", "http://h/c"]


@pytest.mark.parametrize("target", ["http://other/", "https://h/", "http://h:81/"])
def test_credentials_stay_at_the_origin_they_were_given_for(target: str) -> None:
    fake = FakeFetcher({"http://h/a": FetchResponse("", 302, {"location": target})})
    headers = {"Authorization": "secret", "cookie": "secret", "X-Other": "1"}
    asyncio.run(follow(fake, FetchRequest("http://h/a", headers)))
    assert dict(fake.requests[0].headers) == headers
    assert dict(fake.requests[1].headers) == {"X-Other": "1"}
