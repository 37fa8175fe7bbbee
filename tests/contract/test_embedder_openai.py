"""OpenAI's protocol against a real server that does everything that servers do."""

import asyncio
import math
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.embedders import EmbedderName, HashEmbedder, OpenAIEmbedder, endpoint, open_embedder
from engine.embedders.pace import Pace
from engine.errors import EmbedderError, EmbedderRefused
from engine.models import Embeddings

KEY = "sk-loopback-0123456789"
NAME = EmbedderName.parse("openai:loopback@8")
AT_ONCE = {"Retry-After-Ms": "1"}


def embed(
    server: Any, texts: Sequence[str], *, deadline: float = 30, retries: int = 2, concurrency: int = 8, **env: str
) -> Embeddings:
    async def run() -> Embeddings:
        embedder = await OpenAIEmbedder.open(
            NAME, env={**server.env, **env}, deadline=deadline, retries=retries, concurrency=concurrency
        )
        try:
            return await embedder.embed(texts, kind="document")
        finally:
            await embedder.aclose()

    return asyncio.run(run())


def failure_of(server: Any, texts: Sequence[str] = ("one", "two", "three"), **options: Any) -> EmbedderError:
    with pytest.raises(EmbedderError) as raised:
        embed(server, texts, **options)
    return raised.value


def expected(texts: Sequence[str]) -> list[list[float]]:
    vectors = asyncio.run(HashEmbedder(8).embed(texts, kind="document")).vectors
    return [pytest.approx(vector, abs=1e-6) for vector in vectors]


def refusal(status: int, code: str | None = None, message: str = "no", **headers: str) -> Callable[..., Any]:
    body = {"error": {"message": message, "type": code, "code": code, "param": None}}
    return lambda request, good: (status, headers or AT_ONCE, body)


def test_vectors_are_placed_by_their_index(embeddings_server: Any) -> None:
    embeddings_server.faults = [lambda request, good: good | {"data": good["data"][::-1]}]
    texts = ["one", "two", "three"]
    assert embed(embeddings_server, texts).vectors == expected(texts)


def change_last(**changes: object) -> Callable[..., Any]:
    return lambda request, good: good | {"data": [*good["data"][:-1], good["data"][-1] | changes]}


@pytest.mark.promise("E7")
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda request, good: good | {"data": good["data"][:-1]}, "2 embeddings for 3 texts"),
        (lambda request, good: good | {"data": good["data"] * 2}, "6 embeddings for 3 texts"),
        (change_last(index=0), "index is 0"),
        (change_last(index=None), "index is None"),
        (change_last(index=7), "index is 7"),
        (change_last(embedding=[0.5] * 7), "7 dimensions instead of 8"),
        (change_last(embedding=[]), "0 dimensions instead of 8"),
        (change_last(embedding=[0.0] * 8), "zero"),
        (change_last(embedding=[math.nan] * 8), "not finite"),
        (change_last(embedding=[math.inf] + [0.0] * 7), "not finite"),
        (change_last(embedding=[None] * 8), "not a list of numbers"),
        (change_last(embedding=["0.5"] * 8), "not a list of numbers"),
        (change_last(embedding=[[0.5] * 8]), "not a list of numbers"),
        (change_last(embedding=[1, [2]]), "not a list of numbers"),
        (change_last(embedding="no base64"), "not a list of numbers"),
        (change_last(embedding=None), "not a list of numbers"),
        (lambda request, good: {"data": None}, "without a list"),
        (lambda request, good: b'{"data": [', "not JSON"),
        (lambda request, good: b"<html>\xff</html>", "not JSON"),
        (lambda request, good: b"[]", "without a list"),
        (lambda request, good: b"[" * 100_000, "not JSON"),
        (lambda request, good: {"error": {"message": f"model {KEY} is gone"}}, "with the error 'model *** is gone'"),
        (lambda request, good: {"error": "out of\n\x1b[31m memory"}, "with the error 'out of [31m memory'"),
    ],
)
def test_a_wrong_answer_is_refused_and_named(embeddings_server: Any, fault: Any, says: str) -> None:
    embeddings_server.faults = [fault, fault]
    failure = failure_of(embeddings_server)
    assert says in str(failure)
    assert f"openai:loopback at {embeddings_server.url}" in str(failure)
    assert not isinstance(failure, EmbedderRefused)
    assert len(embeddings_server.requests) == 2


