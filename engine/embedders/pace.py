"""How fast a server is asked: by what its answers say is left of its rate limits."""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

__all__ = ["Pace"]

# Longer than that no request waits for its turn, nor does the client for Retry-After: the server says what it thinks.
_LONGEST = 120.0
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_IN_SECONDS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)


@dataclass(slots=True)
class _Allowance:
    """What is left of a limit, which fills up evenly: `left` at the moment `at`, and `rate` more each second."""

    limit: float
    left: float
    rate: float
    at: float

    def available(self, now: float) -> float:
        return min(self.limit, self.left + self.rate * (now - self.at))

    def wait(self, wanted: float, now: float) -> float:
        """Seconds until as much as `wanted` is there, or all that there can be."""
        lacking = min(wanted, self.limit) - self.available(now)
        return lacking / self.rate if lacking > 0 else 0.0

    def take(self, amount: float, now: float) -> None:
        self.left, self.at = self.available(now) - amount, now


class Pace:
    """Lets requests through as OpenAI's headers allow: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, where
    the reset is the time until the limit is whole again, and `retry-after` of a refusal, which holds back every other
    request, too. A server that sends none of them is not slowed down. `clock` and `sleep` are in seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._allowances: dict[str, _Allowance] = {}
        self._held_until = -math.inf

    @property
    def most_tokens(self) -> float:
        """The server's limit on tokens, over whatever time; infinite where it names none."""
        tokens = self._allowances.get("tokens")
        return math.inf if tokens is None else max(1.0, tokens.limit)

    async def turn(self, tokens: int) -> None:
        """Wait until a request of so many tokens may be sent, and count it as sent."""
        wanted = {"requests": 1, "tokens": tokens}
        while 0 < (wait := self._wait(wanted)) <= _LONGEST:
            await self._sleep(wait)
        for kind, allowance in self._allowances.items():
            allowance.take(wanted[kind], self._clock())

    def settle(self, tokens: int, billed: int) -> None:
        """Give back what a request was counted as, `tokens`, beyond what it was billed."""
        if (allowance := self._allowances.get("tokens")) is not None:
            allowance.take(min(0, billed - tokens), self._clock())

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """Read the headers of an answer, by lower-case name, whatever its status."""
        now = self._clock()
        if status in (429, 503):
            pause = _retry_after(headers)
            if 0 < pause <= _LONGEST:
                self._held_until = max(self._held_until, now + pause)
        for kind in ("requests", "tokens"):
            limit, left = (_number(headers.get(f"x-ratelimit-{name}-{kind}")) for name in ("limit", "remaining"))
            reset = _seconds(headers.get(f"x-ratelimit-reset-{kind}"))
            if not limit or left is None or reset is None:
                continue
            left = min(left, limit)
            rate = (limit - left) / max(reset, 0.001)
            known = self._allowances.get(kind)
            if known is not None:
                # The answer may be older than requests that were sent meanwhile.
                left = min(left, known.available(now))
                rate = rate or known.rate
            self._allowances[kind] = _Allowance(limit, left, rate or limit, now)

    def _wait(self, wanted: Mapping[str, int]) -> float:
        now = self._clock()
        waits = [allowance.wait(wanted[kind], now) for kind, allowance in self._allowances.items()]
        return max([self._held_until - now, *waits])


def _number(given: str | None) -> float | None:
    return float(given) if given is not None and given.isdecimal() else None


def _seconds(given: str | None) -> float | None:
    """A time such as `6m0s`, `1.5s` or `120ms`, or a number of seconds."""
    if not given:
        return None
    parts = _DURATION.fullmatch(given)
    if parts is not None:
        return sum(float(part or 0) * unit for part, unit in zip(parts.groups(), _IN_SECONDS, strict=True))
    return _plain_seconds(given)


def _plain_seconds(given: str) -> float | None:
    try:
        seconds = float(given)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of a pause that is asked for in seconds or milliseconds; 0 without one."""
    milliseconds = _plain_seconds(headers.get("retry-after-ms", ""))
    seconds = _plain_seconds(headers.get("retry-after", ""))
    return seconds or 0.0 if milliseconds is None else milliseconds / 1000
