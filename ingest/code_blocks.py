"""Code in HTML: the text of a block, its language, and how markdown quotes it."""

import re
from types import MappingProxyType

from selectolax.lexbor import LexborNode

from ingest.elements import Child, Element

__all__ = ["code_language", "code_span", "code_text", "fence", "read_code", "read_fragment"]

_LINE_ELEMENTS = "br, div, p, li, tr, svg"  # what makes lines, or none
_INLINE = frozenset({"span", "code", "a", "b", "i", "em", "strong"})
_NEAR = 8  # elements around a block of code that may tell its language

_LANGUAGE = re.compile(r"^(?:language|lang|highlight(?:-source)?|src|brush)[-:]\s*([\w+#.-]+?);?$")
_HIGHLIGHTER = re.compile(r"highlight(?:$|-)|syntaxhighlighter$")
_ATTRIBUTES = ("data-lang", "data-language", "data-enlighter-language", "language", "syntax")
_PARAMETERS = re.compile(r"\bbrush:\s*([\w+#.-]+)")
# Class names that say what the code is in and nothing else, as rustdoc and highlight.js write them.
_LANGUAGES = frozenset(
    {
        *("awk", "bash", "c", "clojure", "cmake", "console", "cpp", "csharp", "css", "dart", "diff", "dockerfile"),
        *("elixir", "erlang", "fortran", "go", "graphql", "groovy", "haskell", "html", "http", "ini", "java"),
        *("javascript", "json", "jsx", "julia", "kotlin", "latex", "lisp", "lua", "makefile", "matlab", "nginx"),
        *("objc", "ocaml", "perl", "php", "powershell", "protobuf", "python", "ruby", "rust", "scala", "scheme"),
        *("scss", "shell", "sql", "swift", "toml", "tsx", "typescript", "xml", "yaml", "zig"),
        *("js", "py", "rb", "rs", "sh", "ts", "yml"),
    }
)
_BRUSH = re.compile(r"\bbrush:\s*")  # SyntaxHighlighter writes a blank
_BARE_LANGUAGE = frozenset(
    {"sourceCode", "src", "hljs", "syntaxhighlighter"}
)  # beside these, any other class is the language
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
        "myst-ansi",
        # Of pandoc, Prism and others: how a block is shown.
        *("numbersource", "numberlines", "lineanchors", "line-numbers", "linenums", "prettyprint", "wrap", "nogutter"),
    }
)
_SAME_LANGUAGE = MappingProxyType(
    {
        "python3": "python",
        "py": "python",
        "ipython3": "python",
        "pycon3": "pycon",
        "sh": "bash",
        "shell": "bash",
        "js": "javascript",
        "cjs": "javascript",
        "mjs": "javascript",
        "rb": "ruby",
        "rs": "rust",
        "ts": "typescript",
        "yml": "yaml",
        "phpcode": "php",
    }
)


def read_code(node: LexborNode, attrs: dict[str, str]) -> list[Child]:
    """What an `Element` for a `pre` holds: its lines as one text, in a `code` where the page has one."""
    inner = node.css_first("code")
    lines = code_text(node)
    if inner is None:
        return [lines]
    return [Element("code", {key: value or "" for key, value in inner.attributes.items()}, None, [lines])]


def read_fragment(node: LexborNode, attrs: dict[str, str]) -> list[Child] | None:
    """Doxygen's code, a `div` of lines; SyntaxHighlighter's, whose lines are numbered; and Writerside's, whose text has
    a language. None for any other `div`."""
    named = "data-lang" in attrs and "code-block" in attrs.get("class", "").split()
    if named and all(child.tag in _INLINE for child in node.iter()):
        return [Element("pre", {}, None, [node.text(deep=True)])]
    if "fragment" in attrs.get("class", "").split():
        return [Element("pre", {}, None, [code_text(node)])] if any(map(_is_line, node.iter())) else None
    first = next(node.iter(), None)
    if first is None or not _is_line(first, "number") or not all(_is_line(line, "number") for line in node.iter()):
        return None
    lines = (line.text(deep=True).replace("\u00a0", " ").rstrip() for line in node.iter())
    return [Element("pre", {}, None, ["\n".join(lines)])]


def _is_line(node: LexborNode, beside: str = "") -> bool:
    """True for a `div` of the class `line`, and of one more that begins so."""
    names = (node.attributes.get("class") or "").split() if node.tag == "div" else []
    return "line" in names and any(name.startswith(beside) for name in names)


def code_text(node: LexborNode) -> str:
    """The lines of a code block, also where they are elements of their own or end with a `br`."""
    if node.css_first(_LINE_ELEMENTS) is None:
        return node.text(deep=True)
    parts: list[str] = []
    last = "\n"
    drawings = {inner.mem_id for drawing in node.css("svg") for inner in drawing.traverse(include_text=True)}
    for inner in node.traverse(include_text=True):
        if inner.mem_id in drawings or inner.mem_id == node.mem_id:
            continue
        if inner.tag == "-text":
            text = inner.text_content or ""
        else:
            begins_line = inner.tag in ("div", "p", "li", "tr") and not last.endswith("\n")
            text = "\n" if inner.tag == "br" or begins_line else ""
        if text:
            parts.append(text)
            last = text
    return "".join(parts)


def code_language(pre: Element) -> str:
    """The language of a code block, from the class names of the block, its code and what is around."""
    code = pre.find("code")
    around = [pre, *([code] if code is not None else []), *_wrappers(pre)]
    for element in around:
        classes = _BRUSH.sub("brush:", element.attrs.get("class", "")).split()
        names = [element.attrs[name] for name in _ATTRIBUTES if name in element.attrs]
        names += _PARAMETERS.findall(element.attrs.get("data-syntaxhighlighter-params", ""))
        names += [match[1] for name in classes if (match := _LANGUAGE.match(name))]
        if not _BARE_LANGUAGE.isdisjoint(classes):
            names += [name for name in classes if name not in _BARE_LANGUAGE]
        if "phpcode" in classes:
            names.append("phpcode")
        if element.name in ("pre", "code") or "highlight" in classes:
            names += [name for name in (*classes, element.attrs.get("lang", "")) if name.lower() in _LANGUAGES]
        for name in names:
            language = name.strip().lower()
            if language and language not in _NO_LANGUAGE and not any(map(str.isspace, language)):
                return _SAME_LANGUAGE.get(language, language)
    return ""


def _wrappers(pre: Element) -> list[Element]:
    """The two elements around a block, and the box around a table of line numbers and code."""
    parents: list[Element] = []
    above = pre.parent
    while above is not None and len(parents) < _NEAR:
        parents.append(above)
        above = above.parent
    return parents[:2] + [parent for parent in parents[2:] if any(map(_HIGHLIGHTER.match, parent.classes))]


def code_span(code: str) -> str:
    """Code on one line, between more backticks than it holds in a row (CommonMark section 6.1)."""
    if "`" not in code:
        return f"`{code}`"
    ticks = "`" * (_longest_run(code) + 1)
    return f"{ticks} {code} {ticks}"


def fence(code: str, language: str) -> str:
    """A block of code, between fences longer than any inside it (CommonMark section 4.5)."""
    mark = "`" * max(3, _longest_run(code) + 1)
    return f"{mark}{language}\n{code}\n{mark}"


def _longest_run(code: str) -> int:
    """The length of the longest run of backticks."""
    return max((len(run) for run in re.findall("`+", code)), default=0)
