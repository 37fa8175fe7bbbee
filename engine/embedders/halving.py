"""One bad text must not cost a batch: a request that is refused for its content is halved until the bad are alone."""

from collections.abc import Awaitable, Callable, Sequence

from engine.embedders.answer import Answer
from engine.errors import EmbedderError, TextRefused

__all__ = ["PLAIN", "ask_by_halves"]

PLAIN = "syncline"
"""A text that every model takes: where it is refused, the request is at fault, not the texts in it."""

Ask = Callable[[Sequence[str]], Awaitable[Answer]]


async def ask_by_halves(texts: Sequence[str], ask: Ask) -> list[Answer | TextRefused]:
    """Answers that together hold a vector for every text in order, and a refusal in the place of each that is refused
    when it is alone.

    Raises what `ask` raises but for `TextRefused`, and `EmbedderError` where even a plain word is refused.
    """
    outcome = await _attempt(texts, ask)
    if isinstance(outcome, Answer):
        return [outcome]
    if isinstance(await _attempt([PLAIN], ask), TextRefused):
        raise EmbedderError(f"{outcome}: check the model's name and limits.")
    return await _halve(texts, outcome, ask)


async def _halve(texts: Sequence[str], refusal: TextRefused, ask: Ask) -> list[Answer | TextRefused]:
    if len(texts) == 1:
        return [refusal]
    middle = len(texts) // 2
    outcomes: list[Answer | TextRefused] = []
    for half in (texts[:middle], texts[middle:]):
        outcome = await _attempt(half, ask)
        outcomes += [outcome] if isinstance(outcome, Answer) else await _halve(half, outcome, ask)
    return outcomes


async def _attempt(texts: Sequence[str], ask: Ask) -> Answer | TextRefused:
    try:
        return await ask(texts)
    except TextRefused as refusal:
        return refusal
