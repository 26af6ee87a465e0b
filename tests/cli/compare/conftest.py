"""Comparisons of runs of a few steps: what is asked, and a folder that holds the runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asking import VARY, fill, question

from orthogan.cli import main
from orthogan.gan import api
from orthogan.gan.trainer import Trainer


@pytest.fixture(scope="session")
def shared(scored_file: Path, tiny_settings, feature_cache: Path) -> tuple[str, ...]:
    """What every question here has in common."""
    settings = [word for setting in tiny_settings() for word in ("--set", setting)]
    words = ("--data", str(scored_file), "--threads", "1", "--num-images", "160", *settings)
    return (*words, "--set", "precision=float32")


@pytest.fixture(scope="session")
def planned(
    shared: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, feature_cache: Path
) -> Path:
    """A folder whose `out` was filled by the commands of `--plan`, one by one."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOGAN_CACHE", str(feature_cache))
        fill(folder, **question(shared))
    return folder


@pytest.fixture(autouse=True)
def quick_scores() -> Iterator[None]:
    """Runs are scored by the digits extractor: the general one takes longer than they do.

    In a context of its own, so that a test that undoes what it has changed keeps it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "evaluate", partial(api.evaluate, extractor="digits-cls"))
        yield


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feature_cache: Path, one_thread: None
) -> Path:
    """An empty folder to work in."""
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def filled(planned: Path, here: Path) -> Path:
    """A copy of the filled folder, to do with as one likes."""
    shutil.copytree(planned / "out", here / "out")
    return here / "out"


@pytest.fixture
def ask(
    shared: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs the question, with more words; the exit code and what was printed."""

    def call(*more: str, question: bool = True) -> tuple[int, str, str]:
        words = [*VARY, "--seeds", "2", "--images", "64", "--out", "out", *shared]
        code = main(["compare", *(words if question else ()), *more])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training step is an error, even the one that counts operations."""

    def step(*_args: Any) -> None:
        raise AssertionError("a plan trained")

    monkeypatch.setattr(Trainer, "step", step)


@pytest.fixture
def no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every training run is an error."""

    def train(*_args: Any, **_options: Any) -> None:
        raise AssertionError("a finished run was trained again")

    monkeypatch.setattr(api, "train", train)
