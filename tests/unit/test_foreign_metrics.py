"""Lines of others in `metrics.jsonl`: skipped, said, and no harm done."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from disturbances import at_step, record

from orthogan.training.metrics_file import append_metrics, read_metrics

OLD = Path(__file__).parents[1] / "fixtures" / "version-0.1"

FOREIGN = (
    b"hello",
    b"\xff\xfe\x00",
    b'{"note": "no count"}',
    b'{"images_seen": 330}',
    b'{"images_seen": true, "event": "score"}',
    b'{"images_seen": 330, "event": ["score"]}',
    b'{"images_seen": 330, "event": "score", "": null}',
    b"[" * 200_000,
    b'{"images_seen": ' + b"9" * 5000 + b"}",
    b'{"images_seen": -3, "attempt": 0}',
)


def test_foreign_lines_neither_stop_a_run_nor_pass_in_silence(
    train_tiny: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        at_step(patch, 10, lambda _: signal.raise_signal(signal.SIGINT))
        train_tiny(tmp_path / "run", "signals_every=64")
    file = tmp_path / "run" / "metrics.jsonl"
    ours = file.read_bytes()
    file.write_bytes(FOREIGN[0] + b"\n" + ours + b"\n".join(FOREIGN[1:]) + b"\n")
    run = train_tiny(tmp_path / "run", "signals_every=64", show_progress=True)
    assert (run.status, run.images_seen) == ("done", 320)
    said = capsys.readouterr().err
    assert f"{file}: lines 1, " in said
    assert "skipped: half-written, or no record of a run." in said
    assert record(tmp_path / "run")["status"] == "done"
    assert train_tiny(tmp_path / "run", "signals_every=64").status == "done"


def test_scores_that_are_no_numbers_are_passed_over(
    train_tiny: Any, scored_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    train_tiny(run, "score_every_s=1e-6", source=scored_file, images=32)
    name = next(iter(json.loads((run / "run.json").read_text())["scores"]))
    for value in ("null", '"low"', "[1]", "NaN", "true"):
        with (run / "metrics.jsonl").open("a") as file:
            file.write(f'{{"images_seen": 16, "event": "score", "{name}": {value}}}\n')
    (run / "run.json").write_text(json.dumps(record(run) | {"status": "running"}))
    again = train_tiny(run, "score_every_s=1e-6", source=scored_file, images=32)
    assert again.status == "done"
    assert "before" not in again.reason


@pytest.mark.parametrize("line", FOREIGN[:3] + FOREIGN[4:6] + FOREIGN[7:])
def test_which_lines_are_skipped(tmp_path: Path, line: bytes) -> None:
    file, said = tmp_path / "metrics.jsonl", []
    append_metrics(file, {"images_seen": 1, "event": "step"})
    with file.open("ab") as opened:
        opened.write(line + b"\n\n")
    append_metrics(file, {"images_seen": 2, "event": "step"})
    assert [record["images_seen"] for record in read_metrics(file, said.append)] == [1, 2]
    assert said == [f"{file}: line 2 skipped: half-written, or no record of a run."]


def test_many_skipped_lines_are_one_sentence(tmp_path: Path) -> None:
    file, said = tmp_path / "metrics.jsonl", []
    file.write_bytes(b"x\n" * 9)
    assert read_metrics(file, said.append) == []
    assert "lines 1, 2, 3, 4, 5 and 4 more skipped" in said[0]
    said.clear()
    append_metrics(tmp_path / "ours.jsonl", {"images_seen": 1})
    assert len(read_metrics(tmp_path / "ours.jsonl", said.append)) == 1
    assert said == []
