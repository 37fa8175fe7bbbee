"""What a page says about itself and where it links to, before its content is read (pure, on selectolax)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.nesting import outer
from ingest.robots import robots_rules
from ingest.urls import resolve

__all__ = ["Document", "page_title", "read_document"]

_JSON_LD_CHARACTERS = 200_000
_TRAIL = (
    "nav[aria-label*=breadcrumb i], ol[aria-label*=breadcrumb i], ul[aria-label*=breadcrumb i], "
    "[role=navigation][aria-label*=breadcrumb i], .breadcrumbs, .breadcrumb, .wy-breadcrumbs, "
    ".rustdoc-breadcrumbs, nav.md-path, .related, .navpath"
)
_PLAIN_TRAIL = frozenset({"related", "navpath"})  # of Sphinx and Doxygen: lists that hold more than the trail
_STEP = "li:not([class*=aside]), a, [itemprop=name]"
_BESIDE = "[class*=aside]"  # what is in a trail and no step
_MODIFIED_METAS = frozenset(
    {
        "article:modified_time",
        "og:updated_time",
        "last-modified",
        "last_modified",
        "dcterms.modified",
        "dc.date.modified",
        "dc.modified",
        "dc.created",  # javadoc: when the page was generated
        "docsearch:modified",
        "revised",
    }
)
_UPDATED = re.compile(
    r"(?:last|page) (?:updated?|modified|changed?|edited|reviewed)[^\d]{0,30}?"
    r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?|[A-Z][a-z]{2,8} \d{1,2}, \d{4}|\d{1,2} [A-Z][a-z]{2,8} \d{4})",
    re.IGNORECASE,
)
_UPDATED_PLACES = "footer, .footer, #footer, [class*=updated i], [class*=modified i], [role=contentinfo]"
_LONG_TITLE = 2_000  # characters
_MANUAL = re.compile(r"(.*?\S)\s+\((?=[^()]*[A-Z])(?=[^()]*\s)(.*)\)")  # as Texinfo writes it: several words
_DATE_FORMATS = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y")
_SIGNS = " ¶#§🔗◆\u200b\u00a0\uf0c1"
_SEPARATOR = r"[-–—|·•»«/]+"  # not a colon: "Syntax: SELECT" names no site


@dataclass(frozen=True, slots=True)
class Document:
    """What a page says about itself. `modified` is ISO 8601, or ""; `breadcrumb` is from the outside in."""

    title: str
    description: str
    language: str
    canonical: str | None
    base: str
    links: Sequence[str]
    noindex: bool
    nofollow: bool
    breadcrumb: Sequence[str] = ()
    modified: str = ""
    generator: str = ""
    markdown_copy: str | None = None


def read_document(tree: LexborHTMLParser, url: str) -> Document:
    """Metadata and links of a parsed page. Links are absolute, without fragment, in order, each once."""
    base = _attribute(tree, "base[href]", "href")
    base_url = resolve(url, base) or url if base else url
    metas = _metas(tree)
    rules = frozenset[str]().union(
        *(robots_rules(content) for name, content in metas if name in ("robots", "syncline"))
    )
    facts = dict(reversed(metas))  # the first of a name counts
    linked = tuple(_json_ld(tree))
    canonical = _attribute(tree, "link[rel~=canonical][href]", "href")
    copy = _attribute(tree, "link[rel~=alternate][type='text/markdown'][href]", "href")
    language = _attribute(tree, "html", "lang") or _attribute(tree, "html", "xml:lang")
    return Document(
        title=_title(tree),
        description=" ".join((facts.get("description") or facts.get("og:description") or "").split()),
        language=(language or facts.get("content-language") or _attribute(tree, "body", "lang") or "").strip(),
        canonical=resolve(base_url, canonical) if canonical else None,
        base=base_url,
        links=tuple(_links(tree, base_url)),
        noindex=not rules.isdisjoint(("noindex", "none")),
        nofollow=not rules.isdisjoint(("nofollow", "none")),
        breadcrumb=_breadcrumb(tree, linked),
        modified=_modified(tree, facts, linked),
        generator=" ".join(facts.get("generator", "").split()),
        markdown_copy=resolve(base_url, copy) if copy else None,
    )


def page_title(title: str, heading: str, site: str = "") -> str:
    """The page's own part of a document's title: without the name of the site, where that can be known.

    It is known where the page's first `heading` is one end of the title and a separator stands beside it, or
    where the `site` gives its name (`og:site_name`) and that is one end; and where the name of a manual is in
    parentheses after what the heading ends with.
    """
    if len(title) + len(heading) + len(site) > _LONG_TITLE:
        return title
    manual = _MANUAL.fullmatch(title)
    if manual is not None and heading.casefold().endswith(manual[1].casefold()):
        return manual[1]
    for own, keeps in ((heading, True), (site, False)):
        words = re.escape(own.strip())
        if not words or own.strip().casefold() == title.casefold():
            continue
        for pattern in (rf"({words})(\s+{_SEPARATOR}\s+)(.+)", rf"(.+?)(\s+{_SEPARATOR}\s+)({words})"):
            match = re.fullmatch(pattern, title, re.IGNORECASE)
            if match is not None:
                first = match[1].casefold() == own.strip().casefold()
                return match[1] if first is keeps else match[3]
    return title


def _metas(tree: LexborHTMLParser) -> list[tuple[str, str]]:
    """Lower-case name, property or http-equiv, and content, of every meta element in order."""
    found: list[tuple[str, str]] = []
    for node in tree.css("meta"):
        attributes = node.attributes
        name = attributes.get("name") or attributes.get("property") or attributes.get("http-equiv")
        if name:
            found.append((name.strip().lower(), attributes.get("content") or ""))
    return found


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str | None:
    node = tree.css_first(selector)
    return node.attributes.get(name) if node is not None else None


def _title(tree: LexborHTMLParser) -> str:
    """The document's title, without the name that the site gives itself, else its first h1."""
    for selector in ("head title", "h1"):
        node = tree.css_first(selector)
        text = _text(node) if node is not None else ""
        if text:
            return page_title(text, "", _attribute(tree, "meta[property='og:site_name']", "content") or "")
    return ""


