"""The table of the watch holds what planted failures taught, and the page says what they say."""

from __future__ import annotations

import json
from pathlib import Path

from sick_learning import AT_LEAST, DEAD, FIXED, table

from orthogan.gan.watch.detectors import STEPS

ROOT = Path(__file__).parents[2]
RECORD = json.loads((ROOT / "benchmarks" / "results" / "sick_runs.json").read_text())


def test_the_thresholds_are_the_learned_ones() -> None:
    rows = {row.key: row.threshold for row in STEPS}
    learned = {key: found["threshold"] for key, found in RECORD["thresholds"].items()}
    assert {key: rows[key] for key in learned} == learned
    assert all(key in DEAD or key.startswith(FIXED) for key in rows.keys() - learned.keys())
    assert AT_LEAST.keys() <= learned.keys()


def test_the_page_shows_the_report() -> None:
    assert table(RECORD) in (ROOT / "docs" / "reliability.md").read_text()
