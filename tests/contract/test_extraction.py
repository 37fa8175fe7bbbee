"""`extract` over every engine, with the real client against a chat completions server on loopback."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from chunking import MDocument
from engine import MockEngine, RecordInput
from engine.protocols import Engine
from syncs import LLM, ExtractionFailed, Runtime, SyncContext, SyncError, create_sync, extract

pytestmark = pytest.mark.promise("E8")

With = Callable[[Callable[[Engine], Coroutine[Any, Any, None]]], None]


@dataclass
class Teller:
    """A chat model that tells of each text by its last word; `refuses` are words of texts that it fails on."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()

    @property
    def texts(self) -> list[str]:
        return [request["messages"][-1]["content"] for request in self.asked]

    def llm(self, model: str = "teller") -> LLM:
        return LLM(model, base_url=self.url, api_key="sk-loopback-0123456789", retries=0)

    def answer(self, request: dict[str, Any], _: object) -> tuple[int, dict[str, str], Any]:
        self.asked.append(request)
        text = request["messages"][-1]["content"]
        if self.refuses & set(text.split()):
            return 400, {}, {"error": {"message": "too long", "type": "invalid_request_error"}}
        word = text.split()[-1]
        all_told = {"title": word, "summary": f"Of {word}.", "keywords": [word], "questions": [f"What is {word}?"]}
        wanted = request["response_format"]["json_schema"]["schema"]["required"]
        content = json.dumps({name: all_told[name] for name in wanted})
        return 200, {}, {"choices": [{"finish_reason": "stop", "message": {"content": content}}]}


@pytest.fixture
def teller(site_server: Any) -> Teller:
    teller = Teller(f"{site_server.url}/v1")
    site_server.serve_json("/v1/chat/completions", teller.answer)
    return teller


def record(external_id: str, text: str, **more: Any) -> RecordInput:
    return {"external_id": external_id, "data": {"markdown": text, **more}}


def told(word: str) -> dict[str, object]:
    return {"title": word, "summary": f"Of {word}.", "keywords": [word], "questions": [f"What is {word}?"]}


def test_what_is_told_of_a_text_becomes_metadata_of_its_record(on: With, teller: Teller) -> None:
    async def scenario(engine: Engine) -> None:
        async with teller.llm() as llm:
            runtime = Runtime(engine=engine, llm=llm)
            page = record("p", "All about tea", title="Manual")
            chunk: RecordInput = {**record("c", "Brew tea", title="Manual"), "headings": ("Manual", "Steps")}
            records = await extract(runtime, [page, chunk, {"external_id": "t", "data": {}, "text": "Only text"}])
        assert [one["data"].get("extracted") for one in records] == [told("tea"), told("tea"), told("text")]
        assert records[1] == {**chunk, "data": {**chunk["data"], "extracted": told("tea")}}
        assert "extracted" not in chunk["data"]
        await engine.sync_records(connection_id="shop", name="teas", records=records)
        found = await engine.get_records(
            connection_id="shop", name="teas", filter={"extracted.keywords": {"contains": "text"}}
        )
        assert [one["external_id"] for one in found] == ["t"]

    on(scenario)
    assert sorted(teller.texts) == ["Manual\n\nAll about tea", "Manual > Steps\n\nBrew tea", "Only text"]
    assert teller.asked[0]["messages"][0]["role"] == "system"


