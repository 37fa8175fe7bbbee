"""What can go wrong between a URL and a page.

IngestError
├── BadInput            wrong as typed: no work was started (exit code 2)
├── StartRefused        the start URL cannot be crawled: robots, 404, another host, not text
├── BrowserMissing      pages are to be rendered, and there is nothing to do it with
└── FetchError          one request failed; `kind` says how, `transient` whether a later try may succeed
    ├── BlockedAddress  the host resolves to an address that the policy refuses
    └── TooLarge        the body is over the cap; `partial` holds what was read
"""

__all__ = [
    "BadInput",
    "BlockedAddress",
    "BrowserMissing",
    "FetchError",
    "IngestError",
    "StartRefused",
    "TooLarge",
]


class IngestError(Exception):
    """Base of every error that `ingest` raises on purpose."""


class BadInput(IngestError):
    """An argument is wrong as typed: a URL, a regular expression, a number."""


class StartRefused(IngestError):
    """The start URL cannot be crawled; the message names it, the reason and the remedy."""


class BrowserMissing(IngestError):
    """Pages are to be rendered, and there is no browser or no package to do it with; the message has the remedy."""


class FetchError(IngestError):
    """One request failed.

    `url` is the address that was asked for, `kind` one of `dns`, `refused`, `blocked_address`, `tls`,
    `timeout`, `reset`, `protocol`, `too_large`, `encoding`, `redirects`, `render` (its scripts could not be run),
    `paused` (the host asked to be left alone for longer than the crawl waits, or was given up; `url` is then the
    host); `transient` is true where a later try may succeed; `seconds` were spent in requests for it, where known.
    """

    def __init__(self, url: str, kind: str, reason: str, *, transient: bool = False) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.kind = kind
        self.reason = reason
        self.transient = transient
        self.seconds: float | None = None


class BlockedAddress(FetchError):
    """The host resolves to a private, link-local, loopback or otherwise refused address (promise C7)."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, "blocked_address", reason)


class TooLarge(FetchError):
    """The body is over the cap; `partial` is what was read up to it (empty if refused by its length)."""

    def __init__(self, url: str, reason: str, *, partial: bytes = b"") -> None:
        super().__init__(url, "too_large", reason)
        self.partial = partial
