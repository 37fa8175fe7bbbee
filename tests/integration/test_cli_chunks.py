"""`syncline chunks`: a page or a file as the chunks that a crawl stores of it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chunking import STRATEGIES, MDocument, TiktokenCounter
from engine import MockEngine
from syncs import Runtime
from syncs.crawl import site_crawl

LONG = "".join(f"<h2 id=s{n}>Part {n}</h2><p>{'It is told at length. ' * 40}</p>" for n in range(4))


@pytest.fixture
def site(site_server: Any, make_page: Callable[..., Any]) -> Any:
    site_server.routes = {
        "/docs/": make_page("Start", f"<h1 id=top>Start</h1><pre class=language-sh>run me</pre>{LONG}"),
        "/docs/empty": make_page("Empty", ""),
    }
    return site_server


def test_the_chunks_are_those_that_a_crawl_stores(in_process: Any, site: Any) -> None:
    async def stored() -> list[dict[str, Any]]:
        async with Runtime(engine=MockEngine(), syncs={"site_crawl": site_crawl}) as runtime:
            out = await runtime.sync("site_crawl", {"url": f"{site.url}/docs/"})
            records = await runtime.engine.get_records(connection_id="SYSTEM", name=out.entity_type)
            return [dict(record["data"]) for record in records]

    document = in_process("chunks", f"{site.url}/docs/", "--json").json
    assert list(document) == ["url", "metadata", "options", "chunks"]
    shown = [(chunk["text"], chunk["tokens"], chunk["languages"]) for chunk in document["chunks"]]
    assert len(shown) > 1
    assert shown == [(data["markdown"], data["tokens"], data["languages"]) for data in asyncio.run(stored())]
    first = document["chunks"][0]
    assert (first["position"], first["headings"], first["anchor"], first["languages"]) == (
        0,
        ["Start"],
        "top",
        ["bash"],
    )
    assert first["embed_text"].startswith("Start")
    assert first["span"][0] == 0


def test_each_chunk_is_told_by_size_place_and_languages(in_process: Any, site: Any) -> None:
    ran = in_process("chunks", f"{site.url}/docs/", "--sizes", "--target-size", "300")
    assert ran.code == 0
    *lines, summary = ran.out.splitlines()
    tokens = [int(line.split(" · ")[1].split()[0]) for line in lines]
    assert lines[0].startswith("0 · ")
    assert lines[0].endswith(" tokens · Start · #top · bash")
    assert lines[1].split(" · ")[2:] == ["Start > Part 1", "#s1"]
    assert summary == (
        f"{len(lines)} chunks, {sum(tokens):,} tokens: smallest {min(tokens)}, "
        f"median {sorted(tokens)[len(tokens) // 2]}, largest {max(tokens)}"
    )


def test_the_text_is_the_markdown_or_what_is_embedded(in_process: Any, site: Any) -> None:
    assert "```bash\nrun me\n```" in in_process("chunks", f"{site.url}/docs/").out
    embedded = in_process("chunks", f"{site.url}/docs/", "--embedded").out
    assert "```" not in embedded
    assert "run me" in embedded


@pytest.mark.promise("K1")
def test_the_cap_holds_and_the_target_is_no_more_than_it(in_process: Any, site: Any) -> None:
    document = in_process("chunks", f"{site.url}/docs/", "--max-size", "64", "--json").json
    assert document["options"] == {
        "strategy": "markdown",
        "max_size": 64,
        "target_size": 64,
        "min_size": 0,
        "overlap": 0,
        "encoding": "cl100k_base",
        "include_breadcrumb": True,
    }
    assert max(chunk["tokens"] for chunk in document["chunks"]) <= 64


def test_sizes_and_breadcrumb_are_as_asked_for(in_process: Any, site: Any) -> None:
    def parts(*words: str) -> list[dict[str, Any]]:
        chunks: list[dict[str, Any]] = in_process("chunks", f"{site.url}/docs/", "--json", *words).json["chunks"]
        return chunks

    assert len(parts("--target-size", "1")) > len(parts()) > len(parts("--target-size", "8190")) == 1
    assert len(parts("--target-size", "300", "--min-size", "250")) < len(parts("--target-size", "300"))
    assert all("Start" not in chunk["embed_text"] for chunk in parts("--no-breadcrumb", "--target-size", "300")[1:])


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.md", "# Local\n\nSome text."), ("a.html", "<title>Local</title><h1>Local</h1><p>Some text.</p>")],
)
def test_a_file_is_html_or_markdown(in_process: Any, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    ran = in_process("chunks", str(tmp_path / name))
    assert ran.code == 0
    assert ran.out.endswith("# Local\n\nSome text.\n\n" + ran.out.splitlines()[-1] + "\n")
    (chunk,) = json.loads(in_process("chunks", str(tmp_path / name), "--json").out)["chunks"]
    assert chunk["headings"] == ["Local"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-size", "10"), "max-size"),
        (("--max-size", "100", "--target-size", "200"), "target_size is 200"),
        (("--min-size", "401"), "min_size is 401"),
    ],
)
def test_sizes_that_cannot_be_kept_are_wrong_input_before_anything_is_fetched(
    in_process: Any, site: Any, words: tuple[str, ...], said: str
) -> None:
    ran = in_process("chunks", f"{site.url}/docs/", *words)
    assert (ran.code, site.requests) == (2, [])
    assert said in ran.err


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "json"])
def test_every_strategy_that_reads_a_page_cuts_it_as_it_does_in_python(
    in_process: Any, site: Any, strategy: str
) -> None:
    document = in_process("chunks", f"{site.url}/docs/", "--json", "--strategy", strategy).json
    if strategy == "html":
        source = MDocument.from_html(site.routes["/docs/"][2], document["metadata"])
    else:
        page = in_process("scrape", f"{site.url}/docs/", "--json").json
        source = MDocument.from_markdown(
            page["markdown"], page["metadata"], anchors=[tuple(anchor) for anchor in page["anchors"]]
        )
    options = document["options"]
    assert options["strategy"] == strategy
    assert options.get("target_size", 400) == 400
    assert [chunk["text"] for chunk in document["chunks"]] == [
        chunk.text for chunk in source.chunk(**options).get_docs()
    ]
    assert len(document["chunks"]) > 1


def test_the_html_is_the_page_as_it_was_fetched(in_process: Any, site: Any, tmp_path: Path) -> None:
    page = "<title>T</title><nav>A menu</nav><main><h1>T</h1><p>Some text.</main>"
    site.routes["/docs/menu"] = (200, {"Content-Type": "text/html; charset=utf-16"}, page.encode("utf-16"))
    (tmp_path / "menu.html").write_text(page)
    for start in (f"{site.url}/docs/menu", str(tmp_path / "menu.html")):
        assert "A menu" not in in_process("chunks", start).out
        ran = in_process("chunks", start, "--strategy", "html", "--sizes")
        assert ran.out.splitlines()[-1].startswith("2 chunks")
        assert "A menu" in in_process("chunks", start, "--strategy", "html").out


def test_an_overlap_and_an_encoding_are_passed_on(in_process: Any, site: Any) -> None:
    def parts(*words: str) -> list[dict[str, Any]]:
        chunks: list[dict[str, Any]] = in_process(
            "chunks", f"{site.url}/docs/", "--json", "--strategy", "sentence", "--target-size", "64", *words
        ).json["chunks"]
        return chunks

    repeated = parts("--overlap", "20")
    assert sum(chunk["tokens"] for chunk in repeated) > sum(chunk["tokens"] for chunk in parts())
    assert repeated[2]["text"].count("It is told at length.") > parts()[2]["text"].count("It is told at length.")
    other = parts("--encoding", "o200k_base")
    counted = [TiktokenCounter("o200k_base").count(chunk["embed_text"]) for chunk in other]
    assert [chunk["tokens"] for chunk in other] == counted


@pytest.mark.parametrize(
    ("name", "text", "strategy", "told"),
    [
        ("a.json", '{"a": {"b": 1}}', "json", '{"a": {"b": 1}}'),
        ("a.json", '{"a": {"b": 1}}', "token", '{"a": {"b": 1}}'),
        ("a.tex", "\\section{A}\nText.", "latex", "\\section{A}\nText."),
        ("a.txt", "# no heading", "markdown", "# no heading"),
    ],
)
def test_json_latex_and_text_are_read_as_what_they_are(
    in_process: Any, tmp_path: Path, name: str, text: str, strategy: str, told: str
) -> None:
    (tmp_path / name).write_text(text)
    (chunk,) = in_process("chunks", str(tmp_path / name), "--strategy", strategy, "--json").json["chunks"]
    assert (chunk["text"], chunk["headings"]) == (told, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--strategy", "sentences"), "did you mean 'sentence'"),
        (("--strategy", "json"), "The json strategy reads json, not a page: use --strategy markdown, recursive"),
        (("--strategy", "html", "--overlap", "9"), "html strategy does not take --overlap: leave it out, or use"),
        (
            ("--strategy", "latex", "--min-size", "9"),
            "does not take --min-size: leave it out, or use --strategy markdown.",
        ),
        (("--strategy", "html", "--content-selector", "p"), "as it was fetched, without --content-selector"),
        (("--overlap", "5000"), "overlap is 5000"),
        (("--encoding", "cl100k"), "did you mean 'cl100k_base'"),
    ],
)
def test_what_a_strategy_does_not_take_is_wrong_input_before_anything_is_fetched(
    in_process: Any, site: Any, words: tuple[str, ...], said: str
) -> None:
    ran = in_process("chunks", f"{site.url}/docs/", *words)
    assert (ran.code, site.requests) == (2, [])
    assert said in ran.err


def test_what_a_strategy_does_not_read_is_named_with_a_remedy(in_process: Any, site: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    ran = in_process("chunks", str(tmp_path / "a.json"))
    assert (ran.code, ran.error) == (
        2,
        "The markdown strategy reads markdown and text, not a json file: use --strategy recursive, token or json.",
    )
    ran = in_process("chunks", str(tmp_path / "a.json"), "--strategy", "json")
    assert (ran.code, "The text is no JSON" in ran.error) == (1, True)
    site.routes["/docs/plain"] = (200, {"Content-Type": "text/markdown"}, "# Plain\n\nSome text.")
    ran = in_process("chunks", f"{site.url}/docs/plain", "--strategy", "html")
    assert (ran.code, "is text/markdown, not HTML: use --strategy markdown" in ran.error) == (1, True)


def test_a_page_that_would_not_be_stored_has_no_chunks(in_process: Any, site: Any, tmp_path: Path) -> None:
    ran = in_process("chunks", f"{site.url}/docs/empty")
    assert (ran.code, ran.out) == (1, "")
    assert "no text was found" in ran.error
    assert in_process("chunks", str(tmp_path / "none.md")).code == 2
