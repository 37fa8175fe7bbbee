"""What a store cannot hold as it is, and what is too large for it: by rule, and alike in every engine (promise E8)."""

import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from engine.clean import clean_json, clean_text
from engine.errors import EngineError
from engine.models import PageInput
from engine.protocols import Engine

pytestmark = pytest.mark.promise("E8")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]
SITE: Mapping[str, str] = {"connection_id": "SYSTEM", "name": "CRAWL_https://x.org/"}


DEEP: Any = "leaf"
for _ in range(90):
    DEEP = {"in": [DEEP]} if len(str(DEEP)) % 2 else [DEEP]

NASTY: Mapping[str, dict[str, Any]] = {
    "nul": {"text": "a\0b", "data": {"k\0": "\0", "markdown": "\0"}, "anchor": "\0", "headings": ["\0"]},
    "surrogates": {"text": "\ud800\udfff", "data": {"\udc00": ["\ud800"]}, "embed_text": "x\ud83d"},
    "controls": {"text": "".join(map(chr, range(1, 0x20))) + "\x7f\ufeff\ufffe\uffff\U0010ffff", "data": {}},
    "megabyte": {"text": "word " * 200_000, "data": {"markdown": "x" * 1_000_000}},
    "one word": {"text": "x" * 1_000_000, "data": {}},
    "many words": {"text": " ".join(f"word{number}x" for number in range(20_000)), "data": {}},
    "no words": {"text": "… ‽ ☃", "data": {}},
    "blank": {"text": " \n\t", "data": {}},
    "empty": {
        "text": "",
        "data": {"": "", "a": {}, "b": []},
        "embed_text": "",
        "anchor": "",
        "headings": [""],
    },
    "numbers": {
        "data": {
            "not a number": [float("nan"), float("inf"), -float("inf")],
            "floats": [0.1, -0.0, 1e15, 1e16, 1e23, 1.7976931348623157e308, 5e-324, 123456789.123456789],
            "integers": [2**63, -(2**64), 10**1000, 0, True, False],
        }
    },
    "deep": {"data": {"deep": DEEP}},
    "quoting": {"text": "it's \\ \"q\" 'a' & | ! :* $$ %s %(x)s {} --", "data": {"'": "\\", "%s": "{}"}},
    "scripts": {"text": "日本語 ไทย עברית हिन्दी e\u0301 İstanbul ﬁ", "data": {"ключ": "значение"}},
    "u" * 100_000: {"text": "a long key", "data": {"url": "https://x.org/?" + "q=é&" * 30_000}},
    "places": {"text": "t", "data": {}, "span": (7, 7), "position": 2**31 - 1, "weight": 0},
}


@pytest.mark.promise("E4")
def test_any_record_comes_back_as_it_was_given_but_for_the_cleaning(on: With) -> None:
    given: list[Any] = [{"external_id": key, **fields} for key, fields in NASTY.items()]

    async def scenario(engine: Engine) -> None:
        first = await engine.sync_records(**SITE, records=given)
        assert first.added == len(given)
        found = {each["external_id"]: each["data"] for each in await engine.get_records(**SITE)}
        assert found == {key: clean_json(fields["data"]) for key, fields in NASTY.items()}
        # Nothing looks changed that is not: what was written is what is compared.
        again = await engine.sync_records(**SITE, records=given)
        assert (again.unchanged, again.computed) == (len(given), 0)
        hits = {hit.external_id: hit for hit in await engine.search("word5x a x", k=50)}
        for key in set(NASTY) & set(hits):
            text = NASTY[key].get("text", NASTY[key]["data"].get("markdown"))
            assert hits[key].markdown == clean_text(text)
        assert {"nul", "many words"} <= set(hits)

    on(scenario)


@pytest.mark.promise("E4")
def test_any_page_comes_back_as_it_was_given_but_for_the_cleaning(on: With) -> None:
    url = "https://x.org/" + "\0\ud800é" + "u" * 100_000
    records: list[Any] = [{"external_id": f"{key}#", **fields} for key, fields in NASTY.items()]
    given = PageInput(
        url=url,
        records=records,
        markdown="m\0\ud800" * 100_000,
        anchors=[(0, "a\0", 1, "t\ud800"), (5, "", None, "")],
        metadata={"title": "T\0", "deep": DEEP, "nan": float("nan"), "big": 10**1000},
        links=["\0", "https://x.org/" + "l" * 100_000],
        aliases=["\udfff"],
        depth=2**40,
        etag='"\0"',
        last_modified="\ud800",
        content_hash="h\0",
        extractor="e\0",
        chunk_settings="c\0",
        fetched_at=1.7e9,
    )

    async def scenario(engine: Engine) -> None:
        assert (await engine.swap_pages(**SITE, pages=[given])).added == len(records)
        found = await engine.get_page(url + "#\0")
        assert found is not None
        assert (found["url"], found["markdown"]) == (clean_text(url), clean_text(given.markdown))
        assert (found["metadata"], found["aliases"]) == (clean_json(given.metadata), ["\ufffd"])
        assert found["anchors"] == [[0, "a\ufffd", 1, "t\ufffd"], [5, "", None, ""]]
        again = await engine.swap_pages(**SITE, pages=[given])
        assert (again.unchanged, again.computed) == (len(records), 0)
        (stored,) = await engine.stored_pages(**SITE)
        assert (stored["etag"], stored["last_modified"]) == ('"\ufffd"', "\ufffd")
        assert stored["links"] == ["\ufffd", given.links[1]]

    on(scenario)


