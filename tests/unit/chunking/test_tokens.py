"""Counting tokens: what every counter does, and that ours is tiktoken's, exact and linear, without a network."""

import base64
import gzip
import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import tiktoken
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from chunking import (
    ENCODINGS,
    CharacterCounter,
    InvalidOption,
    MDocument,
    TiktokenCounter,
    TokenCounter,
    VocabularyUnavailable,
)
from chunking import tokens as tokens_module
from chunking.tokens import added_up

TEXTS = (
    "",
    " ",
    "hello world",
    "naïve café, 日本語, العربية, 👨‍👩‍👧‍👦",
    "a" * 1000,
    "\r\n\t\u2028\0",
    "lone \ud800 surrogate",
    "a pair \ud83d\ude00 of them",
    "<|endoftext|>",
)


@pytest.fixture(scope="module")
def references() -> Mapping[str, tiktoken.Encoding]:
    """tiktoken's encodings, with the vocabularies that the installed package carries."""

    def vocabulary(url: str, expected_hash: str) -> dict[bytes, int]:
        spec = importlib.util.find_spec("bpe_openai")
        assert spec is not None
        folder = Path((spec.submodule_search_locations or [""])[0], "data")
        lines = gzip.decompress((folder / f"{Path(url).name}.gz").read_bytes()).splitlines()
        return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", vocabulary)
        return {name: tiktoken.Encoding(**getattr(openai_public, name)()) for name in ENCODINGS}


@pytest.fixture(params=[TiktokenCounter, CharacterCounter])
def any_counter(request: pytest.FixtureRequest) -> TokenCounter:
    counter: TokenCounter = request.param()
    return counter


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_counter_is_repeatable_and_zero_only_for_the_empty_text(any_counter: TokenCounter, text: str) -> None:
    assert any_counter.count(text) == any_counter.count(text)
    assert (any_counter.count(text) == 0) == (text == "")


def test_a_counter_counts_more_for_more_text(any_counter: TokenCounter) -> None:
    assert any_counter.count("one two three " * 50) > any_counter.count("one two three")


@pytest.mark.promise("K1")
def test_special_tokens_are_plain_text() -> None:
    assert TiktokenCounter().count("<|endoftext|>") > 1
    assert TiktokenCounter().count("a<|endofprompt|>b") > 3


def test_known_texts_have_the_counts_of_cl100k_base() -> None:
    counter = TiktokenCounter()
    assert [counter.count(text) for text in ("tiktoken is great!", "antidisestablishmentarianism")] == [6, 6]
    assert counter.count("お誕生日おめでとう") == 9


@pytest.mark.promise("K1")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_count_is_that_of_tiktoken(references: Mapping[str, tiktoken.Encoding], encoding: str, text: str) -> None:
    assert TiktokenCounter(encoding).count(text) == len(references[encoding].encode_ordinary(text))


RUNS = st.builds(
    lambda text, times: text * times,
    st.sampled_from(
        ["a", " ", "\n", "\r\n", "\t ", "漢", "-", "=", "1", "'S", "İ", "e\u0301", "🇫🇷", "ſ", "_/", "\u2028"]
    ),
    st.integers(1, 90),
)
MIXED = st.lists(st.one_of(st.text(st.characters(), max_size=30), RUNS), max_size=12).map("".join)


@pytest.mark.promise("K1")
@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(text=MIXED)
def test_any_text_has_the_count_of_tiktoken(
    references: Mapping[str, tiktoken.Encoding], encoding: str, text: str
) -> None:
    assert TiktokenCounter(encoding).count(text) == len(references[encoding].encode_ordinary(text))


MARKS = [
    "/",
    "//",
    "-\n/",
    ".",
    "…",
    "”",
    ")",
    "`",
    "\n```",
    "|",
    "\\",
    "'s",
    "'LL",
    "://",
    "_/",
    ")\n",
    "*",
    "🇫🇷",
    "ǅ",
    "½",
]
SPACES = [
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\xa0",
    "\u2028",
    "\x85",
    "\x1c",
    "\u200b",
    "\u0301",
    "\ud83d",
    "\ude00",
]
ENDED = (
    st.lists(st.one_of(st.sampled_from([*MARKS, *SPACES, "word", " word", "漢", "7"]), st.text(max_size=3)), max_size=9)
    .map(lambda bits: "".join(bits).rstrip())
    .filter(bool)
)
GAPS = st.sampled_from(
    ["\n\n"] * 6 + ["\n", "\r", "\r\n\r\n", "\n \n", " \n", "\n\t", " ", "", "\u2028\n", "\x1c\n", "\n" * 9]
)


