"""A local folder as a site, and everything else that a start may be besides an address."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ingest import CrawledPage, FakeFetcher, FetchRequest, FolderFetcher, SkippedPage, crawl, site_url
from ingest.errors import BadInput, FetchError, TooLarge
from ingest.fetcher import HttpFetcher
from ingest.folder import address_of, page_files, path_of
from ingest.models import FetchResponse

pytestmark = pytest.mark.promise("C3")

Found = CrawledPage | SkippedPage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of HTML and markdown with what should not be read around and in it."""
    root = tmp_path / "docs"
    write(tmp_path / "secret.html", "<h1>Secret</h1><p>text</p>")
    write(
        root / "index.html",
        "<h1>Home</h1><a href='guide/'>g</a> <a href='../secret.html'>s</a> <a href='note.txt'>n</a>",
    )
    write(root / "guide" / "index.md", "# Guide\n\n[deep](deep/a%20b%23c.html) [home](../index.html)")
    write(root / "guide" / "deep" / "a b#c.html", "<h1>Odd name</h1><p>Reached.</p>")
    write(root / "alone.md", "# Alone\n\nNothing links here.")
    write(root / "note.txt", "Plain text.")
    write(root / ".git" / "x.md", "# Hidden")
    write(root / "guide" / ".draft.md", "# Hidden")
    (root / "image.png").write_bytes(b"\x89PNG")
    (root / "out.html").symlink_to(tmp_path / "secret.html")
    (root / "up").symlink_to(tmp_path)
    (root / "again.md").symlink_to(root / "alone.md")
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def run(start: object, **options: Any) -> list[Found]:
    async def main() -> list[Found]:
        async with aclosing(crawl(str(start), **options)) as stream:
            return [found async for found in stream]

    return asyncio.run(main())


def told(found: Sequence[Found], root: Path) -> list[str]:
    base = address_of(root)
    return [
        one.url.removeprefix(base) if isinstance(one, CrawledPage) else f"{one.url.removeprefix(base)}:{one.outcome}"
        for one in found
    ]


def get(root: Path, address: str, **options: Any) -> FetchResponse:
    return asyncio.run(FolderFetcher(root).fetch(FetchRequest(address, **options)))


def test_every_page_of_a_folder_is_found_and_its_links_are_followed(folder: Path) -> None:
    assert told(run(folder), folder) == [
        "index.html",
        "again.md",
        "alone.md:duplicate",
        "guide/index.md",
        "guide/deep/a%20b%23c.html",
        "guide/:duplicate",
        "note.txt",
    ]


def test_a_page_of_a_folder_is_a_start_whose_links_are_followed(folder: Path) -> None:
    assert told(run(folder / "guide" / "index.md"), folder) == ["guide/index.md", "guide/deep/a%20b%23c.html"]


@pytest.mark.promise("C2")
def test_a_folder_takes_the_same_scope_options(folder: Path) -> None:
    assert told(run(folder, path_regex="guide/.*html"), folder) == ["guide/deep/a%20b%23c.html"]
    assert told(run(folder, exclude=["guide", "alone", "again"], limit=1), folder) == ["index.html"]


@pytest.mark.promise("C7")
@pytest.mark.parametrize(
    "name",
    [
        "../secret.html",
        "%2e%2e/secret.html",
        "..%2Fsecret.html",
        "out.html",
        "up/secret.html",
        "up/",
        ".git/x.md",
        "guide/.draft.md",
        "guide/index.md/x",
        "a%00b.html",
        "gone.html",
    ],
)
def test_what_is_hidden_or_out_of_the_folder_is_not_there(folder: Path, name: str) -> None:
    assert get(folder, address_of(folder) + name).status == 404


@pytest.mark.promise("C7")
def test_what_is_no_file_is_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.html")
    assert get(folder, address_of(folder) + "pipe.html").status == 404


@pytest.mark.promise("C7")
@pytest.mark.parametrize("address", ["http://127.0.0.1/", "https://x.org/", "ftp://x.org/"])
def test_a_folder_never_reaches_for_the_network(folder: Path, address: str) -> None:
    with pytest.raises(FetchError, match="not a file of the folder"):
        get(folder, address)
    assert get(folder, "file://otherhost/x.html").status == 404


@pytest.mark.promise("C7")
def test_http_never_reaches_for_a_file(folder: Path) -> None:
    async def fetch() -> None:
        fetcher = HttpFetcher()
        try:
            await fetcher.fetch(FetchRequest(address_of(folder / "index.html")))
        finally:
            await fetcher.aclose()

    with pytest.raises(FetchError, match="not an http or https address"):
        asyncio.run(fetch())
    site = FakeFetcher({"https://x.org/": f"<h1>x</h1><p>t</p><a href='{address_of(folder)}index.html'>f</a>"})
    assert [found.url for found in run("https://x.org/", fetcher=site)] == ["https://x.org/"]


