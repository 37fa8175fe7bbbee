"""Tabs: each label is put before the panel it opens, so that a page without scripts tells them apart (pure)."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

__all__ = ["label_panels"]

_LISTS = (
    "[role=tablist], .tabbed-labels, :is(div, ul):has(> input + label + input + label), "
    "div:has(+ div > [aria-hidden=false])"
)
_ABOVE = 2  # elements around a list of tabs that its panels may be in
_LONGEST = 80  # characters of a label
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
    for tabs in reversed(tree.css(_LISTS)):
        named = tabs.css(_LABELS) or [node for node in tabs.iter() if node.is_element_node]
        labels = [" ".join(label.text(deep=True).split()) for label in named]
        panels = _panels(tabs, len(labels))
        if not panels or not all(0 < len(label) <= _LONGEST for label in labels):
            continue
        for label, panel in zip(labels, panels, strict=True):
            for attribute in ("hidden", "aria-hidden"):
                if attribute in panel.attributes:
                    del panel.attrs[attribute]
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


def _panels(tabs: LexborNode, count: int) -> list[LexborNode]:
    """The panels beside a list of tabs or what is around it, by their role, else the parts of the next element."""
    parent = tabs.parent if count > 1 else None
    for _ in range(_ABOVE):
        if parent is None:
            return []
        marked = [node for node in parent.css("[role=tabpanel]") if _is_own(node, parent)]
        if marked:
            return marked if len(marked) == count else []
        parent = parent.parent
    following = _element_after(tabs)
    parts = [node for node in following.iter() if node.is_element_node] if following is not None else []
    return parts if len(parts) == count else []


def _is_own(panel: LexborNode, parent: LexborNode) -> bool:
    """False for a panel of tabs inside a panel."""
    above = panel.parent
    while above is not None and above.mem_id != parent.mem_id:
        if above.attributes.get("role") == "tabpanel":
            return False
        above = above.parent
    return True