def _text(node: LexborNode) -> str:
    """Runs of white space as one space, without the sign of a permalink at the end."""
    return " ".join(node.text(deep=True).split()).rstrip(_SIGNS)


def _json_ld(tree: LexborHTMLParser) -> Iterator[Mapping[str, object]]:
    """The objects of the page's JSON-LD blocks; what cannot be read is left out."""
    for node in tree.css("script[type='application/ld+json']"):
        written = node.text(deep=True)
        if len(written) > _JSON_LD_CHARACTERS:
            continue
        try:
            found = json.loads(written)
        except (ValueError, RecursionError):
            continue
        graph = found.get("@graph", found) if isinstance(found, dict) else found
        yield from (one for one in (graph if isinstance(graph, list) else [graph]) if isinstance(one, dict))


def _breadcrumb(tree: LexborHTMLParser, linked: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """The names of the pages above this one and of this one, as the site shows them."""
    for facts in linked:
        if facts.get("@type") == "BreadcrumbList" and isinstance(steps := facts.get("itemListElement"), list):
            names = [_step_name(step) for step in steps if isinstance(step, dict)]
            return tuple(name for name in names if name)
    for trail in outer(tree.css(_TRAIL)):
        plain = not _PLAIN_TRAIL.isdisjoint((trail.attributes.get("class") or "").split())
        steps = trail.css("li.nav-item, li.navelem" if plain else _STEP)
        beside = {link.mem_id for box in outer(trail.css(_BESIDE), 1) for link in box.css("a")}
        innermost = [step for step in outer(steps) if step.mem_id not in beside and step.css_first("ul, ol") is None]
        names = [_text(step).strip(" /›»>→:\u00a0") for step in innermost]
        found = tuple(dict.fromkeys(filter(None, names)))
        if found:
            return found
    return ()


def _step_name(step: Mapping[str, object]) -> str:
    item = step.get("item")
    name = step.get("name") or (item.get("name") if isinstance(item, dict) else None)
    return " ".join(name.split()) if isinstance(name, str) else ""


def _modified(tree: LexborHTMLParser, facts: Mapping[str, str], linked: Sequence[Mapping[str, object]]) -> str:
    """When the page was last changed: its metas, its JSON-LD, then what its frame says."""
    said = [content for name, content in facts.items() if name in _MODIFIED_METAS]
    said += [str(one["dateModified"]) for one in linked if "dateModified" in one]
    for place in outer(tree.css(_UPDATED_PLACES)):
        times = [node.attributes.get("datetime") or "" for node in place.css("time[datetime]")]
        words = f"{place.attributes.get('class') or ''} {_text(place)[:2000]}"
        if re.search(r"updated|modified|changed", words, re.IGNORECASE):
            said += times
        said += [match[1] for match in _UPDATED.finditer(words)]
    tail = tree.body.text(deep=True)[-300:] if tree.body is not None else ""
    said += [match[1] for match in _UPDATED.finditer(" ".join(tail.split()))]
    return next((moment for moment in map(_iso, said) if moment), "")


def _iso(written: str) -> str:
    """A date or a time as ISO 8601; "" for what is none."""
    written = written.strip()
    for read in (date.fromisoformat, datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(written).isoformat()
        except ValueError:
            continue
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(written, form).date().isoformat()
        except ValueError:
            continue
    return ""


def _links(tree: LexborHTMLParser, base_url: str) -> Iterator[str]:
    # Pages hold thousands of links, most to the same few pages: they are told apart before they are resolved.
    written: set[str] = set()
    seen: set[str] = set()
    for node in tree.css("a[href], area[href], frame[src], iframe[src]"):
        attributes = node.attributes
        if "nofollow" in (attributes.get("rel") or "").lower().split():
            continue
        target = attributes.get("href") or attributes.get("src")
        if not target:
            continue
        target = target.partition("#")[0].strip()
        if not target or target in written:
            continue
        written.add(target)
        address = resolve(base_url, target)
        if address is not None and address not in seen:
            seen.add(address)
            yield address
