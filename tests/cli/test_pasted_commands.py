"""A command that is suggested can be pasted into a shell, whatever the run folder is called."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orthogan.classification.trainer import ClassifierTrainer
from orthogan.cli import main
from orthogan.errors import DivergedError
from orthogan.gan import session
from orthogan.gan.trainer import Trainer
from orthogan.training.health import CollapseError

NAMES = (
    "my run",
    "it's",
    '"quoted"',
    "-dash",
    "$(touch x)",
    "`id`;&|*",
    "r\u00e9sum\u00e9",
    "a\\b",
)


def pasted(command: str) -> list[str]:
    """The words that a shell makes of a command."""
    shown = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True, text=True
    )
    return shown.stdout.split("\0")[:-1]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feature_cache: Path) -> Path:
    """A folder of its own, in which paths are relative."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    return tmp_path


def stop_after_a_step(patch: pytest.MonkeyPatch, trainer: Any) -> None:
    step = trainer.step

    def stepped(*args: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return step(*args)

    patch.setattr(trainer, "step", stepped)


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_run_goes_on_and_is_drawn_from(
    there: Path, train_tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], name: str,
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:
        stop_after_a_step(patch, Trainer)
        stopped = train_tiny(Path(name), images=32)
    assert stopped.status == "interrupted"
    words = pasted(stopped.next_command)
    assert words[:3] == ["orthogan", "train", "--run"]
    assert main(words[1:]) == 0
    told = capsys.readouterr().err.splitlines()[-1]
    assert "Done: the budget is used up after 32 images" in told
    words = pasted(told.partition(" Next: ")[2])
    assert words[:2] == ["orthogan", "sample"]
    assert main([*words[1:], "--seeds", "0", "--out", "drawn.png"]) == 0
    assert sorted(path.name for path in there.iterdir()) == sorted([name, "drawn.png"])


@pytest.mark.parametrize("name", NAMES)
def test_a_collapsed_run_names_commands_between_backquotes(
    there: Path, train_tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def collapse(_session: Any) -> None:
        raise CollapseError("Every image is the same.")

    monkeypatch.setattr(session.GanSession, "_refuse_collapse", collapse)
    monkeypatch.setattr(session.GanSession, "_healthy", property(lambda _: 32))
    with pytest.raises(DivergedError) as caught:
        train_tiny(Path(name), images=32)
    sample, train = re.findall(r" `(orthogan .*?)` (?:draws|goes)", str(caught.value))
    path = f"./{name}" if name.startswith("-") else name
    assert pasted(sample) == ["orthogan", "sample", path]
    assert pasted(train) == ["orthogan", "train", "--run", path]


def test_classifiers_and_language_models(
    there: Path, classify_tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after_a_step(patch, ClassifierTrainer)
        stopped = classify_tiny(Path("-$(x) y"), images=32)
    words = pasted(stopped.next_command)
    assert words == ["orthogan", "classify", "--run", "./-$(x) y"]
    assert main(words[1:]) == 0
