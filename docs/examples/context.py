"""What a sync is given: its input, vector stores, agents, a language model, the engine, and its own run."""

import asyncio

from pydantic import BaseModel

from engine import MockEngine
from syncs import LLM, Runtime, SyncContext, create_sync


class Summary(BaseModel):
    title: str
    topics: list[str]


class Reviewer:
    """An agent is any object: the runtime hands it on as it is."""

    async def approves(self, summary: Summary) -> bool:
        return bool(summary.topics)


@create_sync(id="summarize")
async def summarize(ctx: SyncContext[str]) -> Summary:
    """Summarize a text, and keep the summary where it can be found by its meaning."""
    ctx.log.info("summarizing %d characters", len(ctx.context))
    summary: Summary = await ctx.llm(f"Summarize this:\n\n{ctx.context}", output=Summary)
    if await ctx.agents["reviewer"].approves(summary):
        item = {"id": ctx.run_id, "text": summary.title, "metadata": {"topics": summary.topics}}
        await ctx.vectors["summaries"].upsert([item])
    return summary


@create_sync(id="summarize-all")
async def summarize_all(ctx: SyncContext[list[str]]) -> list[str]:
    """Summarize texts, each in a run of its own below this one."""
    titles: list[str] = []
    for text in ctx.context:
        summary = await ctx.sync(summarize, text)
        titles.append(summary.title)
        ctx.progress("summarized", texts=len(titles))
    return titles


async def main() -> None:
    async with LLM("gpt-5-mini") as llm:
        runtime = Runtime(
            engine=MockEngine(),
            syncs={"summarize": summarize, "summarize_all": summarize_all},
            agents={"reviewer": Reviewer()},
            llm=llm,
        )
        print(await runtime.sync(summarize_all, ["The cat sleeps on the sofa all day.", "Dogs dig in the garden."]))
        for match in await runtime.vectors["summaries"].query("cat"):
            print(match.text, match.metadata["topics"])
        for run in await runtime.engine.get_runs():
            print(run["sync"], run["state"])


if __name__ == "__main__":
    asyncio.run(main())
