"""Records as rows: checked, cleaned, hashed and weighed for the text index (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

from engine.bm25 import DIMENSIONS, record_weights, term_id
from engine.clean import canonical, clean_json, clean_text, digest
from engine.errors import InvalidRecord
from engine.models import PageInput, RecordInput
from engine.packing import Packed, pack_sparse, pack_words
from engine.words import MAX_WORD_LENGTH

__all__ = ["MOST_INTEGER", "Row", "merge_row", "pages_of", "record_text", "rows_of", "taken_id", "texts_of"]

MOST_WORDS = 16_000  # non-zero elements of a sparsevec
MOST_WORD_BYTES = 500_000  # a tsvector holds 1 MB
MOST_INTEGER = 2**31 - 1
_FIELDS = frozenset(RecordInput.__annotations__)


@dataclass(frozen=True)
class Row:
    """One record, ready to be written. Texts and JSON hold nothing that Postgres refuses."""

    external_id: str
    data: Mapping[str, Any]
    text: str | None
    embed_text: str | None
    headings: tuple[str, ...]
    anchor: str | None
    span: tuple[int, int] | None
    position: int | None
    weight: float = 1.0
    terms: tuple[str, ...] = ()

    @cached_property
    def external_hash(self) -> bytes:
        """Key of the record within its entity."""
        return digest(self.external_id)

    @cached_property
    def content_hash(self) -> bytes | None:
        """What a record is recognised by when its page changes."""
        return None if self.text is None else digest(self.text)

    @cached_property
    def embed_hash(self) -> bytes | None:
        """Key of the record's vector in every space."""
        return None if self.embed_text is None else digest(self.embed_text)

    @property
    def content(self) -> str | None:
        """The text where `data` does not hold it already."""
        return None if self.data.get("markdown") == self.text else self.text

    @cached_property
    def weights(self) -> dict[str, float]:
        """Word -> BM25 weight; the heaviest only, where there are more than an index row can hold."""
        if self.embed_text is None:
            return {}
        weights = record_weights(self.embed_text, self.headings, self.terms)
        if len(weights) <= MOST_WORD_BYTES // (4 * MAX_WORD_LENGTH):
            return weights
        size = sum(len(word.encode()) for word in weights)
        if len(weights) <= MOST_WORDS and size <= MOST_WORD_BYTES:
            return weights
        heaviest = sorted(weights, key=lambda word: (-weights[word], word))
        most = min(MOST_WORDS, int(len(heaviest) * MOST_WORD_BYTES / max(size, MOST_WORD_BYTES)))
        return {word: weights[word] for word in heaviest[:most]}

    @cached_property
    def text_index(self) -> tuple[Packed, Packed] | None:
        """The words as `lexemes`, and their weights as `bm25`; None where there are none."""
        if not self.weights:
            return None
        elements = dict(zip(map(term_id, self.weights), self.weights.values(), strict=True))
        if len(elements) < len(self.weights):  # words that share a place add up
            elements = dict.fromkeys(elements, 0.0)
            for word, weight in self.weights.items():
                elements[term_id(word)] += weight
        return Packed(pack_words(self.weights)), Packed(pack_sparse(elements, DIMENSIONS))

    def place(self) -> tuple[object, ...]:
        """Everything that may change while the text stays."""
        return (
            self.external_id,
            self.position,
            self.span,
            self.anchor,
            self.headings,
            self.terms,
            self.embed_hash,
            self.weight,
            canonical(self.data),
        )


def record_text(record: Mapping[str, Any]) -> str | None:
    """The text of a record as given: `text`, else `data["markdown"]`, else None."""
    text = record.get("text")
    if text is None:
        text = record["data"].get("markdown")
        return text if isinstance(text, str) else None
    return cast("str", text)


def rows_of(records: Sequence[RecordInput]) -> list[Row]:
    """The rows of one call. Raises InvalidRecord for a malformed record and for an id given twice."""
    rows, seen = [], set()
    for number, record in enumerate(records):
        row = _row(number, record)
        if row.external_id in seen:
            raise InvalidRecord(
                f"external_id {row.external_id!r} is given twice in one call: which one should stay cannot be known."
            )
        seen.add(row.external_id)
        rows.append(row)
    return rows


def texts_of(rows: Iterable[Row]) -> list[tuple[bytes, str]]:
    """What is to be embedded, as (hash, text), of every row that has a text."""
    return [(row.embed_hash, row.embed_text) for row in rows if row.embed_hash and row.embed_text]


def pages_of(pages: Sequence[PageInput]) -> list[tuple[PageInput, list[Row]]]:
    """Pages of one call as they are stored, with the rows of their records.

    Raises InvalidRecord where one is malformed, or a page or an external id is given twice.
    """
    prepared: dict[str, tuple[PageInput, list[Row]]] = {}
    owners: dict[str, str] = {}
    for page in map(_page, pages):
        if page.url in prepared:
            raise InvalidRecord(f"The page {page.url} is given twice in one call.")
        rows = rows_of(page.records)
        for row in rows:
            owner = owners.setdefault(row.external_id, page.url)
            if owner != page.url:
                raise InvalidRecord(f"external_id {row.external_id!r} is given by two pages: {owner} and {page.url}.")
        prepared[page.url] = (page, rows)
    return list(prepared.values())