@pytest.mark.promise("K1")
@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@example(first="-", rest=[("\n\n", "/*")])
@example(first="x(-\n/", rest=[("\n", "b")])
@given(first=ENDED, rest=st.lists(st.tuples(GAPS, ENDED), max_size=3))
def test_counts_that_add_up_are_the_count_of_the_whole(encoding: str, first: str, rest: list[tuple[str, str]]) -> None:
    counter = TiktokenCounter(encoding)
    texts, gaps = [first, *(text for _, text in rest)], [gap for gap, _ in rest]
    whole = first + "".join(gap + text for gap, text in rest)
    assert added_up(counter, texts, [counter.count(text) for text in texts], gaps) in (None, counter.count(whole))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ending", ["word", "end.", "“end.”", "`code`", "x = [1]\n```", "| a |", "漢字。", "---"])
@pytest.mark.parametrize("start", ["Next", "    x = 1", "```py\nx", "- item", "| a |", "“Next”", "\ttab"])
def test_counts_of_blocks_add_up(encoding: str, ending: str, start: str) -> None:
    counter = TiktokenCounter(encoding)
    texts = [f"What ends in {ending}", start]
    counts = [counter.count(text) for text in texts]
    assert added_up(counter, texts, counts, ["\n\n"]) == counter.count("\n\n".join(texts))


@pytest.mark.parametrize(
    ("first", "gap", "second"),
    [("a", "\n", "\n b"), ("a", "\n", " \nb"), ("a", " ", "b"), ("a", "", "b"), ("a", "\n\xa0", "b")],
)
def test_counts_do_not_add_up_but_where_a_line_begins(first: str, gap: str, second: str) -> None:
    assert added_up(TiktokenCounter(), [first, second], [1, 1], [gap]) is None


def test_counts_of_other_counters_and_encodings_are_not_taken_to_add_up() -> None:
    assert added_up(TiktokenCounter("p50k_base"), ["a", "b"], [1, 1], ["\n"]) is None
    assert added_up(CharacterCounter(), ["a", "b"], [1, 1], ["\n"]) is None


LONG_TEXTS = {
    "one letter": "a" * 1_000_000,
    "base64": base64.b64encode(bytes(range(256)) * 3000).decode(),
    "minified": "function(e,t){return e[t]||(e[t]=!0,n.push({id:t,v:e}))}" * 15_000,
    "CJK": "漢字かな交じり文" * 40_000,
    "spaces": " " * 100_000,  # tiktoken's own limit: more of them end it with a panic
    "newlines": "\n" * 1_000_000,
    "dashes": "-" * 100_000,
}


@pytest.mark.promise("K1")
@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", LONG_TEXTS)
def test_a_long_run_of_anything_is_counted_exactly(
    references: Mapping[str, tiktoken.Encoding], encoding: str, name: str
) -> None:
    text = LONG_TEXTS[name]
    assert TiktokenCounter(encoding).count(text) == len(references[encoding].encode_ordinary(text))


def test_an_unknown_encoding_names_the_nearest() -> None:
    with pytest.raises(InvalidOption, match="no encoding 'cl100k'; did you mean 'cl100k_base'"):
        TiktokenCounter("cl100k")  # an argument that the type checker would refuse, too


def test_a_count_needs_no_network_and_imports_no_other_tokenizer() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('network')\n"
        "socket.socket.connect = refuse\n"
        "from chunking import TiktokenCounter\n"
        "assert TiktokenCounter().count('hello world') == 2\n"
        "print('bpe_openai' in sys.modules, 'tiktoken' in sys.modules)\n"
        "import bpe_openai\n"
        "print(len(bpe_openai.get_encoding('cl100k_base').encode('hello world')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "2"]


@pytest.fixture
def without_compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package bpe-openai cannot be loaded."""
    tokens_module._tokenizer.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "bpe_openai._bindings", raising=False)
    yield
    tokens_module._tokenizer.cache_clear()


@pytest.mark.usefixtures("without_compiled")
def test_without_the_package_tiktoken_itself_counts(
    monkeypatch: pytest.MonkeyPatch, references: Mapping[str, tiktoken.Encoding]
) -> None:
    monkeypatch.setattr(tiktoken, "get_encoding", references.__getitem__)
    for text in TEXTS:
        assert TiktokenCounter().count(text) == len(references["cl100k_base"].encode_ordinary(text))


@pytest.mark.usefixtures("without_compiled")
def test_a_vocabulary_that_cannot_be_had_is_one_sentence_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> tiktoken.Encoding:
        raise ConnectionError(name)

    monkeypatch.setattr(tiktoken, "get_encoding", refuse)
    with pytest.raises(VocabularyUnavailable, match=r"cl100k_base.*TIKTOKEN_CACHE_DIR.*reinstall bpe-openai"):
        TiktokenCounter().count("text")


def test_every_encoding_of_tiktoken_can_be_counted_by(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"an": 256, b"ban": 257}
    bytewise = tiktoken.Encoding("p50k_base", pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={})
    monkeypatch.setattr(tiktoken, "get_encoding", {"p50k_base": bytewise}.__getitem__)
    tokens_module._tokenizer.cache_clear()
    try:
        assert TiktokenCounter("p50k_base").count("banana") == 3
        doc = MDocument.from_text("banana " * 100).chunk("token", max_size=64, encoding="p50k_base")
        assert max(chunk.token_count for chunk in doc.get_docs()) <= 64
    finally:
        tokens_module._tokenizer.cache_clear()
