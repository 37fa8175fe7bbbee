"""Where a run of text is cut: the best boundary in reach, every character in a window."""

import pytest

from chunking.windows import CODE_BREAKS, ROW_BREAKS, TEXT_BREAKS, Break, Fits, longest_start, windows


def up_to(length: int) -> Fits:
    return lambda start, end: end - start <= length


def cut(source: str, room: int, breaks: tuple[Break, ...], cap: int | None = None) -> list[str]:
    spans = windows(source, (0, len(source)), up_to(room), up_to(cap or room), breaks)
    return [source[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("source", "room", "expected"),
    [
        ("One two. Three four five. Six.", 26, ["One two. Three four five.", "Six."]),
        ("one two three four", 9, ["one two", "three", "four"]),
        ("first para.\n\nsecond one here.", 20, ["first para.", "second one here."]),
        ("今日は。明日も。昨日と", 5, ["今日は。", "明日も。", "昨日と"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("  lead and   gap  ", 8, ["  lead", "and", "gap"]),
        ("a\r\nb", 2, ["a", "b"]),
    ],
)
def test_text_is_cut_at_paragraphs_then_sentences_then_words(source: str, room: int, expected: list[str]) -> None:
    assert cut(source, room, tuple(TEXT_BREAKS)) == expected


def test_code_is_cut_at_lines_and_keeps_its_indentation() -> None:
    source = "def f():\n    return 1\n\ndef g():\n    return 2\n"
    assert cut(source, 30, tuple(CODE_BREAKS)) == ["def f():\n    return 1", "def g():\n    return 2"]
    assert cut(source, 16, tuple(CODE_BREAKS))[1] == "    return 1"


def test_endless_indentation_makes_no_empty_window() -> None:
    source = "a\n" + " " * 500 + "b\n" + " " * 500
    assert cut(source, 10, tuple(CODE_BREAKS)) == ["a", "b"]


def test_a_line_over_the_aim_but_under_the_cap_is_not_cut() -> None:
    source = "short\n" + "x" * 30 + "\nshort\n"
    assert cut(source, 10, tuple(CODE_BREAKS), cap=40) == ["short", "x" * 30, "short"]
    assert cut(source, 10, tuple(ROW_BREAKS), cap=20)[1] == "x" * 10


def test_a_row_that_must_be_cut_is_cut_between_cells() -> None:
    assert cut("| aaa bbb | ccc ddd |", 14, tuple(ROW_BREAKS)) == ["| aaa bbb |", "ccc ddd |"]


@pytest.mark.parametrize("grapheme", ["👨‍👩‍👧‍👦", "e\u0301\u0302", "🇫🇷", "\r\n", "नि"])
def test_a_grapheme_is_cut_only_where_it_alone_is_too_long(grapheme: str) -> None:
    source = grapheme * 9
    for part in cut(source, len(grapheme) + 1, ()):
        assert part.strip() == part
        assert len(part) % len(grapheme) == 0
    assert "".join(cut("a\u0301\u0302\u0303\u0304", 2, ())) == "a\u0301\u0302\u0303\u0304"


def test_the_first_window_keeps_its_opening_with_what_follows() -> None:
    source = "head\nbody body body\n"
    spans = list(windows(source, (0, len(source)), up_to(12), up_to(12), tuple(ROW_BREAKS), whole=5))
    assert source[spans[0][0] : spans[0][1]] == "head\nbody"


def test_a_character_that_does_not_fit_is_a_window_all_the_same() -> None:
    assert cut("abc", 0, ()) == ["a", "b", "c"]


@pytest.mark.parametrize("guess", [1, 10, 1000, 100_000])
@pytest.mark.parametrize("limit", [1, 7, 999, 5000])
def test_the_longest_start_is_known_to_a_sixteenth_from_any_guess(guess: int, limit: int) -> None:
    probes: list[int] = []

    def fits(start: int, end: int) -> bool:
        probes.append(end - start)
        return end - start <= limit

    found = longest_start(0, 4000, fits, guess)
    assert min(limit, 4000) * 15 // 16 <= found <= min(limit, 4000)
    assert len(probes) < 40


def test_a_good_guess_takes_few_probes() -> None:
    probes: list[int] = []

    def fits(start: int, end: int) -> bool:
        probes.append(end)
        return end - start <= 1000

    longest_start(0, 100_000, fits, guess=990)
    assert len(probes) <= 4


def test_what_is_handed_out_fits_also_where_a_shorter_text_counts_for_more() -> None:
    source = "abc def ghijklmn opq"

    def fits(start: int, end: int) -> bool:
        return end - start <= 10 and end - start != 7

    spans = list(windows(source, (0, len(source)), fits, fits, tuple(TEXT_BREAKS)))
    assert all(fits(start, end) for start, end in spans)
    assert "".join(source[start:end] for start, end in spans).replace(" ", "") == source.replace(" ", "")
