"""Write or check `docs/api.md`, the list of every public name, from the sources alone.

    python docs/api_page.py --check     exit 1 and say so where the page is not what the sources say
    python docs/api_page.py --write

Public is what a package's `__all__` lists. A name is followed from there to its definition through plain
`from module import name` lines, without importing anything, so the page is the same on every Python.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["PACKAGES", "PAGE", "ROOT", "Unreadable", "main", "public_names", "render"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "api.md"
PACKAGES = ("ingest", "chunking", "engine", "syncs", "syncs.crawl", "syncs.tools")
INTRODUCTION = """\
# API

Every public name, with its signature and the start of its documentation. What is not listed here may change
without notice. [Python](python.md) shows how the names are used together.
"""
WIDTH = 100

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef | ast.Assign | ast.AnnAssign


class Unreadable(Exception):
    """A package is not written as this script reads it; the message says where and what is expected."""


def parse(module: str, root: Path) -> ast.Module:
    """The syntax tree of a dotted module name."""
    path = root.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        raise Unreadable(f"{module}: there is no {file.relative_to(root)}")
    return ast.parse(file.read_text("utf-8"))


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under `if TYPE_CHECKING` and the like included."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield from statements([*statement.body, *statement.orelse])
        else:
            yield statement


def assigned(statement: ast.stmt) -> list[str]:
    """The names that an assignment binds."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def public_names(package: str, root: Path = ROOT) -> list[str]:
    """What `__all__` of the package lists; it has to be a literal list of strings."""
    for statement in statements(parse(package, root).body):
        if "__all__" in assigned(statement) and isinstance(statement, ast.Assign | ast.AnnAssign):
            try:
                return [str(name) for name in ast.literal_eval(statement.value or ast.Tuple([]))]
            except ValueError:
                raise Unreadable(f"{package}: __all__ must be a literal list of strings") from None
    raise Unreadable(f"{package}: there is no __all__")


def definition(module: str, name: str, root: Path) -> tuple[Definition, str]:
    """The statement that defines `name`, however many modules re-export it, and the module that it stands in."""
    for statement in statements(parse(module, root).body):
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    return definition(source_of(statement, module, root), alias.name, root)
        elif isinstance(statement, Function | ast.ClassDef):
            if statement.name == name and not is_overload(statement):
                return statement, module
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and name in assigned(statement):
            return statement, module
    raise Unreadable(f"{module}: no definition or plain import of {name}")


def is_overload(node: Function | ast.ClassDef) -> bool:
    """True for one typed face of a function; the one that holds the docstring is the implementation."""
    return any(ast.unparse(decorator).split(".")[-1] == "overload" for decorator in node.decorator_list)


def source_of(statement: ast.ImportFrom, module: str, root: Path) -> str:
    """The dotted name of the module that an import statement of `module` imports from."""
    if not statement.level:
        return statement.module or ""
    parts = module.split(".")
    base = parts if root.joinpath(*parts).is_dir() else parts[:-1]
    base = base[: len(base) - statement.level + 1]
    return ".".join([*base, *([statement.module] if statement.module else [])])


