"""Which embedder is meant: a name is `provider:model[@dimensions]`; without one the environment decides."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.embedders.openai_models import OPENAI_MODELS
from engine.errors import UnknownEmbedder

__all__ = [
    "DEFAULT_MODELS",
    "WORDLLAMA_SIZES",
    "EmbedderChoice",
    "EmbedderName",
    "choose_embedder",
    "describe_choice",
]

DEFAULT_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "wordllama": "l2_supercat_256",
        "openai": "text-embedding-3-small",
        "sentence-transformers": "all-MiniLM-L6-v2",
        "fastembed": "BAAI/bge-small-en-v1.5",
    }
)
WORDLLAMA_SIZES = (256, 128, 64)

# A model's own name may begin with an @ (`@cf/baai/bge-m3`), and hold colons (`nomic-embed-text:latest`).
_NAME = re.compile(r"([a-z]+(?:-[a-z]+)*)(?::(@?[^\s@]+))?(?:@([1-9][0-9]{0,4}))?")


@dataclass(frozen=True, slots=True)
class EmbedderName:
    """A provider, a model and, where it is not the model's own, the number of dimensions."""

    provider: str
    model: str
    dimensions: int | None = None

    @classmethod
    def parse(cls, text: str) -> "EmbedderName":
        """Read `provider[:model][@dimensions]`; one model has one name, so the model's own size is left out.

        Raises `UnknownEmbedder`, naming those that there are.
        """
        match = _NAME.fullmatch(text.strip())
        if match is None or match[1] not in DEFAULT_MODELS:
            raise UnknownEmbedder(f"There is no embedder {text!r}: {_known()}.")
        provider, model = match[1], match[2] or DEFAULT_MODELS[match[1]]
        dimensions = int(match[3]) if match[3] else None
        native = _native_dimensions(provider, model)
        if dimensions is not None and native is not None:
            _check_dimensions(provider, model, dimensions)
        return cls(provider, model, None if dimensions == native else dimensions)

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}" + (f"@{self.dimensions}" if self.dimensions else "")


@dataclass(frozen=True, slots=True)
class EmbedderChoice:
    """The embedder that was chosen, and why."""

    name: EmbedderName
    reason: str

    def __str__(self) -> str:
        return f"Embedding with {self.name}: {self.reason}."


def choose_embedder(name: str | None = None, *, env: Mapping[str, str] = os.environ) -> EmbedderChoice:
    """The embedder that `name` means, or without one, the environment: `SYNCLINE_EMBEDDER`, else OpenAI where
    there is an `OPENAI_API_KEY`, else wordllama, which needs neither key nor network."""
    if name is not None:
        return EmbedderChoice(EmbedderName.parse(name), "it was asked for by name")
    if named := env.get("SYNCLINE_EMBEDDER", "").strip():
        return EmbedderChoice(EmbedderName.parse(named), "SYNCLINE_EMBEDDER names it")
    if env.get("OPENAI_API_KEY", "").strip():
        return EmbedderChoice(EmbedderName.parse("openai"), "OPENAI_API_KEY is set")
    return EmbedderChoice(EmbedderName.parse("wordllama"), "it works offline, and there is no OPENAI_API_KEY")


def describe_choice(name: str | None = None, *, env: Mapping[str, str] = os.environ) -> str:
    """One sentence that says which embedder `open_embedder` would open, and why."""
    return str(choose_embedder(name, env=env))


def _native_dimensions(provider: str, model: str) -> int | None:
    if provider == "openai":
        known = OPENAI_MODELS.get(model)
        return known.dimensions if known else None
    if provider != "wordllama":  # what the model says, once it is loaded
        return None
    if model != DEFAULT_MODELS[provider]:
        raise UnknownEmbedder(f"There is no embedder {provider}:{model}: {_known()}.")
    return WORDLLAMA_SIZES[0]


def _check_dimensions(provider: str, model: str, dimensions: int) -> None:
    if provider == "wordllama":
        allowed = dimensions in WORDLLAMA_SIZES
        sizes = ", ".join(map(str, WORDLLAMA_SIZES))
    else:
        known = OPENAI_MODELS[model]
        allowed = dimensions == known.dimensions or (known.shortens and dimensions < known.dimensions)
        sizes = f"1 to {known.dimensions}" if known.shortens else str(known.dimensions)
    if not allowed:
        raise UnknownEmbedder(f"{provider}:{model} has no {dimensions} dimensions: it can have {sizes}.")


def _known() -> str:
    sizes = "|".join(f"@{size}" for size in WORDLLAMA_SIZES)
    return (
        f"there are wordllama:{DEFAULT_MODELS['wordllama']}[{sizes}], which works offline, and "
        "openai:MODEL[@DIMENSIONS] for OpenAI and every server like it, e.g. "
        f"openai:{DEFAULT_MODELS['openai']}; with their extras installed, sentence-transformers:MODEL[@DIMENSIONS] and "
        "fastembed:MODEL[@DIMENSIONS]"
    )
