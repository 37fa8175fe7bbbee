"""HTML to markdown: milliseconds a page and what each converter keeps, beside markdownify and others.

    python benchmarks/bench_markdown.py [--pages N] [--rounds N] [--write]

The input are N pages (default 24) of each of nodejs-doc, git-doc, sqlite3-doc and python3.11-doc, as Debian installs
them, evenly drawn and under 1 MB. Every converter gets the same HTML: the main part of each page as we find it, and
the whole page. In each round all converters take each page, one after the other; the table has the median of the rounds
and their spread, in processor time, and the median of the rounds' ratios.

What is kept is measured for all of them alike: the markdown is read by markdown-it-py (HTML in it as text, which spares
those that do not escape it), and what the page has is looked for in what it shows. A block of code is kept where its
text is there to the letter, a heading, an item of a list or a row of a table where it is one with the same letters, a
link where its address is absolute, an anchor where the converter tells the place of an id of a heading, a section or a
term.

Worse is a ratio to markdownify under 5 where the text is the same (the second row), or a share under 100 % in ours that
docs/markdown.md does not explain. Peers that are not installed are left out by name: pip install html2text trafilatura
lxml_html_clean html-to-markdown. `--write` puts the tables into docs/markdown.md.
"""

import argparse
import gc
import importlib
import importlib.metadata
import platform
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdownify import MarkdownConverter
from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest import html_to_markdown
from ingest.charset import decode_text
from ingest.elements import Element, next_content, read_tree
from ingest.extract import main_node
from ingest.models import Anchor
from ingest.to_markdown import to_markdown
from ingest.walk import Tags, walk

PACKAGES = {
    "nodejs-doc": Path("/usr/share/doc/nodejs/api"),
    "git-doc": Path("/usr/share/doc/git-doc"),
    "sqlite3-doc": Path("/usr/share/doc/sqlite3"),
    "python3.11-doc": Path("/usr/share/doc/python3.11/html"),
}
PAGE = Path(__file__).resolve().parents[1] / "docs" / "markdown.md"
MARK = "<!-- measured -->"
BASE = "https://docs.example.org/page.html"
LARGEST = 1_000_000  # bytes
LANGUAGE = re.compile(r"(?:highlight|language|lang)-([\w+#]+)")
NO_LANGUAGE = frozenset({"default", "text", "none", "plaintext", "source"})
READ = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])

KINDS = ("words", "headings", "code", "languages", "rows", "items", "links", "anchors")

Convert = Callable[[str], str]


@dataclass(frozen=True)
class Converter:
    name: str
    main: Convert
    """From the HTML of a main part."""
    whole: Convert | None
    """From the HTML of a whole page."""
    anchors: Callable[[str], list[Anchor]] | None = None


class Plain(MarkdownConverter):
    """markdownify's rules for our elements: one of them asks for BeautifulSoup's classes."""

    def convert_list(self, el: Element, text: str, parent_tags: Tags) -> str:
        if "li" in parent_tags:
            return "\n" + text.rstrip()
        following = next_content(el)
        ends = following is None or (isinstance(following, Element) and following.name in ("ul", "ol"))
        return f"\n\n{text}" if ends else f"\n\n{text}\n"

    convert_ul = convert_ol = convert_list


def body_of(html: str) -> LexborNode:
    body = LexborHTMLParser(html).body
    assert body is not None
    return body


def plain_walk(html: str) -> str:
    tree = read_tree(body_of(html))
    text = walk(tree.root, Plain())
    tree.release()
    return text


def markdownify(html: str) -> str:
    return str(MarkdownConverter().convert(html))


def html2text(module: Any) -> Convert:
    def convert(html: str) -> str:
        reader = module.HTML2Text(baseurl=BASE)
        reader.body_width = 0
        return str(reader.handle(html))

    return convert


def trafilatura(module: Any) -> Convert:
    options = {"output_format": "markdown", "include_links": True, "include_formatting": True, "url": BASE}
    return lambda html: module.extract(html, **options) or ""


def html_to_markdown_in_rust(module: Any) -> Convert:
    return lambda html: str(module.convert(html).content)


