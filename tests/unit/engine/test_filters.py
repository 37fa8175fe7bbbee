"""What the filter language refuses, and what its SQL looks like; its meaning is in the engines' own suite."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidFilter
from engine.filters import And, Comparison, Not, Or, matches, parse, to_sql


def test_a_filter_becomes_a_typed_tree() -> None:
    parsed = parse({"lang": "en", "price": {"gte": 1, "lt": 5}, "or": [{"a.b": None}, {"not": {"c": {"in": [1]}}}]})
    assert parsed == And((
        Comparison(("lang",), "eq", "en"),
        And((Comparison(("price",), "gte", 1), Comparison(("price",), "lt", 5))),
        Or((Comparison(("a", "b"), "eq", None), Not(Comparison(("c",), "in", (1,))))),
    ))  # fmt: skip


@pytest.mark.promise("E4")
@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"price": {"gtr": 1}}, "unknown operator 'gtr' at 'price'; did you mean 'gt"),
        ({"price": {"$gte": 1}}, "unknown operator '$gte' at 'price'; did you mean 'gte'?"),
        ({"a.b": {"regex": "x"}}, "unknown operator 'regex' at 'a.b'; there are eq, ne,"),
        ({"price": {"eq": 1, "foo": 2}}, "unknown operator 'foo'"),
        ({"$and": []}, "'$and' is not a field path"),
        ({"$and": []}, "did you mean 'and'?"),
        ({"k' = 'k' OR 1=1 --": 1}, "is not a field path"),
        ({"": 1}, "'' is not a field path"),
        ({"a..b": 1}, "'a..b' is not a field path"),
        ({".a": 1}, "'.a' is not a field path"),
        ({"a b": 1}, "'a b' is not a field path"),
        ({"a%(x)s": 1}, "is not a field path"),
        ({3: 1}, "3 is not a field path"),
        ({"a": {}}, "the field 'a' has no operator"),
        ({"and": []}, "'and' takes a list of at least one filter"),
        ({"or": {"a": 1}}, "'or' takes a list of at least one filter"),
        ({"or": "ab"}, "'or' takes a list"),
        ({"and": [1]}, "a filter is a JSON object, not int"),
        ({"not": [{"a": 1}]}, "a filter is a JSON object, not list"),
        ([{"a": 1}], "a filter is a JSON object, not list"),
        ({"a": [1, 2]}, "a list goes with 'in'"),
        ({"a": {"eq": {"b": 1}}}, "'a' compares with text"),
        ({"a": {"gt": None}}, "'gt' of 'a' cannot compare with null"),
        ({"a": {"in": "abc"}}, "'in' of 'a' takes a list"),
        ({"a": {"not_in": [[1]]}}, "'a' compares with text"),
        ({"a": {"exists": 1}}, "'exists' of 'a' takes true or false"),
        ({"a": float("nan")}, "finite number"),
        ({"a": 1 << 5000}, "finite number"),
        ({"a": "x\0y"}, "NUL"),
        ({"a": "\ud800"}, "surrogate"),
    ],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_refused(filter: Any, message: str) -> None:
    with pytest.raises(InvalidFilter, match=re.escape(message)):
        parse(filter)


@pytest.mark.promise("E4")
def test_nesting_has_an_end() -> None:
    filter: dict[str, Any] = {"a": 1}
    for _ in range(5_000):
        filter = {"not": filter}
    with pytest.raises(InvalidFilter, match="at most 32 levels"):
        parse(filter)


def test_no_filter_matches_everything() -> None:
    assert matches(parse(None), {})
    assert matches(parse({}), {"a": 1})
    assert to_sql(parse(None)) == ("TRUE", {})


def test_the_sql_names_its_column_and_its_parameters() -> None:
    text, parameters = to_sql(parse({"a.b": {"gt": 5}}), "r.data", "where")
    assert text == (
        "(CASE jsonb_typeof((r.data #> %(where_0)s::text[])) WHEN 'number' "
        "THEN (r.data #>> %(where_0)s::text[])::numeric > %(where_1)s::numeric ELSE FALSE END)"
    )
    assert parameters == {"where_0": ["a", "b"], "where_1": "5"}


@pytest.mark.parametrize("column", ["data; DROP TABLE x", "a.b.c", "", "data)"])
def test_a_column_is_a_column_name(column: str) -> None:
    with pytest.raises(ValueError, match="is not a column name"):
        to_sql(parse({"a": 1}), column)


NAMES = st.text("abcdefgäß_-0123456789", min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
LEAVES = st.dictionaries(
    NAMES.filter(lambda name: name not in {"and", "or", "not"}),
    SCALARS | st.fixed_dictionaries({"ne": SCALARS}) | st.fixed_dictionaries({"in": st.lists(SCALARS, max_size=3)}),
    max_size=3,
)
FILTERS = st.recursive(
    LEAVES, lambda inner: st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=3)}), max_leaves=6
)


@pytest.mark.promise("E4")
@given(FILTERS)
def test_no_value_and_no_field_name_is_ever_in_the_sql(filter: dict[str, Any]) -> None:
    text, parameters = to_sql(parse(filter))
    words = set(re.findall(r"[A-Za-z_]+", re.sub(r"%\(filter_\d+\)s", "", text)))
    assert words <= {"TRUE", "FALSE", "AND", "OR", "NOT", "COALESCE", "ANY", "data", "text", "jsonb"}
    assert sorted(re.findall(r"%\((\w+)\)s", text)) == sorted(parameters)
    json.dumps(parameters)


DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(FILTERS, st.dictionaries(NAMES, DATA, max_size=4))
def test_not_is_the_opposite_for_any_data(filter: dict[str, Any], data: dict[str, Any]) -> None:
    assert matches(parse({"not": filter}), data) != matches(parse(filter), data)
