"""Data synchronization: whatever records an application has, into an entity that its input names."""

from pydantic import BaseModel

from syncs import SyncContext, create_sync


class Item(BaseModel):
    external_id: str
    data: dict[str, object]


class Batch(BaseModel):
    connection_id: str
    name: str
    records: list[Item]


class Stored(BaseModel):
    added: int
    updated: int
    unchanged: int


@create_sync(id="store-records", label="Store records")
async def store_records(ctx: SyncContext[Batch]) -> Stored:
    """Insert or replace records by their external id."""
    report = await ctx.engine.sync_records(
        connection_id=ctx.context.connection_id,
        name=ctx.context.name,
        records=[{"external_id": item.external_id, "data": item.data} for item in ctx.context.records],
    )
    return Stored(added=report.added, updated=report.updated, unchanged=report.unchanged)
