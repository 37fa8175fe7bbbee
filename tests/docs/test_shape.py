"""The shape of the code: sizes, names, docstrings, `__all__`, no hidden state, nothing swallowed.

A rule is a function from one source text to the violations in it. What is allowed all the same stands in
`EXCEPTIONS`, with its reason; an exception that nothing needs any more is an error.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ingest", "chunking", "engine", "syncs")
MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 600  # tests and benchmarks hold tables of cases, which are long and simple
MAX_BODY_LINES = 50
FORBIDDEN_NAMES = frozenset({"utils", "helpers", "common", "misc"})

# (path, rule, name): why it is allowed. `name` is the function or variable, "" for a rule about the file.
EXCEPTIONS = MappingProxyType(
    {
        (
            "engine/postgres.py",
            "handler",
            "PostgresEngine.open_ledger",
        ): "closes the connection, then raises again",
        (
            "engine/telemetry.py",
            "handler",
            "span",
        ): "names the failure in the span, then raises again",
        (
            "syncs/tools/tool.py",
            "handler",
            "Tool.call",
        ): "an agent reads one sentence, whatever a sync raised; the traceback is logged, a cancellation goes on",
    }
)

# Calls whose result does not change. What else is called at the top of a module may be state: give a reason.
# A typer application is filled while its modules are imported, and only read after that.
CONSTANT_CALLS = frozenset(
    {
        "MappingProxyType", "NewType", "ParamSpec", "Path", "TypeAdapter", "TypeVar", "attrgetter", "bytes",
        "create_sync",
        "chr", "datetime.timedelta", "float", "frozenset", "importlib.metadata.version", "int",
        "ip_network", "ipaddress.ip_network", "itemgetter", "len", "logging.getLogger", "max", "metrics.get_meter",
        "min", "ord",
        "partial", "range", "re.compile", "regex.compile", "str", "struct.Struct", "sum", "timedelta",
        "trace.get_tracer", "tuple", "typer.Typer", "version",
    }
)  # fmt: skip
# OpenTelemetry's tracers, meters and instruments stand for those of the provider that the program sets.
CONSTANT_METHODS = frozenset(
    {
        "create_counter",
        "create_histogram",
        "join",
        "encode",
        "decode",
        "format",
        "hexdigest",
        "digest",
        "strip",
        "lower",
    }
)
MUTABLE_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)

Violation = tuple[str, str, str]  # rule, name, what is wrong


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its dotted name, inner ones included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        else:
            yield from functions(node, prefix)


def file_length(source: str, limit: int) -> Iterator[Violation]:
    lines = source.count("\n")
    if lines > limit:
        yield "length", "", f"{lines} lines, over {limit}"


def function_length(tree: ast.Module) -> Iterator[Violation]:
    for name, function in functions(tree):
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        if body:
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
            if lines > MAX_BODY_LINES:
                yield "function", name, f"a body of {lines} lines, over {MAX_BODY_LINES}"


def module_docstring(tree: ast.Module) -> Iterator[Violation]:
    if not (ast.get_docstring(tree) or "").strip():
        yield "docstring", "", "no module docstring"


def exports(tree: ast.Module) -> Iterator[Violation]:
    if not any("__all__" in names for names, _ in assignments(tree.body)):
        yield "exports", "", "no __all__"


def type_ignores(source: str) -> Iterator[Violation]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and re.search(r"#\s*type:\s*ignore", token.string):
            yield "types", "", f"line {token.start[0]}: type: ignore"


def blanket_handlers(tree: ast.Module) -> Iterator[Violation]:
    owners = {id(node): name for name, function in functions(tree) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            for kind in caught:
                if kind is None or ast.unparse(kind).split(".")[-1] in {"Exception", "BaseException"}:
                    what = "everything" if kind is None else ast.unparse(kind)
                    yield "handler", owners.get(id(node), ""), f"line {node.lineno}: except catches {what}"


def assignments(body: list[ast.stmt]) -> Iterator[tuple[list[str], ast.expr | None]]:
    """Names and value of each assignment that runs when the module is imported."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            names = [ast.unparse(target) for target in statement.targets]
            yield names, statement.value
        elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
            yield [ast.unparse(statement.target)], statement.value
        elif isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for inner in ("body", "orelse", "finalbody"):
                yield from assignments(getattr(statement, inner, []))