def test_an_answer_that_is_wrong_once_is_asked_for_again_and_both_are_billed(embeddings_server: Any) -> None:
    embeddings_server.faults = [change_last(embedding=[math.nan] * 8)]
    embeddings = embed(embeddings_server, ["one", "two"])
    assert embeddings.vectors == expected(["one", "two"])
    assert embeddings.tokens == 4
    assert [request["input"] for request in embeddings_server.requests] == [["one", "two"]] * 2


def test_tokens_that_nobody_could_bill_are_not_counted(embeddings_server: Any) -> None:
    for tokens in (10**400, 2**63, -1, True, "12", None):
        embeddings_server.faults = [lambda request, good, tokens=tokens: good | {"usage": {"total_tokens": tokens}}]
        assert embed(embeddings_server, ["one"], SYNCLINE_EMBEDDER_PRICE="0.02").tokens == 0


@pytest.mark.parametrize("fault", [refusal(429, "rate_limit_exceeded"), refusal(500), refusal(503)])
def test_what_may_pass_is_tried_again(embeddings_server: Any, fault: Any) -> None:
    embeddings_server.faults = [fault, fault]
    assert embed(embeddings_server, ["one"]).vectors == expected(["one"])
    assert len(embeddings_server.requests) == 3


@pytest.mark.parametrize("status", [408, 409, 429, 500])
def test_what_does_not_pass_is_an_error_after_the_last_try(embeddings_server: Any, status: int) -> None:
    embeddings_server.faults = [refusal(status, message="come back tomorrow")] * 3
    failure = failure_of(embeddings_server)
    assert not isinstance(failure, EmbedderRefused)
    assert "is overloaded or broken" in str(failure)
    assert "come back tomorrow" in str(failure)
    assert "--embedder wordllama" in str(failure)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, {"error": "input length exceeds the context"}, "input length exceeds the context"),
        (405, b"Method Not Allowed", "Method Not Allowed"),
        (405, b"", "OPENAI_BASE_URL"),
        (502, f"<html>bad gateway {KEY}</html>".encode(), "bad gateway ***"),
        (500, {"error": {"message": "one\u202e\x1b[31m\x07two"}}, "one [31m two"),
    ],
)
def test_what_a_server_says_is_told_in_whatever_form_it_says_it(
    embeddings_server: Any, status: int, body: Any, says: str
) -> None:
    embeddings_server.faults = [lambda request, good: (status, AT_ONCE, body)] * 3
    failure = str(failure_of(embeddings_server))
    assert says in failure
    assert KEY not in failure


def test_a_connection_that_breaks_is_told_with_what_broke_it(embeddings_server: Any) -> None:
    packed = lambda request, good: (200, {"Content-Encoding": "gzip"}, b"{}")  # noqa: E731
    embeddings_server.faults = [packed] * 3
    assert "cannot be reached, or breaks off (Error -3 while decompressing" in str(failure_of(embeddings_server))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (refusal(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (refusal(403, None, f"{KEY} may not"), "OPENAI_API_KEY"),
        (refusal(404, "model_not_found"), "does not exist"),
        (refusal(400, "model_not_found"), "does not exist"),
        (refusal(429, "insufficient_quota"), "quota"),
    ],
)
def test_a_refusal_for_good_says_what_to_do(embeddings_server: Any, fault: Any, says: str) -> None:
    embeddings_server.faults = [fault]
    failure = failure_of(embeddings_server)
    assert isinstance(failure, EmbedderRefused)
    assert says in str(failure)
    assert len(embeddings_server.requests) == 1


