"""What `syncline chunks` cuts, and how: the kind of document that a strategy reads there, and the options it takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Literal

from chunking import STRATEGIES, InvalidDocument, InvalidOption, MDocument
from ingest import FetchResponse, normal_url, site_url
from ingest.charset import decode_text
from ingest.folder import path_of
from ingest.page import is_html
from ingest.urls import is_local
from syncs.cli.output import fail
from syncs.cli.reading import read_page
from syncs.crawl import SiteCrawlIn

__all__ = ["Kind", "chunk_options", "kind_for", "read_document"]

Kind = Literal["markdown", "html", "json", "text"]

_PAGE: Sequence[Kind] = ("markdown", "html")
_FILES: Mapping[str, Kind] = MappingProxyType(
    {"json": "json", "txt": "text", "text": "text", "tex": "text", "latex": "text"}
)
_UNTOUCHED = MappingProxyType({"prefer": "html", "render": "auto", "content_selector": None, "remove_selector": None})
"""The options that say how a page becomes markdown, where none was typed."""


def kind_for(strategy: str, typed: str, reading: Mapping[str, Any]) -> Kind:
    """What the strategy reads of the page or file that was typed; `reading` are the options of `read_page`.

    InvalidOption for an unknown strategy, for one that does not read such a thing, and for options of `reading` that
    change nothing in what it reads. BadInput for what is no URL and no file.
    """
    if strategy not in STRATEGIES:
        MDocument.from_text("").chunk(strategy)  # says so, with the nearest name
    address = site_url(typed)
    ending = path_of(address).suffix[1:].lower() if is_local(address) else ""
    kinds = (_FILES[ending],) if ending in _FILES else _PAGE
    kind = next((kind for kind in kinds if kind in STRATEGIES[strategy].reads), None)
    if kind is None:
        others = [name for name, other in STRATEGIES.items() if not other.reads.isdisjoint(kinds)]
        reads = " and ".join(sorted(STRATEGIES[strategy].reads))
        there = f"a {ending} file" if ending in _FILES else "a page"
        raise InvalidOption(f"The {strategy} strategy reads {reads}, not {there}: use --strategy {_any_of(others)}.")
    idle = [name for name, value in _UNTOUCHED.items() if kind != "markdown" and reading[name] != value]
    if idle:
        what = "a page's HTML as it was fetched" if kind == "html" else "a file as it is"
        raise InvalidOption(f"The {strategy} strategy reads {what}, without {_flag(idle[0])}: leave that out.")
    return kind


def chunk_options(strategy: str, kind: Kind, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What `MDocument.chunk` is told: the options that were typed (None: not), the defaults of the others.

    InvalidOption for one that the strategy does not take, and for a value that cannot be kept.
    """
    known: dict[str, Any] = {option.name: option.default for option in fields(STRATEGIES[strategy])}
    for name, value in typed.items():
        if value is not None and name not in known:
            others = [other for other, kept in STRATEGIES.items() if name in kept.__dataclass_fields__]
            instead = f"leave it out, or use --strategy {_any_of(others)}"
            raise InvalidOption(f"The {strategy} strategy does not take {_flag(name)}: {instead}.")
    options = {name: known[name] if value is None else value for name, value in typed.items() if name in known}
    if "target_size" in options and options["target_size"] is None:
        options["target_size"] = min(SiteCrawlIn.model_fields["target_size"].default, options["max_size"])
    options = {"strategy": strategy, **options}
    _document(kind, "0", {}).chunk(**options)  # JSON and text alike, so every strategy counts it
    return options


async def read_document(typed: str, kind: Kind, reading: Mapping[str, Any]) -> MDocument:
    """The document of that kind; what it cannot be read from ends the command with the reason."""
    if kind in ("json", "text"):
        address = site_url(typed)
        try:
            body = path_of(address).read_bytes()
        except OSError as error:
            fail(f"{path_of(address)} cannot be read: {error.strerror or error}")
        return _document(kind, decode_text(body), {"source_url": address, "title": ""})
    if kind == "markdown":
        page = await read_page(typed, **reading)
        return MDocument.from_markdown(page.markdown, page.metadata, anchors=page.anchors)
    answers: dict[str, FetchResponse] = {}

    def heard(answer: FetchResponse) -> None:
        answers[normal_url(answer.url)] = answer

    page = await read_page(typed, **{**reading, "render": "never"}, heard=heard)
    answer = answers[page.url]
    told = answer.headers.get("content-type", "")
    if not is_html(told):
        raise InvalidDocument(f"{page.url} is {told.partition(';')[0]}, not HTML: use --strategy markdown.")
    return _document(kind, decode_text(answer.body, told), page.metadata)


def _document(kind: Kind, text: str, metadata: Mapping[str, object]) -> MDocument:
    makers: dict[Kind, Callable[[str, Mapping[str, object]], MDocument]] = {
        "markdown": MDocument.from_markdown,
        "html": MDocument.from_html,
        "json": MDocument.from_json,
        "text": MDocument.from_text,
    }
    return makers[kind](text, metadata)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _any_of(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
