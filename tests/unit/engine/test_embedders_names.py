"""Which embedder a name or an environment means."""

import asyncio
from collections.abc import Mapping

import pytest

from engine.embedders import EmbedderName, choose_embedder, describe_choice, open_embedder
from engine.errors import EmbedderError, EmbedderRefused, UnknownEmbedder


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("wordllama", "wordllama:l2_supercat_256"),
        ("wordllama@256", "wordllama:l2_supercat_256"),
        ("wordllama:l2_supercat_256@64", "wordllama:l2_supercat_256@64"),
        ("openai", "openai:text-embedding-3-small"),
        ("openai@512", "openai:text-embedding-3-small@512"),
        (" openai:text-embedding-3-small@1536 ", "openai:text-embedding-3-small"),
        ("openai:text-embedding-3-large@256", "openai:text-embedding-3-large@256"),
        ("openai:nomic-embed-text:latest@768", "openai:nomic-embed-text:latest@768"),
        ("openai:@cf/baai/bge-m3", "openai:@cf/baai/bge-m3"),
        ("sentence-transformers", "sentence-transformers:all-MiniLM-L6-v2"),
        ("sentence-transformers:/srv/models/mini_lm@64", "sentence-transformers:/srv/models/mini_lm@64"),
        ("fastembed", "fastembed:BAAI/bge-small-en-v1.5"),
        ("fastembed:nomic-ai/nomic-embed-text-v1.5@256", "fastembed:nomic-ai/nomic-embed-text-v1.5@256"),
    ],
)
def test_one_embedder_has_one_full_name(given: str, full: str) -> None:
    name = EmbedderName.parse(given)
    assert str(name) == full
    assert EmbedderName.parse(full) == name


@pytest.mark.parametrize(
    "given",
    [
        "",
        "word2vec",
        "cohere:embed",
        "openai:",
        ":model",
        "openai:m@",
        "openai:m@x",
        "openai:m@0",
        "openai:m@-1",
        "openai:a b",
        "OpenAI:m@3",
        "wordllama:other",
        "sentence-:m",
        "-fastembed:m",
    ],
)
def test_an_unknown_or_malformed_name_lists_those_that_there_are(given: str) -> None:
    with pytest.raises(
        UnknownEmbedder, match=r"wordllama:l2_supercat_256.*openai:text-embedding-3-small.*fastembed:MODEL"
    ):
        EmbedderName.parse(given)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ("wordllama@100", "256, 128, 64"),
        ("openai:text-embedding-3-small@1537", "1 to 1536"),
        ("openai:text-embedding-ada-002@512", "1536"),
    ],
)
def test_a_size_that_the_model_cannot_have_names_those_it_can(given: str, sizes: str) -> None:
    with pytest.raises(UnknownEmbedder, match=sizes):
        EmbedderName.parse(given)


@pytest.mark.parametrize(
    ("name", "env", "chosen", "reason"),
    [
        (None, {}, "wordllama:l2_supercat_256", "offline"),
        (None, {"OPENAI_API_KEY": " "}, "wordllama:l2_supercat_256", "offline"),
        (None, {"OPENAI_API_KEY": "k"}, "openai:text-embedding-3-small", "OPENAI_API_KEY is set"),
        (None, {"OPENAI_API_KEY": "k", "SYNCLINE_EMBEDDER": "wordllama@64"}, "wordllama:l2_supercat_256@64",
         "SYNCLINE_EMBEDDER"),
        ("wordllama", {"SYNCLINE_EMBEDDER": "openai"}, "wordllama:l2_supercat_256", "by name"),
    ],
)  # fmt: skip
def test_the_choice_is_explained(name: str | None, env: Mapping[str, str], chosen: str, reason: str) -> None:
    assert str(choose_embedder(name, env=env).name) == chosen
    sentence = describe_choice(name, env=env)
    assert chosen in sentence
    assert reason in sentence


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "OPENAI_API_KEY.*--embedder wordllama"),
        ({"OPENAI_API_KEY": "sk-two\nlines"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "sk-schlüssel"}, "OPENAI_API_KEY"),
        ({"OPENAI_BASE_URL": "localhost:8080"}, "OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "http://[::1"}, "OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:99999/v1"}, "OPENAI_BASE_URL"),
    ],
)
def test_a_missing_key_or_a_bad_address_is_refused_before_anything_is_sent(env: dict[str, str], says: str) -> None:
    with pytest.raises(EmbedderRefused, match=says) as raised:
        asyncio.run(open_embedder("openai", env=env))
    assert env.get("OPENAI_API_KEY", "sk-two") not in str(raised.value)


@pytest.mark.parametrize("window", ["0", "many", "-5"])
def test_a_window_that_is_no_number_is_refused(window: str) -> None:
    env = {"OPENAI_API_KEY": "k", "SYNCLINE_EMBEDDER_MAX_TOKENS": window}
    with pytest.raises(EmbedderError, match="SYNCLINE_EMBEDDER_MAX_TOKENS"):
        asyncio.run(open_embedder("openai", env=env))


def test_openai_is_opened_without_a_request_and_its_key_is_not_shown() -> None:
    async def run() -> str:
        embedder = await open_embedder("openai@512", env={"OPENAI_API_KEY": "sk-secret-123"})
        await embedder.aclose()
        assert (embedder.dimensions, embedder.max_tokens) == (512, 8191)
        return repr(embedder) + str(vars(embedder))

    assert "secret" not in asyncio.run(run())
