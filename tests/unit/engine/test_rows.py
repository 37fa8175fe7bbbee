"""Records are checked, cleaned, hashed and weighed before anything is written."""

from typing import Any, cast

import pytest

from engine.errors import InvalidRecord
from engine.models import RecordInput
from engine.rows import MOST_WORD_BYTES, MOST_WORDS, Row, rows_of


def row(**fields: Any) -> Row:
    made = cast("RecordInput", {"external_id": "a", "data": {}, **fields})
    return rows_of([made])[0]


def test_the_text_is_text_else_markdown_else_none() -> None:
    assert row(text="t", data={"markdown": "m"}).text == "t"
    assert row(data={"markdown": "m"}).text == "m"
    assert row(data={"markdown": 3}).text is None
    assert row().text is None


def test_a_record_without_text_is_neither_hashed_nor_indexed() -> None:
    bare = row()
    assert (bare.content_hash, bare.embed_hash, bare.weights) == (None, None, {})
    blank = row(text=" \n")
    assert blank.content_hash is not None
    assert (blank.embed_hash, blank.weights) == (None, {})


def test_the_text_is_kept_beside_the_data_only_where_the_data_does_not_hold_it() -> None:
    assert row(data={"markdown": "m"}).content is None
    assert row(text="t", data={"markdown": "m"}).content == "t"
    assert row(text="a\0", data={"markdown": "a\0"}).content is None


def test_what_is_embedded_has_its_own_hash() -> None:
    plain, crumbed = row(text="t"), row(text="t", embed_text="crumb\nt")
    assert plain.content_hash == crumbed.content_hash
    assert plain.embed_hash != crumbed.embed_hash


def test_unstorable_characters_are_replaced_in_every_text() -> None:
    nasty = row(external_id="a\0", text="t\ud800", anchor="x\0", headings=["h\0"], data={"k\0": "v\udfff"})
    assert (nasty.external_id, nasty.text, nasty.anchor) == ("a\ufffd", "t\ufffd", "x\ufffd")
    assert (nasty.headings, nasty.data) == (("h\ufffd",), {"k\ufffd": "v\ufffd"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"external_id": ""},
        {"external_id": None},
        {"data": None},
        {"data": {"x": object()}},
        {"data": {"x": 2**5000}},
        {"text": b"t"},
        {"embed_text": 1},
        {"anchor": 1},
        {"position": -1},
        {"position": 2**31},
        {"position": "1"},
        {"position": True},
        {"span": (2, 1)},
        {"span": (0, 2**31)},
        {"span": (0,)},
        {"span": (0.0, 1.0)},
        {"span": "01"},
        {"headings": "abc"},
        {"headings": [1]},
        {"headings": None},
        {"weight": 1.5},
        {"weight": -0.1},
        {"weight": float("nan")},
        {"weight": "1"},
        {"markdown": "m"},
    ],
)
def test_a_malformed_field_is_refused_with_the_record_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord, match=r"Record (0|'a')"):
        row(**wrong)


def test_an_id_given_twice_is_refused_also_where_only_cleaning_makes_it_the_same() -> None:
    with pytest.raises(InvalidRecord, match="twice"):
        rows_of([{"external_id": "a\0", "data": {}}, {"external_id": "a\ufffd", "data": {}}])


def test_a_span_without_a_character_is_none() -> None:
    assert row(span=(3, 3)).span is None
    assert row(span=[3, 5]).span == (3, 5)


def test_a_record_with_more_words_than_the_index_holds_keeps_the_heaviest() -> None:
    words = [f"w{number}x" for number in range(20_000)]
    huge = row(text=" ".join([*words, "often often often"]))
    assert len(huge.weights) <= MOST_WORDS
    assert sum(len(word.encode()) for word in huge.weights) <= MOST_WORD_BYTES
    assert max(huge.weights, key=lambda word: huge.weights[word]) == "often"
    assert huge.text_index is not None
    assert all(len(part) < 1_000_000 for part in huge.text_index)


def test_true_for_one_is_a_change() -> None:
    assert row(data={"a": True}).place() != row(data={"a": 1}).place()
    assert row(data={"a": 1, "b": 2}).place() == row(data={"b": 2, "a": 1}).place()
