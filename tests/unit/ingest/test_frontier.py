"""The frontier: in which order addresses are taken, and what each visit means for what is known."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ingest.discovery import Source
from ingest.frontier import Frontier
from ingest.ledger import KnownPage, MemoryLedger
from ingest.models import CrawledPage, Outcome, SkippedPage
from ingest.scope import Scope
from ingest.sitemaps import Listed
from ingest.visit import Visit

BASE = "https://x.org/docs/"


@dataclass(frozen=True)
class Known:
    url: str
    address: str
    depth: int = 0
    stored: bool = False
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    extractor: str | None = None
    links: tuple[str, ...] = ()
    gone: bool = False


class Ledger(MemoryLedger):
    """Remembers what it was told, and pages of earlier crawls: `earlier` by name, `holders` by content."""

    def __init__(self, earlier: Sequence[str] = (), holders: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.earlier = [(BASE + name, BASE + name, 3) for name in earlier]
        self.holders = dict(holders or {})
        self.settled: list[tuple[str, str, dict[str, object]]] = []
        self.named: list[str] = []
        self.listed: dict[str, float] = {}
        self.extractor: str | None = ""

    async def known(self) -> AsyncIterator[Sequence[tuple[str, str, int]]]:
        for entry in self.earlier:
            yield [entry]

    async def revisit(self, known: Sequence[tuple[str, str, int]], *, extractor: str | None = None) -> None:
        self.extractor = extractor
        await super().discover(known)

    async def discover(
        self, found: Sequence[tuple[str, str, int]], *, listed: Mapping[str, float] | None = None
    ) -> None:
        self.named += [url.removeprefix(BASE) for url, _, _ in found]
        self.listed |= listed or {}
        await super().discover(found)

    async def settle(self, url: str, outcome: str, reason: str, facts: Mapping[str, object]) -> None:
        self.settled.append((url, outcome, dict(facts)))

    async def holder(self, content_hash: str) -> str | None:
        return self.holders.get(content_hash)


def page(known: KnownPage, content: str = "", **facts: Any) -> Visit:
    """The visit of a page with some content, its own by default."""
    return Visit(known, page=CrawledPage(known.url, "text", content_hash=content or known.url), **facts)


def redirect(known: KnownPage, to: str) -> Visit:
    return Visit(known, redirect=to)


def run(use: Callable[[Frontier], Awaitable[Any]], ledger: MemoryLedger | None = None, **scope: Any) -> Any:
    async def main() -> Any:
        frontier = Frontier(ledger or MemoryLedger(), Scope(BASE, **scope))
        await frontier.open(start=BASE)
        return await use(frontier)

    return asyncio.run(main())


async def one(frontier: Frontier) -> KnownPage:
    (known,) = await frontier.take(1)
    return known


def test_addresses_are_taken_in_order_of_discovery_each_once() -> None:
    async def use(frontier: Frontier) -> list[str]:
        start = await one(frontier)
        await frontier.settle(page(start, links=[BASE + "b", BASE + "a", BASE + "b?utm_source=x", start.url]))
        taken = await frontier.take(9)
        await frontier.settle(page(taken[0], links=[BASE + "a", BASE + "c"]))
        return [known.url for known in (start, *taken, *await frontier.take(9))]

    assert run(use) == [BASE, BASE + "b", BASE + "a", BASE + "c"]


@pytest.mark.promise("C5")
def test_an_address_is_sent_as_the_page_wrote_it() -> None:
    async def use(frontier: Frontier) -> KnownPage:
        await frontier.settle(page(await one(frontier), links=[BASE + "%7Ea?b=[1]&utm_source=x"]))
        return await one(frontier)

    known = run(use)
    assert known.address == BASE + "%7Ea?b=[1]&utm_source=x"
    assert known.url == BASE + "~a?b=[1]"


@pytest.mark.promise("C2")
def test_what_is_out_of_scope_is_not_taken_up() -> None:
    async def use(frontier: Frontier) -> Sequence[KnownPage]:
        links = ["https://x.org/blog", "https://y.org/docs/", BASE + "old", BASE + "x" * 9000]
        await frontier.settle(page(await one(frontier), links=links))
        return await frontier.take(9)

    assert run(use, exclude=("old",)) == []


@pytest.mark.promise("E3")
def test_pages_of_earlier_crawls_are_revisited_without_a_link_where_they_are_in_scope() -> None:
    async def use(frontier: Frontier) -> list[tuple[str, int]]:
        return [(known.url, known.depth) for known in await frontier.take(9)]

    ledger = Ledger(["b", "old", "", "a"])
    assert run(use, ledger, exclude=("old",)) == [(BASE, 0), (BASE + "b", 3), (BASE + "a", 3)]


@pytest.mark.promise("E3")
def test_a_page_of_an_earlier_crawl_is_named_once_by_another_page_and_not_by_itself() -> None:
    ledger = Ledger(["a", "b", "c", "d"])

    async def use(frontier: Frontier) -> list[str]:
        start, a, b, c, _ = await frontier.take(5)
        await frontier.settle(page(start, links=[BASE + "a"]))
        await frontier.settle(page(a, links=[BASE + "a", BASE + "a?utm_source=x", BASE + "b#there"]))
        await frontier.settle(page(b, links=[BASE + "a", BASE + "b"]))
        await frontier.settle(page(c, links=[BASE + "c"]))
        return ledger.named

    assert run(use, ledger) == ["", "a", "b"]


@pytest.mark.promise("C9", "E3")
@pytest.mark.parametrize("outcome", [Outcome.UNCHANGED, Outcome.FAILED, Outcome.QUARANTINED])
def test_what_stays_stored_goes_on_naming_what_it_links_to(outcome: Outcome) -> None:
    ledger = Ledger(["a"])

    async def use(frontier: Frontier) -> list[str]:
        start, _ = await frontier.take(2)
        stored = Known(start.url, start.address, stored=True, links=(BASE + "a", BASE + "new"))
        links = stored.links if outcome is Outcome.UNCHANGED else ()
        await frontier.settle(Visit(stored, outcome=outcome, links=links))
        return ledger.named

    assert run(use, ledger) == (["", "a", "new"] if outcome is Outcome.UNCHANGED else ["", "a"])


def test_links_that_are_not_followed_name_what_is_known() -> None:
    ledger = Ledger(["a"])

    async def main() -> list[str]:
        frontier = Frontier(ledger, Scope(BASE), follow=False)
        await frontier.open(start=BASE)
        await frontier.settle(page(await one(frontier), links=[BASE + "a", BASE + "new"]))
        return ledger.named

    assert asyncio.run(main()) == ["", "a"]


@pytest.mark.promise("C9")
def test_the_links_of_a_page_that_did_not_change_are_kept_where_they_did() -> None:
    ledger = Ledger()

    async def use(frontier: Frontier) -> list[object]:
        start = await one(frontier)
        stored = Known(start.url, start.address, stored=True, links=(BASE + "a",))
        for links in ((BASE + "a",), (BASE + "b",)):
            await frontier.settle(Visit(stored, outcome=Outcome.UNCHANGED, links=links))
        return [facts.get("links") for _, _, facts in ledger.settled]

    assert run(use, ledger) == [None, (BASE + "b",)]


@pytest.mark.promise("C3")
def test_when_a_sitemap_says_that_a_page_changed_is_told_to_the_ledger() -> None:
    ledger = Ledger(["a"])

    async def lists() -> AsyncIterator[Source]:
        written = ["2024-05-01T00:00:00Z", "2024-05-01", "soon", ""]
        listed = [Listed(BASE + name, modified) for name, modified in zip("abcd", written, strict=True)]
        yield Source("sitemap", BASE + "sitemap.xml", listed)

    async def main() -> dict[str, float]:
        frontier = Frontier(ledger, Scope(BASE), lists=lists(), due_for="v2")
        await frontier.open(start=BASE)
        await frontier.settle(page(await one(frontier)))
        return ledger.listed

    assert asyncio.run(main()) == {BASE + "a": 1714521600.0, BASE + "b": 1714521600.0 + 86400}
    assert ledger.named == ["", "a", "b", "c", "d"]
    assert ledger.extractor == "v2"


@pytest.mark.promise("C6")
def test_max_depth_leaves_what_is_deeper_waiting() -> None:
    async def use(frontier: Frontier) -> tuple[list[str], int]:
        await frontier.settle(page(await one(frontier), links=[BASE + "1"]))
        known = await one(frontier)
        await frontier.settle(page(known, links=[BASE + "2"]))
        return [known.url for known in await frontier.take(9)], await frontier._ledger.waiting()

    assert run(use, max_depth=1) == ([], 1)
    assert run(use, max_depth=2) == ([BASE + "2"], 0)


@pytest.mark.promise("C6")
def test_a_shorter_way_found_later_brings_a_page_and_those_behind_it_nearer() -> None:
    async def use(frontier: Frontier) -> list[tuple[str, int]]:
        await frontier.settle(page(await one(frontier), links=[BASE + "a", BASE + "moved"]))
        a, moved = await frontier.take(2)
        await frontier.settle(page(a, links=[BASE + "far"]))
        await frontier.settle(redirect(moved, BASE + "new"))
        far, new = await frontier.take(2)
        await frontier.settle(page(far, links=[BASE + "x"]))  # x is 3 away by this way
        await frontier.settle(page(new, links=[BASE + "x"]))  # and 2 by this one
        return [(known.url, known.depth) for known in await frontier.take(9)]

    assert run(use, max_depth=2) == [(BASE + "x", 2)]


# --- what a visit means ---------------------------------------------------------------------------


def test_a_page_counts_and_is_handed_out_and_its_outcome_is_left_to_the_store() -> None:
    ledger = Ledger()

    async def use(frontier: Frontier) -> tuple[Any, int]:
        return await frontier.settle(page(await one(frontier))), frontier.counted

    found, counted = run(use, ledger)
    assert isinstance(found, CrawledPage)
    assert (counted, ledger.settled) == (1, [])


@pytest.mark.promise("C9")
@pytest.mark.parametrize("outcome", list(Outcome))
def test_validators_are_kept_for_unchanged_content_only(outcome: Outcome) -> None:
    ledger = Ledger()

    async def use(frontier: Frontier) -> tuple[Any, int]:
        known = await one(frontier)
        visit = Visit(known, outcome=outcome, reason="r", etag="e", last_modified="l", fetched_at=5.0)
        return await frontier.settle(visit), frontier.counted

    found, counted = run(use, ledger)
    assert found == SkippedPage(BASE, outcome, "r")
    facts = {"etag": "e", "last_modified": "l"} if outcome is Outcome.UNCHANGED else {}
    assert ledger.settled == [(BASE, outcome.value, {**facts, "fetched_at": 5.0})]
    assert counted == (outcome is Outcome.UNCHANGED)


@pytest.mark.promise("C2")
@pytest.mark.parametrize("unchanged", [False, True])
def test_a_start_page_that_does_not_match_is_read_for_its_links_only(unchanged: bool) -> None:
    async def use(frontier: Frontier) -> tuple[Any, Any, int]:
        start = await one(frontier)
        links = [BASE + "guide/a"]
        visit = Visit(start, outcome=Outcome.UNCHANGED, links=links) if unchanged else page(start, links=links)
        return await frontier.settle(visit), await frontier.take(2), frontier.counted

    found, taken, counted = run(use, path_regex="/guide/")
    assert (found.outcome, counted) == (Outcome.SKIPPED, 0)
    assert found.reason.startswith("the start page is read for its links only: path_regex '/guide/'")
    assert [known.url for known in taken] == [BASE + "guide/a"]


@pytest.mark.promise("C5")
def test_the_second_page_with_the_same_content_is_a_duplicate_of_the_first() -> None:
    ledger = Ledger()

    async def use(frontier: Frontier) -> Any:
        await frontier.settle(page(await one(frontier), links=[BASE + "a"], content="same"))
        return await frontier.settle(page(await one(frontier), content="same"))

    found = run(use, ledger)
    assert found == SkippedPage(BASE + "a", Outcome.DUPLICATE, f"the same content as {BASE}")
    assert ledger.settled == [(BASE + "a", "duplicate", {"alias_of": BASE})]


@pytest.mark.promise("C5")
def test_what_the_store_holds_at_another_address_is_a_duplicate_and_at_its_own_is_not() -> None:
    async def use(frontier: Frontier) -> Any:
        return await frontier.settle(page(await one(frontier), content="held"))

    assert run(use, Ledger(holders={"held": BASE + "twin"})).outcome is Outcome.DUPLICATE
    assert isinstance(run(use, Ledger(holders={"held": BASE})), CrawledPage)


@pytest.mark.promise("C11")
@pytest.mark.parametrize("became", ["gone", "moved", "changed"])
def test_content_that_left_its_old_address_in_this_crawl_is_not_lost_as_a_duplicate_of_it(
    became: str,
) -> None:
    async def use(frontier: Frontier) -> Any:
        start, old, new = await frontier.take(3)
        await frontier.settle(page(start))
        stored = Known(old.url, old.address, stored=True, content_hash="held")
        visits = {
            "gone": Visit(stored, outcome=Outcome.SKIPPED, reason="404 Not Found"),
            "moved": redirect(stored, BASE + "new"),
            "changed": page(stored, content="other"),
        }
        await frontier.settle(visits[became])
        return await frontier.settle(page(new, content="held"))

    found = run(use, Ledger(["old", "new"], holders={"held": BASE + "old"}))
    assert isinstance(found, CrawledPage)
    assert found.url == BASE + "new"


@pytest.mark.promise("C5")
def test_a_page_with_a_canonical_address_in_scope_is_a_duplicate_and_that_one_is_visited() -> None:
    async def use(frontier: Frontier) -> tuple[Any, Any]:
        await frontier.settle(page(await one(frontier), links=[BASE + "a?print=1"]))
        found = await frontier.settle(page(await one(frontier), canonical=BASE + "a"))
        return found, await frontier.take(2)

    found, taken = run(use)
    assert found.reason == f"its canonical address is {BASE}a"
    assert [known.url for known in taken] == [BASE + "a"]
    found, taken = run(use, exclude=("a$",))
    assert isinstance(found, CrawledPage)
    assert taken == []


# --- redirects ------------------------------------------------------------------------------------


def follow(steps: Mapping[str, str], **scope: Any) -> list[tuple[str, Outcome, str]]:
    """What becomes of each address of a site that is nothing but redirects, from its start."""

    async def use(frontier: Frontier) -> list[tuple[str, Outcome, str]]:
        ends = []
        while taken := await frontier.take(1):
            name = taken[0].address.removeprefix(BASE)
            visit = redirect(taken[0], steps[name]) if name in steps else page(taken[0])
            found = await frontier.settle(visit)
            if isinstance(found, SkippedPage):
                ends.append((name, found.outcome, found.reason))
        return ends

    found: list[tuple[str, Outcome, str]] = run(use, **scope)
    return found


def test_a_redirect_is_an_alias_of_its_target() -> None:
    ledger = Ledger()

    async def use(frontier: Frontier) -> Any:
        return await frontier.settle(redirect(await one(frontier), BASE + "a"))

    assert run(use, ledger) == SkippedPage(BASE, Outcome.DUPLICATE, f"redirects to {BASE}a")
    assert ledger.settled == [(BASE, "duplicate", {"alias_of": BASE + "a"})]


@pytest.mark.promise("C6")
def test_a_circle_of_redirects_ends_and_is_said() -> None:
    found = follow({"": BASE + "a", "a": BASE + "b", "b": BASE + "a"})
    assert found[2] == ("b", Outcome.SKIPPED, f"redirects in a circle, to {BASE}a")
    assert len(found) == 3
    assert follow({"": BASE}) == [("", Outcome.SKIPPED, f"redirects in a circle, to {BASE}")]


@pytest.mark.promise("C6")
def test_a_chain_of_redirects_ends_after_ten() -> None:
    found = follow({"": BASE + "1", **{str(n): f"{BASE}{n + 1}" for n in range(1, 40)}})
    assert len(found) == 11
    assert found[-1] == ("10", Outcome.SKIPPED, "redirects more than 10 times")
    ten = {"": BASE + "1", **{str(n): f"{BASE}{n + 1}" for n in range(1, 10)}}
    assert all(outcome is Outcome.DUPLICATE for _, outcome, _ in follow(ten))


@pytest.mark.promise("C2")
def test_a_redirect_out_of_scope_is_skipped_with_the_rule() -> None:
    assert follow({"": "https://y.org/docs/"}) == [
        ("", Outcome.SKIPPED, "redirects to https://y.org/docs/: y.org is another host than x.org")
    ]
    ((_, outcome, reason),) = follow({"": "https://x.org/blog"})
    assert (outcome, reason) == (
        Outcome.SKIPPED,
        "redirects to https://x.org/blog: it is outside the start URL's folder /docs/",
    )
