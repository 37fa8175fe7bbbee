"""The register of promises against the marks on the tests: no promise without a test or a stated gap."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

TESTS = Path(__file__).resolve().parents[1]
COUNTS = MappingProxyType({"C": 11, "K": 6, "E": 8, "S": 5})  # a promise does not leave the register in silence

Mark = tuple[str, str]  # promise id, and where the mark stands


def is_promise(node: ast.AST) -> bool:
    """`pytest.mark.promise(...)`, or `mark.promise(...)`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.promise")


def is_test(node: ast.AST) -> bool:
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test")
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")


def marks(source: str, path: str) -> Iterator[Mark]:
    """Every promise that the tests of one file carry: on functions, classes, parameters, or the module."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            if is_promise(decorator) and not is_test(node):
                raise ValueError(f"{path}:{node.lineno}: a promise is marked on {node.name}, which is not a test")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_promise(node):
            where = f"{path}:{node.lineno}"
            if not node.args or node.keywords:
                raise ValueError(f"{where}: promise(...) takes ids, as plain strings")
            for argument in node.args:
                if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                    raise ValueError(f"{where}: a promise's id must be a plain string")
                yield argument.value, where


def complaints(promises: dict[str, dict[str, str]], found: list[Mark]) -> list[str]:
    """What does not fit between the register and the marks."""
    tested = {promise for promise, _ in found}
    wrong = [f"{where}: there is no promise {promise}" for promise, where in found if promise not in promises]
    for promise, entry in promises.items():
        if set(entry) - {"text", "gap"} or not entry.get("text", "").strip():
            wrong.append(f"{promise}: needs a text, may have a gap, and nothing else")
        if not entry.get("gap", "stated").strip():
            wrong.append(f"{promise}: a gap needs its reason")
        if promise not in tested and "gap" not in entry:
            wrong.append(f"{promise}: no test carries it, and no gap is stated")
    return wrong


def test_every_promise_has_a_test_or_a_stated_gap_and_every_mark_a_promise() -> None:
    promises = tomllib.loads((TESTS / "promises.toml").read_text("utf-8"))
    found = [
        mark
        for path in sorted(TESTS.rglob("*.py"))
        for mark in marks(path.read_text("utf-8"), path.relative_to(TESTS.parent).as_posix())
    ]
    assert complaints(promises, found) == []


def test_the_register_holds_every_promise() -> None:
    promises = tomllib.loads((TESTS / "promises.toml").read_text("utf-8"))
    assert list(promises) == [f"{area}{n}" for area, count in COUNTS.items() for n in range(1, count + 1)]


def test_marks_are_found_wherever_pytest_takes_them() -> None:
    source = """
import pytest
from pytest import mark
pytestmark = [pytest.mark.slow, pytest.mark.promise("C1")]
@pytest.mark.promise("C2", "C3")
def test_a(): ...
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.promise("K1"))])
def test_b(x): ...
@mark.promise("K2")
class TestC: ...
"""
    assert sorted(promise for promise, _ in marks(source, "a.py")) == ["C1", "C2", "C3", "K1", "K2"]


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.promise('C1')\ndef helper(): ...\n",
        "@pytest.mark.promise(name)\ndef test_a(): ...\n",
        "@pytest.mark.promise()\ndef test_a(): ...\n",
    ],
)
def test_a_mark_that_proves_nothing_is_an_error(source: str) -> None:
    with pytest.raises(ValueError, match=r"a\.py:"):
        list(marks(source, "a.py"))


@pytest.mark.parametrize(
    ("entry", "found", "complaint"),
    [
        ({"text": "x"}, [], "C1: no test carries it, and no gap is stated"),
        ({"text": "x"}, [("C1", "a.py:1"), ("C99", "a.py:2")], "a.py:2: there is no promise C99"),
        ({"text": "x", "gap": " "}, [("C1", "a.py:1")], "C1: a gap needs its reason"),
        ({"text": ""}, [("C1", "a.py:1")], "C1: needs a text, may have a gap, and nothing else"),
    ],
)
def test_a_register_that_does_not_fit_is_reported(entry: dict[str, str], found: list[Mark], complaint: str) -> None:
    assert complaints({"C1": entry}, found) == [complaint]


def test_a_promise_kept_in_part_has_tests_and_a_gap() -> None:
    assert complaints({"C1": {"text": "x", "gap": "half of it"}}, [("C1", "a.py:1")]) == []
    assert complaints({"C1": {"text": "x", "gap": "all of it"}}, []) == []
