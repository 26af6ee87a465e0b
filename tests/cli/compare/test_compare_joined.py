"""Several workers at one comparison, and other people's schedulers: the same table as one alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import CELLS, VARY, question

from orthogan.experiments import claims, compare, joined
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


def start_worker(shared: tuple[str, ...], folder: Path, *more: str) -> subprocess.Popen[str]:
    words = ["compare", *VARY, "--seeds", "2", "--images", "64", "--out", "out", *shared, *more]
    return subprocess.Popen(
        [sys.executable, "-m", "orthogan", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_workers_end_in_the_table_of_one(
    shared: tuple[str, ...], filled: Path, ask, tmp_path: Path
) -> None:
    _, wanted, _ = ask()
    other = tmp_path / "other"
    other.mkdir()
    workers = [start_worker(shared, other, "--join") for _ in range(2)]
    told = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    assert table(told[0][0]) == table(told[1][0]) == table(wanted) != []
    trained = [line.split()[-1].rstrip(".") for _, err in told for line in err.splitlines()
               if "This worker trains" in line]  # fmt: skip
    assert sorted(trained) == sorted(CELLS)
    made = json.loads((other / "out" / "result.json").read_text())
    assert len(made["runs"]) == len(CELLS)


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
    shared: tuple[str, ...], filled: Path, ask, tmp_path: Path, monkeypatch
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
    _, wanted, _ = ask()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    code, commands, _ = ask("--plan")
    assert (code, len(commands.splitlines())) == (0, len(CELLS))
    shim = tmp_path / "bin" / "orthogan"
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
    code, found, _ = ask()
    assert (code, table(found)) == (0, table(wanted))


def both(submit: Callable[..., Any], gather: Callable[[Any], Any], ask_for: dict[str, Any]) -> Any:
    """What two workers of a scheduler return."""
    return [gather(job) for job in [submit(**ask_for, join=True) for _ in range(2)]]


def test_submitit_runs_workers(
    shared: tuple[str, ...], filled: Path, here: Path, tmp_path: Path
) -> None:
    submitit = pytest.importorskip("submitit", reason="submitit is not installed")
    wanted = compare(**question(shared), show_progress=False)
    executor = submitit.LocalExecutor(folder=tmp_path / "jobs")
    executor.update_parameters(timeout_min=10)
    there = {**question(shared), "out": str(tmp_path / "submitted"), "show_progress": False}
    found = both(lambda **asked: executor.submit(compare, **asked), lambda job: job.result(), there)
    for each in found:
        assert [row[:3] for row in each.table[1]] == [row[:3] for row in wanted.table[1]]


def test_ray_runs_workers(
    shared: tuple[str, ...], filled: Path, here: Path, tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed")
    wanted = compare(**question(shared), show_progress=False)
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    try:
        work = ray.remote(num_cpus=1)(lambda asked: compare(**asked).table)
        there = {**question(shared), "out": str(tmp_path / "rayed"), "show_progress": False}
        found = both(lambda **asked: work.remote(asked), ray.get, there)
    finally:
        ray.shutdown()
    for _, rows in found:
        assert [row[:3] for row in rows] == [row[:3] for row in wanted.table[1]]