def taken_id(external_id: str, url: str, owner: str | None) -> InvalidRecord:
    """The error for a page's external id that a record of another page, or of none, has already."""
    held = f"the page {owner}" if owner is not None else "a record without a page"
    return InvalidRecord(
        f"external_id {external_id!r} of the page {url} belongs to {held} already: nothing was written."
    )


def _page(page: PageInput) -> PageInput:
    url = clean_text(page.url)
    try:
        metadata = cast("dict[str, object]", clean_json(page.metadata))
        anchors = cast("list[Any]", clean_json([list(anchor) for anchor in page.anchors]))
        datetime.fromtimestamp(page.fetched_at, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidRecord(
            f"The page {url} holds metadata, anchors or a time that cannot be stored: {error}."
        ) from None
    return replace(
        page,
        url=url,
        markdown=clean_text(page.markdown),
        anchors=anchors,
        metadata=metadata,
        links=[clean_text(link) for link in page.links],
        aliases=[clean_text(alias) for alias in page.aliases],
        depth=min(page.depth, MOST_INTEGER),
        etag=None if page.etag is None else clean_text(page.etag),
        last_modified=None if page.last_modified is None else clean_text(page.last_modified),
        content_hash=clean_text(page.content_hash),
        extractor=clean_text(page.extractor),
        chunk_settings=clean_text(page.chunk_settings),
    )


def merge_row(old: Row, record: RecordInput) -> Row:
    """A record that is there and what a merge gives of it: what is not given stays, `data` by its top-level keys.

    `record` is one that `rows_of` takes. A text that changes is what is embedded, unless that is given too.
    """
    given = {name: value for name, value in record.items() if value is not None}
    kept: dict[str, Any] = {
        "text": old.content,
        "embed_text": old.embed_text or "",
        "headings": old.headings,
        "terms": old.terms,
        "anchor": old.anchor,
        "span": old.span,
        "position": old.position,
        "weight": old.weight,
    }
    merged = {**kept, **given, "data": {**old.data, **record["data"]}}
    text = record_text(merged)
    if "embed_text" not in given and (text is None or clean_text(text) != old.text):
        del merged["embed_text"]
    return _row(0, cast("RecordInput", merged))


def _row(number: int, record: RecordInput) -> Row:
    if not isinstance(record, Mapping) or not isinstance(record.get("data"), Mapping):
        raise InvalidRecord(f"Record {number} must be a mapping with external_id and a mapping as data.")
    unknown = sorted(set(record) - _FIELDS)
    if unknown:
        raise InvalidRecord(
            f"Record {number} has the unknown field {unknown[0]!r}; known: {', '.join(sorted(_FIELDS))}."
        )
    external_id = record.get("external_id")
    if not isinstance(external_id, str) or not external_id:
        raise InvalidRecord(f"Record {number} needs an external_id: text that is not empty.")
    for name in ("text", "embed_text", "anchor"):
        if not isinstance(record.get(name), str | None):
            raise InvalidRecord(f"Record {external_id!r}: {name} must be text.")
    position = record.get("position")
    if position is not None and not _is_place(position):
        raise InvalidRecord(f"Record {external_id!r}: position must be a whole number from 0 to 2147483647.")
    try:
        data = cast("dict[str, Any]", clean_json(record["data"]))
    except TypeError as error:
        raise InvalidRecord(f"Record {external_id!r}: data holds what JSON cannot: {error}.") from None
    text = record_text(record)
    text = clean_text(text) if text is not None else None
    embed_text = record.get("embed_text", text)
    anchor = record.get("anchor")
    return Row(
        external_id=clean_text(external_id),
        data=data,
        text=text,
        embed_text=clean_text(embed_text) if embed_text and embed_text.strip() else None,
        headings=_texts(external_id, "headings", record.get("headings", ())),
        terms=_texts(external_id, "terms", record.get("terms", ())),
        anchor=clean_text(anchor) if anchor is not None else None,
        span=_span(external_id, record.get("span")),
        position=position,
        weight=_weight(external_id, record.get("weight", 1.0)),
    )


def _is_place(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_INTEGER


def _texts(external_id: str, name: str, texts: object) -> tuple[str, ...]:
    if not isinstance(texts, Sequence) or isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise InvalidRecord(f"Record {external_id!r}: {name} must be a list of texts.")
    return tuple(clean_text(text) for text in texts)


def _span(external_id: str, span: object) -> tuple[int, int] | None:
    """A span of the source; one without a character is none."""
    if span is None:
        return None
    match span:
        case [int(start), int(end)] if 0 <= start <= end <= MOST_INTEGER:
            return (start, end) if start < end else None
    raise InvalidRecord(f"Record {external_id!r}: span must be two whole numbers from 0 to 2147483647, start and end.")


def _weight(external_id: str, weight: object) -> float:
    if not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise InvalidRecord(f"Record {external_id!r}: weight must be a number from 0 to 1.")
    return float(weight)
