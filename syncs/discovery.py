"""A user's runtime by its address, `module:name`, for the command line and for servers."""

import importlib
import importlib.util
import os
import sys

from syncs.errors import UnusableApp, did_you_mean
from syncs.runtime import Runtime

__all__ = ["load_runtime"]


def load_runtime(app: str) -> Runtime:
    """The `Runtime` that is called `name` in `module`, or that the function of this name returns.

    The module is looked for in the current folder too, after everything that is installed: a user's
    `engine.py` must not stand in for ours. Raises `UnusableApp`, and what the module itself raises.
    """
    module_name, _, name = app.partition(":")
    if not module_name or not name:
        raise UnusableApp(f"{app!r} is no address of a runtime: write it as module:name, such as app:runtime")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.import_module(_checked(module_name, folder))
    if not hasattr(module, name):
        found = [key for key, value in vars(module).items() if isinstance(value, Runtime)]
        raise UnusableApp(f"{module_name} has no {name!r}; {did_you_mean(name, found)}")
    runtime = getattr(module, name)
    if callable(runtime):
        runtime = runtime()
    if not isinstance(runtime, Runtime):
        raise UnusableApp(f"{app} is {type(runtime).__name__}, not a Runtime, nor a function that returns one")
    return runtime


def _checked(module_name: str, folder: str) -> str:
    """The module's name, once it is known to exist: an ImportError from inside it is the user's own."""
    package = ""
    for part in module_name.split("."):
        package = f"{package}.{part}".lstrip(".")
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            spec = None
        if spec is None:
            raise UnusableApp(f"there is no module {package!r} in {folder} or among the installed packages")
    return module_name
