"""The run folder: created, resumed, refused, locked, listed."""

from __future__ import annotations

import json
from pathlib import Path

import pydantic
import pytest

from orthogan import files
from orthogan.errors import ResumeError, StorageError
from orthogan.training import lock
from orthogan.training.metrics_file import append_metrics
from orthogan.training.run_folder import RunFolder, describe_machine, list_runs, read_metrics

CONFIG = {"seed": 0, "loss": {"kind": "relativistic", "gamma": 1.0}, "betas": (0.0, 0.99)}
MADE_BY = {"torch": "2.13", "threads": 2, "data_fingerprint": "abc", "command": "orthogan train"}


def test_create_close_and_open_again(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "mine"
    with RunFolder.open(path, CONFIG, MADE_BY) as run:
        assert not run.resumed
        assert run.status == "running"
        run.update_status("interrupted", reason="Stopped by you.", images_seen=640, seconds=1.5)
    with RunFolder.open(path, CONFIG, MADE_BY) as run:
        assert run.resumed
        assert (run.status, run.images_seen, run.changes) == ("interrupted", 640, ())
        assert run.config["betas"] == [0.0, 0.99]
        assert run.provenance == MADE_BY
        run.update_status("running")
        assert run.images_seen == 640
    record = json.loads((path / "run.json").read_text())
    assert (record["status"], record["seconds"]) == ("running", 1.5)


def test_why_settings_are_as_they_are_is_kept(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "run", CONFIG, MADE_BY) as run:
        run.explain(("It is small.",))
        run.update_status("interrupted")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["why"] == ["It is small."]
    with RunFolder.open(tmp_path / "run", CONFIG, MADE_BY) as run:
        run.explain([])
        assert run.facts["why"] == []


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()
    other = CONFIG | {"seed": 1, "loss": {"kind": "hinge", "gamma": 1.0}, "new": 3}
    with pytest.raises(ResumeError) as caught:
        RunFolder.open(tmp_path / "run", other, MADE_BY)
    sentence = str(caught.value)
    for words in ("seed 0 -> 1", "loss.kind relativistic -> hinge", "new absent -> 3", "--run"):
        assert words in sentence
    assert "gamma" not in sentence
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()


def test_settings_that_a_later_version_brought_are_at_their_defaults(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()
    later = CONFIG | {"new": 3}
    for brought in ({"new": 3}, {"new": 3, "seed": 5}):  # what is recorded wins
        with RunFolder.open(
            tmp_path / "run", later, MADE_BY, complete=lambda old, new=brought: new | old
        ) as run:
            assert run.config["new"] == 3
    with pytest.raises(ResumeError, match="new 3 -> 4"):
        RunFolder.open(tmp_path / "run", CONFIG | {"new": 4}, MADE_BY)


def test_only_five_differences_are_shown(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", {f"s{i}": 0 for i in range(8)}, MADE_BY).close()
    with pytest.raises(ResumeError, match="s4 0 -> 1 and 3 more") as caught:
        RunFolder.open(tmp_path / "run", {f"s{i}": 1 for i in range(8)}, MADE_BY)
    assert "s5" not in str(caught.value)


def test_settings_that_may_change(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()
    changed = CONFIG | {"seed": 1}
    RunFolder.open(tmp_path / "run", changed, MADE_BY, may_change=["seed"]).close()


def test_other_data_is_refused(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()
    with pytest.raises(ResumeError, match=r"other data .*abc, now xyz"):
        RunFolder.open(tmp_path / "run", CONFIG, MADE_BY | {"data_fingerprint": "xyz"})


def test_the_same_data_may_lie_elsewhere(tmp_path: Path) -> None:
    old = CONFIG | {"data": {"source": "a.npz", "size": None}}
    new = CONFIG | {"data": {"source": "/there/a.npz", "size": None}}
    RunFolder.open(tmp_path / "run", old, MADE_BY).close()
    with pytest.raises(ResumeError, match=r"data\.source a\.npz -> /there/a\.npz"):
        RunFolder.open(tmp_path / "run", new, MADE_BY | {"data_fingerprint": "xyz"})
    other = new | {"data": {"source": "/there/a.npz", "size": 32}}
    with pytest.raises(ResumeError, match=r"data\.size None -> 32\."):
        RunFolder.open(tmp_path / "run", other, MADE_BY)
    with RunFolder.open(tmp_path / "run", new, MADE_BY) as run:
        assert run.config["data"]["source"] == "/there/a.npz"
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["data"]["source"] == "/there/a.npz"


def test_another_thread_count_is_told_and_recorded(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()
    now = MADE_BY | {"threads": 1, "command": "other words"}
    with RunFolder.open(tmp_path / "run", CONFIG, now) as run:
        assert run.changes == ("threads was 2, now 1",)
        assert run.provenance == MADE_BY
    assert json.loads((tmp_path / "run" / "run.json").read_text())["resumed_with"] == [now]


def test_a_foreign_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(ResumeError, match=r"not a run folder.*photo\.png"):
        RunFolder.open(tmp_path, CONFIG, MADE_BY)
    with pytest.raises(ResumeError, match="is a file"):
        RunFolder.open(tmp_path / "photo.png", CONFIG, MADE_BY)
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.png"]


def test_a_run_killed_before_its_record_was_written_begins_anew(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_bytes(b"")
    (tmp_path / ".run.json.1-01234567.new").write_bytes(b"{")
    with RunFolder.open(tmp_path, CONFIG, MADE_BY) as run:
        assert not run.resumed
    assert {entry.name for entry in tmp_path.iterdir()} == {".lock", "run.json"}


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "not valid JSON"), ("{}", "not the record of a run"), ("[]", "not the record")],
)
def test_a_damaged_record_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ResumeError, match=words):
        RunFolder.open(tmp_path, CONFIG, MADE_BY)
    (tmp_path / "run.json").unlink()
    RunFolder.open(tmp_path, CONFIG, MADE_BY).close()  # the lock was given back


def test_a_newer_record_is_refused(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, CONFIG, MADE_BY).close()
    record = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(record | {"format": 2}))
    with pytest.raises(ResumeError, match="format 2, this version of orthogan reads 1"):
        RunFolder.open(tmp_path, CONFIG, MADE_BY)


def test_two_cannot_train_into_one_folder(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG, MADE_BY) as run:
        with pytest.raises(ResumeError, match="another process is training") as caught:
            RunFolder.open(tmp_path, CONFIG, MADE_BY)
        assert caught.value.exit_code == 6
        run.close()
        run.close()
        RunFolder.open(tmp_path, CONFIG, MADE_BY).close()


def test_a_disk_without_locks_still_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(lock.errno.ENOLCK, "no locks")

    monkeypatch.setattr("fcntl.flock", refuse)
    RunFolder.open(tmp_path, CONFIG, MADE_BY).close()


def test_an_unwritable_place_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written") as caught:
        RunFolder.open(tmp_path / "file" / "run", CONFIG, MADE_BY)
    assert caught.value.exit_code == 3


def test_a_full_disk_keeps_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with RunFolder.open(tmp_path, CONFIG, MADE_BY) as run:
        before = (tmp_path / "run.json").read_bytes()
        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(StorageError, match="disk is full"):
            run.update_status("done")
        assert (tmp_path / "run.json").read_bytes() == before


def test_paths(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG, MADE_BY) as run:
        assert run.sample_path(640) == tmp_path / "samples" / "000000640.png"
        assert run.sample_path(640).parent.is_dir()
        assert run.bundle_path == tmp_path / "bundle"


def test_of_repeated_metrics_the_last_counts_and_a_torn_line_is_skipped(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, CONFIG, MADE_BY) as run:
        assert read_metrics(run.metrics_path) == []
        run.append_metrics({"images_seen": 10, "event": "step", "loss": 1.0})
        run.append_metrics({"images_seen": 10, "event": "score", "fd": 3.0})
        with run.metrics_path.open("ab") as file:
            file.write(b'{"images_seen": 30, "lo')
        run.append_metrics({"images_seen": 10, "event": "step", "loss": 2.0})
        run.append_metrics({"note": "without a count"})
        run.append_metrics({"images_seen": float("inf")})
        run.append_metrics({"images_seen": 20, "loss": float("nan"), "parts": [float("inf")]})
        assert read_metrics(run.metrics_path) == [
            {"images_seen": 10, "event": "score", "fd": 3.0},
            {"images_seen": 10, "event": "step", "loss": 2.0},
            {"images_seen": 20, "loss": None, "parts": [None]},
        ]


def write_metrics(path: Path, *lines: tuple[int, int, str, float]) -> list[dict[str, object]]:
    """Appends (images seen, attempt, event, loss) and reads the file again."""
    for seen, attempt, event, loss in lines:
        record = {"images_seen": seen, "attempt": attempt, "event": event, "loss": loss}
        append_metrics(path, record)
    return read_metrics(path)


def losses(records: list[dict[str, object]]) -> list[object]:
    return [record["loss"] for record in records if record["event"] == "step"]


def test_metrics_that_a_resumed_run_overtakes_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = [(seen, 0, "step", 1.0) for seen in (10, 20, 30, 40)]
    assert losses(write_metrics(path, *first)) == [1.0] * 4
    # At once, not only when the resumed run reaches them; also between its own counts.
    assert losses(write_metrics(path, (20, 0, "resume", 0.0))) == [1.0] * 2
    kept = write_metrics(path, (35, 0, "step", 2.0))
    assert [record["images_seen"] for record in kept] == [10, 20, 20, 35]
    assert losses(kept) == [1.0, 1.0, 2.0]
    assert losses(write_metrics(path, (15, 0, "step", 3.0))) == [1.0, 3.0]  # without a mark


def test_metrics_of_a_given_up_attempt_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write_metrics(path, (10, 0, "step", 1.0), (0, 1, "escape", 0.0), (10, 1, "step", 2.0))
    write_metrics(path, (30, 1, "step", 2.0))
    assert losses(read_metrics(path)) == [2.0, 2.0]
    # Killed before the first checkpoint of attempt 1: the run is in attempt 0 again.
    kept = write_metrics(path, (10, 0, "resume", 0.0), (20, 0, "step", 3.0))
    assert losses(kept) == [1.0, 3.0]
    assert {record["attempt"] for record in kept} == {0}
    kept = write_metrics(path, (0, 1, "escape", 0.0), (10, 1, "step", 4.0))
    assert losses(kept) == [4.0]
    assert [record["event"] for record in kept] == ["escape", "step"]


def test_metrics_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunFolder.open(tmp_path, CONFIG, MADE_BY) as run:
        monkeypatch.setattr(
            "orthogan.training.run_folder.RunFolder.metrics_path", Path("/dev/full"), raising=True
        )
        with pytest.raises(StorageError, match="disk is full"):
            run.append_metrics({"images_seen": 1})


def test_list_runs(tmp_path: Path) -> None:
    for name, status in (("a", "done"), ("b", "running"), ("c", "running")):
        run = RunFolder.open(tmp_path / name, CONFIG, MADE_BY)
        run.update_status(status, reason="Because.", images_seen=5, seconds=2.0)
        if name != "c":
            run.close()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "run.json").write_text("{")
    found = {summary.path.name: summary for summary in list_runs(tmp_path)}
    assert {name: summary.status for name, summary in found.items()} == {
        "a": "done",
        "b": "interrupted",
        "c": "running",
    }
    assert found["a"].facts["seconds"] == 2.0
    assert found["a"].config["seed"] == 0
    run.close()


def test_list_runs_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a folder"):
        list_runs(tmp_path / "none")


def test_describe_machine_names_what_changes_bits() -> None:
    facts = describe_machine(device="cpu", data_fingerprint="abc", command=["train", "--seed", "3"])
    assert facts["command"] == "train --seed 3"
    assert {"orthogan", "torch", "python", "threads", "device", "platform"} <= facts.keys()
    json.dumps(facts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": 3}, "'status' is missing or damaged; choose another --run"),
        ({"reason": None}, "'reason'"),
        ({"images_seen": "5"}, "'images_seen'"),
        ({"images_seen": True}, "'images_seen'"),
        ({"images_seen": -1}, "'images_seen'"),
        ({"config": {"budget": {"images": {}}}}, "'config.budget.images'"),
        ({"config": {"budget": {"seconds": "5"}}}, "'config.budget.seconds'"),
        ({"config": {"budget": {"seconds": True}}}, "'config.budget.seconds'"),
        ({"images_seen": 1.5}, "'images_seen'"),
        ({"updated": 7}, "'updated'"),
        ({"config": []}, "'config'"),
        ({"provenance": "me"}, "'provenance'"),
        ({"seconds": float("nan")}, "'seconds'"),
        ({"seconds": "1"}, "'seconds'"),
        ({"seconds": -1.0}, "'seconds'"),
        ({"scores": [1]}, "'scores'"),
        ({"scores": {"fd": "low"}}, "'scores.fd'"),
        ({"scores": {"fd": None}}, "'scores.fd'"),
        ({"resumed_with": {}}, "'resumed_with'"),
        ({"format": "y" * 5000}, r"format y{57}\.\.\., this version"),
    ],
)
def test_a_record_of_other_types_is_refused_and_left_out_of_the_list(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()
    RunFolder.open(tmp_path / "healthy", CONFIG, MADE_BY).close()
    file = tmp_path / "run" / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ResumeError, match=words) as caught:
        RunFolder.open(tmp_path / "run", CONFIG, MADE_BY)
    assert caught.value.exit_code == 6
    assert len(str(caught.value)) < 500
    said: list[str] = []
    assert [run.path.name for run in list_runs(tmp_path, said.append)] == ["healthy"]
    assert len(said) == 1
    assert said[0].startswith(f"Left out: {file}: ")


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"a": 1, "a": 2}', b"\xff", b"", b"3"])
def test_a_record_that_is_no_json_of_ours(tmp_path: Path, content: bytes) -> None:
    RunFolder.open(tmp_path / "run", CONFIG, MADE_BY).close()
    (tmp_path / "run" / "run.json").write_bytes(content)
    with pytest.raises(ResumeError, match="choose another --run"):
        RunFolder.open(tmp_path / "run", CONFIG, MADE_BY)
    assert list_runs(tmp_path) == []


def test_settings_as_long_as_a_book_stay_a_sentence(tmp_path: Path) -> None:
    RunFolder.open(tmp_path / "run", CONFIG | {"x" * 9999: "y" * 9999}, MADE_BY).close()
    with pytest.raises(ResumeError, match="was made with other settings") as caught:
        RunFolder.open(tmp_path / "run", CONFIG, MADE_BY)
    assert len(str(caught.value)) < 600


class _Value(pydantic.BaseModel):
    value: float


def test_a_score_is_read_in_its_shape(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "run", CONFIG, MADE_BY) as run:
        with pytest.raises(StorageError, match=r"score\.json: cannot be read"):
            run.score(_Value)
        files.write_json(run.path / "score.json", {"value": 1})
        assert run.score(_Value) == {"value": 1}
        for wrong in ([], {}, {"value": True}, {"value": "1"}):
            files.write_json(run.path / "score.json", wrong)
            with pytest.raises(StorageError, match="is missing or damaged; restore it"):
                run.score(_Value)