def test_the_same_question_is_never_asked_twice(on: With, teller: Teller) -> None:
    async def scenario(engine: Engine) -> None:
        async with teller.llm() as llm, teller.llm("other") as other:
            runtime = Runtime(engine=engine, llm=llm)
            first = await extract(runtime, [record("a", "one tea"), record("b", "one tea")])
            assert [one["data"]["extracted"] for one in first] == [told("tea")] * 2
            assert len(teller.asked) == 1
            again = await extract(runtime, [record("elsewhere", "one tea"), record("new", "two cups")])
            assert [one["data"]["extracted"] for one in again] == [told("tea"), told("cups")]
            assert teller.texts[1:] == ["two cups"]
            # Another question, another model, another version.
            (short,) = await extract(runtime, [record("a", "one tea")], fields=["summary", "title"])
            assert short["data"]["extracted"] == {"title": "tea", "summary": "Of tea."}
            await extract(runtime, [record("a", "one tea")], fields=["title", "summary"])
            await extract(runtime, [record("a", "one tea")], instructions="Be brief.")
            await extract(runtime, [record("a", "one tea")], version="2")
            await extract(runtime, [record("a", "one tea", title="Tea")])
            await extract(Runtime(engine=engine, llm=other), [record("a", "one tea")])
            assert len(teller.asked) == 7
            for _ in range(2):
                await extract(runtime, [record("a", "one tea")], instructions="Be brief.")
            assert len(teller.asked) == 7

    on(scenario)


def test_what_is_kept_is_found_by_no_search(on: With, teller: Teller) -> None:
    async def scenario(engine: Engine) -> None:
        async with teller.llm() as llm:
            await extract(Runtime(engine=engine, llm=llm), [record("a", "one tea")])
        assert await engine.search("tea") == []
        assert len(await engine.get_records(connection_id="EXTRACTS", name="teller")) == 1

    on(scenario)


def test_an_error_names_the_record_and_what_was_answered_is_kept(on: With, teller: Teller) -> None:
    async def scenario(engine: Engine) -> None:
        async with teller.llm() as llm:
            runtime = Runtime(engine=engine, llm=llm)
            records = [record(f"x_chunk_{n}", f"text number {n}") for n in range(6)]
            teller.refuses = frozenset({"3"})
            with pytest.raises(ExtractionFailed, match=r"^x_chunk_3: teller at .* too long") as failed:
                await extract(runtime, records, concurrency=1)
            assert failed.value.external_id == "x_chunk_3"
            assert teller.texts == [f"text number {n}" for n in range(4)]  # none after it
            teller.refuses = frozenset()
            await extract(runtime, records, concurrency=1)
            assert teller.texts[4:] == [f"text number {n}" for n in range(3, 6)]

    on(scenario)


class Card(BaseModel):
    words: int


def test_a_function_of_ones_own_needs_no_language_model(on: With) -> None:
    calls: list[str] = []

    async def count(text: str) -> Card:
        calls.append(text)
        return Card(words=len(text.split()))

    async def scenario(engine: Engine) -> None:
        runtime = Runtime(engine=engine)
        records = [record("a", "one tea"), record("b", "a cup of tea")]
        for _ in range(2):
            counted = await extract(runtime, records, ask=count, into="card")
            assert [one["data"]["card"] for one in counted] == [{"words": 2}, {"words": 4}]
        assert len(calls) == 2
        await extract(runtime, records, ask=count, version="2")
        assert len(calls) == 4

    on(scenario)


def extracting(records: list[RecordInput], **options: Any) -> list[RecordInput]:
    return asyncio.run(extract(Runtime(engine=MockEngine(), llm=options.pop("llm", None)), records, **options))


def test_an_error_of_ones_own_function_is_raised_with_a_note_that_names_the_record() -> None:
    async def fail(text: str) -> object:
        raise KeyError(text)

    with pytest.raises(KeyError) as raised:
        extracting([record("a", "one tea")], ask=fail)
    assert raised.value.__notes__ == ["while extracting from a"]


@pytest.mark.parametrize("answer", [object(), "text", [1], None])
def test_an_answer_that_is_no_mapping_is_an_error_that_names_the_record(answer: object) -> None:
    async def ask(text: str) -> object:
        return answer

    with pytest.raises(SyncError, match="answered with") as raised:
        extracting([record("a", "one tea")], ask=ask)
    assert raised.value.__notes__ == ["while extracting from a"]


async def nothing(text: str) -> dict[str, object]:
    return {}


