"""`LocalEmbedder`: a model that runs in this process, whichever library runs it."""

import asyncio
import importlib
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.embedders.batches import Window, count_parts, into_windows
from engine.embedders.names import EmbedderName
from engine.embedders.vectors import unit_rows, unit_vectors, weighted_sums
from engine.errors import EmbedderError, UnknownEmbedder
from engine.models import Embeddings
from engine.protocols import EmbedKind

__all__ = ["LocalEmbedder", "LocalModel", "cannot_load", "import_extra"]

# Texts that go to the model at once: a cancelled call waits for no more than these, a few seconds on two cores.
_BATCH = 32


class LocalModel(Protocol):
    """A model that was loaded. Its methods take their time, and are called by one thread at a time."""

    @property
    def max_tokens(self) -> int:
        """Its window: of a longer text it would see only the beginning."""

    def count(self, text: str, kind: EmbedKind) -> int:
        """The tokens of a text as the model reads it: with its prompt for that kind, and with special tokens."""

    def encode(self, texts: Sequence[str], kind: EmbedKind) -> NDArray[np.float32]:
        """Their vectors (texts, dimensions), with the model's prompt for that kind."""


class LocalEmbedder:
    """An `Embedder` on a model in this process; it works in a thread, and nothing is billed.

    `name.dimensions` keeps only the first of each vector's numbers, which is for models that were trained for it. A
    text over `max_tokens`, in the model's own tokens, is embedded by windows; its vector is their average, weighted
    by length, and `Embeddings.windowed` counts it. `tokens` counts what was read.

    Embeds one word to learn the size of the model's vectors. Raises `UnknownEmbedder` where they have fewer dimensions
    than the name asks for, and `EmbedderError` where the model fails.
    """

    def __init__(self, name: EmbedderName, model: LocalModel) -> None:
        self._name = name
        self._model = model
        self._lock = threading.Lock()  # tokenizers and models are not made for several threads
        full = self._encode(["syncline"], "document").shape[1]
        if name.dimensions is not None and name.dimensions > full:
            raise UnknownEmbedder(f"{name} has no {name.dimensions} dimensions: it can have 1 to {full}.")
        if name.dimensions == full:
            self._name = EmbedderName(name.provider, name.model)
        self.dimensions = name.dimensions or full

    @property
    def name(self) -> str:
        return str(self._name)

    @property
    def model(self) -> str:
        return self._name.model

    @property
    def max_tokens(self) -> int:
        return self._model.max_tokens

    @property
    def usd_per_million_tokens(self) -> float:
        return 0.0

    async def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Embeddings:
        """With the model's own prompt for documents or queries; a blank text gets the first axis as its vector."""
        windows, tokens = await asyncio.to_thread(self._windows, texts, kind)
        # Texts of a length together: every text of a batch is padded to the longest.
        windows.sort(key=lambda window: window.weight)
        rows = [np.zeros((0, self.dimensions))]
        for start in range(0, len(windows), _BATCH):
            batch = [window.content for window in windows[start : start + _BATCH]]
            encoded = await asyncio.to_thread(self._encode, batch, kind)
            rows.append(unit_rows(encoded[:, : self.dimensions]))
        vectors = unit_vectors(weighted_sums(windows, np.concatenate(rows), len(texts)))
        return Embeddings(vectors, tokens=tokens, windowed=count_parts(windows))

    def estimate(self, texts: Sequence[str]) -> Embeddings:
        """As `embed` counts them; nothing is billed."""
        windows, tokens = self._windows(texts, "document")
        return Embeddings((), tokens=tokens, windowed=count_parts(windows))

    async def aclose(self) -> None:
        """Nothing to close."""

    def _windows(self, texts: Sequence[str], kind: EmbedKind) -> tuple[list[Window], int]:
        """The parts of the texts that the model can read, and the tokens in them."""

        def fits(text: str) -> bool:
            return self._model.count(text, kind) <= self.max_tokens

        with self._lock:
            windows = [
                window
                for text_index, text in enumerate(texts)
                # A lone surrogate has no UTF-8 form, which tokenizers read.
                for window in into_windows(text.encode("utf-8", "replace").decode(), text_index, fits)
            ]
            return windows, sum(self._model.count(window.content, kind) for window in windows)

    def _encode(self, texts: Sequence[str], kind: EmbedKind) -> NDArray[np.float32]:
        try:
            with self._lock:
                rows = np.asarray(self._model.encode(texts, kind), dtype=np.float32)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise EmbedderError(f"{self._name} failed on this machine: {_first_line(error)}.") from error
        if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
            raise EmbedderError(f"{self._name} gave vectors that are missing or not finite: use another model.")
        return rows


def import_extra(package: str, extra: str) -> ModuleType:
    """The package of an extra, imported. Raises `UnknownEmbedder`, which says how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        why = "is not installed" if getattr(error, "name", None) == package else f"cannot be imported ({error})"
        raise UnknownEmbedder(
            f"This embedder needs the package {package}, which {why}: pip install 'syncline[{extra}]'."
        ) from error


def cannot_load(name: EmbedderName, error: Exception) -> UnknownEmbedder:
    """What to say where a library does not load a model."""
    return UnknownEmbedder(f"{name} cannot be loaded: {_first_line(error)}.")


def _first_line(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0][:200].rstrip(".")
