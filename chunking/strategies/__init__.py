"""The chunking strategies by name. Each is a class whose fields are its options; `chunks(source)` does the work."""

from collections.abc import Mapping
from types import MappingProxyType

from chunking.markdown import MarkdownStrategy
from chunking.strategies.character import CharacterStrategy
from chunking.strategies.html import HtmlStrategy
from chunking.strategies.json import JsonStrategy
from chunking.strategies.latex import LatexStrategy
from chunking.strategies.recursive import RecursiveStrategy
from chunking.strategies.sentence import SentenceStrategy
from chunking.strategies.token import TokenStrategy
from chunking.strategy import Strategy

__all__ = ["STRATEGIES"]

STRATEGIES: Mapping[str, type[Strategy]] = MappingProxyType(
    {
        "markdown": MarkdownStrategy,
        "recursive": RecursiveStrategy,
        "character": CharacterStrategy,
        "token": TokenStrategy,
        "sentence": SentenceStrategy,
        "html": HtmlStrategy,
        "json": JsonStrategy,
        "latex": LatexStrategy,
    }
)
