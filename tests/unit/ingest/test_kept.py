"""What is counted of a page and of its markdown."""

import pytest

from ingest import Kept, html_to_markdown
from ingest.kept import written_blocks
from ingest.page import read_page

URL = "https://x.org/docs/page"
PROSE = "<p>" + "Words that say something. " * 20 + "</p>"


def kept(html: str, **options: str) -> Kept:
    found = html_to_markdown(html, URL, **options).kept
    assert found is not None
    return found


def test_text_is_counted_without_white_space_and_scripts() -> None:
    page = kept("<body><nav>ab cd</nav><main><h1>Ti</h1> <p>one\n two</p></main><script>var hidden</script></body>")
    assert (page.text, page.kept_text) == (12, 8)
    assert page.characters == len("# Ti\n\none two")


def test_code_is_counted_on_the_page_and_in_the_markdown() -> None:
    page = kept(
        f"<main><h1>A</h1>{PROSE}<pre>a = 1</pre><ul><li>x<pre><code>b</code></pre></li></ul>"
        "<blockquote><pre>c</pre></blockquote><pre> </pre><div class=fragment><div class=line>d</div></div></main>"
    )
    assert (page.code_blocks, page.kept_code_blocks) == (4, 4)


def test_code_that_the_extraction_leaves_out_is_lost_and_line_numbers_are_none() -> None:
    numbers = "<table class=highlighttable><td class=linenos><pre>1</pre></td><td><pre>a</pre></td></table>"
    page = kept(f"<body><main><h1>A</h1>{PROSE * 4}{numbers}</main><div><pre>left out</pre></div></body>")
    assert (page.code_blocks, page.kept_code_blocks) == (2, 1)


def test_a_selector_says_what_there_is_to_keep() -> None:
    html = f"<body><div id=a><h1>A</h1>{PROSE}<pre>a</pre></div><div><pre>b</pre></div></body>"
    page = kept(html, content_selector="#a")
    assert (page.code_blocks, page.kept_code_blocks) == (1, 1)
    assert kept(html, content_selector="#b").kept_text == 0


HEADED = "<table><tr><th>a<th>b<tr><td>1<td>2</table>"
PLAIN = "<table><tr><td>a<td>b<tr><td>1<td>2</table>"
LAYOUT = f"<table><tr><td>{HEADED}<td>x</table>"
NOTE = "<table><tr><td>Note<td>Mind this.</table>"


@pytest.mark.parametrize(
    ("table", "counted"),
    [
        (HEADED, (1, 1)),
        (PLAIN, (1, 1)),
        (HEADED + PLAIN, (2, 2)),
        (LAYOUT, (1, 1)),
        (NOTE, (0, 0)),
        ("<table><tr><th>a<th>b<tr><td>1<td><pre>code</pre></table>", (1, 0)),  # no cell of markdown holds it
        ("<table></table>", (0, 0)),
    ],
)
def test_tables_of_data_are_counted_in_the_content_and_in_the_markdown(table: str, counted: tuple[int, int]) -> None:
    page = kept(f"<main><h1>A</h1>{PROSE}{table}</main>")
    assert (page.tables, page.kept_tables) == counted


@pytest.mark.parametrize(
    ("markdown", "counted"),
    [
        ("", (0, 0)),
        ("```\na\n```", (1, 0)),
        ("```\nnever closed", (1, 0)),
        ("````md\n```\ninner\n```\n````\n\n~~~\nb\n~~~", (2, 0)),
        ("- item\n\n  ```sh\n  a\n  ```\n\n1. > ```\n   > b\n   > ```", (2, 0)),
        ("``` not `a fence` ```", (0, 0)),
        ("Say ``` here, and | --- | there.", (0, 0)),
        ("| a | b |\n| --- | :-: |\n| - | --- |", (0, 1)),
        ("| a |\n|---|\n\n> | b |\n> |---|", (0, 2)),
        ("| - |\n| - |\n| - |\n\n| - |\n|---|", (0, 2)),
        ("|---|", (0, 0)),
        ("```\n| a |\n|---|\n```", (1, 0)),
        ("a | b\n--- | ---", (0, 0)),  # a table of another's hand; the conversion writes the outer pipes
    ],
)
def test_fences_and_tables_of_a_markdown_are_counted(markdown: str, counted: tuple[int, int]) -> None:
    assert written_blocks(markdown) == counted


def test_a_markdown_document_is_kept_whole() -> None:
    page = read_page(b"---\ntitle: T\n---\n# T\n\n```\na b\n```\n", URL, "text/markdown")
    assert page.kept == Kept(16, 10, 10, 1, 1, 0, 0)
    assert page.markdown == "# T\n\n```\na b\n```"


def test_the_figures_are_no_part_of_what_a_page_is() -> None:
    one, other = html_to_markdown("<p>a</p>", URL), html_to_markdown("<nav>menu</nav><p>a</p>", URL)
    assert one.kept != other.kept
    assert one == other