@pytest.mark.promise("C9")
def test_a_file_that_has_not_changed_is_not_read_again(folder: Path) -> None:
    address = address_of(folder / "alone.md")
    first = get(folder, address)
    again = get(folder, address, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status, again.status, again.body) == (200, 304, b"")
    os.utime(folder / "alone.md", ns=(1, 1))
    assert get(folder, address, headers={"If-None-Match": first.headers["etag"]}).status == 200


@pytest.mark.promise("C6")
def test_a_file_over_the_cap_is_refused(folder: Path) -> None:
    with pytest.raises(TooLarge) as refused:
        get(folder, address_of(folder / "alone.md"), max_bytes=5)
    assert refused.value.partial == b"# Alo"


def test_types_come_from_names(folder: Path) -> None:
    kinds = {
        name: get(folder, address_of(folder) + name) for name in ("index.html", "alone.md", "note.txt", "image.png")
    }
    assert [answer.headers["content-type"] for answer in kinds.values()] == [
        "text/html", "text/markdown", "text/plain", "application/octet-stream",
    ]  # fmt: skip
    assert kinds["image.png"].body == b""


def test_mdx_is_markdown(tmp_path: Path) -> None:
    write(tmp_path / "index.mdx", "import A from 'a'\n\n# Page\n\nWords, and [more](more.mdx).")
    write(tmp_path / "more.mdx", "# More\n\nOther words.")
    assert [(found.url.rpartition("/")[2], found.title) for found in run(tmp_path)] == [
        ("index.mdx", "Page"),
        ("more.mdx", "More"),
    ]
    assert len(run(tmp_path / "index.mdx")) == 2


@pytest.mark.parametrize("name", ["a b", "ä", "100%", "q?x#y", "(x)~!'", "tab\tline\n", "back\\slash"])
def test_any_file_name_has_an_address_that_leads_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.md"
    path.write_text("# x")
    assert path_of(address_of(path)) == path
    assert site_url(str(path)) == address_of(path)
    assert [found.url for found in run(tmp_path)] == [address_of(path)]
    assert list(page_files(tmp_path)) == [path]


# --- a file of addresses --------------------------------------------------------------------------

PAGES = {f"https://x.org/{n}": f"<h1>{n}</h1><p>text of {n}</p><a href='/linked'>l</a>" for n in ("a", "b", "linked")}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("urls.txt", "# mine\nhttps://x.org/b\n\n  https://x.org/a  \nhttps://x.org/b\n"),
        ("sitemap.xml", "<urlset><url><loc>https://x.org/b</loc></url><url><loc>https://x.org/a</loc></url></urlset>"),
        ("llms.txt", "# X\n- [b](https://x.org/b)\n- [a](https://x.org/a) [local](x.md)\n"),
    ],
)
def test_the_addresses_of_a_file_are_taken_and_their_links_only_with_a_depth(
    tmp_path: Path, name: str, text: str
) -> None:
    write(tmp_path / name, text)
    found = run(tmp_path / name, fetcher=FakeFetcher(PAGES))
    assert [one.url for one in found] == ["https://x.org/b", "https://x.org/a"]
    found = run(tmp_path / name, fetcher=FakeFetcher(PAGES), max_depth=1)
    assert [one.url for one in found] == ["https://x.org/b", "https://x.org/a", "https://x.org/linked"]


def test_a_file_may_list_several_hosts(tmp_path: Path) -> None:
    write(tmp_path / "urls", "https://x.org/a\nhttps://y.org/a\n")
    pages = {"https://x.org/a": "<h1>x</h1><p>one</p>", "https://y.org/a": "<h1>y</h1><p>two</p>"}
    assert sorted(one.url for one in run(tmp_path / "urls", fetcher=FakeFetcher(pages))) == sorted(pages)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://x.org/\nnonsense\n", "urls.txt is no HTML or markdown file.* line 2: nonsense has no scheme"),
        ("https://x.org/\nfile:///etc/passwd\n", "line 2: .* only http and https"),
        ("", "lists no http or https address"),
        ("<html></html>", "lists no http or https address"),
        ("<sitemapindex><sitemap><loc>https://x.org/s.xml</loc></sitemap></sitemapindex>", "index of sitemaps"),
    ],
)
def test_a_file_that_is_no_list_is_wrong_input(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "urls.txt", text)
    with pytest.raises(BadInput, match=message):
        run(tmp_path / "urls.txt")


@pytest.mark.parametrize("typed", ["/no/such/folder", "./nothing", "file:///no/such", "~/no-such-folder"])
def test_a_path_that_leads_nowhere_is_wrong_input(typed: str) -> None:
    with pytest.raises(BadInput, match="there is no folder or file"):
        run(typed)
