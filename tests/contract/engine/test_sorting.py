"""One order of records in every engine, and pages of them (promise E8)."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from engine.errors import InvalidFilter, InvalidQuery
from engine.models import RecordInput
from engine.protocols import Engine

pytestmark = pytest.mark.promise("E8")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
USERS: Mapping[str, str] = {"connection_id": "crm", "name": "users"}

ROWS: Mapping[str, Mapping[str, object]] = {
    "a": {"n": 10, "mixed": "text", "meta": {"date": "2024-01-02T01:00:00+02:00"}, "list": [3]},
    "b": {"n": 9, "mixed": 5, "meta": {"date": "2024-01-02"}, "list": [1]},
    "c": {"n": 9.5, "mixed": True, "meta": {"date": "2024-01-02T00:00:00.5Z"}, "list": [2, 9]},
    "d": {"n": -1e300, "mixed": None, "meta": {"date": "2024-01-01T22:59:59-00:30"}, "list": []},
    "e": {"n": 2**53 + 1, "mixed": [1], "meta": {"date": "soon"}},
    "f": {"n": float(2**53), "mixed": False, "meta": {"date": "Later"}},
    "g": {"n": None, "mixed": "2024-01-02", "meta": "no object"},
    "h": {"mixed": {"x": 1}, "same": 1},
    "i": {"mixed": "Text", "same": 1},
    "j": {"mixed": "é", "same": 1},
    "k": {"mixed": "\U0001f600", "same": 2},
    "l": {"mixed": "\uffee", "same": 1, "markdown": "b"},
    "m": {"mixed": 1e-7, "markdown": "a"},
}
EVERY = "".join(ROWS)

ORDERS: Sequence[tuple[Sequence[str], str]] = [
    ([], EVERY),
    # Numbers by value; null and what is missing come last both ways, by external id.
    (["n"], "dbcafe" + "ghijklm"),
    (["-n"], "efacbd" + "ghijklm"),
    # One type after the other: booleans, numbers, dates, text by code point; what has no order last.
    (["mixed"], "fc" + "mb" + "g" + "iajlk" + "deh"),
    (["-mixed"], "kljai" + "g" + "bm" + "cf" + "deh"),
    # Dates by time, whatever their offset; other text after them.
    (["meta.date"], "adbc" + "fe" + "ghijklm"),
    (["-meta.date"], "ef" + "cbda" + "ghijklm"),
    # Into lists; ties by the next field, and by external id at last, also from the largest down.
    (["list.0"], "bca" + "defghijklm"),
    (["-list.-1"], "cab" + "defghijklm"),
    (["-same"], "k" + "hijl" + "abcdefgm"),
    (["same", "-mixed"], "ljih" + "k" + "a" + "g" + "bm" + "cf" + "de"),
    (["-same", "mixed"], "k" + "ijlh" + "fc" + "mb" + "g" + "a" + "de"),
    (["markdown"], "ml" + "abcdefghijk"),
    (["nowhere.at.all"], EVERY),
]


async def stored(engine: Engine) -> None:
    records: list[RecordInput] = [{"external_id": name, "data": data} for name, data in ROWS.items()]
    await engine.sync_records(**USERS, records=records[::-1])


def test_records_are_sorted_by_type_and_value_in_every_engine(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await stored(engine)
        wrong = []
        for sort, expected in ORDERS:
            found = "".join(str(each["external_id"]) for each in await engine.get_records(**USERS, sort=sort))
            if found != expected:
                wrong.append(f"{sort}: {found}, not {expected}")
        assert wrong == []

    on(scenario)


def test_a_filter_a_sort_a_limit_and_an_offset_go_together(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await stored(engine)

        async def ids(**asked: Any) -> str:
            return "".join(str(each["external_id"]) for each in await engine.get_records(**USERS, **asked))

        assert await ids(filter={"n": {"gt": 9}}, sort=["-n"]) == "efac"
        assert await ids(filter={"n": {"gt": 9}}, sort=["-n"], limit=2) == "ef"
        assert await ids(filter={"n": {"gt": 9}}, sort=["-n"], limit=2, offset=1) == "fa"
        assert await ids(sort=["n"], limit=3, offset=3) == "afe"
        assert await ids(limit=0) == ""
        assert await ids(offset=11) == "lm"
        assert await ids(offset=13) == ""
        assert await ids(limit=2**70, offset=12) == "m"
        assert await ids(limit=1, offset=2**70) == ""
        pages = [await ids(sort=["mixed"], limit=4, offset=start) for start in range(0, 16, 4)]
        assert "".join(pages) == await ids(sort=["mixed"])

    on(scenario)


@pytest.mark.promise("E4")
@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": "price"},
        {"sort": ["a b"]},
        {"sort": ["n; DROP TABLE x"]},
        {"sort": ["a..b"]},
        {"sort": [""]},
        {"sort": ["-"]},
        {"sort": [3]},
        {"sort": {"n": 1}},
        {"limit": -1},
        {"limit": 1.5},
        {"limit": True},
        {"offset": -1},
        {"offset": None},
        {"offset": "1"},
    ],
)
def test_a_malformed_sort_limit_or_offset_is_refused(on: With, wrong: Any) -> None:
    async def scenario(engine: Engine) -> None:
        (name,) = wrong
        with pytest.raises((InvalidQuery, InvalidFilter), match=name):
            await engine.get_records(**USERS, **wrong)

    on(scenario)
