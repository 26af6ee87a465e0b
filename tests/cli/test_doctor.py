"""`orthogan doctor`: each check in its good and its bad case."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from orthogan.cli import checks
from orthogan.cli.checks import Check
from orthogan.errors import BundleError


def test_a_sound_machine(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MATMUL_SECONDS", 0.0)
    monkeypatch.setattr(checks, "MATMUL_SIZE", 64)
    monkeypatch.setattr(checks.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(checks, "usable_cores", lambda: 1024)
    answer = cli("doctor", "--json")
    tree = json.loads(answer.out)
    assert (answer.code, answer.err, tree["ready"]) == (0, "", True)
    found = {check["name"]: check["found"] for check in tree["checks"]}
    assert f"torch {torch.__version__.split('+')[0]}" in found["versions"]
    assert found["embedded MNIST"] == found["digits extractor"] == "checksum matches"
    assert found["matmul bfloat16"].endswith("GFLOP/s")


def test_problems_come_with_advice_and_a_failure_with_a_code(
    cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Check(name="disk", found="0 GB", status="failed", advice="free some space.")
    monkeypatch.setattr(checks, "examine", lambda: [Check(name="speed", found="9"), bad])
    answer = cli("doctor")
    assert answer.code == 3
    assert answer.err == "disk: free some space.\n"
    assert [line.split()[0] for line in answer.out.splitlines()] == ["check", "speed", "disk"]


def test_oversubscription_is_a_warning() -> None:
    assert checks.check_threads(2, 2).status == "ok"
    assert checks.check_threads(3, 2).status == "warning"
    assert "--threads 2" in checks.check_threads(3, 2).advice
    assert checks.check_load(0.3, 2).status == "ok"
    assert "ten times slower" in checks.check_load(2.1, 2).advice


def test_a_damaged_asset_fails() -> None:
    def load() -> object:
        raise BundleError("weights: damaged.")

    check = checks.check_asset("demo", load)
    assert (check.status, check.found) == ("failed", "weights: damaged.")


def test_an_unwritable_folder_fails(tmp_path: Path) -> None:
    assert checks.check_writable(tmp_path).status == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    assert checks.check_writable(tmp_path / "file").status == "failed"


def test_little_disk_space_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_disk(tmp_path).found.endswith("free")
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**6))
    assert checks.check_disk(tmp_path).status == "warning"


def test_no_compiler_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    assert checks.check_compiler() == Check(name="compiler", found="none; training runs uncompiled")
    monkeypatch.setattr(checks.shutil, "which", lambda name: f"/bin/{name}")
    assert checks.check_compiler().found == "/bin/c++"


def test_the_accelerator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    assert checks.check_device().found == "cuda (H100)"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert checks.check_device().found in {"cpu", "mps"}


def test_cores_are_counted_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.usable_cores() >= 1
    monkeypatch.delattr(checks.os, "sched_getaffinity", raising=False)
    assert checks.usable_cores() >= 1
