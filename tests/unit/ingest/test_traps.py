"""Addresses without end are told from large sites by where they were found."""

import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import pytest

from ingest.traps import LONGEST_CHAIN, MOST_COUNTED, MOST_NUMBERED, MOST_SELF_FOUND, MOST_VARIANTS, Budget

pytestmark = pytest.mark.promise("C6")
BASE = "https://x.org/docs/"


def crawl(start: str, links: Callable[[str], Iterable[str]], most: int = 20_000) -> tuple[list[str], Budget]:
    """The addresses that a crawl in the order of discovery takes up, at most `most`."""
    budget = Budget()
    seen, queue, taken = {start}, deque([start]), []
    while queue and len(taken) < most:
        page = queue.popleft()
        taken.append(page)
        for link in links(page):
            if link not in seen:
                seen.add(link)
                if budget.admit(link, found_on=page) is None:
                    queue.append(link)
    return taken, budget


def counting(page: str) -> list[str]:
    return [f"{BASE}page/{int(page.rpartition('/')[2] or 0) + 1}"]


def calendar(page: str) -> list[str]:
    found = re.search(r"(\d{4})/(\d\d)$", page)
    year, month = (int(found[1]), int(found[2])) if found else (2024, 1)
    after = year * 12 + month
    return [f"{BASE}cal/{n // 12}/{n % 12 + 1:02}" for n in (after, after - 2)]


def days(page: str) -> list[str]:
    found = re.search(r"=(\d{4})-(\d\d)", page)
    year, number = (int(found[1]), int(found[2])) if found else (2024, 1)
    return [f"{BASE}events?date={year + n}-{(number + n) % 12 + 1:02}&view={v}" for n in (1, 2) for v in "abcdefgh"]


def tokens(page: str) -> list[str]:
    source = random.Random(page)
    return [f"{BASE}{source.getrandbits(128):032x}/" for _ in range(5)]


def facets(page: str) -> list[str]:
    path, _, query = page.partition("?")
    chosen = query.split("&") if query else []
    more = [f"{name}={value}" for name in ("size", "color", "brand") for value in "abcdefg"]
    return [f"{path}?{'&'.join([*chosen, one])}" for one in more if one not in chosen]


def folders(*names: str) -> Callable[[str], list[str]]:
    return lambda page: [f"{page}{name}/" for name in names]


@pytest.mark.parametrize(
    ("links", "kind", "most"),
    [
        (counting, "numbered pages", 200),
        (calendar, "a calendar", 200),
        (days, "a calendar", 200),
        (tokens, "random addresses", 200),
        (facets, "combinations of query parameters", 200),
        (folders("more"), "paths that grow", 200),
        (folders("en", "docs"), "paths that grow", 200),
        (folders("a", "b", "c"), "paths that repeat themselves", 4 * MOST_SELF_FOUND + 100),  # four sets of parts
        (folders("1"), "paths that grow", 200),
        (folders("1", "2"), "numbered pages", MOST_NUMBERED + 3),
    ],
)
def test_a_trap_ends_and_is_named(links: Callable[[str], Iterable[str]], kind: str, most: int) -> None:
    taken, budget = crawl(BASE, links)
    assert len(taken) <= most
    assert kind in " ".join(trap.reason for trap in budget.traps)
    assert all(trap.reason.startswith("trap: ") and trap.left_out >= 1 for trap in budget.traps)


def test_a_page_with_session_ids_in_its_links_is_taken_once() -> None:
    budget = Budget()
    ids = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"]
    for style in ("{0}?PHPSESSID={1}", "{0}?a=1&sid={1}", "{0};jsessionid={1}", "{0}?page=2&session_id={1}"):
        for page in ("s.php", "t.php"):
            first, second = (BASE + style.format(f"{len(style)}/{page}", one) for one in ids)
            assert budget.admit(first) is None
            assert budget.admit(first) is None
            assert "session ids" in str(budget.admit(second))
    assert [trap.left_out for trap in budget.traps] == [8]


@pytest.mark.parametrize(
    "query", ["sid=12", "sid=overview", "session=2024-spring", "sessionid=authentication-guide", "s=1"]
)
def test_a_parameter_that_only_sounds_like_a_session_is_none(query: str) -> None:
    budget = Budget()
    assert budget.admit(f"{BASE}a?{query}") is None
    assert budget.admit(f"{BASE}a?{query}x") is None


