"""Schemas of tools: strict where they can be, and a null for what may be left out."""

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from syncs.tools.schema import lean, root_object, strict, without_nulls

pytestmark = pytest.mark.promise("S4")


class Inner(BaseModel):
    size: int = 3
    note: str | None = None


class Typed(BaseModel):
    """Everything that the strict subset can say."""

    title: str
    count: int = Field(5, ge=1, description="How many.")
    kind: Literal["a", "b"] = "a"
    inner: Inner = Inner()
    several: list[Inner] = []
    maybe: int | None = None


class Tree(BaseModel):
    name: str
    children: "list[Tree]" = []


class Open(BaseModel):
    data: dict[str, object]


def schema_of(given: Any) -> dict[str, Any]:
    return lean(TypeAdapter(given).json_schema())


def test_titles_are_left_out_and_a_field_called_title_is_not() -> None:
    schema = schema_of(Typed)
    assert '"title": "' not in json.dumps(schema)
    assert "title" in schema["properties"]


def test_a_strict_schema_requires_everything_and_takes_null_for_what_may_be_left_out() -> None:
    schema = strict(schema_of(Typed))
    assert schema is not None
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["properties"]["count"] == {
        "description": "How many. Default: 5.",
        "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
    }
    assert schema["properties"]["maybe"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert schema["$defs"]["Inner"]["required"] == ["size", "note"]
    assert "default" not in json.dumps(schema)


@pytest.mark.parametrize("given", [Open, dict[str, int], tuple[int, str], Any, list[object], dict[str, list[Open]]])
def test_what_has_no_strict_form_is_not_strict(given: Any) -> None:
    assert strict(schema_of(given)) is None


def test_the_root_of_a_recursive_model_is_its_object() -> None:
    schema = root_object(schema_of(Tree))
    assert schema is not None
    assert (schema["type"], list(schema["properties"])) == ("object", ["name", "children"])
    assert strict(schema) is not None


@pytest.mark.parametrize("given", [int, list[int], Inner | Tree, int | None])
def test_what_is_no_object_has_no_root(given: Any) -> None:
    assert root_object(schema_of(given)) is None


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"title": "x", "count": None, "kind": None, "several": None}, {"title": "x"}),
        ({"title": None}, {"title": None}),
        ({"title": "x", "maybe": None}, {"title": "x", "maybe": None}),
        ({"title": "x", "inner": {"size": None, "note": None}}, {"title": "x", "inner": {"note": None}}),
        ({"title": "x", "several": [{"size": None}, {"size": 1}]}, {"title": "x", "several": [{}, {"size": 1}]}),
        ({"title": "x", "other": None}, {"title": "x", "other": None}),
        (["no", "object"], ["no", "object"]),
        ("text", "text"),
    ],
)
def test_a_null_means_the_default_where_null_is_no_value(given: Any, meant: Any) -> None:
    schema = schema_of(Typed)
    assert without_nulls(given, schema, schema) == meant


def test_a_null_stays_where_any_value_may_stand() -> None:
    schema = schema_of(Open)
    assert without_nulls({"data": {"x": None}}, schema, schema) == {"data": {"x": None}}


def test_nulls_are_dropped_to_any_depth_of_a_recursive_model() -> None:
    schema = schema_of(Tree)
    given = {"name": "a", "children": [{"name": "b", "children": [{"name": "c", "children": None}]}]}
    meant = {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]}
    assert without_nulls(given, schema, schema) == meant
