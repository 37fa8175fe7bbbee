"""Old and new records of a page are paired by content, then by order."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.alignment import align

CASES: Sequence[tuple[str, str, list[tuple[int, int]], list[int], list[int]]] = [
    ("", "", [], [], []),
    ("abc", "abc", [(0, 0), (1, 1), (2, 2)], [], []),
    ("ab", "xab", [(0, 1), (1, 2)], [], [0]),
    ("abc", "axc", [(0, 0), (2, 2), (1, 1)], [], []),
    ("abc", "c", [(2, 0)], [0, 1], []),
    ("aab", "ab", [(0, 0), (2, 1)], [1], []),
    ("ab", "ba", [(1, 0), (0, 1)], [], []),
    ("ab", "xyz", [(0, 0), (1, 1)], [], [2]),
]


@pytest.mark.parametrize(("old", "new", "pairs", "gone", "fresh"), CASES)
def test_equal_contents_pair_in_order_and_what_is_left_pairs_in_order_too(
    old: str, new: str, pairs: list[tuple[int, int]], gone: list[int], fresh: list[int]
) -> None:
    assert align(old, new) == (pairs, gone, fresh)


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_every_position_is_used_once_and_no_equal_content_is_left_unpaired(old: str, new: str) -> None:
    pairs, gone, fresh = align(old, new)
    assert sorted([before for before, _ in pairs] + gone) == list(range(len(old)))
    assert sorted([after for _, after in pairs] + fresh) == list(range(len(new)))
    assert not (gone and fresh)
    for content in "abc":
        kept = sum(old[before] == new[after] == content for before, after in pairs)
        assert kept == min(old.count(content), new.count(content))
