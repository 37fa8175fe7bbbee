"""One meaning of the filter language in every engine (promises E4 and E8)."""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from engine.errors import InvalidFilter
from engine.models import RecordInput
from engine.protocols import Engine

pytestmark = pytest.mark.promise("E4", "E8")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
USERS: Mapping[str, str] = {"connection_id": "crm", "name": "users"}

ROWS: Mapping[str, Mapping[str, object]] = {
    "numbers": {"n": 10, "price": 9.5, "meta": {"level": 2}},
    "float": {"n": 10.0, "price": 100, "meta": {"level": 10}},
    "text": {"n": "10", "lang": "en", "day": "2024-05-01", "tags": ["a", "b", 1]},
    "text2": {"n": "9", "lang": "EN", "day": "2024-11-30", "tags": "a list of b"},
    "boolean": {"n": True, "lang": None, "tags": [True, None, [7]]},
    "nothing": {},
    "odd": {"n": [10], "meta": [{"level": 2}, "x"], "lang": "é' OR 1=1 --", "big": 2**53 + 1},
    "early": {"at": "2024-01-02T01:30:00+02:00"},
    "midnight": {"at": "2024-01-02", "tags": ["2024-01-02"]},
    "midnight2": {"at": "2024-01-02 00:00:00.000Z"},
    "late": {"at": "2024-01-02T23:59:59.5-0030"},
    "never": {"at": "2024-02-30"},
    "exact": {"n": 0.1, "big": float(2**53), "price": -1e-7, "tags": []},
}
EVERY = sorted(ROWS)


def all_but(*names: str) -> list[str]:
    return [name for name in EVERY if name not in names]


