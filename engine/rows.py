"""Records as rows: checked, cleaned, hashed and weighed for the text index (pure)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from engine.bm25 import record_weights, term_id
from engine.clean import canonical, clean_json, clean_text, digest
from engine.errors import InvalidRecord
from engine.models import RecordInput
from engine.queries import quote_lexeme

__all__ = ["Row", "check_name", "record_text", "rows_of"]

MOST_WORDS = 16_000  # non-zero elements of a sparsevec
MOST_WORD_BYTES = 500_000  # a tsvector holds 1 MB
MOST_INTEGER = 2**31 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
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
        size = sum(len(word.encode()) for word in weights)
        if len(weights) <= MOST_WORDS and size <= MOST_WORD_BYTES:
            return weights
        heaviest = sorted(weights, key=lambda word: (-weights[word], word))
        most = min(MOST_WORDS, int(len(heaviest) * MOST_WORD_BYTES / max(size, MOST_WORD_BYTES)))
        return {word: weights[word] for word in heaviest[:most]}

    @property
    def lexemes(self) -> str | None:
        """The words as the text of a tsvector."""
        return " ".join(map(quote_lexeme, self.weights)) if self.weights else None

    def sparse(self) -> dict[int, float]:
        """The weights by place in the sparse vector; words that share a place add up."""
        elements: dict[int, float] = {}
        for word, weight in self.weights.items():
            place = term_id(word)
            elements[place] = elements.get(place, 0.0) + weight
        return elements

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


def check_name(kind: str, name: object) -> str:
    """`name` of an entity or a connection: 1 to 8,000 characters, none of them a control character."""
    if not isinstance(name, str) or not name.strip() or len(name) > 8_000 or _CONTROL.search(name):
        raise InvalidRecord(f"The {kind} {name!r} must be text of 1 to 8,000 characters without control characters.")
    return clean_text(name)


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
