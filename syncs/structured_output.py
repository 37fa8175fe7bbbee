"""Answers of a type: its JSON Schema as a chat model's server takes it, and the answer read back by it."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, create_model

__all__ = ["OutputType", "strict_schema"]

_ANNOTATIONS = ("title", "description")
_KEPT = (
    *_ANNOTATIONS, "type", "enum", "const", "pattern", "multipleOf", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minItems", "maxItems",
)  # fmt: skip
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_SHAPES = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"})
# What changes which values fit, and has no form in the subset.
_BEYOND = frozenset({"prefixItems", "patternProperties", "propertyNames", "not", "if", "contains"})


class OutputType:
    """A type that pydantic can validate, as the schema of an object.

    A type whose values are no objects (`list[int]`) becomes the one field of a wrapper: structured output has
    no other roots.
    """

    def __init__(self, output: Any) -> None:
        self.name = getattr(output, "__name__", str(output))
        self._adapter: TypeAdapter[Any] = TypeAdapter(output)
        self.schema = _with_root(self._adapter.json_schema())
        self._wrapped = self.schema.get("type") != "object"
        if self._wrapped:
            self._adapter = TypeAdapter(create_model("Answer", value=(output, ...)))
            self.schema = self._adapter.json_schema()

    @property
    def response_format(self) -> dict[str, Any]:
        """The request's `response_format`: strict where the type can be expressed so."""
        strict = strict_schema(self.schema)
        schema = self.schema if strict is None else strict
        return {
            "type": "json_schema",
            "json_schema": {"name": "output", "schema": schema, "strict": strict is not None},
        }

    def read(self, text: str) -> Any:
        """The value in the text, whatever fences or thoughts a model puts around it; pydantic's ValidationError."""
        start, end = text.find("{"), text.rfind("}")
        value = self._adapter.validate_json(text[start : end + 1] if 0 <= start < end else text)
        return value.value if self._wrapped else value


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """`schema` in the subset that OpenAI calls strict; None where its shape has no form in it (free keys, any
    value, tuples).

    Every property becomes required, and limits that the subset lacks (lengths of text, some formats) are left
    out: whoever reads the answer checks it against the whole schema all the same. The subset:
    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    try:
        return _strict(schema)
    except _NotStrict:
        return None


class _NotStrict(Exception):
    """A part of the schema has no form in the strict subset."""


def _strict(node: Any) -> dict[str, Any]:
    if not isinstance(node, Mapping) or not _SHAPES & node.keys() or _BEYOND & node.keys():
        raise _NotStrict
    strict = {name: node[name] for name in _KEPT if name in node}
    if node.get("format") in _FORMATS:
        strict["format"] = node["format"]
    strict |= _alternatives(node)
    if node.get("type") == "object":
        strict |= _object(node)
    if node.get("type") == "array":
        strict["items"] = _strict(node.get("items"))
    if "$defs" in node:
        strict["$defs"] = {name: _strict(definition) for name, definition in node["$defs"].items()}
    return strict


def _alternatives(node: Mapping[str, Any]) -> dict[str, Any]:
    """`anyOf` for `anyOf`, `oneOf`, an `allOf` of one, and a `$ref` that is described where it stands."""
    if "$ref" in node:
        reference = {"$ref": node["$ref"]}
        return {"anyOf": [reference]} if any(name in node for name in _ANNOTATIONS) else reference
    several = node.get("anyOf") or node.get("oneOf") or node.get("allOf")
    if several is None:
        return {}
    if "allOf" in node and len(several) > 1:
        raise _NotStrict
    return {"anyOf": [_strict(one) for one in several]}


def _object(node: Mapping[str, Any]) -> dict[str, Any]:
    if "properties" not in node or node.get("additionalProperties", False) is not False:
        raise _NotStrict
    return {
        "properties": {name: _strict(schema) for name, schema in node["properties"].items()},
        "required": list(node["properties"]),
        "additionalProperties": False,
    }


def _with_root(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the definition that a recursive type refers to at its root in that place."""
    if "$ref" not in schema:
        return schema
    definition = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**definition, "$defs": schema["$defs"]}
