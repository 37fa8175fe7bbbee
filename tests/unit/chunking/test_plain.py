"""The plain rendering: what a reader sees, with code as it is."""

import pytest

from chunking import parse_markdown


def rendered(source: str) -> list[str]:
    parsed = parse_markdown(source)
    return [parsed.plain(block) for block in parsed.blocks]


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
        ("git switch <branch> or<BR/>git", "git switch  or\ngit"),
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


@pytest.mark.parametrize(
    ("source", "part", "expected"),
    [
        ("> | a | b |\n> |---|---|\n> | 1 | \\| |\n> | 2 | 3 |", "> | 1 | \\| |", "1\t|"),
        ("> one\n> two *x* three", "two *x", "two x"),
        ("see [the long *title*](https://x.example/) now", "g *title*](https", "g title"),
        ("a `one\ntwo three` b", "two three` b", "two three b"),
        ("```py\na\n  b\nc\n```", "  b\nc\n```", "  b\nc"),
        ("a&amp;b&lt;c", "&amp;b", "&b"),
    ],
)
def test_a_part_of_a_block_shows_its_part_of_the_text(source: str, part: str, expected: str) -> None:
    start = source.index(part)
    assert parse_markdown(source).shown.text(start, start + len(part)) == expected


@pytest.mark.parametrize(
    "source", ["a &amp; *b* [c](d) `e\nf` g", "> x\n>\n> - y *z*\n\n| a | b |\n|--|--|\n| 1 | |\n"]
)
def test_the_texts_of_adjoining_parts_are_the_whole_text(source: str) -> None:
    shown = parse_markdown(source).shown
    whole = shown.text(0, len(source))
    for cut in range(len(source) + 1):
        parts = shown.text(0, cut) + shown.text(cut, len(source))
        assert "".join(parts.split()) == "".join(whole.split())


@pytest.mark.parametrize("text", ["<!--" * 2000, "<script" * 2000, "<a " * 5000, "[" * 5000, "`a``" * 2000])
def test_pathological_markup_is_rendered_in_time(text: str) -> None:
    assert parse_markdown(text).shown.text(0, len(text))
    assert parse_markdown(f"<div>\n{text}\n</div>").shown.texts is not None


def test_letters_that_change_their_length_in_lower_case_do_not_shift_what_is_cut_out() -> None:
    assert rendered("<p>İİİ</p><!-- x --><b>kept</b>") == ["İİİkept"]


def test_a_tab_before_a_line_of_html_in_a_list_is_no_text() -> None:
    assert rendered("1. <pre>a\n\tb\n") == ["1. a\nb"]


@pytest.mark.parametrize(
    "source", ["1. <pre>a\n\tb\n", "-\t\tcode\n\n\t\tmore\n", "> \tx\n>\t\ty\n", "[a]: b\n- [^1]: n\nx"]
)
def test_visible_text_is_in_the_order_of_the_source(source: str) -> None:
    starts = list(parse_markdown(source).shown.starts)
    assert starts == sorted(starts)
