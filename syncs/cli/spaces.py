"""`syncline embeddings`: fill another model from what is stored, compare it, switch to it, drop one."""

import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich.console import Console

from engine import Comparison, PostgresEngine, SearchHit, SyncReport
from engine.errors import CostCeiling
from engine.space import SpaceType
from ingest import BadInput
from syncs.cli.options import Db, Debug, Json, MaxCost
from syncs.cli.output import notice, print_json, run_with_engine, show

__all__ = ["embeddings"]

PLAIN_SECONDS = 5.0

embeddings = typer.Typer(
    help="Several embedding models side by side: add, compare, use, drop. Nothing is crawled again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="As provider[:model][@dimensions].")]


@embeddings.command("list")
def list_(db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """Show the models that the store has vectors of."""

    async def work(engine: PostgresEngine) -> None:
        spaces = await engine.spaces()
        if json:
            print_json(spaces)
            return
        if not spaces:
            notice("The store has no vectors yet: crawl a site first.")
        for space in spaces:
            parts = [
                f"{space['vectors']:,} vectors of {space['dimensions']:,} dimensions",
                f"{space['missing']:,} texts without one" if space["missing"] else "",
                f"{space['failed']:,} set aside" if space["failed"] else "",
                space["type"] + (", indexed" if space["indexed"] else ", compared one by one"),
                f"{space['bytes'] / 1e6:,.1f} MB",
            ]
            show(f"{'*' if space['active'] else ' '} {space['name']}: {'; '.join(part for part in parts if part)}")

    run_with_engine(work, db=db, debug=debug)


@embeddings.command()
def add(
    model: Model,
    type: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="How its vectors are kept: vector, halfvec or bit. Default: vector up to 2,000 dimensions.",
            show_default=False,
        ),
    ] = None,
    max_cost: MaxCost = None,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Embed every stored text with another model, too; search goes on with the one in use. Again: what is missing."""

    async def work(engine: PostgresEngine) -> int:
        kind = _type(type)
        with _progress() as count:
            return await _filled(
                engine.add_space(model, type=kind, max_cost=max_cost, on_embedded=count),
                f"`syncline embeddings compare {model} QUERY` shows what it finds, `use` switches to it.",
                json,
            )

    run_with_engine(work, db=db, debug=debug)


@embeddings.command()
def compare(
    model: Model,
    queries: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY]...", help="What to search for.", show_default=False)
    ] = None,
    queries_from: Annotated[
        str | None,
        typer.Option(
            "--queries", metavar="FILE", help="A query on each line; - is standard input.", show_default=False
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Compare the first N results.")] = 10,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what queries find by meaning with another model, beside the one in use."""

    async def work(engine: PostgresEngine) -> None:
        asked = [*(queries or ()), *_lines(queries_from)]
        if not asked:
            raise BadInput("there is no query: give some, or a file of them with --queries FILE")
        found = await engine.compare_spaces(model, asked, k=k)
        if json:
            print_json([_document(comparison) for comparison in found])
        else:
            _show(found, k)

    run_with_engine(work, db=db, debug=debug)


@embeddings.command()
def use(
    model: Model,
    weight: Annotated[
        float | None,
        typer.Option(help="Share of meaning beside words in a hybrid search, from 0 to 1.", show_default=False),
    ] = None,
    max_cost: MaxCost = None,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Switch search and crawls to a model that was added; what came since is embedded first."""

    async def work(engine: PostgresEngine) -> int:
        with _progress() as count:
            return await _filled(
                engine.use_space(model, weight=weight, max_cost=max_cost, on_embedded=count),
                f"{model} is in use now.",
                json,
            )

    run_with_engine(work, db=db, debug=debug)


@embeddings.command()
def drop(model: Model, db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """Forget a model's vectors; not those of the model in use."""

    async def work(engine: PostgresEngine) -> None:
        await engine.drop_space(model)
        if json:
            print_json({"dropped": model})
        else:
            show(f"The vectors of {model} are gone.")

    run_with_engine(work, db=db, debug=debug)


async def _filled(work: Awaitable[SyncReport], done: str, json: bool) -> int:
    stopped = ""
    try:
        report = await work
    except CostCeiling as ceiling:
        report, stopped = ceiling.spent, str(ceiling)
    if json:
        print_json(
            {
                "done": not stopped,
                "embedded": report.computed,
                "failed": report.failed,
                "tokens": report.tokens,
                "cost_usd": round(report.cost_usd, 6),
                "notes": [stopped] if stopped else [],
            }
        )
        return 1 if stopped else 0
    cost = f" for ${report.cost_usd:.4f}" if report.cost_usd else ""
    failed = f", {report.failed:,} not taken by the model" if report.failed else ""
    show(f"{report.computed:,} texts embedded{cost}{failed}.")
    if stopped:
        notice(stopped)
        return 1
    show(done)
    return 0


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """What counts the texts that were embedded, and says so: a live line on a terminal, else now and then."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    done, shown = 0, time.monotonic()

    def count(texts: int) -> None:
        nonlocal done, shown
        done += texts
        if console.is_terminal:
            status.update(f"{done:,} texts embedded")
        elif time.monotonic() - shown >= PLAIN_SECONDS:
            shown = time.monotonic()
            notice(f"{done:,} texts embedded")

    status = console.status("starting")
    if console.is_terminal:
        with status:
            yield count
    else:
        yield count


def _type(typed: str | None) -> SpaceType | None:
    if typed is not None and typed not in get_args(SpaceType):
        raise BadInput(
            f"--type is {typed!r}; it must be {', '.join(get_args(SpaceType)[:-1])} or {get_args(SpaceType)[-1]}"
        )
    return cast("SpaceType | None", typed)


def _lines(file: str | None) -> list[str]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the queries in {file} cannot be read ({error}): it must be a text file in UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _show(found: Sequence[Comparison], k: int) -> None:
    for comparison in found:
        show(f"{comparison.overlap:4.0%}  {comparison.query}", style="bold")
        if comparison.same_first:
            show(f"      first: {_where(comparison.active[0])}")
        else:
            show(f"      first now:  {_where(*comparison.active[:1])}")
            show(f"      first then: {_where(*comparison.other[:1])}")
    shared = sum(comparison.overlap for comparison in found) / len(found)
    same = sum(comparison.same_first for comparison in found)
    show(f"Of the first {k} results, {shared:.0%} are the same; the first one is, for {same} of {len(found)} queries.")


def _where(hit: SearchHit | None = None) -> str:
    if hit is None:
        return "nothing"
    address = f"{hit.url}#{hit.anchor}" if hit.anchor else hit.url
    return address or hit.external_id


def _document(comparison: Comparison) -> dict[str, object]:
    return {
        "query": comparison.query,
        "overlap": round(comparison.overlap, 4),
        "same_first": comparison.same_first,
        "hits": [
            {
                "external_id": hit.external_id,
                "entity": hit.entity,
                "url": hit.url,
                "anchor": hit.anchor,
                "place": now,
                "place_in_other": then,
            }
            for hit, now, then in comparison.places
        ],
    }
