"""What became of a document on its way to markdown: how much text, code and tables it had, and how much is left (pure).

The figures are for reports. Nothing is decided by them.
"""

import re

from selectolax.lexbor import LexborNode

from ingest.models import Kept
from ingest.nesting import outer

__all__ = ["count_text", "kept_of_html", "kept_of_markdown", "written_blocks"]

_CODE = "pre:not(:has(pre)), div.fragment:not(:has(pre))"  # Doxygen's lines of code are in such a `div`
_NO_TEXT = "script, style"
_NOT_IN_ROWS = "pre, h1, h2, h3, h4, h5, h6, ul, ol, dl, blockquote"
# What may be a fence, or begin the line of dashes under a table's header, wherever it stands; then the whole line,
# which may be inside of lists and quotations.
_SIGN = re.compile(r"(?:```|~~~|\|[ \t]*:?-)[^\n]*")
_FENCE = re.compile(r"(`{3,}|~{3,})(.*)")
_DASHES = re.compile(r"\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*")
_INDENT = re.compile(r"(?:[ \t>]|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))*")


def count_text(node: LexborNode, *, scripts: bool = False) -> int:
    """Characters of text in an element, without white space; with `scripts` there may be some, which are no text."""
    text = _characters(node.text(deep=True))
    return text - sum(_characters(inner.text(deep=True)) for inner in node.css(_NO_TEXT)) if scripts else text


def kept_of_html(markdown: str, text: int, content: LexborNode | None, page: LexborNode | None) -> Kept:
    """The figures of a page that had so much `text`, and became `markdown` by way of the element `content`.

    `page` is what is left of the whole page beside it, without what is never content; None where all that counts is
    in `content`.
    """
    if content is None:
        return Kept(text=text)
    code = sum(1 for block in outer((page or content).css(_CODE)) if block.text(deep=True).strip())
    tables = sum(map(_is_data, content.css("table:not(:has(table))")))
    kept_code, kept_tables = written_blocks(markdown)
    return Kept(
        characters=len(markdown),
        text=text,
        kept_text=count_text(content),
        code_blocks=code,
        kept_code_blocks=kept_code,
        tables=tables,
        kept_tables=kept_tables,
    )


def _is_data(table: LexborNode) -> bool:
    """True for a table with a header, or with rows of cells that hold no blocks: others arrange a page."""
    if not table.text(deep=True).strip():
        return False
    if table.css_first("th") is not None:
        return True
    several = len(table.css("tr")) > 1 and table.css_first("td + td") is not None
    return several and table.css_first(_NOT_IN_ROWS) is None


def written_blocks(markdown: str) -> tuple[int, int]:
    """Fenced blocks and tables in a markdown text."""
    fences = tables = 0
    open_fence = ""
    for sign in _SIGN.finditer(markdown):
        line = markdown.rfind("\n", 0, sign.start()) + 1
        if _INDENT.fullmatch(markdown, line, sign.start()) is None:
            continue
        fence = _FENCE.fullmatch(sign[0])
        if fence is None:
            tables += not open_fence and _DASHES.fullmatch(sign[0]) is not None and _is_second(markdown, line)
        elif not open_fence:
            # An info string with backticks makes it a code span (CommonMark 4.5).
            if fence[1][0] == "~" or "`" not in fence[2]:
                open_fence = fence[1]
                fences += 1
        elif fence[1].startswith(open_fence) and not fence[2].strip():
            open_fence = ""
    return fences, tables


def _is_second(markdown: str, line: int) -> bool:
    """True where the line that begins here is the second of its table: a row of dashes may come later, too."""
    header = markdown.rfind("\n", 0, max(line - 1, 0)) + 1
    above = markdown.rfind("\n", 0, max(header - 1, 0)) + 1
    indent = _INDENT.match(markdown, above, header)
    return line > 0 and (header == 0 or indent is None or not markdown.startswith("|", indent.end()))


def kept_of_markdown(markdown: str) -> Kept:
    """The figures of a document that is stored as it is."""
    text = _characters(markdown)
    fences, tables = written_blocks(markdown)
    return Kept(len(markdown), text, text, fences, fences, tables, tables)


def _characters(text: str) -> int:
    return len(text) - text.count(" ") - text.count("\n") - text.count("\t")
