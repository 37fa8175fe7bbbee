"""BM25 as a weighted bag of words for a record and inverse document frequencies for a query."""

import math

import pytest

from engine.bm25 import DIMENSIONS, K1, TYPICAL_LENGTH, B, query_weights, record_weights, term_id


def saturated(count: float, length: float) -> float:
    return count * (K1 + 1) / (count + K1 * (1 - B + B * length / TYPICAL_LENGTH))


def test_a_record_holds_the_saturated_frequency_of_each_word() -> None:
    weights = record_weights("zeppelin zeppelin balloon", [])
    assert weights == pytest.approx({"zeppelin": saturated(2, 3), "balloon": saturated(1, 3)})


def test_words_of_the_headings_count_more_and_those_of_the_last_one_most() -> None:
    weights = record_weights("balloon kite glider", ["Balloon", "Kite"])
    length = 3 + 1 + 1 + 2
    assert weights["balloon"] == pytest.approx(saturated(2, length))
    assert weights["kite"] == pytest.approx(saturated(4, length))
    assert weights["kite"] > weights["balloon"] > weights["glider"]


def test_words_of_what_the_text_defines_count_as_those_of_the_last_heading() -> None:
    weights = record_weights("balloon kite", ["Kite"], ["balloon(size)"])
    length = 2 + 1 + 2 + 2 + 2
    assert weights["balloon"] == pytest.approx(saturated(3, length))
    assert weights["kite"] == pytest.approx(saturated(4, length))


def test_a_repeated_word_saturates_and_a_longer_text_weighs_less() -> None:
    one, ten, hundred = (record_weights("kite " * count, [])["kite"] for count in (1, 10, 100))
    assert one < ten < K1 + 1
    assert hundred - ten < ten - one
    assert record_weights("kite " + "other " * 500, [])["kite"] < one


def test_a_text_without_words_has_no_weights() -> None:
    assert record_weights("", []) == {}
    assert record_weights(" \n\t", [" "]) == {}


def test_a_rare_word_weighs_more_than_a_common_one_and_none_less_than_zero() -> None:
    weights = query_weights("rare common everywhere rare", {"rare": 2, "common": 50, "everywhere": 100}, 100)
    assert weights["rare"] == pytest.approx(math.log(1 + 98.5 / 2.5))
    assert weights["rare"] > weights["common"] > weights["everywhere"] > 0


def test_a_word_that_the_statistics_do_not_know_counts_as_held_by_one_record() -> None:
    assert query_weights("new", {}, 100) == query_weights("new", {"new": 1}, 100)


@pytest.mark.parametrize("records", [0, 1])
def test_statistics_that_lag_behind_give_weights_above_zero(records: int) -> None:
    assert query_weights("kite", {"kite": 40}, records)["kite"] > 0


def test_a_word_has_the_same_place_everywhere() -> None:
    assert term_id("zeppelin") == 282_997_445
    assert all(0 <= term_id(word) < DIMENSIONS for word in ("", "a", "os.path.join", "\u00e9"))
