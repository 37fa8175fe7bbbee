"""What a crawl is given as its start, as typed: an address, or a local folder, page or list of addresses.

Nothing is fetched here. What a start address turns out to be, a page or a list, is found when it is opened.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.charset import decode_text
from ingest.errors import BadInput
from ingest.folder import FolderFetcher, address_of, is_page_file, page_files, path_of
from ingest.llms_txt import is_llms_txt, read_llms_txt
from ingest.scope import Scope
from ingest.sitemaps import MAX_SITEMAP_BYTES, Listed, read_sitemap
from ingest.urls import check_url, identity, is_local

__all__ = ["Given", "read_given", "site_url"]


@dataclass(frozen=True)
class Given:
    """A start as typed. `listed` are the addresses of a local list or folder, None where `scope.start` is one to
    fetch; `fetcher` reads local files. A list's links are followed only where a depth was asked for."""

    scope: Scope
    listed: Iterable[Listed] | None = None
    fetcher: FolderFetcher | None = None
    follow: bool = True


def read_given(
    typed: str,
    path_regex: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_depth: int | None = None,
    *,
    subdomains: bool = False,
    ignore_query: bool = False,
) -> Given:
    """The start that `typed` names; BadInput for what is none, and for a regular expression that is none.

    An address; a folder, whose HTML and markdown files are all taken up; one such file, whose links are followed
    in its folder; a file of addresses, which may be a sitemap, an llms.txt or one address a line.
    """

    def scope(start: str, listed: Sequence[str] = ()) -> Scope:
        return Scope(start, path_regex, tuple(include), tuple(exclude), max_depth, subdomains, ignore_query, listed)

    path = _local(typed)
    if path is None:
        return Given(scope(check_url(typed)))
    if path.is_dir():
        found = (Listed(address_of(file)) for file in page_files(path))
        return Given(scope(address_of(path)), found, FolderFetcher(path))
    if is_page_file(path):
        return Given(scope(address_of(path)), fetcher=FolderFetcher(path.parent))
    listed = _read_list(path)
    return Given(scope(listed[0].address, [one.address for one in listed]), listed, follow=max_depth is not None)


def site_url(typed: str) -> str:
    """The normal form of a start as typed, by which its crawl is known: an address, or the `file:` address of a
    local folder or file. BadInput for what is neither."""
    path = _local(typed)
    return identity(check_url(typed)) if path is None else address_of(path)


def _local(typed: str) -> Path | None:
    """The existing folder or file that is meant; None for an address. BadInput where a path leads nowhere."""
    typed = typed.strip()
    if is_local(typed):
        path = path_of(identity(typed))
    elif not typed or "://" in typed[:12] or "\0" in typed or len(typed) > 4_096:
        return None
    else:
        path = Path(typed).expanduser()
    try:
        if path.is_dir() or path.is_file():
            return path
    except OSError:
        return None
    if is_local(typed) or typed.startswith(("/", "./", "../", "~", f".{os.sep}", f"..{os.sep}")):
        raise BadInput(f"there is no folder or file {path}: check the path, or give a URL")
    return None


def _read_list(path: Path) -> Sequence[Listed]:
    """The addresses that a local file lists, all of them http or https."""
    try:
        with path.open("rb") as file:
            body = file.read(MAX_SITEMAP_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    url = address_of(path)
    if len(body) > MAX_SITEMAP_BYTES:
        raise BadInput(f"{path} has more than {MAX_SITEMAP_BYTES:,} bytes; split the list")
    if is_llms_txt(url):
        links = read_llms_txt(body, url) or ()
        found: Sequence[Listed] = [Listed(link) for link in links if not is_local(link)]
    elif body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")):
        sitemap = read_sitemap(body, url)
        if sitemap is not None and sitemap.sitemaps and not sitemap.pages:
            raise BadInput(f"{path} is an index of sitemaps: give the URL of one of them instead")
        found = [one for one in sitemap.pages if not is_local(one.address)] if sitemap is not None else []
    else:
        found = _read_lines(path, decode_text(body))
    if not found:
        raise BadInput(
            f"{path} lists no http or https address: give a folder, an HTML or markdown file, or a file with one "
            "address a line"
        )
    return found


def _read_lines(path: Path, text: str) -> Sequence[Listed]:
    found: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if written and not written.startswith("#"):
            try:
                found.setdefault(check_url(written))
            except BadInput as error:
                raise BadInput(
                    f"{path} is no HTML or markdown file, and as a list of addresses it is wrong in line {number}: "
                    f"{error}"
                ) from error
    return [Listed(address) for address in found]