@pytest.mark.promise("S5")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_the_key_is_in_no_message_context_or_representation(embeddings_server: Any, status: int) -> None:
    said = f"the key {KEY}, also known as sk-loop***789, is not right"
    embeddings_server.faults = [refusal(status, message=said)] * 3
    failure = failure_of(embeddings_server)
    shown = "".join(traceback.format_exception(failure, chain=True)) + repr(failure)
    assert KEY not in shown
    assert "sk-loop" not in shown
    assert failure.__context__ is None
    assert failure.__cause__ is None
    assert embeddings_server.keys[0] == f"Bearer {KEY}"


def test_a_server_that_is_not_there_is_named_without_the_password_in_its_address(
    embeddings_server: Any,
) -> None:
    address = "http://user:secret@127.0.0.1:1/v1"
    failure = failure_of(embeddings_server, retries=0, OPENAI_BASE_URL=address)
    assert "http://127.0.0.1:1/v1 cannot be reached" in str(failure)
    assert "secret" not in str(failure)


def test_an_answer_that_never_ends_is_given_up(embeddings_server: Any) -> None:
    embeddings_server.faults = [lambda request, good: (200, {"Transfer-Encoding": "chunked"}, b"1\r\n{\r\n")]
    assert "within 0.3 seconds" in str(failure_of(embeddings_server, deadline=0.3))


def test_the_size_of_an_unknown_model_is_learned_before_the_first_text(embeddings_server: Any) -> None:
    async def run() -> tuple[str, int]:
        embedder = await open_embedder("openai:loopback", env=embeddings_server.env)
        await embedder.aclose()
        return embedder.name, embedder.dimensions

    embeddings_server.dimensions = 24
    assert asyncio.run(run()) == ("openai:loopback", 24)
    assert len(embeddings_server.requests) == 1


def test_a_server_that_wants_no_key_is_used_without_one(embeddings_server: Any) -> None:
    assert embed(embeddings_server, ["one"], OPENAI_API_KEY="").vectors == expected(["one"])


@pytest.mark.promise("E7")
def test_requests_are_bounded_by_items_and_bytes(embeddings_server: Any) -> None:
    texts = [f"{number} " + "x" * 20_000 for number in range(40)] + [f"short {number}" for number in range(100)]
    embeddings = embed(embeddings_server, texts, SYNCLINE_EMBEDDER_MAX_TOKENS="30000")
    assert sorted(embeddings_server.sent) == sorted(texts)
    for request in embeddings_server.requests:
        assert len(request["input"]) <= 32
        assert sum(map(len, request["input"])) <= 300_000
    assert embeddings.vectors == expected(texts)
    assert embeddings.tokens == len(texts)


def test_a_text_over_the_window_is_embedded_by_windows_and_counted(embeddings_server: Any) -> None:
    text = "alpha " * 30 + "beta " * 10
    embeddings = embed(embeddings_server, ["short", text], SYNCLINE_EMBEDDER_MAX_TOKENS="64")
    assert embeddings.windowed == 1
    assert "".join(embeddings_server.sent) == "short" + text
    assert max(map(len, embeddings_server.sent)) <= 64
    alpha, beta = (HashEmbedder(8).embed([word], kind="document") for word in ("alpha", "beta"))
    near = [sum(map(float.__mul__, embeddings.vectors[1], asyncio.run(one).vectors[0])) for one in (alpha, beta)]
    assert near[0] > near[1] > 0


def test_a_text_that_fits_by_its_tokens_goes_out_whole(embeddings_server: Any) -> None:
    async def run() -> int:
        env = embeddings_server.env | {"SYNCLINE_EMBEDDER_MAX_TOKENS": "64"}
        embedder = await open_embedder("openai:loopback@8", env=env, count_tokens=lambda text: len(text.split()))
        embeddings = await embedder.embed(["word " * 60, "word " * 70], kind="document")
        await embedder.aclose()
        return embeddings.windowed

    assert asyncio.run(run()) == 1
    assert len(embeddings_server.sent) == 3


