"""What every `Embedder` keeps to: the fake, the offline ones, and OpenAI's protocol over real HTTP."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

import pytest

from engine.embedders import HashEmbedder, open_embedder
from engine.models import Embeddings
from engine.protocols import Embedder, EmbedKind

Open = Callable[[], Awaitable[Embedder]]


@pytest.fixture(
    params=[
        "fake",
        "wordllama",
        "wordllama@64",
        "openai",
        "openai-shortened",
        "openai-base64",
        "sentence-transformers:tiny",
        "sentence-transformers:tiny@12",
        "fastembed:tiny",
    ]
)
def open_one(request: pytest.FixtureRequest) -> Open:
    """Opens an embedder of each kind."""

    async def fake() -> Embedder:
        return HashEmbedder()

    if request.param == "fake":
        return fake
    if request.param.startswith("wordllama"):
        return lambda: open_embedder(request.param, env={})
    if ":tiny" in request.param:
        request.getfixturevalue("local_libraries")
        return lambda: open_embedder(request.param, env={})
    server = request.getfixturevalue("embeddings_server")
    server.base64 = request.param == "openai-base64"
    name = "openai:loopback@32" if request.param == "openai-shortened" else "openai:loopback"
    return lambda: open_embedder(name, env=server.env)


def embed(open_one: Open, texts: Sequence[str], kind: EmbedKind = "document") -> tuple[Embedder, Embeddings]:
    async def run() -> tuple[Embedder, Embeddings]:
        embedder = await open_one()
        try:
            return embedder, await embedder.embed(texts, kind=kind)
        finally:
            await embedder.aclose()

    return asyncio.run(run())


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return math.sumprod(one, other) if hasattr(math, "sumprod") else sum(map(float.__mul__, one, other))


def test_it_says_what_it_is(open_one: Open) -> None:
    embedder, _ = embed(open_one, [])
    provider, _, rest = embedder.name.partition(":")
    assert provider
    assert rest.partition("@")[0] == embedder.model
    assert embedder.dimensions > 0
    assert embedder.max_tokens > 0


def test_every_text_gets_one_vector_of_length_one_in_its_place(open_one: Open) -> None:
    texts = [f"chapter {number}: the index of table {number}" for number in range(70)]
    embedder, together = embed(open_one, texts)
    _, alone = embed(open_one, [texts[41]])
    assert len(together.vectors) == len(texts)
    for vector in together.vectors:
        assert len(vector) == embedder.dimensions
        assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-5)
    assert cosine(together.vectors[41], alone.vectors[0]) > 0.99999
    assert cosine(together.vectors[40], alone.vectors[0]) < 0.99999
    assert together.tokens > 0
    assert together.windowed == 0
    assert together.cost_usd == 0
    assert together.refused == {}


def test_no_texts_cost_nothing(open_one: Open) -> None:
    _, nothing = embed(open_one, [])
    assert nothing == Embeddings([], tokens=0, windowed=0, cost_usd=0)


@pytest.mark.promise("E7")
def test_an_estimate_says_what_is_billed_and_sends_nothing(open_one: Open, request: pytest.FixtureRequest) -> None:
    texts = ["one two three", "", "create an index on an expression of the table"]

    async def run() -> tuple[Embeddings, Embeddings]:
        embedder = await open_one()
        estimate = embedder.estimate(texts)
        embeddings = await embedder.embed(texts, kind="document")
        await embedder.aclose()
        return estimate, embeddings

    estimate, embeddings = asyncio.run(run())
    assert list(estimate.vectors) == []
    assert (estimate.windowed, estimate.cost_usd) == (0, 0)
    if "openai" in request.node.name:  # this server has a count of its own; bytes are never fewer
        assert estimate.tokens >= embeddings.tokens
    else:
        assert estimate.tokens == embeddings.tokens > 0


def test_a_query_lies_near_the_text_that_answers_it(open_one: Open) -> None:
    _, documents = embed(
        open_one,
        ["create an index on an expression of the table", "the quick brown fox jumps over a lazy dog"],
    )
    _, query = embed(open_one, ["how do I create an index on an expression"], kind="query")
    near, far = (cosine(query.vectors[0], vector) for vector in documents.vectors)
    assert near > far


def test_a_text_in_which_there_is_nothing_has_the_first_axis_as_its_vector(open_one: Open) -> None:
    embedder, embeddings = embed(open_one, ["", "something"])
    assert list(embeddings.vectors[0]) == [1.0] + [0.0] * (embedder.dimensions - 1)
    assert list(embeddings.vectors[1]) != list(embeddings.vectors[0])


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "a lone surrogate \ud800",
        "<|endoftext|> <s> [CLS]",
        " \n\t",
        "=" * 20_000,
        "word " * 20_000,
        "😀" * 3000,
    ],
    ids=["NUL", "surrogate", "special tokens", "blank", "no spaces", "long", "emoji"],
)
def test_no_text_breaks_it(open_one: Open, text: str) -> None:
    _, embeddings = embed(open_one, ["before", text, "after"])
    assert len(embeddings.vectors) == 3
    assert all(math.isclose(math.hypot(*vector), 1, rel_tol=1e-5) for vector in embeddings.vectors)