def first_paragraph(node: Function | ast.ClassDef | ast.Module) -> str:
    """The docstring's first paragraph on one line, safe in markdown; "" where there is none."""
    paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    parts = re.split(r"(`[^`]*`)", paragraph)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def parameters(arguments: ast.arguments) -> list[str]:
    """The parameters as written, the markers `/` and `*` included."""

    def written(parameter: ast.arg, default: ast.expr | None) -> str:
        if default is None:
            return ast.unparse(parameter)
        return ast.unparse(parameter) + (" = " if parameter.annotation else "=") + ast.unparse(default)

    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    found = [written(*pair) for pair in zip(positional, defaults, strict=True)]
    if arguments.posonlyargs:
        found.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg:
        found.append(f"*{ast.unparse(arguments.vararg)}")
    elif arguments.kwonlyargs:
        found.append("*")
    found += [written(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        found.append(f"**{ast.unparse(arguments.kwarg)}")
    return found


def signature(function: Function, indent: str = "") -> str:
    """`async def name(...) -> type`, one parameter a line where it would be too long for one."""
    keyword = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    found = parameters(function.args)
    line = f"{indent}{keyword} {function.name}({', '.join(found)}){returns}"
    if len(line) <= WIDTH:
        return line
    lines = "".join(f"{indent}    {parameter},\n" for parameter in found)
    return f"{indent}{keyword} {function.name}(\n{lines}{indent}){returns}"


def public_methods(node: ast.ClassDef, module: str, root: Path) -> list[Function]:
    """The methods and properties without a leading underscore, then those of the bases that are ours."""
    methods = [statement for statement in node.body if isinstance(statement, Function)]
    found = [method for method in methods if not method.name.startswith("_") and not is_overload(method)]
    for base, there in project_bases(node, module, root):
        names = {method.name for method in found}
        found += [method for method in public_methods(base, there, root) if method.name not in names]
    return found


def project_bases(node: ast.ClassDef, module: str, root: Path) -> Iterator[tuple[ast.ClassDef, str]]:
    """The base classes that the project's own modules define, each with its module."""
    ours = {package.partition(".")[0] for package in PACKAGES}
    imported = {
        alias.asname or alias.name: source_of(statement, module, root).partition(".")[0]
        for statement in statements(parse(module, root).body)
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    for base in node.bases:
        if isinstance(base, ast.Name) and imported.get(base.id) in ours:
            found, there = definition(module, base.id, root)
            if isinstance(found, ast.ClassDef):
                yield found, there


def outline(node: ast.ClassDef, methods: Sequence[Function]) -> str:
    """A class as a stub: its bases, its fields or constructor, its public methods."""
    bases = f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""
    lines = [f"class {node.name}{bases}:"]
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign | ast.Assign):
            if not any(name.startswith("_") for name in assigned(statement)):
                lines.append(f"    {ast.unparse(statement)}")
        elif isinstance(statement, Function) and statement.name == "__init__":
            lines.append(signature(statement, "    "))
    for method in methods:
        lines += [f"    @{ast.unparse(decorator)}" for decorator in method.decorator_list]
        lines.append(signature(method, "    "))
    return "\n".join(lines) if len(lines) > 1 else lines[0].removesuffix(":")


def entry(package: str, name: str, root: Path) -> str:
    """One public name: heading, signature, first paragraph, and a line for each documented method."""
    node, module = definition(package, name, root)
    heading = f"### {name}\n\n"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return f"{heading}```python\n{ast.unparse(node)}\n```\n"
    text = first_paragraph(node)
    if not text:
        raise Unreadable(f"{package}.{name}: a public name needs a docstring")
    if isinstance(node, Function):
        return f"{heading}```python\n{signature(node)}\n```\n\n{text}\n"
    methods = public_methods(node, module, root)
    told = [(method.name, first_paragraph(method)) for method in methods]
    bullets = "".join(f"- `{method}`: {about}\n" for method, about in told if about)
    return f"{heading}```python\n{outline(node, methods)}\n```\n\n{text}\n" + (f"\n{bullets}" if bullets else "")


def render(root: Path = ROOT) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for package in PACKAGES:
        parts.append(f"## {package}\n\n{first_paragraph(parse(package, root))}\n")
        parts += [entry(package, name, root) for name in sorted(public_names(package, root), key=str.lower)]
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 where the page is as it should be, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Write or check docs/api.md.")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--check", action="store_true", help="say whether the page is up to date")
    choice.add_argument("--write", action="store_true", help="write the page")
    options = parser.parse_args(arguments)
    try:
        page = render()
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.write:
        PAGE.write_text(page, "utf-8")
    elif not PAGE.is_file() or PAGE.read_text("utf-8") != page:
        sys.stderr.write("docs/api.md is out of date: run python docs/api_page.py --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
