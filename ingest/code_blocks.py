"""Code in HTML: the text of a block, its language, and how markdown quotes it."""

import re
from types import MappingProxyType

from bs4 import Tag
from bs4.element import Comment, NavigableString

__all__ = ["code_language", "code_span", "code_text", "longest_run"]

_LANGUAGE = re.compile(r"^(?:language|lang|highlight(?:-source)?|src)-([\w+#.-]+)$")
_BARE_LANGUAGE = frozenset({"sourceCode", "src", "hljs"})  # beside these, any other class is the language
_NO_LANGUAGE = frozenset(
    {
        "default",
        "none",
        "text",
        "plaintext",
        "plain",
        "highlight",
        "notranslate",
        "txt",
        "nohighlight",
        "code",
        "undefined",
    }
)
_SAME_LANGUAGE = MappingProxyType(
    {
        "python3": "python",
        "py": "python",
        "ipython3": "python",
        "sh": "bash",
        "shell": "bash",
        "js": "javascript",
        "cjs": "javascript",
        "mjs": "javascript",
    }
)


def code_language(pre: Tag) -> str:
    """The language of a code block, from the class names of the block, its code and what is around."""
    code = pre.find("code")
    around = [pre, *([code] if isinstance(code, Tag) else []), *_wrappers(pre)]
    for element in around:
        written = element.get("data-lang") or element.get("data-language")
        names = [str(written)] if written else []
        names += [match[1] for name in element.get_attribute_list("class") if (match := _LANGUAGE.match(str(name)))]
        classes = [str(name) for name in element.get_attribute_list("class") if name]
        if not _BARE_LANGUAGE.isdisjoint(classes):
            names += [name for name in classes if name not in _BARE_LANGUAGE]
        for name in names:
            language = name.lower()
            if language not in _NO_LANGUAGE:
                return _SAME_LANGUAGE.get(language, language)
    return ""


def _wrappers(pre: Tag) -> list[Tag]:
    """The two elements around a block, and the box around a table of line numbers and code."""
    parents = list(pre.parents)[:8]
    return parents[:2] + [parent for parent in parents[2:] if "highlight" in parent.get_attribute_list("class")]


def code_text(pre: Tag) -> str:
    """The lines of a code block, also where they are elements of their own or end with a `br`."""
    parts: list[str] = []
    for node in pre.descendants:
        if isinstance(node, Tag):
            block = node.name in ("div", "p", "li", "tr") and parts and not parts[-1].endswith("\n")
            parts.append("\n" if node.name == "br" or block else "")
        elif isinstance(node, NavigableString) and not isinstance(node, Comment):
            parts.append(str(node))
        parts = parts if parts and parts[-1] else parts[:-1]
    return "".join(parts)


def code_span(code: str) -> str:
    """Code on one line, between more backticks than it holds in a row (CommonMark section 6.1)."""
    ticks = "`" * (longest_run(code) + 1)
    return f"{ticks} {code} {ticks}" if len(ticks) > 1 else f"{ticks}{code}{ticks}"


def longest_run(code: str) -> int:
    """The length of the longest run of backticks."""
    return max((len(run) for run in re.findall("`+", code)), default=0)
