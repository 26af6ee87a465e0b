"""A slice of `benchmarks/kill_points.py`: kills, faults, and the same bits at the end."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from kill_points import table

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "kill_points.py"
COUNTS = {"random": 10, "aimed": 10, "damages": 100}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL and fork")
def test_a_slice_of_the_kill_points(tmp_path: Path) -> None:
    # Another slice each time; `KILL_SEED` repeats one.
    seed = os.environ.get("KILL_SEED", str(random.SystemRandom().randrange(10**6)))
    counts = [word for name, count in COUNTS.items() for word in (f"--{name}", str(count))]
    out = tmp_path / "found.json"
    words = [*counts, "--only", *COUNTS, "--kinds", "plain", "ill", "--seed", seed]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words, "--folder", str(tmp_path), "--out", str(out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"KILL_SEED={seed} repeats this: {done.stderr}"
    found = json.loads(out.read_text())
    for name, count in COUNTS.items():
        summary = found[name]["summary"]
        assert (summary["tried"], summary["fine"]) == (count, count), f"KILL_SEED={seed}"
    assert found["aimed"]["summary"]["points"] > 500


def test_the_page_shows_what_the_whole_script_found() -> None:
    record = json.loads((ROOT / "benchmarks" / "results" / "kill_points.json").read_text())
    assert table(record) in (ROOT / "docs" / "reliability.md").read_text()
