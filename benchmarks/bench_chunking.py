"""The markdown strategy beside the splitters that people use, on four real documentation sites, in one run.

Input: the HTML of Debian's python3.11-doc, sqlite3-doc, git-doc and nodejs-doc, every N-th page (`--every`), turned
into markdown by `ingest`. For each cap, each splitter cuts the same pages with no overlap:

- over the cap: chunks whose final text has more tokens than the cap (ours: the larger of `text` and `embed_text`,
  breadcrumb included; the others embed their chunk text), with the largest one;
- fences cut: fences that would fit the cap alone, whose code is not whole in any one chunk;
- rows without header: chunks that hold rows of a table without its header row (headers over half the cap left out);
- headings kept: those whose text is in a chunk, or in the metadata of one;
- characters lost: non-space characters of the pages that are in no chunk, counted as a multiset (so, at least);
- under 50: chunks of fewer than 50 tokens;
- MB/s: markdown cut per second of the process's CPU time, the median of the rounds with the lowest and highest.
  CPU time, since other work on the machine would show in the clock. What splits in a thread of its own is counted too.

What the pages hold is told by markdown-it-py, which none of the splitters uses. Worse would be: another splitter with
fewer defects in a column, or faster with as few. The peers are not among our dependencies; install those you want to
see, a missing one is named: pip install langchain-text-splitters llama-index-core semantic-text-splitter chonkie
"""

import argparse
import base64
import gzip
import importlib.metadata
import importlib.util
import platform
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ingest
from chunking import MDocument, TiktokenCounter

__all__ = ["main"]

PACKAGES = ("python3.11-doc", "sqlite3-doc", "git-doc", "nodejs-doc")
CAPS = (256, 512, 1024, 8190)
CRUMB = 50  # tokens
COUNT = TiktokenCounter().count


@dataclass(frozen=True)
class Page:
    """A page as markdown, and what is in it."""

    markdown: str
    title: str
    anchors: tuple[tuple[int, str, int | None, str], ...]
    headings: tuple[str, ...]
    fences: tuple[tuple[str, int], ...]  # code without spaces and quote marks, tokens of the fence
    tables: tuple[tuple[str, int, tuple[str, ...]], ...]  # header without spaces, its tokens, the rows


@dataclass(frozen=True)
class Piece:
    """A chunk of any splitter: its text, the largest text that is embedded or stored, and what it says besides."""

    text: str
    tokens: int
    said: str = ""


@dataclass
class Score:
    """What one splitter did to all pages at one cap."""

    chunks: int = 0
    over: int = 0
    largest: int = 0
    fences: int = 0
    rows: int = 0
    headings: int = 0
    headings_kept: int = 0
    lost: int = 0
    crumbs: int = 0
    speeds: list[float] = field(default_factory=list)


Split = Callable[[Page], Sequence[Piece]]
Cut = Callable[[Page], object]


def bare(text: str) -> str:
    """The text without spaces, so that it does not matter how a splitter treats them."""
    return "".join(text.split())


def read_page(path: Path) -> Page | None:
    """One HTML file as our crawler sees it; None where it holds no text."""
    from markdown_it import MarkdownIt

    found = ingest.html_to_markdown(path.read_bytes(), f"http://127.0.0.1/{path.name}")
    source = found.markdown
    if not source.strip():
        return None
    lines = source.splitlines(keepends=True)
    headings: list[str] = []
    fences: list[tuple[str, int]] = []
    tables: list[tuple[str, int, tuple[str, ...]]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    for index, token in enumerate(tokens):
        text = "".join(lines[slice(*token.map)]) if token.map else ""
        if token.type == "heading_open" and token.level == 0:
            headings.append(bare(tokens[index + 1].content))
        elif token.type == "fence" and token.content.strip():
            fences.append((bare(token.content).replace(">", ""), COUNT(text)))
        elif token.type == "table_open":
            rows = text.splitlines()
            tables.append((bare(rows[0]), COUNT(rows[0]), tuple(bare(row) for row in rows[2:])))
    return Page(
        source, found.title, tuple(tuple(anchor) for anchor in found.anchors),
        tuple(filter(None, headings)), tuple(fences), tuple(tables),
    )  # fmt: skip


def read_pages(package: str, every: int) -> list[Page]:
    """Every N-th page of a Debian package; none where it is not installed."""
    listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False).stdout.splitlines()
    files = sorted({Path(line).resolve() for line in listed if line.endswith(".html")})
    return [page for path in files[::every] if path.is_file() and (page := read_page(path)) is not None]