def test_one_failing_request_fails_the_call_with_its_own_error(embeddings_server: Any) -> None:
    embeddings_server.faults = [refusal(401)]
    failure = failure_of(embeddings_server, [f"text {number}" for number in range(200)])
    assert isinstance(failure, EmbedderRefused)


# --- rate limits ---------------------------------------------------------------------------------------------


def limited(limit: int, remaining: int, reset: str, kind: str = "tokens") -> Callable[..., Any]:
    """A right answer that says what is left of a rate limit."""
    names = {"limit": str(limit), "remaining": str(remaining), "reset": reset}
    return lambda request, good: (200, {f"x-ratelimit-{name}-{kind}": value for name, value in names.items()}, good)


@pytest.mark.promise("E7")
def test_no_request_is_larger_than_the_rate_limit_that_an_answer_has_named(embeddings_server: Any) -> None:
    async def run() -> None:
        embedder = await OpenAIEmbedder.open(NAME, env=embeddings_server.env)
        for _ in range(2):
            await embedder.embed(["x" * 100] * 12, kind="document")
        await embedder.aclose()

    embeddings_server.faults = [limited(500, 400, "1ms")] * 10
    asyncio.run(run())
    assert sorted(len(request["input"]) for request in embeddings_server.requests) == [2, 5, 5, 12]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that requests wait for their turn, on a clock that only this waiting moves."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(endpoint, "Pace", lambda: Pace(clock=lambda: sum(slept), sleep=sleep))
    return slept


@pytest.mark.promise("E7")
@pytest.mark.parametrize("kind", ["requests", "tokens"])
def test_requests_wait_until_the_rate_limit_has_room(embeddings_server: Any, slept: list[float], kind: str) -> None:
    embeddings_server.faults = [limited(10, 0, "20s", kind)]
    texts = [f"text {number}" for number in range(40)]
    assert embed(embeddings_server, texts, concurrency=1).vectors == expected(texts)
    assert slept == [pytest.approx(2 if kind == "requests" else 20)]  # one request's, or as many tokens as can be


@pytest.mark.promise("E7")
def test_a_pause_that_one_request_is_told_to_make_holds_for_the_others(
    embeddings_server: Any, slept: list[float]
) -> None:
    texts = [f"text {number}" for number in range(40)]
    embeddings_server.faults = [refusal(429, **{"Retry-After-Ms": "30"})]
    assert embed(embeddings_server, texts, concurrency=1).vectors == expected(texts)
    assert slept == [pytest.approx(0.03)]


# --- texts that the server does not take ---------------------------------------------------------------------


def refusing(bad: str, status: int = 400) -> Callable[..., Any]:
    """A server that takes no request with the text `bad` in it."""
    refused = refusal(status, "invalid_request_error", f"the key {KEY} and $.input is invalid")
    return lambda request, good: refused(request, good) if any(bad in text for text in request["input"]) else good


@pytest.mark.promise("E7")
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_text_that_is_refused_is_found_by_halving_and_the_others_are_embedded(
    embeddings_server: Any, status: int
) -> None:
    embeddings_server.faults = [refusing("poison", status)] * 100
    texts = [f"text {number}" for number in range(100)]
    texts[37] = "poison"
    embeddings = embed(embeddings_server, texts)
    assert list(embeddings.refused) == [37]
    assert "$.input is invalid" in embeddings.refused[37]
    assert "SYNCLINE_EMBEDDER_MAX_TOKENS" in embeddings.refused[37]
    assert KEY not in embeddings.refused[37]
    others = [text for text in texts if text != "poison"]
    assert list(embeddings.vectors[37]) == []
    assert [vector for place, vector in enumerate(embeddings.vectors) if place != 37] == expected(others)
    assert embeddings.tokens == len(others)
    # 4 requests of at most 32, the plain word, and two halves at each of five steps: nothing that was answered twice.
    assert len(embeddings_server.requests) == 4 + 1 + 10
    answered = [
        text for request in embeddings_server.requests for text in request["input"] if "poison" not in request["input"]
    ]
    assert sorted(answered) == sorted([*others, "syncline"])


