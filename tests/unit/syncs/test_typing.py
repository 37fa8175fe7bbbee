"""Types flow from a sync to its result, under mypy strict, for code that uses only the public API."""

import subprocess
import sys
from pathlib import Path

import pytest

GOOD = """
from typing import assert_type

from pydantic import BaseModel

from engine.mock import MockEngine
from syncs import Runtime, Sync, SyncContext, create_sync


class In(BaseModel):
    n: int


class Out(BaseModel):
    s: str


async def execute(ctx: SyncContext[In]) -> Out:
    assert_type(ctx.context, In)
    assert_type(await ctx.sync(six, 3), str)
    await ctx.engine.sync_records(
        connection_id="c", name="n", records=[{"external_id": str(ctx.context.n), "data": {"a": 1}}]
    )
    return Out(s="x")


def plain(ctx: SyncContext[In]) -> Out:
    return Out(s="x")


async def loose(ctx: SyncContext[In]) -> dict[str, object]:
    return {"s": "x"}


full = create_sync(id="full", description="d", input_schema=In, output_schema=Out, execute=execute)
assert_type(full, Sync[In, Out])
assert_type(create_sync(id="inferred", execute=execute), Sync[In, Out])
assert_type(create_sync(id="plain", execute=plain), Sync[In, Out])
assert_type(create_sync(id="loose", output_schema=Out, execute=loose), Sync[In, Out])


@create_sync
async def bare(ctx: SyncContext[In]) -> Out:
    return Out(s="x")


@create_sync(id="six")
def six(ctx: SyncContext[int]) -> str:
    return "x"


assert_type(bare, Sync[In, Out])
assert_type(six, Sync[int, str])


async def main() -> None:
    async with Runtime(engine=MockEngine(), syncs={"full": full, "six": six}) as runtime:
        assert_type(await runtime.sync(full, In(n=1)), Out)
        assert_type(await runtime.sync(full, {"n": 1}), Out)
        assert_type(await runtime.sync(six, 1), str)
        await runtime.sync("full", {"n": 1})
"""

WRONG = """
from engine.mock import MockEngine
from syncs import Runtime, SyncContext, create_sync


@create_sync(id="six")
def six(ctx: SyncContext[int]) -> str:
    return ctx.context


create_sync(id="typo", outputSchema=str, execute=six.execute)


async def main() -> None:
    runtime = Runtime(engine=MockEngine(), syncs={"six": six})
    await runtime.sync(six, "text")
    (await runtime.sync(six, 1)).no_such_method()
"""


def mypy(folder: Path, source: str) -> str:
    (folder / "user.py").write_text(source)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--cache-dir",
        str(folder / "cache"),
    ]
    done = subprocess.run([*command, "user.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout


@pytest.mark.slow
def test_types_flow_from_a_sync_to_its_result(tmp_path: Path) -> None:
    assert mypy(tmp_path, GOOD) == ""


@pytest.mark.slow
def test_a_wrong_use_is_a_type_error(tmp_path: Path) -> None:
    errors = mypy(tmp_path, WRONG)
    assert {int(line.split(":")[1]) for line in errors.splitlines() if ": error:" in line} == {8, 11, 16, 17}
