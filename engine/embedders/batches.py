"""How texts travel to a provider: those over the model's window in parts, all of them in bounded requests."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Window", "count_bytes", "count_parts", "into_batches", "into_windows"]


@dataclass(frozen=True, slots=True)
class Window:
    """A text, or a part of one: `text_index` is the text's place among those given, `weight` its bytes."""

    text_index: int
    content: str
    weight: int


def count_bytes(text: str) -> int:
    """The UTF-8 bytes of a text: a byte-level tokenizer, such as OpenAI's, never makes more tokens of it."""
    return len(text.encode("utf-8", "replace"))


def into_windows(text: str, text_index: int, fits: Callable[[str], bool]) -> Iterator[Window]:
    """The text whole if it fits, else in halves, cut at white space where there is any, until all fit.

    Blank parts are left out, so a blank text has none.
    """
    if fits(text) or len(text) < 2:
        if text.strip():
            yield Window(text_index, text, count_bytes(text))
        return
    middle = len(text) // 2
    cut = next((at for at in range(middle, 0, -1) if text[at].isspace()), middle)
    yield from into_windows(text[:cut], text_index, fits)
    yield from into_windows(text[cut:], text_index, fits)


def count_parts(windows: Iterable[Window]) -> int:
    """How many texts have more than one window."""
    parts = Counter(window.text_index for window in windows)
    return sum(count > 1 for count in parts.values())


def into_batches(windows: Sequence[Window], max_items: int, max_bytes: float) -> list[list[Window]]:
    """Consecutive windows in batches within both bounds; one that is over the bytes alone travels alone."""
    batches: list[list[Window]] = []
    room = 0.0
    for window in windows:
        size = count_bytes(window.content)
        if not batches or len(batches[-1]) == max_items or size > room:
            batches.append([])
            room = max_bytes
        batches[-1].append(window)
        room -= size
    return batches
