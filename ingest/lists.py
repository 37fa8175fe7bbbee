"""Lists as markdown can write them: only items in them, each with its bullet or number (pure; trees are changed)."""

import re
from types import MappingProxyType

from ingest.anchors import MARK
from ingest.elements import Child, Element, Tree

__all__ = ["item_bullet", "labelled", "prepare_lists"]

_LISTS = ("ul", "ol", "menu", "dir")
_SIGNS = MappingProxyType({"ul": ("-", "*"), "ol": (".", ")")})
_BULLET = "its bullet"  # the attribute of an item that holds what it begins with; a page's own has no blank
_LABEL = "its label"  # what an item's text begins with, where markdown has no such number
_LARGEST = 999_999_999  # what CommonMark takes for an item's number (section 5.2)
_START = re.compile(r"[ \t\n\f\r]*([-+]?\d{1,9})(?!\d)", re.ASCII)  # HTML standard, "rules for parsing integers"
_STYLE = re.compile(
    r"list-style(?:-type)?\s*:[^;]*?\b(?P<style>(?:lower|upper)-(?:alpha|latin|roman))\b", re.IGNORECASE
)
_TYPES = MappingProxyType({"a": "loweralpha", "A": "upperalpha", "i": "lowerroman", "I": "upperroman"})
_COUNTED = frozenset(_TYPES.values())  # as docutils and AsciiDoctor name them in a class, too
_BEGINS_BLOCK = re.compile(rf"(?:{MARK.pattern})*(?:#{{1,6}} |[-*+] |[>|]|\d{{1,9}}[.)] |```|~~~)")
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x")),
    *((9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_APART = frozenset({"li", "dd", "td", "th", "blockquote", "[document]"})


def prepare_lists(tree: Tree) -> None:
    """What is in a list beside its items is put into them or between them, and items without a list get one."""
    for element in tree.named(*_LISTS):
        if element.name in _LISTS:
            if element.name != "ol" or _label_items(element):
                element.name = "ul"
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


def labelled(item: Element, text: str) -> str:
    """An item's text after the letters or the number that the page shows before it and markdown cannot."""
    if _LABEL not in item.attrs:
        return text
    between = "\n\n" if _BEGINS_BLOCK.match(text) else " "
    return f"{item.attrs[_LABEL]}{between}{text}"


def _number(element: Element, sign: str) -> None:
    """Give every item its bullet, and the list its sign."""
    element.attrs[_BULLET] = sign
    for item, number in _numbered(element):
        item.attrs[_BULLET] = sign if element.name == "ul" else f"{number}{sign}"


def _numbered(element: Element) -> list[tuple[Element, int]]:
    """The items of a list, each with its number."""
    items = [child for child in element.elements() if child.name == "li"]
    step = -1 if "reversed" in element.attrs else 1
    number = _whole(element.attrs.get("start", ""), len(items) if step < 0 else 1)
    found: list[tuple[Element, int]] = []
    for item in items:
        number = _whole(item.attrs.get("value", ""), number)
        found.append((item, number))
        number += step
    return found


def _label_items(element: Element) -> bool:
    """Label the items of a list that counts in letters or in numbers that CommonMark has not (below 0, over nine
    digits); False for any other."""
    style = _style(element)
    items = _numbered(element)
    if not style and all(0 <= number <= _LARGEST for _, number in items):
        return False
    for item, number in items:
        label = _counted(number, style)
        # A number would begin a list inside the item.
        item.attrs[_LABEL] = f"{label}\\." if label.isdigit() else f"{label}."
    return True


def _style(element: Element) -> str:
    """What a list counts in: letters or Roman numerals, by its type, its style or its class; "" for numbers."""
    written = _STYLE.search(element.attrs.get("style", ""))
    if written is not None:
        return written["style"].lower().replace("-", "").replace("latin", "alpha")
    kind = _TYPES.get(element.attrs.get("type", "").strip())
    return kind or next((name for name in element.classes if name in _COUNTED), "")


def _counted(number: int, style: str) -> str:
    """A number in letters (CSS Counter Styles, sections 3.1.4 and 6): after z comes aa, and 0 has none."""
    letters = ""
    if style.endswith("roman") and 0 < number < 4_000:
        for value, sign in _ROMAN:
            letters += sign * (number // value)
            number %= value
    elif style.endswith("alpha") and number > 0:
        while number > 0:
            number, place = divmod(number - 1, 26)
            letters = chr(ord("a") + place) + letters
    else:
        return str(number)
    return letters.upper() if style.startswith("upper") else letters


def _whole(written: str, otherwise: int) -> int:
    match = _START.match(written)
    return int(match[1]) if match is not None else otherwise


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
