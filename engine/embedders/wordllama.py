"""WordLlama: token vectors out of a large model, averaged; needs neither network nor key.

Only the weights and the tokenizer file of the `wordllama` package are used, from where it is installed. Its
own `embed` pads every text to the longest of the batch; the average here is the same, at half the time.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.embedders.names import DEFAULT_MODELS, WORDLLAMA_SIZES, EmbedderName
from engine.embedders.vectors import unit_vectors
from engine.errors import UnknownEmbedder
from engine.models import Embeddings
from engine.protocols import EmbedKind

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["WordLlamaEmbedder"]

_MODEL = DEFAULT_MODELS["wordllama"]

# Texts tokenised at once: enough for every core, and their tokens fit in a few megabytes.
_BATCH = 256


class WordLlamaEmbedder:
    """The offline embedder: `dimensions` is 256, or 128 or 64, which are the first of the 256.

    The model is static: it looks at one token at a time and has no window, so `max_tokens` is `sys.maxsize`
    and nothing is ever windowed. `tokens` counts what was read; nothing is billed. Raises `UnknownEmbedder`
    where the package, or its weights, are not installed.
    """

    def __init__(self, dimensions: int = WORDLLAMA_SIZES[0]) -> None:
        self._name = EmbedderName.parse(f"wordllama:{_MODEL}@{dimensions}")
        self.dimensions = dimensions
        self._folder = _package_folder()

    @property
    def name(self) -> str:
        return str(self._name)

    @property
    def model(self) -> str:
        return self._name.model

    @property
    def max_tokens(self) -> int:
        return sys.maxsize

    @property
    def usd_per_million_tokens(self) -> float:
        return 0.0

    async def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Embeddings:
        """Documents and queries alike, in a thread; an empty text gets the first axis as its vector."""
        return await asyncio.to_thread(self._embed, texts)

    def estimate(self, texts: Sequence[str]) -> Embeddings:
        """As `embed` counts them; nothing is billed."""
        tokenizer, _ = _load(self._folder)
        return Embeddings((), tokens=sum(len(encoding.ids) for _, encoding in _encoded(tokenizer, texts)))

    async def aclose(self) -> None:
        """Nothing to close."""

    def _embed(self, texts: Sequence[str]) -> Embeddings:
        tokenizer, table = _load(self._folder)
        sums = np.zeros((len(texts), table.shape[1]), dtype=np.float32)
        tokens = 0
        for row, encoding in _encoded(tokenizer, texts):
            # Each distinct token once, times its count: a text's length costs no memory.
            ids, counts = np.unique(encoding.ids, return_counts=True)
            if len(ids):
                sums[row] = counts.astype(np.float32) @ table[ids]
            tokens += len(encoding.ids)
        return Embeddings(unit_vectors(sums[:, : self.dimensions]), tokens=tokens)


def _encoded(tokenizer: "Tokenizer", texts: Sequence[str]) -> "Iterator[tuple[int, Encoding]]":
    """Every text's place and tokens."""
    for start in range(0, len(texts), _BATCH):
        # A lone surrogate has no UTF-8 form, which the tokenizer reads.
        batch = [text.encode("utf-8", "replace").decode() for text in texts[start : start + _BATCH]]
        yield from enumerate(tokenizer.encode_batch_fast(batch, add_special_tokens=False), start)


def _package_folder() -> Path:
    spec = find_spec("wordllama")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / "weights" / f"{_MODEL}.safetensors").is_file():
        raise UnknownEmbedder(
            f"wordllama:{_MODEL} needs the package of that name, which is incomplete or missing: "
            "pip install 'wordllama>=0.4,<0.5'."
        )
    return folder


@lru_cache(maxsize=1)
def _load(folder: Path) -> "tuple[Tokenizer, NDArray[np.float32]]":
    """The tokenizer and the table of token vectors (tokens, 256): 32 MB, held once for the process."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    table = load_file(folder / "weights" / f"{_MODEL}.safetensors")["embedding.weight"]
    return tokenizer, table.astype(np.float32)
