"""A finished comparison read back from its folder: the same document, and what is wrong is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import CELLS

from orthogan.cli import main
from orthogan.experiments import compare
from orthogan.gan import api

_ANSWERED: list[tuple[Path, str]] = []


@pytest.fixture
def finished(
    planned: Path, here: Path, ask, no_runs: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A folder whose comparison was answered, and the document that was printed; asked once."""
    if not _ANSWERED:
        shutil.copytree(planned / "out", here / "out")
        code, document, _ = ask("--json")
        assert code == 0
        kept = tmp_path_factory.mktemp("answered") / "out"
        _ANSWERED.append((shutil.move(here / "out", kept), document))
    answered, document = _ANSWERED[0]
    return shutil.copytree(answered, here / "out"), document


@pytest.fixture
def no_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring is an error."""

    def evaluate(*_args: Any, **_options: Any) -> None:
        raise AssertionError("a run was scored again")

    monkeypatch.setattr(api, "evaluate", evaluate)


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """Reads `out` back; the exit code, the document and what was said."""

    def call(*more: str) -> tuple[int, Any, str]:
        code = main(["compare", "out", "--json", *more])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else None, printed.err

    return call


def stored(folder: Path, cell: str = CELLS[0]) -> Path:
    return folder / "evaluations" / f"{cell}.json"


def test_the_same_document_is_printed(finished, capsys, no_scores: None) -> None:
    folder, document = finished
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["compare", "out", "--json"]) == 0
    assert capsys.readouterr().out == document
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files
    assert json.loads(json.dumps(compare("out").to_dict())) == json.loads(document)


def test_and_after_more_seeds_and_other_metrics(
    filled: Path, ask, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("--metrics", "recall,fd", "--num-images", "130", "--json")
    assert ask("--seeds", "1", "--plan")[0] == 0
    code, document, _ = ask(*more)
    assert code == 0
    assert "This was asked with 1 and 2 seeds" in document
    monkeypatch.setattr(api, "evaluate", None)
    assert main(["compare", "out", "--json"]) == 0
    assert capsys.readouterr().out == document


def test_a_cell_without_a_score_is_scored_at_the_recorded_size(finished, read) -> None:
    folder, document = finished
    stored(folder).unlink()
    code, tree, _ = read()
    assert code == 0
    cell = folder.name + "/" + CELLS[0]
    note = f"{cell} was scored again, with 160 images: it has no stored score."
    assert tree["notes"] == [note, *json.loads(document)["notes"]]
    assert tree["variants"] == json.loads(document)["variants"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tree: "{", "is damaged"),
        (lambda tree: [1], "is damaged"),
        (lambda tree: {**tree, "evaluation": 3}, "is damaged"),
        (lambda tree: {**tree, "evaluation": {"scores": {}}}, "is damaged"),
        (lambda tree: {**tree, "evaluation": {"scores": {"fd": {"value": "x"}}}}, "is damaged"),
        (lambda tree: {**tree, "made_from": None}, "is damaged"),
        (
            lambda tree: {**tree, "made_from": {**tree["made_from"], "num_images": 150}},
            "is that of 150 images",
        ),
        (
            lambda tree: {**tree, "made_from": {**tree["made_from"], "metrics": ["kd"]}},
            "is that of other metrics",
        ),
        (
            lambda tree: {**tree, "made_from": {**tree["made_from"], "weights": "0"}},
            "is that of another model",
        ),
    ],
)
def test_a_stored_score_that_does_not_fit(finished, read, change, reason: str) -> None:
    folder, document = finished
    changed = change(json.loads(stored(folder).read_text()))
    stored(folder).write_text(changed if isinstance(changed, str) else json.dumps(changed))
    code, tree, _ = read()
    assert code == 0
    assert any(f"with 160 images: its stored score {reason}." in note for note in tree["notes"])
    assert tree["variants"] == json.loads(document)["variants"]


def test_scores_of_another_version_are_used_and_named(finished, read, no_scores: None) -> None:
    folder, document = finished
    for cell in CELLS:
        tree = json.loads(stored(folder, cell).read_text())
        tree["made_from"]["orthogan"] = "0.0.1"
        stored(folder, cell).write_text(json.dumps(tree))
    code, tree, _ = read()
    assert code == 0
    assert "Stored scores were measured by orthogan 0.0.1." in tree["notes"]
    assert tree["variants"] == json.loads(document)["variants"]


def test_the_model_may_be_gone_where_the_score_is_stored(finished, read, no_scores: None) -> None:
    folder, document = finished
    shutil.rmtree(folder / CELLS[0] / "bundle")
    assert read()[1] == json.loads(document)
    stored(folder).unlink()
    code, tree, err = read()
    assert (code, tree, err.count("\n")) == (3, None, 1)
    assert "cannot be read, though the run is done" in err


def test_a_score_that_is_no_number(finished, read, no_scores: None) -> None:
    folder, _ = finished
    tree = json.loads(stored(folder).read_text())
    (name,) = tree["evaluation"]["scores"]
    tree["evaluation"]["scores"][name]["value"] = float("nan")
    stored(folder).write_text(json.dumps(tree))
    code, tree, err = read()
    assert code == 0
    assert (
        f"The {name} of out/{CELLS[0]} is not a finite number, so it is left out." in tree["notes"]
    )
    assert tree["variants"][0]["values"][name].keys() == {"1"}
    assert "Done" in err


def test_missing_unfinished_and_foreign_cells_are_named(finished, read, no_scores: None) -> None:
    folder, _ = finished
    shutil.copytree(folder / CELLS[0], folder / "a copy")
    shutil.rmtree(folder / CELLS[1])
    record = json.loads((folder / CELLS[2] / "run.json").read_text())
    (folder / CELLS[2] / "run.json").write_text(json.dumps(record | {"status": "failed"}))
    code, tree, _ = read()
    assert code == 0
    assert tree["notes"][:4] == [
        f"out/{CELLS[1]} is not started and left out.",
        f"out/{CELLS[2]} is not finished (failed) and left out.",
        "generator.score=cosine has no finished run and is left out.",
        "out/a copy is no run of this comparison and left out.",
    ]
    assert [row["label"] for row in tree["variants"]] == ["generator.score=softmax"]


def test_a_run_of_other_settings_under_the_name_of_a_cell(finished, read, no_scores) -> None:
    folder, _ = finished
    record = folder / CELLS[1] / "run.json"
    record.write_text(record.read_text().replace('"batch_size": 16', '"batch_size": 8'))
    code, tree, _ = read()
    assert code == 0
    assert (
        f"out/{CELLS[1]} was made with other settings than the plan has and left out."
        in (tree["notes"])
    )
    assert len(tree["runs"]) == 3


def test_a_folder_without_a_finished_run(filled: Path, read) -> None:
    for cell in CELLS:
        shutil.rmtree(filled / cell)
    code, tree, err = read()
    assert (code, tree) == (2, None)
    assert err == "orthogan: There is no finished run in out.\n"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 2, "created": "", "precision": "", "variants": [], "seeds": [[0]], "runs": []}',
        '{"format": 1, "created": "", "precision": "", "variants": [], "seeds": [], "runs": []}',
        '{"format": 1, "created": "", "precision": "", "variants": 3, "seeds": [[0]], "runs": []}',
        '{"format": 1, "created": "", "precision": "", "variants": [], "seeds": [0], "runs": []}',
        "[" * 200_000,
    ],
)
def test_a_damaged_plan(filled: Path, ask, read, content: str) -> None:
    (filled / "plan.json").write_text(content)
    code, tree, err = read()
    assert (code, tree, err.count("\n")) == (3, None, 1), err
    assert "plan.json: is not " in err
    code, _, err = ask()
    assert (code, err.count("\n")) == (6, 1)
    assert "Choose another --out." in err


def test_an_asked_size_is_measured(finished, read) -> None:
    _, document = finished
    code, tree, _ = read("--num-images", "150")
    assert code == 0
    ((name, score),) = tree["runs"][0]["evaluation"]["scores"].items()
    assert score["n"] == 150
    assert tree["out"] is None
    before = json.loads(document)["runs"][0]["evaluation"]["scores"][name]["value"]
    assert score["value"] != before


def test_runs_named_one_by_one_have_their_stored_scores_too(
    finished, capsys, no_scores: None
) -> None:
    _, document = finished
    assert main(["compare", *(f"out/{cell}" for cell in CELLS), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["variants"] == json.loads(document)["variants"]


def test_a_repeated_question_says_what_it_scores_again(finished, ask) -> None:
    folder, _ = finished
    stored(folder).write_text("{")
    code, _, err = ask()
    assert code == 0
    assert f"{CELLS[0]} is scored again: its stored score is damaged." in err
    assert "scored again" not in ask()[2]
    assert (
        "is scored again: its stored score is that of 160 images." in ask("--num-images", "150")[2]
    )
