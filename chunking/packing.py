"""Pieces into drafts of chunks: neighbours under one parent are joined up to the target.

The breadcrumb of a draft is true of all of it: the longest path that its sections share, where a heading that
only opens what follows it counts with what follows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from chunking.sections import Section
from chunking.splitting import Piece, Splitter

__all__ = ["Draft", "Packer", "Path"]

Path = tuple[str, ...]


@dataclass(slots=True)
class Draft:
    """Consecutive pieces that will be one chunk; the counts are estimates, a little over the exact ones."""

    pieces: list[Piece]
    path: Path
    text_tokens: int
    plain_tokens: int
    complete: bool = True  # all of a section, or the blocks before its first subsection

    @property
    def only_headings(self) -> bool:
        return all(piece.heading for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs the sections of one document. `crumb_tokens` says what the breadcrumb of a path takes."""

    splitter: Splitter
    min_size: int
    crumb_tokens: Callable[[Path], int]

    def drafts(self, section: Section) -> list[Draft]:
        """The drafts of a section and all below it, in order."""
        packed: list[Draft] = []
        pieces = self.splitter.pieces(section.blocks, self.crumb_tokens(section.path))
        for piece in pieces:
            self._append(packed, Draft([piece], section.path, piece.text_tokens, piece.plain_tokens))
        if len(packed) > 1:
            self._balance(packed[-2], packed[-1])
        for child in section.children:
            below = self.drafts(child)
            for draft in below:
                draft.complete = len(below) == 1
                self._append(packed, draft)
        return packed

    def _append(self, packed: list[Draft], draft: Draft) -> None:
        """Join the draft to the last one where it belongs and fits there, else put it after."""
        last = packed[-1] if packed else None
        if last is None or not self._belongs(last, draft) or not self._fits(last, draft):
            packed.append(draft)
            return
        text_tokens = self._text_tokens(last, draft)
        if text_tokens > self.splitter.max_size:
            packed.append(draft)
            return
        last.path = self._joined_path(last, draft)
        last.complete = draft.complete
        last.text_tokens = text_tokens
        last.plain_tokens += 1 + draft.plain_tokens
        last.pieces.extend(draft.pieces)

    def _belongs(self, last: Draft, draft: Draft) -> bool:
        if last.pieces[-1].suffix or draft.pieces[0].prefix:
            return False
        return last.only_headings or (last.complete and draft.complete) or self._opens(last, draft)

    def _opens(self, last: Draft, draft: Draft) -> bool:
        """Whether the last draft only leads to the new one: headings, or too little for a chunk of its own."""
        if draft.path[: len(last.path)] != last.path:
            return False
        return last.only_headings or last.plain_tokens < self.min_size

    def _balance(self, before: Draft, last: Draft) -> None:
        """Move blocks to the last draft of a section while it is too small, as long as the one before is not."""
        while last.plain_tokens < self.min_size and len(before.pieces) > 1:
            piece = before.pieces[-1]
            plain = piece.plain_tokens + 1 + last.plain_tokens
            left = before.plain_tokens - piece.plain_tokens - 1
            apart = piece.heading or piece.suffix or last.pieces[0].prefix
            if apart or left < self.min_size or plain + self.crumb_tokens(last.path) > self.splitter.target_size:
                return
            text = piece.text_tokens + 2 + last.text_tokens
            if text > self.splitter.max_size:
                return
            before.pieces.pop()
            before.plain_tokens = left
            last.pieces.insert(0, piece)
            last.plain_tokens, last.text_tokens = plain, text

    def _fits(self, last: Draft, draft: Draft) -> bool:
        plain = last.plain_tokens + 1 + draft.plain_tokens
        if plain > self.splitter.max_size:
            return False
        if last.only_headings:
            # The breadcrumb gives way rather than part a heading from its text.
            return True
        plain += self.crumb_tokens(self._joined_path(last, draft)) + 1
        small = min(last.plain_tokens, draft.plain_tokens) < self.min_size
        return plain <= (self.splitter.max_size if small else self.splitter.target_size)

    def _text_tokens(self, last: Draft, draft: Draft) -> int:
        """Tokens of both drafts as one text, a little over the exact number; pieces are counted once it matters."""
        gap = self._gap(last, draft)
        if last.text_tokens + gap + draft.text_tokens > self.splitter.max_size:
            for one in (last, draft):
                one.text_tokens += sum(map(self.splitter.count, one.pieces))
        return last.text_tokens + gap + draft.text_tokens

    def _gap(self, last: Draft, draft: Draft) -> int:
        """Tokens for the blank lines between two drafts: few, unless somebody put thousands there."""
        start, end = last.pieces[-1].end, draft.pieces[0].start
        if end - start <= 8:
            return 1
        return 1 + self.splitter.counter.count(self.splitter.parsed.source[start:end])

    def _joined_path(self, last: Draft, draft: Draft) -> Path:
        return draft.path if self._opens(last, draft) else _common_path(last.path, draft.path)


def _common_path(one: Path, other: Path) -> Path:
    if one == other:
        return one
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(heading for heading, _ in shared)
