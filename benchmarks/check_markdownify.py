"""Does our walk over Lexbor's tree give markdownify's own text?

    python benchmarks/check_markdownify.py tests [--from FOLDER]
    python benchmarks/check_markdownify.py pages [--every N]

`tests` runs markdownify's own test suite three times: as it is, over our walk of the tree that html.parser makes, and
over our walk of Lexbor's tree. The rules are markdownify's in all three. The suite comes from the newest source
distribution that has one, which pip downloads from PyPI into a temporary folder (later ones leave it out), or from the
folder `tests` of a checkout of its repository, given with `--from`. The installed release, being newer than the suite,
fails some of it itself: then the walk must fail with the same text. Worse is any other outcome over html.parser's tree,
which would be the walk's fault, or one over Lexbor's without a reason below.

`pages` converts the main node of every HTML page of four of Debian's documentation packages twice with markdownify's
plain rules: with markdownify, from the node's HTML, and with our walk. Worse is a page whose texts differ for any other
reason than that markdownify takes the white space on both sides of a comment for two.
"""

import argparse
import difflib
import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
from bs4 import BeautifulSoup, Comment, Doctype, NavigableString, Tag
from markdownify import MarkdownConverter
from selectolax.lexbor import LexborHTMLParser

from ingest.charset import decode_text
from ingest.elements import Element, next_content, read_tree
from ingest.extract import main_node
from ingest.nesting import without_abyss
from ingest.walk import Tags, walk

PACKAGES = {
    "nodejs-doc": Path("/usr/share/doc/nodejs/api"),
    "git-doc": Path("/usr/share/doc/git-doc"),
    "sqlite3-doc": Path("/usr/share/doc/sqlite3"),
    "python3.11-doc": Path("/usr/share/doc/python3.11/html"),
}
WITH_TESTS = "0.12.1"
"""The newest release whose source distribution holds its tests."""

# What fails over Lexbor's tree though not over html.parser's: the HTML standard reads these documents differently.
REASONS = {
    "test_special_tags": "in HTML, CDATA is a comment",
    "test_br": "in HTML, there is no cell outside of a table",
    "test_ol": "in HTML, <span/> is not closed, and what follows is inside it",
}
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def convert_list(self: MarkdownConverter, el: Element, text: str, parent_tags: Tags) -> str:
    """markdownify's rule for lists, which asks what comes next whether it is one of BeautifulSoup's classes."""
    if "li" in parent_tags:
        return "\n" + text.rstrip()
    following = next_content(el)
    ends = following is None or (isinstance(following, Element) and following.name in ("ul", "ol"))
    return f"\n\n{text}" if ends else f"\n\n{text}\n"


LISTS = {"convert_list": convert_list, "convert_ul": convert_list, "convert_ol": convert_list}
Plain = type("Plain", (MarkdownConverter,), LISTS)
"""markdownify's rules for our elements."""


def from_html_parser(html: str) -> Element:
    """The tree that markdownify works on, as our elements."""
    soup = BeautifulSoup(html, "html.parser")
    root = Element("[document]")
    todo: list[tuple[Tag, Element]] = [(soup, root)]
    while todo:
        tag, element = todo.pop()
        for child in tag.children:
            if isinstance(child, Tag):
                attrs = {
                    key: value if isinstance(value, str) else " ".join(value) for key, value in child.attrs.items()
                }
                inner = Element(child.name, attrs, element)
                element.children.append(inner)
                todo.append((child, inner))
            elif isinstance(child, NavigableString) and not isinstance(child, (Comment, Doctype)):
                last = element.children[-1] if element.children else None
                if isinstance(last, str):
                    element.children[-1] = last + str(child)
                elif child:
                    element.children.append(str(child))
    return root


def from_lexbor(html: str) -> Element:
    """The tree that our pages are converted from."""
    body = LexborHTMLParser(f"<body>{html}").body
    assert body is not None
    return read_tree(body).root


class Outcomes:
    """A pytest plugin that keeps what became of each test."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}
        self.passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            lines = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
            self.failed[report.nodeid] = " ".join(line[1:].strip() for line in lines[:3])
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


def run_suite(folder: Path, read: Callable[[str], Element] | None) -> Outcomes:
    """markdownify's tests, over our walk where there is something to read a document with."""
    found = Outcomes()
    with ExitStack() as stack:
        if read is not None:
            changed = dict(LISTS)
            changed["convert"] = lambda self, html: walk(read(html), self)
            changed["convert_soup"] = lambda self, soup: walk(read(str(soup)), self)
            stack.enter_context(patch.multiple(MarkdownConverter, **changed))
        options = ["-qq", "-c", os.devnull, f"--rootdir={folder.parent}", "-p", "no:cacheprovider", "-p", "no:xdist"]
        with open(os.devnull, "w", encoding="utf-8") as nowhere, patch.object(sys, "stdout", nowhere):
            pytest.main([*options, "--no-header", "--tb=short", str(folder)], plugins=[found])
    return found


