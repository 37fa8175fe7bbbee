"""Documents that are markdown already: read as they are, and told apart from the HTML page that they copy (pure).

A page's markdown copy lies at the page's own address with `.md` appended, and at `index.html.md` for an address
that ends with a slash (llmstxt.org); many generators write `page.md` beside `page.html`, and `index.md`.
"""

import re
from collections.abc import Iterator, Sequence

from ingest.models import Anchor, MarkdownPage
from ingest.urls import identity, resolve

__all__ = [
    "MARKDOWN_ACCEPT",
    "declared_copy",
    "html_original",
    "is_markdown",
    "markdown_copies",
    "markdown_links",
    "read_markdown",
]

MARKDOWN_ACCEPT = "text/markdown, text/x-markdown;q=0.9, text/html;q=0.5, application/xhtml+xml;q=0.5, */*;q=0.1"
"""The Accept header of a request that would rather have markdown than HTML."""

_TYPES = frozenset({"text/markdown", "text/x-markdown", "application/markdown", "application/x-markdown"})
_NAME = re.compile(r"\.(?:md|markdown|mdown|mdx)$", re.IGNORECASE)
_MDX = re.compile(r"\.mdx$", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_GIVEN_ID = re.compile(r"[ \t]*\{:?[ \t]*#([^\s{}]+)[^{}]*\}[ \t]*$")
_EMPTY_ANCHOR = re.compile(r"<a\s+(?:id|name)\s*=\s*[\"']([^\"'<>]+)[\"'][^<>]*(?:/>|>\s*</a>)", re.IGNORECASE)
_CODE_SPAN = re.compile(r"`[^`]*`")
# An image is a match with its first group; what follows `](` is the target.
_LINK = re.compile(r"(!\[[^\[\]]*)?\]\(\s*(?:<([^<>]*)>|((?:[^\s()<>]|\([^\s()<>]*\))*))")
_DEFINITION = re.compile(r" {0,3}\[[^\[\]^][^\[\]]*\]:[ \t]*<?([^\s<>]+)>?")
_AUTOLINK = re.compile(r"<(https?://[^\s<>]+)>")
_MARKS = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)|[`*]")
_FRONT_MATTER_CHARACTERS = 16_384
_LONGEST_LINE = 2_000  # characters of a line that is looked at for a heading and ids
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
# What begins a block of JavaScript in MDX (mdxjs.com, "ESM"); it ends with the paragraph.
_MODULE = re.compile(
    r"import\s*(?:[\"']|[^\"']*\bfrom\s*[\"'])|export\s+(?:const|let|var|function|default|async|class|[{*])"
)
_FACT = re.compile(r"^(title|description):[ \t]*(.+?)[ \t]*$", re.MULTILINE)


def is_markdown(media_type: str, address: str) -> bool:
    """True for a document that says it is markdown, or is sent as plain text under a name that says so."""
    return media_type in _TYPES or (media_type == "text/plain" and _NAME.search(address.partition("?")[0]) is not None)


def read_markdown(text: str, url: str) -> MarkdownPage:
    """A markdown or plain text document, found at `url`, as a page.

    The title is that of its front matter (YAML between `---`), which is taken off, else its first heading.
    Anchors are the ids that the document gives itself (`## Title {#id}`, `<a id="…"></a>`), which are taken off
    too; none is made up from a heading, since how a site would spell it is not known. Of MDX, what it imports and
    exports is taken off.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    facts, text = _front_matter(text)
    if _MDX.search(url.partition("?")[0]):
        text = _without_modules(text)
    lines: list[str] = []
    anchors: list[Anchor] = []
    title, offset = facts.get("title", ""), 0
    for line, in_code in _lines(text):
        kept = line
        if not in_code and len(line) <= _LONGEST_LINE:
            heading = _HEADING.match(line)
            kept, found = _without_ids(line, heading, offset)
            anchors += found
            if not title and heading is not None:
                title = _plain(_GIVEN_ID.sub("", heading[2] or ""))
        lines.append(kept)
        offset += len(kept) + 1
    return MarkdownPage(
        markdown="\n".join(lines).rstrip(),
        anchors=tuple(anchors),
        title=title,
        description=facts.get("description", ""),
        links=markdown_links(text, url),
    )


def markdown_links(text: str, url: str) -> Sequence[str]:
    """The addresses that a markdown document at `url` links to, outside of code, in order, each once."""
    targets: dict[str, None] = {}
    for line, in_code in _lines(text):
        if in_code:
            continue
        line = _CODE_SPAN.sub("", line)
        written = [match[2] or match[3] or "" for match in _LINK.finditer(line) if match[1] is None]
        written += _AUTOLINK.findall(line)
        if (definition := _DEFINITION.match(line)) is not None:
            written.append(definition[1])
        targets.update(dict.fromkeys(target.partition("#")[0].strip() for target in written))
    addresses = (resolve(url, target) for target in targets if target)
    return tuple(dict.fromkeys(address for address in addresses if address is not None))


def html_original(address: str) -> str | None:
    """The address of the HTML page that a markdown document would be the copy of; None where its name is no copy's."""
    before, mark, _ = address.partition("?")
    if mark or not before.endswith(".md"):
        return None
    folder, _, name = before.rpartition("/")
    if name in ("index.html.md", "index.md"):
        return f"{folder}/"
    bare = name.removesuffix(".md")
    return f"{folder}/{bare}" if bare else None


def markdown_copies(url: str) -> frozenset[str]:
    """The identities under which a page's own markdown copy may lie."""
    before, mark, _ = url.partition("?")
    if mark:
        return frozenset()
    folder, _, name = before.rpartition("/")
    if not name:
        names = [f"{folder}/index.html.md", f"{folder}/index.md", f"{folder}.md"]
    else:
        names = [f"{before}.md", f"{before.removesuffix('.html')}.md"]
    return frozenset(identity(one) for one in names if one.count("/") > 2)


def declared_copy(link: str, url: str) -> str | None:
    """The markdown copy that a Link header names (`<…>; rel="alternate"; type="text/markdown"`, RFC 8288)."""
    for match in re.finditer(r"<([^<>]*)>([^<]*)", link):
        rest = match[2].lower()
        if re.search(r"rel\s*=\s*[\"']?[^\"';]*\balternate\b", rest) and "text/markdown" in rest:
            return resolve(url, match[1])
    return None


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is a fence or inside one."""
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match is None:
            yield line, bool(fence)
        elif not fence:
            # An info string with backticks makes it a code span (CommonMark 4.5).
            fence = "" if match[1][0] == "`" and "`" in match[2] else match[1]
            yield line, bool(fence)
        else:
            if match[1].startswith(fence) and not match[2].strip():
                fence = ""
            yield line, True


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    match = _FRONT_MATTER.match(text[:_FRONT_MATTER_CHARACTERS])
    if match is None or ":" not in (match[1] or ""):
        return {}, text
    facts = {name: value.strip("\"'").strip() for name, value in _FACT.findall(match[1])}
    return facts, text[match.end() :].strip("\n")


def _without_modules(text: str) -> str:
    """MDX without its paragraphs of JavaScript."""
    kept: list[str] = []
    before, dropping = "", False
    for line, in_code in _lines(text):
        starts = not before.strip() and not in_code and _MODULE.match(line) is not None
        dropping = starts or (dropping and bool(line.strip()))
        if not dropping:
            kept.append(line)
        before = line
    return "\n".join(kept).strip("\n")


def _without_ids(line: str, heading: re.Match[str] | None, offset: int) -> tuple[str, list[Anchor]]:
    """The line without the ids that it gives, and those as anchors."""
    anchors: list[Anchor] = []
    given = _GIVEN_ID.search(line) if heading is not None else None
    if heading is not None and given is not None:
        line = line[: given.start()]
        anchors.append(Anchor(offset, given[1], len(heading[1]), _plain(_GIVEN_ID.sub("", heading[2] or ""))))
    while (match := _EMPTY_ANCHOR.search(line)) is not None:
        line = line[: match.start()] + line[match.end() :]
        anchors.append(Anchor(offset + match.start(), match[1], None, ""))
    return line, sorted(anchors, key=lambda anchor: anchor.offset)


def _plain(heading: str) -> str:
    return " ".join(_MARKS.sub(lambda match: match[1] or "", heading).split())
