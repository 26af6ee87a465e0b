"""`orthogan compare` with classifiers and with language models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from asking import fill, planned_words

from orthogan.classification import api as classifiers
from orthogan.cli import main
from orthogan.errors import ConfigError, ResumeError
from orthogan.experiments import compare
from orthogan.language import api as language_models

TINY_LANGUAGE = (
    *("network.width=8", "network.heads=2", "network.blocks=1", "network.context=8"),
    *("batch_size=4", "precision=float32"),
)


@pytest.fixture(scope="session")
def rhyme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of 4,200 characters."""
    path = tmp_path_factory.mktemp("text") / "rhyme.txt"
    path.write_text("the cat sat on the mat and the dog sat on the log\n" * 84)
    return path


@pytest.fixture(scope="session")
def classified(
    tiny_file: Path, tiny_classifier: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A folder with the runs of a question about classifiers, and the question."""
    asked = {
        "task": "classify",
        "vary": {"network.score": ["softmax", "cosine", "none"]},  # no dual keys with the second
        "seeds": 2,
        "images": 64,
        "source": tiny_file,
        "threads": 1,
        "settings": (*tiny_classifier, "network.keys=dual", "precision=float32"),
        "out": "out",
    }
    folder = tmp_path_factory.mktemp("classified")
    fill(folder, **asked)
    return folder, asked


@pytest.fixture(scope="session")
def spoken(rhyme: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with the runs of a question about language models, and the question."""
    asked = {
        "task": "language",
        "vary": {"network.keys": ["learned", "values"]},
        "seeds": 1,
        "tokens": 128,
        "source": rhyme,
        "threads": 1,
        "settings": TINY_LANGUAGE,
        "out": "out",
    }
    folder = tmp_path_factory.mktemp("spoken")
    fill(folder, **asked)
    return folder, asked


def go_to(made: tuple[Path, dict[str, Any]], here: Path) -> dict[str, Any]:
    """The question, with a copy of its runs in `out`."""
    folder, asked = made
    shutil.copytree(folder / "out", here / "out")
    return asked


def test_classifiers_are_planned_scored_by_themselves_and_read(
    classified, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = planned_words(classified[0])
    assert {tuple(line[:2]) for line in words} == {("orthogan", "classify")}
    assert [line[line.index("--images") + 1] for line in words] == 4 * ["64"]
    assert [Path(line[line.index("--run") + 1]).name for line in words] == [
        *("network.score=softmax-seed0", "network.score=none-seed0"),
        *("network.score=none-seed1", "network.score=softmax-seed1"),
    ]
    asked = go_to(classified, here)
    monkeypatch.setattr(classifiers, "classify", None)
    answer = compare(**asked, show_progress=False)
    tree = json.loads(Path("out/result.json").read_text())
    assert tree == json.loads(json.dumps(answer.to_dict()))
    assert (tree["task"], tree["status"]) == ("classify", "done")
    for run in tree["runs"]:
        stored = json.loads(Path(run["run"], "score.json").read_text())
        assert run["evaluation"] == stored
        row = next(each for each in tree["variants"] if each["label"] == run["variant"])
        found = row["values"]["accuracy"][str(run["seed"])]
        assert found == stored["scores"]["accuracy"]["value"]
        assert run["images_seen"] == 64
    assert tree["variants"][0]["images"] == 64
    assert tree["variants"][1]["verdict"].partition(" with ")[0] in {
        "Not distinguishable from network.score=softmax",
        "accuracy is higher than",
        "accuracy is lower than",
    }
    headers, rows = answer.table
    assert headers[2] == "accuracy"
    costs = answer.variants[0].costs
    assert dict(zip(headers, rows[0], strict=True))["parameters"] == f"{costs.parameters:,}"
    assert headers[5:] == ["parameters", "GFLOP/step", "KV bytes", "ms/step", "s/run", "images"]
    assert Path("out/comparison.png").read_bytes().startswith(b"\x89PNG")


def test_a_variant_without_a_meaning_is_left_out_and_named(classified, here: Path) -> None:
    asked = go_to(classified, here)
    note = "network.score=cosine is left out: In 'network': Dual keys live in the dual space"
    answer = compare(**asked, show_progress=False)
    written = json.loads(Path("out/result.json").read_text())["notes"]
    planned = json.loads(Path("out/plan.json").read_text())["notes"]
    for notes in (answer.notes, written, planned):
        assert sum(each.startswith(note) for each in notes) == 1
    assert [row.label for row in answer.variants] == ["network.score=softmax", "network.score=none"]


def test_held_out_images_may_differ_between_seeds_and_that_is_said(classified, here: Path) -> None:
    asked = go_to(classified, here)
    notes = compare(**asked, show_progress=False).notes
    assert any(note.startswith("The data have no test set, so each seed holds") for note in notes)


def test_only_what_is_missing_is_trained(
    classified, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = go_to(classified, here)
    shutil.rmtree("out/network.score=none-seed1")
    trained = []

    def noted(**given: Any) -> Any:
        trained.append(given["run"])
        return classify(**given)

    classify = classifiers.classify
    monkeypatch.setattr(classifiers, "classify", noted)
    assert compare(**asked, show_progress=False).status == "done"
    assert trained == [Path("out/network.score=none-seed1")]


def test_language_models_are_planned_scored_by_themselves_and_read(
    spoken, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = planned_words(spoken[0])
    assert {tuple(line[:2]) for line in words} == {("orthogan", "language")}
    assert [line[line.index("--tokens") + 1] for line in words] == ["128", "128"]
    asked = go_to(spoken, here)
    monkeypatch.setattr(language_models, "train_language", None)
    answer = compare(**asked, show_progress=False)
    tree = json.loads(Path("out/result.json").read_text())
    assert (tree["task"], tree["status"]) == ("language", "done")
    for run, row in zip(tree["runs"], tree["variants"], strict=True):
        score = run["evaluation"]["scores"]["bits_per_character"]
        assert row["values"] == {"bits_per_character": {"0": score["value"]}}
        assert (run["tokens_seen"], row["tokens"]) == (128, 128)
    headers, rows = answer.table
    assert headers[2] == "bits_per_character"
    assert dict(zip(headers, rows[0], strict=True))["tokens"] == "128"
    kept = [row.costs.key_value_bytes for row in answer.variants]
    assert kept == [8 * (8 + 8) * 4, 8 * (8 + 8) * 4]  # keys tied to values, but turned by place


def test_runs_that_exist_say_what_they_are(
    classified, spoken, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = go_to(classified, here)
    expected = compare(**asked, show_progress=False)
    assert main(["compare", "out", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["task"] == "classify"
    assert [row["values"] for row in tree["variants"]] == [
        row["values"] for row in expected.to_dict()["variants"]
    ]
    assert main(["compare", "out", str(spoken[0] / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "trained a classifier and " in printed.err
    assert "a language model: they have no score in common; give runs of one kind." in printed.err
    with pytest.raises(ConfigError, match="'task' decides how runs are trained"):
        compare("out", task="classify")


def test_a_folder_compares_runs_of_one_task(spoken, rhyme: Path, here: Path) -> None:
    asked = go_to(spoken, here)
    record = json.loads(Path("out/plan.json").read_text())
    assert record["task"] == "language"
    record.pop("task")  # as it was written while there were GANs alone
    Path("out/plan.json").write_text(json.dumps(record))
    with pytest.raises(ResumeError, match="out compares runs of --task gan, not of --task lang"):
        compare(**asked, show_progress=False)


def test_the_folder_is_named_by_the_task(rhyme: Path, here: Path) -> None:
    answer = compare(
        task="language", vary={"network.blocks": [1, 2]}, source=rhyme, tokens=64, plan=True
    )
    assert answer.out == Path("comparisons/rhyme-language-blocks")
    assert (answer.task, len(answer.commands)) == ("language", 10)


LANGUAGE = ("--task", "language", "--vary", "network.blocks=1,2")
CLASSIFY = ("--task", "classify", "--vary", "network.blocks=1,2")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--task", "clasify", "--vary", "a=1,2"), "Unknown task 'clasify'. Did you mean 'classi"),
        (("--vary", "batch_size=8,16", "--tokens", "9"), "--tokens has no effect with --task gan"),
        ((*LANGUAGE, "--images", "9"), "no effect with --task language; a budget is counted in to"),
        ((*LANGUAGE, "--size", "20"), "--size has no effect with --task language."),
        ((*CLASSIFY, "--tokens", "9"), "no effect with --task classify; a budget is counted in im"),
        ((*CLASSIFY, "--model", "conv-gan"), "'model' is the recipe of a GAN, and --task classify"),
        ((*CLASSIFY, "--vary", "model=a,b"), "'model' is the recipe of a GAN, and --task classify"),
        ((*LANGUAGE, "--for", "1m", "--tokens", "3"), "--for and --tokens exclude one another"),
    ],
)
def test_what_a_task_does_not_take(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert main(["compare", *words]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert sentence in printed.err
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--metrics", "fd"), "Unknown metric 'fd'. Known: bits_per_character."),
        (("--num-images", "9"), "--num-images has no effect: the bits_per_character of such runs"),
        (("--match", "generator.width", "--parameters", "equal"), "of the network, such as netwo"),
        (("--vary", "network.hedas=1,2"), "Did you mean 'network.heads'?"),
    ],
)
def test_what_a_language_model_is_not_measured_by(
    rhyme: Path, here: Path, capsys: pytest.CaptureFixture[str], words, sentence: str
) -> None:
    assert main(["compare", *LANGUAGE, "--data", str(rhyme), "--tokens", "64", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(here.iterdir())


@pytest.mark.parametrize("task", ["classified", "spoken"])
def test_a_finished_comparison_is_read_back(
    task: str, here: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    asked = go_to(request.getfixturevalue(task), here)
    document = compare(**asked, show_progress=False).to_dict()
    capsys.readouterr()  # what the fixture said, where this test is its first
    assert main(["compare", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(document))


@pytest.mark.parametrize(
    "content",
    ["{", "3", '{"scores": []}', '{"scores": {"accuracy": 1}}', '{"scores": {"accuracy": {}}}']
    + [f'{{"scores": {{"accuracy": {{"value": {value}}}}}}}' for value in ('"x"', "true", "[]")],
)
def test_a_damaged_score_of_a_run(
    classified, here: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    go_to(classified, here)
    Path("out/network.score=none-seed1/score.json").write_text(content)
    assert main(["compare", "out", "--json"]) == 3
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert "none-seed1/score.json: holds no score, though the run is done." in printed.err


def test_an_accuracy_that_is_no_number(classified, here: Path, capsys) -> None:
    go_to(classified, here)
    score = Path("out/network.score=none-seed1/score.json")
    tree = json.loads(score.read_text())
    tree["scores"]["accuracy"]["value"] = float("nan")
    score.write_text(json.dumps(tree))
    assert main(["compare", "out", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert "The accuracy of out/network.score=none-seed1 is not a finite number" in str(tree)
    assert tree["variants"][1]["values"]["accuracy"].keys() == {"0"}
    assert "One seed in common" in tree["variants"][1]["verdict"]
