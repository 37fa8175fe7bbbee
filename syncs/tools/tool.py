"""A tool: something an agent may call, with typed input and output, and errors that the agent can act on."""

import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from chunking import ChunkingError
from engine.errors import EngineError
from ingest import IngestError
from syncs.context import Progress
from syncs.errors import DuplicateSync, InvalidSyncDefinition, SyncError, did_you_mean
from syncs.redaction import without_secrets
from syncs.schemas import problems_of
from syncs.tools.schema import lean, root_object, without_nulls

__all__ = ["Report", "Tool", "ToolError", "by_name", "find"]

MOST_ERROR_CHARACTERS = 2_000

Report = Callable[[Progress], Awaitable[None]]
"""Told of each progress report of a run that a tool started."""

_log = logging.getLogger("syncs.tools")


class ToolError(SyncError):
    """A call that failed. The message is for the agent: what is wrong and what to do, without secrets."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One entry of the catalogue.

    `input` validates the arguments, a JSON object; `run` takes what it returns and gives an `output`. The hints
    are MCP's: `read_only` changes nothing, `destructive` may delete, `idempotent` may be called again with the
    same arguments to no further effect, `open_world` reaches beyond the store.
    """

    name: str
    title: str
    description: str
    input: TypeAdapter[Any]
    output: type[BaseModel]
    run: Callable[[Any, Report | None], Awaitable[BaseModel]]
    read_only: bool = True
    destructive: bool = False
    idempotent: bool = True
    open_world: bool = False
    input_schema: Mapping[str, Any] = field(init=False, repr=False)
    output_schema: Mapping[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        schema = root_object(lean(self.input.json_schema()))
        if schema is None:
            raise InvalidSyncDefinition(f"tool {self.name!r}: its input must be a JSON object, a field an argument")
        object.__setattr__(self, "input_schema", schema)
        object.__setattr__(self, "output_schema", lean(self.output.model_json_schema(mode="serialization")))

    async def call(self, arguments: object, report: Report | None = None) -> dict[str, Any]:
        """Validate, run, and give the answer as JSON; a null for what may be left out is its default.

        Raises `ToolError`, whatever went wrong. Cancelling the call cancels the run that it started.
        """
        value = self._validated(arguments)
        try:
            return (await self.run(value, report)).model_dump(mode="json")
        except ToolError:
            raise
        except (ChunkingError, EngineError, IngestError, SyncError) as error:
            raise ToolError(_bounded(str(error))) from error
        except Exception as error:
            _log.error("tool %s failed: %s", self.name, without_secrets(traceback.format_exc()))
            name = type(error).__name__
            raise ToolError(
                f"{self.name} failed with {name}: the log of the server that runs it says where."
            ) from error

    def _validated(self, arguments: object) -> Any:
        try:
            return self.input.validate_python(without_nulls(arguments, self.input_schema, self.input_schema))
        except ValidationError as invalid:
            problems = problems_of(invalid)
        # Raised outside the handler: pydantic's own error holds the values, and would be kept as the context.
        known = self.input_schema.get("properties", {})
        listed = "; ".join(
            f"{path or 'arguments'}: {reason}{'' if not path or path.split('.')[0] in known else _unknown(path, known)}"
            for path, reason in problems
        )
        raise ToolError(_bounded(f"{self.name}: invalid arguments: {listed}"))


def by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    """Tools by their names; `DuplicateSync` where two have the same."""
    named: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in named:
            raise DuplicateSync(
                f"two tools are called {tool.name!r} ({named[tool.name].title}; {tool.title}): register the sync "
                "under another key"
            )
        named[tool.name] = tool
    return named


def find(tools: Mapping[str, Tool], name: str) -> Tool:
    """The tool of this name; `ToolError` naming the nearest where there is none."""
    if name not in tools:
        raise ToolError(f"there is no tool {name!r}; {did_you_mean(name, tools)}")
    return tools[name]


def _unknown(path: str, known: Iterable[str]) -> str:
    return f"; {did_you_mean(path, known)}"


def _bounded(text: str) -> str:
    text = without_secrets(text)
    return text if len(text) <= MOST_ERROR_CHARACTERS else f"{text[:MOST_ERROR_CHARACTERS]}..."
