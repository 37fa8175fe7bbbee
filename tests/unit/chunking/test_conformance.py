"""Blocks and chunks against the examples of the CommonMark and GFM specifications, and 120 documents."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from chunking import Block, MDocument, Parsed, TiktokenCounter, parse_markdown

Corpus = Callable[[str], Any]

COUNT = TiktokenCounter().count


def walk(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from walk(block.children)


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip()


def headings(parsed: Parsed) -> list[tuple[int, str]]:
    found = [block for block in walk(parsed.blocks) if block.kind == "heading"]
    return [(block.level, " ".join(parsed.plain(block).split())) for block in found]


@pytest.mark.promise("K5")
def test_headings_code_and_tables_of_the_specifications_are_those_of_the_reference(corpus: Corpus) -> None:
    checked = 0
    for example in corpus("md_spec_examples.json"):
        parsed = parse_markdown("\n" + example["markdown"])  # a first line that is empty: no front matter
        html = LexborHTMLParser(f"<body>{example['html']}")
        wanted = [(int(node.tag[1]), " ".join(node.text().split())) for node in html.css("h1,h2,h3,h4,h5,h6")]
        assert headings(parsed) == wanted, example
        if example["section"] == "HTML blocks":
            continue  # raw HTML holds code and tables that markdown does not see
        code = list(html.css("pre > code"))
        blocks = list(walk(parsed.blocks))
        assert [block.content for block in blocks if block.kind in ("fence", "indented_code")] == [
            node.text() for node in code
        ], example
        assert [block.language for block in blocks if block.kind in ("fence", "indented_code")] == [
            (node.attributes.get("class") or "").removeprefix("language-") for node in code
        ], example
        rows = [block.content for block in blocks if block.kind == "row"]
        assert len(rows) == len(html.css("tr")), example
        checked += len(code) + len(rows)
    assert checked > 80


@pytest.mark.promise("K5")
def test_headings_of_the_documents_are_those_listed(corpus: Corpus) -> None:
    for document in corpus("md_docs.json"):
        if document["parsers_agree"] is False:
            continue
        parsed = parse_markdown(document["markdown"])
        found = [(block.level, block.content) for block in parsed.blocks if block.kind == "heading"]
        listed = [(heading["level"], heading["text"]) for heading in document["headings"] if heading["top_level"]]
        assert found == listed, document["name"]


@pytest.mark.slow
@pytest.mark.promise("K2")
@pytest.mark.parametrize("cap", [8190, 512, 256])
def test_every_atom_of_the_documents_that_fits_the_cap_is_whole(corpus: Corpus, cap: int) -> None:
    whole = 0
    for document in corpus("md_docs.json"):
        source = document["markdown"]
        chunks = MDocument.from_markdown(source, {"title": document["name"]}).chunk(max_size=cap).get_docs()
        texts = [lines(chunk.text) for chunk in chunks]
        for atom in document["atoms"]:
            text = lines(atom["text"])
            if COUNT(text) <= cap:
                assert any(text in chunk for chunk in texts), (document["name"], cap, text)
                whole += 1
    assert whole > 500


@pytest.mark.slow
@pytest.mark.promise("K1", "K4")
@pytest.mark.parametrize("cap", [8190, 64])
def test_the_documents_are_cut_under_the_cap_and_nothing_is_lost(corpus: Corpus, cap: int) -> None:
    for document in corpus("md_docs.json"):
        source = document["markdown"]
        position = 0
        for chunk in MDocument.from_markdown(source).chunk(max_size=cap).get_docs():
            assert COUNT(chunk.text) <= cap
            assert COUNT(chunk.embed_text) <= cap
            assert source[position : chunk.span[0]].strip() == ""
            position = chunk.span[1]
        assert source[position:].strip() == "", document["name"]


def specification(examples: Sequence[dict[str, Any]]) -> str:
    """The specifications' examples in the form of their text: sections, and each example in a fence of its own."""
    parts = ["# Specification"]
    section = ""
    for example in examples:
        if example["section"] != section:
            section = example["section"]
            parts.append(f"## {section}")
        parts.append(f"### Example {example['example']}")
        parts.append(f"{'`' * 32} example\n{example['markdown']}.\n{example['html']}{'`' * 32}")
    return "\n\n".join(parts)


@pytest.mark.promise("K6")
@pytest.mark.parametrize(
    ("cap", "chunks", "largest", "digest"),
    [(256, 225, 192, "b721526461ec714b"), (1024, 61, 678, "078adcbc84a8081d"), (8190, 7, 4245, "a3e15d16f02b787c")],
)
def test_the_text_of_the_specifications_is_cut_into_these_chunks(
    corpus: Corpus, cap: int, chunks: int, largest: int, digest: str
) -> None:
    source = specification(corpus("md_spec_examples.json"))
    found = MDocument.from_markdown(source, {"title": "CommonMark"}).chunk(max_size=cap).get_docs()
    written = json.dumps([[chunk.span, chunk.headings, chunk.text, chunk.embed_text] for chunk in found])
    seen = (len(found), max(chunk.token_count for chunk in found), hashlib.sha256(written.encode()).hexdigest()[:16])
    assert seen == (chunks, largest, digest)


@pytest.mark.promise("K2", "K5")
@pytest.mark.parametrize("cap", [256, 1024, 8190])
def test_every_example_and_heading_of_the_specifications_is_whole_in_a_chunk(corpus: Corpus, cap: int) -> None:
    source = specification(corpus("md_spec_examples.json"))
    texts = [chunk.text for chunk in MDocument.from_markdown(source).chunk(max_size=cap).get_docs()]
    blocks = [block for block in parse_markdown(source).blocks if block.kind in ("fence", "heading")]
    assert len(blocks) > 1300
    for block in blocks:
        text = source[block.start : block.end]
        assert any(text in chunk for chunk in texts) or COUNT(text) > cap
