"""Embedding by the command line: a bad text, what a crawl would cost, a ceiling, and what is forgotten."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import pytest

from chunking import TiktokenCounter

pytestmark = pytest.mark.slow

EMBEDDER = ("--embedder", "openai:loopback@8")


@dataclass
class Embeddings:
    """A server of OpenAI's protocol that bills tokens as tiktoken counts them, and refuses texts with `refuses`."""

    url: str = ""
    refuses: str | None = None
    key: str | None = None  # the only one that it takes
    texts: list[str] = field(default_factory=list)  # what was embedded, and billed
    asked: int = 0

    @property
    def env(self) -> dict[str, str]:
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "sk-loopback", "SYNCLINE_EMBEDDER_PRICE": "1000000"}

    def answer(self, texts: list[str], key: str) -> tuple[int, dict[str, str], dict[str, Any]]:
        self.asked += 1
        if self.key is not None and key != f"Bearer {self.key}":
            return 401, {}, {"error": {"message": "no", "type": "invalid_request_error"}}
        if self.refuses is not None and any(self.refuses in text for text in texts):
            return 400, {}, {"error": {"message": "$.input is invalid", "type": "invalid_request_error"}}
        self.texts += texts
        tokens = sum(map(TiktokenCounter().count, texts))
        data = [{"index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
        return 200, {}, {"data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def vector(text: str) -> list[float]:
    return [byte - 127.5 for byte in blake2b(text.encode(), digest_size=8).digest()]


@pytest.fixture
def embeddings(make_site_server: Any) -> Embeddings:
    site = make_site_server()
    server = Embeddings(f"{site.url}/v1")
    site.serve_json(
        "/v1/embeddings", lambda asked, request: server.answer(asked["input"], request.headers["authorization"])
    )
    return server


Pages = Callable[[int], dict[str, Any]]
MakePage = Callable[[str, str], tuple[int, dict[str, str], str]]


def counts(report: dict[str, Any]) -> dict[str, Any]:
    """What a plan and its run say alike."""
    return {name: report.get(name) for name in ("entity", "status", "pages", "chunks", "embeddings", "skipped")}


@pytest.mark.promise("E7")
def test_a_poisoned_text_is_set_aside_found_by_words_and_tried_again_on_request(
    syncline: Any, site_server: Any, chain: Pages, make_page: MakePage, embeddings: Embeddings, database_url: str
) -> None:
    site_server.routes.update(chain(4))
    site_server.routes["/docs/p2"] = make_page("Bad", "<h1>Bad</h1><p>Zeppelins carry venom.</p>")
    env, url = {**embeddings.env, "DATABASE_URL": database_url}, site_server.url + "/docs/"
    embeddings.refuses = "venom"
    ran = syncline("crawl", url, "--json", *EMBEDDER, **env)
    report = ran.json
    assert (ran.code, report["status"], report["pages"]["stored"]) == (0, "complete", 4)
    assert report["embeddings"]["failed"] == 1
    assert report["embeddings"]["computed"] == len(set(embeddings.texts) - {"syncline"}) > 0
    assert "does not take their text: 1." in report["notes"][0]
    assert report["notes"][1].startswith(f"{url}p2: openai:loopback at {embeddings.url} does not take the request")
    (hit, *_) = syncline("search", "zeppelins carry", "--json", **env).json
    assert hit["url"] == url + "p2"

    before = len(embeddings.texts)
    again = syncline("crawl", url, "--json", **env).json
    assert again["embeddings"] == {"computed": 0, "reused": 0, "tokens": 0, "cost_usd": 0.0}
    assert embeddings.texts[before:] == []

    still = syncline("retry", **env)
    assert still.code == 1
    assert "0 embedded, 1 not taken by the model again" in still.out
    assert f"{url}p2: " in still.out
    assert "(tried 2 times)" in still.out
    embeddings.refuses = None
    cured = syncline("retry", "--json", **env)
    assert (cured.code, cured.json["embedded"], cured.json["failed"], cured.json["failures"]) == (0, 1, 0, [])
    assert "Nothing to do" in syncline("retry", **env).err


@pytest.mark.promise("E2")
def test_a_crawl_of_what_is_stored_and_has_not_changed_asks_the_embedding_server_for_nothing(
    syncline: Any, site_server: Any, chain: Pages, make_page: MakePage, embeddings: Embeddings, database_url: str
) -> None:
    site_server.routes.update(chain(3))
    env, url = {**embeddings.env, "DATABASE_URL": database_url}, site_server.url + "/docs/"
    # The size of this model's vectors is learned from its server: by the first crawl only.
    assert syncline("crawl", url, "--json", "--embedder", "openai:loopback", **env).code == 0
    asked = embeddings.asked
    again = syncline("crawl", url, "--json", **env).json
    assert (again["status"], again["pages"]["unchanged"], embeddings.asked - asked) == ("complete", 3, 0)
    site_server.routes["/docs/p2"] = make_page("New", "<h1>New</h1><p>Zeppelins carry mail.</p>")
    changed = syncline("crawl", url, "--json", **env).json
    assert (changed["embeddings"]["computed"], embeddings.asked - asked) == (1, 1)


@pytest.mark.promise("E1")
def test_a_wrong_key_is_known_before_a_first_crawl_and_where_a_later_one_needs_it(
    syncline: Any, site_server: Any, chain: Pages, make_page: MakePage, embeddings: Embeddings, database_url: str
) -> None:
    site_server.routes.update(chain(3))
    env, url = {**embeddings.env, "DATABASE_URL": database_url}, site_server.url + "/docs/"
    assert syncline("crawl", url, "--json", *EMBEDDER, **env).code == 0
    embeddings.key = "sk-another"
    seen = len(site_server.requests)
    first = syncline("crawl", url, "--name", "other", "--json", **env)
    assert (first.code, len(site_server.requests)) == (1, seen), "nothing of a new site is fetched"
    assert "OPENAI_API_KEY" in first.err
    site_server.routes["/docs/p2"] = make_page("New", "<h1>New</h1><p>Zeppelins carry mail.</p>")
    later = syncline("crawl", url, "--json", **env)
    assert (later.code, "OPENAI_API_KEY" in later.err) == (1, True)
    assert syncline("search", "zeppelins", "--mode", "text", "--json", **env).json == []
    embeddings.key = None
    mended = syncline("crawl", url, "--json", **env).json
    assert (mended["status"], mended["embeddings"]["computed"]) == ("complete", 1)


@pytest.mark.promise("E7")
def test_a_plan_says_what_the_run_then_does_and_costs_nothing(
    syncline: Any,
    site_server: Any,
    chain: Pages,
    make_page: MakePage,
    embeddings: Embeddings,
    database_url: str,
    rows: Any,
) -> None:
    env, url = {**embeddings.env, "DATABASE_URL": database_url}, site_server.url + "/docs/"
    site_server.routes.update(chain(6))

    def plan_and_crawl() -> dict[str, Any]:
        stored = (
            "SELECT (SELECT count(*) FROM syncline.page) AS pages, (SELECT max(updated_at) FROM syncline.entity) AS at"
        )
        asked = embeddings.asked
        planned = syncline("crawl", url, "--plan", "--json", *EMBEDDER, **env)
        assert embeddings.asked == asked
        before = rows(stored)
        assert planned.json["planned"] is True
        done = syncline("crawl", url, "--json", *EMBEDDER, **env)
        assert rows(stored) != before
        assert (planned.code, counts(planned.json)) == (done.code, counts(done.json))
        assert "planned" not in done.json
        return dict(done.json)

    first = plan_and_crawl()
    assert first["chunks"]["added"] > 6
    assert first["embeddings"]["cost_usd"] == first["embeddings"]["tokens"] > 1_000
    assert plan_and_crawl()["pages"]["unchanged"] == 6

    site_server.routes["/docs/p1"] = make_page("New", "<h1>New</h1><p>All of it is new.</p>")
    site_server.routes["/docs/p3"] = make_page("Page 3", "<h1>Page 3</h1><p>See <a href=p9>nine</a>.</p>")
    site_server.routes["/docs/p9"] = site_server.routes["/docs/p5"]
    del site_server.routes["/docs/p4"]
    changed = plan_and_crawl()
    assert (changed["pages"]["deleted"], changed["pages"]["skipped"], changed["pages"]["unchanged"]) == (1, 1, 3)
    assert changed["chunks"]["deleted"] > 0
    shown = syncline("crawl", url, "--plan", *EMBEDDER, **env)
    assert "nothing was stored, embedded or paid" in shown.out


@pytest.mark.promise("E7")
def test_a_ceiling_stops_the_crawl_before_it_is_passed_and_the_next_crawl_goes_on(
    syncline: Any, site_server: Any, chain: Pages, embeddings: Embeddings, database_url: str
) -> None:
    env, url = {**embeddings.env, "DATABASE_URL": database_url}, site_server.url + "/docs/"
    site_server.routes.update(chain(40))
    planned = syncline("crawl", url, "--plan", "--json", *EMBEDDER, **env).json["embeddings"]["cost_usd"]
    limit = planned // 2
    stopped = syncline("crawl", url, "--max-cost", str(limit), "--json", *EMBEDDER, **env)
    report = stopped.json
    assert (stopped.code, report["status"]) == (1, "partial")
    assert 0 < report["embeddings"]["cost_usd"] <= limit
    assert report["pages"]["waiting"] > 0
    assert any("--max-cost" in note for note in report["notes"])
    capped = syncline("crawl", url, "--max-cost", str(limit), "--plan", "--json", *EMBEDDER, **env)
    assert capped.json["embeddings"]["cost_usd"] <= limit
    whole = syncline("crawl", url, "--max-cost", str(planned), "--json", *EMBEDDER, **env)
    assert (whole.code, whole.json["status"], whole.json["pages"]["waiting"]) == (0, "complete", 0)
    assert report["embeddings"]["cost_usd"] + whole.json["embeddings"]["cost_usd"] == pytest.approx(planned)
    texts = [text for text in embeddings.texts if text != "syncline"]
    assert len(texts) == len(set(texts))  # none was paid for twice


@pytest.mark.promise("E7")
def test_a_ceiling_without_a_price_is_refused_before_anything_is_fetched(
    syncline: Any, site_server: Any, embeddings: Embeddings, database_url: str
) -> None:
    env = {**embeddings.env, "SYNCLINE_EMBEDDER_PRICE": "", "DATABASE_URL": database_url}
    ran = syncline("crawl", site_server.url, "--max-cost", "1", *EMBEDDER, **env)
    assert ran.code == 1
    assert "SYNCLINE_EMBEDDER_PRICE" in ran.error
    assert site_server.requests == []
    assert embeddings.asked == 0


@pytest.mark.promise("E2")
def test_gc_forgets_the_vectors_of_a_site_that_was_removed(
    syncline: Any, site_server: Any, chain: Pages, database_url: str, rows: Any
) -> None:
    env, url = {"DATABASE_URL": database_url}, site_server.url + "/docs/"
    site_server.routes.update(chain(3))
    computed = syncline("crawl", url, "--json", **env).json["embeddings"]["computed"]
    assert syncline("gc", "--json", **env).json == {"vectors": 0, "spared": 0, "failures": 0, "pages": 0, "runs": 0}
    syncline("remove", url, **env)
    assert f"Forgotten: {computed} vectors, 0 failures, 0 pages, 0 runs." in syncline("gc", **env).out
    assert rows("SELECT count(*) AS n FROM syncline.vector_1") == [{"n": 0}]
    assert syncline("gc", "--runs-older-than", "0", "--json", **env).json["runs"] == 1
    assert syncline("crawl", url, "--json", **env).json["embeddings"]["computed"] == computed
