"""Types flow from a sync to its result, under mypy and pyright, strict both, for code that uses the public API only."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"

GOOD = """
from dataclasses import dataclass
from typing import TypedDict, assert_type

from pydantic import BaseModel

from engine import Engine, MockEngine, PostgresEngine
from syncs import Progress, RunHandle, Runtime, Sync, SyncContext, create_sync
from syncs.crawl import site_crawl
from syncs.llm import LLM, Completion
from syncs.vectors import VectorMatch, VectorStore


class In(BaseModel):
    n: int


class Out(BaseModel):
    s: str


@dataclass
class Row:
    a: int


class Bag(TypedDict):
    a: int


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
assert_type(create_sync(id="alias", schema=In, output_schema=Out, execute=execute), Sync[In, Out])


@create_sync
async def bare(ctx: SyncContext[In]) -> Out:
    return Out(s="x")


@create_sync(id="six")
def six(ctx: SyncContext[int]) -> str:
    return "x"


@create_sync(id="tick")
async def tick(ctx: SyncContext[None]) -> None:
    ctx.log.info("tick %s", ctx.run_id)
    ctx.progress("ticked", ticks=1, of=None, share=0.5, where="here")


@create_sync(id="either", payload=[1])
def either(ctx: SyncContext[list[int]]) -> Row | None:
    return Row(a=1) if ctx.context and not ctx.cancelled else None


@create_sync(id="bags", label="Bags", description="d")
async def bags(ctx: SyncContext[Bag]) -> list[Bag]:
    return [ctx.context]


class Caller:
    async def __call__(self, ctx: SyncContext[In]) -> int:
        return ctx.context.n


assert_type(bare, Sync[In, Out])
assert_type(six, Sync[int, str])
assert_type(tick, Sync[None, None])
assert_type(either, Sync[list[int], Row | None])
assert_type(bags, Sync[Bag, list[Bag]])
assert_type(create_sync(id="caller", execute=Caller()), Sync[In, int])


def takes_any_output(sync: Sync[In, object]) -> None: ...


takes_any_output(full)


async def main() -> None:
    async with Runtime(engine=MockEngine(), syncs={"full": full, "six": six}) as runtime:
        assert_type(await runtime.sync(full, In(n=1)), Out)
        assert_type(await runtime.sync(full, {"n": 1}), Out)
        assert_type(await runtime.sync(six, 1), str)
        await runtime.sync("full", {"n": 1})


async def started(engine: Engine) -> None:
    runtime = Runtime(engine=engine, syncs={"full": full}, agents={"a": object()}, llm=LLM("m"))
    handle = runtime.start(full, In(n=1), run_id="r", timeout=3)
    assert_type(handle, RunHandle[Out])
    assert_type(handle.run_id, str)
    async for report in handle.events():
        assert_type(report, Progress)
    handle.cancel()
    assert_type(await handle.result(), Out)
    assert_type(await runtime.start(tick).result(), None)
    await runtime.start("full", {"n": 1}).result()


async def parts() -> None:
    async with PostgresEngine("postgresql://...") as engine:
        runtime = Runtime(engine=engine, syncs={"site_crawl": site_crawl})
        crawled = await runtime.sync(site_crawl, {"url": "https://docs.example.org/"})
        print(crawled.report.pages.stored, [page.markdown for page in crawled.crawl_data])
        print([hit.url for hit in await engine.search("x", k=3, filter={"a": {"gt": 1}})])
        store = VectorStore(engine, "notes")
        await store.upsert([{"id": "1", "text": "x"}, {"id": "2", "text": "y", "metadata": {"a": 1}}])
        assert_type(await store.query("x", filter={"a": 1}), list[VectorMatch])
    llm = LLM("m", base_url="http://127.0.0.1:8080/v1", options={"temperature": 0})
    assert_type(await llm("x"), str)
    assert_type(await llm([{"role": "user", "content": "x"}], system="s"), str)
    assert_type(await llm("x", output=In), In)
    assert_type(await llm("x", output=list[int]), list[int])
    assert_type(await llm.complete("x", output=In), Completion[In])
    print(await llm("x", output=In), await runtime.sync(bags, {"a": 1}))
"""

WRONG = """
from engine import MockEngine
from syncs import Runtime, SyncContext, create_sync
from syncs.llm import LLM


@create_sync(id="six")
def six(ctx: SyncContext[int]) -> str:
    return ctx.context  # wrong


create_sync(id="typo", outputSchema=str, execute=six.execute)  # wrong


async def main() -> None:
    runtime = Runtime(engine=MockEngine(), syncs={"six": six})
    await runtime.sync(six, "text")  # wrong
    (await runtime.sync(six, 1)).no_such_method()  # wrong
    (await runtime.start(six, 1).result()).no_such_method()  # wrong
    (await LLM("m")("x", output=int)).no_such_method()  # wrong
"""


def mypy(folder: Path) -> list[tuple[str, int, str]]:
    """(file, line, message) of every error in the folder's files."""
    cache = ["--cache-dir", str(folder.parent / "cache")]
    files = sorted(path.name for path in folder.glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *cache, *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    found = re.findall(r"^(.+?):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    assert found or done.returncode == 0, done.stdout
    return [(file, int(line), message) for file, line, message in found]


def pyright(folder: Path) -> list[tuple[str, int, str]]:
    """(file, line, message) of every error in the folder's files."""
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict", "pythonVersion": "3.11"}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    quiet = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # or it looks on the network for a newer version of itself
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | quiet)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(list(folder.glob("*.py")))
    return [
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1, found["message"])
        for found in report["generalDiagnostics"]
    ]


Found = Mapping[str, list[tuple[int, str]]]


@pytest.fixture(scope="module", params=[mypy, pyright])
def errors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What a checker finds wrong, by file: in `good.py`, in `wrong.py` and in the documentation's examples."""
    folder = tmp_path_factory.mktemp("user") / "files"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "good.py").write_text(GOOD)
    (folder / "wrong.py").write_text(WRONG)
    check: Callable[[Path], list[tuple[str, int, str]]] = request.param
    found = check(folder)
    return {path.name: [(line, why) for file, line, why in found if file == path.name] for path in folder.glob("*.py")}


def test_types_flow_from_a_sync_to_its_result(errors: Found) -> None:
    assert errors["good.py"] == []


def test_a_wrong_use_is_a_type_error_where_it_stands(errors: Found) -> None:
    marked = {number for number, line in enumerate(WRONG.splitlines(), 1) if line.endswith("# wrong")}
    assert {line for line, _ in errors["wrong.py"]} == marked


def test_the_examples_of_the_documentation_are_free_of_type_errors(errors: Found) -> None:
    examples = {path.name for path in EXAMPLES.glob("*.py")}
    assert len(examples) > 5
    assert {name: errors[name] for name in examples if errors[name]} == {}
