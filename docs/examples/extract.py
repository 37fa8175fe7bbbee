"""What chunks are about, told by a language model, asked for once and kept with their records."""

import asyncio

from chunking import MDocument
from engine import MockEngine, RecordInput
from syncs import LLM, Runtime, SyncContext, create_sync, extract

MANUAL = """# Teapot

## Brew

Pour hot water over the leaves and wait four minutes.

## Clean

Rinse the pot with water. Never use soap.
"""


@create_sync(id="describe")
async def describe(ctx: SyncContext[str]) -> int:
    """Store the chunks of a document with what they are about."""
    chunks = MDocument.from_markdown(ctx.context).chunk(target_size=24).get_docs()
    records: list[RecordInput] = [
        {
            "external_id": f"manual_chunk_{chunk.position}",
            "data": {},
            "text": chunk.text,
            "embed_text": chunk.embed_text,
            "headings": chunk.headings,
        }
        for chunk in chunks
    ]
    records = await extract(ctx, records, fields=["summary", "keywords"])
    await ctx.engine.sync_records(connection_id="manuals", name="teapot", records=records)
    return len(records)


async def main() -> None:
    async with LLM("gpt-5-mini") as llm:
        runtime = Runtime(engine=MockEngine(), syncs={"describe": describe}, llm=llm)
        print(await runtime.sync(describe, MANUAL), "chunks")
        print(await runtime.sync(describe, MANUAL), "chunks, for nothing")
        about_soap = {"extracted.keywords": {"contains": "soap"}}
        for found in await runtime.engine.get_records(connection_id="manuals", name="teapot", filter=about_soap):
            print(found["external_id"], found["data"])


if __name__ == "__main__":
    asyncio.run(main())
