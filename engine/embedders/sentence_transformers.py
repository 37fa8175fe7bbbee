"""Models that the library sentence-transformers runs; an extra, since it brings PyTorch."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.embedders.hub import load_or_fetch
from engine.embedders.local import import_extra
from engine.embedders.names import EmbedderName
from engine.protocols import EmbedKind

__all__ = ["SentenceTransformersModel"]

_EXTRA = "sentence-transformers"
# The names under which a model keeps its prompts, as `encode_query` and `encode_document` look for them.
_PROMPTS: tuple[tuple[EmbedKind, tuple[str, ...]], ...] = (
    ("query", ("query",)),
    ("document", ("document", "passage", "corpus")),
)


class SentenceTransformersModel:
    """A `LocalModel`; `name.model` is its name on the hub, or the path of its folder.

    Code that comes with a model is never run (`trust_remote_code`). Raises `UnknownEmbedder`.
    """

    def __init__(self, name: EmbedderName) -> None:
        library = import_extra("sentence_transformers", _EXTRA)
        # As the library does, for models that it publishes itself.
        source = name.model if "/" in name.model else f"sentence-transformers/{name.model}"
        self._model: Any = load_or_fetch(
            name, lambda local: library.SentenceTransformer(source, local_files_only=local)
        )
        window = self._model.max_seq_length
        self.max_tokens = sys.maxsize if window is None else int(min(window, sys.maxsize))
        self._prompts = {kind: self._prompt(names) for kind, names in _PROMPTS}

    def count(self, text: str, kind: EmbedKind) -> int:
        """With the prompt and special tokens."""
        given = self._prompts[kind] + text
        tokenizer = self._model.tokenizer
        if hasattr(tokenizer, "encode_batch_fast"):  # of the library tokenizers, which static models use
            return len(tokenizer.encode(given, add_special_tokens=False))
        return len(tokenizer(given, truncation=False, verbose=False)["input_ids"])

    def encode(self, texts: Sequence[str], kind: EmbedKind) -> NDArray[np.float32]:
        """With the model's own prompt for a query or a document."""
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        rows: NDArray[np.float32] = encode(list(texts), prompt=self._prompts[kind], show_progress_bar=False)
        return rows

    def _prompt(self, names: Sequence[str]) -> str:
        # The library fills in empty ones, and would stop at those.
        return next((prompt for name in names if (prompt := self._model.prompts.get(name))), "")