PEERS = (
    ("html2text", html2text),
    ("trafilatura", trafilatura),
    ("html-to-markdown", html_to_markdown_in_rust),
)


def converters() -> tuple[list[Converter], list[str]]:
    """Those that are installed, and the names of those that are not."""
    found = [
        Converter(
            "Syncline",
            lambda html: to_markdown(body_of(html), BASE)[0],
            lambda html: html_to_markdown(html, BASE).markdown,
            lambda html: to_markdown(body_of(html), BASE)[1],
        ),
        Converter("its walk with markdownify's rules", plain_walk, None),
        Converter("markdownify", markdownify, markdownify),
    ]
    missing: list[str] = []
    for name, converter in PEERS:
        try:
            convert = converter(importlib.import_module(name.replace("-", "_")))
        except ImportError:
            missing.append(name)
        else:
            found.append(Converter(f"{name} {importlib.metadata.version(name)}", convert, convert))
    return found, missing


# --- what is kept ---------------------------------------------------------------------------------


def letters(node: LexborNode) -> str:
    return re.sub(r"[\W_]", "", node.text(deep=True))


def code_of(node: LexborNode) -> str:
    return "\n".join(line.rstrip() for line in node.text(deep=True).strip("\n").splitlines()).rstrip()


def language_of(pre: LexborNode) -> str:
    """The language that the classes of a block, of its code or of the two elements around it name."""
    inner = pre.css_first("code")
    around = [inner, pre, pre.parent, pre.parent.parent if pre.parent is not None else None]
    names = (
        match[1]
        for node in around
        if node is not None
        for match in LANGUAGE.finditer(node.attributes.get("class") or "")
    )
    return next((name for name in names if name not in NO_LANGUAGE), "")


def is_table_of_values(table: LexborNode) -> bool:
    return len(table.css("tr")) > 1 and table.css_first("table table, pre, ul, ol, h1, h2, h3, h4, p + p") is None


@dataclass(frozen=True)
class Parts:
    """What a page has, or what its markdown shows: each kind as a bag."""

    words: Counter[str]
    headings: Counter[str]
    code: Counter[str]
    languages: Counter[str]
    rows: Counter[str]
    items: Counter[str]
    links: Counter[str]
    anchors: Counter[str]


def parts_of(node: LexborNode, tables: Iterable[LexborNode], languages: Counter[str], anchors: Counter[str]) -> Parts:
    headings = (found for found in node.css("h1, h2, h3, h4, h5, h6") if letters(found))
    links = ((link.attributes.get("href") or "", letters(link)) for link in node.css("a[href]"))
    return Parts(
        Counter(re.findall(r"\w+", node.text(deep=True, separator=" "))),
        Counter(f"{found.tag} {letters(found)}" for found in headings),
        Counter(code for pre in node.css("pre") if (code := code_of(pre))),
        languages,
        Counter("|".join(filter(None, map(letters, row.css("td, th")))) for table in tables for row in table.css("tr")),
        Counter(text for item in node.css("li") if (text := letters(item))),
        Counter(text for address, text in links if text and address.startswith("http")),
        anchors,
    )


def of_page(html: str) -> Parts:
    node = body_of(html)
    for link in node.css("a[href]"):
        address = link.attributes.get("href") or ""
        if not re.match(r"(?!https?:)[a-z]+:", address):
            link.attrs["href"] = BASE  # every link of a page can be absolute
    languages = Counter(code_of(pre) for pre in node.css("pre") if language_of(pre) and code_of(pre))
    ids = Counter(
        found.attributes["id"] or "" for found in node.css(":is(h1, h2, h3, h4, h5, h6, dt)[id], section[id]")
    )
    return parts_of(node, filter(is_table_of_values, node.css("table")), languages, ids)


def of_markdown(text: str, anchors: Counter[str]) -> Parts:
    node = body_of(READ.render(text))
    languages = Counter(code_of(code) for code in node.css("pre > code[class^='language-']"))
    return parts_of(node, node.css("table"), languages, anchors)


def written_ids(text: str) -> Counter[str]:
    """Ids that stand in the markdown itself."""
    return Counter(re.findall(r"""\{#([^}\s]+)\}""", text) + re.findall(r"""<a (?:id|name)=["']([^"']+)["']""", text))


