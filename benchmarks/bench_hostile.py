"""What a crawl makes of a hostile site: one row for each behaviour, expected and seen.

The site is tests/integration/hostile_site.py, served on loopback from this process. Worse is a row that did not
hold, more memory, or more seconds. `--json` prints the rows for the test, `--write` puts the tables into
docs/robustness.md. Memory is the highest resident set of the process after the crawl, less what it was before.
"""

import argparse
import json
import platform
import re
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "robustness.md"
MARK, END = "<!-- measured -->", "<!-- /measured -->"
MOST_SEEN = 100  # characters of a reason that a table shows


def peak() -> int:
    """The highest resident set so far, in KiB (macOS counts bytes)."""
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest // 1024 if sys.platform == "darwin" else highest


def measure() -> dict[str, Any]:
    """Both crawls of the hostile site."""
    sys.path.insert(0, str(ROOT / "tests" / "integration"))
    import hostile_site

    before = peak()
    began = time.monotonic()
    rows, traps, seconds = hostile_site.crawl_pages()
    memory = peak() - before
    rows += hostile_site.crawl_sites()
    return {
        "rows": [row._asdict() for row in rows],
        "traps": [trap.reason for trap in traps],
        "memory_kib": memory,
        "crawl_seconds": seconds,
        "seconds": time.monotonic() - began,
    }


def tables(measured: dict[str, Any]) -> str:
    """The tables in markdown, a behaviour a row."""
    rows = measured["rows"]
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()} on {platform.machine()}: "
        f"{len(rows)} behaviours, {sum(row['held'] for row in rows)} as expected; "
        f"the crawl of the {sum(row['group'] != 'host' for row in rows)} pages took "
        f"{measured['crawl_seconds']:.0f} s and added {measured['memory_kib'] / 1024:.0f} MB to the process.",
        "",
        "| group | what the site does | expected | seen | requests |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        mark = "" if row["held"] else "**NOT AS EXPECTED** "
        cells = (row["group"], row["does"], row["expected"], mark + short(row["seen"]), str(row["requests"]))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    lines += ["", "The traps, as the report names them:", "", *(f"- {short(trap, 200)}" for trap in measured["traps"])]
    return "\n".join(lines) + "\n"


def short(text: str, most: int = MOST_SEEN) -> str:
    portless = re.sub(r"(127\.0\.0\.1):\d{4,5}", r"\1:PORT", text)
    printable = "".join(character if character.isprintable() else "?" for character in portless)
    return printable if len(printable) <= most else f"{printable[: most - 1]}…"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON document")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/robustness.md")
    asked = parser.parse_args()
    measured = measure()
    if asked.json:
        print(json.dumps(measured))
        return 0
    written = tables(measured)
    if asked.write:
        head, _, rest = PAGE.read_text("utf-8").partition(MARK)
        PAGE.write_text(f"{head}{MARK}\n\n{written}\n{END}{rest.partition(END)[2]}", "utf-8")
    print(written)
    return 0 if all(row["held"] for row in measured["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
