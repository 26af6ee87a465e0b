"""The page about convolution: its examples run, its numbers are those of the results."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "convolution.md").read_text()
RECORD = json.loads((ROOT / "benchmarks" / "results" / "convolution_pictures.json").read_text())


def test_the_examples_run() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(code, {}, "convolution.md", None, 0)
    assert len(examples.examples) > 15
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(examples)
    assert runner.summarize(verbose=False).failed == 0


def test_the_numbers_are_those_of_the_results() -> None:
    shares = RECORD["attention to convolution"]
    reach = {
        name: {point["width"]: point["error"] for point in points}
        for name, points in RECORD["next token on a line"]["reach"].items()
    }
    text = " ".join(PAGE.split())
    assert f"explains {shares['free share']:.2f} of the variance" in text
    assert f"{shares['row plus column share']:.2f} of the variance of the wavelet" in text
    assert f"{reach['geometric'][64]:.2f} at width 64" in text
    assert f"{reach['geometric'][512]:.2f} at width 512" in text
    assert reach["fourier"][52] > 0.1
    assert reach["fourier"][56] < 1e-12


def test_the_results_hold_what_the_page_proves() -> None:
    there = RECORD["convolution to attention"]
    assert there["weights come back bit for bit"] is True
    assert there["largest difference, by index"] < 1e-12
    assert there["largest difference, dense"] < 1e-12
    assert RECORD["attention to convolution"]["torus error"] < 1e-12
    for curve in RECORD["sharp heads"].values():
        assert curve["output_error"][-1] < 1e-15
