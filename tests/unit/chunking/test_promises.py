"""The promises K1-K6 for any input, by property: whatever hypothesis writes, the chunks keep them."""

import re
from itertools import pairwise

import pytest
import regex
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chunking import Anchor, Block, Chunk, MDocument, TiktokenCounter, parse_markdown
from chunking.markdown import HEADER_OMITTED

COUNT = TiktokenCounter().count

ANY_TEXT = st.text(st.characters(), max_size=400)  # every code point, surrogates too
NEWLINES = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n\n\n", "\u2028", "\u0085", "\x0b\n"])
NASTY = st.sampled_from(
    [
        "\0", "\ufeff", "\ud83d", "<|endoftext|>", "👨‍👩‍👧‍👦" * 9,
        "e" + "\u0301" * 200, "שלום עולם " * 20,
        "=" * 90, "漢字かな交じり文。" * 30, "x\u200b" * 60, "&nbsp;" * 40, "\\_" * 80, "![" * 40,
        "`" * 70, "<!--", "-->", "<div>", "</div>", "<pre>", "\t", "    ", "example.org/" + "path/" * 60,
        "[r]: https://example.org/x 'title'", "[r][r]", "---", "===", "|", "|---|", "$$x^2$$", " \u00a0 ",
        "a" * 700, "**a " * 60, "[a](" * 40,
    ]
)  # fmt: skip
WORDS = st.text("abc deé.\n", min_size=1, max_size=120)
INLINE = st.one_of(WORDS, NASTY, ANY_TEXT.map(lambda text: text[:60]))
LINE = INLINE.map(lambda text: " ".join(re.split(r"[\r\n]+", text)))
CODE = st.lists(LINE, max_size=30).map("\n".join)


def fenced(mark: str, info: str, code: str, closed: bool) -> str:
    return f"{mark}{info}\n{code}\n{mark if closed else ''}"


def tabled(header: str, rows: list[str]) -> str:
    cells = [re.sub(r"[|\\`]|^\s*$", "c", row) or "c" for row in (header, *rows)]
    body = "\n".join(f"| {cell} | x |" for cell in cells[1:])
    return f"| {cells[0]} | b |\n|---|---|\n{body}"


MARKS = st.sampled_from(["```", "~~~", "`````"])
FENCES = st.builds(fenced, MARKS, st.sampled_from(["", "py", "c++ x=1"]), CODE, st.booleans())
TABLES = st.builds(tabled, LINE, st.lists(LINE, min_size=1, max_size=25))
HASHES = st.sampled_from(["#", "##", "###", "######"])
HEADINGS = st.one_of(
    st.builds("{} {} {}".format, HASHES, LINE, st.sampled_from(["", "##"])),
    st.builds("{}\n{}".format, LINE, st.sampled_from(["===", "---"])),
)


