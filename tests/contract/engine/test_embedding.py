"""What is embedded, set aside, paid for, planned and forgotten (promises E1, E2 and E7), on every engine."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from engine.embedders.fake import HashEmbedder
from engine.errors import CostCeiling, EmbedderError, InvalidRecord, TextRefused
from engine.models import GcReport, PageInput, RecordInput, SyncReport
from engine.protocols import Engine

OpenEngine = Callable[[HashEmbedder], AbstractAsyncContextManager[Engine]]
With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
Age = Callable[[Engine, str, float], None]

SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}
DOLLAR_A_WORD = 1_000_000.0


def url(name: str) -> str:
    return f"https://x.org/{name}"


def page(name: str, *texts: str) -> PageInput:
    return PageInput(
        url=url(name),
        records=[
            {"external_id": f"{url(name)}_chunk_{number}", "data": {"markdown": text}, "position": number}
            for number, text in enumerate(texts)
        ],
        markdown="\n\n".join(texts),
        content_hash="\n".join(texts),
        fetched_at=1_700_000_000.0,
    )


async def store(engine: Engine, *pages: PageInput, max_cost: float | None = None) -> SyncReport:
    return await engine.swap_pages(**SITE, pages=pages, max_cost=max_cost)


async def found(engine: Engine, query: str, **options: Any) -> list[str]:
    return [hit.external_id.removeprefix("https://x.org/") for hit in await engine.search(query, k=50, **options)]


def run(
    open_engine: OpenEngine, embedder: HashEmbedder, scenario: Callable[[Engine], Coroutine[Any, Any, None]]
) -> None:
    async def main() -> None:
        async with open_engine(embedder) as engine:
            await scenario(engine)

    asyncio.run(main())


# --- texts that the model does not take -------------------------------------------------------------------


@pytest.mark.promise("E7")
def test_a_bad_text_is_set_aside_and_found_by_its_words_and_the_rest_goes_on(open_engine: OpenEngine) -> None:
    async def scenario(engine: Engine) -> None:
        seen: list[int] = []
        pages = [page("a", "a kite", "a poison zeppelin"), page("b", "a balloon")]
        report = await engine.swap_pages(**SITE, pages=pages, on_embedded=seen.append)
        assert (report.added, report.computed, report.failed, seen) == (3, 2, 1, [2])
        for mode in ("hybrid", "text"):
            assert (await found(engine, "zeppelin", mode=mode))[0] == "a_chunk_1"
        assert "b_chunk_0" in await found(engine, "balloon", mode="vector")
        (failure,) = await engine.embed_failures()
        assert failure["url"] == url("a")
        assert failure["external_id"] == url("a") + "_chunk_1"
        assert (failure["entity"], failure["tries"]) == (SITE["name"], 1)
        assert "poison" in failure["reason"]
        assert failure["failed_at"].tzinfo is not None

    run(open_engine, HashEmbedder(refuses="poison"), scenario)


@pytest.mark.promise("E7")
def test_a_text_that_was_set_aside_is_not_paid_for_again_until_somebody_asks(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder(refuses="poison")

    async def scenario(engine: Engine) -> None:
        await store(engine, page("a", "a poison kite"))
        again = await store(engine, page("a", "a poison kite", "more"), page("b", "a poison kite"))
        assert (again.computed, again.failed, again.reused) == (1, 2, 0)
        assert embedder.texts == 2
        assert [failure["tries"] for failure in await engine.embed_failures()] == [1, 1]
        retried = await engine.retry_embeddings()
        assert (retried.computed, retried.failed, embedder.texts) == (0, 1, 3)
        assert [failure["tries"] for failure in await engine.embed_failures()] == [2, 2]
        embedder.refuses = None
        cured = await engine.retry_embeddings()
        assert (cured.computed, cured.failed, cured.tokens) == (1, 0, 3)
        assert await engine.embed_failures() == []
        assert await engine.retry_embeddings() == SyncReport()
        assert set(await found(engine, "kite", mode="vector")) >= {"a_chunk_0", "b_chunk_0"}
        assert (await store(engine, page("c", "a poison kite"))).reused == 1

    run(open_engine, embedder, scenario)


@pytest.mark.promise("E7")
def test_a_bad_record_is_named_by_its_id_and_by_the_entity_that_is_asked_for(open_engine: OpenEngine) -> None:
    async def scenario(engine: Engine) -> None:
        for name in ("one", "two"):
            records: list[RecordInput] = [
                {"external_id": f"{name}{n}", "data": {}, "text": f"poison {name} {n}"} for n in range(3)
            ]
            report = await engine.sync_records(connection_id="users", name=name, records=records)
            assert (report.added, report.failed) == (3, 3)
        failures = await engine.embed_failures(connection_id="users", name="two")
        assert [(one["url"], one["external_id"]) for one in failures] == [("", "two0"), ("", "two1"), ("", "two2")]
        assert [one["external_id"] for one in await engine.embed_failures(limit=4)] == ["one0", "one1", "one2", "two0"]
        assert await engine.embed_failures(connection_id="crm") == []

    run(open_engine, HashEmbedder(refuses="poison"), scenario)


def test_a_question_and_a_check_that_the_model_does_not_take_are_errors(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder(refuses="syncline")

    async def scenario(engine: Engine) -> None:
        with pytest.raises(TextRefused, match="it holds 'syncline'"):
            await engine.check()

    run(open_engine, embedder, scenario)


# --- what it may cost -------------------------------------------------------------------------------------


@pytest.mark.promise("E7")
def test_a_ceiling_stops_before_it_is_passed_and_what_is_stored_stays(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder(usd_per_million_tokens=DOLLAR_A_WORD)

    async def scenario(engine: Engine) -> None:
        report = await store(engine, page("a", "one two three"), max_cost=3)
        assert (report.cost_usd, report.tokens) == (3, 3)
        with pytest.raises(CostCeiling, match="--max-cost") as stopped:
            await store(engine, page("b", "four five six"), max_cost=2.5)
        assert (stopped.value.spent.computed, embedder.texts) == (0, 1)
        assert await found(engine, "two") == ["a_chunk_0"]
        assert await found(engine, "five", mode="text") == []
        assert (await store(engine, page("a", "one two three", "one two three"), max_cost=0)).cost_usd == 0

    run(open_engine, embedder, scenario)


@pytest.mark.promise("E7")
@pytest.mark.slow
def test_a_ceiling_between_two_batches_keeps_the_first_and_says_what_it_cost(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder(usd_per_million_tokens=DOLLAR_A_WORD)

    async def scenario(engine: Engine) -> None:
        whole = page("a", *(f"number{n}" for n in range(300)))
        with pytest.raises(CostCeiling) as stopped:
            await store(engine, whole, max_cost=299)
        spent = stopped.value.spent
        assert (spent.computed, spent.cost_usd, embedder.texts) == (256, 256, 256)
        report = await store(engine, whole, max_cost=44)
        assert (report.reused, report.computed, report.cost_usd) == (256, 44, 44)

    run(open_engine, embedder, scenario)


@pytest.mark.promise("E7")
def test_a_retry_keeps_a_ceiling_too(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder(refuses="poison", usd_per_million_tokens=DOLLAR_A_WORD)

    async def scenario(engine: Engine) -> None:
        await store(engine, page("a", "poison"))
        embedder.refuses = None
        with pytest.raises(CostCeiling):
            await engine.retry_embeddings(max_cost=0.5)
        assert (await engine.retry_embeddings(max_cost=1)).cost_usd == 1

    run(open_engine, embedder, scenario)


@pytest.mark.promise("E7")
def test_a_ceiling_on_what_has_no_known_price_is_refused_and_one_on_what_is_free_is_none(
    open_engine: OpenEngine,
) -> None:
    embedder = HashEmbedder(usd_per_million_tokens=None)

    async def scenario(engine: Engine) -> None:
        with pytest.raises(EmbedderError, match="SYNCLINE_EMBEDDER_PRICE"):
            await engine.check(max_cost=1)
        with pytest.raises(EmbedderError, match="SYNCLINE_EMBEDDER_PRICE"):
            await store(engine, page("a", "one"), max_cost=1)
        assert embedder.texts == 0
        embedder.usd_per_million_tokens = 0.0
        assert await engine.check(max_cost=0) == embedder.name
        assert (await store(engine, page("a", "one"), max_cost=0)).computed == 1

    run(open_engine, embedder, scenario)


# --- what it would do -------------------------------------------------------------------------------------


@pytest.mark.promise("E7")
def test_a_rehearsal_says_what_the_same_would_do_and_leaves_nothing(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder(usd_per_million_tokens=DOLLAR_A_WORD)

    async def work(engine: Engine) -> list[object]:
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={"url": "u"})
        await ledger.discover([(url(name), url(name), 0) for name in "abc"])
        taken = [one.url for one in await ledger.take(10)]
        reports = [
            await store(engine, page("a", "new words", "shared words", "kept"), page("b", "shared words")),
            await store(engine, page("c", "new words")),
        ]
        await ledger.settle(url("a"), "skipped", "404", {"gone": True})
        retired = await engine.retire_pages(**SITE, most=1)
        waiting, counted = await ledger.waiting(), await ledger.counted()
        await engine.optimize()
        await ledger.end(finished=False)
        return [taken, reports, retired, waiting, counted, await engine.get_records(**SITE)]

    async def scenario(engine: Engine) -> None:
        await store(engine, page("a", "kept", "old words"))
        before, texts = await everything(engine), embedder.texts
        async with engine.rehearse() as rehearsal:
            assert await rehearsal.check(max_cost=1) == embedder.name
            planned = await work(rehearsal)
        assert embedder.texts == texts
        assert await everything(engine) == before
        done = await work(engine)
        assert planned == done
        assert embedder.texts > texts
        assert (await engine.gc()).vectors > 0  # what was left of the page that was taken out

    run(open_engine, embedder, scenario)


async def everything(engine: Engine) -> list[object]:
    (site,) = await engine.sites()
    entity = await engine.get_entity(**SITE)
    records = await engine.get_records(**SITE)
    return [site, entity, records, await engine.stored_pages(**SITE), await found(engine, "words kept old")]


@pytest.mark.promise("E7")
def test_a_rehearsal_in_an_empty_store_leaves_it_empty(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder()

    async def scenario(engine: Engine) -> None:
        async with engine.rehearse() as rehearsal:
            report = await store(rehearsal, page("a", "one two", "one two"), page("b", "three"))
            assert (report.added, report.computed, report.reused, report.tokens) == (3, 2, 1, 3)
            assert (await store(rehearsal, page("c", "three"))).reused == 1
        assert await engine.sites() == []
        assert embedder.calls == 0

    run(open_engine, embedder, scenario)


@pytest.mark.promise("E7")
def test_a_rehearsal_stops_at_the_ceiling_where_the_run_would(open_engine: OpenEngine) -> None:
    async def scenario(engine: Engine) -> None:
        async with engine.rehearse() as rehearsal:
            assert (await store(rehearsal, page("a", "one two"), max_cost=2)).cost_usd == 2
            with pytest.raises(CostCeiling):
                await store(rehearsal, page("b", "three four"), max_cost=1)

    run(open_engine, HashEmbedder(usd_per_million_tokens=DOLLAR_A_WORD), scenario)


# --- what is forgotten ------------------------------------------------------------------------------------


@pytest.mark.promise("E2")
def test_only_gc_forgets_vectors_and_only_those_that_no_record_uses(open_engine: OpenEngine) -> None:
    embedder = HashEmbedder(refuses="poison")

    async def scenario(engine: Engine) -> None:
        await store(engine, page("a", "one", "two", "poison"), page("b", "two", "three"))
        await engine.delete_entity(**SITE)
        assert (await store(engine, page("b", "two"))).reused == 1
        assert await engine.gc() == GcReport(vectors=2, failures=1)
        assert await engine.gc() == GcReport()
        back = await store(engine, page("a", "one", "two", "poison"))
        assert (back.computed, back.reused, back.failed) == (1, 1, 1)
        assert embedder.texts == 6

    run(open_engine, embedder, scenario)


@pytest.mark.promise("E1")
def test_gc_spares_what_a_live_run_has_just_embedded_and_what_it_has_found_there(
    open_engine: OpenEngine, age: Age
) -> None:
    async def scenario(engine: Engine) -> None:
        await store(engine, page("a", "old"), page("b", "found again"), page("c", "poison"))
        await engine.delete_entity(**SITE)
        await engine.start_run("live", sync="crawl", input={})
        await engine.sync_records(**SITE, records=[{"external_id": url("d") + "_chunk_0", "data": {}}])
        # The vectors are committed, and then the swap fails: as if the run were between the two.
        with pytest.raises(InvalidRecord, match="belongs to a record without a page"):
            await store(engine, page("d", "just embedded", "found again", "poison just now"))
        report = await engine.gc()
        assert (report.vectors, report.spared) == (1, 2)
        await engine.end_run("live", state="succeeded")
        assert (await engine.gc()).vectors == 2

    run(open_engine, HashEmbedder(refuses="poison"), scenario)


@pytest.mark.promise("E1")
def test_gc_does_not_wait_for_a_run_that_has_died(open_engine: OpenEngine, age: Age) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.start_run("dead", sync="crawl", input={})
        await store(engine, page("a", "one"))
        await engine.delete_entity(**SITE)
        assert (await engine.gc()).spared == 1
        age(engine, "dead", 60)
        assert await engine.gc() == GcReport(vectors=1)

    run(open_engine, HashEmbedder(), scenario)


def test_gc_forgets_old_runs_where_asked_and_none_that_is_under_way(on: With, age: Age) -> None:
    async def scenario(engine: Engine) -> None:
        for name in ("live", "ended", "dead", "new"):
            await engine.start_run(name, sync="crawl", input={})
        await engine.end_run("new", state="succeeded")
        age(engine, "dead", 3_600)
        age(engine, "live", 3_600)
        await engine.beat_run("live")
        assert (await engine.gc()).runs == 0
        assert (await engine.gc(runs_older_than=1_800)).runs == 1
        assert {run["id"] for run in await engine.get_runs()} == {"live", "ended", "new"}

    on(scenario)


@pytest.mark.promise("E3")
def test_gc_forgets_no_page_that_left_only_now(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await store(engine, page("a", "one"))
        ledger = await engine.open_ledger(**SITE, start_url="https://x.org/", run_id="r", options={})
        await ledger.settle(url("a"), "skipped", "404", {"gone": True})
        await ledger.end(finished=True)
        assert (await engine.retire_pages(**SITE, most=1)).pages == 1
        assert (await engine.gc()).pages == 0
        gone = await engine.get_page(url("a"))
        assert gone is not None
        assert gone["state"] == "gone"

    on(scenario)