def is_frozen(node: ast.ClassDef) -> bool:
    """True for a class of this module whose instances cannot change: a frozen dataclass, a named tuple."""
    named_tuple = any(ast.unparse(base).split(".")[-1] == "NamedTuple" for base in node.bases)
    return named_tuple or any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)


def mutable(value: ast.expr, frozen: frozenset[str]) -> str:
    """What in a module-level value may change: its source, or "" where nothing can."""
    inner: list[ast.expr] = []
    if isinstance(value, ast.Call):
        called = ast.unparse(value.func)
        method = isinstance(value.func, ast.Attribute) and value.func.attr in CONSTANT_METHODS
        if called in frozen:
            inner = [*value.args, *(keyword.value for keyword in value.keywords)]
        elif called not in CONSTANT_CALLS and not method:
            return f"{called}(...)"
    elif isinstance(value, MUTABLE_DISPLAYS):
        return ast.unparse(value)[:40]
    elif isinstance(value, ast.Tuple):
        inner = value.elts
    elif isinstance(value, ast.IfExp):
        inner = [value.body, value.orelse]
    elif isinstance(value, ast.BoolOp):
        inner = value.values
    return next(filter(None, (mutable(part, frozen) for part in inner)), "")


def module_state(tree: ast.Module) -> Iterator[Violation]:
    frozen = frozenset(node.name for node in tree.body if isinstance(node, ast.ClassDef) and is_frozen(node))
    advice = "use a tuple, frozenset or MappingProxyType"
    for names, value in assignments(tree.body):
        found = mutable(value, frozen) if value is not None and "__all__" not in names else ""
        if found:
            yield "state", names[0], f"{names[0]} = {found} is state of the module: {advice}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield "state", node.names[0], f"line {node.lineno}: global {', '.join(node.names)}"


def violations(path: str, source: str) -> list[Violation]:
    """What is wrong with one file, exceptions not yet taken away. `path` is relative to the project."""
    tree = ast.parse(source)
    module = Path(path)
    top = module.parts[0]
    found: list[Violation] = list(type_ignores(source))
    if module.stem in FORBIDDEN_NAMES or FORBIDDEN_NAMES & set(module.parts):
        found.append(("name", "", "say what the module is about: not utils, helpers, common or misc"))
    found += file_length(source, MAX_TEST_FILE_LINES if top in {"tests", "benchmarks"} else MAX_FILE_LINES)
    found += module_docstring(tree)
    if top in PACKAGES:
        found += function_length(tree)
        found += module_state(tree)
        if module.name != "__main__.py":
            found += exports(tree)
        if module.parts[:2] != ("syncs", "cli"):
            found += blanket_handlers(tree)
    return found


