"""Models that the library fastembed runs, by ONNX Runtime; an extra, and smaller than PyTorch."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.embedders.hub import load_or_fetch
from engine.embedders.local import import_extra
from engine.embedders.names import EmbedderName
from engine.errors import UnknownEmbedder
from engine.protocols import EmbedKind

__all__ = ["FastembedModel"]

_EXTRA = "fastembed"
_BATCH = 16  # a batch is padded to its longest text, and memory grows with the square of that


class FastembedModel:
    """A `LocalModel`; `name.model` is one that fastembed lists, or that the program added (`add_custom_model`).

    Its files are in the library's own cache, which `FASTEMBED_CACHE_PATH` names. Raises `UnknownEmbedder`.
    """

    def __init__(self, name: EmbedderName) -> None:
        library = import_extra("fastembed", _EXTRA)
        known = [model["model"] for model in library.TextEmbedding.list_supported_models()]
        if name.model.lower() not in map(str.lower, known):
            raise UnknownEmbedder(
                f"fastembed has no model {name.model!r}: it has {', '.join(sorted(known, key=str.lower))}."
            )
        self._model: Any = load_or_fetch(name, lambda local: _load(library, name.model, local))
        # A copy, because the model's own is set to cut texts off.
        own = self._model.model.tokenizer
        self._tokenizer = import_extra("tokenizers", _EXTRA).Tokenizer.from_str(own.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.max_tokens = int(own.truncation["max_length"]) if own.truncation else sys.maxsize

    def count(self, text: str, kind: EmbedKind) -> int:
        """With special tokens; the library has no prompts."""
        return len(self._tokenizer.encode(text))

    def encode(self, texts: Sequence[str], kind: EmbedKind) -> NDArray[np.float32]:
        """As the library embeds queries and passages."""
        if kind == "query":
            return np.stack(list(self._model.query_embed(list(texts))))
        return np.stack(list(self._model.passage_embed(list(texts), batch_size=_BATCH)))


def _load(library: Any, model: str, local_files_only: bool) -> Any:
    log = import_extra("loguru", _EXTRA).logger
    log.disable("fastembed")  # a model that is not there is told by the error alone
    try:
        return library.TextEmbedding(model, local_files_only=local_files_only)
    finally:
        log.enable("fastembed")
