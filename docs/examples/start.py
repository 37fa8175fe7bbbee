"""A run that is not waited for: start it, follow what it reports, cancel it or take its result."""

import asyncio

from engine import MockEngine
from syncs import RunCancelled, Runtime, SyncContext, create_sync


@create_sync(id="count")
async def count(ctx: SyncContext[int]) -> int:
    """Count to a number."""
    for number in range(1, ctx.context + 1):
        ctx.progress(f"at {number}", counted=number)
        await asyncio.sleep(0.01)
    return ctx.context


async def main() -> None:
    async with Runtime(engine=MockEngine(), syncs={"count": count}) as runtime:
        handle = runtime.start(count, 3, run_id="count-to-three", timeout=60)
        async for report in handle.events():
            print(report.message, dict(report.counters))
        print(await handle.result())

        endless = runtime.start(count, 1_000_000)
        async for _ in endless.events():
            endless.cancel()
        try:
            await endless.result()
        except RunCancelled:
            print("cancelled")


if __name__ == "__main__":
    asyncio.run(main())
