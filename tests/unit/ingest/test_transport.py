"""Every way in which a request can fail has its place among the kinds of `FetchError`."""

import ssl

import httpcore2
import pytest

from ingest.errors import FetchError
from ingest.transport import fetch_error

KINDS = {"dns", "refused", "blocked_address", "tls", "timeout", "reset", "protocol"}
EXCEPTIONS = [
    value
    for name in httpcore2.__all__
    if isinstance(value := getattr(httpcore2, name), type) and issubclass(value, Exception)
]


def test_the_exceptions_of_httpcore2_are_found() -> None:
    assert {httpcore2.ConnectError, httpcore2.ReadTimeout, httpcore2.ConnectionNotAvailable} < set(EXCEPTIONS)


@pytest.mark.parametrize("cls", EXCEPTIONS)
def test_every_exception_of_httpcore2_becomes_a_kind_by_a_row_of_its_own_family(cls: type[Exception]) -> None:
    error = fetch_error("http://h/a", cls("what happened"))
    assert (error.url, error.kind in KINDS) == ("http://h/a", True)
    assert "the request failed" not in error.reason  # the sentence for what no row knows
    assert "what happened" in str(error)


@pytest.mark.parametrize(
    ("error", "kind", "transient"),
    [
        (httpcore2.ConnectTimeout(), "refused", True),
        (httpcore2.ReadTimeout(), "timeout", True),
        (httpcore2.PoolTimeout(), "timeout", True),
        (httpcore2.ConnectError("refused"), "refused", True),
        (httpcore2.ReadError(), "reset", True),
        (httpcore2.RemoteProtocolError("illegal status line"), "protocol", True),
        (httpcore2.RemoteProtocolError("Server disconnected without sending a response."), "reset", True),
        (
            httpcore2.RemoteProtocolError("peer closed connection without sending complete body"),
            "reset",
            True,
        ),
        (httpcore2.LocalProtocolError(), "protocol", False),
        (httpcore2.UnsupportedProtocol(), "protocol", False),
        (ssl.SSLCertVerificationError(1, "self-signed"), "tls", False),
        (ConnectionResetError(104, "reset"), "reset", True),
        (TimeoutError(110, "timed out"), "reset", True),
    ],
)
def test_a_failure_has_the_kind_that_says_what_to_do(error: Exception, kind: str, transient: bool) -> None:
    mapped = fetch_error("http://h/a", error)
    assert (mapped.kind, mapped.transient) == (kind, transient)


def test_a_failed_handshake_is_known_by_its_cause() -> None:
    error = httpcore2.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed")
    assert fetch_error("https://h/", error).kind == "tls"


def test_a_reason_is_one_line_and_short() -> None:
    error = fetch_error("http://h/a", httpcore2.RemoteProtocolError("a\r\nb" + "x" * 1000))
    assert isinstance(error, FetchError)
    assert "\n" not in error.reason
    assert len(error.reason) < 300
