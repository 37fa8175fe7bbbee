"""From bytes of a text, which the parser tells, to characters of the source."""

import re
from bisect import bisect_right
from collections.abc import Iterator

__all__ = ["Places"]

_NOT_ASCII = re.compile(r"[^\0-\x7f]+")
_STRETCH = 128  # characters


class Places:
    """From bytes of a text to characters of the source, in which the text begins at `base`."""

    def __init__(self, text: str, base: int) -> None:
        self._base = base
        self._encoded = text.encode()
        # Of each run of what is not ASCII: its first byte, the byte after it, and the character there.
        self._firsts, self._lasts, self._characters = [0], [0], [0]
        for match in _not_ascii(text):
            first = self._lasts[-1] + match.start() - self._characters[-1]
            self._firsts.append(first)
            self._lasts.append(first + len(match[0].encode()))
            self._characters.append(match.end())
        self._firsts.append(len(self._encoded) + 1)
        self.near = (0, self._firsts[1], base)
        """The ASCII around the last place, as bytes from and to, and what to add: most next ones are there too."""

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Two places as characters; the second of them is near from then on."""
        return self._character(start), self._character(end)

    def _character(self, place: int) -> int:
        run = bisect_right(self._firsts, place) - 1
        low = self._lasts[run]
        shift = self._base + self._characters[run] - low
        self.near = (low, self._firsts[run + 1], shift)
        return place + shift if place >= low else low + shift - len(self._encoded[place:low].decode())


def _not_ascii(text: str) -> Iterator[re.Match[str]]:
    """The runs of what is not ASCII, looked for only where there are any."""
    for start in range(0, 0 if text.isascii() else len(text), _STRETCH):
        if not text[start : start + _STRETCH].isascii():
            yield from _NOT_ASCII.finditer(text, start, start + _STRETCH)
