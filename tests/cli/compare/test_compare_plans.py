"""`orthogan compare` from the question to the answer, with runs of a few steps."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from asking import CELLS, planned_words

from orthogan.cli import main
from orthogan.gan import api
from orthogan.gan.trainer import Trainer
from orthogan.training.lock import FolderLock


def test_planned_commands_fill_the_folder_and_compare_only_reads(
    planned: Path, filled: Path, ask, no_runs: None
) -> None:
    lines = planned_words(planned)
    assert [Path(words[words.index("--run") + 1]).name for words in lines] == CELLS
    code, out, err = ask("--json")
    assert code == 0, err
    tree = json.loads(out)
    assert tree == json.loads((filled / "result.json").read_text())
    assert tree["status"] == "done"
    assert [row["label"] for row in tree["variants"]] == [
        "generator.score=softmax",
        "generator.score=cosine",
    ]
    assert {(run["variant"], run["seed"]) for run in tree["runs"]} == {
        (f"generator.score={score}", seed) for score in ("softmax", "cosine") for seed in (0, 1)
    }
    for run in tree["runs"]:
        assert run["provenance"]["threads"] == 1
        assert run["provenance"]["data_fingerprint"]
        assert run["images_seen"] == 64
        ((name, score),) = run["evaluation"]["scores"].items()
        assert name.startswith("fd[digits-cls@")
        assert score["n"] == 160
    first, second = tree["variants"]
    (difference,) = second["differences"].values()
    values = [row["values"][name] for row in (first, second)]
    gaps = [values[1][seed] - values[0][seed] for seed in "01"]
    assert difference["test"]["mean"]["value"] == pytest.approx(sum(gaps) / 2)
    assert first["costs"]["generator_key_value_bytes"] == 16 * 16 * 4  # 16 tokens of 8 + 8 numbers
    assert (filled / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert err.splitlines()[-1] == (
        f"Done: 4 runs of 2 variants. Next: look at {Path('out/comparison.png')}"
    )


def test_the_table_and_a_sentence_a_variant(filled: Path, ask, no_runs: None) -> None:
    code, out, _ = ask()
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("variant")
    assert [line.split("  ")[0] for line in lines[1:3]] == [
        "generator.score=softmax",
        "generator.score=cosine",
    ]
    assert lines[3] == "generator.score=softmax: The others are compared with it."
    assert lines[4].startswith("generator.score=cosine: ")
    assert "with 2 seeds" in lines[4] or "2 seeds are too few" in lines[4]


def test_an_interrupted_plan_goes_on_to_the_same_weights(
    planned: Path, ask, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, count = Trainer.step, []

    def stepped(trainer: Trainer, progress: float) -> Any:
        count.append(trainer.config.seed)
        if len(count) == 6:  # the second step of the second run
            signal.raise_signal(signal.SIGINT)
        return step(trainer, progress)

    monkeypatch.setattr(Trainer, "step", stepped)
    code, out, err = ask()
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == (
        "Stopped; 1 of 4 runs are finished and everything is saved. "
        "Next: repeat the same command to go on."
    )
    assert "Run 1 of 4: generator.score=softmax, seed 0; the time left is known after" in err
    assert "Run 2 of 4: generator.score=cosine, seed 0; " in err
    assert " of training left in the whole plan." in err
    assert not (here / "out" / "result.json").exists()
    count.clear()
    monkeypatch.setattr(Trainer, "step", step)
    code, _, err = ask()
    assert code == 0
    assert "Run 1 of 4" not in err
    assert "Resuming from 32 images" in err
    weights = Path("bundle") / "generator.safetensors"
    for cell in CELLS:
        own = (here / "out" / cell / weights).read_bytes()
        assert own == (planned / "out" / cell / weights).read_bytes()
    assert sorted(path.name for path in (here / "out").glob("*/run.json")) == 4 * ["run.json"]


def test_a_diverged_run_is_recorded_and_the_rest_goes_on(
    shared: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    words = ["compare", "--vary", "generator_optimizer.learning_rate=1e30,1e-3", "--seeds", "2"]
    words += ["--images", "32", "--out", "out", *shared]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "The plan goes on." in printed.err
    assert "2 of 2 runs diverged; no score counts them." in printed.out
    assert "0 (2 diverged)" in printed.out
    assert printed.err.splitlines()[-1].startswith(
        "Done: 4 runs of 2 variants; 2 of them diverged."
    )
    tree = json.loads(Path("out/result.json").read_text())
    assert [run["status"] for run in tree["runs"]] == ["diverged", "diverged", "done", "done"]
    assert "Diverged at " in tree["runs"][0]["reason"]
    monkeypatch.setattr(api, "train", None)
    assert main(words) == 0  # and no run is repeated


def test_seeds_added_later_are_trained_alone_and_said(
    filled: Path, ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    train = api.train

    def noted(*args: Any, **options: Any) -> Any:
        trained.append(options["seed"])
        return train(*args, **options)

    monkeypatch.setattr(api, "train", noted)
    code, out, err = ask("--seeds", "0-2")
    assert code == 0, err
    assert trained == [2, 2]
    assert "This was asked with 2 and 3 seeds" in err
    assert "with 3 seeds" in out or "3 seeds are too few" in out


def test_a_plan_prints_what_is_missing_alone(filled: Path, ask, no_steps: None) -> None:
    shutil.rmtree(filled / CELLS[2])
    code, out, err = ask("--plan")
    assert code == 0
    (line,) = out.splitlines()
    assert f"--run out/{CELLS[2]}" in line
    assert err.splitlines()[-1] == (
        "1 of 4 runs are to be made. Next: run the commands anywhere, then this one again "
        "without --plan."
    )
    code, out, _ = ask("--plan", "--json")
    assert json.loads(out)["commands"] == [line]


def test_a_run_in_another_process_is_left_to_it(filled: Path, ask) -> None:
    record = filled / CELLS[1] / "run.json"
    tree = json.loads(record.read_text())
    record.write_text(json.dumps(tree | {"status": "running"}))
    lock = FolderLock(filled / CELLS[1] / ".lock")
    code, out, err = ask()
    assert (code, out) == (75, "")
    assert f"{CELLS[1]} is being trained by another process; it is left to it." in err
    assert "Another process trains the rest; 3 of 4 runs are finished" in err
    lock.release()
    lock = FolderLock(filled / ".lock")
    code, _, err = ask()
    lock.release()
    assert code == 6
    assert "another process works on this comparison" in err
