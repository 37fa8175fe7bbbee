"""The documentation against the code: public names, commands and their options, and the code in the pages."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(?:python|py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


@pytest.fixture(scope="module")
def api_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("api_page", ROOT / "docs" / "api_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed(page: str) -> dict[str, list[str]]:
    """The names under each package's heading of the API page."""
    names: dict[str, list[str]] = {}
    for level, title in re.findall(r"^(##|###) (\S+)$", page, re.MULTILINE):
        if level == "##":
            names[title] = []
        else:
            names[list(names)[-1]].append(title)
    return names


def test_the_api_page_lists_exactly_what_the_packages_export(api_page: ModuleType) -> None:
    names = listed(api_page.PAGE.read_text("utf-8"))
    assert list(names) == list(api_page.PACKAGES)
    for package, documented in names.items():
        module = importlib.import_module(package)
        assert sorted(documented) == sorted(module.__all__), package
        assert [name for name in documented if not hasattr(module, name)] == []


def test_the_api_page_is_what_the_sources_say(api_page: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code = api_page.main(["--check"])
    assert (code, capsys.readouterr().err) == (0, "")


def planted(root: Path, initial: str, inner: str) -> Path:
    """A tree with one package, its `__init__` and one module `a`."""
    (root / "engine").mkdir()
    (root / "engine" / "__init__.py").write_text(f'"""Rows."""\n{initial}\n', "utf-8")
    (root / "engine" / "a.py").write_text(inner, "utf-8")
    return root


def test_a_public_name_is_followed_to_its_definition(
    api_page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_page, "PACKAGES", ("engine",))
    root = planted(
        tmp_path,
        'from engine.a import Row\nfrom engine.a import read as load\n__all__ = ["Row", "load"]',
        'class Row(Base):\n    """A row of `<T>` or <T>."""\n    x: int = 1\n'
        '    def go(self, *, k: int = 2) -> str:\n        """Go."""\n    def _hidden(self): ...\n'
        'async def read(a: int, /, b=1, *c: str, **d) -> Row:\n    """Read a row.\n\n    More."""\n',
    )
    page = api_page.render(root)
    assert listed(page) == {"engine": ["load", "Row"]}
    assert "class Row(Base):\n    x: int = 1\n    def go(self, *, k: int = 2) -> str\n```" in page
    assert "A row of `<T>` or &lt;T>." in page
    assert "- `go`: Go." in page
    assert "async def read(a: int, /, b=1, *c: str, **d) -> Row\n```\n\nRead a row.\n" in page
    assert "_hidden" not in page


@pytest.mark.parametrize(
    ("initial", "inner", "complaint"),
    [
        ("", "", "there is no __all__"),
        ("__all__ = [*names]", "", "a literal list"),
        ('__all__ = ["Row"]', "", "no definition or plain import of Row"),
        ('from engine.a import Row\n__all__ = ["Row"]', "class Row: ...\n", "needs a docstring"),
    ],
)
def test_a_package_that_cannot_be_documented_is_reported(
    api_page: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    initial: str,
    inner: str,
    complaint: str,
) -> None:
    monkeypatch.setattr(api_page, "PACKAGES", ("engine",))
    with pytest.raises(api_page.Unreadable, match=complaint):
        api_page.render(planted(tmp_path, initial, inner))


def options(command: object) -> set[str]:
    """The options of one click command or group."""
    return {name for parameter in command.params for name in parameter.opts if name.startswith("-")}


def commands() -> tuple[dict[str, set[str]], set[str]]:
    """Each command as typed with its options, and the options of the groups above them."""
    import typer.main

    from syncs.cli import app

    found: dict[str, set[str]] = {}
    above: set[str] = set()

    def walk(command: object, words: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found[" ".join(words)] = options(command) - {"--help"}
        else:
            above.update(options(command))
            for name, sub in inner.items():
                walk(sub, (*words, name))

    walk(typer.main.get_command(app), ("syncline",))
    return found, above


def written(text: str) -> set[str]:
    """The options that a text shows as code."""
    return set(OPTION.findall(" ".join(re.findall(r"`([^`]*)`", text))))


def sections(page: str) -> dict[str, str]:
    """The text under each heading, the marks of code taken from the heading."""
    parts = re.split(r"^##+ (.*)$", page, flags=re.MULTILINE)
    return {heading.strip("`"): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_every_command_is_documented_with_its_options_and_no_other() -> None:
    pages = sections((ROOT / "docs" / "cli.md").read_text("utf-8"))
    general = written(pages["Options of every command"])
    found, above = commands()
    assert sorted(found) == sorted(heading for heading in pages if heading.startswith("syncline"))
    assert general <= above.union(*found.values(), {"--help"})
    for command, expected in found.items():
        shown = written(pages[command])
        assert expected - shown - general == set(), f"{command}: not in docs/cli.md"
        assert shown - expected - above == set(), f"{command}: in docs/cli.md, but not an option"


def blocks() -> list[tuple[str, str]]:
    return [
        (f"{page.name}:{number}", block)
        for page in PAGES
        for number, block in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
        if page.name != "api.md"
    ]


def test_the_readme_and_the_python_page_show_code() -> None:
    shown = {name.split(":")[0] for name, _ in blocks()}
    assert {"README.md", "python.md"} <= shown


@pytest.mark.parametrize(("name", "source"), blocks(), ids=[name for name, _ in blocks()])
def test_code_in_a_page_compiles_and_imports_only_public_names(name: str, source: str) -> None:
    compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {
            "ingest", "chunking", "engine", "syncs",
        }:  # fmt: skip
            public = importlib.import_module(node.module or "").__all__
            assert {alias.name for alias in node.names} - set(public) == set(), f"{name}: {node.module}"
