"""The page about attention: its examples run, its tables are those of the results."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import studies

from orthogan.attention import key_names, score_names

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attention.md").read_text()


def test_the_examples_run() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(code, {}, "attention.md", None, 0)
    assert len(examples.examples) > 5
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(examples)
    assert runner.summarize(verbose=False).failed == 0


def test_every_switch_is_named() -> None:
    for name in (*score_names(), *key_names()):
        assert name in PAGE


def test_the_tables_are_those_of_the_results() -> None:
    assert studies.tables(studies.read_record()) in PAGE


def test_a_study_compares_by_seed() -> None:
    runs = {
        "class token": {str(s): {"value": 0.90 + 0.01 * s, "parameters": 7} for s in range(3)},
        "mean": {str(s): {"value": 0.91 + 0.011 * s, "parameters": 5} for s in range(3)},
    }
    found = studies.summarise("read-out", runs)
    assert found["class token"]["mean"] == 0.91
    assert 0.0109 < found["mean"]["difference"]["value"] < 0.0111
    assert found["mean"]["p, corrected"] < 0.01  # 0.01, 0.011, 0.012: small beside their spread
    assert found["mean"]["seeds"] == 3


def test_studies_go_on_where_they_stopped() -> None:
    record = {"runs": {"read-out": {"mean": {"0": {}}}}}
    left = list(studies.missing(record, ["read-out"], 2))
    assert left == [
        ("read-out", "class token", 0), ("read-out", "class token", 1), ("read-out", "mean", 1),
    ]  # fmt: skip