@pytest.mark.parametrize(
    ("records", "options", "said"),
    [
        ([record("a", "tea")], {}, "needs a language model"),
        ([record("a", "tea")], {"llm": nothing, "fields": ["summmary"]}, "did you mean 'summary'"),
        ([record("a", "tea")], {"llm": nothing, "fields": []}, "name at least one of title"),
        ([record("a", "tea")], {"llm": nothing, "fields": "title"}, "in a list"),
        ([record("a", "tea")], {"ask": nothing, "concurrency": 0}, "concurrency is 0"),
        ([record("a", "tea"), record("b", " \n")], {"ask": nothing}, "b has no text"),
        ([{"external_id": "c", "data": {"price": 3}}], {"ask": nothing}, "c has no text"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(
    records: list[RecordInput], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(SyncError, match=said):
        extracting(records, **options)


def test_any_object_can_be_the_language_model() -> None:
    async def llm(prompt: str, *, output: type[BaseModel], system: str) -> dict[str, object]:
        assert "search index" in system
        return {"title": prompt.upper()}

    (found,) = extracting([record("a", "tea")], llm=llm, fields=["title"])
    assert found["data"]["extracted"] == {"title": "TEA"}


def test_no_more_are_asked_at_once_than_allowed_and_the_order_stays() -> None:
    running = most = 0

    async def ask(text: str) -> dict[str, object]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(10 - int(text)):
            await asyncio.sleep(0)
        running -= 1
        return {"text": text}

    found = extracting([record(str(n), str(n)) for n in range(10)], ask=ask, concurrency=3)
    assert [one["data"]["extracted"] for one in found] == [{"text": str(n)} for n in range(10)]
    assert most == 3


def test_an_answer_under_way_is_kept_when_another_one_fails() -> None:
    async def main() -> None:
        failed = asyncio.Event()

        async def ask(text: str) -> dict[str, object]:
            if text == "bad":
                failed.set()
                raise KeyError(text)
            await failed.wait()
            await asyncio.sleep(0)
            return {"text": text}

        engine = MockEngine()
        records = [record("good", "good"), record("bad", "bad"), record("late", "late")]
        with pytest.raises(KeyError):
            await extract(Runtime(engine=engine), records, ask=ask, concurrency=2)
        (row,) = await engine.sites()
        kept = await engine.get_records(connection_id="EXTRACTS", name=row["name"])
        assert [one["data"]["answer"] for one in kept] == [{"text": "good"}]

    asyncio.run(main())


def test_a_cancelled_extraction_leaves_nothing_running() -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), 0

        async def ask(text: str) -> dict[str, object]:
            nonlocal ended
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended += 1
            return {}

        work = asyncio.ensure_future(
            extract(Runtime(engine=MockEngine()), [record("a", "a"), record("b", "b")], ask=ask)
        )
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert ended == 2
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_sync_extracts_from_the_chunks_of_a_document(teller: Teller) -> None:
    @create_sync(id="describe")
    async def describe(ctx: SyncContext[str]) -> list[str]:
        chunks = MDocument.from_markdown(ctx.context).chunk(max_size=64).get_docs()
        records: list[RecordInput] = [
            {"external_id": f"doc_chunk_{chunk.position}", "data": {"markdown": chunk.text}, "headings": chunk.headings}
            for chunk in chunks
        ]
        records = await extract(ctx, records)
        await ctx.engine.sync_records(connection_id="docs", name="doc", records=records)
        return [str(one["data"]["extracted"]["title"]) for one in records]

    async def main() -> list[str]:
        async with Runtime(engine=MockEngine(), syncs={"describe": describe}, llm=teller.llm()) as runtime:
            titles = await runtime.sync(describe, f"# A\n\n{'one ' * 50}\n\n# B\n\n{'two ' * 50}")
            await runtime.sync(describe, f"# A\n\n{'one ' * 50}\n\n# B\n\n{'two ' * 50}")
            return titles

    assert asyncio.run(main()) == ["one", "two"]
    assert sorted(text.split()[0] for text in teller.texts) == ["A", "B"]
