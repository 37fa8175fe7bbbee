"""Models of the Hugging Face hub: what is on this machine is used without asking the hub."""

import ssl
from collections.abc import Callable
from typing import TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from engine.embedders.local import cannot_load, import_extra
from engine.embedders.names import EmbedderName
from engine.errors import UnknownEmbedder

__all__ = ["load_or_fetch"]

_SECONDS = 10.0

Model = TypeVar("Model")
# What the libraries raise for a model that is not there, is broken, or needs a package of its own.
_FAILURES = (OSError, ValueError, RuntimeError, ImportError)


def load_or_fetch(name: EmbedderName, load: Callable[[bool], Model]) -> Model:
    """What `load` gives, called with True to use only files of this machine, else with False.

    The libraries ask the hub again and again where it is out of reach, for over a minute, so that is looked at first.
    Raises `UnknownEmbedder`.
    """
    try:
        return load(True)
    except _FAILURES as error:
        failure = error
    if name.model.startswith("/"):  # a folder: there is nothing to fetch
        raise cannot_load(name, failure) from failure
    if not _is_reachable():
        raise UnknownEmbedder(
            f"{name} is not on this machine, and the hub that has it cannot be reached: fetch it once where there is a "
            "network, or work offline with --embedder wordllama."
        ) from failure
    try:
        return load(False)
    except _FAILURES as error:
        raise cannot_load(name, error) from error


def _is_reachable() -> bool:
    constants = import_extra("huggingface_hub.constants", "sentence-transformers")
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=_SECONDS):
            return True
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # it is there; the libraries may know its certificate
    except OSError:
        return False
