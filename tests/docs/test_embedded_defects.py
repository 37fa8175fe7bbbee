"""The list of what goes wrong in embedded servers names a test for each line, and the tests are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_that_the_page_of_the_embedded_database_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "embedded-database.md").read_text("utf-8")))
    files = [*(ROOT / "tests").glob("*/test_embedded*.py"), *(ROOT / "tests").glob("unit/engine/test_embedded*.py")]
    there = {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)}
    assert len(named) >= 14
    assert named - there == set()
