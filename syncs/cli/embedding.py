"""`syncline retry` and `syncline gc`: texts that have no vector, and vectors that have no text."""

from dataclasses import asdict
from typing import Annotated

import typer

from engine import PostgresEngine, SyncReport
from engine.errors import CostCeiling
from syncs.cli.options import Db, Debug, Json, MaxCost
from syncs.cli.output import notice, print_json, run_with_engine, show

__all__ = ["gc", "retry"]

MOST_LISTED = 20
DAY = 86_400.0


def retry(max_cost: MaxCost = None, db: Db = None, json: Json = False, debug: Debug = False) -> None:
    """Embed what has no vector: the texts that the model did not take before."""

    async def work(engine: PostgresEngine) -> int:
        stopped = ""
        try:
            report = await engine.retry_embeddings(max_cost=max_cost)
        except CostCeiling as ceiling:
            report, stopped = ceiling.spent, str(ceiling)
        failures = await engine.embed_failures(limit=MOST_LISTED + 1)
        if json:
            _print(report, failures[:MOST_LISTED], stopped)
        elif not report.computed and not report.failed and not stopped:
            notice("Nothing to do: every text has its vector.")
        else:
            cost = f" for ${report.cost_usd:.4f}" if report.cost_usd else ""
            show(f"{report.computed:,} embedded{cost}, {report.failed:,} not taken by the model again")
            for failure in failures[:MOST_LISTED]:
                times = f"{failure['tries']} times" if failure["tries"] > 1 else "once"
                show(f"  {failure['url'] or failure['external_id']}: {failure['reason']} (tried {times})")
            if len(failures) > MOST_LISTED:
                show(f"  … and more than these {MOST_LISTED}")
            if stopped:
                notice(stopped)
        return 1 if report.failed or stopped else 0

    run_with_engine(work, db=db, debug=debug)


def gc(
    runs_older_than: Annotated[
        float | None,
        typer.Option(min=0, metavar="DAYS", help="Forget runs, too, that ended so many days ago.", show_default=False),
    ] = None,
    db: Db = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Forget what nothing needs: vectors that no record uses, pages that left long ago. Safe beside a crawl."""

    async def work(engine: PostgresEngine) -> None:
        report = await engine.gc(runs_older_than=None if runs_older_than is None else runs_older_than * DAY)
        if json:
            print_json(asdict(report))
            return
        spared = f" ({report.spared:,} unused ones spared: a run is under way)" if report.spared else ""
        show(
            f"Forgotten: {report.vectors:,} vectors{spared}, {report.failures:,} failures, {report.pages:,} pages, "
            f"{report.runs:,} runs."
        )

    run_with_engine(work, db=db, debug=debug)


def _print(report: SyncReport, failures: list[dict[str, object]], stopped: str) -> None:
    print_json(
        {
            "embedded": report.computed,
            "failed": report.failed,
            "tokens": report.tokens,
            "cost_usd": round(report.cost_usd, 6),
            "failures": failures,
            "notes": [stopped] if stopped else [],
        }
    )
