"""The list of planted faults fits the tree, and the tool tells survivors from the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"

MUTANTS = """
[tests]
"src/sums.py" = ["tests/test_sums.py"]

[[mutant]]
name = "the sum is a difference"
file = "src/sums.py"
old = "left + right"
new = "left - right"

[[mutant]]
name = "the sum kills the process"
file = "src/sums.py"
old = "left + right"
new = "__import__('os').abort()"
tests = ["tests/test_sums.py::test_sums"]

[[mutant]]
name = "the larger is the smaller"
file = "src/sums.py"
old = "max("
new = "min("

[[mutant]]
name = "equal is not larger"
file = "src/sums.py"
old = "left >= right"
new = "left > right"
equivalent = "equal numbers may be taken in either order"
"""
SUMS = """
def total(left, right):
    return left + right


def larger(left, right):
    return max(left, right)


def ordered(left, right):
    return (right, left) if left >= right else (left, right)
"""
TESTS = """
from sums import ordered, total


def test_sums():
    assert total(1, 2) == 3
    assert ordered(2, 1) == ordered(1, 2) == (1, 2)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project with the tool in it."""
    for name, text in {
        "src/sums.py": SUMS,
        "tests/test_sums.py": TESTS,
        "scripts/mutants/sums.toml": MUTANTS,
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["src"]\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("mutate", "mutation.py"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts" / name)
    return tmp_path


def mutate(root: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, str(root / "scripts" / "mutate"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_every_fault_has_its_place_and_its_tests() -> None:
    code, out, err = mutate(ROOT, "--list", "--json")
    assert code == 0, err
    listed: list[dict[str, Any]] = json.loads(out)
    assert len(listed) >= 240
    for each in listed:
        assert each["file"].startswith("src/orthogan/")
        if each["file"].endswith(".py"):
            changed = (ROOT / each["file"]).read_text().replace(each["old"], each["new"])
            compile(changed, each["file"], "exec")


def test_survivors_are_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")  # meant for the tests around these
    before = {path: path.read_bytes() for path in (tree / "src").glob("*.py")}
    code, out, err = mutate(tree)
    assert code == 1, err
    assert out.splitlines() == [
        "survived    src/sums.py: the larger is the smaller",
        "            not found by tests/test_sums.py",
        "equivalent  src/sums.py: equal is not larger",
        "            equal numbers may be taken in either order",
        out.splitlines()[-1],
    ]
    assert out.splitlines()[-1].startswith("4 faults: 2 killed, 1 survived, 1 equivalent; ")
    assert before == {path: path.read_bytes() for path in (tree / "src").glob("*.py")}


def test_what_is_left_without_survivors(tree: Path) -> None:
    code, out, err = mutate(tree, "--only", "difference|kills|equal", "--json", "--jobs", "2")
    assert code == 0, err
    assert [each["result"] for each in json.loads(out)] == ["killed", "killed", "equivalent"]


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("src/sums.py", "left + right", "right + left", "is found 0 times in src/sums.py"),
        ("src/sums.py", "return max(", "max(1, 2)\n    return max(", "is found 2 times in src"),
        ("scripts/mutants/sums.toml", '"left - right"', '"left + right"', "changes nothing"),
        ("scripts/mutants/sums.toml", "test_sums.py", "test_sum.py", "which does not exist"),
        ("scripts/mutants/sums.toml", "::test_sums", "::test_sum", "which does not exist"),
        ("scripts/mutants/sums.toml", '"src/sums.py" = ', '"src/sum.py" = ', "names no tests"),
        ("tests/test_sums.py", "== 3", "== 4", "Tests fail without any fault"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(tree: Path, file, old, new, sentence: str) -> None:
    path = tree / file
    path.write_text(path.read_text().replace(old, new))
    code, out, err = mutate(tree)
    assert (code, out) == (2, "")
    assert sentence in err


def test_a_pattern_that_finds_nothing(tree: Path) -> None:
    assert mutate(tree, "--only", "nothing")[::2] == (2, "mutate: No mutant matches 'nothing'.\n")
