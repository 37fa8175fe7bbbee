"""Markdown into blocks: kinds, exact spans, and the headings that other splitters get wrong."""

from collections.abc import Iterator, Sequence

import pytest

from chunking import Block, parse_markdown, parse_text
from chunking.blocks import covering


def walk(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from walk(block.children)


def kinds(source: str) -> list[tuple[str, str]]:
    """Kind and source of each top-level block."""
    return [(block.kind, source[block.start : block.end]) for block in parse_markdown(source).blocks]


def headings(source: str) -> list[tuple[int, str]]:
    return [(block.level, block.content) for block in parse_markdown(source).blocks if block.kind == "heading"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# A\n\ntext\nmore\n", [("heading", "# A"), ("paragraph", "text\nmore")]),
        ("```py\nx\n```\nafter", [("fence", "```py\nx\n```"), ("paragraph", "after")]),
        ("    code\n\n    more\n\ntext", [("indented_code", "    code\n\n    more"), ("paragraph", "text")]),
        ("| a |\n|---|\n| 1 |\n\n- x\n- y\n", [("table", "| a |\n|---|\n| 1 |"), ("list", "- x\n- y")]),
        ("> q\nlazy\n\n---\n", [("blockquote", "> q\nlazy"), ("rule", "---")]),
        ("<div>\nx\n</div>\n\ny", [("html", "<div>\nx\n</div>"), ("paragraph", "y")]),
        ("a\n\n[x]: /u 't'\n[y]: /v\n", [("paragraph", "a"), ("definition", "[x]: /u 't'\n[y]: /v")]),
        ("[x]: /u\n\nb", [("definition", "[x]: /u"), ("paragraph", "b")]),
        ("---\nt: 1\n---\n# A", [("front_matter", "---\nt: 1\n---"), ("heading", "# A")]),
        ("\n---\nt: 1\n---\n", [("rule", "---"), ("heading", "t: 1\n---")]),
        ("+++\nt = 1\n+++\n", [("paragraph", "+++\nt = 1\n+++")]),
        ("", []),
        (" \n\t\r\n\u2003\n", []),
    ],
)  # fmt: skip
def test_blocks_and_their_spans(source: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "# A\r\n\r\ntext\r\nmore\r\n\r\n```\r\nx\r\n```\r\n\r\n# B\r\n",
        "# A\r\rtext\rmore\r\r```\rx\r```\r\r# B\r",
        "# A\n\nte\u2028xt\x0b\x85\n\x1cmore\n\n```\nx\n```\n\n# B\n",
        "# A\n\nte\0xt\n\ud800more\n\n```\n\0\n```\n\n# B\n",
    ],
)
def test_spans_refer_to_the_source_whatever_its_newlines_and_characters(source: str) -> None:
    parts = [part for _, part in kinds(source)]
    assert [kind for kind, _ in kinds(source)] == ["heading", "paragraph", "fence", "heading"]
    assert (parts[0], parts[-1]) == ("# A", "# B")
    assert parts[2].startswith("```")
    assert parts[2].endswith("```")


def test_a_byte_order_mark_hides_no_heading_and_no_front_matter() -> None:
    assert headings("\ufeff# A\n") == [(1, "A")]
    assert kinds("\ufeff---\na: 1\n---\n\n# B")[0][0] == "front_matter"


@pytest.mark.promise("K5")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("~~~\n# x\n~~~\n# real", [(1, "real")]),
        ("text ```x``` more\n\n# real", [(1, "real")]),
        ("```x```\n\n# real", [(1, "real")]),
        ("````\n```\n# inner\n```\n````\n# real", [(1, "real")]),
        ("```\n# inner\n~~~\n# inner\n```\n# real", [(1, "real")]),
        ("```\n# unclosed\n", []),
        ("    # indented\n\n# real", [(1, "real")]),
        ("para\n    # lazy\n", []),
        ("Title\n=====\n\nSub\n---\n\ntwo\nlines\n===", [(1, "Title"), (2, "Sub"), (1, "two\nlines")]),
        ("## Title ##\n### C# ###   \n# D \\#", [(2, "Title"), (3, "C#"), (1, "D \\#")]),
        ("#hashtag\n\n####### seven\n\n\\# no", []),
        ("#\n\n##   \n", [(1, ""), (2, "")]),
        ("<pre>\n# x\n\n# y\n</pre>\n\n# real", [(1, "real")]),
        ("<!--\n# x\n\n-->\n# real", [(1, "real")]),
        ("> # quoted\n\n- # listed\n\n# real", [(1, "real")]),
        ("| a |\n|---|\n| # x |\n\n# real", [(1, "real")]),
        ("   # three\n\n #\ttab", [(1, "three"), (1, "tab")]),
    ],
)
def test_headings_are_those_of_commonmark(source: str, expected: list[tuple[int, str]]) -> None:
    assert headings(source) == expected


@pytest.mark.parametrize(
    ("source", "language", "content", "closed"),
    [
        ("```python title=x\na\n```", "python", "a\n", True),
        ("~~~ {.sh}\na\n~~~", "{.sh}", "a\n", True),
        ("`````\n```\n`````", "", "```\n", True),
        ("```js\n\n", "js", "\n", False),
        ("```js\na", "js", "a", False),
        ("```js", "js", "", False),
        ("```\n    ```\n```", "", "    ```\n", True),
        ("> ```c\n> a\n\nb", "c", "a\n", False),
        ("1. x\n\n   ```r\n   a\n     b\n   ```\n", "r", "a\n  b\n", True),
    ],
)
def test_a_fence_has_its_language_its_code_and_its_end(source: str, language: str, content: str, closed: bool) -> None:
    fence = next(block for block in walk(parse_markdown(source).blocks) if block.kind == "fence")
    assert (fence.language, fence.content, fence.closed) == (language, content, closed)


def test_lists_quotes_and_tables_have_children_with_spans() -> None:
    source = "1. one\n2. two\n\n   > quoted\n\n   | a | b |\n   |---|---|\n   | 1 | `x \\| y` |\n"
    (block,) = parse_markdown(source).blocks
    assert [(item.kind, item.content) for item in block.children] == [("item", "1."), ("item", "2.")]
    inner = block.children[1].children
    assert [child.kind for child in inner] == ["paragraph", "blockquote", "table"]
    assert [row.content for row in inner[2].children] == ["a\tb", "1\t`x | y`"]
    assert source[inner[2].children[1].start : inner[2].children[1].end] == "   | 1 | `x \\| y` |"


@pytest.mark.parametrize("nest", ["> " * 500, "- " * 500, "1. " * 300, "> - " * 300])
def test_nesting_of_any_depth_neither_fails_nor_swallows_what_follows(nest: str) -> None:
    source = f"{nest}deep\n\n# after\n"
    assert headings(source) == [(1, "after")]
    assert kinds(source)[0][1] == f"{nest}deep"


def test_blocks_are_widened_or_cut_until_they_hold_each_character_once() -> None:
    source = "> - a\n>\n> - b\n>\n> c\n"
    (quote,) = parse_markdown(source).blocks
    parts = covering(quote.children, quote.start, quote.end, source)
    assert [source[part.start : part.end] for part in parts] == ["> - a\n>\n> - b\n>", "> c"]
    assert list(covering((), 0, 9, source)) == []


def test_plain_text_is_paragraphs_and_nothing_in_it_is_markup() -> None:
    source = "# no heading\r\nmore\r\n \r\n```\n\n- x"
    blocks = parse_text(source).blocks
    assert {block.kind for block in blocks} == {"text"}
    assert [block.content for block in blocks] == ["# no heading\r\nmore", "```", "- x"]
