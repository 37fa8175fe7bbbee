"""A page's elements as markdownify's rules see them: small objects, read out of Lexbor's tree in one pass (pure).

markdownify's methods were written for BeautifulSoup's `Tag`, and ask an element for little: its name, attributes,
parent, siblings, and some of what is inside. An `Element` answers that much, and no more.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias, Union

from selectolax.lexbor import LexborNode

__all__ = ["Child", "Element", "Names", "Shortcut", "Tree", "next_content", "read_tree"]

Child: TypeAlias = Union["Element", str]
"""What an element holds: elements, and text as plain strings."""

Names: TypeAlias = str | Sequence[str] | bool
"""One name, several, or True for every one."""

_TEXT = "-text"  # selectolax's name for text
_DOCUMENT = "[document]"  # BeautifulSoup's name for what is above the outermost element
_DEEPEST = 1_000  # elements inside of each other: every rule copies the text of what is inside it
_DEEPEST_INDENT = 50  # lists and quotes inside of each other: each indents every line of what is inside it
_LISTS = frozenset({"ul", "ol", "menu", "dir", "blockquote"})
_INDENTED = _LISTS | {"li"}
_ROWS = frozenset({"table", "thead", "tbody", "tfoot", "tr"})  # they hold no text
_NO_SHORTCUTS: Mapping[str, "Shortcut"] = MappingProxyType({})


class Element:
    """One element. `children` are elements and strings; two strings never stand side by side.

    `place` is its number among its parent's children, once the walk has come to it.
    """

    __slots__ = ("attrs", "children", "name", "parent", "place", "preceding")

    def __init__(
        self,
        name: str,
        attrs: dict[str, str] | None = None,
        parent: "Element | None" = None,
        children: list[Child] | None = None,
    ) -> None:
        self.name = name
        self.attrs = attrs if attrs is not None else {}
        self.parent = parent
        self.children = children if children is not None else []
        self.place = 0
        self.preceding: tuple[str, int] | None = None
        """A name, and how many elements of it come before this one in its parent: what was asked last."""

    def __repr__(self) -> str:
        return f"<{self.name} {self.attrs}>"

    @property
    def classes(self) -> list[str]:
        """The words of the attribute `class`."""
        written = self.attrs.get("class")
        return written.split() if written else []

    def get(self, name: str, default: str | None = None) -> "str | list[str] | None":
        """An attribute; `class` as a list of words, as BeautifulSoup has it."""
        if name == "class" and "class" in self.attrs:
            return self.classes
        return self.attrs.get(name, default)

    def __getitem__(self, name: str) -> "str | list[str]":
        return self.classes if name == "class" else self.attrs[name]

    def has_attr(self, name: str) -> bool:
        """True where the attribute is written, be it empty."""
        return name in self.attrs

    @property
    def next_sibling(self) -> Child | None:
        """What comes after it in its parent."""
        siblings = self.parent.children if self.parent is not None else []
        return siblings[self.place + 1] if self.place + 1 < len(siblings) else None

    @property
    def previous_sibling(self) -> Child | None:
        """What comes before it in its parent."""
        return self.parent.children[self.place - 1] if self.parent is not None and self.place else None

    def find_previous_sibling(self) -> "Element | None":
        """The nearest element before it in its parent."""
        siblings = self.parent.children if self.parent is not None else []
        before = (siblings[place] for place in range(self.place - 1, -1, -1))
        return next((child for child in before if isinstance(child, Element)), None)

    def find_previous_siblings(self, name: str) -> Sequence[object]:
        """As many things as there are elements of that name before it: what markdownify numbers a list by.

        Each element asks the one before it, so that a list of 100,000 items is counted once.
        """
        if self.preceding is None or self.preceding[0] != name:
            count = 0
            siblings = self.parent.children if self.parent is not None else []
            for place in range(self.place - 1, -1, -1):
                child = siblings[place]
                if isinstance(child, Element):
                    count += child.name == name
                    if child.preceding is not None and child.preceding[0] == name:
                        count += child.preceding[1]
                        break
            self.preceding = (name, count)
        return range(self.preceding[1])

    def find_all(self, name: Names = True, attrs: Mapping[str, object] | None = None) -> "list[Element]":
        """The elements inside it of that name (True: of any) that have these attributes, in order."""
        return [element for element in self.inside(name) if all(key in element.attrs for key in attrs or ())]

    def find(self, name: Names = True) -> "Element | None":
        """The first of them."""
        return next(self.inside(name), None)

    def inside(self, name: Names = True) -> "Iterator[Element]":
        """The elements inside it of that name, in order, as they are met."""
        wanted = {name} if isinstance(name, str) else name
        stack = [iter(self.children)]
        while stack:
            for child in stack[-1]:
                if isinstance(child, Element):
                    if isinstance(wanted, bool) or child.name in wanted:
                        yield child
                    stack.append(iter(child.children))
                    break
            else:
                stack.pop()

    def elements(self) -> "list[Element]":
        """The elements among its children."""
        return [child for child in self.children if isinstance(child, Element)]

    def first_element(self) -> "Element | None":
        """The first of them."""
        return next((child for child in self.children if isinstance(child, Element)), None)

    def texts(self) -> "Iterator[str]":
        """The texts inside it, in order, as they are met."""
        stack = [iter(self.children)]
        while stack:
            for child in stack[-1]:
                if isinstance(child, Element):
                    stack.append(iter(child.children))
                    break
                yield child
            else:
                stack.pop()

    def is_blank(self) -> bool:
        """True where there is no text inside it but white space."""
        return all(text.isspace() for text in self.texts())

    def get_text(self, separator: str = "") -> str:
        """All text inside it."""
        return separator.join(self.texts())


Shortcut: TypeAlias = Callable[[LexborNode, dict[str, str]], Sequence[Child] | str | None]
"""What to take for a node of some name: what is inside it instead of its nodes, text instead of it, or None for
itself."""


def next_content(element: Element) -> Child | None:
    """The next element or text beside this one, white space passed over."""
    siblings = element.parent.children if element.parent is not None else []
    following = (siblings[place] for place in range(element.place + 1, len(siblings)))
    return next((child for child in following if isinstance(child, Element) or child.strip()), None)


class Tree:
    """The elements under one node, and where to find them by name."""

    def __init__(self, root: Element, by_name: dict[str, list[Element]]) -> None:
        self.root = root
        self._by_name = by_name

    def named(self, *names: str) -> list[Element]:
        """The elements that were read under these names, name by name, each in the order of the page."""
        return [element for name in names for element in self._by_name.get(name, ())]

    def new(self, name: str, parent: Element, children: list[Child] | None = None) -> Element:
        """An element that the page does not have, in the tree from now on; its parent does not hold it yet."""
        element = Element(name, {}, parent, children)
        self._by_name.setdefault(name, []).append(element)
        return element

    def rename(self, element: Element, name: str) -> None:
        """Another name for an element, by which it is found as well."""
        element.name = name
        self._by_name.setdefault(name, []).append(element)

    def release(self) -> None:
        """Let go of every element: each holds its parent, and only a search for such circles would free them."""
        for elements in self._by_name.values():
            for element in elements:
                element.parent = None


def read_tree(node: LexborNode, shortcuts: Mapping[str, Shortcut] = _NO_SHORTCUTS) -> Tree:
    """`node` and everything under it, without comments; text that stands side by side is joined.

    A name is lower case. `shortcuts` holds by name what spares a walk through an element. What is nested too deep for
    anything but an attack is read as its text alone.
    """
    root = Element(_DOCUMENT)
    by_name: defaultdict[str, list[Element]] = defaultdict(list)
    parent, current, indents = root, node, 0
    above: list[LexborNode] = []  # the nodes around the current one that are being read
    text: list[str] = []  # what was read last, and is not in its parent yet
    while True:
        name = current.tag
        if name == _TEXT:
            text.append(current.text_content or "")
        elif name is not None and name[0] != "-":
            name = name.lower()
            if indents >= _DEEPEST_INDENT and name in _INDENTED:
                name = "div"
            if len(above) < _DEEPEST or parent.name in _ROWS:
                element, below = _read_element(current, name, shortcuts)
            else:
                element, below = current.text(deep=True), None
            if isinstance(element, str):
                text.append(element)
            else:
                if text:
                    text = _flushed(text, parent)
                element.parent = parent
                parent.children.append(element)
                by_name[name].append(element)
                if below is not None:
                    indents += name in _LISTS
                    above.append(current)
                    parent, current = element, below
                    continue
        while above:
            following = current.next
            if following is not None:
                current = following
                break
            if text:
                text = _flushed(text, parent)
            assert parent.parent is not None
            indents -= parent.name in _LISTS
            parent, current = parent.parent, above.pop()
        else:
            _flushed(text, parent)
            return Tree(root, by_name)


def _read_element(
    node: LexborNode, name: str, shortcuts: Mapping[str, Shortcut]
) -> tuple[Element | str, LexborNode | None]:
    """The element, or the text that stands for it; and the first node inside it, unless it has been read."""
    attrs = {key: value or "" for key, value in node.attributes.items()}
    shortcut = shortcuts.get(name)
    taken = shortcut(node, attrs) if shortcut is not None else None
    if isinstance(taken, str):
        return taken, None
    element = Element(name, attrs)
    if taken is not None:
        element.children += taken
        for child in taken:
            if isinstance(child, Element):
                child.parent = element
        return element, None
    below = node.first_child
    if below is None or below.tag != _TEXT or below.next is not None:
        return element, below
    if below.text_content:
        element.children.append(below.text_content)
    return element, None


def _flushed(text: list[str], parent: Element) -> list[str]:
    """Put the text into its parent, in one piece; an empty list for what follows."""
    whole = text[0] if len(text) == 1 else "".join(text)
    if whole:
        parent.children.append(whole)
    return []
