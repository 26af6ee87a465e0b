"""Claims on the runs of a comparison: one worker for each, and what becomes of dead ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orthogan.errors import DataError
from orthogan.experiments import claims
from orthogan.experiments.claims import FAILED, FINISHED, RELEASED, WORKING, Claims, signs_of_life

RUNS = [f"run-{number}" for number in range(20)]


def taken(folder: Path) -> list[str]:
    """What one of several workers gets, all of which ask for everything."""
    found = Claims(folder)
    return [run for run in RUNS if found.take(run) is not None]


def test_no_two_workers_get_the_same_run(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(taken, [tmp_path] * 8))
    assert sorted(run for part in parts for run in part) == sorted(RUNS)


def test_a_claim_is_left_to_a_worker_that_lives(tmp_path: Path) -> None:
    first = Claims(tmp_path).take("run")
    assert first is not None
    assert Claims(tmp_path).take("run") is None
    Claims(tmp_path).end(first, RELEASED)
    second = Claims(tmp_path).take("run")
    assert second is not None
    assert (second.number, second.failures) == (2, 0)
    Claims(tmp_path).end(second, FINISHED)
    assert Claims(tmp_path).take("run") is None


def test_the_run_of_a_dead_worker_is_taken_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    for failures in range(claims.MOST_FAILURES):
        claim = Claims(tmp_path).take("run")
        assert claim is not None
        assert (claim.number, claim.failures) == (failures + 1, failures)
        assert claim.why == ("its worker died" if failures else "")
        Claims(tmp_path).end(replace(claim, pid=dead.pid), WORKING)
    assert Claims(tmp_path).take("run") is None
    given_up = Claims(tmp_path).is_given_up("run")
    assert given_up is not None
    assert given_up.failures == claims.MOST_FAILURES


def test_a_run_is_given_up_after_some_failures(tmp_path: Path) -> None:
    found = Claims(tmp_path)
    for number in range(claims.MOST_FAILURES):
        claim = found.take("run")
        assert claim is not None
        assert found.is_given_up("run") is None
        found.end(replace(claim, failures=number + 1), FAILED, "no luck")
    assert found.take("run") is None
    given_up = found.is_given_up("run")
    assert given_up is not None
    assert given_up.why == "no luck"


def test_a_worker_elsewhere_is_lost_when_it_gives_no_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "SILENT_S", 0.2)
    monkeypatch.setattr(claims, "SIGN_S", 0.02)
    claim = Claims(tmp_path).take("run")
    assert claim is not None
    monkeypatch.setattr(claims, "_place", lambda: "another machine")
    watching = Claims(tmp_path)
    with signs_of_life(claim):
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            assert watching.take("run") is None
            time.sleep(0.05)
    os.utime(claim.path, (1, 1))  # its clock is wrong, which is no matter
    assert watching.take("run") is None
    time.sleep(0.3)
    assert Claims(tmp_path).take("run") is None  # one who has just come cannot know
    found = watching.take("run")
    assert found is not None
    assert (found.number, found.failures) == (2, 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"place": 1}', '{"pid": "x", "place": ""}'])
def test_a_damaged_claim_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.1.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.1\.json.*remove it"):
        Claims(tmp_path).take("run")


def test_a_claim_that_is_being_written_is_anothers(tmp_path: Path) -> None:
    (tmp_path / "run.1.json").touch()
    assert Claims(tmp_path).take("run") is None
    assert Claims(tmp_path).take("run.1") is not None
