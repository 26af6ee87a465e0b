"""The package in examples/plugin: installed beside ours, it works without a change in ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin"
# Commands run one after the other in one process, so that PyTorch is imported once; runs are scored
# by the quick extractor, as in all tests. Given commands as JSON, it prints [code, output] of each.
RUN_ALL = """
import contextlib, functools, io, json, sys
from orthogan.cli import main
from orthogan.evaluation import LiveScore
from orthogan.gan import task
task.LiveScore = functools.partial(LiveScore, extractor="digits-cls")
answers = []
for words in json.load(sys.stdin):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(words)
    answers.append([code, printed.getvalue()])
print(json.dumps(answers))
"""
TRAIN = ("train", "stripes", "--model", "low-rank-gan", "--images", "128", "--run", "run")
TINY = ("loss=smoothed", "batch_size=16", "generator.hidden=16", "discriminator.channels=4")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, as pip installs it; nothing is fetched."""
    pytest.importorskip("setuptools", reason="setuptools, which builds the package, is missing")
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source")  # building leaves files beside the sources
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--target", folder / "site", folder / "source"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


def environment(*folders: Path, cache: Path) -> dict[str, str]:
    path = os.pathsep.join([*map(str, folders), os.environ["PYTHONPATH"]])
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return kept | {"PYTHONPATH": path, "ORTHOGAN_CACHE": str(cache)}


def run_all(commands: list[list[str]], folder: Path, **places: Path) -> tuple[list[Any], str]:
    """The code and the output of each command, and what all of them said on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=environment(places["site"], cache=places["cache"]),
    )
    return json.loads(done.stdout), done.stderr


def test_it_trains_samples_evaluates_and_exports(
    site: Path, tmp_path: Path, feature_cache: Path
) -> None:
    settings = [word for each in TINY for word in ("--set", each)]
    commands = [
        [*TRAIN, *settings],
        ["sample", "run", "--seeds", "0-7", "--out", "grid.png"],
        ["evaluate", "run", "--metrics", "histogram", "--num-images", "256", "--json"],
        ["export", "run", "--to", "weights", "--out", "run.safetensors"],
        ["parts", "--json"],
    ]
    answers, told = run_all(commands, tmp_path, site=site, cache=feature_cache)
    assert [code for code, _ in answers] == [0] * len(commands), told
    assert "histogram" in json.loads(answers[2][1])["scores"]
    assert (tmp_path / "grid.png").stat().st_size > 0
    assert (tmp_path / "run.safetensors").stat().st_size > 0
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())
    assert recorded["config"]["generator"]["kind"] == "low-rank"
    parts = json.loads(answers[4][1])
    brought = {
        (kind, name)
        for kind, names in parts.items()
        for name, part in names.items()
        if part["from"] == "orthogan-stripes 0.1"
    }
    assert brought == {
        ("generator", "low-rank"),
        ("recipe", "low-rank-gan"),
        ("loss", "smoothed"),
        ("metric", "histogram"),
        ("data-set", "stripes"),
        ("exporter", "weights"),
    }


def test_the_page_shows_its_test_file() -> None:
    page = (ROOT / "docs" / "plug-ins.md").read_text(encoding="utf-8")
    (file,) = (EXAMPLE / "tests").glob("test_*.py")
    assert f"```python\n{file.read_text(encoding='utf-8')}```" in page


def test_its_own_tests_have_each_part_keep_our_contracts(
    site: Path, tmp_path: Path, feature_cache: Path
) -> None:
    (file,) = (EXAMPLE / "tests").glob("test_*.py")
    assert len(file.read_text().splitlines()) <= 5
    shutil.copy(file, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment(site, cache=feature_cache),
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    for part in ("low-rank", "smoothed", "histogram", "stripes", "weights"):
        assert f"[{part}" in done.stdout


def test_a_package_that_fails_to_import_is_named_and_left_out(
    site: Path, tmp_path: Path, feature_cache: Path
) -> None:
    """And asking for its part is an error, of which the exit code tells."""
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    losses = broken / "orthogan_stripes" / "losses.py"
    losses.write_text(losses.read_text() + "\nimport no_such_package\n")
    commands = [
        ["parts", "loss"],
        ["train", "mnist", "--images", "64", "--set", "loss=hinge", "--dry-run"],
        ["train", "mnist", "--images", "64", "--set", "loss=smoothed", "--dry-run"],
    ]
    answers, said = run_all(commands, tmp_path, site=broken, cache=feature_cache)
    assert [code for code, _ in answers] == [0, 0, 2]
    skipped, *_, refused = said.splitlines()
    told = (
        "orthogan-stripes 0.1, which brings 'smoothed' (orthogan_stripes.losses), fails to import: "
        "ModuleNotFoundError: No module named 'no_such_package'."
    )
    assert skipped == f"orthogan: {told} It is left out."
    assert refused == f"orthogan: {told} Mend it, or: pip uninstall orthogan-stripes."
