"""Lists as markdown can write them: only items in them, each with its bullet or number (pure; trees are changed)."""

import re
from types import MappingProxyType

from ingest.elements import Child, Element, Tree

__all__ = ["item_bullet", "prepare_lists"]

_LISTS = ("ul", "ol", "menu", "dir")
_SIGNS = MappingProxyType({"ul": ("-", "*"), "ol": (".", ")")})
_BULLET = "its bullet"  # the attribute of an item that holds what it begins with; a page's own has no blank
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)  # what CommonMark takes for an item's (section 5.2)
_LARGEST = 999_999_999
_APART = frozenset({"li", "dd", "td", "th", "blockquote", "[document]"})


def prepare_lists(tree: Tree) -> None:
    """What is in a list beside its items is put into them or between them, and items without a list get one."""
    for element in tree.named(*_LISTS):
        if element.name in _LISTS:
            element.name = "ol" if element.name == "ol" else "ul"
            if any(isinstance(child, str) or child.name != "li" for child in element.children):
                _keep_items_apart(element, tree)
    strays = {
        id(item.parent): item.parent
        for item in tree.named("li")
        if item.name == "li" and item.parent is not None and item.parent.name not in _LISTS
    }
    for parent in strays.values():
        _wrap_items(parent, tree)


def _keep_items_apart(element: Element, tree: Tree) -> None:
    """A list right inside of a list belongs to the item before it; anything else is a block between the items."""
    children: list[Child] = []
    item: Element | None = None
    between: Element | None = None
    for child in element.children:
        if isinstance(child, Element) and child.name == "li":
            item, between = child, None
        elif not _has_content(child):
            pass
        else:
            holder = between or (item if isinstance(child, Element) and child.name in _LISTS else None)
            if holder is None:
                holder = between = tree.new("div", element)
                children.append(between)
            if isinstance(child, Element):
                child.parent = holder
            holder.children.append(child)
            continue
        children.append(child)
    element.children = children


def _has_content(child: Child) -> bool:
    """False for white space, and for elements that only bear an id."""
    if isinstance(child, str):
        return not child.isspace()
    return not child.is_blank() or child.name in ("img", "hr") or child.find(("img", "hr")) is not None


def _wrap_items(parent: Element, tree: Tree) -> None:
    children: list[Child] = []
    wrapper: Element | None = None
    for child in parent.children:
        if isinstance(child, Element) and child.name == "li":
            if wrapper is None:
                wrapper = tree.new("ul", parent)
                children.append(wrapper)
            child.parent = wrapper
            wrapper.children.append(child)
        elif wrapper is None or not isinstance(child, str) or not child.isspace():
            wrapper = None
            children.append(child)
    parent.children = children


def item_bullet(item: Element) -> str:
    """What an item begins with: a bullet, or its number and a dot.

    Of two lists in a row the second has other signs, since they would be one list else (CommonMark, section 5.3).
    """
    around = item.parent
    if around is None or around.name not in _SIGNS:
        return "-"
    if _BULLET not in item.attrs:
        usual, other = _SIGNS[around.name]
        before = _list_before(around)
        follows = before is not None and before.name == around.name and before.attrs.get(_BULLET) == usual
        _number(around, other if follows else usual)
    return item.attrs[_BULLET]


def _number(element: Element, sign: str) -> None:
    """Give every item its bullet, and the list its sign."""
    element.attrs[_BULLET] = sign
    items = [child for child in element.elements() if child.name == "li"]
    step = -1 if "reversed" in element.attrs else 1
    number = _whole(element.attrs.get("start", ""), len(items) if step < 0 else 1)
    for item in items:
        number = _whole(item.attrs.get("value", ""), number)
        item.attrs[_BULLET] = sign if element.name == "ul" else f"{number}{sign}"
        number = min(max(0, number + step), _LARGEST)


def _whole(written: str, otherwise: int) -> int:
    return int(written) if _NUMBER.fullmatch(written.strip()) else otherwise


def _list_before(element: Element) -> Element | None:
    """The list that ends right before this one begins."""
    inner = element
    while inner.parent is not None:
        siblings = inner.parent.children
        for place in range(inner.place - 1, -1, -1):
            last: Child = siblings[place]
            if not _has_content(last):
                continue
            while isinstance(last, Element) and last.name not in _LISTS and last.name not in _APART:
                last = next((child for child in reversed(last.children) if _has_content(child)), "")
            return last if isinstance(last, Element) and last.name in _LISTS else None
        inner = inner.parent
        if inner.name in _APART:
            break
    return None
