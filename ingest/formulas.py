r"""Formulas: the LaTeX that a page was written with, taken back out of what shows it (pure; trees are changed).

Generators leave it in one of four places: between `\(` and `\)` or `\[` and `\]` for a script to draw (Sphinx,
pandoc, Material for MkDocs), in a `script` of the type `math/tex` (MathJax 2), as the words for a picture (Sphinx,
MediaWiki), or as an annotation of MathML (KaTeX; MathML Core section 3.3, `alttext` in MathML 3 section 2.2.1).
"""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.code_blocks import code_span, fence
from ingest.elements import Child, Element, Tree
from ingest.nesting import outer

__all__ = ["formula", "keep_sources", "prepare_formulas", "read_formula"]

_CLASSES = frozenset({"math", "arithmatex", "stemblock"})
_PICTURES = frozenset({"math", "mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"})
_DELIMITED = re.compile(r"\\\((.*)\\\)|(\\\[)(.*)\\\]|(\$\$)(.*)\$\$", re.DOTALL)
_TEX = re.compile(r"[\\^_{}]")


def keep_sources(tree: LexborHTMLParser) -> None:
    """Put MathJax's scripts where their drawings are, since scripts are no content."""
    scripts = tree.css("script[type^='math/tex']")
    if scripts:
        for drawing in reversed(tree.css(".MathJax, .MathJax_Display, .MathJax_Preview, .MathJax_SVG, .MathJax_CHTML")):
            drawing.decompose()
    for script in scripts:
        is_block = "display" in (script.attributes.get("type") or "")
        left, right = (r"\[", r"\]") if is_block else (r"\(", r"\)")
        source = tree.create_node("span")
        source.attrs["class"] = "math"
        source.insert_child(f"{left}{script.text(deep=True)}{right}")
        script.replace_with(source)


def read_formula(node: LexborNode, attrs: dict[str, str]) -> list[Child] | str:
    """What an `Element` for MathML holds: its LaTeX, between delimiters; without one its text."""
    note = node.css_first("annotation[encoding='application/x-tex']")
    source = note.text(deep=True).strip() if note is not None else attrs.get("alttext", "").strip()
    if not source or (note is None and _TEX.search(source) is None):
        for annotation in reversed(node.css("annotation, annotation-xml")):
            annotation.decompose()
        return "".join(node.text(deep=True).split())
    attrs["class"] = "math"
    return [rf"\[{source}\]" if attrs.get("display") == "block" else rf"\({source}\)"]


def prepare_formulas(tree: Tree) -> None:
    """Name every element that holds a formula's source `formula`; a number beside it goes before it."""
    for image in tree.named("img"):
        source = image.attrs.get("alt", "").strip()
        around = image.parent.parent if image.parent is not None and image.parent.name == "p" else image.parent
        is_block = around is not None and around.name == "div" and "math" in around.classes
        if source and (is_block or not _PICTURES.isdisjoint(image.classes)):
            image.name, image.children = "formula", [rf"\[{source}\]" if is_block else rf"\({source}\)"]
    for element in outer(filter(_is_marked, tree.named("math", "span", "div")), key=id):
        number = element.first_element()
        aside = number if number is not None and "eqno" in number.classes else None
        source = element.get_text().removeprefix(aside.get_text() if aside is not None else "").strip()
        if _DELIMITED.fullmatch(source) is not None:
            inner = Element("formula", {}, element, [source])
            element.name = "span"
            element.children = [inner] if aside is None else [aside, inner]


def _is_marked(element: Element) -> bool:
    written = element.attrs.get("class", "")
    return ("mat" in written or "stem" in written) and not _CLASSES.isdisjoint(element.classes)


def formula(source: str, *, inline: bool) -> str:
    """A formula as GitHub writes it, so that markdown reads none of it: a code span in dollars, or a `math` fence."""
    match = _DELIMITED.fullmatch(source.strip())
    if match is None:
        return source
    is_block = (match[2] or match[4]) is not None
    tex = next(part for part in (match[1], match[3], match[5]) if part is not None).strip()
    if not tex:
        return ""
    return f"\n\n{fence(tex, 'math')}\n\n" if is_block and not inline else f"${code_span(' '.join(tex.split()))}$"
