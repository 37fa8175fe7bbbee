"""What `create_sync` makes of a function, and what it refuses."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from engine.mock import MockEngine
from syncs import InvalidInput, InvalidSyncDefinition, Runtime, Sync, SyncContext, create_sync


class Name(BaseModel):
    name: str


class Greeting(BaseModel):
    message: str


async def greet(ctx: SyncContext[Name]) -> Greeting:
    """Say hello."""
    return Greeting(message=f"Hello, {ctx.context.name}")


def run(sync: Sync[Any, Any], given: object = None) -> Any:
    runtime = Runtime(engine=MockEngine(), syncs={"the_sync": sync})
    return asyncio.run(runtime.sync("the_sync", given))


def test_schemas_are_inferred_from_the_annotations() -> None:
    sync = create_sync(id="greet", execute=greet)
    assert (sync.input_schema, sync.output_schema) == (Name, Greeting)
    assert run(sync, {"name": "Ada"}) == Greeting(message="Hello, Ada")


def test_a_given_schema_wins_over_the_annotations() -> None:
    async def execute(ctx):  # type-less on purpose
        return {"message": ctx.context.name}

    sync = create_sync(id="greet", input_schema=Name, output_schema=Greeting, execute=execute)
    assert run(sync, {"name": "Ada"}) == Greeting(message="Ada")


def test_schema_is_another_name_for_input_schema() -> None:
    assert create_sync(id="greet", schema=Name, execute=greet).input_schema is Name
    with pytest.raises(InvalidSyncDefinition, match="another name for input_schema"):
        create_sync(id="greet", schema=Name, input_schema=Name, execute=greet)


def test_a_bare_decorator_makes_a_sync_whose_id_is_its_key() -> None:
    @create_sync
    async def hello(ctx: SyncContext[Name]) -> Greeting:
        """Say hello."""
        return Greeting(message=f"{ctx.log.extra['sync']}")

    assert (hello.id, hello.description) == ("", "Say hello.")
    assert run(hello, {"name": "Ada"}) == Greeting(message="the_sync")


def test_a_decorator_with_options_makes_a_sync() -> None:
    @create_sync(id="hello", label="Hello", description="Greets")
    async def hello(ctx: SyncContext[Name]) -> Greeting:
        return Greeting(message=ctx.context.name)

    assert (hello.id, hello.label, hello.description) == ("hello", "Hello", "Greets")
    assert run(hello, {"name": "Ada"}).message == "Ada"


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (list[int], ["1", 2], [1, 2]),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (Point, {"x": "3"}, Point(3)),
        (int | None, None, None),
        (type(None), None, None),
    ],
)
def test_any_annotated_type_is_a_schema(annotation: Any, given: object, expected: object) -> None:
    async def execute(ctx: SyncContext[Any]) -> Any:
        return ctx.context

    sync = create_sync(id="any", input_schema=annotation, output_schema=annotation, execute=execute)
    result = run(sync, given)
    assert (result, type(result)) == (expected, type(expected))


def test_the_payload_is_the_input_of_a_run_that_is_given_none() -> None:
    sync = create_sync(id="greet", execute=greet, payload={"name": "nobody"})
    assert run(sync).message == "Hello, nobody"
    assert run(sync, Name(name="Ada")).message == "Hello, Ada"


def test_a_payload_that_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(InvalidSyncDefinition, match=r"payload does not fit the input schema: name: Field required"):
        create_sync(id="greet", execute=greet, payload={"nam": "nobody"})


def test_without_payload_or_input_a_required_input_is_missed() -> None:
    with pytest.raises(InvalidInput, match="'greet'"):
        run(create_sync(id="greet", execute=greet))


@pytest.mark.parametrize(
    ("option", "nearest"),
    [("outputShema", "output_schema"), ("inputSchema", "input_schema"), ("descripton", "description")],
)
def test_an_unknown_option_is_refused_with_the_nearest(option: str, nearest: str) -> None:
    options: dict[str, Any] = {option: Name}
    with pytest.raises(InvalidSyncDefinition, match=f"unknown option '{option}'; did you mean '{nearest}'"):
        create_sync(id="greet", execute=greet, **options)


def test_a_function_without_annotations_asks_for_schemas() -> None:
    async def execute(ctx):
        return None

    with pytest.raises(InvalidSyncDefinition, match="give input_schema, or annotate"):
        create_sync(id="x", execute=execute)
    with pytest.raises(InvalidSyncDefinition, match="give output_schema, or annotate"):
        create_sync(id="x", input_schema=Name, execute=execute)


def test_annotations_that_cannot_be_read_are_an_error_with_the_remedy() -> None:
    async def execute(ctx: "SyncContext[NoSuchType]") -> None: ...  # noqa: F821

    with pytest.raises(InvalidSyncDefinition, match=r"NoSuchType.*give input_schema and output_schema"):
        create_sync(id="x", execute=execute)


def test_what_pydantic_cannot_validate_is_no_schema() -> None:
    class Opaque: ...

    with pytest.raises(InvalidSyncDefinition, match="output_schema is not a type to validate by"):
        create_sync(id="x", input_schema=Name, output_schema=Opaque, execute=greet)


def test_execute_must_be_a_function_of_one_argument() -> None:
    async def two(ctx: SyncContext[Name], engine: object) -> None: ...

    with pytest.raises(InvalidSyncDefinition, match="takes one argument, the context"):
        create_sync(id="x", execute=two)
    not_a_function: Any = 3
    with pytest.raises(InvalidSyncDefinition, match="must be a function, not int"):
        create_sync(id="x", execute=not_a_function)


@pytest.mark.parametrize("wrong", ["", " ", "a b", "-a", "a" * 201])
def test_an_id_that_no_command_line_could_name_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidSyncDefinition, match="is no id"):
        create_sync(id=wrong, execute=greet)


def test_a_sync_cannot_be_changed() -> None:
    sync = create_sync(id="greet", execute=greet)
    with pytest.raises(AttributeError):
        setattr(sync, "id", "other")  # noqa: B010
