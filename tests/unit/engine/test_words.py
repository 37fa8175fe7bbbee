"""The words of the text index: what is found under which name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.words import MAX_WORD_LENGTH, stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("os.path.join(a)", ["os.path.join", "os", "path", "join", "a"]),
        ("max_connections", ["max_connections", "max", "connection"]),
        ("QuerySet.filter", ["queryset.filter", "queryset", "filter", "query", "set"]),
        ("HTTPServer2", ["httpserver2", "http", "server2"]),
        ("sqlite3_open_v2()", ["sqlite3_open_v2", "sqlite3", "open", "v2"]),
        ("std::vector", ["std::vector", "std", "vector"]),
        ("__init__", ["__init__", "init"]),
        ("_", ["_"]),
        ("C++, C# and C.", ["c++", "c#", "and", "c"]),
        (".NET", [".net", "net"]),
        ("`-n`", ["-n", "n"]),
        ("x := y -> z", ["x", ":=", "y", "->", "z"]),
        ("URLs", ["url"]),
        ("well-known", ["well-known", "well", "known"]),
        ("3.11.4", ["3.11.4", "3.11"]),
        ("192.168.0.1:80", ["192.168.0.1", "192.168.0", "192.168", "80"]),
        ("don't, the user’s", ["don't", "don", "the", "user's", "user"]),
        ("l'index", ["l'index", "index"]),
    ],
)
def test_an_identifier_is_found_as_a_whole_and_by_its_parts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_an_option_is_found_with_and_without_its_dashes() -> None:
    option = words("git commit --no-verify")
    assert set(words("--no-verify")) <= set(option)
    assert set(words("no-verify")) <= set(option)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "straße"),
        ("file", "ﬁle"),
        ("Über", "U\u0308BER"),
        ("anybody", "any\u00adbody"),
        ("Python", "\uff30ython"),
    ],
)
def test_spellings_that_unicode_calls_the_same_are_the_same_word(one: str, other: str) -> None:
    assert words(one) == words(other)


def test_scripts_without_spaces_are_found_by_adjacent_characters() -> None:
    page = words("日本語のテスト")
    assert page == ["日本", "本語", "語の", "のテ", "テス", "スト"]
    assert set(words("日本語")) <= set(page)
    assert set(words("데이터베이스")) <= set(words("데이터베이스를"))
    assert words("Python入門") == ["python", "入門"]
    assert words("字") == ["字"]


def test_combining_marks_stay_in_their_word() -> None:
    assert words("हिन्दी العَرَبِيَّة") == ["हिन्दी", "العَرَبِيَّة"]


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("queries", "query"),
        ("indexes", "index"),
        ("classes", "class"),
        ("caches", "cache"),
        ("searches", "search"),
        ("sizes", "size"),
        ("tables", "table"),
        ("keys", "key"),
        ("ids", "id"),
    ],
)
def test_a_plural_and_its_singular_are_the_same_word(plural: str, singular: str) -> None:
    assert stem(plural) == stem(singular)


@pytest.mark.parametrize("word", ["class", "status", "os", "utf8s", "__all_names__", "été"])
def test_what_only_looks_like_a_plural_stays(word: str) -> None:
    assert stem(word) == word


def test_words_count_as_often_as_they_stand_in_the_text() -> None:
    assert words("index an index; indexes").count("index") == 3


def test_a_long_word_is_cut_and_still_told_from_another_with_the_same_head() -> None:
    one, other = words("x" * 5000), words("x" * 5001)
    assert max(map(len, words("1." * 5000))) == MAX_WORD_LENGTH
    assert [len(word) for word in one + other] == [MAX_WORD_LENGTH, MAX_WORD_LENGTH]
    assert one != other
    assert words("x" * MAX_WORD_LENGTH) == ["x" * MAX_WORD_LENGTH]


def test_a_text_without_words_has_none() -> None:
    assert words("") == words(" \n\x00 \ud800 — … ! ") == []


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_no_word_breaks_the_index_whatever_the_text(text: str) -> None:
    for word in words(text):
        assert 0 < len(word) <= MAX_WORD_LENGTH
        assert "\x00" not in word
        assert len(word.encode()) <= 4 * MAX_WORD_LENGTH
        assert not any(character.isspace() for character in word)


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_text_within_another_keeps_its_words(before: str, after: str) -> None:
    assert set(words("os.path.join")) <= set(words(f"{before} os.path.join {after}"))
