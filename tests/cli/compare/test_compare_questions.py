"""What `orthogan compare` can be asked, and what it refuses."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path
from typing import Any

import pytest
from asking import CELLS, VARY

from orthogan import experiments as comparison
from orthogan.cli import main
from orthogan.experiments import compare


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "Nothing is varied; give --vary KEY=a,b"),
        (("--vary", "generator.score="), 2, "'generator.score' has an empty value"),
        (("--vary", "generator.scor=a,b"), 2, "Did you mean 'generator.score'?"),
        (("--vary", "generator.width=8,x"), 2, "generator.width=x: "),
        ((*VARY, "--seeds", "0"), 2, "At least one seed is needed"),
        ((*VARY, "--seeds", "x"), 2, "Expected seeds such as"),
        ((*VARY, "--for", "1m", "--images", "3"), 2, "--for and --images exclude one another"),
        ((*VARY, "--device", "gpuu"), 2, "Unknown device 'gpuu'"),
        ((*VARY, "--metrics", "fdd"), 2, "Did you mean 'fd'?"),
        ((*VARY, "--parameters", "equal"), 2, "needs the width to move, such as --match"),
        ((*VARY, "--parameters", "same"), 2, "Unknown value of --parameters 'same'"),
        ((*VARY, "--match", "generator.width"), 2, "--match goes with --parameters equal"),
        (("nowhere",), 6, "nowhere: is neither a run folder nor a folder of runs"),
        (("a", "b", "--seeds", "3"), 2, "'seeds' decides how runs are trained"),
        (("a", "b", "--plan"), 2, "'plan' decides how runs are trained"),
        (("a", "b", *VARY), 2, "'vary' decides how runs are trained"),
    ],
)
def test_bad_questions(ask, tiny_file: Path, here: Path, words, code: int, sentence: str) -> None:
    data = () if words and not words[0].startswith("-") else ("--data", str(tiny_file))
    found, out, err = ask(*words, *data, question=False)
    assert (found, out) == (code, ""), err
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(here.iterdir())


def test_a_folder_of_another_comparison(filled: Path, ask, shared) -> None:
    other = ["--vary", "batch_size=8,16", "--images", "64", "--out", "out", *shared]
    code, _, err = ask(*other, question=False)
    assert code == 6
    assert "out compares generator.score=softmax; generator.score=cosine, not batch_size=8;" in err
    code, _, err = ask("--set", "escape_attempts=1")
    assert code == 6
    assert "escape_attempts was 5, here 1" in err
    record = filled / CELLS[1] / "run.json"
    record.write_text(record.read_text().replace('"batch_size": 16', '"batch_size": 8'))
    code, _, err = ask()
    assert code == 6
    assert f"{CELLS[1]} was made with other settings: batch_size is 8, here 16" in err


def test_options_reach_the_question(tiny_file: Path, here: Path, shared, monkeypatch) -> None:
    """Every option that decides how runs are trained shows in the commands of the plan."""
    Path("c.toml").write_text("escape_attempts = 2")
    settings = shared[shared.index("--set") :]
    words = [
        *("compare", "--vary", "generator.blocks=1,2", "--vary", "batch_size=8,16"),
        *("--seeds", "3,5", "--for", "90s", "--data", str(tiny_file), "--model", "faithful"),
        *("--parameters", "equal", "--match", "generator.hidden", "--config", "c.toml"),
        *("--size", "20", "--device", "cpu", "--threads", "1", "--plan", *settings),
        *("--set", "generator.hidden=64"),
    ]
    said: list[str] = []
    monkeypatch.setattr("orthogan.cli.compare.show", said.append)
    assert main(words) == 0
    assert len(said) == 8
    folder = Path("comparisons") / f"{tiny_file.stem}-blocks-batch_size"
    first = shlex.split(said[0])
    assert first[: first.index("--set")] == [
        *("orthogan", "train", str(tiny_file), "--model", "faithful", "--for", "90s"),
        *("--size", "20", "--device", "cpu", "--threads", "1", "--config", "c.toml"),
        *("--seed", "3", "--run", f"{folder}/generator.blocks=1,batch_size=8-seed3"),
    ]
    asked, width = shlex.split(said[2])[-5::2][:2], shlex.split(said[2])[-1]
    assert asked == ["generator.blocks=2", "batch_size=8"]
    assert width.startswith("generator.hidden=")
    assert width != "generator.hidden=64"
    assert "--seed 5" in said[4]
    assert (folder / "plan.json").exists()


def test_the_command_has_the_defaults_of_the_python_interface(here: Path, monkeypatch) -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def noted(*runs: str, **given: Any) -> Any:
        calls.append((runs, given))
        return comparison.Comparison(status="planned", reason="Nothing.")

    monkeypatch.setattr(comparison, "compare", noted)
    assert main(["compare"]) == 0
    ((runs, given),) = calls
    assert runs == ()
    parameters = inspect.signature(compare).parameters
    for name, value in given.items():
        assert value == parameters[name].default, name
    assert set(parameters) - set(given) == {"runs", "show_progress"}
