"""Several workers at one comparison, and other people's schedulers: the same table as one alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from asking import CELLS

from orthogan.cli import main
from orthogan.experiments import Comparison, claims, compare, joined
from orthogan.experiments.claims import WORKING, Claims
from orthogan.gan import api

ORTHOGAN = f'#!/bin/sh\nexec "{sys.executable}" -m orthogan "$@"\n'


@pytest.fixture
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for another."""
    monkeypatch.setattr(joined, "POLL_S", 0.05)


def table(out: str) -> list[list[str]]:
    """The table without times, which differ."""
    rows = [line.split("  ") for line in out.splitlines() if line.startswith("generator.score=")]
    cells = [[cell.strip() for cell in row if cell.strip()][:4] for row in rows]
    return [row for row in cells if len(row) == 4]  # not the sentences below the table


@pytest.fixture
def small(tiny_file: Path, tiny_classifier: tuple[str, ...], here: Path) -> dict[str, Any]:
    """A question about classifiers, whose runs take a second each."""
    return {
        "task": "classify",
        "vary": {"network.score": ["softmax", "cosine"]},
        "seeds": 2,
        "images": 64,
        "source": str(tiny_file),
        "threads": 1,
        "settings": tiny_classifier,
    }


def words_of(small: dict[str, Any], *more: str) -> list[str]:
    settings = [word for each in small["settings"] for word in ("--set", each)]
    fixed = ["--vary", "network.score=softmax,cosine", "--seeds", "2", "--images", "64"]
    data = ["--data", small["source"], "--threads", "1"]
    return ["compare", "--task", "classify", *fixed, *data, *settings, *more]


def rows(found: Comparison) -> list[list[str]]:
    """The table without times, which differ."""
    return [row[:4] for row in found.table[1]]


def test_two_workers_end_in_the_table_of_one(small: dict[str, Any], here: Path) -> None:
    wanted = compare(**small, out="alone", show_progress=False)
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "orthogan", *words_of(small, "--join", "--out", "joined")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    trained = [
        line.split()[-1].rstrip(".")
        for _, err in told
        for line in err.splitlines()
        if "This worker trains" in line
    ]
    names = [
        f"network.score={score}-seed{seed}" for score in ("cosine", "softmax") for seed in "01"
    ]
    assert sorted(trained) == names
    assert rows(compare(here / "joined", show_progress=False)) == rows(wanted) != []


@pytest.mark.usefixtures("quick_polls")
def test_failing_runs_are_tried_again_and_given_up(
    filled: Path, ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(filled / CELLS[2])
    calls: list[Path] = []

    def fail(*_args: Any, run: Path, **_options: Any) -> None:
        calls.append(run)
        raise RuntimeError("the GPU fell off")

    monkeypatch.setattr(api, "train", fail)
    code, out, err = ask("--join")
    assert code == 3
    assert [path.name for path in calls] == [CELLS[2]] * claims.MOST_FAILURES
    assert f"{CELLS[2]} failed, 1 of 3, so it is tried again: RuntimeError: the GPU fell off" in err
    assert f"1 of the runs failed 3 times, such as {CELLS[2]}: RuntimeError" in err
    assert table(out) == []


@pytest.mark.usefixtures("quick_polls")
def test_a_worker_waits_for_the_others(
    filled: Path, ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = shutil.move(filled / CELLS[1], tmp_path / "kept")
    claim = Claims(filled / ".claims").take(CELLS[1])
    assert claim is not None
    Claims(filled / ".claims").end(claim, WORKING)  # of this process, which lives
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            shutil.move(kept, filled / CELLS[1])

    monkeypatch.setattr(joined.time, "sleep", sleep)
    code, _, err = ask("--join")
    assert (code, len(waited)) == (0, 3)
    assert "Other workers train the rest; this one waits for them." in err


def test_plan_and_join_exclude_each_other(ask) -> None:
    code, _, err = ask("--plan", "--join")
    assert (code, "join has no effect" in err) == (2, True)


def test_the_commands_of_a_plan_run_under_gnu_parallel(
    small: dict[str, Any], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parallel = shutil.which("parallel")
    if (
        parallel is None
        or "GNU"
        not in subprocess.run(
            [parallel, "--version"], capture_output=True, text=True, check=False
        ).stdout
    ):
        pytest.skip("GNU parallel is not installed")
    assert main(words_of(small, "--plan", "--out", "planned")) == 0
    commands = capsys.readouterr().out
    shim = here / "bin" / "orthogan"
    shim.parent.mkdir()
    shim.write_text(ORTHOGAN)
    shim.chmod(0o755)
    done = subprocess.run(
        [parallel, "--jobs", "2", "--retries", "3"],
        input=commands,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = compare(**small, out="planned", show_progress=False)
    assert rows(found) == rows(compare(**small, out="alone", show_progress=False)) != []


def test_submitit_runs_workers(small: dict[str, Any], here: Path) -> None:
    submitit = pytest.importorskip("submitit", reason="submitit is not installed")
    executor = submitit.LocalExecutor(folder=here / "jobs")
    executor.update_parameters(timeout_min=10)
    there = small | {"out": str(here / "joined"), "join": True, "show_progress": False}
    jobs = [executor.submit(compare, **there) for _ in range(2)]
    wanted = rows(compare(**small, out="alone", show_progress=False))
    assert [rows(job.result()) for job in jobs] == [wanted, wanted]


def test_ray_runs_workers(small: dict[str, Any], here: Path) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    try:
        work = ray.remote(num_cpus=1)(lambda asked: compare(**asked).table)
        there = small | {"out": str(here / "joined"), "join": True, "show_progress": False}
        found = ray.get([work.remote(there) for _ in range(2)])
    finally:
        ray.shutdown()
    wanted = rows(compare(**small, out="alone", show_progress=False))
    assert [[row[:4] for row in table_rows] for _, table_rows in found] == [wanted, wanted]
