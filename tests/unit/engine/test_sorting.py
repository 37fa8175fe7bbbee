"""What a sort may be, and what its SQL looks like; its meaning is in the engines' own suite."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sorting import SortField, parse_sort, sort_sql


def test_a_sort_is_field_paths_and_a_sign_turns_one_round() -> None:
    assert parse_sort(["price", "-meta.date", "--n", "-list.-1"]) == (
        SortField(("price",), False),
        SortField(("meta", "date"), True),
        SortField(("-n",), True),
        SortField(("list", "-1"), True),
    )


def test_text_is_sorted_by_code_point_whatever_the_locale_of_the_database() -> None:
    text, _ = sort_sql(parse_sort(["name"]), lambda path: "data")
    by_text = text.rstrip(", ").rsplit(", ", 1)[-1]
    assert by_text.endswith('END COLLATE "C" ASC NULLS LAST')


def test_nothing_to_sort_by_is_no_sql() -> None:
    assert sort_sql((), lambda path: "data") == ("", {})


@pytest.mark.promise("E4")
@given(st.lists(st.text("abcäß_-019", min_size=1, max_size=5), min_size=1, max_size=3), st.booleans())
def test_no_field_name_is_ever_in_the_sql(names: list[str], descending: bool) -> None:
    text, parameters = sort_sql((SortField(tuple(names), descending),), lambda path: "data")
    words = set(re.findall(r"[A-Za-z_]{2,}", re.sub(r"%\(sort_\w+\)s", "", text)))
    assert words <= {
        "CASE", "WHEN", "THEN", "ELSE", "END", "NULL", "NULLS", "LAST", "ASC", "DESC", "COLLATE", "data", "text",
        "jsonb_typeof", "boolean", "number", "string", "int", "numeric", "substr", "regexp_replace", "timestamptz",
    }  # fmt: skip
    assert parameters["sort_0"] == names
    assert set(parameters) == set(re.findall(r"%\((\w+)\)s", text))
