"""Spans and metrics of the store, through OpenTelemetry's API: without an SDK they cost next to nothing.

Names follow OpenTelemetry's semantic conventions for databases and generative AI. No attribute holds a text, a
statement's values or an address.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from engine.models import Embeddings
from engine.protocols import Embedder, EmbedKind

__all__ = ["embed", "span", "transaction_span"]

_tracer = trace.get_tracer("syncline.engine")
_meter = metrics.get_meter("syncline.engine")
_texts = _meter.create_counter("syncline.embeddings.texts", "{text}", "Texts embedded, by model.")
_tokens = _meter.create_counter("syncline.embeddings.tokens", "{token}", "Tokens that embedders billed, by model.")


@contextmanager
def transaction_span() -> Iterator[None]:
    """The span of one transaction, its repetitions after a passing fault included."""
    with span("transaction", {"db.system.name": "postgresql"}):
        yield


async def embed(embedder: Embedder, texts: Sequence[str], kind: EmbedKind) -> Embeddings:
    """One call of the embedder, as a span."""
    labels = {"gen_ai.request.model": embedder.name}
    with span(f"embeddings {embedder.name}", {**labels, "syncline.texts": len(texts), "syncline.kind": kind}) as call:
        embeddings = await embedder.embed(texts, kind=kind)
        call.set_attribute("gen_ai.usage.input_tokens", embeddings.tokens)
    _texts.add(len(texts), labels)
    _tokens.add(embeddings.tokens, labels)
    return embeddings


@contextmanager
def span(name: str, attributes: Mapping[str, str | int], kind: SpanKind = SpanKind.CLIENT) -> Iterator[Span]:
    """A span whose failure is named by its type: an error's text may hold what must not be kept."""
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
