"""Every strategy by property: the cap on both texts, nothing lost, the same again; and what each one is for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from chunking import (
    ENCODINGS,
    LANGUAGES,
    STRATEGIES,
    CharacterCounter,
    CharacterOptions,
    Chunk,
    HtmlOptions,
    InvalidDocument,
    InvalidOption,
    JsonOptions,
    MarkdownOptions,
    MDocument,
    PackingOptions,
    RecursiveOptions,
    SentenceOptions,
    TiktokenCounter,
)
from chunking.strategies.json import JSON_CUT

COUNT = TiktokenCounter().count
PROSE = "Every sentence of this paragraph says the same thing again. "
CODE = "x = 1\n" * 200
CUTTING = ("recursive", "character", "token", "sentence", "latex")

properties = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
PIECES = st.one_of(
    st.text(st.characters(), max_size=60),
    st.sampled_from(
        ["\n\n", "\n", " ", ". ", "。", "def f():\n    pass\n", "\\section{A}\n", "👨‍👩‍👧‍👦" * 20, "a" * 900,
         "é" * 300, "\ud83d",
         "e" + "\u0301" * 200, " " * 500, PROSE * 12, "<|endoftext|>", "\0", "漢字" * 90, "\r\n\r\n", "x = 1\n" * 60]
    ),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)
CAPS = st.sampled_from([64, 100, 256])


def under_the_cap(chunks: list[Chunk], cap: int) -> bool:
    return all(COUNT(chunk.text) <= cap and COUNT(chunk.embed_text) == chunk.token_count <= cap for chunk in chunks)


def is_covered(source: str, chunks: list[Chunk]) -> bool:
    position = 0
    for chunk in chunks:
        start, end = chunk.span
        if not position <= start < end or source[position:start].strip() or not chunk.text.endswith(source[start:end]):
            return False
        position = end
    return not source[position:].strip()


@pytest.mark.promise("K1", "K4", "K6")
@pytest.mark.parametrize("strategy", CUTTING)
@properties
@given(source=TEXTS, cap=CAPS, title=st.sampled_from(["", "A title", "t" * 300]), part=st.sampled_from([0, 0, 3, 2]))
@example(source="a" * 3000 + " b", cap=64, title="title " * 90, part=2)
@example(source="\ufeff\u2003.", cap=64, title="", part=0)
def test_text_is_cut_under_the_cap_and_nothing_is_lost(
    strategy: str, source: str, cap: int, title: str, part: int
) -> None:
    overlap = cap // part if part else 0
    document = MDocument.from_text(source, {"title": title})
    for target in (None, 1, 40):
        chunks = document.chunk(strategy, max_size=cap, target_size=target, overlap=overlap).get_docs()
        assert under_the_cap(chunks, cap)
        assert is_covered(source, chunks)
        assert chunks == document.chunk(strategy, max_size=cap, target_size=target, overlap=overlap).get_docs()


@pytest.mark.promise("K1", "K4")
@properties
@given(source=TEXTS, language=st.sampled_from(LANGUAGES))
def test_the_separators_of_every_language_lose_nothing(source: str, language: str) -> None:
    chunks = MDocument.from_text(source).chunk("recursive", max_size=64, language=language).get_docs()
    assert under_the_cap(chunks, 64)
    assert is_covered(source, chunks)


@pytest.mark.promise("K1", "K4")
@properties
@given(source=TEXTS, cap=CAPS, part=st.sampled_from([2, 3, 8]))
@example(source=f"# A\n\n{PROSE * 40}\n\n```py\n{CODE}```\n\n{PROSE}\n\n## B\n\n{PROSE * 9}", cap=64, part=2)
def test_an_overlap_of_markdown_is_counted_in_the_cap_and_outside_of_the_span(source: str, cap: int, part: int) -> None:
    chunks = MDocument.from_markdown(source, {"title": "T"}).chunk(max_size=cap, overlap=cap // part).get_docs()
    assert under_the_cap(chunks, cap)
    position = 0
    for chunk in chunks:
        start, end = chunk.span
        assert source[position:start].strip() == ""
        assert source[start:end] in chunk.text
        position = end
    assert source[position:].strip() == ""


@pytest.mark.promise("K1", "K4")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("strategy", CUTTING)
def test_every_strategy_counts_by_the_encoding_that_is_named(strategy: str, encoding: str) -> None:
    count = TiktokenCounter(encoding).count
    document = MDocument.from_text("नमस्ते दुनिया, यह एक वाक्य है। " * 60)
    chunks = document.chunk(strategy, max_size=64, encoding=encoding).get_docs()
    assert all(count(chunk.embed_text) == chunk.token_count <= 64 for chunk in chunks)
    assert min(chunk.token_count for chunk in chunks[:-1]) > 32


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_every_strategy_takes_a_counter_of_ones_own(strategy: str) -> None:
    make = {"html": MDocument.from_html, "json": MDocument.from_json}.get(strategy, MDocument.from_text)
    text = json.dumps({"key": PROSE * 9}) if strategy == "json" else PROSE * 9
    chunks = make(text).chunk(strategy, max_size=100, counter=CharacterCounter()).get_docs()
    assert len(chunks) > 4
    assert all(len(chunk.text) <= 100 and chunk.token_count == len(chunk.embed_text) for chunk in chunks)


@pytest.mark.parametrize("strategy", sorted({*STRATEGIES} - {"json"}))
@pytest.mark.parametrize("unit", ["a", " ", "\n", "漢", "x. ", "<b>", "[", "{a:1},"])
def test_the_work_of_every_strategy_is_linear(strategy: str, unit: str) -> None:
    class Recording:
        counted = 0

        def count(self, text: str) -> int:
            self.counted += len(text)
            return len(text)

    counter = Recording()
    source = f"x{unit * (20_000 // len(unit))}x"
    make = MDocument.from_html if strategy == "html" else MDocument.from_text
    assert make(source).chunk(strategy, max_size=512, counter=counter).get_docs()
    assert counter.counted < 60 * len(source)


def texts(source: str, strategy: str, **options: object) -> list[str]:
    return [chunk.text for chunk in MDocument.from_text(source).chunk(strategy, **options).get_docs()]


def test_recursive_cuts_at_the_coarsest_separator_in_reach() -> None:
    source = f"{PROSE * 4}\n\n{PROSE * 4}\n\n{PROSE * 12}"
    assert texts(source, "recursive", max_size=100)[:2] == [f"{PROSE * 4}\n\n{PROSE * 4}".strip(), (PROSE * 8).strip()]
    assert texts("a=1;b=2;c=3" * 30, "recursive", max_size=64, separators=[";"])[0].endswith(";")
    assert (
        texts("a 1 b 22 c 3 " * 40, "recursive", max_size=64, separators=[r"\d+ "], is_separator_regex=True)[0][-1]
        in "123"
    )


def test_recursive_cuts_code_before_its_definitions() -> None:
    body = "    value = compute(one, two, three)\n" * 6
    source = f"import x\n\n\nclass A:\n{body}\n    def f(self):\n{body}\n\n@decorated\ndef g():\n{body}"
    parts = texts(source, "recursive", max_size=110, language="python")
    assert len(parts) == 4
    assert any(part.startswith("@decorated\ndef g") for part in parts)
    assert not any(part.endswith("@decorated") for part in parts)


def test_character_cuts_at_its_separator_and_leaves_what_fits_the_cap_whole() -> None:
    source = "|".join([PROSE, PROSE * 4, PROSE])
    parts = texts(source, "character", max_size=128, target_size=20, separator="|")
    assert parts == [f"{PROSE}|", f"{PROSE * 4}|", PROSE.strip()]
    assert all(COUNT(part) <= 64 for part in texts(PROSE * 30, "character", max_size=64, separator="|"))


def test_token_fills_each_chunk_to_the_token_and_repeats_as_many_as_asked_for() -> None:
    chunks = MDocument.from_text("word " * 1000).chunk("token", max_size=64).get_docs()
    assert {chunk.token_count for chunk in chunks[:-1]} <= {63, 64}
    lapping = MDocument.from_text("word " * 1000).chunk("token", max_size=64, overlap=16).get_docs()
    starts = [chunk.span[0] for chunk in lapping]
    for chunk, start in zip(lapping[1:], starts[1:], strict=True):
        assert chunk.token_count <= 64
        assert 14 <= COUNT(chunk.text) - COUNT(chunk.text[-(chunk.span[1] - start) :]) <= 16


def test_sentence_keeps_sentences_whole_and_repeats_whole_ones() -> None:
    numbered = "".join(f"This is sentence number {number} of the text. " for number in range(60))
    chunks = MDocument.from_text(numbered).chunk("sentence", max_size=100, overlap=30).get_docs()
    assert len(chunks) > 5
    for before, chunk in pairwise(chunks):
        assert chunk.text.startswith("This is")
        assert chunk.text.endswith("text.")
        assert re.findall(r"\d+", chunk.text)[:2] == re.findall(r"\d+", before.text)[-2:]
    assert texts("一つ。二つ！三つ？", "sentence", max_size=64, target_size=4) == ["一つ。", "二つ！", "三つ？"]
    assert texts("One; two; three", "sentence", max_size=64, target_size=2, sentence_enders=[";"]) == [
        "One;",
        "two;",
        "three",
    ]


def test_latex_cuts_before_sections_and_environments() -> None:
    source = f"\\section{{One}}\n{PROSE * 5}\n\\subsection{{In}}\n{PROSE * 5}\n\\section{{Two}}\n{PROSE * 5}"
    assert [part.split("\n")[0] for part in texts(source, "latex", max_size=100)] == [
        "\\section{One}", "\\subsection{In}", "\\section{Two}",
    ]  # fmt: skip


def test_an_overlap_of_markdown_is_whole_sentences_and_never_crosses_a_heading() -> None:
    numbered = "".join(f"This is sentence number {number} of the text. " for number in range(30))
    source = f"# A\n\n{numbered}\n\n## B\n\n{PROSE}\n\n```py\nx\n```\n\n{PROSE * 9}"
    chunks = MDocument.from_markdown(source).chunk(max_size=100, overlap=30).get_docs()
    plain = MDocument.from_markdown(source).chunk(max_size=100).get_docs()
    assert chunks[0].text == plain[0].text or chunks[0].span[0] == 0
    inner = [chunk for chunk in chunks if chunk.headings == ("A",)]
    assert len(inner) > 2
    for before, chunk in pairwise(inner):
        assert chunk.text.startswith("This is sentence")
        assert chunk.text.split("sentence number ")[1].split()[0] in before.text
        assert chunk.embed_text.startswith("A\n\nThis is sentence")
        assert len(chunk.text) > chunk.span[1] - chunk.span[0]
    first_of_b = next(chunk for chunk in chunks if chunk.headings == ("A", "B"))
    assert first_of_b.text.startswith("## B")
    after_code = next(chunk for chunk in chunks if chunk.span[0] > source.index("```py"))
    assert "```" not in after_code.text


# HTML

PAGE = """<html><head><title>The page</title><style>p { color: red }</style></head><body id="top">lead text
<div><h1 id="one">One <em>head</em></h1></div><div><p>first</p><div><h2 id="two">Two</h2></div>wrapped <b>bold</b>
<pre>  code
    more</pre></div><script>hidden()</script><h2>Three</h2><ul><li>x</li><li>y</li></ul>
