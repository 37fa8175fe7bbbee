"""The plain rendering: what a reader sees, with code as it is."""

import pytest

from chunking import parse_markdown, plain_text
from chunking.plain import plain_part


def rendered(source: str) -> list[str]:
    parsed = parse_markdown(source)
    return [plain_text(block, parsed.references) for block in parsed.blocks]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("max\\_connections \\*x\\* &amp; &lt;b&gt;", "max_connections *x* & <b>"),
        ("*em* __strong__ `a_b\\*c`", "em strong a_b\\*c"),
        ("see [the *docs*](https://x.example/a_b 'T') now", "see the docs now"),
        ("[ref][r] and [r] and [none][]\n\n[r]: https://x.example", "ref and r and [none][]"),
        ("![alt *text*](https://x.example/i.png) after", "alt text after"),
        ("[![badge](https://b.example)](https://l.example)", "badge"),
        ("<https://x.example/>", "https://x.example/"),
        ("H<sub>2</sub>O<br>next<!-- no -->", "H2O\nnext"),
        ("soft\nbreak  \nhard\\\nbreak", "soft break\nhard\nbreak"),
        ("[js](javascript:alert(1))", "js"),
        ("Setext *title*\n===", "Setext title"),
        ("## Closed ##", "Closed"),
        ("- a\n- b\n  1. c\n  2. *d*", "a\nb\n1. c\n2. d"),
        ("> quoted\n> > *twice*", "quoted\ntwice"),
        ("| a | *b* |\n|:--|--:|\n| `x \\| y` | [l](u) |\n| only |", "a\tb\nx | y\tl\nonly"),
        ("```py\na\\_b  # *c*\n\n[x](y)\n```", "a\\_b  # *c*\n\n[x](y)"),
        ("    a\\_b\n      *c*", "a\\_b\n  *c*"),
        ("---\n\nx", "x"),
        ("<div class='a'>\n<p>one &lt; two</p>\n<script>no()</script>\n1 < 2\n</div>", "one < two\n1 < 2"),
        ("[^1]: a footnote here", "[^1]: a footnote here"),
    ],
)
def test_what_a_reader_sees(source: str, expected: str) -> None:
    assert "\n".join(filter(None, rendered(source))) == expected


def test_rules_comments_and_definitions_show_nothing() -> None:
    assert rendered("***\n\n<!-- a\n\nb -->\n\n[x]: /u") == ["", "", ""]


def test_a_part_of_a_table_is_cells_without_pipes() -> None:
    assert plain_part("table", "> | a | b |\n> |---|---|\n> | 1 | \\|", {}) == "a\tb\n1\t|"


def test_a_part_of_a_quote_has_no_quote_marks() -> None:
    assert plain_part("paragraph", "one\n> > two *x*", {}) == "one two x"


@pytest.mark.parametrize("text", ["<!--" * 2000, "<script" * 2000, "<a " * 5000, "[" * 5000, "`a``" * 2000])
def test_pathological_markup_is_rendered_in_time(text: str) -> None:
    assert plain_part("html", text, {}) is not None
    assert plain_part("paragraph", text, {}) is not None


def test_letters_that_change_their_length_in_lower_case_do_not_shift_what_is_cut_out() -> None:
    assert rendered("<p>İİİ</p><!-- x --><b>kept</b>") == ["İİİkept"]