# --- keys ---------------------------------------------------------------------------------------------------


def noise(length: int, seed: int = 0) -> str:
    """Text that cannot be compressed."""
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz0123456789é文\U0001f600", k=length))


def test_names_of_any_length_that_is_allowed_are_told_apart_to_the_last_sign(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        long = noise(7_999)
        for number, name in enumerate((f"{long}a", f"{long}b", "n" * 63 + "a", "n" * 63 + "b")):
            where = {"connection_id": name[::-1], "name": name}
            await engine.sync_records(**where, records=[{"external_id": "a", "data": {"n": number}}])
            assert await engine.get_records(**where) == [{"external_id": "a", "data": {"n": number}}]
            assert (await engine.get_entity(**where))["name"] == name
            ledger = await engine.open_ledger(
                **where, start_url=f"https://x.org/{long}", run_id=f"r{number}", options={}
            )
            await ledger.end(finished=True)
        assert len(await engine.sites()) == 4
        where = {"connection_id": f"{long}a"[::-1], "name": f"{long}a"}
        assert await engine.delete_entity(**where)
        assert len(await engine.sites()) == 3

    on(scenario)


def test_the_parts_of_a_name_do_not_run_into_each_other(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        for connection_id, name in (("a", "bc"), ("ab", "c")):
            await engine.create_entity(connection_id=connection_id, name=name)
        assert len(await engine.sites()) == 2

    on(scenario)


def test_keys_of_a_page_of_any_length_are_found_again(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        urls = [f"https://x.org/{noise(100_000)}{end}" for end in "ab"]
        pages = [
            PageInput(url=url, records=[], content_hash=noise(9_000, seed), fetched_at=1.7e9)
            for seed, url in enumerate(urls)
        ]
        await engine.swap_pages(**SITE, pages=pages)
        ledger = await engine.open_ledger(
            **SITE, start_url="https://x.org/", run_id="r", options={"path": noise(9_000)}
        )
        await ledger.discover([(url, url, 1) for url in urls])
        for seed, url in enumerate(urls):
            assert await ledger.holder(noise(9_000, seed)) == url
        assert [page.url for page in await ledger.take(5)] == urls
        await ledger.settle(urls[0], "unchanged", noise(9_000), {"etag": noise(9_000)})
        await ledger.end(finished=True)
        assert (await engine.get_page(urls[1]) or {})["url"] == urls[1]

    on(scenario)


def test_a_cursor_and_the_texts_of_a_run_may_be_long_and_its_id_may_not(on: With) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**SITE, records=[], last_sync_id=noise(100_000))
        assert (await engine.get_entity(**SITE))["last_sync_id"] == noise(100_000)
        await engine.start_run("parent", sync=noise(9_000), input={"a": noise(9_000)})
        await engine.start_run("r" * 1_000, sync="s", input={}, parent="parent")
        await engine.end_run("r" * 1_000, state="failed", error=noise(9_000))
        assert [row["id"] for row in await engine.get_runs(parent="parent")] == ["r" * 1_000]
        for wrong in ("", "r" * 1_001, "é" * 501):
            with pytest.raises(EngineError, match="id of a run"):
                await engine.start_run(wrong, sync="s", input={})
            with pytest.raises(EngineError, match="id of a run"):
                await engine.start_run("x", sync="s", input={}, parent=wrong)
        assert len(await engine.get_runs()) == 2

    on(scenario)


@pytest.mark.parametrize("asked", ["\0", "a\0b \ud800", noise(100_000), "word " * 50_000, "'\"\\:*&|!()%s"])
def test_any_question_is_answered_or_refused_in_words(on: With, asked: str) -> None:
    async def scenario(engine: Engine) -> None:
        await engine.sync_records(**SITE, records=[{"external_id": "a", "data": {}, "text": "a word"}])
        for mode in ("hybrid", "text", "vector"):
            found = await engine.search(asked, mode=mode, filter={"n": {"ne": 10**1000}})
            assert len(found) <= 1
        assert await engine.get_page(asked) is None

    on(scenario)
