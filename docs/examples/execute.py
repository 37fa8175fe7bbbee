"""Running a sync: by its key or its id with plain data, or by itself with types that a checker follows."""

import asyncio

from create import UserIn, my_sync
from register import runtime


async def main() -> None:
    async with runtime:
        result = await runtime.sync("my_sync", {"user_id": "123", "data": {"name": "John Doe"}})
        print(result.message)

        typed = await runtime.sync(my_sync, UserIn(user_id="124", data={"name": "Jane Doe"}))
        print(typed.success)  # a checker knows that this is a bool

        for record in await runtime.engine.get_records(connection_id="users", name="user_data"):
            print(record["external_id"], record["data"])


if __name__ == "__main__":
    asyncio.run(main())
