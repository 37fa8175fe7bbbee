"""JSON Schemas of tools: lean, an object at the root, strict where that can be; and arguments made to fit them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from syncs.structured_output import strict_schema

__all__ = ["lean", "root_object", "strict", "without_nulls"]

Schema = Mapping[str, Any]

_MAPS = ("properties", "$defs")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")


def lean(schema: Schema) -> dict[str, Any]:
    """`schema` without titles: they repeat the names of fields, and an agent pays for each word."""
    leaner: dict[str, Any] = _each(schema, lambda node: {name: node[name] for name in node if name != "title"})
    return leaner


def root_object(schema: Schema) -> dict[str, Any] | None:
    """`schema` with the object itself at its root, as tools must have it; None where it is of something else."""
    root: dict[str, Any] = dict(schema)
    if "$ref" in root:  # a model that refers to itself
        root = {**_resolved(root, schema), "$defs": schema["$defs"]}
    return root if root.get("type") == "object" else None


def strict(schema: Schema) -> dict[str, Any] | None:
    """`schema` as OpenAI's strict mode takes it: what may be left out is null instead. None where it has no
    such form (free keys, any value, tuples)."""
    return strict_schema(_each(schema, lambda node: _null_for_absent(node, schema)))


def without_nulls(value: Any, schema: Schema, root: Schema) -> Any:
    """`value` without the nulls of fields that may be left out and are never null: they mean the default."""
    branches = list(_branches(schema, root))
    if isinstance(value, list):
        items = [branch["items"] for branch in branches if isinstance(branch.get("items"), Mapping)]
        return [without_nulls(item, {"anyOf": items}, root) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        owners = [branch for branch in branches if name in branch.get("properties", {})]
        meant = [branch["properties"][name] for branch in owners]
        absent = owners and all(name not in branch.get("required", ()) for branch in owners)
        if item is not None or not absent or any(_admits_null(one, root) for one in meant):
            kept[name] = without_nulls(item, {"anyOf": meant}, root)
    return kept


def _each(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """`node` with `change` applied to every schema in it, the inner ones first."""
    if not isinstance(node, Mapping):
        return node
    copied = dict(node)
    for name in _MAPS:
        if name in copied:
            copied[name] = {key: _each(inner, change) for key, inner in copied[name].items()}
    for name in _LISTS:
        if name in copied:
            copied[name] = [_each(inner, change) for inner in copied[name]]
    for name in _SINGLE:
        if name in copied:
            copied[name] = _each(copied[name], change)
    return change(copied)


def _null_for_absent(node: dict[str, Any], root: Schema) -> dict[str, Any]:
    if "properties" not in node:
        return node
    required = node.get("required", ())
    properties = {
        name: inner if name in required else _or_null(inner, root) for name, inner in node["properties"].items()
    }
    return {**node, "properties": properties}


def _or_null(node: Any, root: Schema) -> Any:
    if not isinstance(node, Mapping):
        return node
    inner = {name: value for name, value in node.items() if name not in ("description", "default")}
    default = node.get("default")
    told = "" if default in (None, [], {}) else f"Default: {default!r}."
    description = " ".join(part for part in (node.get("description", ""), told) if part)
    if not _admits_null(node, root):
        inner = {"anyOf": [inner, {"type": "null"}]}
    return {**inner, "description": description} if description else inner


def _branches(node: Any, root: Schema) -> Iterator[Schema]:
    """Every schema that a value may have to fit, through references and alternatives."""
    if not isinstance(node, Mapping):
        return
    if "$ref" in node:
        yield from _branches(_resolved(node, root), root)
    several = [inner for name in ("anyOf", "oneOf", "allOf") for inner in node.get(name, ())]
    for inner in several:
        yield from _branches(inner, root)
    if "$ref" not in node and not several:
        yield node


def _admits_null(node: Any, root: Schema) -> bool:
    def admits(branch: Schema) -> bool:
        if "enum" in branch or "const" in branch:
            return None in branch.get("enum", [branch.get("const", ...)])
        kind = branch.get("type")
        return kind is None or kind == "null" or (isinstance(kind, list) and "null" in kind)

    return any(admits(branch) for branch in _branches(node, root)) or node is True


def _resolved(node: Schema, root: Schema) -> dict[str, Any]:
    found: dict[str, Any] = root["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return found
