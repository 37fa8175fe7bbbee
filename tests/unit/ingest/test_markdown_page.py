"""Documents that are markdown already, the pages that they copy, and llms.txt."""

import time

import pytest

from ingest.llms_txt import is_llms_txt, names_list, read_llms_txt
from ingest.markdown_page import (
    declared_copy,
    html_original,
    is_markdown,
    markdown_copies,
    markdown_links,
    read_markdown,
)

pytestmark = pytest.mark.promise("C3")

URL = "https://x.org/docs/page.md"


def test_the_text_is_kept_as_it_is() -> None:
    text = "# Title\r\n\r\nA *b* `c`  \n\n```js\n# no\n```\n"
    assert read_markdown(text, URL).markdown == "# Title\n\nA *b* `c`  \n\n```js\n# no\n```"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# One\n\n# Two", "One"),
        ("text\n\n## `Two` and [three](x) ##\n", "Two and three"),
        ("```\n# no\n```\n\n# Yes", "Yes"),
        ("---\ntitle: 'From the front'\ndate: x\n---\n\n# Heading", "From the front"),
        ("# A {#a-1}", "A"),
        ("#hashtag\n\nplain text", ""),
        ("", ""),
    ],
)
def test_the_title_is_the_front_matters_or_the_first_heading(text: str, title: str) -> None:
    assert read_markdown(text, URL).title == title


def test_front_matter_is_taken_off_and_a_line_at_the_top_is_not() -> None:
    page = read_markdown("---\ntitle: T\ndescription: Says what.\n---\n\nText", URL)
    assert (page.markdown, page.description) == ("Text", "Says what.")
    assert read_markdown("---\n\nText\n\n---\n", URL).markdown == "---\n\nText\n\n---"


def test_what_an_mdx_document_imports_and_exports_is_no_text_of_it() -> None:
    text = (
        "---\ntitle: T\n---\nimport A from '@a'\nimport {\n  B,\n} from 'b';\n\n# T\n\nexport const c = 1\n\n"
        "import taxes are a text from here.\n\n<A>\n\nText\n\n</A>\n\n```js\n\nimport D from 'd'\n```\n"
    )
    kept = "# T\n\n\nimport taxes are a text from here.\n\n<A>\n\nText\n\n</A>\n\n```js\n\nimport D from 'd'\n```"
    assert read_markdown(text, "https://x.org/a.mdx").markdown == kept
    assert "import A" in read_markdown(text, "https://x.org/a.md").markdown


def test_anchors_are_the_ids_that_the_document_gives_and_no_others() -> None:
    page = read_markdown('# A\n\n<a id="top"></a>\n## B `x` {#b .c}\n\n```\n## C {#c}\n```\n### D\n', URL)
    assert [(anchor.id, anchor.level, anchor.term) for anchor in page.anchors] == [("top", None, ""), ("b", 2, "B x")]
    assert [page.markdown[anchor.offset :][:4] for anchor in page.anchors] == ["\n## ", "## B"]
    assert "{#c}" in page.markdown
    assert "{#b" not in page.markdown


def test_links_are_those_outside_of_code_in_order_and_each_once() -> None:
    text = (
        "[a](a.md#x) ![no](no.png) [![no](no2.png)](b) `[no](no3)` <https://y.org/c> [a](a.md)\n"
        "[d](</docs/d e> 'title') [paren](f_(g).html) [mail](mailto:x@y.org) [self](#top)\n"
        "[ref]: h.html 'Title'\n~~~\n[no](no4)\n~~~\n[i](http://z.org/?q=1)\n"
    )
    assert markdown_links(text, URL) == (
        "https://x.org/docs/a.md", "https://x.org/docs/b", "https://y.org/c", "https://x.org/docs/d%20e",
        "https://x.org/docs/f_(g).html", "https://x.org/docs/h.html", "http://z.org/?q=1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("media_type", "address", "expected"),
    [
        ("text/markdown", "https://x.org/a", True),
        ("text/x-markdown", "https://x.org/a", True),
        ("text/plain", "https://x.org/a.MD?raw=1", True),
        ("text/plain", "https://x.org/a.txt", False),
        ("text/html", "https://x.org/a.md", False),
    ],
)
def test_markdown_is_known_by_its_type_or_as_plain_text_by_its_name(
    media_type: str, address: str, expected: bool
) -> None:
    assert is_markdown(media_type, address) is expected


@pytest.mark.parametrize(
    ("copy", "page"),
    [
        ("https://x.org/docs/a.md", "https://x.org/docs/a"),
        ("https://x.org/docs/a.html.md", "https://x.org/docs/a.html"),
        ("https://x.org/docs/index.html.md", "https://x.org/docs/"),
        ("https://x.org/docs/index.md", "https://x.org/docs/"),
    ],
)
def test_a_copy_is_found_from_its_page_and_the_page_from_its_copy(copy: str, page: str) -> None:
    assert html_original(copy) == page
    assert copy in markdown_copies(page)


@pytest.mark.parametrize("address", ["https://x.org/a.html", "https://x.org/.md", "https://x.org/a.md?x=1"])
def test_other_addresses_are_no_copies(address: str) -> None:
    assert html_original(address) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('</docs/page.md>; rel="alternate"; type="text/markdown"', "https://x.org/docs/page.md"),
        ('</feed>; rel=alternate; type="application/rss+xml", <b.md>; type=text/markdown; rel=alternate', "https://x.org/docs/b.md"),
        ('</docs/page.md>; rel="canonical"', None),
        ("", None),
    ],
)  # fmt: skip
def test_a_link_header_may_name_the_copy(header: str, expected: str | None) -> None:
    assert declared_copy(header, "https://x.org/docs/page") == expected


LLMS = """# Project

> What it is.

- [Start](/docs/start.md): how to begin
- [Reference](https://x.org/docs/reference): all of it

## Optional

- [Other](https://y.org/other.md)
"""


def test_an_llms_txt_lists_its_links() -> None:
    assert read_llms_txt(LLMS.encode(), "https://x.org/llms.txt", "text/plain") == (
        "https://x.org/docs/start.md", "https://x.org/docs/reference", "https://y.org/other.md",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<!DOCTYPE html><title>Not found</title>", "text/html"),
        ("<!DOCTYPE html><a href='[x](y)'>", "text/plain"),
        ("not found", "text/plain"),
        (LLMS, "application/json"),
        ("", ""),
    ],
)
def test_what_is_no_llms_txt_is_none(body: str, content_type: str) -> None:
    assert read_llms_txt(body.encode(), "https://x.org/llms.txt", content_type) is None


@pytest.mark.parametrize(
    ("name", "expected"), [("llms.txt", True), ("llms-full.txt", True), ("LLMS.txt?v=1", True), ("a.txt", False)]
)
def test_the_kin_of_llms_txt_are_known_by_name(name: str, expected: bool) -> None:
    assert is_llms_txt(f"https://x.org/docs/{name}") is expected
    assert names_list(f"https://x.org/docs/{name}") is (expected and "full" not in name)


@pytest.mark.promise("C6")
@pytest.mark.parametrize(
    "evil", ["![", "](", "[", "`", "](<", "[a]: <", "<http://", "# {#", "#\t", "<a id='x'>", "---\n"]
)
def test_no_text_takes_longer_than_its_length(evil: str) -> None:
    def seconds(times: int) -> float:
        started = time.process_time()
        read_markdown(evil * times, URL)
        return time.process_time() - started

    seconds(1_000)
    assert seconds(100_000) < 40 * max(seconds(10_000), 0.005)
