"""What OpenAI publishes about its embedding models."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["OPENAI_MODELS", "OpenAIModel"]


@dataclass(frozen=True, slots=True)
class OpenAIModel:
    """`dimensions` of its own and whether it can be asked for fewer; `max_tokens` of one text; its price."""

    dimensions: int
    shortens: bool
    max_tokens: int
    usd_per_million_tokens: float


# Sizes and list prices as OpenAI announced them on 2024-01-25 for these models.
OPENAI_MODELS: Mapping[str, OpenAIModel] = MappingProxyType(
    {
        "text-embedding-3-small": OpenAIModel(1536, True, 8191, 0.02),
        "text-embedding-3-large": OpenAIModel(3072, True, 8191, 0.13),
        "text-embedding-ada-002": OpenAIModel(1536, False, 8191, 0.10),
    }
)
