"""Tabs: each label is put before the panel it opens, so that a page without scripts tells them apart (pure)."""

from collections.abc import Mapping, Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.nesting import outer

__all__ = ["label_panels"]

_LISTS = (
    "[role=tablist], .tabbed-labels, :is(div, ul):has(> input + label + input + label), "
    "div:has(+ div > [aria-hidden=false])"
)
_ABOVE = 2  # elements around a list of tabs that its panels may be in
_LONGEST = 80  # characters of a label
_MOST_PANELS = 100
_LABELS = "[role=tab], label"


def label_panels(tree: LexborHTMLParser) -> None:
    """Turn each list of tabs into bold lines before their panels, where it has as many labels as panels, and each label
    that is beside its panel already; all panels are shown."""
    for node in tree.css("input[type=radio] + label"):
        panel = _element_after(node)
        words = " ".join(node.text(deep=True).split())
        if words and panel is not None and panel.tag == "div":
            node.insert_before(_line(tree, words))
            node.decompose()
    lists = outer(tree.css(_LISTS))
    own = _own_panels(tree) if lists else {}
    for tabs in reversed(lists):
        if tabs.mem_id in own:  # an accordion: each label is before its panel
            _show(own[tabs.mem_id])
            continue
        named = tabs.css(_LABELS) or [node for node in tabs.iter() if node.is_element_node]
        labels = [" ".join(label.text(deep=True).split()) for label in named]
        panels = _panels(tabs, len(labels), own)
        if not panels or not all(0 < len(label) <= _LONGEST for label in labels):
            continue
        _show(panels)
        for label, panel in zip(labels, panels, strict=True):
            line = _line(tree, label)
            first = panel.child
            if first is None:
                panel.insert_child(line)
            else:
                first.insert_before(line)
        tabs.decompose()


def _line(tree: LexborHTMLParser, label: str) -> LexborNode:
    strong, line = tree.create_node("strong"), tree.create_node("p")
    strong.insert_child(label)
    line.insert_child(strong)
    return line


def _element_after(node: LexborNode) -> LexborNode | None:
    following = node.next
    while following is not None and not following.is_element_node:
        following = following.next
    return following


def _show(panels: Sequence[LexborNode]) -> None:
    for panel in panels:
        for attribute in ("hidden", "aria-hidden"):
            if attribute in panel.attributes:
                del panel.attrs[attribute]


def _panels(tabs: LexborNode, count: int, own: Mapping[int, Sequence[LexborNode]]) -> Sequence[LexborNode]:
    """The panels beside a list of tabs or what is around it, by their role, else the parts of the next element."""
    parent = tabs.parent if count > 1 else None
    for _ in range(_ABOVE):
        if parent is None:
            return []
        marked = own.get(parent.mem_id)
        if marked:
            return marked if len(marked) == count else []
        parent = parent.parent
    following = _element_after(tabs)
    parts = [node for node in following.iter() if node.is_element_node] if following is not None else []
    return parts if len(parts) == count else []


def _own_panels(tree: LexborHTMLParser) -> dict[int, list[LexborNode]]:
    """By element, the panels inside it that are not in a panel inside it; at most so many that no tabs have as many."""
    found: dict[int, list[LexborNode]] = {}
    for panel in tree.css("[role=tabpanel]"):
        above = panel.parent
        while above is not None:
            panels = found.setdefault(above.mem_id, [])
            if len(panels) > _MOST_PANELS:  # and so it is with everything around it
                break
            panels.append(panel)
            if above.attributes.get("role") == "tabpanel":
                break
            above = above.parent
    return found
