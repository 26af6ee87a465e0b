"""When steps are compiled: what is asked for, what stands against it, what a trial finds."""

from __future__ import annotations

import pytest
import torch

from orthogan.errors import ConfigError
from orthogan.gan import compile_trial, trainer
from orthogan.gan.compilation import MAX_FORMS, compiled
from orthogan.gan.compile_trial import resolve_compilation, trial

pytestmark = pytest.mark.usefixtures("one_thread")
LONG = ("budget.images=null", "budget.seconds=1800")


@pytest.fixture
def tried(monkeypatch):
    """Trials that find what the test says, and how many there were."""
    found: list[float | Exception] = []
    seen: list[object] = []

    def try_it(asked):
        seen.append(asked)
        if isinstance(found[0], Exception):
            raise found[0]
        return 40.0, found[0]

    monkeypatch.setattr(compile_trial, "trial", try_it)
    monkeypatch.setattr(compile_trial, "find_compiler", lambda: "/usr/bin/c++")
    monkeypatch.setattr(trainer, "compiled", lambda work, **_: work)
    return found, seen


@pytest.mark.parametrize(
    ("settings", "gain", "is_compiled", "said"),
    [
        (("compile=on",), 1.2, True, "Compiled the steps in 40 s: they take 1/1.20 of the time."),
        (("compile=on",), 0.9, True, "1/0.90 of the time."),
        ((*LONG, "compile=auto"), 1.2, True, "1/1.20 of the time."),
        ((*LONG, "compile=auto"), 1.01, False, "does not pay; they run uncompiled."),
        (("compile=on",), RuntimeError("no space\nmore"), False, "run uncompiled: no space"),
        ((*LONG, "compile=auto"), OSError("full"), False, "run uncompiled: full"),
    ],
)
def test_a_trial_decides(make_trainer, tried, settings, gain, is_compiled, said) -> None:
    made = make_trainer(*settings)
    tried[0].append(gain)
    assert resolve_compilation(made).endswith(said)
    assert made.is_compiled == is_compiled
    assert tried[1] == [made]
    made.step(0.0)
    made.restart()
    assert made.is_compiled == is_compiled


@pytest.mark.parametrize(
    "settings",
    [
        (),  # a number of images, which repeats bit for bit
        ("budget.images=null", "budget.seconds=1799"),
        (*LONG, "compile=off"),
        (*LONG, "penalty.kind=finite-difference"),
        (*LONG, "decorrelation=0.1"),
    ],
)
def test_nothing_is_tried_where_it_cannot_pay(make_trainer, tried, settings) -> None:
    made = make_trainer(*settings)
    assert resolve_compilation(made) == ""
    assert not made.is_compiled
    assert not tried[1]


def test_a_resumed_run_counts_what_is_left(make_trainer, tried) -> None:
    tried[0].append(1.2)
    made = make_trainer("budget.images=null", "budget.seconds=3600")
    assert resolve_compilation(made, spent_s=1801.0) == ""
    assert not tried[1]
    assert resolve_compilation(made, spent_s=1800.0)


@pytest.mark.parametrize(("device", "is_cpp"), [("cpu", True), ("cuda", False)])
def test_calls_between_kernels_are_compiled_on_a_processor(monkeypatch, device, is_cpp) -> None:
    asked = {}
    monkeypatch.setattr(torch, "compile", lambda work, **settings: asked.update(settings) or work)
    compiled(len, device)
    assert (asked["options"] == {"cpp_wrapper": True}) is is_cpp
    assert asked["fullgraph"]
    assert torch._dynamo.config.recompile_limit >= MAX_FORMS


@pytest.mark.parametrize("setting", ["penalty.kind=finite-difference", "decorrelation=0.1"])
def test_what_cannot_be_compiled_is_refused(make_trainer, tried, setting) -> None:
    with pytest.raises(ConfigError, match=f"compile=on is impossible here: {setting}"):
        resolve_compilation(make_trainer("compile=on", setting))
    assert not tried[1]


def test_without_a_compiler_the_steps_run_as_they_are(make_trainer, tried, monkeypatch) -> None:
    monkeypatch.setattr(compile_trial, "find_compiler", lambda: None)
    made = make_trainer("compile=on")
    assert resolve_compilation(made) == "No C++ compiler was found, so the steps run uncompiled."
    assert not made.is_compiled
    assert not tried[1]


def test_a_trial_leaves_the_trainer_alone(make_trainer, monkeypatch) -> None:
    monkeypatch.setattr(trainer, "compiled", lambda work, **_: work)
    made = make_trainer()
    seconds, gain = trial(made)
    assert seconds > 0
    assert gain > 0
    assert (made.images_seen, made.is_compiled) == (0, False)
