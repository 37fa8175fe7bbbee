"""The tool that says whether a crawl would take an address, and by which rule. It stores nothing."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

import ingest
from syncs.runtime import Runtime
from syncs.tools.tool import Report, Tool
from syncs.tools.untrusted import plain

__all__ = ["explain_tool"]

Address = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"(?i)^https?://", max_length=8_000)]


class ExplainArguments(BaseModel):
    """Which address, and which crawl."""

    model_config = ConfigDict(extra="forbid")

    url: Address = Field(description="The address in question.")
    start: Address | None = Field(None, description="Where the crawl starts; default: the address itself.")
    path_regex: str | None = Field(None, description="As for the crawl.")
    include: list[str] = Field(default_factory=list, description="As for the crawl.")
    exclude: list[str] = Field(default_factory=list, description="As for the crawl.")
    subdomains: bool = Field(False, description="As for the crawl.")
    ignore_query: bool = Field(False, description="As for the crawl.")


class ExplainAnswer(BaseModel):
    """The verdict. `scope` and `robots` are the rules that gave it; an empty `robots` was not asked for."""

    url: str
    allowed: bool
    scope: str
    robots: str
    start: str
    notes: list[str]


def explain_tool(runtime: Runtime) -> Tool:
    """Why a crawl takes an address or leaves it out."""

    async def run(asked: ExplainArguments, report: Report | None) -> ExplainAnswer:
        said = await ingest.explain(**asked.model_dump())
        return ExplainAnswer(
            url=said.url,
            allowed=said.allowed,
            scope=plain(said.scope),
            robots=plain(said.robots),
            start=said.start,
            notes=[plain(note) for note in said.notes],
        )

    return Tool(
        name="explain",
        title="Explain a crawl's scope",
        description="Say whether a crawl would take an address, and which rule of its scope or of robots.txt decides. "
        "Asks the site for its start page and robots.txt only. Nothing is stored.",
        input=TypeAdapter(ExplainArguments),
        output=ExplainAnswer,
        run=run,
        open_world=True,
    )