def test_one_path_has_a_limit_of_query_strings() -> None:
    budget = Budget()
    words = (
        f"{BASE}w?q={'abcdefghij'[n % 10]}{'abcdefghij'[n // 10 % 10]}{'x' * (n // 100)}"
        for n in range(MOST_VARIANTS + 5)
    )
    refused = [reason for word in words if (reason := budget.admit(word)) is not None]
    assert len(refused) == 5
    assert "10,000 query strings at /docs/w" in refused[0]


# --- what is no trap ------------------------------------------------------------------------------


def linked(pages: Mapping[str, Sequence[str]]) -> Callable[[str], Iterable[str]]:
    return lambda page: [BASE + name for name in pages.get(page.removeprefix(BASE), ())]


def web(names: Sequence[str], index: Sequence[str]) -> dict[str, Sequence[str]]:
    """A site of these pages, each linking to ten others, and an index page that links to some."""
    chance = random.Random(7)
    return {"": index, **{name: chance.sample(names, 10) for name in names}}


@pytest.mark.parametrize(
    "names",
    [
        [f"a{n:05}.html" for n in range(4_000)],  # generated references: a web of numbers
        [f"api/Class{n}.html" for n in range(4_000)],
        [f"rfc/rfc{n}.html" for n in range(4_000)],
        [f"api/{word}/{other}.html" for word in ("core", "net", "io") for other in (f"T{'x' * n}" for n in range(99))],
        [f"viewpage?pageId={n}" for n in range(100_000, 104_000)],
        [f"wiki?title=Topic_{chr(97 + n % 26)}{'z' * (n // 26)}" for n in range(2_000)],
    ],
    ids=lambda names: names[1],
)
def test_a_large_site_is_taken_whole_however_its_pages_are_found(names: list[str]) -> None:
    taken, budget = crawl(BASE, linked(web(names, names[:3])))
    assert budget.traps == []
    assert len(taken) > 0.99 * len(names)


@pytest.mark.parametrize(
    "names",
    [
        [f"release-notes/2{n // 400:03}-{n // 30 % 12 + 1:02}-{n % 28 + 1:02}" for n in range(0, 4_000, 7)],
        [f"node{n}.html" for n in range(900)],
        [f"blob/{n * 2654435761 % 2**40:040x}" for n in range(1, 700)],
        [f"search?version={n}&page={m}" for n in range(30) for m in range(20)],
    ],
    ids=lambda names: names[1],
)
def test_what_an_index_lists_is_taken_though_each_page_leads_to_the_next(names: list[str]) -> None:
    names = list(dict.fromkeys(names))
    chain = {name: [after, names[0]] for name, after in zip(names, [*names[1:], names[0]], strict=True)}
    taken, budget = crawl(BASE, linked({"": names, **chain}))
    assert (len(taken), budget.traps) == (len(names) + 1, [])


def test_a_site_that_numbers_its_pages_one_by_one_is_taken_whole_though_they_are_found_on_one_another() -> None:
    def tree(page: str) -> list[str]:
        number = int(page.rpartition("/p")[2] if "/p" in page else 0)
        return [f"{BASE}p{child}" for child in range(10 * number + 1, 10 * number + 11) if child < 20_000]

    taken, budget = crawl(BASE, tree, most=30_000)
    assert (len(taken), budget.traps) == (20_000, [])


def test_numbers_without_an_order_end_sooner_than_a_count() -> None:
    def anywhere(page: str) -> list[str]:
        source = random.Random(page)
        return [f"{BASE}item/{source.randrange(10**9)}" for _ in range(3)]

    taken, budget = crawl(BASE, anywhere)
    assert len(taken) <= MOST_NUMBERED + 10
    assert "numbered pages without end at /docs/item/{n}" in budget.traps[0].reason


def test_the_budgets_are_finite_and_in_order() -> None:
    assert LONGEST_CHAIN < MOST_SELF_FOUND < MOST_NUMBERED < MOST_VARIANTS < MOST_COUNTED


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("python3.11-doc", "sqlite3-doc")]
)
def test_no_address_of_real_documentation_is_left_out(package: str, system_part: Callable[[str], Path]) -> None:
    folder = system_part(package)
    files = {f"{BASE}{file.relative_to(folder).as_posix()}": file for file in folder.rglob("*.html")}

    def links(page: str) -> list[str]:
        if page not in files:
            return []
        text = files[page].read_text("utf-8", "replace")
        found = (urldefrag(urljoin(page, href))[0] for href in re.findall(r"href=[\"']?([^\"' >]+)", text))
        return [link for link in found if link.startswith(BASE)]

    taken, budget = crawl(f"{BASE}index.html", links)
    assert budget.traps == []
    assert len(taken) > 400