def offline_tiktoken() -> None:
    """Let tiktoken read its vocabulary from the package that we count with, instead of the network."""
    from tiktoken_ext import openai_public

    spec = importlib.util.find_spec("bpe_openai")
    folder = Path((spec.submodule_search_locations if spec else [""])[0], "data")

    def read(url: str, expected_hash: str) -> dict[bytes, int]:
        lines = gzip.decompress((folder / f"{Path(url).name}.gz").read_bytes()).splitlines()
        return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}

    openai_public.load_tiktoken_bpe = read


def pieces_of(texts: Sequence[str], said: Sequence[str] = ()) -> list[Piece]:
    """Chunks that are texts; what they say besides is the same for all, or one for each."""
    return [Piece(text, COUNT(text), said[index] if said else "") for index, text in enumerate(texts)]


def ours(cap: int) -> tuple[Cut, Split]:
    """Syncline: the markdown strategy with the breadcrumb."""

    def cut(page: Page) -> list:
        document = MDocument.from_markdown(page.markdown, {"title": page.title}, page.anchors)
        return document.chunk("markdown", max_size=cap, min_size=CRUMB).get_docs()

    return cut, lambda page: [
        Piece(chunk.text, max(COUNT(chunk.text), COUNT(chunk.embed_text)), chunk.embed_text) for chunk in cut(page)
    ]


def langchain_markdown(cap: int) -> tuple[Cut, Split]:
    """LangChain: MarkdownTextSplitter."""
    from langchain_text_splitters import MarkdownTextSplitter

    splitter = MarkdownTextSplitter.from_tiktoken_encoder(
        "cl100k_base", chunk_size=cap, chunk_overlap=0, disallowed_special=()
    )
    return lambda page: splitter.split_text(page.markdown), lambda page: pieces_of(splitter.split_text(page.markdown))


def langchain_headers(cap: int) -> tuple[Cut, Split]:
    """LangChain: MarkdownHeaderTextSplitter, then RecursiveCharacterTextSplitter."""
    from langchain_text_splitters import MarkdownHeaderTextSplitter, RecursiveCharacterTextSplitter

    headers = MarkdownHeaderTextSplitter([("#" * level, f"h{level}") for level in range(1, 7)], strip_headers=False)
    recursive = RecursiveCharacterTextSplitter.from_tiktoken_encoder(
        "cl100k_base", chunk_size=cap, chunk_overlap=0, disallowed_special=()
    )

    def cut(page: Page) -> list:
        return recursive.split_documents(headers.split_text(page.markdown))

    return cut, lambda page: [
        Piece(found.page_content, COUNT(found.page_content), " ".join(found.metadata.values())) for found in cut(page)
    ]


def llamaindex(cap: int) -> tuple[Cut, Split]:
    """LlamaIndex: MarkdownNodeParser, then SentenceSplitter."""
    import tiktoken
    from llama_index.core import Document
    from llama_index.core.node_parser import MarkdownNodeParser, SentenceSplitter

    encoding = tiktoken.get_encoding("cl100k_base")
    parser = MarkdownNodeParser.from_defaults()
    sentences = SentenceSplitter(chunk_size=cap, chunk_overlap=0, tokenizer=encoding.encode_ordinary)

    def cut(page: Page) -> list:
        return sentences.get_nodes_from_documents(parser.get_nodes_from_documents([Document(text=page.markdown)]))

    return cut, lambda page: [
        Piece(node.get_content(), COUNT(node.get_content()), str(node.metadata)) for node in cut(page)
    ]


def semantic(cap: int) -> tuple[Cut, Split]:
    """semantic-text-splitter: MarkdownSplitter (Rust)."""
    from semantic_text_splitter import MarkdownSplitter

    splitter = MarkdownSplitter.from_tiktoken_model("gpt-4", cap)
    return lambda page: splitter.chunks(page.markdown), lambda page: pieces_of(splitter.chunks(page.markdown))


def chonkie_markdown(cap: int) -> tuple[Cut, Split]:
    """chonkie: RecursiveChunker with the levels of markdown."""
    import tiktoken
    from chonkie import RecursiveChunker, RecursiveLevel, RecursiveRules

    headings = [f"\n{'#' * level} " for level in range(1, 7)]
    levels = [
        *(RecursiveLevel(delimiters=[mark], include_delim="next") for mark in headings),
        RecursiveLevel(delimiters=["\n\n", "\n", "\r\n", "\r"]),
        RecursiveLevel(delimiters=[". ", "? ", "! "]),
        RecursiveLevel(whitespace=True),
        RecursiveLevel(),
    ]
    chunker = RecursiveChunker(
        tokenizer=tiktoken.get_encoding("cl100k_base"), chunk_size=cap, rules=RecursiveRules(levels=levels)
    )

    def cut(page: Page) -> list[str]:
        return [chunk.text for chunk in chunker.chunk(page.markdown)]

    return cut, lambda page: pieces_of(cut(page))


