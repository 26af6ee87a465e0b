"""`orthogan compare` with runs that exist: grouped, scored once, of the same data."""

from __future__ import annotations

import json
from pathlib import Path

from asking import CELLS

from orthogan.cli import main
from orthogan.gan import api


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


def test_runs_on_different_data(filled: Path, ask, tiny_file: Path, shared) -> None:
    settings = shared[shared.index("--set") :]
    words = ["train", str(tiny_file), "--run", "other", "--images", "16", *settings]
    assert main(words) == 0
    code, _, err = ask("out", "other", question=False)
    assert code == 3
    assert "scores on different data cannot be compared" in err


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
