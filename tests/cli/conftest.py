"""A command line in this process, in front of a stand-in for the Python interface."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from orthogan.cli import main


@dataclass
class Answer:
    """What a command line printed and returned."""

    code: int
    out: str
    err: str


@dataclass
class FakeApi:
    """Records calls; answers what a test puts into its fields."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    status: str = "done"
    scores: dict[str, float] = field(default_factory=lambda: {"fd[digits@1a2b3c]": 1.5})
    colours: int = 1
    note: str = ""
    error: BaseException | None = None

    def _record(self, name: str, *args: Any, **options: Any) -> None:
        self.calls.append((name, args, options))
        if self.error is not None:
            raise self.error

    def train(self, data: str, **options: Any) -> Any:
        self._record("train", data, **options)
        facts = {"status": self.status, "images_seen": 64_000, "scores": self.scores}
        return SimpleNamespace(
            path=Path("runs/mnist"),
            reason="The time was up.",
            next_command="orthogan sample runs/mnist",
            seconds=300.2,
            to_dict=lambda: facts,
            **facts,
        )

    def resolve(self, data: str, **options: Any) -> Any:
        self._record("resolve", data, **options)
        return SimpleNamespace(to_dict=lambda: {"data": data, "loss": {"gamma": 1.0}})

    def load(self, source: str) -> Any:
        def sample(seeds: list[int], classes: list[int | str] | None) -> torch.Tensor:
            return self.sample(source, seeds=seeds, classes=classes)

        return SimpleNamespace(note=self.note, sample=sample)

    def sample(self, source: str, **options: Any) -> torch.Tensor:
        self._record("sample", source, **options)
        seeds = torch.tensor(options["seeds"]).reshape(-1, 1, 1, 1)
        return (seeds % 256).expand(-1, self.colours, 16, 16).to(torch.uint8)

    def evaluate(self, source: str, data: str | None, **options: Any) -> Any:
        self._record("evaluate", source, data, **options)
        score = {"value": 1.23456, "low": 1.0, "high": 1.5, "floor": 0.065, "n": 10_000}
        bare = {"value": float("nan"), "low": None, "high": None, "floor": None, "n": 10}
        tree = {"scores": {"fd[digits]": score, "kd": bare}, "verdict": "Usable.", "notes": ["N."]}
        return SimpleNamespace(to_dict=lambda: tree)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The stand-in, in the place of `orthogan.gan.api` and of what it shows of the models."""
    fake = FakeApi()
    for package, name in (("gan", "api"), ("models", "generator")):
        monkeypatch.setitem(sys.modules, f"orthogan.{package}.{name}", fake)
        home = importlib.import_module(f"orthogan.{package}")
        monkeypatch.setattr(home, name, fake, raising=False)
    return fake


@pytest.fixture
def cli(
    api: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Answer]:
    """Runs a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORTHOGAN_DEBUG", raising=False)

    def call(*words: str) -> Answer:
        code = main(words)
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return call
