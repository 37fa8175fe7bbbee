"""The json strategy: parts of a document, each with the keys that lead to it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import ClassVar

from chunking.breadcrumb import heading_label, under
from chunking.errors import InvalidDocument, InvalidOption
from chunking.models import Chunk, Kind, Source
from chunking.strategy import Strategy
from chunking.tokens import TokenCounter
from chunking.windows import TEXT_BREAKS, windows

__all__ = ["JSON_CUT", "JsonStrategy"]

JSON_CUT = "json_cut"
"""Metadata key, True on a chunk whose keys alone are too long to be repeated: a piece of the text, not valid JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonStrategy(Strategy):
    """Packs neighbouring values up to the target; each chunk is JSON with the keys from the outermost one down.

    A list that is cut becomes an object with the items' numbers as keys. A string over the cap is cut as prose, each
    part under its keys. Numbers stay as they are written, and a key that is there twice stays so. The text is no
    slice of the document, so the span is (0, 0).
    """

    reads: ClassVar[frozenset[Kind]] = frozenset({"json"})

    target_size: int | None = None
    ensure_ascii: bool = False

    def __post_init__(self) -> None:
        Strategy.__post_init__(self)
        if self.target_size is not None and not 1 <= self.target_size <= self.max_size:
            raise InvalidOption(f"target_size is {self.target_size}; it must be from 1 to max_size ({self.max_size}).")

    def chunks(self, source: Source) -> list[Chunk]:
        if not source.text.strip():
            return []
        try:
            root = _read(source.text, self.ensure_ascii)
            writer = _Writer(self, source.title, self.counting())
            writer.measure(root)
            found = [chunk for group in writer.groups(root) for chunk in writer.written(group)]
        except json.JSONDecodeError as error:
            raise InvalidDocument(f"The text is no JSON: {error}.") from error
        except RecursionError as error:
            raise InvalidDocument("The JSON is nested too deeply to be read.") from error
        return [
            replace(chunk, position=position, metadata={**source.metadata, **chunk.metadata})
            for position, chunk in enumerate(found)
        ]


@dataclass(slots=True, eq=False)
class _Node:
    """A value, and how it is written in its parent."""

    key: str = ""
    label: str = ""  # the key as it is written; empty for the root and for an item of a list
    literal: str = ""  # of a scalar
    value: str | None = None  # of a string
    children: list["_Node"] = field(default_factory=list)
    marks: str = ""  # brackets of an object or list
    parent: "_Node | None" = None
    tokens: int = 0

    def text(self) -> str:
        inside = ", ".join(child.text() for child in self.children)
        return f"{self.label}{self.literal or self.marks[0] + inside + self.marks[1]}"

    def above(self) -> list["_Node"]:
        """The containers around it, outermost first."""
        chain, node = [], self.parent
        while node is not None:
            chain.append(node)
            node = node.parent
        return chain[::-1]


class _Literal(str):
    """A number as it is written."""


class _Pairs(list[tuple[str, object]]):
    """The members of an object, in order and with repeated keys."""


