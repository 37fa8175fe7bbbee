"""What on a page is never its content, or is only the site's frame (pure, on selectolax; trees are changed).

Rules are of what elements are (roles, names that many generators share) and of what they hold (links, headings,
text); none is for one site. In doubt an element stays.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from selectolax.lexbor import LexborNode

from ingest.nesting import ids_above, outer

__all__ = [
    "ANY_HEADING",
    "drop_copies_of_images",
    "drop_empty_boxes",
    "drop_frame",
    "drop_heading_above",
    "drop_leading_links",
    "drop_never_content",
    "drop_small_frames",
    "drop_update_line",
    "is_site_name",
    "link_text",
    "names_of",
    "text_length",
    "thin_headers",
]

NEVER_CONTENT = (
    "script, style, template, noscript, noframes, noembed, nav, iframe, object, embed, canvas, "
    "input:not(li input[type=checkbox][disabled]), "
    "select, textarea:not([class*=code]), dialog, [role=navigation], [role=search], [role=banner], [role=contentinfo], "
    "[role=dialog], [role=alertdialog], [role=menu], [role=menubar], [role=toolbar], [aria-hidden=true], "
    "[hidden]:not([role=tabpanel]):not([hidden=until-found]), form:not(:has(h1, h2, h3, p, pre)), "
    "button:not(:is(h1, h2, h3, h4, h5, h6, summary) button):not(:has(p, [class*=http-verb])), "
    "a.viewcode-link, a:has(> .viewcode-link), a.viewcode-back, a.src, a.srclink, .src > a.link, a.selflink, "
    "a.test-arrow, #toggle-all-docs, .rightside, a.sub-logo-container, a[rel~=prev], a[rel~=next], a[rel~=edit], "
    ".sphinxsidebar, .toctree-wrapper.compound.hidden, "
    ".breadcrumbs, .breadcrumb, .related, .prev-next-area, .ttc, .search-results, "
    "figcaption .sr-only, figcaption .visually-hidden, .onlyprint, .print-only, .visible-print, .d-none.d-print-block, "
    ".code-example .language-name, .highlight-toolbar, .code-toolbar > .toolbar, "
    ".md-source-file, .md-content__button, .theme-doc-footer, .edit-this-page, .cookie-banner, .copybtn, "
    "a[class*=copy-], a[class*=copyb], .copy-popup-wrapper, .method-click-advice, .docstring-article-toggle-button, "
    "summary.hideme, summary > .expanded, div[class*=language-] > span.lang, "
    ".linenodiv, td.linenos, td.gutter, td.rouge-gutter, pre .linenos, pre .lineno, .lnt, pre .ln, "
    ".fragment .lineno, code .boring, .line-numbers-rows, .line-numbers-wrapper, div.line-numbers:not(:has(pre, code))"
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
ANY_HEADING = ", ".join(_HEADINGS)
# Where no container is marked, what has these names is the site's frame, unless it holds headings or prose.
_FRAME_NAME = re.compile(
    r"(?:^|[-_ ])(?:nav\w*|\w*nav(?:bar|list)?|menu\w*|\w*menu|header|footer|sidebar|banner|toolbar|topbar|masthead"
    r"|search\w*)(?:$|[-_ ])",
    re.IGNORECASE,
)
# Of these, what may have small headings of its own.
_MENU_NAME = re.compile(r"(?:^|[-_ ])(?:nav\w*|menu\w*|\w*menu|sidebar)(?:$|[-_ ])", re.IGNORECASE)
# Inside a marked container fewer names tell, and what has one must be short or mostly links.
_INNER_FRAME_NAME = re.compile(
    r"(?:^|[-_ ])(?:breadcrumbs?|pagination|pager|prev-?next|next-?prev|edit-?(?:this-?)?page|feedback|cookies?|consent"
    r"|(?:version|language|lang)s?-?(?:switch(?:er)?|select(?:or)?|picker|menu)|on-?this-?page|skip-?(?:link|nav|to\w*)"
    r"|share|social|newsletter|subscribe|sidebar|announcement|banner|nav(?:bar|igation|links?|list)?"
    r"|(?<!card-)(?<!panel-)(?<!quote-)(?<!table-)footer|(?:page|local)-?toc"
    r"|page-?actions|dropdown-?menu)(?:$|[-_ ])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FRAME_LINKS = 0.5  # share of a frame's text that is links
_FRAME_TEXT = 400  # characters: a frame without links is short
_REST_TEXT = 120  # characters: what a header keeps beside its menus, a logo and a motto
# Links, and their share of the text, that make a block without a name a menu.
_MENU_LINKS, _MENU_SHARE = 8, 0.8
_LONG_TEXT = 4_000  # characters of text that no frame inside a container has, whatever it is called
_DEEP_IN_BOX = 8  # elements between the first of two copies of an image and the box that holds both
_SWITCH = re.compile(
    r"\W*(?:(?:hide|show|collapse|expand|toggle|(?:un)?fold|open|close|more|less|details|all|top|up|copy|edit)\b\W*)*",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*[·•|]\s*")
_UPDATE_LINE = re.compile(
    r"\W*(?:this )?(?:page |document )?(?:was )?(?:date of )?last "
    r"(?:updated?|modified|changed?|built|edited|revised|reviewed|modification|revision)\b.*\d.*"
    r"|\W*(?:this )?(?:page |document )?(?:was )?(?:updated|modified|edited|revised|generated)(?: on| by| at|:) "
    r".*\d{4}\b.*"
    r"|\W*(?:was|is|did you find) this (?:page |article |section |document )?(?:helpful|useful)\W*(?:yes\W*no\W*)?",
    re.IGNORECASE,
)
_UNPRINTED = re.compile(r"(?:^|\s)(?:d-print-none|no-?print|print:hidden|hidden-print)(?:\s|$)")


def drop_never_content(root: LexborNode, *, keep: bool = False) -> None:
    """Remove what is no content on any page, and buttons beside the text of a heading; with `keep` not `root`."""
    # From the end, so that nothing is touched whose parent is gone already.
    for node in reversed(root.css(NEVER_CONTENT)):
        if node.tag not in ("html", "body") and not (keep and node.mem_id == root.mem_id):
            before = node.prev
            if node.tag == "a" and before is not None and before.tag == "-text" and _SEPARATOR.fullmatch(before.text()):
                before.decompose()
            node.decompose()
    for node in reversed(outer(root.css(".sidebar"))):
        if node.css_first(".sidebar-title, .title") is None and not (keep and node.mem_id == root.mem_id):
            node.decompose()
    for heading in outer(root.css(ANY_HEADING)):
        buttons = heading.css("button")
        if buttons and sum(map(text_length, buttons)) < text_length(heading):
            for button in reversed(buttons):
                button.decompose()
        # rustdoc's and other headings have such a link around the name itself.
        for link in reversed(heading.css("a[href='#']")):
            if _SWITCH.fullmatch(link.text(deep=True)):
                link.decompose()


def drop_update_line(main: LexborNode) -> None:
    """Remove the lines at the end that say when the page was last changed, which would make each build a change, and
    that ask whether it was helpful."""
    for node in reversed(main.css("p, div, small, address")[-10:]):
        words = " ".join(node.text(deep=True).split())
        if len(words) < _REST_TEXT and _UPDATE_LINE.fullmatch(words):
            node.decompose()


def drop_leading_links(main: LexborNode) -> None:
    """Remove lists of links that come before the first heading: a site's menu, in a table of one row too, or links into
    this page, that nothing names as such. On a page without headings, only one whose links all come again after it."""
    rest = text_length(main)
    headed = ids_above(main.css(ANY_HEADING))
    found: list[LexborNode] = []
    level = main.child
    while level is not None:
        if level.tag in _HEADINGS:
            break
        if level.mem_id in headed:
            level = level.child
            continue
        text = text_length(level) if level.is_element_node else 0
        links = level.css("a[href]") if text else []
        inside = all((link.attributes.get("href") or "").startswith("#") for link in links)
        bar = level.tag == "table" and len(level.css("tr")) == 1
        many = len(links) >= _MENU_LINKS or (len(links) > 1 and (inside or bar))
        if many and link_text(level) > _MENU_SHARE * text:
            found.append(level)
            rest -= text
        level = level.next
    if level is None:
        found = _that_come_again(found)
    elif rest <= _FRAME_TEXT:
        return
    for node in found:
        node.decompose()


def _that_come_again(menus: Sequence[LexborNode]) -> list[LexborNode]:
    """The menus all of whose links, but the logo, are among those of the menus after them."""
    found: list[LexborNode] = []
    later: set[tuple[str, str]] = set()
    for menu in reversed(menus):
        links = [_link(link) for link in menu.css("a[href]")]
        if sum(link not in later for link in links) <= 1:
            found.append(menu)
        later.update(links)
    return found


def _link(node: LexborNode) -> tuple[str, str]:
    return (node.attributes.get("href") or "", " ".join(node.text(deep=True).split()))


def drop_heading_above(main: LexborNode, title: str) -> None:
    """Remove a first heading that names the site, as the end of the `title` does, above another h1; and one that is a
    link to another page and has the page's own, of its level or above, right after it: it names the part of the site
    that the page is in."""
    heading = main.css_first(ANY_HEADING)
    if heading is None:
        return
    if heading.tag == "h1" and len(main.css("h1")) > 1 and is_site_name(heading, title):
        heading.decompose()
        return
    parent = heading.parent
    link = parent if parent is not None and parent.tag == "a" else heading.css_first("a[href]")
    if link is None or (link.attributes.get("href") or "#").startswith("#"):
        return
    whole = link if parent is not None and parent.tag == "a" else heading
    if text_length(link) != text_length(heading):
        return
    following = whole.next
    while following is not None and not text_length(following):
        following = following.next
    if following is None or following.tag not in _HEADINGS or following.css_first("a[href]") is not None:
        return
    if following.tag <= str(heading.tag):
        whole.decompose()


def thin_headers(main: LexborNode, title: str) -> None:
    """Take the menus out of `header` elements, and the h1 that is the name of the site: the end of the `title`."""
    headers = outer(main.css("header"))
    whole = text_length(main) if headers else 0
    for header in reversed(headers):
        length = text_length(header)
        if whole - length < _FRAME_TEXT or header.css_first("pre") is not None:
            continue
        _drop_menus(header)
        heading = header.css_first("h1")
        if heading is not None and is_site_name(heading, title):
            heading.decompose()
        left = text_length(header)
        if header.css_first(f"{ANY_HEADING}, code") is None and left < _REST_TEXT:
            header.decompose()
            left = 0
        whole -= length - left


def _drop_menus(header: LexborNode) -> None:
    """The outermost first: what is around the menus of a menu is only their labels."""
    gone: set[int] = set()
    for node in outer(header.css("ul, ol")):
        if node.mem_id not in gone and _is_menu(node):
            gone.update(inner.mem_id for inner in node.css("ul, ol"))
            node.decompose()


def _is_menu(node: LexborNode) -> bool:
    return len(node.css("a[href]")) > 1 and link_text(node) > _FRAME_LINKS * text_length(node)


def is_site_name(heading: LexborNode, title: str) -> bool:
    """True for a heading that is the last part of a title like "Page - Site"."""
    name = " ".join(heading.text(deep=True).split()).casefold()
    before = title.casefold().removesuffix(name).rstrip() if name else ""
    return before.endswith(("|", "-", "–", "—", "·", "•")) and title.casefold().endswith(name)


def drop_copies_of_images(main: LexborNode) -> None:
    """Of an image that comes twice in a row in one element without text, as for a light box, keep one."""
    images = main.css("img[src]")
    copies = [
        (first, second)
        for first, second in pairwise(images)
        if first.attributes.get("src") == second.attributes.get("src")
    ]
    boxes = {box.mem_id: box for _, second in copies for box in _nearest_around(second, 3)}
    wordless = {box.mem_id for box in outer(boxes.values()) if not text_length(box)}
    for first, second in reversed(copies):
        around = {above.mem_id for above in _nearest_around(first, _DEEP_IN_BOX)}
        if any(above.mem_id in around and above.mem_id in wordless for above in _nearest_around(second, 3)):
            second.decompose()


def _nearest_around(node: LexborNode, most: int) -> Iterator[LexborNode]:
    above = node.parent
    for _ in range(most):
        if above is None:
            return
        yield above
        above = above.parent


def drop_empty_boxes(main: LexborNode, linked: frozenset[str]) -> None:
    """Remove `div`s with an id and nothing else, which a script would fill, unless their id is in `linked`."""
    for node in reversed(outer(main.css("div[id]"))):
        empty = not text_length(node) and node.css_first("img, svg, a[id], a[name]") is None
        if empty and node.attributes.get("id") not in linked:
            node.decompose()


def drop_small_frames(main: LexborNode) -> None:
    """Remove what inside the content is named like a part of the frame and is short or mostly links."""
    for node in reversed(outer(filter(_is_small_frame, main.css("div, ul, ol, p, section, aside, footer")))):
        named = _is_named_as_frame(node)
        if node.mem_id == main.mem_id or _is_quoted(node):
            continue
        if _is_unprinted(node) and text_length(node) < _FRAME_TEXT and node.css_first("h1, pre, table, dl") is None:
            node.decompose()
            continue
        if node.css_first(
            "h1, h2, pre, dl, table th, blockquote, [class*=admonition], .footnote, .title, .sidebar-title"
        ):
            continue
        text = text_length(node)
        linked = link_text(node) > _FRAME_LINKS * text
        short = named and text < _REST_TEXT and node.css_first(f"img, {ANY_HEADING}") is None
        if text < _LONG_TEXT and (linked or short):
            node.decompose()


def _is_small_frame(node: LexborNode) -> bool:
    return node.tag == "aside" or _is_named_as_frame(node) or _is_unprinted(node)


def _is_unprinted(node: LexborNode) -> bool:
    return _UNPRINTED.search(node.attributes.get("class") or "") is not None


def _is_named_as_frame(node: LexborNode) -> bool:
    return node.tag == "footer" or _INNER_FRAME_NAME.search(_CAMEL.sub("-", names_of(node))) is not None


def _is_quoted(node: LexborNode) -> bool:
    parent = node.parent
    return node.tag == "footer" and parent is not None and parent.tag in ("blockquote", "figure")


def drop_frame(body: LexborNode) -> None:
    """Remove what is named like a menu, a header or a footer and holds links or little text, but no heading (a menu: no
    large one); and what is left around it where that is next to nothing."""
    thinned: set[int] = set()
    nodes = body.css("header, footer, aside, div, ul, ol, table, section, p")
    frames = {node.mem_id for node in outer(filter(_is_frame, nodes))}
    for node in reversed(nodes):
        parent = node.parent
        named = node.mem_id in frames
        if not named and node.mem_id not in thinned:
            continue
        if node.css_first("h1, h2, pre, p.title, .sidebar-title") is not None:
            continue
        menu = named and _MENU_NAME.search(names_of(node)) and node.css_first("p, dl, table, blockquote") is None
        if not menu and node.css_first("h3, h4, h5, h6") is not None:
            continue
        text = text_length(node)
        if (named and (text < _FRAME_TEXT or link_text(node) > _FRAME_LINKS * text)) or text < _REST_TEXT:
            node.decompose()
            if parent is not None and parent.mem_id != body.mem_id:
                thinned.add(parent.mem_id)


def _is_frame(node: LexborNode) -> bool:
    return node.tag in ("header", "footer", "aside") or _FRAME_NAME.search(names_of(node)) is not None


def text_length(node: LexborNode) -> int:
    """Characters of text in an element, runs of white space counted as one."""
    return len(" ".join(node.text(deep=True).split()))


def link_text(node: LexborNode) -> int:
    return sum(text_length(link) for link in node.css("a"))


def names_of(node: LexborNode) -> str:
    return f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"
