"""Credentials go to one origin, and nowhere else: no other host, no message, no representation."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import BadInput
from ingest.fetcher import FakeFetcher, follow
from ingest.models import FetchRequest, FetchResponse
from ingest.session import Session, SessionFetcher

START = "https://x.org/docs/"
SECRET = "hunter2-TORTURE"


def sent(session: Session, *addresses: str) -> list[dict[str, str]]:
    fetcher = FakeFetcher({})

    async def run() -> None:
        asking = SessionFetcher(fetcher, session, START)
        for address in addresses:
            await asking.fetch(FetchRequest(address, {"If-None-Match": '"1"'}))

    asyncio.run(run())
    return [dict(request.headers) for request in fetcher.requests]


def test_headers_cookies_and_authorization_are_added_beside_the_requests_own() -> None:
    session = Session(headers={"X-Token": "t"}, cookies={"a": "1", "b": "2"}, bearer="secret")
    assert sent(session, START) == [
        {"x-token": "t", "cookie": "a=1; b=2", "authorization": "Bearer secret", "If-None-Match": '"1"'}
    ]
    (headers,) = sent(Session(basic=("me", "pässword: x")), START)
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode() == "me:pässword: x"


@pytest.mark.promise("C7")
@pytest.mark.parametrize(
    "address",
    [
        "http://x.org/docs/",
        "https://x.org:8443/docs/",
        "https://www.x.org/docs/",
        "https://y.org/docs/",
        "https://x.org.evil.test/",
        "https://docs.x.org/",
    ],
)
def test_another_scheme_host_or_port_gets_nothing(address: str) -> None:
    session = Session(headers={"X-Token": SECRET}, cookies={"a": SECRET}, bearer=SECRET)
    assert sent(session, address) == [{"If-None-Match": '"1"'}]


@pytest.mark.promise("C7")
def test_a_redirect_does_not_take_the_session_along() -> None:
    fetcher = FakeFetcher(
        {
            START: FetchResponse("", 302, {"location": "https://evil.test/"}),
            "https://evil.test/": FetchResponse("", 302, {"location": "https://x.org/docs/back"}),
            "https://x.org/docs/back": "<p>back</p>",
        }
    )
    session = Session(headers={"X-Token": SECRET}, cookies={"a": SECRET}, bearer=SECRET)
    asyncio.run(follow(SessionFetcher(fetcher, session, START), FetchRequest(START)))
    assert [SECRET in str(request.headers) for request in fetcher.requests] == [True, False, True]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"basic": ("u", SECRET), "bearer": SECRET}, "both basic and bearer"),
        ({"headers": {"Authorization": SECRET}, "bearer": SECRET}, "Authorization header beside"),
        ({"headers": {"Cookie": SECRET}, "cookies": {"a": SECRET}}, "cookies and a Cookie header"),
        ({"headers": {"X-A": f"{SECRET}\r\nX-B: 1"}}, "header X-A has a value"),
        ({"headers": {"X-A": f"{SECRET}\N{SNOWMAN}"}}, "header X-A has a value"),
        ({"headers": {"X-A": f" {SECRET}"}}, "header X-A has a value"),
        ({"headers": {f"{SECRET}: x": "1"}}, "name is not one that HTTP knows"),
        ({"headers": {"Host": SECRET}}, "header host, which is the crawler's own"),
        ({"headers": {"User-Agent": SECRET}}, "header user-agent"),
        ({"cookies": {"a": f"{SECRET}; b=2"}}, "cookie a has a value"),
        ({"cookies": {"": SECRET}}, "cookie whose name"),
        ({"bearer": f"{SECRET}\n"}, "bearer has a value"),
        ({"basic": (f"u:{SECRET}", SECRET)}, "must have no colon"),
        ({"basic": ("u", f"{SECRET}\x00")}, "control character"),
        ({"basic": ("u", f"{SECRET}\ud800")}, "control character"),
    ],
)
def test_what_no_header_can_hold_is_refused_by_name_and_without_its_value(given: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput) as caught:
        Session(**given)
    assert part in str(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value.__cause__)


def test_a_session_shows_what_it_has_and_not_what_it_is() -> None:
    session = Session(headers={"X-Token": SECRET}, cookies={"a": SECRET}, basic=("me", SECRET))
    assert repr(session) == "<Session with authorization, cookie, x-token>"
    assert SECRET not in f"{session} {vars(session).keys()}"


def write(folder: Path, text: str) -> Path:
    file = folder / "session.toml"
    file.write_text(text, "utf-8")
    return file


def test_a_session_is_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, '[headers]\nX-Token = "t"\n[cookies]\nid = "1"\n[basic]\nuser = "me"\npassword = "p"\n')
    expected = {"x-token": "t", "cookie": "id=1", "authorization": "Basic bWU6cA=="}
    assert Session.from_file(file).headers == expected
    assert Session.from_environment() is None
    monkeypatch.setenv("SYNCLINE_SESSION", str(file))
    session = Session.from_environment()
    assert session is not None
    assert session.headers == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f'bearer = "{SECRET}', "not a TOML document"),
        (f'berer = "{SECRET}"', "unknown entry 'berer'"),
        (f'bearer = ["{SECRET}"]', "bearer must be a string"),
        (f'cookies = "{SECRET}"', "cookies must be a table of strings"),
        ("[headers]\nX-A = 1", "headers must be a table of strings"),
        (f'[basic]\nuser = "{SECRET}"', "basic must have user and password"),
        (f'[headers]\nX-A = "{SECRET}\\n"', "header X-A has a value"),
    ],
)
def test_a_file_that_is_no_session_is_named_and_not_quoted(tmp_path: Path, text: str, part: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        Session.from_file(file)
    assert part in str(caught.value)
    assert str(file) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.toml cannot be read: no such file"):
        Session.from_file(tmp_path / "gone.toml")
