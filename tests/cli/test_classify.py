"""`orthogan classify`: what it asks of the Python interface, writes and prints."""

from __future__ import annotations

import inspect
import json
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import orthogan.classification
from orthogan.classification import api, model
from orthogan.classification.trainer import ClassifierTrainer
from orthogan.cli import main

SCORE = {
    "scores": {"accuracy": {"value": 0.75, "low": 0.3, "high": 0.95, "floor": 0.5, "n": 4}},
    "label_accuracies": [0.75],
    "class_names": ["cat", "dog"],
    "confusion": [[[2, 0], [1, 1]]],
    "worst": [{"label": 0, "true": "dog", "taken_for": "cat", "count": 1}],
}


@dataclass
class FakeClassifiers:
    """Records calls; answers what a test puts into its fields."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    status: str = "done"
    score: dict[str, Any] = field(default_factory=lambda: dict(SCORE))
    skipped: tuple[tuple[str, str], ...] = ()

    def _record(self, name: str, *args: Any, **options: Any) -> None:
        self.calls.append((name, args, options))

    def classify(self, source: str | None, **options: Any) -> Any:
        self._record("classify", source, **options)
        facts = {
            "status": self.status,
            "images_seen": 64_000,
            "scores": {"accuracy": 0.75},
            "score": self.score if self.status == "done" else {},
            "seconds": 30.2,
        }
        return SimpleNamespace(
            path=Path("runs/mnist"),
            reason="The time was up.",
            next_command="orthogan classify --classifier runs/mnist --predict FOLDER",
            to_dict=lambda: facts | {"path": "runs/mnist"},
            load=lambda: self.trained("run"),
            **facts,
        )

    def resolve_classification(self, source: str | None, **options: Any) -> Any:
        self._record("resolve_classification", source, **options)
        return SimpleNamespace(to_dict=lambda: {"data": source, "network": {"width": 8}})

    def load_classifier(self, source: str, **options: Any) -> Any:
        self._record("load_classifier", source, **options)
        return self.trained(source)

    def trained(self, source: str) -> Any:
        rows = [{"file": "a.png", "class": "dog", "confidence": 0.987}]
        shown = SimpleNamespace(
            files=("a.png",),
            pixels=torch.zeros(1, 1, 16, 16, dtype=torch.uint8),
            rows=lambda: rows,
            skipped=self.skipped,
            notes=("A note.",),
        )
        images = SimpleNamespace(images=torch.zeros(20, 1, 16, 16, dtype=torch.uint8))

        def asked(name: str, answer: Any) -> Callable[..., Any]:
            return lambda *args: self._record(name, *args) or answer

        return SimpleNamespace(
            path=Path(source) / "bundle",
            note="",
            data={"source": "mnist"},
            score=asked("score", SimpleNamespace(to_dict=lambda: self.score)),
            predict_files=asked("predict_files", shown),
            images_of=asked("images_of", images),
            draw_attention=asked("draw_attention", Image.new("RGB", (8, 8), "red")),
            scheme=SimpleNamespace(
                encode=lambda given: torch.zeros(20, 1, dtype=torch.int64),
                decode=lambda rows: ["cat"] * len(rows),
            ),
        )


@pytest.fixture
def fake(cli: Any, monkeypatch: pytest.MonkeyPatch) -> FakeClassifiers:
    """A stand-in for `orthogan.classification`; there is a folder `photos`."""
    Path("photos").mkdir()
    stand_in = FakeClassifiers()
    for name in ("api", "model"):
        monkeypatch.setitem(sys.modules, f"orthogan.classification.{name}", stand_in)
        monkeypatch.setattr(orthogan.classification, name, stand_in, raising=False)
    return stand_in


def test_training_options_are_passed_on(cli, fake: FakeClassifiers) -> None:
    answer = cli(
        *("classify", "photos", "--for", "90s", "--run", "here", "--seed", "7", "--device", "cpu"),
        *("--threads", "2", "--size", "32", "--set", "network.width=8", "--set", "a=b"),
        *("--config", "c.toml", "--test", "others"),
    )
    assert answer.code == 0
    assert fake.calls == [
        (
            "classify",
            ("photos",),
            {
                "minutes": 1.5,
                "images": None,
                "run": Path("here"),
                "seed": 7,
                "device": "cpu",
                "threads": 2,
                "settings": ["network.width=8", "a=b"],
                "config": Path("c.toml"),
                "size": 32,
                "test": "others",
            },
        )
    ]


@pytest.mark.parametrize(
    "words", [(), ("--images", "500k"), ("--dry-run",), ("--classifier", "x", "--test", "mnist")]
)
def test_what_is_passed_on_is_what_the_python_interface_takes(cli, fake, words) -> None:
    assert cli("classify", *words).code == 0
    name, args, options = fake.calls[0]
    bound = (
        inspect.signature(getattr(model if name.startswith("load") else api, name))
        .bind(*args, **options)
        .arguments
    )
    if "--images" in words:
        assert (bound["images"], bound["minutes"]) == (500_000, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--for", "0"), "Expected a duration"),
        (("--images", "0"), "A count is a whole number above zero"),
        (("--for", "5m", "--images", "3"), "--for and --images exclude one another"),
        (("--device", "cud"), "Unknown device 'cud'. Did you mean 'cuda'?"),
        (("--look", "x.jpg"), "--look is a .png, got 'x.jpg'"),
        (("--classifier", "x"), "--classifier needs --test, --predict or --look"),
        (("--classifier", "x", "--look", "x.png"), "--look needs images: give --test or --predict"),
        (("mnist", "--classifier", "x"), "--classifier trains nothing, so DATA has no effect"),
        (("--for", "5m", "--classifier", "x"), "--classifier trains nothing, so --for has"),
        (("--images", "5", "--classifier", "x"), "--classifier trains nothing, so --images has"),
        (("--run", "y", "--classifier", "x"), "--classifier trains nothing, so --run has"),
        (("--seed", "1", "--classifier", "x"), "--classifier trains nothing, so --seed has"),
        (("--size", "32", "--classifier", "x"), "--classifier trains nothing, so --size has"),
        (("--set", "a=b", "--classifier", "x"), "--classifier trains nothing, so --set has"),
        (("--config", "c", "--classifier", "x"), "--classifier trains nothing, so --config has"),
        (("--dry-run", "--classifier", "x"), "--classifier trains nothing, so --dry-run has"),
    ],
)
def test_impossible_options_are_refused(cli, fake, words: tuple[str, ...], sentence: str) -> None:
    answer = cli("classify", *words)
    assert (answer.code, answer.out, fake.calls) == (2, "", [])
    assert answer.err.startswith(f"orthogan: {sentence}")
    assert answer.err.count("\n") == 1


def test_a_missing_folder_is_told_before_training(cli, fake) -> None:
    answer = cli("classify", "--predict", "nowhere")
    assert (answer.code, answer.out, fake.calls) == (3, "", [])
    assert answer.err == "orthogan: nowhere: there is no such folder or picture.\n"


@pytest.mark.parametrize(("status", "code"), [("done", 0), ("interrupted", 130), ("preempted", 75)])
def test_it_ends_with_why_and_what_next(cli, fake, status: str, code: int) -> None:
    fake.status = status
    answer = cli("classify", "--predict", "photos", "--look", "look.png")
    assert answer.code == code
    assert answer.err.splitlines()[-1].startswith("The time was up. Next: orthogan classify")
    assert answer.out.splitlines()[0] == str(Path("runs/mnist"))
    names = [name for name, *_ in fake.calls]
    after = ["predict_files", "draw_attention"] if status == "done" else []
    assert names == ["classify", *after]
    assert Path("look.png").exists() == (status == "done")


def test_the_score_is_a_table_with_confusions(cli, fake) -> None:
    lines = cli("classify").out.splitlines()
    assert ["accuracy", "75.00%", "30.00%", "to", "95.00%", "50.00%", "4"] in [
        line.split() for line in lines
    ]
    assert ["dog", "1", "1"] in [line.split() for line in lines]
    assert ["cat", "2", "."] in [line.split() for line in lines]
    assert lines[-1] == "dog taken for cat: 1"


def test_several_labels_are_shown_one_by_one(cli, fake) -> None:
    worst = {"label": 1, "true": "dog", "taken_for": "cat", "count": 1}
    fake.score = SCORE | {
        "label_accuracies": [1.0, 0.75],
        "confusion": [[[2, 0], [0, 2]], [[2, 0], [1, 1]]],
        "worst": [worst],
    }
    out = cli("classify").out
    assert "label 1: 100.00% right" in out
    assert "label 2: 75.00% right" in out
    assert "dog taken for cat (label 2): 1" in out


def test_a_wide_matrix_is_left_to_json(cli, fake) -> None:
    wide = np.eye(21, dtype=int)
    fake.score = SCORE | {
        "class_names": [f"class{n}" for n in range(21)],
        "confusion": [wide.tolist()],
    }
    assert "class20" not in cli("classify").out
    assert json.loads(cli("classify", "--json").out)["score"]["confusion"] == [wide.tolist()]


def test_json_is_one_document(cli, fake) -> None:
    fake.skipped = (("b.png", "not a readable image"),)
    answer = cli("classify", "--json", "--predict", "photos", "--look", "deep/look.png")
    tree = json.loads(answer.out)
    assert (tree["status"], tree["path"]) == ("done", "runs/mnist")
    assert tree["score"] == SCORE
    assert tree["predictions"] == [{"file": "a.png", "class": "dog", "confidence": 0.987}]
    assert tree["skipped"] == [["b.png", "not a readable image"]]
    assert tree["look"] == str(Path("deep/look.png"))
    assert "A note." in answer.err
    assert "Next:" in answer.err


@pytest.mark.parametrize(("words", "read"), [((), yaml.safe_load), (("--json",), json.loads)])
def test_dry_run_shows_the_settings_and_trains_nothing(cli, fake, words, read) -> None:
    answer = cli("classify", "photos", "--test", "others", "--dry-run", *words)
    assert read(answer.out) == {"data": "photos", "network": {"width": 8}}
    assert [name for name, *_ in fake.calls] == ["resolve_classification"]
    assert fake.calls[0][2]["test"] == "others"


def test_a_trained_classifier_is_used_and_nothing_trained(cli, fake) -> None:
    answer = cli(
        *("classify", "--classifier", "runs/x", "--device", "cpu", "--threads", "1"),
        *("--test", "mnist", "--predict", "photos"),
    )
    assert answer.code == 0
    assert fake.calls == [
        ("load_classifier", ("runs/x",), {"device": "cpu", "threads": 1}),
        ("score", ("mnist",), {}),
        ("predict_files", (Path("photos"),), {}),
    ]
    assert "75.00%" in answer.out
    assert answer.out.splitlines()[-1].split() == ["a.png", "dog", "98.7%"]
    tree = json.loads(cli("classify", "--classifier", "x", "--test", "mnist", "--json").out)
    assert tree == {"path": str(Path("x/bundle")), "score": SCORE}


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--classifier", "x", "--test", "others"), ("images_of", ("others",))),
        (("--classifier", "x", "--predict", "photos"), ("predict_files", (Path("photos"),))),
        ((), ("images_of", ("mnist",))),
        (("--test", "others"), ("images_of", ("others",))),
    ],
)
def test_a_look_is_at_the_pictures_or_at_test_images(cli, fake, words, shown) -> None:
    answer = cli("classify", *words, "--look", "out/look.png")
    assert answer.code == 0
    with Image.open("out/look.png") as picture:
        assert picture.getpixel((0, 0)) == (255, 0, 0)
    assert shown in [(name, args) for name, args, _ in fake.calls]
    (pixels, names), *_ = [args for name, args, _ in fake.calls if name == "draw_attention"]
    assert len(pixels) == len(names) == (1 if shown[0] == "predict_files" else 16)
    assert names[0] == ("a.png" if shown[0] == "predict_files" else "true cat")
    assert "Drew what the classifier attends to: out/look.png" in answer.err


def test_a_look_that_cannot_be_written(cli, fake) -> None:
    Path("file").write_bytes(b"")
    answer = cli("classify", "--classifier", "x", "--test", "y", "--look", "file/look.png")
    assert answer.code == 3
    assert "cannot be written" in answer.err


# ---- for real


@pytest.fixture
def words(
    tiny_file: Path, tiny_classifier: tuple[str, ...], tmp_path: Path, one_thread, monkeypatch
) -> tuple[str, ...]:
    monkeypatch.chdir(tmp_path)
    settings = [word for setting in tiny_classifier for word in ("--set", setting)]
    return ("classify", str(tiny_file), "--run", "runs/mine", "--threads", "1", *settings)


def test_train_score_predict_and_look(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "b.png").write_bytes(b"broken")
    more = ("--predict", "photos", "--look", "look.png")
    assert main([*words, "--images", "320", "--json", *more]) == 0
    printed = capsys.readouterr()
    tree = json.loads(printed.out)
    assert (tree["status"], tree["images_seen"], tree["path"]) == ("done", 320, "runs/mine")
    assert np.sum(tree["score"]["confusion"]) == tree["score"]["scores"]["accuracy"]["n"]
    assert [row["file"] for row in tree["predictions"]] == ["a.jpg"]
    assert tree["predictions"][0]["class"] in "0123"
    assert tree["skipped"] == [["b.png", "not a readable image"]]
    assert "Skipped 1 of 2 files: b.png (not a readable image)." in printed.err
    with Image.open("look.png") as picture:
        assert picture.format == "PNG"

    assert main([*words, "--images", "320", "--json"]) == 0  # the same command again
    again = capsys.readouterr()
    assert json.loads(again.out)["score"] == tree["score"]
    assert "is already trained to the end of its budget" in again.err

    assert main(["classify", "--classifier", "runs/mine", "--predict", "photos", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"] == tree["predictions"]

    assert main(["runs", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["run"], row["status"]) == ("runs/mine", "done")
    assert row["scores"]["accuracy"] == tree["score"]["scores"]["accuracy"]["value"]


def test_an_interrupt_saves_and_the_same_command_goes_on(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ClassifierTrainer.step

    def interrupted(trainer: ClassifierTrainer, progress: float) -> Any:
        record = step(trainer, progress)
        if trainer.images_seen == 64:
            signal.raise_signal(signal.SIGINT)
        return record

    with monkeypatch.context() as patch:
        patch.setattr(ClassifierTrainer, "step", interrupted)
        assert main([*words, "--images", "160"]) == 130
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == (
        "Stopped at 64 images; everything is saved. Next: orthogan classify --run runs/mine"
    )
    assert main([*words, "--images", "160"]) == 0
    assert "Resuming from 64 images." in capsys.readouterr().err
    weights = Path("runs/mine/bundle/classifier.safetensors").read_bytes()
    shutil.rmtree("runs")
    assert main([*words, "--images", "160"]) == 0
    assert Path("runs/mine/bundle/classifier.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        (("--set", "optimizer.learning_rate=1e30"), 4, "Diverged at "),
        (("--set", "network.widht=8"), 2, "Unknown setting 'network.widht'"),
        (("--test", "nowhere"), 3, "'nowhere' is neither an existing file"),
        (("--size", "18"), 2, "An image size is a multiple of 4"),
    ],
)
def test_troubles_end_in_one_sentence(words, capsys, more, code: int, sentence: str) -> None:
    assert main([*words, "--images", "3200", *more]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith(f"orthogan: {sentence}")


def test_data_without_labels_ends_in_one_sentence(words, tmp_path: Path, capsys) -> None:
    np.save(tmp_path / "plain.npy", np.zeros((32, 16, 16), np.uint8))
    assert main(["classify", "plain.npy", "--images", "16"]) == 3
    assert "plain.npy: has no labels" in capsys.readouterr().err


def test_a_dry_run_shows_settings_that_train_the_same(words, tmp_path: Path, capsys) -> None:
    assert main([*words, "--images", "32", "--dry-run", "--json"]) == 0
    settings = capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert main([*words, "--images", "32"]) == 0
    record = json.loads((tmp_path / "runs" / "mine" / "run.json").read_text())
    shown = json.loads(settings)
    assert [each["split"] for each in shown.pop("inspection")] == ["train"]
    assert record["config"] == shown
