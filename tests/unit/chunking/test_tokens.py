"""Counting tokens: what every counter does, and that ours is tiktoken's without a network."""

import gzip
import hashlib
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken
from tiktoken_ext import openai_public

from chunking import CharacterCounter, TiktokenCounter, TokenCounter, VocabularyUnavailable, tokens

TEXTS = (
    "",
    " ",
    "hello world",
    "naïve café, 日本語, العربية, 👨‍👩‍👧‍👦",
    "a" * 1000,
    "\r\n\t\u2028\0",
    "lone \ud800 surrogate",
    "<|endoftext|>",
)


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


def test_vocabulary_hash_and_pattern_are_those_of_tiktoken() -> None:
    source = inspect.getsource(openai_public.cl100k_base)
    assert tokens._SHA256 in source
    assert tokens._PATTERN in source


def test_the_vocabulary_is_found_without_importing_the_library_that_carries_it() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('network')\n"
        "socket.socket.connect = refuse\n"
        "from chunking import TiktokenCounter\n"
        "assert TiktokenCounter().count('hello world') == 2\n"
        "print('bpe_openai' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_importing_the_package_does_not_import_tiktoken() -> None:
    code = "import sys, chunking; print('tiktoken' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("content", [gzip.compress(b"aGVsbG8= 0\n", mtime=0), b"no gzip", b"", None])
def test_a_wrong_or_missing_vocabulary_is_not_used(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "__init__.py").touch()
    if content is not None:
        (tmp_path / "data" / "cl100k_base.tiktoken.gz").write_bytes(content)
    spec = importlib.util.spec_from_file_location(
        "bpe_openai", tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert tokens._installed_vocabulary() is None


def test_without_the_package_tiktoken_is_asked_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = tiktoken.Encoding("own", pat_str=r"\S+|\s+", mergeable_ranks={b"a": 0, b"b": 1}, special_tokens={})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: {"cl100k_base": own}[name])
    assert tokens._encoding.__wrapped__() is own


@pytest.mark.parametrize("error", [OSError("no route"), ValueError("Hash mismatch")])
def test_a_failed_download_is_an_error_that_names_the_remedy(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> tiktoken.Encoding:
        raise error

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(tiktoken, "get_encoding", fail)
    with pytest.raises(VocabularyUnavailable, match=r"bpe-openai.*TIKTOKEN_CACHE_DIR"):
        tokens._encoding.__wrapped__()


def test_the_installed_vocabulary_has_the_expected_hash() -> None:
    vocabulary = tokens._installed_vocabulary()
    assert vocabulary is not None
    assert hashlib.sha256(vocabulary).hexdigest() == tokens._SHA256
