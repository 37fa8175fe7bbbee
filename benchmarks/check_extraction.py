"""Thirty pages drawn at random from four of Debian's documentation packages: how much of each was taken.

    python benchmarks/check_extraction.py [--left-out] [--look FOLDER] [--pages N] [--seed N]

The input are the HTML pages of nodejs-doc, git-doc, sqlite3-doc and python3.11-doc as they are installed (a package
that is not is left out), as many from each. For each page the table has the share of its visible words that is in the
markdown, and how many of its headings, code blocks and tables are there whole, of all that the page has, frame
included. `--left-out` prints the words that are not there, to be judged by eye: a heading, code block or table among
them that is the page's own is a miss, and so is any sentence. `--look` puts two files for each page into a folder, to
be seen side by side: the picture that Chromium draws of its first 3,000 pixels, and the markdown. docs/extraction.md
has the table with the judgements.
"""

import argparse
import html
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest import html_to_markdown
from ingest.browser import find_browser

PACKAGES = {
    "nodejs-doc": Path("/usr/share/doc/nodejs/api"),
    "git-doc": Path("/usr/share/doc/git-doc"),
    "sqlite3-doc": Path("/usr/share/doc/sqlite3"),
    "python3.11-doc": Path("/usr/share/doc/python3.11/html"),
}
INVISIBLE = "script, style, template, noscript, head, [hidden]"
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
LINK = re.compile(r"\]\([^()\s]*\)")
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Measure:
    """What of one page is in its markdown. Pairs are (kept, all)."""

    words: tuple[int, int]
    headings: tuple[int, int]
    code: tuple[int, int]
    tables: tuple[int, int]
    left_out: tuple[str, ...]


def squeezed(text: str) -> str:
    """Letters and digits only: markup, escapes and line breaks make no difference."""
    return "".join(WORD.findall(text)).replace("_", "")


def is_data_table(table: LexborNode) -> bool:
    """True for a table of values; one that holds headings, code or other tables is layout."""
    rows = table.css("tr")
    return len(rows) > 1 and len(table.css("table")) == 1 and table.css_first("pre, h1, h2, h3, ul") is None


def measure(source: bytes, written: str) -> Measure:
    markdown = html.unescape(ESCAPE.sub(r"\1", LINK.sub("]", written)))
    kept = squeezed(markdown)
    lines = {squeezed(line.lstrip("#")) for line in markdown.splitlines() if line.startswith("#")}
    tree = LexborHTMLParser(source.decode("utf-8", "replace"))
    for node in reversed(tree.css(INVISIBLE)):
        node.decompose()
    body = tree.body
    assert body is not None
    pieces = [" ".join(node.text(deep=False).split()) for node in body.traverse(include_text=True) if node.is_text_node]
    pieces = [piece for piece in pieces if WORD.search(piece)]
    left_out = tuple(piece for piece in pieces if squeezed(piece) not in kept)
    words = sum(len(WORD.findall(piece)) for piece in pieces)
    lost = sum(len(WORD.findall(piece)) for piece in left_out)
    headings = [squeezed(node.text(deep=True)) for node in body.css("h1, h2, h3, h4, h5, h6")]
    code = [squeezed(node.text(deep=True)) for node in body.css("pre")]
    tables = [
        [squeezed(cell.text(deep=True)) for cell in table.css("td, th")]
        for table in body.css("table")
        if is_data_table(table)
    ]
    return Measure(
        (words - lost, words),
        (sum(heading in lines for heading in headings), len(headings)),
        (sum(block in kept for block in code), len(code)),
        (sum(all(cell in kept for cell in cells) for cells in tables), len(tables)),
        left_out,
    )


def drawn(pages: int, seed: int) -> list[tuple[str, Path]]:
    """As many pages from each package, and one more from the first ones where it does not come out even."""
    there = {name: folder for name, folder in PACKAGES.items() if folder.is_dir()}
    choose = random.Random(seed)
    found: list[tuple[str, Path]] = []
    for place, (name, folder) in enumerate(there.items()):
        files = sorted(folder.rglob("*.html"))
        count = pages // len(there) + (place < pages % len(there))
        found += [(name, file) for file in sorted(choose.sample(files, min(count, len(files))))]
    return found


def look(folder: Path, package: str, file: Path, markdown: str) -> None:
    """Put the page's picture and its markdown into the folder."""
    name = f"{package}-{file.relative_to(PACKAGES[package]).as_posix().replace('/', '-').removesuffix('.html')}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(markdown, "utf-8")
    options = ("--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", "--window-size=900,3000")
    shot = f"--screenshot={folder / f'{name}.png'}"
    program = find_browser("always")
    assert program is not None
    subprocess.run([program, *options, shot, file.as_uri()], check=True, capture_output=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--left-out", action="store_true", help="print what is not in the markdown")
    arguments.add_argument("--look", type=Path, metavar="FOLDER", help="write each page's picture and markdown")
    arguments.add_argument("--pages", type=int, default=30)
    arguments.add_argument("--seed", type=int, default=11)
    asked = arguments.parse_args()
    print("| package | page | words taken | headings | code blocks | tables |\n|---|---|---|---|---|---|")
    for package, file in drawn(asked.pages, asked.seed):
        name = file.relative_to(PACKAGES[package]).as_posix()
        source = file.read_bytes()
        page = html_to_markdown(source, f"http://127.0.0.1/{name}")
        found = measure(source, page.markdown)
        if asked.look is not None:
            look(asked.look, package, file, page.markdown)
        share = 100 * found.words[0] / max(1, found.words[1])
        pairs = " | ".join(f"{kept}/{all_}" for kept, all_ in (found.headings, found.code, found.tables))
        print(f"| {package} | {name} | {share:.0f}% of {found.words[1]:,} | {pairs} |")
        if asked.left_out:
            print("".join(f"    {piece[:160]}\n" for piece in found.left_out))


if __name__ == "__main__":
    main()
