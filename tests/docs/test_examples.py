"""Every example of the documentation runs as its reader would run it, and does what its page says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
# Files that are only imported, by the others.
PARTS = frozenset({"create.py", "records.py", "register.py", "jobs.py"})

Run = Callable[..., list[str]]


@pytest.fixture
def run(database_url: str) -> Run:
    """The lines that `python WORDS...` prints in the folder of the examples, with an empty database."""

    def lines(*words: str, **env: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=EXAMPLES,
            env={**os.environ, "DATABASE_URL": database_url, "PYTHONDONTWRITEBYTECODE": "1", **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    return lines


def test_every_example_has_a_test_and_a_place_in_the_documentation() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    run_here = set(re.findall(r'run\((?:"-m", "pytest", .*)?"(\w+\.py)"', Path(__file__).read_text("utf-8")))
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    shown = set(re.findall(r'--8<-- "(\w+\.py)"', pages))
    assert run_here == names - PARTS
    assert shown == names


@pytest.mark.slow
@pytest.mark.promise("S1")
def test_a_created_and_registered_sync_is_executed(run: Run) -> None:
    assert run("execute.py") == [
        "Data synchronized successfully",
        "True",
        "123 {'name': 'John Doe'}",
        "124 {'name': 'Jane Doe'}",
    ]


@pytest.mark.slow
def test_records_are_synchronized_from_the_shell(run: Run) -> None:
    records = [{"external_id": "1", "data": {"total": 10}}, {"external_id": "2", "data": {"total": 20}}]
    given = json.dumps({"connection_id": "shop", "name": "orders", "records": records})
    words = ("-m", "syncs.cli", "sync", "store-records", "--app", "register:runtime", "--input", given)
    assert json.loads("\n".join(run(*words))) == {"added": 2, "updated": 0, "unchanged": 0}
    assert json.loads("\n".join(run(*words))) == {"added": 0, "updated": 0, "unchanged": 2}


@pytest.mark.slow
def test_a_started_run_is_followed_and_cancelled(run: Run) -> None:
    assert run("start.py") == [
        "at 1 {'counted': 1}",
        "at 2 {'counted': 2}",
        "at 3 {'counted': 3}",
        "3",
        "cancelled",
    ]


@pytest.fixture
def chat_server(site_server: Any) -> str:
    """A chat completions server on loopback that summarizes by the first word of the text; its base URL."""

    def answer(asked: Any, request: object) -> tuple[int, dict[str, str], object]:
        words = asked["messages"][-1]["content"].split("\n\n")[1].split()
        message = {
            "role": "assistant",
            "content": json.dumps({"title": f"{words[0]} {words[1]}", "topics": [words[1]]}),
        }
        return 200, {}, {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}

    site_server.serve_json("/v1/chat/completions", answer)
    return f"{site_server.url}/v1"


@pytest.mark.slow
def test_a_sync_uses_all_of_its_context(run: Run, chat_server: str) -> None:
    assert run("context.py", OPENAI_BASE_URL=chat_server) == [
        "['The cat', 'Dogs dig']",
        "The cat ['cat']",
        "summarize succeeded",
        "summarize succeeded",
        "summarize-all succeeded",
    ]


@pytest.mark.slow
def test_chunks_are_described_once(run: Run, site_server: Any) -> None:
    asked: list[str] = []

    def answer(given: Any, request: object) -> tuple[int, dict[str, str], object]:
        asked.append(given["messages"][-1]["content"])
        words = asked[-1].rstrip(".\n").split()
        content = json.dumps({"summary": f"About {words[-1]}.", "keywords": [words[-1]]})
        return 200, {}, {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": content}}]}

    site_server.serve_json("/v1/chat/completions", answer)
    assert run("extract.py", OPENAI_BASE_URL=f"{site_server.url}/v1") == [
        "2 chunks",
        "2 chunks, for nothing",
        "manual_chunk_1 {'extracted': {'summary': 'About soap.', 'keywords': ['soap']}}",
    ]
    assert len(asked) == 2


@pytest.mark.slow
def test_a_site_is_crawled_and_asked(run: Run, site_server) -> None:
    def page(title: str, body: str) -> tuple[int, dict[str, str], str]:
        text = f"<html lang=en><title>{title}</title><body><main><h1>{title}</h1>{body}</main></body></html>"
        return 200, {"Content-Type": "text/html; charset=utf-8"}, text

    site_server.routes = {
        "/docs/": page("Start", '<p>Where it begins: <a href="users">users</a>.</p>'),
        "/docs/users": page("Users", "<p>Who may come in.</p><h2 id=login>Log in</h2><p>Type your name.</p>"),
    }
    url = f"{site_server.url}/docs/"
    start, users, found = run("crawl.py", url, "How do I log in?")
    assert start.startswith(f"{url} Start ")
    assert users.startswith(f"{url}users Users ")
    assert found.startswith(f"{url}users#")


@pytest.mark.slow
def test_rules_of_ones_own_make_the_markdown_that_the_page_shows(run: Run) -> None:
    page = (ROOT / "docs" / "markdown.md").read_text("utf-8")
    assert run("rules.py") == page.partition("```markdown\n")[2].partition("\n```")[0].splitlines()


@pytest.mark.slow
def test_the_tests_with_the_mock_engine_pass(run: Run) -> None:
    assert run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_greeting.py")[-1].startswith("2 passed")


@pytest.mark.slow
@pytest.mark.promise("S3")
def test_a_job_that_runs_twice_leaves_what_one_run_would_have_left(run: Run) -> None:
    assert run("run_jobs.py") == [
        "try 1: Data synchronized successfully",
        "try 2: Data synchronized successfully",
        "123 {'name': 'John Doe'}",
        "job-1 my-sync succeeded",
    ]


@pytest.mark.slow
@pytest.mark.promise("K2", "K3")
def test_a_table_and_a_fence_over_the_cap_are_cut_and_framed_again(run: Run) -> None:
    lines = run("chunk_markdown.py")
    assert lines[0] == "0 233 Guide > Options () (0, 958)"
    assert lines[3].strip() == "| name | meaning | ... | option39 | what the option number 39 does |"
    assert lines[6].startswith("3 131 Guide > Example ('python',)")
    assert lines[7].strip() == "```python ... ```"


@pytest.mark.slow
@pytest.mark.promise("K1")
def test_every_other_strategy_cuts_its_document(run: Run) -> None:
    lines = run("chunk_strategies.py")
    assert [line.split(":")[0] for line in lines[:7]] == [
        "recursive", "character", "token", "sentence", "html", "json", "latex",
    ]  # fmt: skip
    assert lines[3] == "sentence: 10 chunks, at most 50 tokens: 'This is sentence number 3 of a'"
    assert lines[7].endswith("turn the page into markdown with ingest.html_to_markdown first.")
    assert lines[8].endswith("did you mean 'python'?")
