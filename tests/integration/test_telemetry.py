"""OpenTelemetry: one connected trace for a crawl, and nothing secret in it (promise S5)."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from engine import PostgresEngine
from engine.embedders.fake import HashEmbedder
from engine.mock import MockEngine
from syncs import Runtime, SyncContext, create_sync
from syncs.crawl import site_crawl

pytestmark = [pytest.mark.slow, pytest.mark.promise("S5")]

SECRET = "hunter2"


@pytest.fixture(scope="module")
def exported() -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    """The SDK's exporters in memory: a process has one provider, so that it is set once."""
    spans, figures = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    meters = MeterProvider([figures])
    metrics.set_meter_provider(meters)
    yield spans, figures
    provider.shutdown()
    meters.shutdown()


@pytest.fixture
def spans(exported: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> InMemorySpanExporter:
    exported[0].clear()
    return exported[0]


def by_name(spans: InMemorySpanExporter, start: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name.startswith(start)]


def test_a_crawl_is_one_connected_trace(site_server, chain, database_url: str, spans, exported) -> None:
    site_server.routes = chain(6)

    async def main() -> None:
        engine = PostgresEngine(database_url, embedder=HashEmbedder())
        async with Runtime(engine=engine, syncs={"site_crawl": site_crawl}) as runtime:
            await runtime.sync("site_crawl", {"url": f"{site_server.url}/docs/"}, run_id="the-run")

    asyncio.run(main())
    finished = spans.get_finished_spans()
    (root,) = by_name(spans, "sync site-crawl-sync")
    assert root.parent is None
    assert dict(root.attributes or {}) == {
        "syncline.sync": "site-crawl-sync",
        "syncline.run_id": "the-run",
        "syncline.state": "succeeded",
    }
    known = {span.context.span_id: span for span in finished if span.context is not None}
    for span in finished:
        assert span.context is not None
        assert span.context.trace_id == root.context.trace_id
        assert span is root or (span.parent is not None and span.parent.span_id in known), span.name
    batches = by_name(spans, "store pages")
    assert sum(batch.attributes["syncline.pages"] for batch in batches if batch.attributes) == 6
    parents = Counter(known[span.parent.span_id].name for span in by_name(spans, "embeddings ") if span.parent)
    assert parents["store pages"] >= 1
    assert {known[span.parent.span_id].name for span in by_name(spans, "transaction") if span.parent} >= {
        "store pages",
        "sync site-crawl-sync",
    }
    figures = read_metrics(exported[1])
    assert figures["syncline.pages", "stored"] == 6
    assert figures["syncline.runs", "succeeded"] == 1


def test_a_childs_span_is_its_parents_child_and_a_failure_shows_no_secret(spans) -> None:
    @create_sync(id="inner")
    async def inner(ctx: SyncContext[dict[str, str]]) -> None:
        raise OSError(f"postgres://me:{SECRET}@db/x is away")

    @create_sync(id="outer")
    async def outer(ctx: SyncContext[dict[str, str]]) -> None:
        await ctx.sync(inner, ctx.context)

    async def main() -> None:
        runtime = Runtime(engine=MockEngine(), syncs={"inner": inner, "outer": outer})
        with pytest.raises(OSError, match="away"):
            await runtime.sync("outer", {"password": SECRET})

    asyncio.run(main())
    (child,), (parent,) = by_name(spans, "sync inner"), by_name(spans, "sync outer")
    assert child.parent is not None
    assert parent.context is not None
    assert child.parent.span_id == parent.context.span_id
    assert child.status.description == "OSError: postgres://***@db/x is away"
    assert child.status.status_code is trace.StatusCode.ERROR
    assert all(SECRET not in span.to_json() for span in spans.get_finished_spans())


def read_metrics(reader: InMemoryMetricReader) -> dict[tuple[str, object], float]:
    """(metric, state or outcome) -> sum."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        (metric.name, point.attributes.get("syncline.state") or point.attributes.get("syncline.outcome")): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if hasattr(point, "value")
    }
