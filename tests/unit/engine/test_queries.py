"""The SQL files: every statement has a name and a user, migrations are numbered without a hole."""

import re
from importlib import resources
from pathlib import Path

import pytest

import engine
from engine.queries import migrations, query, quote_lexeme

SOURCES = sorted(Path(engine.__file__).parent.glob("*.py"))


def names() -> list[str]:
    folder = resources.files("engine").joinpath("sql")
    texts = [file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".sql")]
    return [name for text in texts for name in re.findall(r"^-- name: (.*)$", text, re.MULTILINE)]


def test_every_statement_has_a_name_of_its_own_and_is_used() -> None:
    code = "".join(source.read_text("utf-8") for source in SOURCES)
    assert len(names()) == len(set(names())) > 20
    assert [name for name in names() if f'"{name}"' not in code] == []


def test_a_statement_is_found_by_name_and_ends_before_the_next() -> None:
    assert query("corpus_records").strip() == "SELECT records FROM syncline.corpus;"
    assert all("-- name:" not in query(name) for name in names())
    with pytest.raises(KeyError):
        query("no_such_statement")


def test_migrations_are_numbered_from_one_without_a_hole() -> None:
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.promise("E4")
def test_no_statement_is_put_together_from_values() -> None:
    texts = [query(name) for name in names()]
    placeholders = [found for text in texts for found in re.findall(r"%.", text)]
    assert set(placeholders) == {"%("}
    # But for the table of an embedding space, which psycopg quotes as an identifier: it is named by a number.
    assert not [text for text in texts if "{" in text.replace("'{}'", "").replace("{vectors}", "")]


@pytest.mark.parametrize(
    ("word", "quoted"), [("kite", "'kite'"), ("it's", "'it''s'"), ("a\\b", "'a\\\\b'"), (":*", "':*'")]
)
def test_a_word_is_quoted_whatever_signs_it_holds(word: str, quoted: str) -> None:
    assert quote_lexeme(word) == quoted