SPLITTERS = (
    ("Syncline", ours),
    ("LangChain markdown", langchain_markdown),
    ("LangChain headers + recursive", langchain_headers),
    ("LlamaIndex markdown + sentence", llamaindex),
    ("semantic-text-splitter", semantic),
    ("chonkie", chonkie_markdown),
)


def judge(page: Page, pieces: Sequence[Piece], cap: int, score: Score) -> None:
    """Add one page to the score."""
    bares = [bare(piece.text) for piece in pieces]
    whole = "\0".join(bares)
    said = whole + "\0" + bare(" ".join(piece.said for piece in pieces))
    score.chunks += len(pieces)
    score.over += sum(piece.tokens > cap for piece in pieces)
    score.largest = max(score.largest, *(piece.tokens for piece in pieces), 0)
    score.crumbs += sum(COUNT(piece.text) < CRUMB for piece in pieces)
    unquoted = whole.replace(">", "")
    score.fences += sum(tokens <= cap and code not in unquoted for code, tokens in page.fences)
    for header, tokens, rows in page.tables:
        if tokens <= cap // 2:
            score.rows += sum(header not in text and any(row in text for row in rows) for text in bares)
    score.headings += len(page.headings)
    score.headings_kept += sum(heading in said for heading in page.headings)
    missing = Counter(bare(page.markdown))
    missing.subtract(Counter(whole))
    score.lost += sum(count for character, count in missing.items() if count > 0 and character != "\0")


def measure(pages: Sequence[Page], cap: int, rounds: int) -> Iterator[tuple[str, Score]]:
    """Every splitter at one cap; the rounds of all of them take turns, each made anew, since some keep counts."""
    size = sum(len(page.markdown.encode()) for page in pages) / 1e6
    scores: dict[str, Score] = {}
    for _ in range(rounds):
        for name, make in SPLITTERS:
            try:
                cut, _ = make(cap)
            except ImportError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            began = time.process_time()
            for page in pages:
                cut(page)
            scores.setdefault(name, Score()).speeds.append(size / (time.process_time() - began))
    for name, make in SPLITTERS:
        if name in scores:
            _, split = make(cap)
            for page in pages:
                judge(page, split(page), cap, scores[name])
            yield name, scores[name]


def row(name: str, score: Score) -> str:
    """One line of the table."""
    over = f"{score.over} ({score.largest:,})" if score.over else "0"
    kept = f"{100 * score.headings_kept / max(1, score.headings):.1f}%"
    low, middle, high = min(score.speeds), statistics.median(score.speeds), max(score.speeds)
    return (
        f"| {name} | {score.chunks:,} | {over} | {score.fences} | {score.rows} | {kept} | {score.lost:,}"
        f" | {score.crumbs} | {middle:.2f} ({low:.2f}-{high:.2f}) |"
    )


def main() -> None:
    """Read the command line, cut, and print a table for each cap."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=10, help="take every N-th page (default 10; 1 is all)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each splitter is timed (default 3)")
    parser.add_argument("--package", action="append", choices=PACKAGES, help="only this package; may be repeated")
    parser.add_argument("--cap", action="append", type=int, help="only this cap; may be repeated")
    given = parser.parse_args()
    offline_tiktoken()
    pages = []
    for package in given.package or PACKAGES:
        found = read_pages(package, given.every)
        print(
            f"{package}: {len(found)} pages" if found else f"{package} is not installed and left out", file=sys.stderr
        )
        pages += found
    names = ("langchain-text-splitters", "llama-index-core", "semantic-text-splitter", "chonkie", "tiktoken")
    installed = {found.metadata["Name"].lower(): found.version for found in importlib.metadata.distributions()}
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{name} {installed[name]}" for name in names if name in installed))
    tokens = sum(COUNT(page.markdown) for page in pages)
    fences, tables = sum(len(page.fences) for page in pages), sum(len(page.tables) for page in pages)
    print(f"{len(pages)} pages, {tokens:,} tokens, {fences:,} fences, {tables:,} tables")
    for cap in given.cap or CAPS:
        print(
            f"\n| cap {cap:,} | chunks | over the cap | fences cut | rows without header | headings kept"
            " | characters lost | under 50 | MB/s |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
        )
        for name, score in measure(pages, cap, given.rounds):
            print(row(name, score), flush=True)


if __name__ == "__main__":
    main()
