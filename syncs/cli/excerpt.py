"""The lines of a hit that are shown to a person: those that answer the query, not just the first ones."""

from engine.words import words

__all__ = ["excerpt"]

SHOWN_LINES = 6
SHOWN_CHARACTERS = 480


def excerpt(markdown: str, query: str) -> str:
    """At most six lines that are not blank, from where most of the query's words are; longer words count more.

    What is left out before or after is marked with an ellipsis.
    """
    lines = [line for line in markdown.splitlines() if line.strip()]
    asked = set(words(query))
    found = [asked.intersection(words(line)) for line in lines]
    starts = range(max(1, len(lines) - SHOWN_LINES + 1))
    weights = [sum(map(len, set().union(*found[start : start + SHOWN_LINES]))) for start in starts]
    start = weights.index(max(weights))
    shown = "\n".join(lines[start : start + SHOWN_LINES])[:SHOWN_CHARACTERS]
    before = "… " if start else ""
    after = " …" if len(shown) < len("\n".join(lines[start:])) else ""
    return f"{before}{shown}{after}"