<table><tr><td>a</td><td>b</td></tr></table></body></html>"""


def visible_words(page: str) -> list[str]:
    """The words of all texts that are not in a script, style or template, in order."""
    tree = LexborHTMLParser(page)
    for hidden in tree.css("script, style, template"):
        hidden.decompose()
    found: list[str] = []
    for node in tree.root.traverse(include_text=True) if tree.root else ():
        if node.tag == "-text":
            found += (node.text_content or "").split()
    return found


def letters(words: list[str]) -> str:
    return "".join("".join(words).split())


def test_html_is_cut_at_headers_wherever_they_are_in_the_tree() -> None:
    chunks = MDocument.from_html(PAGE).chunk("html").get_docs()
    assert [(chunk.headings, chunk.anchor) for chunk in chunks] == [
        ((), None), (("One head",), "one"), (("One head", "Two"), "two"), (("One head", "Three"), "two"),
    ]  # fmt: skip
    assert chunks[2].text == "Two\n\nwrapped bold\n  code\n    more"
    assert chunks[2].embed_text.startswith("The page > One head > Two\n\n")
    assert chunks[0].metadata == {"title": "The page"}
    assert "hidden" not in " ".join(chunk.text for chunk in chunks)


def test_html_is_cut_at_chosen_headers_or_sections() -> None:
    only = MDocument.from_html(PAGE).chunk("html", headers=["h1"]).get_docs()
    assert [chunk.headings for chunk in only] == [(), ("One head",)]
    page = "<main>a<section id=s><h2>S</h2>b<section><h3>T</h3>c</section>d</section>e</main>"
    parts = MDocument.from_html(page).chunk("html", sections=["section"]).get_docs()
    assert [(part.headings, part.text) for part in parts] == [
        ((), "a"), (("S",), "S\nb"), (("S", "T"), "T\nc"), (("S",), "d"), ((), "e"),
    ]  # fmt: skip


MARKUP = st.sampled_from(
    ["<h1>", "</h1>", "<h2 id=a>", "</h2>", "<p>", "</p>", "<div>", "</div>", "<table>", "<tr>", "<td>", "</table>",
     "<pre>", "</pre>", "<b>", "</b>", "<br>", "<li>", "<section>", "</section>", "<template>x</template>", "&amp;",
     "<script>x</script>", "<title>t</title>", "<select><option>", "<svg><text>s</text></svg>", "<!-- c -->",
     "<textarea>"]
)  # fmt: skip
HTML = st.lists(st.one_of(MARKUP, st.text("ab <>é\n", max_size=30), st.just("word " * 90)), max_size=20).map("".join)


@pytest.mark.promise("K1", "K4")
@properties
@given(page=HTML, options=st.sampled_from([{}, {"headers": ["h2"]}, {"sections": ["section", "div"]}]))
@example(page="<div>" * 3000 + "deep" + "</div>" * 3000 + "<h1>after</h1>", options={})
def test_every_visible_text_of_a_page_is_in_a_chunk_in_order(page: str, options: dict[str, list[str]]) -> None:
    chunks = MDocument.from_html(page).chunk("html", max_size=64, **options).get_docs()
    assert under_the_cap(chunks, 64)
    assert letters([chunk.text for chunk in chunks]) == letters(visible_words(page))


# JSON

VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=40), st.just(PROSE * 9)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text("abé\n", max_size=3), inner, max_size=5)
    ),
    max_leaves=30,
)  # fmt: skip


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every scalar and empty container with its keys; the items of a list by number."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, str(number)))
    else:
        yield path, value


@pytest.mark.promise("K1", "K4", "K6")
@properties
@given(value=VALUES, target=st.sampled_from([None, 1, 30]))
@example(value={"a": [PROSE * 30, {"b": [1, 2, [3]]}], "": {}}, target=None)
def test_every_key_path_and_value_of_a_json_document_is_in_a_chunk(value: object, target: int | None) -> None:
    document = MDocument.from_json(json.dumps(value))
    chunks = document.chunk("json", max_size=100, target_size=target).get_docs()
    assert under_the_cap(chunks, 100)
    found: dict[tuple[str, ...], object] = {}
    for chunk in chunks:
        assert JSON_CUT not in chunk.metadata
        for path, leaf in leaves(json.loads(chunk.text)):
            known = found.get(path)
            found[path] = known + leaf if isinstance(known, str) and isinstance(leaf, str) else leaf
    assert {path: "".join(leaf.split()) if isinstance(leaf, str) else leaf for path, leaf in found.items()} == {
        path: "".join(leaf.split()) if isinstance(leaf, str) else leaf for path, leaf in leaves(value)
    }


def test_json_keeps_numbers_and_repeated_keys_as_they_are_written() -> None:
    source = '{"a": 1.10, "a": 1e400, "b": 123456789012345678901234567890, "c": NaN}'
    (chunk,) = MDocument.from_json(source).chunk("json").get_docs()
    assert chunk.text == source


def test_json_chunks_say_which_keys_they_stand_under() -> None:
    value = {"paths": {"/users": {"get": PROSE * 3, "put": PROSE * 3}, "/jobs": {"get": PROSE * 3}}, "tags": [1, 2]}
    document = MDocument.from_json(json.dumps(value), {"title": "The API"})
    chunks = document.chunk("json", max_size=256, target_size=60).get_docs()
    assert chunks[0].headings == ("paths", "/users", "get")
    assert chunks[0].embed_text.startswith("The API > paths > /users > get\n\n")
    assert json.loads(chunks[0].text) == {"paths": {"/users": {"get": PROSE * 3}}}
    assert json.loads(chunks[-1].text)["tags"] == [1, 2]
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))


def test_keys_that_are_too_long_to_be_repeated_are_cut_and_flagged() -> None:
    key = "key " * 200
    chunks = MDocument.from_json(json.dumps({key: 1, "b": 2})).chunk("json", max_size=64).get_docs()
    assert under_the_cap(chunks, 64)
    assert sum(chunk.text.count("key") for chunk in chunks) == 200
    assert [JSON_CUT in chunk.metadata for chunk in chunks][-1] is False
    assert chunks[0].metadata[JSON_CUT] is True


@pytest.mark.parametrize("source", ["{", "[1,]", "nothing", "[" * 100_000])
def test_what_is_no_json_is_an_error(source: str) -> None:
    with pytest.raises(InvalidDocument, match="JSON"):
        MDocument.from_json(source).chunk("json")


def test_the_types_of_the_options_are_those_of_the_strategies() -> None:
    typed = {
        "markdown": MarkdownOptions, "recursive": RecursiveOptions, "character": CharacterOptions,
        "token": PackingOptions, "sentence": SentenceOptions, "html": HtmlOptions, "json": JsonOptions,
        "latex": PackingOptions,
    }  # fmt: skip
    assert typed.keys() == STRATEGIES.keys()
    for name, strategy in STRATEGIES.items():
        assert {option.name for option in fields(strategy)} == typed[name].__annotations__.keys(), name


# What is wrong is named


@pytest.mark.parametrize(
    ("make", "strategy", "message"),
    [
        (MDocument.from_html, "markdown", "does not read html: .*ingest.html_to_markdown"),
        (
            MDocument.from_html,
            "sentence",
            "does not read html: .*from_markdown or from_text, or use recursive, token, html",
        ),
        (MDocument.from_markdown, "html", "does not read markdown: make the document with from_html"),
        (MDocument.from_text, "json", "does not read text: make the document with from_json"),
        (MDocument.from_json, "markdown", "does not read json"),
    ],
)
def test_a_strategy_that_does_not_read_the_document_says_what_does(make: object, strategy: str, message: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidDocument, match=message):
        make("x").chunk(strategy)


@pytest.mark.parametrize("strategy", ["html", "recursive", "token"])
def test_three_strategies_read_html(strategy: str) -> None:
    assert MDocument.from_html("<p>text</p>").chunk(strategy).get_docs()


@pytest.mark.parametrize(
    ("strategy", "options", "message"),
    [
        ("recursive", {"language": "pyton"}, "'pyton'; did you mean 'python'"),
        ("recursive", {"language": "c", "separators": ["x"]}, "not both"),
        ("recursive", {"separators": "x"}, "separators is the text 'x'; give a list"),
        ("recursive", {"separators": ["("], "is_separator_regex": True}, r"'\(' is no regular expression"),
        ("recursive", {"seperators": []}, "no option 'seperators'; did you mean 'separators'"),
        ("character", {"separator": "[", "is_separator_regex": True}, "no regular expression"),
        ("token", {"encoding": "o200k"}, "no encoding 'o200k'; did you mean 'o200k_base'"),
        ("token", {"overlap": 5000}, "overlap is 5000; it must be from 0 to half of max_size .4095"),
        ("token", {"max_size": "512"}, "max_size is '512'; it must be a whole number"),
        ("sentence", {"sentence_enders": []}, "sentence_enders is empty"),
        ("html", {"headers": "h1"}, "headers holds 'h1'; give a list"),
        ("html", {"headers": ["h1"], "sections": ["section"]}, "not both"),
        ("html", {"sections": ["<p>"]}, "sections holds '<p>'"),
        ("json", {"target_size": 0}, "target_size is 0"),
        ("markdown", {"max_size": 63}, "max_size is 63; it must be at least 64"),
    ],
)
def test_a_wrong_option_of_any_strategy_is_named(strategy: str, options: dict[str, object], message: str) -> None:
    kind = {"html": MDocument.from_html, "json": MDocument.from_json}.get(strategy, MDocument.from_text)
    with pytest.raises(InvalidOption, match=message):
        kind("{}").chunk(strategy, **options)
