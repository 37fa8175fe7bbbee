"""Sections begin at headings and at anchored items with a term."""

import pytest

from chunking import Anchor, parse_markdown
from chunking.sections import Section, section_tree

MARKDOWN = """intro

# One

text

## Two

`f(x)`

About f.

`g(x)`

About g.

### Three

deep

# Four
"""


def outline(source: str, anchors: list[Anchor] | None = None) -> list[tuple[tuple[str, ...], str]]:
    """Path and source of every section that has blocks of its own, in order."""
    parsed = parse_markdown(source)

    def lines(section: Section) -> list[tuple[tuple[str, ...], str]]:
        own = source[section.blocks[0].start : section.blocks[-1].end] if section.blocks else ""
        below = [line for child in section.children for line in lines(child)]
        return ([(section.path, own)] if own else []) + below

    return lines(section_tree(parsed, anchors or []))


def at(text: str, id_: str, term: str, source: str = MARKDOWN, level: int | None = None) -> Anchor:
    return (source.index(text), id_, level, term)


@pytest.mark.promise("K5")
def test_headings_nest_by_level() -> None:
    assert [path for path, _ in outline(MARKDOWN)] == [
        (), ("One",), ("One", "Two"), ("One", "Two", "Three"), ("Four",),
    ]  # fmt: skip


def test_a_skipped_or_lower_level_finds_its_parent() -> None:
    source = "### a\n\n# b\n\n#### c\n\n## d\n"
    assert [path for path, _ in outline(source)] == [("a",), ("b",), ("b", "c"), ("b", "d")]


def test_an_anchored_term_opens_a_section_under_the_current_heading() -> None:
    anchors = [at("`f(x)`", "m.f", "f(x)"), at("`g(x)`", "m.g", "g(x)")]
    sections = dict(outline(MARKDOWN, anchors))
    assert sections["One", "Two", "f(x)"] == "`f(x)`\n\nAbout f."
    assert sections["One", "Two", "g(x)"] == "`g(x)`\n\nAbout g."
    assert sections["One", "Two"] == "## Two"
    assert sections["One", "Two", "Three"] == "### Three\n\ndeep"


def test_anchors_of_headings_and_bare_anchors_open_nothing() -> None:
    anchors = [at("# One", "one", "One", level=1), at("About g", "index-0", ""), at("About f", "x", "  ")]
    assert outline(MARKDOWN, anchors) == outline(MARKDOWN)


def test_a_term_in_a_list_parts_the_list_before_its_item() -> None:
    source = "# A\n\n- one\n- two\n  - inner\n  - more\n- three\n"
    sections = outline(source, [at("inner", "i", "inner", source), at("three", "t", "three", source)])
    assert sections == [
        (("A",), "# A\n\n- one\n- two"),
        (("A", "inner"), "  - inner\n  - more"),
        (("A", "three"), "- three"),
    ]


@pytest.mark.parametrize("block", ["```\na\nterm\n```", "| a |\n|---|\n| term |", "<div>\na\nterm\n</div>"])
def test_a_term_inside_code_tables_or_html_does_not_part_them(block: str) -> None:
    assert outline(block, [at("term", "t", "term", block)]) == [((), block)]


def test_of_several_terms_on_one_line_the_last_one_names_the_section() -> None:
    source = "`f()`\n\ntext"
    assert outline(source, [(0, "a", None, "first"), (1, "b", None, "second")])[0][0] == ("second",)


def test_anchors_outside_the_text_are_ignored() -> None:
    assert outline("text", [(-1, "a", None, "A"), (4, "b", None, "B"), (99, "c", None, "C")]) == [((), "text")]


def test_sections_hold_every_non_space_character_in_order() -> None:
    source = "> a\n>\n> b\n\n[r]: /u\n\n- x\n\n  [s]: /v\n- y\n\n# H\n\n    code\n"
    parsed = parse_markdown(source)
    position = 0
    pending = [section_tree(parsed, [])]
    while pending:
        section = pending.pop(0)
        for block in section.blocks:
            assert source[position : block.start].strip() == ""
            position = block.end
        pending = section.children + pending
    assert source[position:].strip() == ""
