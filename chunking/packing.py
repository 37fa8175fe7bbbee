"""Pieces into drafts of chunks: neighbours under one parent are joined up to the target.

The breadcrumb of a draft is true of all of it: the longest path that its sections share, where a heading that
only opens what follows it counts with what follows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from chunking.sections import Section
from chunking.splitting import Piece, Splitter

__all__ = ["Draft", "Packer", "Path"]

Path = tuple[str, ...]

_NARROW = 8  # characters between two drafts that are reckoned as one token
_SURELY_ENOUGH = 8  # times the smallest size: what may be that much is not counted to see whether it is enough


@dataclass(slots=True)
class Draft:
    """Consecutive pieces that will be one chunk; the counts are a little over the exact ones, or far over until
    the pieces not counted yet are.
    """

    pieces: list[Piece]
    path: Path
    text_tokens: int
    plain_tokens: int
    only_headings: bool
    complete: bool = True  # all of a section, or the blocks before its first subsection
    no_text_counted: list[Piece] = field(default_factory=list)
    no_plain_counted: list[Piece] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs the sections of one document. `crumb_tokens` says what the breadcrumb of a path takes."""

    splitter: Splitter
    min_size: int
    crumb_tokens: Callable[[Path], int]

    def drafts(self, section: Section) -> list[Draft]:
        """The drafts of a section and all below it, in order."""
        packed: list[Draft] = []
        path = section.path
        for piece in self.splitter.pieces(section.blocks, lambda: self.crumb_tokens(path)):
            if not (packed and self._take(packed[-1], piece)):
                self._append(packed, _draft(piece, path))
        if len(packed) > 1:
            self._balance(packed[-2], packed[-1])
        for child in section.children:
            below = self.drafts(child)
            for draft in below:
                draft.complete = len(below) == 1
                self._append(packed, draft)
        return packed

    def _take(self, draft: Draft, piece: Piece) -> bool:
        """Add a piece to a draft of its own section where they fit by the most that both can have."""
        before, cap = draft.pieces[-1], self.splitter.max_size
        text = draft.text_tokens + 1 + piece.text_tokens
        plain = draft.plain_tokens + 1 + piece.plain_tokens
        apart = before.suffix or piece.prefix or piece.start - before.end > _NARROW
        if apart or text > cap or plain + 1 + cap // 4 > self.splitter.target_size:
            return False
        draft.pieces.append(piece)
        draft.text_tokens, draft.plain_tokens = text, plain
        draft.only_headings = draft.only_headings and piece.heading
        if not piece.text_counted:
            draft.no_text_counted.append(piece)
        if not piece.plain_counted:
            draft.no_plain_counted.append(piece)
        return True

    def _append(self, packed: list[Draft], draft: Draft) -> None:
        """Join the draft to the last one where it belongs and fits there, else put it after."""
        last = packed[-1] if packed else None
        if last is None or not self._belongs(last, draft):
            packed.append(draft)
            return
        gap = self._gap(last, draft)
        if not self._text_fits(last, draft, gap) or not self._plain_fits(last, draft):
            packed.append(draft)
            return
        last.path = self._joined_path(last, draft)
        last.complete = draft.complete
        last.only_headings = last.only_headings and draft.only_headings
        last.text_tokens += gap + draft.text_tokens
        last.plain_tokens += 1 + draft.plain_tokens
        last.pieces += draft.pieces
        last.no_text_counted += draft.no_text_counted
        last.no_plain_counted += draft.no_plain_counted

    def _count_text(self, draft: Draft) -> None:
        """Count the texts of all pieces; what is counted bounds the plain texts too."""
        for piece in draft.no_text_counted:
            text, plain = piece.text_tokens, piece.plain_tokens
            self.splitter.count_text(piece)
            draft.text_tokens += piece.text_tokens - text
            draft.plain_tokens += piece.plain_tokens - plain
        draft.no_text_counted = []

    def _count_plain(self, draft: Draft) -> None:
        for piece in draft.no_plain_counted:
            plain = piece.plain_tokens
            self.splitter.count_plain(piece)
            draft.plain_tokens += piece.plain_tokens - plain
        draft.no_plain_counted = []

    def _small(self, draft: Draft) -> bool:
        """Whether a draft is too little for a chunk of its own."""
        if self.min_size <= draft.plain_tokens < _SURELY_ENOUGH * self.min_size:
            self._count_plain(draft)
        return draft.plain_tokens < self.min_size

    def _belongs(self, last: Draft, draft: Draft) -> bool:
        if last.pieces[-1].suffix or draft.pieces[0].prefix:
            return False
        return last.only_headings or (last.complete and draft.complete) or self._opens(last, draft)

    def _opens(self, last: Draft, draft: Draft) -> bool:
        """Whether the last draft only leads to the new one: headings, or too little for a chunk of its own."""
        if draft.path[: len(last.path)] != last.path:
            return False
        return last.only_headings or self._small(last)

    def _balance(self, before: Draft, last: Draft) -> None:
        """Move blocks to the last draft of a section while it is too small, as long as the one before is not."""
        while self._small(last) and len(before.pieces) > 1:
            piece = before.pieces[-1]
            for draft in (before, last):
                self._count_text(draft)
                self._count_plain(draft)
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

    def _text_fits(self, last: Draft, draft: Draft, gap: int) -> bool:
        room = self.splitter.max_size - gap
        for one in (last, draft):
            if last.text_tokens + draft.text_tokens <= room:
                return True
            self._count_text(one)
        return last.text_tokens + draft.text_tokens <= room

    def _plain_fits(self, last: Draft, draft: Draft) -> bool:
        cap, target = self.splitter.max_size, self.splitter.target_size
        if last.only_headings:  # the breadcrumb gives way rather than part a heading from its text
            return self._plain_within(last, draft, cap)
        if last.plain_tokens + draft.plain_tokens + 2 + cap // 4 <= target:
            return True  # whatever the breadcrumb is
        crumb = 1 + self.crumb_tokens(self._joined_path(last, draft))
        if self._plain_within(last, draft, target - crumb):
            return True
        return self._plain_within(last, draft, cap - crumb) and (self._small(last) or self._small(draft))

    def _plain_within(self, last: Draft, draft: Draft, room: int) -> bool:
        """Whether both have at most that many plain tokens; they are counted where that is not known."""
        for one in (last, draft):
            if last.plain_tokens + 1 + draft.plain_tokens <= room:
                return True
            self._count_plain(one)
        return last.plain_tokens + 1 + draft.plain_tokens <= room

    def _gap(self, last: Draft, draft: Draft) -> int:
        """Tokens for the blank lines between two drafts: few, unless somebody put thousands there."""
        start, end = last.pieces[-1].end, draft.pieces[0].start
        if end - start <= _NARROW:
            return 1
        return 1 + self.splitter.counter.count(self.splitter.parsed.source[start:end])

    def _joined_path(self, last: Draft, draft: Draft) -> Path:
        if last.path == draft.path:
            return last.path
        return draft.path if self._opens(last, draft) else _common_path(last.path, draft.path)


def _draft(piece: Piece, path: Path) -> Draft:
    return Draft(
        [piece], path, piece.text_tokens, piece.plain_tokens, piece.heading,
        no_text_counted=[] if piece.text_counted else [piece],
        no_plain_counted=[] if piece.plain_counted else [piece],
    )  # fmt: skip


def _common_path(one: Path, other: Path) -> Path:
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    return one[:shared]
