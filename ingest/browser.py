"""Which browser runs the scripts of pages that are empty without them, if any (the extra `syncline[render]`)."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ingest.errors import BadInput, BrowserMissing

__all__ = ["Render", "find_browser", "missing_browser"]

Render = Literal["never", "auto", "always"]

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find_browser(render: Render) -> Path | None:
    """The program that a crawl with this setting renders pages with; None where it renders none.

    That is the Chromium that `SYNCLINE_CHROMIUM` names (`none`: there is none), else one with a usual name.
    Nothing is downloaded. Raises BrowserMissing where "always" has no playwright or no browser, and BadInput
    where the variable names no program.
    """
    if render == "never":
        return None
    program, missing = _look()
    if program is None and render == "always":
        raise BrowserMissing(f"pages cannot be rendered, because {missing}")
    return program


def missing_browser(render: Render) -> str:
    """Why a crawl with this setting cannot render pages that need it; "" where it can, or was told not to."""
    return _look()[1] if render == "auto" else ""


def _look() -> tuple[Path | None, str]:
    """The browser, or what is missing."""
    if find_spec("playwright") is None:
        return None, "the package playwright is not installed: pip install 'syncline[render]'"
    named = os.environ.get("SYNCLINE_CHROMIUM", "").strip()
    if named.lower() == "none":
        return None, "SYNCLINE_CHROMIUM says that there is no browser"
    candidates = (str(Path(named).expanduser()),) if named else (*_NAMES, *_PLACES)
    for candidate in candidates:
        program = shutil.which(candidate)
        if program is not None:
            return Path(program), ""
    if named:
        raise BadInput(f"SYNCLINE_CHROMIUM names {named}, which is no program: give the path of a Chromium")
    return None, "there is no Chromium: install one, or name it in SYNCLINE_CHROMIUM"
