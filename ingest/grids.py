"""Tables that are written without the elements of one: by roles, or as a grid of cells (pure; trees are changed)."""

from types import MappingProxyType

from ingest.elements import Child, Element, Tree
from ingest.nesting import outer

__all__ = ["prepare_grids"]

_ROLES = MappingProxyType(
    {"rowgroup": "tbody", "row": "tr", "columnheader": "th", "rowheader": "th", "cell": "td", "gridcell": "td"}
)
"""WAI-ARIA 1.2, section 5.4."""


def prepare_grids(tree: Tree) -> None:
    """Make them tables."""
    for element in outer(filter(_has_role, tree.named("div", "section", "ul")), 1, key=id):
        _by_roles(element, tree)
    for element in tree.named("div"):
        if element.name == "div" and _heads_column(element.first_element()):
            _by_columns(element, tree)


def _has_role(element: Element) -> bool:
    return element.attrs.get("role") in ("table", "grid")


def _by_roles(table: Element, tree: Tree) -> None:
    if not any(inner.attrs.get("role") == "row" for inner in table.inside()):
        return
    for inner in table.inside():
        name = _ROLES.get(inner.attrs.get("role", ""))
        if name is not None:
            tree.rename(inner, name)
    tree.rename(table, "table")


def _by_columns(grid: Element, tree: Tree) -> None:
    """Cells that name their column, a row's as many as there are headers (Javadoc, from 16 on)."""
    cells = grid.elements()
    width = next((place for place, cell in enumerate(cells) if not _heads_column(cell)), len(cells))
    if len(cells) % width or not all(any(name.startswith("col-") for name in cell.classes) for cell in cells):
        return
    rows: list[Child] = []
    for start in range(0, len(cells), width):
        own = cells[start : start + width]
        row = tree.new("tr", grid, list(own))
        for cell in own:
            tree.rename(cell, "td" if start else "th")
            cell.parent = row
        rows.append(row)
    grid.children = rows
    tree.rename(grid, "table")


def _heads_column(cell: Element | None) -> bool:
    return cell is not None and "class" in cell.attrs and "table-header" in cell.classes