def sources() -> list[str]:
    folders = (*PACKAGES, "tests", "benchmarks", "docs")
    return sorted(path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", sources())
def test_a_file_keeps_to_the_shape(path: str) -> None:
    found = violations(path, (ROOT / path).read_text("utf-8"))
    open_ones = [f"{path}: {text}" for rule, name, text in found if (path, rule, name) not in EXCEPTIONS]
    assert open_ones == []


def test_every_exception_has_a_reason_and_is_still_needed() -> None:
    assert all(reason.strip() for reason in EXCEPTIONS.values())
    seen = {
        (path, rule, name)
        for path in {path for path, _, _ in EXCEPTIONS}
        if (ROOT / path).is_file()
        for rule, name, _ in violations(path, (ROOT / path).read_text("utf-8"))
    }
    assert sorted(set(EXCEPTIONS) - seen) == []


def test_there_are_no_packages_inside_the_tests() -> None:
    # tests/unit/engine/__init__.py would shadow the package `engine`.
    assert sorted(ROOT.glob("tests/**/__init__.py")) == []


HEAD = '"""A module."""\n\n__all__ = ["x"]\n'
LONG_BODY = "".join(f"    y{number} = {number}\n" for number in range(MAX_BODY_LINES))


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("ingest/a.py", HEAD + "x = 1\n" * (MAX_FILE_LINES + 1 - 3), "length"),
        ("tests/a.py", HEAD + "x = 1\n" * (MAX_TEST_FILE_LINES + 1 - 3), "length"),
        ("ingest/a.py", HEAD + f"def f():\n{LONG_BODY}    return 1\n", "function"),
        ("ingest/a.py", HEAD + f"class C:\n  def f(self):\n    'D.'\n{LONG_BODY}    return 1\n", "function"),
        ("ingest/utils.py", HEAD, "name"),
        ("syncs/common/a.py", HEAD, "name"),
        ("ingest/a.py", "__all__ = []\n", "docstring"),
        ("ingest/a.py", '"""A module."""\n', "exports"),
        ("ingest/a.py", HEAD + "x: int = ''  # type: ignore[assignment]\n", "types"),
        ("ingest/a.py", HEAD + "try:\n    x = 1\nexcept:\n    raise\n", "handler"),
        ("engine/a.py", HEAD + "try:\n    x = 1\nexcept (OSError, Exception):\n    pass\n", "handler"),
        ("engine/a.py", HEAD + "try:\n    x = 1\nexcept builtins.BaseException:\n    pass\n", "handler"),
        ("ingest/a.py", HEAD + "x = []\n", "state"),
        ("ingest/a.py", HEAD + "X: dict[str, int] = {}\n", "state"),
        ("ingest/a.py", HEAD + "x = {word for word in 'ab'}\n", "state"),
        ("ingest/a.py", HEAD + "x = defaultdict(list)\n", "state"),
        ("ingest/a.py", HEAD + "x = (1, [2])\n", "state"),
        ("ingest/a.py", HEAD + "@dataclass\nclass C: ...\nx = C()\n", "state"),
        ("ingest/a.py", HEAD + "class C(NamedTuple): ...\nx = C(y=[])\n", "state"),
        ("ingest/a.py", HEAD + "if True:\n    x = Cache()\n", "state"),
        ("ingest/a.py", HEAD + "x = 1\ndef f():\n    global x\n    x = 2\n", "state"),
    ],
)  # fmt: skip
def test_a_planted_violation_is_found(path: str, source: str, rule: str) -> None:
    assert [found for found, _, _ in violations(path, source)] == [rule]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ingest/a.py", HEAD + "x = 1\n" * (MAX_FILE_LINES - 3)),
        ("ingest/a.py", HEAD + f"def f():\n    '''A docstring\n    of two lines.'''\n{LONG_BODY}"),
        ("ingest/a.py", HEAD + "X = frozenset({1})\nY = MappingProxyType({1: 2})\nZ = (1, 'a')\n"),
        ("ingest/a.py", HEAD + "X = re.compile('a')\nY = ', '.join(['a'])\nZ = {'a': 1}['a']\n"),
        ("ingest/a.py", HEAD + "x = '# type: ignore'\n"),
        ("ingest/a.py", HEAD + "@dataclass(frozen=True)\nclass C: ...\nx = (C(1),)\n"),
        ("ingest/a.py", HEAD + "try:\n    x = 1\nexcept OSError:\n    pass\n"),
        ("syncs/cli/main.py", HEAD + "try:\n    x = 1\nexcept Exception:\n    raise\n"),
        ("syncs/__main__.py", '"""A module."""\n'),
        ("tests/a.py", '"""A test."""\nX = []\n'),
    ],
)  # fmt: skip
def test_what_the_shape_allows_is_not_reported(path: str, source: str) -> None:
    assert violations(path, source) == []
