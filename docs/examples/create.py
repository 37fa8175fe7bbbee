"""A sync: a function with an id, and the schemas of what goes in and what comes out."""

from pydantic import BaseModel

from syncs import SyncContext, create_sync


class UserIn(BaseModel):
    user_id: str
    data: dict[str, object]


class Done(BaseModel):
    success: bool
    message: str


async def execute(ctx: SyncContext[UserIn]) -> Done:
    await ctx.engine.sync_records(
        connection_id="users",
        name="user_data",
        records=[{"external_id": ctx.context.user_id, "data": ctx.context.data}],
    )
    return Done(success=True, message="Data synchronized successfully")


my_sync = create_sync(
    id="my-sync",
    description="Synchronize user data",
    input_schema=UserIn,
    output_schema=Done,
    execute=execute,
)
