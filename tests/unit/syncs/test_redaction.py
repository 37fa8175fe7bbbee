"""What of a value may be kept in a run's row."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from syncs.redaction import LIMIT, snapshot, without_secrets

SECRET_NAMES = (
    "password db_passwd PASSPHRASE client_secret token access_tokens apiKey OPENAI_API_KEY Authorization "
    "auth private-key credentials Set-Cookie dsn sentry_dsn DATABASE_URL"
)
OTHER_NAMES = "fieldsname tokenizer author monkey passage url path_regex"


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_a_field_with_a_secrets_name_is_masked_at_any_depth(name: str) -> None:
    assert snapshot({name: "value"}) == {name: "***"}
    assert snapshot({"deep": [{name: ["value"]}]}) == {"deep": [{name: "***"}]}


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_a_field_with_another_name_is_kept(name: str) -> None:
    assert snapshot({name: "value"}) == {name: "value"}


def test_counts_of_tokens_and_absent_secrets_are_kept() -> None:
    kept = {"max_tokens": 8190, "token_count": 3, "password": None, "has_secret": True}
    assert snapshot(kept) == kept
    assert snapshot({"password": 1234}) == {"password": "***"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://me:hunter2@db:5432/x?sslmode=require", "postgres://***@db:5432/x?sslmode=require"),
        ("https://x.org/a?token=hunter2&page=2", "https://x.org/a?token=***&page=2"),
        ("host=db password=hunter2 dbname=x", "host=db password=*** dbname=x"),
        ("KeyError: 'password=hunter2'", "KeyError: 'password=***'"),
        ('Settings(api_key="hunter2", n=1)', 'Settings(api_key="***", n=1)'),
        ("Authorization: Bearer hunter2hunter2", "Authorization: Bearer ***"),
        ("Incorrect API key provided: sk-proj-0123456789abcdef0123", "Incorrect API key provided: sk-***"),
        ("https://x.org/@me and a@b.org", "https://x.org/@me and a@b.org"),
    ],
)
def test_secrets_inside_text_are_masked(text: str, masked: str) -> None:
    assert without_secrets(text) == masked


def test_a_hostile_text_is_masked_in_linear_time() -> None:
    for part in ("://", "?token", "a-", "Bearer ", "-_"):
        assert len(without_secrets(part * 50_000)) > 0


class Page(BaseModel):
    url: str
    pin: SecretStr


@dataclass
class Site:
    pages: list[Page]
    seen: date


def test_models_and_dataclasses_are_copied_by_field_and_secret_types_never_shown() -> None:
    site = Site([Page(url="https://x.org/", pin=SecretStr("hunter2"))], date(2024, 5, 1))
    assert snapshot(site) == {
        "pages": [{"url": "https://x.org/", "pin": "<SecretStr>"}],
        "seen": "2024-05-01",
    }


@pytest.mark.parametrize(("value", "kept"), [(None, {}), (3, {"value": 3}), ([1, "a"], {"value": [1, "a"]})])
def test_what_is_not_an_object_is_wrapped(value: object, kept: dict[str, object]) -> None:
    assert snapshot(value) == kept


def test_what_json_cannot_hold_is_named_by_its_type() -> None:
    kept = snapshot({"a": float("nan"), "b": b"secret", "c": object(), "d": {1: "x"}})
    assert kept == {"a": None, "b": "<bytes>", "c": "<object>", "d": {"1": "x"}}


def test_a_long_output_is_cut_and_its_counts_survive() -> None:
    crawl = {"crawl_data": [{"markdown": "x" * 5_000} for _ in range(1_000)], "report": {"stored": 1_000}}
    kept = snapshot(crawl)
    assert len(json.dumps(kept)) <= LIMIT
    assert kept["report"] == {"stored": 1_000}
    pages: Any = kept["crawl_data"]
    assert pages[-1].endswith(" more")


@pytest.mark.parametrize(
    "value",
    [{str(number): number for number in range(100_000)}, {"x": "\U0001f600" * 100_000}, ["x"] * 1_000_000],
)
def test_the_limit_holds_for_any_shape(value: object) -> None:
    assert len(json.dumps(snapshot(value))) <= LIMIT


def test_a_value_that_holds_itself_comes_to_an_end() -> None:
    loop: dict[str, object] = {}
    loop["self"] = loop
    assert len(json.dumps(snapshot(loop))) <= LIMIT
