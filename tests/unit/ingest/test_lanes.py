"""The order of visits: kept on one host, and no host holds up another."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ingest.lanes import MOST_HELD, Lanes

pytestmark = pytest.mark.promise("C4")


@dataclass(frozen=True)
class Known:
    url: str
    depth: int = 0
    stored: bool = False
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    extractor: str | None = None
    links: tuple[str, ...] = ()
    gone: bool = False

    @property
    def address(self) -> str:
        return self.url


def run(addresses: list[str], turns: Callable[[str], int], width: int = 4, most: int = 10_000) -> tuple[list[str], int]:
    """What comes out in which order, and the most visits at once; each takes so many turns of the loop."""
    running = most_running = 0

    async def visit(known: Known) -> str:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        for _ in range(turns(known.url)):
            await asyncio.sleep(0)
        running -= 1
        return known.url

    async def main() -> list[str]:
        lanes, found, left = Lanes(visit, width=width), [], list(addresses)
        while len(found) < most:
            taken, left = left[: lanes.room], left[max(lanes.room, 0) :]
            for address in taken:
                lanes.add(Known(address))
            visited = await lanes.next()
            if visited is None:
                break
            found.append(visited)
        await lanes.aclose()
        return found

    return asyncio.run(main()), most_running


@pytest.mark.parametrize("slow", [0, 3, 7])
def test_on_one_host_the_order_is_that_of_the_addresses_whatever_is_finished_first(slow: int) -> None:
    addresses = [f"https://x.org/{n}" for n in range(40)]
    found, at_once = run(addresses, lambda url: (int(url[14:]) * slow) % 11)
    assert found == addresses
    assert at_once == (4 if slow else 1)


def test_a_slow_host_does_not_hold_up_another_and_each_keeps_its_order() -> None:
    slow = [f"https://slow.org/{n}" for n in range(30)]
    fast = [f"https://fast.org/{n}" for n in range(30)]
    mixed = [address for pair in zip(slow, fast, strict=True) for address in pair]
    found, at_once = run(mixed, lambda url: 500 if "slow" in url else 1)
    assert [one for one in found if "slow" in one] == slow
    assert [one for one in found if "fast" in one] == fast
    assert found[:30] == fast
    assert 4 < at_once <= 8


def test_what_is_held_for_a_slow_host_is_bounded() -> None:
    taken: list[str] = []

    async def never(known: Known) -> None:
        taken.append(known.url)
        await asyncio.Event().wait()

    async def main() -> int:
        lanes = Lanes(never, width=4)
        lanes.add(Known("https://y.org/"))
        number = 0
        while lanes.room > 0:
            lanes.add(Known(f"https://x.org/{number}"))
            number += 1
        await asyncio.sleep(0)
        size = len(lanes)
        await lanes.aclose()
        return size

    assert asyncio.run(main()) == 1 + 4 + MOST_HELD
    assert len(taken) == 5


def test_closing_cancels_what_is_under_way() -> None:
    found, _ = run([f"https://x.org/{n}" for n in range(9)], lambda _: 1, most=2)
    assert len(found) == 2


def test_what_a_visit_raises_is_raised() -> None:
    async def broken(known: Known) -> None:
        raise LookupError(known.url)

    async def main() -> None:
        lanes = Lanes(broken, width=2)
        lanes.add(Known("https://x.org/"))
        await lanes.next()

    with pytest.raises(LookupError, match=r"x\.org"):
        asyncio.run(main())
