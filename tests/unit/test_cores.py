"""Threads and cores: what may be used is found, and more threads than that are told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from disturbances import at_step, record

from orthogan.training import cores, launch
from orthogan.training.cores import quota, usable_cores
from orthogan.training.launch import set_threads, thread_count


def group(tmp_path: Path, membership: str, **files: str) -> tuple[Path, Path]:
    """Control groups with these files, `/` written as two underscores; and who is a member."""
    for name, text in files.items():
        path = tmp_path / "cgroup" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")).write_text(
            text
        )
    (tmp_path / "member").write_text(membership)
    return tmp_path / "cgroup", tmp_path / "member"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"cpu_max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu_max": "max 100000\n"}, float("inf")),
        ("0::/a/b\n", {"a__b__cpu_max": "max 100000\n", "a__cpu_max": "50000 100000\n"}, 0.5),
        ("0::/elsewhere/x\n", {"cpu_max": "200000 100000\n"}, 2.0),  # inside of a container
        (
            "4:memory:/m\n3:cpu,cpuacct:/d/x\n",
            {
                "cpu,cpuacct__d__x__cpu_cfs_quota_us": "300000\n",
                "cpu,cpuacct__d__x__cpu_cfs_period_us": "100000\n",
                "memory__m__cpu_max": "1 100000\n",
            },
            3.0,
        ),
        (
            "3:cpu:/\n",
            {"cpu__cpu_cfs_quota_us": "-1\n", "cpu__cpu_cfs_period_us": "100000\n"},
            float("inf"),
        ),
        ("garbage\n\n0::/../..\n", {"cpu_max": "two words\n"}, float("inf")),
        ("", {}, float("inf")),
    ],
)
def test_quota(tmp_path: Path, membership: str, files: dict[str, str], expected: float) -> None:
    assert quota(*group(tmp_path, membership, **files)) == expected


def test_a_machine_without_control_groups(tmp_path: Path) -> None:
    assert quota(tmp_path / "none", tmp_path / "neither") == float("inf")


@pytest.mark.parametrize(
    ("pinned", "quota_s", "expected"), [(3, 8.0, 3), (8, 2.9, 2), (8, 0.5, 1), (2, float("inf"), 2)]
)
def test_affinity_and_quota_bound_the_cores(
    monkeypatch: pytest.MonkeyPatch, pinned: int, quota_s: float, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(pinned), raising=False)
    monkeypatch.setattr(cores, "quota", lambda *_: quota_s)
    assert usable_cores() == expected


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    monkeypatch.setattr(launch, "usable_cores", lambda: 1)


def test_a_fresh_run_takes_no_more_threads_than_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for count in (1, 3, 8, 64):
        monkeypatch.setattr(launch, "usable_cores", lambda count=count: count)
        assert thread_count(None, tmp_path) == min(count, 8)
        assert thread_count(5, tmp_path) == 5


@pytest.mark.parametrize("asked", [1, None])
def test_threads_that_fit_are_not_spoken_of(one_core: None, tmp_path: Path, asked: Any) -> None:
    assert set_threads(asked, tmp_path) == []


def test_too_many_threads_are_told_with_what_to_do(one_core: None, tmp_path: Path) -> None:
    (said,) = set_threads(2, tmp_path)
    assert said.startswith("2 threads, as --threads asks, are more than the 1 usable here")
    assert said.endswith("as long; use --threads 1, at the price of other last bits.")
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("kind", ["gan", "classifier", "language"])
def test_a_resumed_run_keeps_its_threads_and_says_so(
    train_tiny: Callable[..., Any],
    classify_tiny: Callable[..., Any],
    learn_tiny: Callable[..., Any],
    one_core: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    train = {"gan": train_tiny, "classifier": classify_tiny, "language": learn_tiny}[kind]
    path = tmp_path / "run"
    train(path, show_progress=True)
    assert "threads" not in capsys.readouterr().err
    written = record(path)
    written["provenance"]["threads"], written["status"] = 2, "interrupted"
    (path / "run.json").write_text(json.dumps(written))
    train(path, show_progress=True)
    told = capsys.readouterr().err
    assert f"2 threads, as {path} had before, are more than the 1 usable here" in told
    assert "free more cores, which keeps every bit, or use --threads 1" in told
    assert torch.get_num_threads() == 2
    written["status"] = "interrupted"
    (path / "run.json").write_text(json.dumps(written))
    train(path, show_progress=True, threads=1)
    told = capsys.readouterr().err
    assert f"{path} had 2 threads and goes on with 1: the last bits of its numbers" in told
    assert "usable" not in told
    assert torch.get_num_threads() == 1


PROGRAM = """
import json, sys
from orthogan.gan import api
run = api.train(sys.argv[1], run=sys.argv[2], images=32, settings=json.loads(sys.argv[3]),
                threads=int(sys.argv[4]) or None)
import torch
print(run.status, torch.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot pin")
@pytest.mark.parametrize(("threads", "expected", "told"), [(0, 1, False), (2, 2, True)])
def test_a_pinned_process(
    tiny_file: Path,
    tiny_settings: Callable[..., tuple[str, ...]],
    tmp_path: Path,
    threads: int,
    expected: int,
    told: bool,
) -> None:
    core = min(os.sched_getaffinity(0))
    words = [str(tiny_file), str(tmp_path / "run"), json.dumps(tiny_settings()), str(threads)]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "4"},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    assert done.stdout == f"done {expected}\n"
    assert ("more than the 1 usable here" in done.stderr) is told


def test_a_stopped_run_goes_on_with_other_threads(
    train_tiny: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 3, lambda _: signal.raise_signal(signal.SIGINT))
        train_tiny(tmp_path / "run", threads=1, images=80)
    run = train_tiny(tmp_path / "run", threads=2, images=80)
    assert (run.status, run.images_seen) == ("done", 80)
    assert record(run.path)["resumed_with"][0]["threads"] == 2
