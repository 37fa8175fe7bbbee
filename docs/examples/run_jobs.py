"""A job is deferred and worked off; the records and the runs tell what was done."""

import asyncio

from jobs import app, sync_user_data
from register import runtime


async def main() -> None:
    async with app.open_async(), runtime:
        await sync_user_data.defer_async(user_id="123", data={"name": "John Doe"})
        await app.run_worker_async(queues=["data-sync"], wait=False)
        for record in await runtime.engine.get_records(connection_id="users", name="user_data"):
            print(record["external_id"], record["data"])
        for run in await runtime.engine.get_runs():
            print(run["id"], run["sync"], run["state"])


if __name__ == "__main__":
    asyncio.run(main())
