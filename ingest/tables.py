"""Tables as markdown can write them, and those that it cannot as the blocks they hold (pure; trees are changed)."""

import re

from ingest.elements import Child, Element, Tree
from ingest.walk import BLOCKS

__all__ = ["prepare_tables"]

_PARTS = frozenset({"table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption"})
_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_CELLS = ("td", "th")
_WILD = frozenset({"table", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})  # no cell of a markdown table holds these
_LAYOUT = _WILD | {"ul", "ol", "dl", "blockquote"}  # nor, in a table without a header, these
_BLOCKS = tuple(BLOCKS | {"br", "hr", "address", "details", "figure"})
_CODE_CELL = re.compile(r"(?:^|[-_])code(?:$|[-_])", re.IGNORECASE)
_LABEL = 30  # characters
_MOST_EMPTY = 1_000  # cells for those that reach into the next rows, and four more for each cell of the table
_COUNT = re.compile(r"\d{1,9}", re.ASCII)


def prepare_tables(tree: Tree) -> None:
    """Every table in one piece of rows, its caption before it; or, where it arranges blocks, the blocks."""
    for cell in tree.named("td", "th"):
        for name in ("colspan", "rowspan"):
            if not _COUNT.fullmatch(cell.attrs.get(name, "1")):
                del cell.attrs[name]
    captions: dict[int, list[Child]] = {}
    parents: dict[int, Element] = {}
    for table in tree.named("table"):
        if table.name == "table":
            taken = _prepare(table)
            if taken and table.parent is not None:
                captions[id(table)] = taken
                parents[id(table.parent)] = table.parent
    for parent in parents.values():
        parent.children = [part for child in parent.children for part in (*captions.get(id(child), ()), child)]


def _prepare(table: Element) -> list[Child]:
    """The captions that are to come before the table."""
    own = _own_parts(table)
    rows = [part for part in own if part.name == "tr"]
    lines = _lines_of_code(rows)
    if lines:
        inner = next((part for part in own if part.name == "code"), table)
        table.name = "pre"
        table.children = [Element("code", inner.attrs, table, ["\n".join(lines)])]
        return []
    cells = [part for part in own if part.name in _CELLS]
    has_header = any(cell.name == "th" for cell in cells)
    # A box of two cells, the first of which is its label, is how AsciiDoc draws a note.
    alone = len(cells) == 2 and not has_header and len(rows) == 1
    if alone or any(_holds_blocks(cell, has_header) for cell in cells):
        if alone and not _holds_blocks(cells[0], has_header) and len(" ".join(cells[0].get_text().split())) <= _LABEL:
            cells[0].name = "p"
            cells[0].attrs["class"] = "admonition-title"
        elif has_header:
            _label_cells(rows)
        elif not alone:
            _join_cells(rows)
        for part in (table, *own):
            if part.name in _PARTS:
                part.name = "div"
        return []
    captions: list[Child] = []
    for part in own:
        if part.name == "caption":
            part.name = "p"
            part.parent = table.parent
            captions.append(part)
    table.children = _rows(table)
    _square(table.elements())
    return captions


def _join_cells(rows: list[Element]) -> None:
    """Make a paragraph of each row that holds nothing but words, as Doxygen's of a member: its type and its name."""
    for row in rows:
        cells = [cell for cell in row.elements() if cell.name in _CELLS]
        if len(cells) > 1 and not any(cell.find(_BLOCKS) for cell in cells):
            row.name, row.children = "p", []
            for cell in cells:
                cell.name = "span"
                row.children += [cell] if cell.get_text()[-1:].isspace() else [cell, " "]


def _lines_of_code(rows: list[Element]) -> list[str]:
    """The lines of code that a table shows one in a row, in cells that are called code, beside cells that at most count
    them; none for any other table."""
    lines: list[str] = []
    for row in rows:
        *numbers, code = [cell for cell in row.elements() if cell.name in _CELLS] or [row]
        text = code.get_text().strip("\r\n")
        called = code.name == "td" and any(_CODE_CELL.search(name) for name in code.classes)
        counted = all(not cell.get_text().strip() or cell.get_text().strip().isdigit() for cell in numbers)
        if not called or not counted or "\n" in text:
            return []
        lines.append(text.replace("\u00a0", " ").rstrip())
    return lines if len(lines) > 1 and any(lines) else []