# --- the run --------------------------------------------------------------------------------------


def drawn(pages: int) -> list[tuple[str, str]]:
    """(the whole page, its main part) of as many pages of each package."""
    found: list[tuple[str, str]] = []
    for folder in PACKAGES.values():
        files = [path for path in sorted(folder.rglob("*.html")) if path.stat().st_size < LARGEST]
        for path in files[:: max(1, len(files) // pages)][:pages]:
            whole = decode_text(path.read_bytes())
            node = main_node(LexborHTMLParser(whole), url=BASE)
            if node is not None and node.html:
                found.append((whole, f"<html><body>{node.html}</body></html>"))
    return found


def seconds(convert: Convert, html: str) -> float:
    gc.collect()  # nobody pays for what others leave behind
    began = time.process_time()
    convert(html)
    return time.process_time() - began


def timings(found: list[Converter], pages: list[tuple[str, str]], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Milliseconds a page by converter and kind of input, one a round."""
    measured: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * rounds)
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        for whole, main in pages:
            for converter in found:
                measured[converter.name, "main"][number] += 1000 * seconds(converter.main, main) / len(pages)
                if converter.whole is not None:
                    measured[converter.name, "whole"][number] += 1000 * seconds(converter.whole, whole) / len(pages)
    return measured


def speed_table(found: list[Converter], taken: list[tuple[str, str]], rounds: int) -> list[str]:
    lines = ["| converter | ms a page, main part | times markdownify | ms a page, whole page |", "|---|---|---|---|"]
    measured = timings(found, taken, rounds)
    base = measured["markdownify", "main"]
    for converter in found:
        main, whole = (measured.get((converter.name, kind), []) for kind in ("main", "whole"))
        ratio = f"{statistics.median(theirs / ours for theirs, ours in zip(base, main, strict=True)):.1f}"
        lines.append(f"| {converter.name} | {spread(main)} | {ratio} | {spread(whole)} |")
    return lines


def spread(spent: list[float]) -> str:
    return f"{statistics.median(spent):.1f} ({min(spent):.1f} to {max(spent):.1f})" if spent else ""


def kept_table(found: list[Converter], taken: list[tuple[str, str]]) -> list[str]:
    lines = [f"| kept of the main part | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 1) + "|"]
    has = [of_page(main) for _, main in taken]
    totals = {kind: sum(getattr(page, kind).total() for page in has) for kind in KINDS}
    for converter in found:
        sums = dict.fromkeys(KINDS, 0)
        for (_, main), page in zip(taken, has, strict=True):
            text = converter.main(main)
            ids = [anchor.id for anchor in converter.anchors(main)] if converter.anchors is not None else []
            shown = of_markdown(text, Counter(ids) | written_ids(text))
            for kind in KINDS:
                sums[kind] += (getattr(page, kind) & getattr(shown, kind)).total()
        shares = (f"{100 * sums[kind] / max(1, totals[kind]):.1f}%" for kind in KINDS)
        lines.append(f"| {converter.name} | {' | '.join(shares)} |")
    return [*lines, f"| of so many | {' | '.join(f'{total:,}' for total in totals.values())} |"]


def tables(pages: int, rounds: int) -> str:
    found, missing = converters()
    taken = drawn(pages)
    size = sum(len(main) for _, main in taken) / len(taken) / 1000
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("markdownify", "selectolax"))
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} on {platform.machine()}, "
        f"{', '.join(versions)}: {len(taken)} pages, main parts of {size:.0f} kB on average, {rounds} rounds.",
        *([f"Not installed: {', '.join(missing)}."] if missing else []),
        "",
        *speed_table(found, taken, rounds),
        "",
        *kept_table(found, taken),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=24, help="pages of each package")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/markdown.md")
    asked = parser.parse_args()
    written = tables(asked.pages, asked.rounds)
    if asked.write:
        head = PAGE.read_text("utf-8").partition(MARK)[0]
        PAGE.write_text(f"{head}{MARK}\n\n{written}", "utf-8")
    print(written)


if __name__ == "__main__":
    main()
