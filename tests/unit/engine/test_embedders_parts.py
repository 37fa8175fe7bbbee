"""The parts of the embedders that do no I/O: windows, batches, the offline model, the fake."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.embedders import HashEmbedder, WordLlamaEmbedder
from engine.embedders.answer import Answer, read_answer
from engine.embedders.batches import Window, count_bytes, into_batches, into_windows
from engine.embedders.endpoint import Server
from engine.embedders.halving import ask_by_halves
from engine.embedders.names import EmbedderName
from engine.embedders.openai import OpenAIEmbedder
from engine.errors import EmbedderError, TextRefused, UnknownEmbedder


@given(st.text(max_size=300), st.integers(min_value=4, max_value=40))
def test_windows_hold_the_whole_text_in_order_and_each_fits(text: str, limit: int) -> None:
    windows = list(into_windows(text, 3, lambda part: count_bytes(part) <= limit))
    assert all(count_bytes(window.content) <= limit for window in windows)
    assert all(window.weight == count_bytes(window.content) for window in windows)
    assert "".join("".join(window.content for window in windows).split()) == "".join(text.split())
    assert all(window.text_index == 3 for window in windows)


def test_windows_are_cut_at_white_space() -> None:
    windows = into_windows("one two three four five six", 0, lambda part: len(part) <= 10)
    words = [word for window in windows for word in window.content.split()]
    assert words == ["one", "two", "three", "four", "five", "six"]


@given(st.lists(st.integers(min_value=0, max_value=12), max_size=40))
def test_batches_hold_every_window_once_within_both_bounds(sizes: list[int]) -> None:
    windows = [Window(index, "x" * size, size) for index, size in enumerate(sizes)]
    batches = into_batches(windows, max_items=5, max_bytes=10)
    assert [window for batch in batches for window in batch] == windows
    for batch in batches:
        assert 1 <= len(batch) <= 5
        assert sum(len(window.content) for window in batch) <= 10 or len(batch) == 1


@pytest.mark.promise("E7")
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_bad_texts_are_found_with_at_most_two_requests_a_text(bad: list[bool]) -> None:
    calls = 0

    async def ask(texts: Sequence[str]) -> Answer:
        nonlocal calls
        calls += 1
        if any(text == "bad" for text in texts):
            raise TextRefused("no")
        return Answer(np.ones((len(texts), 2)), len(texts))

    texts = ["bad" if one else "good" for one in bad]
    found: list[bool] = []
    for outcome in asyncio.run(ask_by_halves(texts, ask)):
        found += [False] * len(outcome.vectors) if isinstance(outcome, Answer) else [True]
    assert found == bad
    assert calls <= 2 * len(texts)


def test_wordllama_gives_the_vectors_of_its_own_library() -> None:
    from wordllama import WordLlama
    from wordllama import __file__ as package

    texts = ["how do I create an index", "os.path.join", "日本語 <s> 😀", "word " * 500, "a"]
    for dimensions in (256, 128, 64):
        theirs = WordLlama.load(disable_download=True, cache_dir=Path(package).parent, trunc_dim=dimensions)
        ours = asyncio.run(WordLlamaEmbedder(dimensions).embed(texts, kind="document")).vectors
        for one, other in zip(ours, theirs.embed(texts, norm=True).tolist(), strict=True):
            assert sum(map(float.__mul__, one, other)) > 0.9999


def test_wordllama_without_its_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.embedders.wordllama.find_spec", lambda name: None)
    with pytest.raises(UnknownEmbedder, match="pip install"):
        WordLlamaEmbedder()


def test_a_text_is_read_the_same_whatever_lies_beside_it() -> None:
    texts = ["short", "a much longer text " * 300, ""]
    embedder = WordLlamaEmbedder(64)
    together = asyncio.run(embedder.embed(texts * 100, kind="document"))
    alone = [asyncio.run(embedder.embed([text], kind="document")) for text in texts]
    assert together.vectors[:3] == [one.vectors[0] for one in alone]
    assert together.tokens == 100 * sum(one.tokens for one in alone)


def test_the_fake_counts_what_it_was_asked_for() -> None:
    fake = HashEmbedder(16)
    asyncio.run(fake.embed(["one", "two"], kind="document"))
    asyncio.run(fake.embed(["one"], kind="query"))
    assert (fake.calls, fake.texts) == (2, 3)


def test_two_models_of_the_fake_are_two_spaces() -> None:
    one, other = HashEmbedder(16), HashEmbedder(16, model="other")
    assert one.name != other.name
    vectors = [asyncio.run(fake.embed(["the same text"], kind="document")).vectors[0] for fake in (one, other)]
    assert vectors[0] != vectors[1]


def test_only_openai_itself_is_priced_and_other_prices_are_the_users_word() -> None:
    async def price(**env: str) -> float | None:
        name = EmbedderName.parse("openai:text-embedding-3-small")
        embedder = await OpenAIEmbedder.open(name, env={"OPENAI_API_KEY": "k", **env}, count_tokens=len)
        await embedder.aclose()
        cost = embedder.estimate(["x" * 1_000] * 1_000).cost_usd
        assert cost == pytest.approx(embedder.usd_per_million_tokens or 0)
        return embedder.usd_per_million_tokens

    assert asyncio.run(price()) == 0.02
    elsewhere = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    assert asyncio.run(price(**elsewhere)) is None
    assert asyncio.run(price(**elsewhere, SYNCLINE_EMBEDDER_PRICE=" 1.5 ")) == 1.5
    assert asyncio.run(price(**elsewhere, SYNCLINE_EMBEDDER_PRICE="0")) == 0
    with pytest.raises(EmbedderError, match="US dollars for a million tokens"):
        asyncio.run(price(SYNCLINE_EMBEDDER_PRICE="-1"))


def test_a_server_shows_neither_its_key_nor_its_password() -> None:
    server = Server("http://user:secret@127.0.0.1:8080/v1", "sk-hidden")
    assert repr(server) == "Server('http://127.0.0.1:8080/v1')"
    assert server.scrub("key sk-hidden,\n Bearer abc and sk-pa***rt") == "key ***, *** and ***"


def test_numbers_too_large_for_a_length_are_not_finite() -> None:
    body = b'{"data": [{"index": 0, "embedding": [1e308, 1e308]}]}'
    with pytest.raises(ValueError, match="not finite"):
        read_answer(body, 1, 2)


def test_an_answer_of_mixed_sizes_is_refused_also_where_no_size_is_known() -> None:
    body = b'{"data": [{"index": 0, "embedding": [1, 2]}, {"index": 1, "embedding": [1]}]}'
    with pytest.raises(ValueError, match="different sizes"):
        read_answer(body, 2, None)


def test_vectors_are_brought_to_length_one_and_the_bill_is_read() -> None:
    answer = read_answer(b'{"data": [{"index": 0, "embedding": [3, 4]}], "usage": {"total_tokens": 7}}', 1, 2)
    assert answer.vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert math.isclose(answer.tokens, 7)
