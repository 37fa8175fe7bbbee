"""Markup of documentation generators that is easily lost, written by hand as they write it: `tests/data/markup`.

Beside each page is its markdown, which was read beside it: no text is missing or there twice, and code has its language
and no buttons or numbers. What is not good yet is there as it is: JSON that Redoc lays out as lists is no code, and
YARD's "show all" is left.
"""

from pathlib import Path

import pytest

from ingest import html_to_markdown

PAGES = sorted((Path(__file__).parents[2] / "data" / "markup").glob("*.html"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_markdown_is_what_was_read_beside_the_page(path: Path) -> None:
    page = html_to_markdown(path.read_text("utf-8"), "https://x.org/docs/page.html")
    assert page.markdown == path.with_suffix(".md").read_text("utf-8").removesuffix("\n")


ANCHORS = {
    "asciidoctor": ["header", "_code"],
    "aws": ["t"],
    "docfx": ["t", "Foo_Bar_"],
    "docsy": ["code"],
    "documenter": ["Base"],
    "docusaurus": ["jsx"],
    "dokka": ["content"],
    "doxygen-members": ["pub-methods", "details", "a1"],
    "gitbook": ["step-1"],
    "javadoc-21": ["method-summary", "method-detail", "push(T)"],
    "jupyter-book": ["nb"],
    "mandoc": ["t", "OPTIONS"],
    "material-annotations": ["t"],
    "mdbook-playground": ["h"],
    "mdn": ["t"],
    "mintlify": ["t", "start"],
    "odoc": ["making"],
    "php-manual": ["t"],
    "pkg-go-dev": ["section-documentation", "pkg-overview", "Element"],
    "rdoc": ["class-Box", "5Buntitled-5D", "public-class-5Buntitled-5D-method-details"],
    "redoc": ["tag/pet", "operation/addPet"],
    "rtd-flyout": ["x"],
    "sphinx-design": ["c"],
    "vitepress": ["g"],
    "writerside": ["t"],
    "yard": ["content", "instance_method_details", "push-instance_method"],
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_heading_that_a_link_can_name_has_its_anchor(path: Path) -> None:
    page = html_to_markdown(path.read_text("utf-8"), "https://x.org/docs/page.html")
    assert [anchor.id for anchor in page.anchors if anchor.level is not None] == ANCHORS[path.stem]


TERMS = {
    "documenter": [("Base.leave", "Base.leave — Function"), ("Base.Entry", "Base.Entry — Type")],
    "odoc": [("type-t", "type t"), ("val-make", "val make : int -> t")],
    "rdoc": [("attribute-i-size", "size[R]"), ("method-c-new", "new(size) → box")],
}


@pytest.mark.parametrize("name", TERMS)
def test_what_names_an_item_of_an_api_is_a_term_with_its_anchor(name: str) -> None:
    path = Path(__file__).parents[2] / "data" / "markup" / f"{name}.html"
    page = html_to_markdown(path.read_text("utf-8"), "https://x.org/docs/page.html")
    assert [(anchor.id, anchor.term) for anchor in page.anchors if anchor.term and anchor.level is None] == TERMS[name]
