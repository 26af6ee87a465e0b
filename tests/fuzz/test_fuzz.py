"""A slice of the fuzzer, and every input that once failed.

`ORTHOGAN_FUZZ_SECONDS=120` makes the slice as long as in CI, `ORTHOGAN_FUZZ_SEED` makes it another
one. `python tests/fuzz/run.py` is the same for hours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz import legs
from fuzz.judging import Finding, case
from fuzz.registry import TARGETS, Calls, Target
from fuzz.run import ROOT, target_of
from fuzz.structured import plain
from orthogan.errors import DataError, OrthoganError

HERE = Path(__file__).parent
REGRESSIONS = sorted((HERE / "regressions").glob("*.bin"))
FEW = 12  # executions of a target where nobody asks for more: the seeds, and damage to some
LEAST_TARGETS = 19

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")


def fuzz(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / "run.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_a_slice_finds_nothing(tmp_path: Path) -> None:
    seconds = os.environ.get("ORTHOGAN_FUZZ_SECONDS")
    length = ["--for", f"{seconds}s"] if seconds else ["--executions", str(FEW)]
    seed = os.environ.get("ORTHOGAN_FUZZ_SEED", "0")
    done = fuzz(*length, "--seed", seed, "--json", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr[-20_000:]
    summary = json.loads(done.stdout)["targets"]
    assert len(summary) >= LEAST_TARGETS
    assert all(row["executions"] > 0 and not row["failures"] for row in summary.values())


# Pictures of forms that are not read: PPM, and floats beyond 1.
REFUSED = {"picture": 1, "tiff": 1}


@pytest.mark.parametrize("name", [name for name in TARGETS if not name.startswith("resume-")])
def test_valid_inputs_are_valid(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, refused = TARGETS[name], 0
    for number, content in enumerate(target.seeds):
        place = tmp_path / str(number)
        place.mkdir()
        monkeypatch.chdir(place)
        refused += not any(map(_gives_a_value, target.read(content, place)))
    assert refused == REFUSED.get(name, 0)


def _gives_a_value(call: Callable[[], object]) -> bool:
    try:
        call()
    except OrthoganError:
        return False
    return True


def test_what_once_failed_is_mended() -> None:
    assert all(target_of(path) for path in REGRESSIONS)
    if REGRESSIONS:
        done = fuzz("--replay", *map(str, REGRESSIONS))
        assert done.returncode == 0, done.stderr[-20_000:]


# ---- what the fuzzer must notice


class RawError(DataError):
    """One whose message is as it was given."""

    __str__ = Exception.__str__


def _reader(content: bytes, folder: Path) -> Calls:
    """Does what the input says, as a faulty reader would."""
    (folder / "x").write_bytes(content)
    yield lambda: exec(content.decode(), {"DataError": DataError, "RawError": RawError})


def found(program: str) -> tuple[list[Finding], legs.Outcome]:
    target = Target("faulty", _reader, lambda: [b"pass"], plain)
    leg = legs.start(target, 0, 0, 1, program.encode())
    outcome = legs.ended(leg, os.waitpid(leg.pid, 0)[1])
    return [finding for _, finding in outcome.findings], outcome


@pytest.mark.parametrize(
    "program",
    ["pass", "raise DataError('x.npz: is damaged; copy it again.')", "b'a' * 2**28", "import os"],
)
def test_values_and_refusals_are_fine(program: str) -> None:
    findings, outcome = found(program)
    assert not findings
    assert (outcome.executions, outcome.following) == (1, 1)


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("{}['a']", "KeyError"),
        ("exit(0)", "SystemExit"),
        ("raise RawError('one line\\nand another')", "message with a control character"),
        ("raise RawError('red \\x1b[31m')", "message with a control character"),
        ("raise RawError('half \\ud800')", "message with a control character"),
        ("raise RawError('long ' * 200)", "message too long"),
        ("raise DataError('')", "message without a word"),
        ("print('hello')", "wrote to stdout"),
        ("import os; os.write(1, b'deep')", "wrote to stdout"),
        ("import warnings; warnings.warn('odd')", "wrote to stderr"),
        ("b'a' * 2**30", "memory"),
        ("try: b'a' * 2**30\nexcept MemoryError: raise DataError('too large')", "memory"),
        ("while True: pass", "hang"),
        ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    ],
)
def test_faults_are_found(program: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.judging.KILL_S", 0.2)
    findings, outcome = found(program)
    assert [finding.kind for finding in findings] == [kind]
    assert (outcome.executions, outcome.following) == (1, 1)


def test_a_slow_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.judging.LIMIT_S", 0.05)
    (finding,), _ = found("sum(range(10_000_000))")
    assert finding.kind == "slow"


def test_a_blocked_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.judging.BLOCKED_S", 0.2)
    (finding,), _ = found("import time; time.sleep(60)")
    assert finding.kind == "blocked"


@pytest.mark.parametrize("name", ["npy-images", "picture-zip", "run-record"])
def test_an_input_is_a_function_of_its_numbers(name: str) -> None:
    target = TARGETS[name]
    inputs = [case(target, 1, index) for index in range(60)]
    assert inputs == [case(target, 1, index) for index in range(60)]
    assert inputs[: len(target.seeds)] == target.seeds
    assert len(set(inputs)) > 40
    assert inputs[20:] != [case(target, 2, index) for index in range(20, 60)]
