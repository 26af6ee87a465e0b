"""The page about looking at attention: its examples run, its numbers are those of the results."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import attention_maps

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "look.md").read_text()
TEXT = " ".join(PAGE.split())
RECORD = json.loads((ROOT / "benchmarks" / "results" / "attention_maps.json").read_text())
DEFAULT = RECORD["summary"]["default"]


def test_the_examples_run() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(code, {}, "look.md", None, 0)
    assert len(examples.examples) > 5
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(examples)
    assert runner.summarize(verbose=False).failed == 0


def test_the_table_is_that_of_the_results() -> None:
    assert attention_maps.table(RECORD) in PAGE
    assert f"{RECORD['images']:,} images each" in TEXT


def test_training_changes_the_maps_of_both_networks() -> None:
    """In entropy, over five seeds, and farther than other images change them."""
    for role in ("generator", "discriminator"):
        entropy, moved = DEFAULT[role]["entropy_fraction"], DEFAULT[role]["moved"]
        assert DEFAULT[role]["seeds"] == 5
        assert entropy["interval"][1] < 0
        assert entropy["same sign in"] == 5
        assert moved["interval"][0] > 0
    for role in ("generator", "discriminator"):
        row = DEFAULT[role]["entropy_fraction"]
        low, high = row["interval"]
        said = f"{row['before']:.4f} to {row['after']:.4f} (difference {row['difference']:.4f}"
        assert f"{said}, 95 % interval {low:.4f} to {high:.4f})" in TEXT


def test_the_page_says_what_the_heads_do() -> None:
    heads = {
        role: [
            head
            for run in RECORD["runs"]["default"].values()
            for layer in run[role]["heads"]
            for head in layer["heads"]
        ]
        for role in ("generator", "discriminator")
    }
    assert len(heads["generator"]) == 10
    assert len(heads["discriminator"]) == 20
    # Every head of the generator selects more than before, and prefers plain patches.
    assert all(h["attended"] < h["untrained"]["attended"] - 4 for h in heads["generator"])
    assert all(h["detail_lift"] < 0.9 for h in heads["generator"])
    assert all(h["position_fraction"] < 0.5 for h in heads["generator"])
    # Every head of the discriminator nearly averages; what there is of a pattern is of places.
    assert all(h["entropy_fraction"] > 0.97 for h in heads["discriminator"])
    assert all(h["detail_lift"] < 1 for h in heads["discriminator"])
    assert all(h["place_fraction"] > 0.8 for h in heads["discriminator"])
