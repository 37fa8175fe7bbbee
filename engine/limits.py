"""How much of a database an engine takes: how many connections, and how much time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import StoreUnavailable

__all__ = ["Limits"]

_WHOLE = re.compile(r"[1-9]\d{0,3}")
_SECONDS = re.compile(r"\d{1,6}(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one engine on one database."""

    connections: int = 8
    """At most so many at a time, besides one for each crawl that is under way."""

    wait: float = 30.0
    """Seconds for which a call waits for a free connection."""

    statement: float = 600.0
    """Seconds after which the server cancels a statement; 0 for never. A limit that the server, the role or the address
    sets goes before it. The build of a vector index has none."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Limits":
        """The defaults, but for what the environment says. StoreUnavailable for a value that is none."""
        return cls(
            connections=int(
                _read(env, "SYNCLINE_POOL_SIZE", _WHOLE, "a whole number from 1 to 9999", cls().connections)
            ),
            wait=_read(env, "SYNCLINE_POOL_TIMEOUT", _SECONDS, "seconds, as in 30", cls().wait),
            statement=_read(
                env, "SYNCLINE_STATEMENT_TIMEOUT", _SECONDS, "seconds, as in 600, or 0 for no limit", cls().statement
            ),
        )


def _read(env: Mapping[str, str], name: str, form: re.Pattern[str], expected: str, default: float) -> float:
    text = env.get(name, "").strip()
    if text and not form.fullmatch(text):
        raise StoreUnavailable(f"{name} is {text!r}: it must be {expected}.")
    return float(text) if text else default
