"""`syncline syncs`, `sync` and `runs`: call a sync by its key or id, and see what was called."""

import json as jsonlib
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from chunking import TiktokenCounter
from engine import PostgresEngine
from ingest import BadInput
from syncs import Runtime, Sync, SyncError, load_runtime
from syncs.cli.options import Db, Debug, Json
from syncs.cli.output import fail, notice, print_json, run, run_with_engine, show
from syncs.cli.progress import crawl_display
from syncs.crawl import site_crawl

__all__ = ["App", "run_with_runtime", "runs", "sync", "syncs"]

App = Annotated[
    str | None,
    typer.Option(help="A runtime of your own, as module:name. Default: the built-in syncs.", show_default=False),
]


def run_with_runtime(
    work: Callable[[Runtime], Awaitable[int | None]], *, app: str | None, db: str | None, debug: bool
) -> NoReturn:
    """`run` work with the runtime of `app`, or with the built-in syncs on the engine of `db`; it is closed after."""
    if app is not None and db is not None:
        fail("--db and --app exclude each other: the runtime of --app has an engine of its own.", 2)

    async def opened() -> int | None:
        async with _runtime(app, db, debug) as runtime:
            return await work(runtime)

    run(opened(), debug=debug)


def _runtime(app: str | None, db: str | None, debug: bool) -> Runtime:
    if app is None:
        return Runtime(
            engine=PostgresEngine(db, count_tokens=TiktokenCounter().count), syncs={"site_crawl": site_crawl}
        )
    try:
        return load_runtime(app)
    except SyncError:
        raise
    except Exception as error:  # the user's module may raise anything while it is imported
        if debug:
            raise
        fail(f"{app} could not be loaded: {type(error).__name__}: {error}; --debug shows where.")


def syncs(app: App = None, db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """List the syncs that can be called, and what they take."""

    async def work(runtime: Runtime) -> None:
        if json:
            print_json([_described(key, found) for key, found in runtime.syncs.items()])
            return
        for key, found in runtime.syncs.items():
            sync_id = found.id or key
            show(key if sync_id == key else f"{key} ({sync_id})", style="bold")
            if found.description:
                show(f"   {found.description.splitlines()[0]}")
            show(f"   takes {_fields(found.input_adapter.json_schema())}")
        if not runtime.syncs:
            notice("The runtime has no syncs.")

    run_with_runtime(work, app=app, db=db, debug=debug)


def sync(
    id: Annotated[str, typer.Argument(help="The sync's key or id.", show_default=False)],
    input: Annotated[
        str | None,
        typer.Option(help="Its input: JSON, @FILE, or - for standard input.", show_default=False),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="The id of the run. Default: a new one.", show_default=False)
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, help="Cancel the run after this many seconds.", show_default=False)
    ] = None,
    app: App = None,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a sync, and print its output as JSON."""

    async def work(runtime: Runtime) -> int:
        asked = _json_of(input)
        if isinstance(asked, dict) and runtime.named(id) is site_crawl:
            asked = {"return_pages": "none", **asked}
        began = time.monotonic()
        handle = runtime.start(id, asked, run_id=run_id, timeout=timeout)
        try:
            with crawl_display(None) as display:
                async for report in handle.events():
                    display.update(report)
            output = await handle.result()
        except BaseException:
            handle.cancel()
            raise
        finally:
            notice(f"sync {handle.sync}, run {handle.run_id}, {time.monotonic() - began:.1f} s")
        document = runtime.named(id).output_adapter.dump_python(output, mode="json")
        print_json({"run_id": handle.run_id, "sync": handle.sync, "output": document} if json else document)
        # What the model's syncs do to say that they failed, without raising.
        return 1 if isinstance(document, dict) and document.get("success") is False else 0

    run_with_runtime(work, app=app, db=db, debug=debug)


def runs(
    run_id: Annotated[
        str | None, typer.Argument(help="One run, with its input, output and child runs.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most N runs.")] = 20,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the latest runs of syncs, or show one."""

    async def work(engine: PostgresEngine) -> int:
        found = await engine.get_runs(run_id=run_id, limit=limit)
        if run_id is not None and not found:
            fail(f"There is no run {run_id!r}: syncline runs lists the latest.")
        if run_id is not None:
            children = await engine.get_runs(parent=run_id, limit=limit)
            if json:
                print_json({**found[0], "children": children})
            else:
                _show_run(found[0], children)
        elif json:
            print_json(found)
        else:
            for one in found:
                show(_line(one))
            if not found:
                notice("There are no runs yet: syncline crawl and syncline sync make them.")
        return 0

    run_with_engine(work, db=db, debug=debug)


def _described(key: str, found: Sync[Any, Any]) -> dict[str, object]:
    return {
        "key": key,
        "id": found.id or key,
        "label": found.label or found.id or key,
        "description": found.description,
        "input_schema": found.input_adapter.json_schema(),
        "output_schema": found.output_adapter.json_schema(),
    }


def _fields(schema: Mapping[str, Any]) -> str:
    """The input's fields, those that must be given first."""
    if "properties" not in schema:
        return str(schema.get("title") or schema.get("type") or "any JSON value")
    needed = schema.get("required", [])
    return ", ".join([*needed, *(f"[{name}]" for name in schema["properties"] if name not in needed)])


def _json_of(text: str | None) -> Any:
    """The input as typed, from a file, or from standard input."""
    if text is None:
        return None
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"--input {text} cannot be read: {error}") from None
    try:
        return jsonlib.loads(text)
    except ValueError as error:
        raise BadInput(f'--input is not JSON ({error}): write it as \'{{"field": "value"}}\'') from None


def _line(found: Mapping[str, Any]) -> str:
    seconds = ((found["ended_at"] or found["heartbeat_at"]) - found["started_at"]).total_seconds()
    return (
        f"{found['started_at']:%Y-%m-%d %H:%M:%S}  {found['state']:10} {seconds:8.1f} s  {found['id']}  {found['sync']}"
    )


def _show_run(found: Mapping[str, Any], children: list[dict[str, Any]]) -> None:
    show(_line(found), style="bold")
    for label in ("parent", "error", "counters", "input", "output"):
        value = found[label]
        if value:
            shown = value if isinstance(value, str) else jsonlib.dumps(value, ensure_ascii=False)
            show(f"  {label:9} {shown}")
    for child in children:
        show(f"  child     {_line(child)}")
