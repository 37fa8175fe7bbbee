"""Another embedding model by the command line: added, compared, switched to, and the old one dropped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SMALL = "wordllama:l2_supercat_256@64"


@pytest.mark.promise("E6")
def test_a_store_changes_its_model_without_a_request_to_the_site(
    syncline: Any, site_server: Any, chain: Callable[[int], dict[str, Any]], database_url: str, tmp_path: Path
) -> None:
    site_server.routes.update(chain(4))
    env = {"DATABASE_URL": database_url}
    chunks = syncline("crawl", site_server.url + "/docs/", "--json", **env).json["embeddings"]["computed"]
    asked = len(site_server.requests)

    assert syncline("embeddings", "add", "wordllama@64", "--json", **env).json["embedded"] == chunks
    assert syncline("embeddings", "add", "wordllama@64", "--json", **env).json["embedded"] == 0
    (old, new) = syncline("embeddings", "list", "--json", **env).json
    assert [old["active"], new["active"], new["name"], new["vectors"]] == [True, False, SMALL, chunks]

    queries = tmp_path / "queries.txt"
    queries.write_text("page two\n\npage three\n")
    compared = syncline("embeddings", "compare", "wordllama@64", "page one", "--queries", str(queries), **env)
    assert compared.code == 0
    assert "page three" in compared.out
    assert "Of the first 10 results, 100% are the same" in compared.out
    (document,) = syncline("embeddings", "compare", "wordllama@64", "page one", "--json", **env).json
    assert {hit["place"] for hit in document["hits"]} == set(range(1, len(document["hits"]) + 1))

    kept = syncline("embeddings", "drop", old["name"], **env)
    assert (kept.code, "is what search uses" in kept.err) == (1, True)
    assert syncline("embeddings", "use", "wordllama@64", "--weight", "0.4", **env).code == 0
    assert syncline("embeddings", "drop", "wordllama", **env).code == 0
    (only,) = syncline("embeddings", "list", "--json", **env).json
    assert (only["name"], only["active"], round(only["weight"], 3)) == (SMALL, True, 0.4)
    assert syncline("search", "page two", "--json", **env).json
    assert len(site_server.requests) == asked


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (("add", "nope:x"), "There is no embedder"),
        (("add", "wordllama@64", "--type", "half"), "--type is 'half'; it must be vector, halfvec or bit"),
        (("compare", "wordllama@64"), "there is no query"),
        (("compare", "wordllama@64", "--queries", "/nowhere"), "the queries in /nowhere cannot be read"),
        (("use", "wordllama@64"), "The store has no embedding space 'wordllama@64'; there is none yet"),
        (("use", "wordllama@64", "--weight", "2"), "weight is 2.0: it must be from 0 to 1"),
    ],
)
def test_wrong_input_is_one_sentence(syncline: Any, database_url: str, typed: tuple[str, ...], says: str) -> None:
    ran = syncline("embeddings", *typed, DATABASE_URL=database_url)
    assert ran.code == 2
    assert ran.err.startswith("Error: ")
    assert says in ran.err
    assert "Traceback" not in ran.err