def _label_cells(rows: list[Element]) -> None:
    """Put the words of the header's cells before the blocks of the cells under them: a row is read by itself then.

    The header of a single column says nothing about one cell that it does not say about all.
    """
    header, *others = ([cell for cell in row.elements() if cell.name in _CELLS] for row in rows)
    if not others or any(_holds_blocks(cell, has_header=True) for cell in header):
        return
    labels = [" ".join(cell.get_text().split()) for cell in header]
    if len(labels) < 2 or not all(labels):
        return
    if any(cell.name != "th" for cell in header) or any(len(cells) != len(labels) for cells in others):
        return
    for cells in others:
        for label, cell in zip(labels, cells, strict=True):
            cell.children.insert(0, Element("p", {"class": "admonition-title"}, cell, [label]))
    rows[0].children = []


def _square(rows: list[Element]) -> None:
    """Give each row empty cells where cells of other rows reach into it, and the first row as many as the widest.

    Markdown has no cell over several rows, and drops what is to the right of the header's last cell (GFM, tables).
    Empty cells at a row's end are left out. Spans that would write more than they say are cut: a page of 1 MB can ask
    for 60 MB of empty cells.
    """
    cells = [[cell for cell in row.elements() if cell.name in _CELLS] for row in rows]
    most = 2 * max(map(len, cells), default=0)
    room = _MOST_EMPTY + 4 * sum(map(len, cells))
    reaching: dict[int, int] = {}  # column: the last row that a cell above fills
    widths: list[int] = []
    for number, (row, own) in enumerate(zip(rows, cells, strict=True)):
        placed: list[Child] = []
        column = 0
        for left, cell in zip(range(len(own) - 1, -1, -1), own, strict=True):
            while reaching.get(column, -1) >= number and room > 0:
                placed.append(Element(cell.name, {}, row))
                column += 1
                room -= 1
            span = max(1, min(int(cell.attrs.get("colspan", "1")), most - column - left))
            cell.attrs["colspan"] = str(span)
            below = int(cell.attrs.get("rowspan", "1")) - 1
            if below > 0:
                reaching.update(dict.fromkeys(range(column, column + span), number + below))
            placed.append(cell)
            column += span
        row.children = placed
        widths.append(column)
    for _ in range(max(widths, default=0) - (widths[0] if widths else 0)):
        rows[0].children.append(Element(cells[0][-1].name, {}, rows[0]))


def _own_parts(table: Element) -> list[Element]:
    """The elements inside a table that are not inside of another table in it."""
    own: list[Element] = []
    stack = [iter(table.children)]
    while stack:
        for child in stack[-1]:
            if isinstance(child, Element) and child.name != "table":
                own.append(child)
                stack.append(iter(child.children))
                break
        else:
            stack.pop()
    return own


def _rows(table: Element) -> list[Child]:
    """What the table holds: head, bodies and foot; without captions, columns and rows without cells."""
    head: list[Child] = []
    body: list[Child] = []
    foot: list[Child] = []
    for group in table.elements():
        part = {"thead": head, "tfoot": foot}.get(group.name, body)
        part += group.elements() if group.name in _GROUPS else [group]
    rows: list[Child] = []
    for row in (*head, *body, *foot):
        if isinstance(row, Element) and row.name == "tr" and row.find(_CELLS) is not None:
            row.parent = table
            rows.append(row)
    return rows


def _holds_blocks(cell: Element, has_header: bool) -> bool:
    """True for a cell with something inside that no cell of a markdown table can hold."""
    wild = _WILD if has_header else _LAYOUT
    stack = [iter(cell.children)]
    paragraphs = [0]
    while stack:
        for child in stack[-1]:
            if isinstance(child, Element):
                paragraphs[-1] += child.name == "p"
                if child.name in wild or (paragraphs[-1] > 1 and not has_header):
                    return True
                stack.append(iter(child.children))
                paragraphs.append(0)
                break
        else:
            stack.pop()
            paragraphs.pop()
    return False