def nested(blocks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    marks = st.sampled_from([("> ", "> "), ("- ", "  "), ("1. ", "   "), ("    ", "    "), ("> > - ", "> >   ")])

    def put(block: str, mark: tuple[str, str], times: int) -> str:
        first, rest = mark[0] * times, mark[1] * times
        return first + f"\n{rest}".join(block.split("\n"))

    return st.builds(put, blocks, marks, st.sampled_from([1, 1, 2, 40]))


BLOCKS = st.recursive(st.one_of(INLINE, FENCES, TABLES, HEADINGS), nested, max_leaves=3)
DOCUMENTS = st.one_of(
    ANY_TEXT,
    st.lists(st.one_of(BLOCKS, NEWLINES), max_size=12).map("\n\n".join),
    st.builds(lambda blocks, newline: newline.join(blocks), st.lists(BLOCKS, max_size=12), NEWLINES),
)
CAPS = st.sampled_from([64, 65, 100, 256])

properties = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def chunked(
    source: str, cap: int, *, target: int | None = None, title: str = "", anchors: tuple[Anchor, ...] = ()
) -> list[Chunk]:
    document = MDocument.from_markdown(source, {"title": title}, anchors)
    return document.chunk(max_size=cap, target_size=target).get_docs()


def top_level(source: str, kind: str) -> list[Block]:
    return [block for block in parse_markdown(source).blocks if block.kind == kind]


def fits(block: Block, source: str, cap: int) -> bool:
    return COUNT(source[block.start : block.end]) <= cap and COUNT(parse_markdown(source).plain(block)) <= cap


@pytest.mark.promise("K1")
@properties
@given(source=DOCUMENTS, cap=CAPS, title=INLINE, target=st.sampled_from([None, 1, 40]))
@example(source="\n```" + "þ" * 17 + "ᑝ" * 4 + "၀" * 5 + "ጩ" * 6 + "၀" * 5 + "၁", cap=100, title="a", target=None)
@example(source="# " + "word " * 500 + "\n\n```" + "i" * 900 + "\nx\n```", cap=64, title="t" * 900, target=None)
@example(source="`" * 4000 + "py\n" + "x\n" * 400, cap=64, title="", target=1)
@example(source="> " * 3000 + "x", cap=64, title="", target=None)
def test_no_text_and_no_embedded_text_is_over_the_cap(source: str, cap: int, title: str, target: int | None) -> None:
    for chunk in chunked(source, cap, title=title, target=target):
        assert COUNT(chunk.text) <= cap
        assert COUNT(chunk.embed_text) == chunk.token_count <= cap
        assert chunk.embed_text.strip()


@pytest.mark.promise("K4")
@properties
@given(source=DOCUMENTS, cap=CAPS)
@example(source="a" + "\n" * 9000 + "b" + " " * 9000 + "c", cap=64)
@example(source="\ufeff", cap=64)
@example(source="> a\n>\n> [r]: /x\n>\n> - b\n>\n>   c\n\n[s]: /y\n\n- [t]: /z\n", cap=64)
def test_every_non_space_character_is_in_the_span_of_a_chunk_in_order(source: str, cap: int) -> None:
    position = 0
    for chunk in chunked(source, cap):
        start, end = chunk.span
        assert position <= start < end
        assert source[position:start].strip() == ""
        assert source[start:end] in chunk.text
        position = end
    assert source[position:].strip() == ""


@pytest.mark.promise("K2")
@properties
@given(before=LINE, code=CODE, mark=st.sampled_from(["```", "~~~~"]), after=LINE, cap=CAPS)
@example(before="# A", code="x = 1\n" * 200, mark="```", after="b", cap=64)
def test_no_fence_is_cut_unless_it_is_over_the_cap_and_then_each_part_is_fenced(
    before: str, code: str, mark: str, after: str, cap: int
) -> None:
    source = f"{before}\n\n{mark}py\n{code}\n{mark}\n\n{after}"
    chunks = chunked(source, cap)
    for fence in top_level(source, "fence"):
        parts = [chunk for chunk in chunks if chunk.span[0] < fence.end and fence.start < chunk.span[1]]
        if fits(fence, source, cap):
            assert len(parts) == 1
            continue
        for part in parts[1:]:
            first = parse_markdown(part.text).blocks[0]
            assert (first.kind, first.language, first.closed) == ("fence", fence.language, True)


@pytest.mark.promise("K3")
@properties
@given(before=LINE, table=TABLES, cap=CAPS)
@example(before="# A", table="| a | b |\n|---|---|\n" + "| one two | three |\n" * 90, cap=64)
@example(before="# A", table=f"| {'head ' * 60} | b |\n|---|---|\n" + "| one | two |\n" * 90, cap=64)
def test_no_part_of_a_table_is_without_its_header_or_flag(before: str, table: str, cap: int) -> None:
    source = f"{before}\n\n{table}"
    chunks = chunked(source, cap)
    for found in top_level(source, "table"):
        header = source[found.start : found.children[0].end]
        parts = [chunk for chunk in chunks if chunk.span[0] < found.end and found.start < chunk.span[1]]
        assert len(parts) == 1 or not fits(found, source, cap)
        for part in parts:
            assert header in part.text or part.metadata[HEADER_OMITTED]
            if HEADER_OMITTED in part.metadata:
                assert COUNT(header) > cap // 4


@pytest.mark.promise("K5")
@properties
@given(source=DOCUMENTS, cap=CAPS)
def test_every_chunk_has_the_path_of_its_first_section_or_a_parent_and_the_last_anchor(source: str, cap: int) -> None:
    headings = top_level(source, "heading")
    anchors: tuple[Anchor, ...] = tuple((block.start, f"h{block.start}", block.level, "") for block in headings)
    for chunk in chunked(source, cap, anchors=anchors):
        start, end = chunk.span
        first = end - len(source[start:end].lstrip())
        before = [block for block in headings if block.start <= first]
        assert chunk.anchor == (f"h{before[-1].start}" if before else None)
        levels: list[Block] = []
        for block in before + [block for block in headings if first < block.start < end]:
            levels = [*(outer for outer in levels if outer.level < block.level), block]
        assert len(chunk.headings) <= len(levels)
        inside = [block for block in headings if start <= block.start < end]
        if not inside:
            assert len(chunk.headings) == sum(bool(parse_markdown(source).plain(block).split()) for block in levels)


@pytest.mark.promise("K6")
@properties
@given(source=DOCUMENTS, cap=CAPS)
def test_the_same_input_gives_the_same_chunks(source: str, cap: int) -> None:
    assert chunked(source, cap) == chunked(source, cap)


@pytest.mark.promise("K6")
def test_a_page_is_cut_into_these_chunks_on_every_machine() -> None:
    source = "# A\n\none two\n\n## B\n\n" + "alpha beta gamma. " * 30 + "\n\n```py\nx\n```\n"
    spans = [chunk.span for chunk in chunked(source, 64, title="T")]
    assert spans == [(0, 12), (14, 253), (254, 487), (488, 573)]


@pytest.mark.promise("K1")
@properties
@given(graphemes=st.lists(st.sampled_from(["👨‍👩‍👧", "e\u0301", "🇫🇷", "नि", "a"]), min_size=90, max_size=300))
def test_no_grapheme_is_cut(graphemes: list[str]) -> None:
    text = "".join(graphemes)
    edges = {0} | {match.end() for match in regex.finditer(r"\X", text)}
    spans = [chunk.span for chunk in chunked(text, 64)]
    assert all(start in edges and end in edges for start, end in spans)
    assert all(left[1] == right[0] for left, right in pairwise(spans))


@pytest.mark.promise("K1")
@pytest.mark.parametrize("times", range(15, 30))
def test_a_block_that_shows_more_than_is_written_is_cut_like_one_that_is_too_long(times: int) -> None:
    source = "&ngE;" * times  # four signs and letters that stand for two rarer ones
    chunks = chunked(source, 64)
    assert all(max(COUNT(chunk.text), chunk.token_count) <= 64 for chunk in chunks)
    assert "".join(chunk.text for chunk in chunks) == source


@pytest.mark.promise("K1")
@pytest.mark.parametrize("end", ['"=>', "-<?", "____)\\!!!!!!!!!!!;;;;;;;;;;;;;;;;", ")", "word"])
@pytest.mark.parametrize("newline", ["\n", "\n\n", "\n\n\n\n"])
@pytest.mark.parametrize("cap", [64, 101, 256])
def test_marks_that_take_other_tokens_before_a_line_end_do_not_bring_a_text_over_the_cap(
    end: str, newline: str, cap: int
) -> None:
    source = newline.join(f"- a{end}" for _ in range(cap))
    assert all(COUNT(chunk.text) <= cap for chunk in chunked(source, cap))
