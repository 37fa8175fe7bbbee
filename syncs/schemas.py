"""Schemas of inputs and outputs: read from annotations, checked at run time, silent about values."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import core_schema

from syncs.context import SyncContext
from syncs.errors import InvalidData, InvalidSyncDefinition

__all__ = ["adapter_of", "annotated_schemas", "problems_of", "validated"]

T = TypeVar("T")

# Pydantic's own messages name what was expected; a validator of the author's may name what was given.
_VALUELESS = frozenset(get_args(core_schema.ErrorType)) - {"value_error", "assertion_error"}


def adapter_of(schema: Any, *, sync: str, option: str) -> TypeAdapter[Any]:
    """The validator of any annotated type: a pydantic model, dataclass, TypedDict, `list[int]`, ..."""
    try:
        return TypeAdapter(schema)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise InvalidSyncDefinition(f"sync {sync!r}: {option} is not a type to validate by: {error}") from error


def validated(adapter: TypeAdapter[T], value: object, *, error: type[InvalidData], sync: str, run_id: str) -> T:
    """`value` as the schema's type; raises `error` with the path and the reason of every problem."""
    try:
        return adapter.validate_python(value)
    except ValidationError as invalid:
        problems = problems_of(invalid)
    # Raised outside the handler: pydantic's own error holds the values, and would be kept as the context.
    raise error(sync, run_id, problems)


def problems_of(invalid: ValidationError) -> list[tuple[str, str]]:
    """(field path, reason) of every problem, without the values."""
    problems = []
    for problem in invalid.errors(include_url=False, include_context=False):
        path, reason = ".".join(str(part) for part in problem["loc"]), problem["msg"]
        if problem["type"] not in _VALUELESS:
            for value in _scalars(problem["input"]):
                reason = reason.replace(value, "***")
        problems.append((path, reason))
    return problems


def _scalars(value: object) -> list[str]:
    """Every text and number in the value, as text."""
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _scalars(item)]
    if isinstance(value, list | tuple | set | frozenset):
        return [text for item in value for text in _scalars(item)]
    if isinstance(value, str | bytes | int | float) and not isinstance(value, bool) and value:
        return [repr(value), str(value)]
    return []


def annotated_schemas(execute: Callable[..., object], sync: str) -> tuple[Any, Any]:
    """The input and output schema that `execute` is annotated with, `inspect.Parameter.empty` for none.

    The parameter is to be annotated `SyncContext[Input]`, the return value with the output.
    """
    function = execute if inspect.isroutine(execute) else type(execute).__call__
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise InvalidSyncDefinition(
            f"sync {sync!r}: cannot read execute's annotations ({error}): give input_schema and output_schema"
        ) from error
    first = hints.get(_only_parameter(execute, sync), None)
    arguments: Sequence[Any] = get_args(first) if get_origin(first) is SyncContext else ()
    missing = inspect.Parameter.empty
    taken = arguments[0] if arguments and not isinstance(arguments[0], TypeVar) else missing
    return taken, hints.get("return", missing)


def _only_parameter(execute: Callable[..., object], sync: str) -> str:
    """The name of the parameter that takes the context; any other must have a default."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = list(inspect.signature(execute).parameters.values())
    takes_one = bool(parameters) and parameters[0].kind in positional
    if not takes_one or any(
        parameter.default is inspect.Parameter.empty and parameter.kind in (*positional, inspect.Parameter.KEYWORD_ONLY)
        for parameter in parameters[1:]
    ):
        raise InvalidSyncDefinition(f"sync {sync!r}: execute takes one argument, the context")
    return parameters[0].name