def download(to: Path) -> Path:
    """The suite of the newest source distribution that has one."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary=markdownify",
        f"--dest={to}",
    ]
    subprocess.run([*command, f"markdownify=={WITH_TESTS}"], check=True)
    with tarfile.open(next(to.glob("markdownify-*.tar.gz"))) as archive:
        members = [member for member in archive.getmembers() if "/tests/" in member.name and member.isfile()]
        archive.extractall(to, members, filter="data")
    return next(to.glob("markdownify-*/tests"))


def check_suite(folder: Path) -> int:
    runs = {
        "markdownify itself": run_suite(folder, None),
        "our walk, html.parser's tree": run_suite(folder, from_html_parser),
        "our walk, Lexbor's tree": run_suite(folder, from_lexbor),
    }
    itself, same_tree, lexbor = runs.values()
    print("| run | tests | passed | failed with markdownify's text | other |\n|---|---|---|---|---|")
    for name, found in runs.items():
        other = [test for test, why in found.failed.items() if itself.failed.get(test) != why]
        passed, failed = len(found.passed), len(found.failed)
        print(f"| {name} | {passed + failed} | {passed} | {failed - len(other)} | {len(other)} |")
    wrong = False
    for test in sorted(itself.passed | set(itself.failed)):
        expected = itself.failed.get(test)
        reason = REASONS.get(test.rpartition("::")[2])
        if same_tree.failed.get(test) != expected or (lexbor.failed.get(test) != expected and reason is None):
            wrong = True
            print(f"\nNOT EXPLAINED: {test}\n    {same_tree.failed.get(test)}\n    {lexbor.failed.get(test)}")
        elif lexbor.failed.get(test) != expected:
            print(f"\n{test}: {reason}")
    return 1 if wrong or not itself.passed else 0


def main_nodes(folder: Path, every: int) -> Iterator[tuple[str, str, Element]]:
    """Of each page: its name, the HTML of its main node, and the node's elements."""
    for path in sorted(folder.rglob("*.html"))[::every]:
        parsed = LexborHTMLParser(without_abyss(decode_text(path.read_bytes())))
        node = main_node(parsed, url=f"http://127.0.0.1/{path.name}")
        if node is not None and node.html:
            yield str(path), node.html, read_tree(node).root


def check_pages(every: int) -> int:
    print("| package | pages | the same text | the same but for comments | other |\n|---|---|---|---|---|")
    different: list[str] = []
    for package, folder in PACKAGES.items():
        seen: Counter[str] = Counter()
        for name, html, root in main_nodes(folder, every):
            ours, theirs = walk(root, Plain()), MarkdownConverter().convert(html)
            if ours == theirs:
                seen["same"] += 1
            elif ours == MarkdownConverter().convert(COMMENT.sub("", html)):
                seen["comments"] += 1
            else:
                seen["other"] += 1
                lines = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), lineterm="", n=0)
                different += [f"{name}:", *(f"    {line}" for line in list(lines)[2:8])]
        print(f"| {package} | {seen.total()} | {seen['same']} | {seen['comments']} | {seen['other']} |", flush=True)
    print("\n".join(["", *different]))
    return 1 if different else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    suite = commands.add_parser("tests", help="run markdownify's own tests over our walk")
    suite.add_argument("--from", dest="folder", type=Path, help="the folder `tests` of a checkout of markdownify")
    pages = commands.add_parser("pages", help="compare the text of real pages")
    pages.add_argument("--every", type=int, default=1, help="take every Nth page only")
    asked = parser.parse_args()
    print(f"markdownify {importlib.metadata.version('markdownify')}, Python {sys.version.split()[0]}\n")
    if asked.command == "pages":
        return check_pages(asked.every)
    if asked.folder is not None:
        return check_suite(asked.folder.resolve())
    with tempfile.TemporaryDirectory() as temporary:
        return check_suite(download(Path(temporary)))


if __name__ == "__main__":
    sys.exit(main())
