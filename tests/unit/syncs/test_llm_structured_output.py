"""JSON Schemas in the strict subset, and answers read back by their type."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from syncs.structured_output import OutputType, strict_schema


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    tags: list[str] = []


class Owner(BaseModel):
    """Somebody with a pet."""

    name: str = Field(min_length=1, description="As on the letter box")
    since: datetime
    pet: Cat | Dog = Field(discriminator="kind")
    first: Cat = Field(description="The first one")
    age: int | None = Field(default=None, ge=0)
    site: Annotated[str, Field(json_schema_extra={"format": "uri"})] = ""


class Node(BaseModel):
    name: str
    children: list["Node"]


def parts(schema: Any) -> list[dict[str, Any]]:
    """Every schema in a schema, itself included."""
    if isinstance(schema, list):
        return [part for item in schema for part in parts(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for item in schema.values() for part in parts(item))]


def test_every_object_is_closed_and_every_property_required() -> None:
    schema = strict_schema(OutputType(Owner).schema)
    assert schema is not None
    objects = [part for part in parts(schema) if part.get("type") == "object"]
    assert len(objects) == 3
    for part in objects:
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])


def test_what_the_subset_lacks_is_left_out_and_what_explains_is_kept() -> None:
    schema = strict_schema(OutputType(Owner).schema)
    assert schema is not None
    assert not {"oneOf", "allOf", "default", "minLength", "discriminator"} & {
        key for part in parts(schema) for key in part
    }
    fields = schema["properties"]
    assert schema["description"] == "Somebody with a pet."
    assert fields["name"] == {"title": "Name", "type": "string", "description": "As on the letter box"}
    assert fields["since"]["format"] == "date-time"
    assert "format" not in fields["site"]
    assert fields["age"]["anyOf"] == [{"type": "integer", "minimum": 0}, {"type": "null"}]
    assert fields["pet"]["anyOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    assert fields["first"] == {"description": "The first one", "anyOf": [{"$ref": "#/$defs/Cat"}]}


def test_a_recursive_type_has_an_object_at_its_root() -> None:
    wanted = OutputType(Node)
    assert wanted.schema["type"] == "object"
    assert strict_schema(wanted.schema) is not None
    assert wanted.read('{"name": "a", "children": [{"name": "b", "children": []}]}').children[0].name == "b"


class Loose(BaseModel, extra="allow"):
    name: str


class AnyField(BaseModel):
    value: Any


@dataclass
class Pair:
    both: tuple[int, str]


@pytest.mark.parametrize("output", [dict[str, int], Loose, AnyField, Pair, list[Any], dict, list[dict[str, str]]])
def test_a_shape_with_no_form_in_the_subset_is_asked_for_as_it_is(output: Any) -> None:
    wanted = OutputType(output)
    asked = wanted.response_format["json_schema"]
    assert asked["strict"] is False
    assert asked["schema"] == wanted.schema


@pytest.mark.parametrize(
    "beyond",
    [
        {"patternProperties": {"^x": {"type": "string"}}},
        {"propertyNames": {"maxLength": 3}},
        {"not": {"type": "null"}},
        {"if": {"type": "object"}},
    ],
)
def test_a_rule_with_no_form_in_the_subset_is_not_dropped_in_silence(beyond: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert strict_schema(schema) is not None
    assert strict_schema(schema | beyond) is None


def test_the_schema_itself_is_not_changed() -> None:
    schema = TypeAdapter(Owner).json_schema()
    strict_schema(schema)
    assert schema == TypeAdapter(Owner).json_schema()


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "a", "children": []}',
        '```json\n{"name": "a", "children": []}\n```',
        'Here you are: {"name": "a", "children": []} Anything else?',
    ],
)
def test_an_object_is_found_in_what_a_model_puts_around_it(text: str) -> None:
    assert OutputType(Node).read(text) == Node(name="a", children=[])


@pytest.mark.parametrize("text", ["", "no", "}{", '{"name": "a"}', '{"name": "a", "children": [}'])
def test_a_text_without_the_object_is_invalid(text: str) -> None:
    with pytest.raises(ValidationError):
        OutputType(Node).read(text)
