"""`orthogan compare` from the question to the answer, with runs of a few steps."""

from __future__ import annotations

import inspect
import json
import os
import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from orthogan import api, comparison
from orthogan.cli import main
from orthogan.comparison import compare
from orthogan.training.lock import FolderLock
from orthogan.training.trainer import Trainer

VARY = ("--vary", "generator.score=softmax,cosine")
CELLS = [
    *("generator.score=softmax-seed0", "generator.score=cosine-seed0"),
    *("generator.score=cosine-seed1", "generator.score=softmax-seed1"),
]


@pytest.fixture(scope="module")
def shared(scored_file: Path, tiny_settings, feature_cache: Path) -> tuple[str, ...]:
    """What every question here has in common."""
    settings = [word for setting in tiny_settings() for word in ("--set", setting)]
    words = ("--data", str(scored_file), "--threads", "1", "--num-images", "160", *settings)
    return (*words, "--set", "precision=float32")


@pytest.fixture(scope="module")
def planned(
    shared: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, feature_cache: Path
) -> Iterator[Path]:
    """A folder whose `out` was filled by the commands of `--plan`, one by one."""
    folder = tmp_path_factory.mktemp("compared")
    before, threads = Path.cwd(), torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOGAN_CACHE", str(feature_cache))
        os.chdir(folder)
        try:
            answer = compare(**options(shared), plan=True, show_progress=False)
            assert answer.status == "planned"
            (folder / "commands").write_text("\n".join(answer.commands))
            for line in answer.commands:
                program, *words = shlex.split(line)
                assert (program, main(words)) == ("orthogan", 0)
            yield folder
        finally:
            os.chdir(before)
            torch.set_num_threads(threads)


def options(shared: tuple[str, ...]) -> dict[str, Any]:
    """The question in Python."""
    settings = [shared[i + 1] for i, word in enumerate(shared) if word == "--set"]
    return {
        "vary": {"generator.score": ["softmax", "cosine"]},
        "seeds": 2,
        "images": 64,
        "source": shared[1],
        "threads": 1,
        "settings": settings,
        "num_images": 160,
        "out": "out",
    }


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


def test_planned_commands_fill_the_folder_and_compare_only_reads(
    planned: Path, filled: Path, ask, no_runs: None
) -> None:
    lines = [shlex.split(line) for line in (planned / "commands").read_text().splitlines()]
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


def test_existing_runs_are_grouped_by_their_settings(filled: Path, ask, no_runs: None) -> None:
    ask()
    asked = json.loads((filled / "result.json").read_text())
    names = [str(Path("out") / cell) for cell in CELLS]
    for given in (names, ["out"]):
        code, out, err = ask(*given, "--num-images", "160", "--json", question=False)
        assert code == 0, err
        tree = json.loads(out)
        assert tree["variants"] == asked["variants"]
        assert tree["out"] is None
        assert err.splitlines()[-1] == "Done: 4 runs of 2 variants."
    code, _, _ = ask("out", "--num-images", "160", "--out", "elsewhere", question=False)
    assert code == 0
    assert Path("elsewhere/comparison.png").exists()
    code, out, _ = ask(*names[:2], "--num-images", "160", question=False)
    assert code == 0
    assert "chance cannot be told from effect" in out


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


def test_metrics_and_the_number_of_images(filled: Path, ask, no_runs: None) -> None:
    code, out, _ = ask("--metrics", "recall, fd", "--num-images", "130", "--json")
    assert code == 0
    tree = json.loads(out)
    scores = tree["runs"][0]["evaluation"]["scores"]
    assert [name.partition("[")[0] for name in scores] == ["recall", "fd"]
    assert {score["n"] for score in scores.values()} == {130}
    assert "recall" in tree["variants"][1]["verdict"]


def test_scores_are_measured_once(filled: Path, ask, no_runs: None, monkeypatch) -> None:
    assert ask()[0] == 0
    kept = sorted(path.name for path in (filled / "evaluations").iterdir())
    assert kept == sorted(f"{cell}.json" for cell in CELLS)
    evaluate = api.evaluate
    monkeypatch.setattr(api, "evaluate", None)
    assert ask()[0] == 0
    monkeypatch.setattr(api, "evaluate", evaluate)
    damaged = filled / "evaluations" / f"{CELLS[0]}.json"
    damaged.write_text("{")
    assert ask()[0] == 0
    assert json.loads(damaged.read_text())["evaluation"]["scores"]


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


def test_runs_on_different_data(filled: Path, ask, tiny_file: Path, shared) -> None:
    settings = shared[shared.index("--set") :]
    words = ["train", str(tiny_file), "--run", "other", "--images", "16", *settings]
    assert main(words) == 0
    code, _, err = ask("out", "other", question=False)
    assert code == 3
    assert "scores on different data cannot be compared" in err


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


def test_unfinished_runs(filled: Path, ask) -> None:
    record = filled / CELLS[1] / "run.json"
    tree = json.loads(record.read_text())
    record.write_text(json.dumps(tree | {"status": "interrupted"}))
    code, _, err = ask(f"out/{CELLS[0]}", f"out/{CELLS[1]}", question=False)
    assert code == 2
    assert f"{CELLS[1]} is not finished (interrupted); repeat its command first." in err
    code, out, err = ask("out", "--num-images", "160", "--json", question=False)
    assert code == 0
    assert len(json.loads(out)["runs"]) == 3
    assert any("is not finished" in note for note in json.loads(out)["notes"])
    code, _, err = ask(f"out/{CELLS[0]}", question=False)
    assert code == 2
    assert "is the only run; give at least two" in err


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
        default = parameters[name].default
        assert value == (list(default) if name == "metrics" else default), name
    assert set(parameters) - set(given) == {"runs", "show_progress"}
