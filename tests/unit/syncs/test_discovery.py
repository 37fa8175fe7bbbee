"""A user's runtime is found by `module:name`."""

import subprocess
import sys
from pathlib import Path

import pytest

from syncs import Runtime, UnusableApp, load_runtime

APP = """
from engine import MockEngine
from syncs import Runtime

runtime = Runtime(engine=MockEngine())
number = 3


def make():
    return Runtime(engine=MockEngine())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("found_app", "found_package", "found_package.app"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["runtime", "make"])
def test_a_runtime_or_a_function_that_makes_one_is_found_in_the_current_folder(folder: Path, name: str) -> None:
    (folder / "found_app.py").write_text(APP)
    (folder / "found_package").mkdir()
    (folder / "found_package" / "app.py").write_text(APP)
    assert isinstance(load_runtime(f"found_app:{name}"), Runtime)
    assert isinstance(load_runtime(f"found_package.app:{name}"), Runtime)
    for module in ("found_app", "found_package.app", "found_package"):
        del sys.modules[module]


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("found_app", "write it as module:name"),
        (":runtime", "write it as module:name"),
        ("found_ap:runtime", "there is no module 'found_ap' in "),
        ("found_app.inner:runtime", "there is no module 'found_app.inner' in "),
        ("found_app:runtme", "found_app has no 'runtme'; did you mean 'runtime'?"),
        ("found_app:number", "found_app:number is int, not a Runtime"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(folder: Path, app: str, message: str) -> None:
    (folder / "found_app.py").write_text(APP)
    with pytest.raises(UnusableApp) as raised:
        load_runtime(app)
    assert message in str(raised.value)
    sys.modules.pop("found_app", None)


def test_what_the_module_raises_is_the_users_own(folder: Path) -> None:
    (folder / "found_app.py").write_text("import no_such_package_of_mine")
    with pytest.raises(ModuleNotFoundError, match="no_such_package_of_mine"):
        load_runtime("found_app:runtime")


def test_a_users_engine_module_does_not_stand_in_for_ours(folder: Path) -> None:
    (folder / "engine.py").write_text("raise SystemExit('the wrong engine')")
    (folder / "found_app.py").write_text(APP)
    code = "import sys; sys.path.remove(''); from syncs import load_runtime; print(load_runtime('found_app:runtime'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Runtime" in ran.stdout
