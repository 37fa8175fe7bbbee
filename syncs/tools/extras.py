"""The optional packages that a rendering needs, and the sentence that is said where one is missing."""

from importlib.util import find_spec

from syncs.errors import SyncError

__all__ = ["MissingExtra", "need"]


class MissingExtra(SyncError):
    """An optional package is not installed; the message names the extra that brings it."""


def need(package: str, extra: str) -> None:
    """`MissingExtra` where `package` is not installed."""
    if find_spec(package) is None:
        raise MissingExtra(f"the package {package} is not installed: pip install 'syncline[{extra}]'")
