"""What the runtime adds to a sync that does nothing: validated input and output, a row that is opened and closed.

Every way of calling the same coroutine function takes its turn in each round of one process, so that all see the same
machine and minute: the bare call; pydantic alone around it; the runtime over an engine that writes nothing, over
`MockEngine`, and over `PostgresEngine` on an embedded database. Then each part of a run by itself; a row that is read
stands beside the rows that are written, because it waits for the server and not for the disk.

Worse would be a greater multiple of pydantic alone over the same engine. Prints two tables. The database lies in a
fresh folder, which is removed, unless `--db` names one.
"""

import argparse
import asyncio
import gc
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine import Engine, MockEngine, PostgresEngine
from syncs import Runtime, SyncContext, create_sync
from syncs.context import RunLog
from syncs.redaction import snapshot
from syncs.telemetry import run_span

Measured = Callable[[], Awaitable[object]]
ROUNDS = 25
CALLS = 40  # in a round, of each way


class Order(BaseModel):
    customer: str
    items: list[int]


class Receipt(BaseModel):
    total: int


async def execute(ctx: SyncContext[Order]) -> Receipt:
    return Receipt(total=len(ctx.context.items))


noop = create_sync(id="noop", execute=execute)
GIVEN = {"customer": "Ada", "items": [1, 2, 3]}


class NoRows(MockEngine):
    """An engine that keeps no runs: what is left is the runtime itself."""

    async def start_run(self, *args: Any, **values: Any) -> None:
        """Keep nothing."""

    async def end_run(self, *args: Any, **values: Any) -> None:
        """Keep nothing."""


async def context() -> SyncContext[Order]:
    """What the runtime gives to `execute`, for the bare call."""
    caught: list[SyncContext[Order]] = []

    async def catch(ctx: SyncContext[Order]) -> Receipt:
        caught.append(ctx)
        return Receipt(total=0)

    await Runtime(engine=MockEngine(), syncs={"catch": create_sync(execute=catch)}).sync("catch", GIVEN)
    return caught[0]


async def rounds(ways: dict[str, Measured]) -> dict[str, list[float]]:
    """Seconds a call, by way: one median of `CALLS` for each round, the ways taking turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            gc.collect()
            calls = []
            for _ in range(CALLS):
                began = time.perf_counter()
                await way()
                calls.append(time.perf_counter() - began)
            if number:  # the first round warms up
                found[name].append(statistics.median(calls))
    return found


def whole(ctx: SyncContext[Order], engines: dict[str, Engine]) -> dict[str, Measured]:
    """The ways to call the sync, the simplest first."""

    async def bare() -> object:
        return await execute(ctx)

    async def validated() -> object:
        noop.input_adapter.validate_python(GIVEN)
        return noop.output_adapter.validate_python(await execute(ctx))

    def through(engine: Engine) -> Measured:
        runtime = Runtime(engine=engine, syncs={"noop": noop})
        return lambda: runtime.sync(noop, GIVEN)

    runs = {f"runtime, {name}": through(engine) for name, engine in engines.items()}
    return {"bare call": bare, "pydantic alone": validated, **runs}


def parts(ctx: SyncContext[Order], engines: dict[str, Engine]) -> dict[str, Measured]:
    """The parts of a run that can be called by themselves."""
    order, receipt = Order(customer="Ada", items=[1, 2, 3]), Receipt(total=3)

    async def validation() -> None:
        noop.input_adapter.validate_python(GIVEN)
        noop.output_adapter.validate_python(receipt)

    async def context_made() -> None:
        replace(ctx, context=order, log=RunLog("noop", "run"))

    async def copies() -> None:
        snapshot(order)
        snapshot({})
        snapshot(receipt)

    async def span() -> None:
        with run_span("noop", "run", None) as opened:
            opened.end("succeeded", None)

    async def heartbeat() -> None:
        beat = asyncio.create_task(asyncio.sleep(2))
        await asyncio.sleep(0)
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)

    async def shields() -> None:
        for _ in range(2):
            await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})

    rows: dict[str, Measured] = {}
    for name, engine in engines.items():
        rows[f"row opened, {name}"] = partial(engine.start_run, "part", sync="noop", input=GIVEN)
        rows[f"row read, {name}"] = partial(engine.get_runs, run_id="part")
        rows[f"row closed, {name}"] = partial(
            engine.end_run, "part", state="succeeded", counters={}, output={"total": 3}
        )
    return {
        "validation of input and output": validation,
        "context and its log": context_made,
        "copies for the row, secrets masked": copies,
        "span and metrics, no SDK": span,
        "heartbeat's task, begun and ended": heartbeat,
        "two tasks that outlive a cancellation": shields,
        **rows,
    }


def show(title: str, found: dict[str, list[float]], base: str) -> None:
    """A table of medians, with the middle half of the rounds and multiples of `base`."""
    unit = statistics.median(found[base])
    print(f"\n| {title} | µs | middle half | x {base} |\n|---|---:|---:|---:|")
    for name, seconds in found.items():
        low, middle, high = statistics.quantiles(seconds, n=4)
        print(f"| {name} | {middle * 1e6:,.1f} | {low * 1e6:,.1f} to {high * 1e6:,.1f} | {middle / unit:,.1f} |")


async def measure(db: str) -> None:
    """Print the tables."""
    async with PostgresEngine(db) as postgres:
        named: dict[str, Engine] = {"MockEngine": MockEngine(), "PostgresEngine": postgres}
        print(f"{processor()}, {os.cpu_count()} cores; {ROUNDS} rounds of {CALLS} calls; Python", end=" ")
        print(f"{platform.python_version()}, pydantic {version('pydantic')}, psycopg {version('psycopg')}")
        ctx = await context()
        found = await rounds(whole(ctx, {"no rows": NoRows(), **named}))
        show("a sync that does nothing", found, "pydantic alone")
        show("a part of a run, alone", await rounds(parts(ctx, named)), "validation of input and output")


def processor() -> str:
    """The processor's name, as Linux knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", help="a DSN or the folder of an embedded database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(measure(given.db or f"{folder}/postgres"))


if __name__ == "__main__":
    main()
