"""The markdown strategy: what is kept whole, how the rest is cut, and what each chunk says of itself."""

import pytest

from chunking import Anchor, CharacterCounter, Chunk, MDocument, TiktokenCounter, parse_markdown
from chunking.markdown import HEADER_OMITTED

COUNT = TiktokenCounter().count
PROSE = "Every sentence of this paragraph says the same thing again. "
ECHO = "echo 1 2 3\n" * 90


def chunks(
    source: str,
    cap: int = 128,
    target: int | None = None,
    *,
    title: str = "",
    anchors: tuple[Anchor, ...] = (),
    **options: object,
) -> list[Chunk]:
    document = MDocument.from_markdown(source, {"title": title}, anchors)
    return document.chunk("markdown", max_size=cap, target_size=target, **options).get_docs()


@pytest.mark.promise("K2")
@pytest.mark.parametrize("mark", ["```", "~~~~"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_fence_over_the_cap_is_cut_at_lines_and_each_part_is_fenced_again(mark: str, newline: str) -> None:
    lines = [f"    value_{number} = {number}" for number in range(60)]
    source = newline.join(["# A", "", f"{mark}python title=x", *lines, mark, "", "after"])
    code: list[str] = []
    for chunk in chunks(source):
        fences = [block for block in parse_markdown(chunk.text).blocks if block.kind == "fence"]
        assert len(fences) == 1
        assert (fences[0].language, fences[0].closed) == ("python", True)
        assert chunk.languages == ("python",)
        assert mark not in chunk.embed_text
        code += fences[0].content.splitlines()
    assert code == lines


@pytest.mark.promise("K2")
def test_a_fence_that_fits_the_cap_alone_is_whole_and_the_breadcrumb_gives_way() -> None:
    body = "x = 1\n" * 24
    fence = f"```py\n{body}```"
    assert 110 < COUNT(fence) <= 128
    source = f"# {'Long heading ' * 10}\n\n{PROSE}\n\n{fence}\n\n{PROSE}"
    held = [chunk for chunk in chunks(source) if "```" in chunk.text]
    assert len(held) == 1
    assert fence in held[0].text
    assert held[0].headings == (("Long heading " * 10).strip(),)


@pytest.mark.promise("K2", "K3")
@pytest.mark.parametrize("words", [5, 20, 30, 60, 100, 200])
def test_a_long_heading_before_a_block_that_is_cut_takes_neither_fence_nor_header(words: int) -> None:
    heading = f"# {'word ' * words}\n\n"
    rows = "| 1 | 2 |\n" * 90
    for part in chunks(f"{heading}| {'head ' * 40} | b |\n|---|---|\n{rows}"):
        assert "| 1 | 2 |" not in part.text or "|---|---|\n" in part.text
    for part in chunks(f"{heading}```py {'info ' * 40}\n{'x = 1' * 9}\n{ECHO}```"):
        assert "echo" not in part.text or part.text.endswith("```")


def test_no_chunk_holds_only_the_end_of_a_fence() -> None:
    for lines in range(40, 60):
        last = chunks("```sh\n" + "echo one two three\n" * lines + "```")[-1]
        assert last.text.startswith("```sh\necho")
        assert last.embed_text.startswith("echo")


@pytest.mark.promise("K2")
def test_an_unclosed_fence_is_closed_in_every_part() -> None:
    parts = chunks("~~~sh\n" + "echo one two three\n" * 60)
    assert len(parts) > 1
    for part in parts:
        (fence,) = parse_markdown(part.text).blocks
        assert (fence.kind, fence.language, fence.closed) == ("fence", "sh", True)


@pytest.mark.promise("K2")
def test_the_parts_of_a_fence_with_a_long_mark_or_language_are_still_fenced() -> None:
    code = "````\n" + "echo one two three\n" * 60
    for part in chunks(f"{'`' * 40}sh\n{code}{'`' * 40}")[1:]:
        assert part.text.startswith("`````sh\necho")
    for part in chunks(f"```{'x' * 500}\n{code[5:]}```")[3:]:
        assert part.text.startswith("```\necho")


@pytest.mark.promise("K2")
def test_a_fence_in_a_quote_and_a_list_is_fenced_again_too() -> None:
    code = "> call(one, two, three)\n" * 60
    for part in chunks(f"> intro\n>\n> ```js\n{code}> ```\n")[1:]:
        (quote,) = parse_markdown(part.text).blocks
        assert [(block.kind, block.language) for block in quote.children] == [("fence", "js")]
        assert ">" not in part.embed_text
    listed = chunks("- x\n\n  ```js\n" + "  call(one, two)\n" * 60 + "  ```\n")
    assert all(part.text.startswith("```js\n") for part in listed[2:])


@pytest.mark.promise("K3")
def test_a_table_over_the_cap_is_cut_between_rows_and_keeps_its_header() -> None:
    rows = [f"| name{number} | value \\| number {number} |" for number in range(60)]
    source = "\n".join(["# A", "", "| name | value |", "|:-----|------:|", *rows, "", "after"])
    seen: list[str] = []
    for chunk in chunks(source, include_breadcrumb=True):
        tables = [block for block in parse_markdown(chunk.text).blocks if block.kind == "table"]
        for table in tables:
            assert table.children[0].content == "name\tvalue"
            seen += [row.content for row in table.children[1:]]
            assert "name\tvalue" in chunk.embed_text
        assert HEADER_OMITTED not in chunk.metadata
    assert seen == [f"name{number}\tvalue | number {number}" for number in range(60)]


@pytest.mark.promise("K3")
def test_a_row_over_the_cap_is_cut_and_each_part_has_the_header() -> None:
    source = f"| a | b |\n|---|---|\n| 1 | {PROSE * 30} |\n| 2 | x |\n"
    parts = chunks(source)
    assert len(parts) > 2
    assert all(part.text.startswith("| a | b |\n|---|---|\n") for part in parts)


@pytest.mark.promise("K3")
def test_a_table_whose_header_is_over_half_the_cap_is_flagged() -> None:
    source = f"| {PROSE * 8} | b |\n|---|---|\n" + "| 1 | 2 |\n" * 60
    parts = chunks(source)
    assert len(parts) > 2
    assert all(part.metadata[HEADER_OMITTED] is True for part in parts)


def test_a_row_over_the_target_but_under_the_cap_is_whole() -> None:
    row = f"| 1 | {PROSE * 10} |"
    source = "| a | b |\n|---|---|\n" + f"{row}\n" * 20
    parts = chunks(source, 512, 64)
    assert all(part.text.endswith("|") for part in parts)


def test_a_list_over_the_cap_is_cut_between_items() -> None:
    source = "".join(f"{number % 9 + 1}. {PROSE}\n\n   second part\n" for number in range(19))
    for chunk in chunks(source):
        assert chunk.text[0].isdigit()
        assert chunk.text.endswith("second part")


def test_a_paragraph_over_the_cap_is_cut_between_sentences() -> None:
    parts = chunks(PROSE * 40)
    assert len(parts) > 3
    assert all(part.text.endswith(".") and part.text.startswith("Every") for part in parts)


def test_a_block_over_the_target_but_under_the_cap_is_whole() -> None:
    parts = chunks(f"# A\n\n{PROSE * 15}\n\n- {PROSE * 10}\n- {PROSE * 10}", 512, 64)
    assert len(parts) == 2
    assert parts[0].text.startswith("# A\n\nEvery")


def test_blocks_are_joined_up_to_the_target() -> None:
    parts = chunks("# A\n\n" + f"{PROSE}\n\n" * 40, 512, 100)
    assert all(part.token_count <= 100 for part in parts)
    assert all(part.token_count > 80 for part in parts[:-1])


def test_small_sections_of_one_parent_are_packed_under_their_common_path() -> None:
    source = "# Top\n\n## One\n\nfirst\n\n## Two\n\nsecond\n\n## Three\n\n" + PROSE * 6
    first, second = chunks(source, 512, 64)
    assert (first.headings, second.headings) == (("Top",), ("Top", "Three"))
    assert first.text == "# Top\n\n## One\n\nfirst\n\n## Two\n\nsecond"


def test_sections_of_different_parents_are_not_packed() -> None:
    long = f"{PROSE * 6}\n\n"
    source = f"# Top\n\n## One\n\n{long}### Inner\n\nsmall\n\n## Two\n\nsmall\n\n{long}"
    assert [chunk.headings for chunk in chunks(source, 512, 75)] == [
        ("Top", "One"), ("Top", "One", "Inner"), ("Top", "Two"),
    ]  # fmt: skip


def test_a_heading_without_text_goes_with_the_first_section_below_it() -> None:
    source = f"# Top\n\n## Group\n\n### One\n\n{PROSE * 6}\n\n### Two\n\n{PROSE * 6}"
    first, second = chunks(source, 512, 80)
    assert first.text.startswith("# Top\n\n## Group\n\n### One\n\nEvery")
    assert first.headings == ("Top", "Group", "One")
    assert second.headings == ("Top", "Group", "Two")


def test_a_heading_stays_with_the_first_part_of_a_block_that_is_cut() -> None:
    assert chunks("## Heading\n\n" + PROSE * 40)[0].text.startswith("## Heading\n\nEvery sentence")


def test_a_chunk_below_the_minimum_may_grow_over_the_target() -> None:
    source = f"# A\n\n{PROSE * 6}\n\ntail\n"
    assert len(chunks(source, 512, 70)) == 2
    assert len(chunks(source, 512, 70, min_size=20)) == 1


@pytest.mark.promise("K5")
def test_the_breadcrumb_is_title_and_headings_before_the_plain_text() -> None:
    (chunk,) = chunks("# Guide\n\n## Set *up*\n\nUse [`pip`](https://x.example).", 512, title="The site")
    assert chunk.embed_text == "The site > Guide > Set up\n\nGuide\n\nSet up\n\nUse pip."
    assert chunk.text == "# Guide\n\n## Set *up*\n\nUse [`pip`](https://x.example)."
    assert chunk.headings == ("Guide", "Set up")
    assert chunk.token_count == COUNT(chunk.embed_text)


@pytest.mark.promise("K5")
@pytest.mark.parametrize("title", ["Guide", "guide", "Guide — The site", "The site | Guide"])
def test_a_title_that_says_the_h1_is_written_once(title: str) -> None:
    (chunk,) = chunks("# Guide\n\ntext", title=title)
    assert chunk.embed_text.splitlines()[0] == title


def test_without_breadcrumb_the_embedded_text_is_the_plain_text() -> None:
    (chunk,) = chunks("# Guide\n\ntext", title="T", include_breadcrumb=False)
    assert (chunk.embed_text, chunk.headings) == ("Guide\n\ntext", ("Guide",))


@pytest.mark.promise("K1")
def test_the_breadcrumb_takes_a_quarter_of_the_cap_and_outer_parts_give_way() -> None:
    source = f"# {'outer ' * 40}\n\n## inner\n\n{PROSE * 20}"
    for chunk in chunks(source, title="title " * 20)[1:]:
        assert chunk.embed_text.startswith("inner\n\n")
    for chunk in chunks(f"# {'word ' * 400}\n\n{PROSE * 20}")[3:]:
        assert COUNT(chunk.embed_text.split("\n\n")[0]) <= 32
        assert chunk.embed_text.startswith("word word")


@pytest.mark.promise("K5")
def test_the_anchor_is_the_nearest_at_or_before_the_first_character() -> None:
    source = f"lead {PROSE * 6}\n\n# A\n\n{PROSE * 6}\n\n{PROSE * 6}"
    heading = source.index("# A")
    anchors = ((heading, "bare", None, ""), (heading, "a", 1, "A"), (len(source) - 5, "late", None, ""))
    assert [chunk.anchor for chunk in chunks(source, 512, 70, anchors=anchors)] == [None, "a", "a"]


@pytest.mark.promise("K5")
def test_a_term_is_in_the_breadcrumb_and_anchors_its_chunk() -> None:
    source = f"# m\n\n`m.f(x)`\n\n{PROSE * 6}\n\n`m.g(y)`\n\n{PROSE * 6}"
    anchors = (
        (source.index("`m.f"), "m.f", None, "m.f(x)"),
        (source.index("`m.g"), "m.g", None, "m.g(y)"),
    )
    first, second = chunks(source, 512, 90, anchors=anchors)
    assert (second.anchor, second.headings) == ("m.g", ("m", "m.g(y)"))
    assert second.embed_text.startswith("m > m.g(y)\n\nm.g(y)\n\nEvery")
    assert first.text.startswith("# m\n\n`m.f(x)`")
    assert first.headings == ("m", "m.f(x)")


@pytest.mark.promise("K5")
def test_languages_are_those_of_the_code_inside_in_order() -> None:
    source = "```Python\na\n```\n\n- x\n\n  ~~~ {.sh}\n  b\n  ~~~\n\n```\nc\n```\n\n```c++ x\n```\n"
    assert chunks(source)[0].languages == ("python", "sh", "c++")


def test_what_shows_nothing_is_embedded_as_its_source() -> None:
    (chunk,) = chunks("<!-- a comment -->")
    assert chunk.embed_text == "<!-- a comment -->"
    assert chunks("<!-- a comment -->", title="T")[0].embed_text == "T"


@pytest.mark.parametrize("source", ["", " \n\t\n", "\r\n", "\u2028\u00a0"])
def test_nothing_gives_no_chunks(source: str) -> None:
    assert chunks(source) == []


@pytest.mark.parametrize(
    ("unit", "times"),
    [("a", 100_000), (" ", 50_000), ("\n", 50_000), ("[", 10_000), ("> ", 20_000), ("`", 50_000),
     ("|", 20_000), ("# ", 20_000), ("e\u0301", 30_000), ("a\u0301\u0301\u0301", 20_000), ("\0", 30_000)],
)  # fmt: skip
@pytest.mark.promise("K1")
def test_no_character_is_counted_more_than_a_fixed_number_of_times(unit: str, times: int) -> None:
    class Recording:
        counted = 0

        def count(self, text: str) -> int:
            self.counted += len(text)
            return len(text)

    counter = Recording()
    source = f"x{unit * times}x"
    found = chunks(source, 512, counter=counter)
    assert all(len(chunk.text) <= 512 and len(chunk.embed_text) <= 512 for chunk in found)
    assert counter.counted < 40 * len(source)


def test_another_counter_is_one_method() -> None:
    parts = chunks(PROSE * 20, 100, counter=CharacterCounter())
    assert all(len(part.text) <= 100 and part.token_count == len(part.embed_text) for part in parts)


def test_a_line_before_the_first_heading_goes_with_what_follows_under_its_headings() -> None:
    source = f"A title\n\n## One\n\n{PROSE * 6}\n\n## Two\n\n{PROSE * 20}"
    first = chunks(source, 128, min_size=20)[0]
    assert first.text.startswith("A title\n\n## One\n\nEvery")
    assert first.headings == ("One",)
    assert chunks(source, 128)[0].headings == ()


def test_the_end_of_a_section_that_is_too_small_takes_a_block_from_the_chunk_before() -> None:
    source = "# A\n\n" + "\n\n".join([PROSE.strip()] * 8) + "\n\nThe end."
    assert [chunk.token_count for chunk in chunks(source, 100)] == [92, 5]
    assert [chunk.token_count for chunk in chunks(source, 100, min_size=10)] == [81, 16]


def test_a_small_section_is_not_joined_to_the_end_of_another_one() -> None:
    source = f"# T\n\n## One\n\n{PROSE * 20}\n\n## Two\n\nsmall\n\n## Three\n\n{PROSE * 20}"
    alone = [chunk for chunk in chunks(source, 128, min_size=20) if "small" in chunk.text]
    assert [(chunk.text, chunk.headings) for chunk in alone] == [("## Two\n\nsmall", ("T", "Two"))]


@pytest.mark.parametrize("letter", ["e", "é", "說"])
def test_a_small_section_leads_to_what_it_opens_in_any_script(letter: str) -> None:
    small = "write value part beta read words table part list value file gamma words table file beta alpha file list"
    source = f"# T\n\n## One\n\n{small} {letter}.\n\n### Two\n\n{PROSE * 8}"
    assert chunks(source, 8_190, min_size=50)[0].headings == ("T", "One", "Two")
