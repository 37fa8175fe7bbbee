"""Which lines of a hit a person is shown."""

from syncs.cli.excerpt import SHOWN_CHARACTERS, excerpt

LINES = [f"Line {number} is about nothing in particular." for number in range(20)]


def test_a_short_text_is_shown_whole_without_blank_lines() -> None:
    assert excerpt("# Tokens\n\nA token is kept.\n", "token") == "# Tokens\nA token is kept."


def test_the_shown_lines_are_those_that_hold_the_words_of_the_query() -> None:
    text = "\n\n".join([*LINES, "Exit code 2 means wrong input.", *LINES])
    shown = excerpt(text, "what does exit code 2 mean")
    assert "Exit code 2 means wrong input." in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")


def test_without_any_word_of_the_query_the_text_is_shown_from_its_start() -> None:
    assert excerpt("\n".join(LINES), "zeppelin").startswith(LINES[0])


def test_a_longer_word_decides_over_a_short_one() -> None:
    text = "\n".join(["It is so.", *LINES, "A checkpoint moves pages.", *LINES])
    assert "checkpoint" in excerpt(text, "is it a checkpoint")


def test_what_is_shown_is_bounded_and_an_empty_text_gives_nothing() -> None:
    assert len(excerpt("word " * 1000, "word")) <= SHOWN_CHARACTERS + 4
    assert excerpt("", "word") == ""
