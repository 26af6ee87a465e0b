"""The score of the document passes every contract that the built-in ones pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACTS = ["test_score_contracts.py", "test_key_contracts.py"]


def example() -> str:
    text = (ROOT / "docs" / "add-a-score.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return str(block)


def run_contracts(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Every contract test of the score, in a process where the program registers it first."""
    (folder / "documented_score.py").write_text(program, encoding="utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    words = ["-m", "pytest", "-q", "-p", "documented_score", "-p", "no:cacheprovider"]
    files = [str(ROOT / "tests" / "contracts" / name) for name in CONTRACTS]
    # Options of the suite around this one, such as a required coverage, are not meant for it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(
        [sys.executable, *words, *files, "-k", "softplus"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
    )


def test_the_example_is_short() -> None:
    assert len(example().splitlines()) < 30


def test_the_example_passes_the_whole_contract_suite(tmp_path: Path) -> None:
    done = run_contracts(tmp_path, example())
    assert done.returncode == 0, done.stdout[-3000:]
    (passed,) = re.findall(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert int(passed) > 40


def test_a_broken_example_does_not(tmp_path: Path) -> None:
    broken = example().replace("num_readable(query, key, mask)", "key.shape[-2]")
    done = run_contracts(tmp_path, broken)
    assert done.returncode == 1
    assert "test_masked_keys_might_as_well_not_be_there" in done.stdout