FILTERS: Sequence[tuple[Mapping[str, object], Sequence[str]]] = [
    ({}, EVERY),
    # eq, ne: the same type and the same value; ne is the opposite, so a missing field is "not equal"
    ({"n": 10}, ["float", "numbers"]),
    ({"n": "10"}, ["text"]),
    ({"n": True}, ["boolean"]),
    ({"n": 1}, []),
    ({"n": {"eq": 0.1}}, ["exact"]),
    ({"lang": None}, ["boolean"]),
    ({"lang": "en"}, ["text"]),
    ({"lang": "é' OR 1=1 --"}, ["odd"]),
    ({"big": 2**53 + 1}, ["odd"]),
    ({"big": 2**53}, ["exact"]),
    ({"n": {"ne": 10}}, all_but("float", "numbers")),
    # a number that is longer than any place in a list
    ({"tags." + "9" * 5_000: "a"}, []),
    ({"lang": {"ne": None}}, all_but("boolean")),
    # gt, gte, lt, lte: within one type
    ({"n": {"gt": 9}}, ["float", "numbers"]),
    ({"n": {"gt": 10}}, []),
    ({"n": {"gte": 10}}, ["float", "numbers"]),
    ({"n": {"lt": 10}}, ["exact"]),
    ({"n": {"lte": 10}}, ["exact", "float", "numbers"]),
    ({"price": {"gt": 9.5}}, ["float"]),
    ({"price": {"lt": 0}}, ["exact"]),
    ({"price": {"gte": 9, "lt": 100}}, ["numbers"]),
    ({"n": {"gt": "10"}}, ["text2"]),
    ({"n": {"lt": "9"}}, ["text"]),
    ({"lang": {"lt": "a"}}, ["text2"]),
    ({"lang": {"gte": "en"}}, ["odd", "text"]),
    ({"day": {"gte": "2024-05-01", "lt": "2024-06-01"}}, ["text"]),
    ({"n": {"gt": False}}, ["boolean"]),
    ({"n": {"lt": True}}, []),
    # dates and times: two of them by time, whatever their offset and form, but equal only where the text is
    ({"at": {"lt": "2024-01-02"}}, ["early"]),
    ({"at": {"lte": "2024-01-02"}}, ["early", "midnight", "midnight2"]),
    ({"at": {"gte": "2024-01-02T00:00:00Z"}}, ["late", "midnight", "midnight2", "never"]),
    ({"at": {"gt": "2024-01-02T00:00:00Z", "lt": "2024-01-03T00:29:59.500001Z"}}, ["late"]),
    ({"at": {"gt": "2024-01-03T00:29:59.4+00:00"}}, ["late", "never"]),
    ({"at": {"lt": "2024-01-01T19:00-05"}}, ["early"]),
    ({"at": "2024-01-02"}, ["midnight"]),
    ({"at": {"in": ["2024-01-02T00:00:00Z"]}}, []),
    ({"tags": {"contains": "2024-01-02"}}, ["midnight"]),
    # ... and with any other text by code point, as a month or a day that there is not
    ({"at": {"gte": "2024-02"}}, ["never"]),
    ({"at": {"lt": "2024-01-02T"}}, ["midnight", "midnight2"]),
    ({"at": {"lt": "2024-02-30"}}, ["early", "late", "midnight", "midnight2"]),
    ({"lang": {"gt": "2024-01-02"}}, ["odd", "text", "text2"]),
    ({"n": {"lt": "2024-01-02"}}, ["text"]),
    # in, not_in
    ({"n": {"in": [10, "9", None]}}, ["float", "numbers", "text2"]),
    ({"lang": {"in": [None, "en"]}}, ["boolean", "text"]),
    ({"n": {"in": []}}, []),
    ({"n": {"not_in": []}}, EVERY),
    ({"n": {"not_in": [10, True]}}, all_but("boolean", "float", "numbers")),
    # contains: an item of a list, or a part of a text
    ({"tags": {"contains": "a"}}, ["text", "text2"]),
    ({"tags": {"contains": "b"}}, ["text", "text2"]),
    ({"tags": {"contains": "ab"}}, []),
    ({"tags": {"contains": 1}}, ["text"]),
    ({"tags": {"contains": True}}, ["boolean"]),
    ({"tags": {"contains": None}}, ["boolean"]),
    ({"tags": {"contains": 7}}, []),
    ({"tags": {"contains": ""}}, ["text2"]),
    ({"lang": {"contains": "'"}}, ["odd"]),
    ({"meta": {"contains": "x"}}, ["odd"]),
    ({"meta": {"contains": "level"}}, []),
    # exists: null is there
    ({"lang": {"exists": True}}, ["boolean", "odd", "text", "text2"]),
    ({"lang": {"exists": False}}, all_but("boolean", "odd", "text", "text2")),
    # paths: into objects, and by number into lists
    ({"meta.level": 2}, ["numbers"]),
    ({"meta.level": {"gt": 2}}, ["float"]),
    ({"meta.0.level": 2}, ["odd"]),
    ({"meta.-1": "x"}, ["odd"]),
    ({"meta.2": {"exists": True}}, []),
    ({"tags.2": 1}, ["text"]),
    ({"tags.2.0": 7}, ["boolean"]),
    ({"n.0": 10}, ["odd"]),
    ({"lang.0": "e"}, []),
    ({"nothing.at.all": {"exists": False}}, EVERY),
    # and, or, not
    ({"n": 10, "price": {"lt": 50}}, ["numbers"]),
    ({"and": [{"n": 10}, {"price": {"lt": 50}}]}, ["numbers"]),
    ({"or": [{"n": "10"}, {"meta.level": 10}]}, ["float", "text"]),
    ({"or": [{"n": 10, "price": 100}, {"lang": "EN"}]}, ["float", "text2"]),
    ({"not": {"n": 10}}, all_but("float", "numbers")),
    ({"not": {"n": {"gt": 9}}}, all_but("float", "numbers")),
    ({"not": {"or": [{"lang": {"exists": True}}, {"n": {"exists": True}}, {"at": {"exists": True}}]}}, ["nothing"]),
    ({"not": {}}, []),
]


def test_every_filter_means_the_same_in_every_engine(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        records: list[RecordInput] = [{"external_id": name, "data": data} for name, data in ROWS.items()]
        await engine.sync_records(**USERS, records=records)
        wrong = []
        for filter, expected in FILTERS:
            found = [each["external_id"] for each in await engine.get_records(**USERS, filter=filter)]
            if found != list(expected):
                wrong.append(f"{json.dumps(filter)}: {found}, not {expected}")
        assert wrong == []

    on(scenario)


@pytest.mark.parametrize("wrong", [{"n": {"above": 1}}, {"n'": 1}, {"and": []}, {"n": [1]}])
def test_a_malformed_filter_is_refused_even_where_there_is_nothing_to_filter(on: With, wrong: Any) -> None:
    async def scenario(engine: Engine) -> None:
        with pytest.raises(InvalidFilter):
            await engine.get_records(**USERS, filter=wrong)
        with pytest.raises(InvalidFilter):
            await engine.search("word", filter=wrong)

    on(scenario)
