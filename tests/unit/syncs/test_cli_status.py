"""What `status` and `doctor` say of a store that is not well."""

from typing import Any

import pytest

from syncs.cli.doctor import _check_server
from syncs.cli.status import _size, faults_of

SPACE = {"name": "hash:words@8", "active": True, "missing": 0, "graph": "none"}
TABLE = {"name": "record", "rows": 100_000, "dead": 20_000}
WELL: dict[str, Any] = {"indexes": [{"name": "a", "valid": True}], "spaces": [SPACE], "tables": [TABLE]}
SETTINGS = {"fsync": True, "autovacuum": True, "max_connections": 100, "connections": 5, "pooled": False}


def test_a_store_that_is_well_has_no_faults() -> None:
    assert list(faults_of(WELL)) == []
    assert [check.ok for check in _check_server(SETTINGS)] == [True]


@pytest.mark.parametrize(
    ("ill", "said"),
    [
        ({"indexes": [{"name": "record_page", "valid": False}]}, "REINDEX INDEX syncline.record_page"),
        ({"spaces": [{**SPACE, "missing": 1_200}]}, "1,200 texts have no vector of hash:words@8: syncline retry"),
        ({"spaces": [{**SPACE, "graph": "missing"}]}, "syncline embeddings use hash:words@8 builds it"),
        ({"tables": [{**TABLE, "dead": 60_000}]}, "38% of the rows of record are dead: run VACUUM syncline.record"),
    ],
)
def test_each_fault_is_told_with_its_remedy(ill: dict[str, Any], said: str) -> None:
    ((_, text),) = faults_of({**WELL, **ill})
    assert said in text


def test_what_another_model_lacks_and_a_small_table_with_dead_rows_are_no_faults() -> None:
    other = {**SPACE, "active": False, "missing": 9, "graph": "missing"}
    assert list(faults_of({**WELL, "spaces": [other], "tables": [{**TABLE, "rows": 10, "dead": 500}]})) == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"fsync": False}, "set fsync = on"),
        ({"autovacuum": False}, "set autovacuum = on"),
        ({"connections": 95}, "95 of 100 are in use: raise the server's max_connections, or lower SYNCLINE_POOL_SIZE"),
    ],
)
def test_a_server_that_is_not_set_up_well_is_told_with_the_remedy(setting: dict[str, object], said: str) -> None:
    ill = [check for check in _check_server({**SETTINGS, **setting}) if not check.ok]
    assert [said in check.text for check in ill] == [True]


def test_a_pooler_is_told() -> None:
    assert ["pooler" in check.text for check in _check_server({**SETTINGS, "pooled": True})] == [True]


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2_400_000, "2.4 MB"), (3.1e12, "3,100.0 GB")]
)
def test_sizes_are_for_people(count: float, said: str) -> None:
    assert _size(count) == said
