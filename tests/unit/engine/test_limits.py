"""How many connections and how much time an engine takes, as the environment says."""

import pytest

from engine.errors import StoreUnavailable
from engine.limits import Limits


def test_without_a_word_the_defaults_hold() -> None:
    assert Limits.from_environment({"SYNCLINE_POOL_SIZE": " "}) == Limits(connections=8, wait=30, statement=600)


def test_the_environment_sets_each_limit() -> None:
    env = {"SYNCLINE_POOL_SIZE": "3", "SYNCLINE_POOL_TIMEOUT": "0.5", "SYNCLINE_STATEMENT_TIMEOUT": " 0 "}
    assert Limits.from_environment(env) == Limits(connections=3, wait=0.5, statement=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SYNCLINE_POOL_SIZE", "0"),
        ("SYNCLINE_POOL_SIZE", "many"),
        ("SYNCLINE_POOL_SIZE", "2.5"),
        ("SYNCLINE_POOL_TIMEOUT", "-1"),
        ("SYNCLINE_STATEMENT_TIMEOUT", "10 min"),
        ("SYNCLINE_STATEMENT_TIMEOUT", "nan"),
    ],
)
def test_a_limit_that_is_none_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(StoreUnavailable, match=f"{name} is '{value}': it must be"):
        Limits.from_environment({name: value})
