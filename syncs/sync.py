"""A sync: a function with an id, and the schemas that its input and output must fit."""

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack, overload

from pydantic import TypeAdapter

from syncs.context import SyncContext
from syncs.errors import InvalidInput, InvalidSyncDefinition, did_you_mean
from syncs.schemas import adapter_of, annotated_schemas, validated

__all__ = ["Decorator", "Options", "SchemaOptions", "Sync", "create_sync"]

In = TypeVar("In")
Out = TypeVar("Out")
OutCo = TypeVar("OutCo", covariant=True)

_ID = re.compile(r"[A-Za-z0-9][\w.:/-]{0,199}")


@dataclass(frozen=True, slots=True)
class Sync(Generic[In, OutCo]):
    """What `create_sync` makes, and a runtime runs.

    `id` is "" where none was given: the key that the sync is registered under is its id then. `payload` is
    the input of a run that is given none.
    """

    id: str
    description: str
    label: str
    input_schema: Any
    output_schema: Any
    execute: Callable[[SyncContext[In]], Awaitable[OutCo] | OutCo]
    payload: Any = None
    input_adapter: TypeAdapter[In] = field(kw_only=True, repr=False, compare=False)
    output_adapter: TypeAdapter[OutCo] = field(kw_only=True, repr=False, compare=False)


class Options(TypedDict, total=False):
    """The options of `create_sync` that no type depends on."""

    id: str | None
    description: str
    label: str | None
    payload: object


class SchemaOptions(Options, total=False):
    """The options of a sync whose types are read from `execute`."""

    input_schema: Any
    output_schema: Any
    schema: Any


class Decorator(Protocol):
    """Makes a sync of the function below it."""

    @overload
    def __call__(self, execute: Callable[[SyncContext[In]], Awaitable[Out]], /) -> Sync[In, Out]: ...

    @overload
    def __call__(self, execute: Callable[[SyncContext[In]], Out], /) -> Sync[In, Out]: ...


@overload
def create_sync(execute: Callable[[SyncContext[In]], Awaitable[Out]], /) -> Sync[In, Out]: ...


@overload
def create_sync(execute: Callable[[SyncContext[In]], Out], /) -> Sync[In, Out]: ...


@overload
def create_sync(
    *,
    execute: Callable[[SyncContext[In]], object],
    output_schema: type[Out],
    input_schema: type[In] | None = None,
    schema: type[In] | None = None,
    **options: Unpack[Options],
) -> Sync[In, Out]: ...


@overload
def create_sync(
    *, execute: Callable[[SyncContext[In]], Awaitable[Out]], **options: Unpack[SchemaOptions]
) -> Sync[In, Out]: ...


@overload
def create_sync(*, execute: Callable[[SyncContext[In]], Out], **options: Unpack[SchemaOptions]) -> Sync[In, Out]: ...


@overload
def create_sync(**options: Unpack[SchemaOptions]) -> Decorator: ...


def create_sync(
    function: Any = None,
    /,
    *,
    id: str | None = None,
    description: str = "",
    input_schema: Any = None,
    output_schema: Any = None,
    execute: Any = None,
    label: str | None = None,
    payload: Any = None,
    schema: Any = None,
    **unknown: object,
) -> Any:
    """Make a sync of a function; without `execute`, a decorator that does.

    `execute` takes a `SyncContext` and returns the output, as a coroutine function or a plain one (which runs
    in a thread). A schema is any type that pydantic can validate; one that is not given is read from
    `execute`'s annotations. `schema` is another name for `input_schema`, `payload` the input of a run that
    is given none. Without `id`, the key that the sync is registered under is its id; `label` is for people.

    Raises `InvalidSyncDefinition` for an unknown or contradictory option, or a schema that cannot be had.
    """
    name = id or getattr(execute or function, "__name__", "without id")
    if unknown:
        wrong = next(iter(unknown))
        raise InvalidSyncDefinition(f"sync {name!r}: unknown option {wrong!r}; {did_you_mean(wrong, _OPTIONS)}")
    if schema is not None and input_schema is not None:
        raise InvalidSyncDefinition(f"sync {name!r}: schema is another name for input_schema: give one of them")
    if function is not None and execute is not None:
        raise InvalidSyncDefinition(f"sync {name!r}: execute is given twice")
    if id is not None and not _ID.fullmatch(id):
        raise InvalidSyncDefinition(f"{id!r} is no id: letters, digits and _ . : / -, starting with a letter or digit")

    def define(execute: Any) -> Sync[Any, Any]:
        return _define(
            execute,
            id=id or "",
            description=description or inspect.getdoc(execute) or "",
            label=label or id or "",
            input_schema=schema if input_schema is None else input_schema,
            output_schema=output_schema,
            payload=payload,
        )

    given = function if execute is None else execute
    return define if given is None else define(given)


_OPTIONS = tuple(inspect.signature(create_sync).parameters)[1:-1]


def _define(
    execute: Any,
    *,
    id: str,
    description: str,
    label: str,
    input_schema: Any,
    output_schema: Any,
    payload: Any,
) -> Sync[Any, Any]:
    name = id or getattr(execute, "__name__", "without id")
    if not callable(execute):
        raise InvalidSyncDefinition(f"sync {name!r}: execute must be a function, not {type(execute).__name__}")
    if input_schema is None or output_schema is None:
        read_input, read_output = annotated_schemas(execute, name)
        input_schema = read_input if input_schema is None else input_schema
        output_schema = read_output if output_schema is None else output_schema
    if input_schema is inspect.Parameter.empty:
        raise InvalidSyncDefinition(
            f"sync {name!r}: give input_schema, or annotate execute's argument as SyncContext[YourInput]"
        )
    if output_schema is inspect.Parameter.empty:
        raise InvalidSyncDefinition(f"sync {name!r}: give output_schema, or annotate what execute returns")
    sync: Sync[Any, Any] = Sync(
        id,
        description,
        label,
        input_schema,
        output_schema,
        execute,
        payload,
        input_adapter=adapter_of(input_schema, sync=name, option="input_schema"),
        output_adapter=adapter_of(output_schema, sync=name, option="output_schema"),
    )
    if payload is not None:
        _check_payload(sync, name)
    return sync


def _check_payload(sync: Sync[Any, Any], name: str) -> None:
    try:
        validated(sync.input_adapter, sync.payload, error=InvalidInput, sync=name, run_id="none")
    except InvalidInput as error:
        problems = "; ".join(f"{path}: {reason}" if path else reason for path, reason in error.problems)
        raise InvalidSyncDefinition(f"sync {name!r}: payload does not fit the input schema: {problems}") from error