@dataclass(frozen=True, slots=True)
class _Writer:
    strategy: JsonStrategy
    title: str
    counter: TokenCounter

    def measure(self, node: _Node) -> int:
        """About the tokens of a value: what is inside is counted once."""
        own = f"{node.label}{node.literal or node.marks}"
        node.tokens = self.counter.count(own) + sum(1 + self.measure(child) for child in node.children)
        return node.tokens

    def groups(self, root: _Node) -> Iterator[list[_Node]]:
        """Neighbouring values that are about the target together, the keys above them counted."""
        target = self.strategy.target_size or self.strategy.max_size
        group: list[_Node] = []
        total = 0
        for node in self._parts(root, target, 0):
            apart = node.above() if not group or node.parent is not group[-1].parent else []
            need = node.tokens + 1 + sum(3 + self.counter.count(step.label) for step in apart)
            if group and total + need > target:
                yield group
                group, total = [], 0
                need = node.tokens + sum(3 + self.counter.count(step.label) for step in node.above())
            group.append(node)
            total += need
        if group:
            yield group

    def _parts(self, node: _Node, target: int, above: int) -> Iterator[_Node]:
        """The largest values under the target; a list that is cut has its items numbered."""
        frame = above + 3 + self.counter.count(node.label)
        if not node.children or node.tokens + above <= target:
            yield node
            return
        for number, child in enumerate(node.children):
            if node.marks == "[]":
                child.key, child.label = str(number), f'"{number}": '
                child.tokens += 3
            yield from self._parts(child, target, frame)

    def written(self, group: Sequence[_Node]) -> Iterator[Chunk]:
        """The group as one chunk, or as several where its exact count is over the cap."""
        path = _path(group)
        text = _joined(group)
        if self._size(path, text) <= self.strategy.max_size:
            yield self._chunk(path, text)
        elif len(group) > 1:
            middle = len(group) // 2
            yield from self.written(group[:middle])
            yield from self.written(group[middle:])
        elif group[0].children:
            for number, child in enumerate(group[0].children):
                if group[0].marks == "[]":
                    child.key, child.label = str(number), f'"{number}": '
            yield from self.written(group[0].children)
        else:
            yield from self._cut(path, group[0], text)

    def _cut(self, path: tuple[str, ...], node: _Node, text: str) -> Iterator[Chunk]:
        """A string in parts under its keys; where those are too long, the text in pieces as it stands."""
        frame = self._size(path, _joined([replace(node, literal='""', value="")]))
        if node.value is None or frame > self.strategy.max_size * 3 // 4:
            for start, end in self._windows(text, lambda part: self._size((), part)):
                yield self._chunk((), text[start:end], {JSON_CUT: True})
            return

        def part(piece: str) -> str:
            return _joined([replace(node, literal=json.dumps(piece, ensure_ascii=self.strategy.ensure_ascii))])

        for start, end in self._windows(node.value, lambda piece: self._size(path, part(piece))):
            yield self._chunk(path, part(node.value[start:end]))

    def _windows(self, text: str, size: Callable[[str], int]) -> Iterator[tuple[int, int]]:
        def fits(start: int, end: int) -> bool:
            return size(text[start:end]) <= self.strategy.max_size

        return windows(text, (0, len(text)), fits, fits, TEXT_BREAKS)

    def _crumb(self, path: tuple[str, ...]) -> str:
        return self.strategy.crumb(self.title, path, self.counter)

    def _size(self, path: tuple[str, ...], text: str) -> int:
        return max(self.counter.count(text), self.counter.count(under(self._crumb(path), text)))

    def _chunk(self, path: tuple[str, ...], text: str, flags: dict[str, object] | None = None) -> Chunk:
        embed_text = under(self._crumb(path), text)
        return Chunk(text, embed_text, self.counter.count(embed_text), path, metadata=flags or {})


def _read(text: str, ensure_ascii: bool) -> _Node:
    value = json.loads(
        text, object_pairs_hook=_Pairs, parse_int=_Literal, parse_float=_Literal, parse_constant=_Literal
    )
    return _node(value, "", "", None, ensure_ascii)


def _node(value: object, key: str, label: str, parent: _Node | None, ensure_ascii: bool) -> _Node:
    node = _Node(key, label, parent=parent)
    if isinstance(value, _Pairs):
        node.marks = "{}"
        for name, inner in value:
            written = f"{json.dumps(name, ensure_ascii=ensure_ascii)}: "
            node.children.append(_node(inner, name, written, node, ensure_ascii))
    elif isinstance(value, list):
        node.marks = "[]"
        node.children = [_node(inner, "", "", node, ensure_ascii) for inner in value]
    elif isinstance(value, _Literal):
        node.literal = value
    else:
        node.literal = json.dumps(value, ensure_ascii=ensure_ascii)
        node.value = value if isinstance(value, str) else None
    return node


def _joined(group: Sequence[_Node]) -> str:
    """Values as one JSON text with all the keys above them."""
    parts: list[str] = []
    opened: list[_Node] = []
    for node in group:
        chain = node.above()
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(opened, chain, strict=False)))
        parts.append("}" * (len(opened) - shared))
        parts.append(", " if opened else "")
        parts += [f"{step.label}{{" for step in chain[shared:]]
        parts.append(node.text())
        opened = chain
    return "".join([*parts, "}" * len(opened)])


def _path(group: Sequence[_Node]) -> tuple[str, ...]:
    """The keys that all values of the group stand under, and its own where it is only one."""
    chains = [[*node.above(), node] for node in (group[0], group[-1])]
    shared = takewhile(lambda pair: pair[0] is pair[1], zip(*chains, strict=False))
    return tuple(heading_label(step.key) for step, _ in shared if step.key)
