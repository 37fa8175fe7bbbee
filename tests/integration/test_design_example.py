"""The examples of the design, as written there, on a real store."""

import asyncio

import pytest
from pydantic import BaseModel

from engine import PostgresEngine
from syncs import Runtime, SyncContext, create_sync
from syncs.crawl import site_crawl

pytestmark = pytest.mark.slow


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


@pytest.mark.promise("S1")
@pytest.mark.promise("S2")
def test_the_example_sync_runs_as_written(database_url: str, rows) -> None:
    async def main() -> list[dict[str, object]]:
        engine = PostgresEngine(url=database_url)
        runtime = Runtime(engine=engine, syncs={"my_sync": my_sync}, agents={}, vectors={}, llm=None)
        async with runtime:
            result = await runtime.sync("my_sync", {"user_id": "123", "data": {"name": "John Doe"}})
            assert result == Done(success=True, message="Data synchronized successfully")
            await runtime.sync("my-sync", {"user_id": "123", "data": {"name": "Jane Doe"}}, run_id="second")
            return await runtime.engine.get_records(connection_id="users", name="user_data")

    assert asyncio.run(main()) == [{"external_id": "123", "data": {"name": "Jane Doe"}}]
    runs = rows("SELECT id, sync, state, input, output FROM syncline.run ORDER BY started_at")
    assert [(run["sync"], run["state"]) for run in runs] == [("my-sync", "succeeded")] * 2
    assert runs[1]["id"] == "second"
    assert runs[0]["input"] == {"user_id": "123", "data": {"name": "John Doe"}}
    assert runs[0]["output"] == {"success": True, "message": "Data synchronized successfully"}


def test_the_models_site_crawl_returns_every_page_with_its_source_and_title(
    site_server, chain, database_url: str
) -> None:
    site_server.routes = chain(4)
    asked = {"url": f"{site_server.url}/docs/", "path_regex": "p[0-9]", "limit": 10}

    async def main() -> None:
        async with Runtime(engine=PostgresEngine(database_url), syncs={"site_crawl": site_crawl}) as runtime:
            first = await runtime.sync("site_crawl", asked)
            again = await runtime.sync("site-crawl-sync", asked)
            assert (first.report.pages.stored, again.report.pages.stored) == (3, 0)
            assert again.report.pages.unchanged == 3
            for output in (first, again):
                assert (output.success, output.entity_type) == (True, f"CRAWL_{asked['url']}")
                found = {page.metadata["source_url"]: page for page in output.crawl_data}
                assert sorted(found) == [f"{asked['url']}p{n}" for n in (1, 2, 3)]
                assert found[f"{asked['url']}p2"].metadata["title"] == "Page 2"
                assert found[f"{asked['url']}p2"].markdown.startswith("# Page 2\n")
            records = await runtime.engine.get_records(connection_id="SYSTEM", name=first.entity_type)
            assert {str(record["external_id"]) for record in records} >= {
                f"{asked['url']}p{n}_chunk_0" for n in (1, 2, 3)
            }
            assert all(isinstance(record["data"], dict) and record["data"]["markdown"] for record in records)

    asyncio.run(main())
