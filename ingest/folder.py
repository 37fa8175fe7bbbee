"""A local folder of HTML and markdown as a site: its files have `file:` addresses, and nothing else is read.

Links between files are followed like links between pages; hidden files and symbolic links that lead out of the
folder are not there. Only `FolderFetcher` reads such addresses: over HTTP they are refused (promise C7).
"""

import asyncio
import os
import re
import stat
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from ingest import urls
from ingest.errors import BadInput, FetchError, TooLarge
from ingest.models import FetchRequest, FetchResponse

__all__ = ["FolderFetcher", "address_of", "is_page_file", "page_files", "path_of"]

MAX_FILE_BYTES = 32 * 1024 * 1024
"""The cap on the size of a file, in bytes: that of a page over HTTP."""

_HTML = ("text/html", (".html", ".htm", ".xhtml"))
_MARKDOWN = ("text/markdown", (".md", ".markdown", ".mdown", ".mdx"))
_TYPES = MappingProxyType(
    {suffix: kind for kind, suffixes in (_HTML, _MARKDOWN, ("text/plain", (".txt",))) for suffix in suffixes}
)
_PAGE_SUFFIXES = frozenset(_HTML[1] + _MARKDOWN[1])
_INDEXES = ("index.html", "index.htm", "index.xhtml", "index.md", "index.mdx", "README.md")
# What has a meaning in an address, or is dropped from one: everything but this stands for itself.
_ESCAPED = re.compile(rb"[\x00-\x20%?#\\\x7f-\xff]")


def address_of(path: Path) -> str:
    """The `file:` address of a path; a folder's ends with a slash."""
    absolute = Path(os.path.abspath(path))
    written = _ESCAPED.sub(lambda match: b"%%%02X" % match[0][0], os.fsencode(absolute.as_posix())).decode("ascii")
    slash = "/" if absolute.is_dir() and not written.endswith("/") else ""
    return urls.identity(f"file://{'' if written.startswith('/') else '/'}{written}{slash}")


def path_of(address: str) -> Path:
    """The path that a `file:` address names. BadInput where it names another machine, or none."""
    host, slash, path = address[5:].partition("#")[0].partition("?")[0].removeprefix("//").partition("/")
    name = unquote_to_bytes(path)
    if host or not slash or b"\0" in name:
        raise BadInput(f"{address} is not the address of a file of this machine, such as file:///home/me/docs/")
    drive = os.name == "nt"
    return Path(os.fsdecode(name if drive else b"/" + name))


def is_page_file(path: Path) -> bool:
    """True for a file that is a page by its name: HTML or markdown."""
    return path.suffix.lower() in _PAGE_SUFFIXES


def page_files(root: Path) -> Iterator[Path]:
    """Every HTML and markdown file below `root`, a folder's index first, then by name, then its folders."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        pages = [name for name in names if not name.startswith(".") and is_page_file(Path(name))]
        for name in sorted(pages, key=lambda name: (name not in _INDEXES, name)):
            path = Path(folder, name)
            if not path.is_symlink() or path.resolve().is_relative_to(root.resolve()):
                yield path


class FolderFetcher:
    """The `Fetcher` that answers from the files below one folder, as a web server would.

    A folder's address redirects to its index page. The Content-Type comes from the file's name; a file that is
    neither HTML, markdown nor plain text comes back without its body. The entity tag is made of the file's time
    and size, and a request that names it gets a 304. What is not in the folder, is hidden or is no regular file
    is a 404; a symbolic link counts as what it leads to.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root))
        self._real = self._root.resolve()

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        if not urls.is_local(request.url):
            raise FetchError(request.url, "protocol", "not a file of the folder that is crawled")
        return await asyncio.to_thread(self._answer, request)

    async def aclose(self) -> None:
        return None

    def _answer(self, request: FetchRequest) -> FetchResponse:
        missing = FetchResponse(request.url, 404)
        try:
            path = Path(os.path.abspath(path_of(request.url)))
            real = path.resolve()
            if not self._holds(path, real):
                return missing
            found = real.stat()
            if stat.S_ISDIR(found.st_mode):
                return self._index(request.url, path)
            if not stat.S_ISREG(found.st_mode):
                return missing
            return self._file(request, real, found)
        except (BadInput, FileNotFoundError, NotADirectoryError, ValueError):
            return missing
        except OSError as error:
            raise FetchError(request.url, "refused", f"cannot be read: {error.strerror or error}") from error

    def _holds(self, path: Path, real: Path) -> bool:
        inside = path.is_relative_to(self._root) and real.is_relative_to(self._real)
        return inside and not any(
            part.startswith(".") for part in (*path.relative_to(self._root).parts, *real.relative_to(self._real).parts)
        )

    def _index(self, url: str, folder: Path) -> FetchResponse:
        name = next((name for name in _INDEXES if (folder / name).is_file()), None)
        if name is None:
            return FetchResponse(url, 404)
        return FetchResponse(url, 301, {"location": address_of(folder / name)})

    def _file(self, request: FetchRequest, path: Path, found: os.stat_result) -> FetchResponse:
        kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
        tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        headers = {"content-type": kind, "etag": tag, "last-modified": formatdate(found.st_mtime, usegmt=True)}
        asked = {name.lower(): value for name, value in request.headers.items()}
        if asked.get("if-none-match") == tag:
            return FetchResponse(request.url, 304, headers)
        if kind not in _TYPES.values():
            return FetchResponse(request.url, 200, headers)
        cap = MAX_FILE_BYTES if request.max_bytes is None else min(request.max_bytes, MAX_FILE_BYTES)
        with path.open("rb") as file:
            body = file.read(cap + 1)
        if len(body) > cap:
            raise TooLarge(request.url, f"it is larger than {cap:,} bytes", partial=body[:cap])
        return FetchResponse(request.url, 200, headers, body)