@pytest.mark.promise("E7")
def test_several_bad_texts_are_each_alone_in_being_refused(embeddings_server: Any) -> None:
    embeddings_server.faults = [refusing("poison")] * 200
    texts = [f"poison {number}" if number in (0, 1, 31, 40) else f"text {number}" for number in range(64)]
    embeddings = embed(embeddings_server, texts)
    assert sorted(embeddings.refused) == [0, 1, 31, 40]
    assert embeddings.tokens == 60


def test_a_text_of_several_windows_is_refused_with_one_of_them_and_counted_once(embeddings_server: Any) -> None:
    embeddings_server.faults = [refusing("poison")] * 50
    texts = ["before", "alpha " * 30 + "poison " + "beta " * 10, "after"]
    embeddings = embed(embeddings_server, texts, SYNCLINE_EMBEDDER_MAX_TOKENS="64")
    assert list(embeddings.refused) == [1]
    assert embeddings.windowed == 0
    assert [embeddings.vectors[0], embeddings.vectors[2]] == expected(["before", "after"])


@pytest.mark.promise("E7")
def test_a_request_that_even_a_plain_word_does_not_help_is_an_error_and_no_text_is_blamed(
    embeddings_server: Any,
) -> None:
    embeddings_server.faults = [refusing("", 400)] * 100
    failure = failure_of(embeddings_server, [f"text {number}" for number in range(30)])
    assert "does not take the request" in str(failure)
    assert "check the model's name and limits" in str(failure)
    assert len(embeddings_server.requests) == 2


@pytest.mark.promise("E7")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (refusal(401, "invalid_api_key"), EmbedderRefused),
        (refusal(402), EmbedderRefused),
        (refusal(400, "insufficient_quota"), EmbedderRefused),
        (refusal(429, "insufficient_quota"), EmbedderRefused),
        (refusal(429, "rate_limit_exceeded", **{"x-should-retry": "false"}), EmbedderError),
        (refusal(503, **{"x-should-retry": "false"}), EmbedderError),
        (lambda request, good: good | {"data": good["data"][:-1]}, EmbedderError),
        (change_last(embedding=[math.nan] * 8), EmbedderError),
    ],
)
def test_a_refusal_that_is_not_about_a_text_is_not_halved(embeddings_server: Any, fault: Any, kind: Any) -> None:
    embeddings_server.faults = [fault] * 50
    texts = [f"text {number}" for number in range(30)]
    failure = failure_of(embeddings_server, texts)
    assert type(failure) is kind
    assert {tuple(request["input"]) for request in embeddings_server.requests} == {tuple(texts)}


@pytest.mark.promise("E7")
def test_a_key_that_is_refused_while_a_bad_text_is_looked_for_stops_the_call(embeddings_server: Any) -> None:
    embeddings_server.faults = [refusing("poison")] * 3 + [refusal(401)] * 5
    failure = failure_of(embeddings_server, ["one", "two", "three", "poison"])
    assert type(failure) is EmbedderRefused
    assert len(embeddings_server.requests) == 4


def test_the_price_that_the_user_names_is_what_tokens_cost(embeddings_server: Any) -> None:
    embeddings = embed(embeddings_server, ["one", "two"], SYNCLINE_EMBEDDER_PRICE="500000")
    assert embeddings.cost_usd == 1.0
    assert embed(embeddings_server, ["one", "two"]).cost_usd == 0
