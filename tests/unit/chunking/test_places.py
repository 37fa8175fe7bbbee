"""From bytes to characters: exact at any place, in any order."""

import pytest

from chunking.places import Places

TEXTS = ("", "plain", "é", "aéb", "漢字 and 😀", "a" * 300 + "é" + "b" * 300 + "漢" * 200 + "\u2028c")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("base", [0, 7])
@pytest.mark.parametrize("step", [1, -1, 17])
def test_a_byte_is_at_its_character_whatever_was_asked_before(text: str, base: int, step: int) -> None:
    starts = [len(text[:index].encode()) for index in range(len(text) + 1)]
    places = Places(text, base)
    for index in sorted(range(len(starts)), key=lambda index: index * step % (len(starts) + 1)):
        last = len(starts) - 1
        assert places.characters(starts[index], starts[last]) == (base + index, base + last)
        assert places.characters(starts[0], starts[index]) == (base, base + index)
        low, high, shift = places.near
        assert not low <= starts[index] <= high or starts[index] + shift == base + index


def test_what_is_near_holds_the_ascii_around_the_last_place() -> None:
    places = Places("ab é cd é", 0)
    assert places.near == (0, 3, 0)
    assert places.characters(0, 6) == (0, 5)
    assert places.near == (5, 9, -1)
