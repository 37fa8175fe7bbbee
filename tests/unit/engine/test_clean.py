"""Text and JSON come out of cleaning as Postgres gives them back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clean import canonical, clean_json, clean_text, digest

ANY_TEXT = st.text(st.characters(exclude_categories=()))
SCALARS = st.none() | st.booleans() | st.integers(-(2**4096) + 1, 2**4096 - 1) | st.floats() | ANY_TEXT
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=20)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\udfffx", "\ufffdx"),
        ("\x01\x1f\x7f\ufffe\U0010ffff", "\x01\x1f\x7f\ufffe\U0010ffff"),
        ("", ""),
    ],
)
def test_nul_and_lone_surrogates_are_replaced_and_nothing_else(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@given(ANY_TEXT)
def test_cleaned_text_is_utf_8_without_nul(text: str) -> None:
    assert b"\0" not in clean_text(text).encode()
    assert clean_text(clean_text(text)) == clean_text(text)


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        ((1, (2,)), [1, [2]]),
        ({1: "a\0"}, {"1": "a\ufffd"}),
        ({"a\0": 1}, {"a\ufffd": 1}),
        (1e15, 1e15),
        (1e23, 10**23),
        (-1e308, -(10**308)),
        (10**1000, 10**1000),
    ],
)
def test_json_is_cleaned_to_what_jsonb_gives_back(value: Any, cleaned: object) -> None:
    found = clean_json(value)
    assert found == cleaned
    assert type(found) is type(cleaned)


def test_minus_zero_is_zero() -> None:
    assert canonical(clean_json(-0.0)) == "0.0"


@given(DATA)
def test_cleaned_json_can_be_written_and_cleaning_it_again_changes_nothing(value: object) -> None:
    cleaned = clean_json(value)
    assert canonical(clean_json(cleaned)) == canonical(cleaned)
    json.dumps(cleaned, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, 1j, [object()], {"a": bytearray()}])
def test_what_json_has_no_form_for_is_named(value: object) -> None:
    with pytest.raises(TypeError, match="which is not JSON"):
        clean_json(value)


def test_an_integer_too_long_to_be_written_is_refused() -> None:
    assert clean_json(2**4096 - 1) == 2**4096 - 1
    with pytest.raises(TypeError, match="4,096 bits"):
        clean_json(2**4096)


def test_json_nested_too_deep_or_in_itself_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(TypeError, match="100 levels"):
        clean_json(circle)
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    assert clean_json(deep) == deep
    with pytest.raises(TypeError, match="100 levels"):
        clean_json({"a": deep})


def test_true_and_one_are_two_values_and_the_order_of_keys_is_none() -> None:
    assert canonical({"a": True}) != canonical({"a": 1})
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


def test_a_digest_takes_any_text() -> None:
    assert len(digest("\ud800")) == len(digest("")) == 32
    assert digest("a") != digest("b")
