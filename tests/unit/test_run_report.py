"""The report of runs: whole, true, escaped, and there whatever state a run is in."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import EVIL, Page
from PIL import Image

import orthogan as og
from orthogan.cli.entry import run as command
from orthogan.errors import ConfigError, DataError, DivergedError, StorageError
from orthogan.report import run_report
from orthogan.report.curve_sections import thinned
from orthogan.report.embedded import opened
from orthogan.report.run_facts import scores_of
from orthogan.report.run_page import player
from orthogan.report.run_report import report
from orthogan.training import afterwards

SCORES = {
    "precision": {"value": 0.9, "low": 0.88, "high": 0.92, "floor": 0.95, "n": 1000},
    "recall": {"value": 0.4, "low": 0.38, "high": 0.42, "floor": 0.95, "n": 1000},
}
GROUPS = [
    {"name": EVIL, "share": 0.01, "real_share": 0.25, "examples": [1, 2, 10**9], "is_certain": True}
]
LINES: tuple[dict[str, Any], ...] = (
    {"images_seen": 100, "event": "escape", "abandoned_at": 64, "reason": EVIL, "elapsed_s": 1.0},
    {"images_seen": 110, "event": "resume", "elapsed_s": 2.0},
    {"images_seen": 120, "event": "alarm", "reasons": [EVIL, 3], "elapsed_s": 3.0},
    {"images_seen": 130, "event": "score", "fd[x@1]": 9.0, "floor": 0.5, "elapsed_s": 4.0},
    {"images_seen": 140, "event": "score", "fd[x@1]": 2.0, "floor": 0.5, "elapsed_s": 5.0},
    {"images_seen": 150, "event": "score", "fd[x@1]": 3.0, "floor": 0.5, "elapsed_s": 6.0},
    {"images_seen": 160, "event": "verdict", "verdict": f"Usable. {EVIL}", "scores": SCORES,
     "groups": GROUPS, "notes": [EVIL], "elapsed_s": 7.0},
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(
    scored_file: Path, tiny_settings: Callable[..., tuple[str, ...]],
    feature_cache: Path, tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A tiny run with two grids and a look at its geometry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOGAN_CACHE", str(feature_cache))
        run = tmp_path_factory.mktemp("runs") / "tiny"
        settings = tiny_settings("attention-gan", "signals_every=64", "score_every_s=1e-6")
        og.train(scored_file, images=128, run=run, settings=settings, show_progress=False,
                 threads=1)  # fmt: skip
    return run


@pytest.fixture
def told(trained: Path, tmp_path: Path) -> Path:
    """A copy of it under a hostile name, with a course that holds every kind of event."""
    run = tmp_path / "<img src=x onerror=alert(1)>"
    shutil.copytree(trained, run)
    file = run / "metrics.jsonl"
    own = [line for line in file.read_text().splitlines() if '"score"' not in line]
    file.write_text("".join(line + "\n" for line in [*own, *map(json.dumps, LINES)]))
    return run


def page_of(*runs: Path, out: Path) -> Page:
    return Page(report(*runs, out=out).page)


def test_a_run_answers_its_questions_in_order(told: Path, tmp_path: Path) -> None:
    made = report(told)
    assert made.path == told / "report.html"
    assert made.path.read_text() == made.page
    page = Page(made.page)
    assert page.sections == [
        "scores", "samples", "neighbours", "groups", "curves", "tokens",
        "attention-0-generator", "attention-0-discriminator", "attention-definitions", "timeline",
        "settings", "provenance",
    ]  # fmt: skip
    assert page.text.index("Usable.") < page.text.index("How good is it?")
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))


def test_what_it_says_is_what_the_run_wrote(told: Path) -> None:
    text = Page(report(told).page).text
    for sentence in (
        "40.0 %38.0 % to 42.0 %95.0 %",  # recall, its interval, real images
        "Failed start at 64 images",
        "Went on from here.",
        "Lowest distance to real images: 2.00.",
        "went from 9.00 to 3.00; its lowest was 2.00 after 140 images",
        "too little",
        "follows from the data",
        "orthogan report",
    ):
        assert sentence in text, sentence


def test_hostile_texts_stay_texts(told: Path) -> None:
    page = Page(report(told).page)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 2  # the numbers and the sliders
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(tags)
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src", "data:image/").startswith("data:image/")
    assert EVIL in page.text
    (row,) = json.loads(page.data)["runs"]
    assert EVIL in row["verdict"]


def test_only_the_pages_own_script_may_run(told: Path) -> None:
    text = report(told).page
    digest = base64.b64encode(hashlib.sha256(player().encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert f"script-src &#x27;sha256-{digest}&#x27;" in policy
    assert "default-src &#x27;none&#x27;" in policy
    assert f"<script>{player()}</script>" in text


def test_without_its_script_every_frame_shows(told: Path) -> None:
    page = Page(report(told).page)
    frames = [found for tag, found in page.tags if tag == "li" and "hidden" in found]
    assert frames == []
    assert page.text.count("After ") >= 2


def test_lines_that_are_not_ours_are_skipped_and_said(told: Path) -> None:
    with (told / "metrics.jsonl").open("a") as file:
        file.write('not json\n{"images_seen": 170, "event": "score", "fd[x@1]": "NaN"}\n')
    assert "skipped: half-written, or no record of a run." in Page(report(told).page).text


def test_odd_values_cost_nothing(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "odd"
    shutil.copytree(trained, run)
    odd: list[dict[str, Any]] = [
        {"event": "verdict", "verdict": 3, "scores": [1], "groups": {"a": 1}, "notes": "x"},
        {"event": "verdict", "verdict": "", "scores": {"precision": {"value": "x"}, "m": 3},
         "groups": [{"name": 3}, 4, {"name": "a", "share": 7.0, "real_share": -1}]},
        {"event": "geometry", "geometry": {"mode_collapse": None, "generator": {"attention": {
            "a": {"entropy": [1e308, "x", -1], "tokens": 4}, "b": 3}}}},
        {"event": "alarm", "reasons": "x"}, {"event": "stop", "stopped_s": "x"},
        {"event": "escape", "reason": 3}, {"event": "collapse", "healthy_checkpoint": "x"},
        {"event": "step", "penalty": -1e300, "discriminator_loss": 1e308}, {"event": "resume"},
    ]  # fmt: skip
    with (run / "metrics.jsonl").open("a") as file:
        for at, line in enumerate(odd):
            file.write(json.dumps({"images_seen": 1000 + at, **line}) + "\n")
    assert "timeline" in page_of(run, out=tmp_path / "odd.html").sections


@pytest.mark.parametrize("gone", ["bundle", "checkpoints", "samples", "metrics.jsonl"])
def test_a_run_that_lacks_something_has_a_page_all_the_same(
    gone: str, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    place = run / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    page = page_of(run, out=tmp_path / "page.html")
    assert {"timeline", "settings", "provenance"} <= set(page.sections)
    assert ("samples" in page.sections) == (gone != "samples")


def test_a_run_without_any_model_says_so(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    shutil.rmtree(run / "bundle")
    shutil.rmtree(run / "checkpoints")
    text = page_of(run, out=tmp_path / "page.html").text
    assert "The run has no model to draw with." in text
    assert "It has no checkpoint." in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("remove", "The training images cannot be read, so none stand here."),
        ("replace", "The training images are others by now"),
    ],
)
def test_data_that_are_gone_or_others_are_said(
    change: str, sentence: str, trained: Path, tiny_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    record = json.loads((run / "run.json").read_text())
    source = tmp_path / "nowhere.npz" if change == "remove" else tiny_file
    record["config"]["data"]["source"] = str(source)
    (run / "run.json").write_text(json.dumps(record))
    assert sentence in page_of(run, out=tmp_path / "page.html").text


def test_a_network_without_attention_says_so(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "plain", images=64, model="conv-gan").path
    assert "has no attention" in page_of(run, out=tmp_path / "page.html").text


def test_a_damaged_grid_is_named(told: Path) -> None:
    first = sorted((told / "samples").glob("*.png"))[0]
    first.write_bytes(b"no picture")
    assert "cannot be shown, since it is damaged or not a PNG." in Page(report(told).page).text
    with pytest.raises(DataError, match=r"damaged or not a PNG"):
        opened(first)


def test_a_grid_is_taken_back_to_its_own_pixels(tmp_path: Path) -> None:
    small = Image.effect_noise((30, 20), 80)
    small.resize((120, 80), Image.Resampling.NEAREST).save(tmp_path / "grid.png")
    assert list(opened(tmp_path / "grid.png").get_flattened_data()) == list(
        small.get_flattened_data()
    )


def test_what_is_no_run_is_refused(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(DataError, match=r"is not a run folder \(it has no run.json\)"):
        report(tmp_path)
    with pytest.raises(DataError, match="nowhere: does not exist; name a folder"):
        report(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="name another run"):
        report(tmp_path)
    with pytest.raises(ConfigError, match="1 to 26 runs, got 0"):
        report()
    with pytest.raises(ConfigError, match=r"does not end in \.html"):
        report(trained, out=tmp_path / "page.txt")


def test_a_full_disk_leaves_the_old_page(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(told)
    before = (told / "report.html").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orthogan.files.os.fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        report(told)
    assert (told / "report.html").read_bytes() == before
    assert not [file for file in told.iterdir() if file.name.endswith(".new")]


# ---- written by the run itself


@pytest.fixture
def every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afterwards, "LEAST_S", 0.0)


def test_a_run_writes_its_report_at_its_end(
    train_tiny, every_run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train_tiny(tmp_path / "run", images=64, show_progress=True)
    assert "Done: the budget is used up" in (run.path / "report.html").read_text()
    assert "open it in a browser" in capsys.readouterr().err


def test_a_quick_run_writes_none(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "run", images=64)
    assert not (run.path / "report.html").exists()


def test_a_run_that_breaks_down_writes_one(
    train_tiny, every_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise DivergedError("It broke.")

    monkeypatch.setattr("orthogan.gan.session.GanSession._step", broken)
    with pytest.raises(DivergedError):
        train_tiny(tmp_path / "run", images=64)
    assert "It broke." in (tmp_path / "run" / "report.html").read_text()


def test_a_stopped_run_writes_none(
    train_tiny, every_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(session: Any, progress: float) -> Any:
        session.stop.received = signal.SIGTERM
        return session.trainer.step(progress)

    monkeypatch.setattr("orthogan.gan.session.GanSession._step", stopped)
    run = train_tiny(tmp_path / "run", images=64)
    assert run.status != "done"
    assert not (run.path / "report.html").exists()


@pytest.mark.parametrize("error", [StorageError("Full."), ValueError("Bug."), KeyboardInterrupt()])
def test_a_report_that_fails_fails_no_run(
    error: BaseException, train_tiny, every_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(run_report, "report_of_run", fail)
    run = train_tiny(tmp_path / "run", images=64, show_progress=True)
    assert run.status == "done"
    assert "No report was written" in capsys.readouterr().err


# ---- several runs


def copies(trained: Path, folder: Path, count: int, better: float) -> list[Path]:
    """Two variants with seeds 0, 1, ...: the second draws with other latents, and scores better."""
    runs = []
    for seed in range(count):
        for variant in (0, 1):
            run = folder / f"v{variant}-{seed}"
            shutil.copytree(trained, run)
            record = json.loads((run / "run.json").read_text())
            record["config"]["seed"] = seed
            record["config"]["batch_size"] = 16 + variant
            (run / "run.json").write_text(json.dumps(record))
            value = 5.0 + seed - variant * better * (1 + 0.1 * seed)
            line = {"images_seen": 128, "event": "score", "fd[x@1]": value, "floor": 0.5}
            (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
            runs.append(run)
    return sorted(runs)


def test_pairs_of_seeds_are_tested(trained: Path, tmp_path: Path) -> None:
    runs = copies(trained, tmp_path / "many", 6, 1.0)
    text = page_of(*runs, out=tmp_path / "page.html").text
    assert "differ in one setting, batch_size" in text
    assert f"{chr(0x2212)}1.25" in text  # the mean of 1, 1.1, ... 1.5
    assert "0.031beyond chance" in text


def test_one_pair_is_no_test(trained: Path, tmp_path: Path) -> None:
    text = page_of(*copies(trained, tmp_path / "two", 1, 1.0), out=tmp_path / "page.html").text
    assert "one pair: no test" in text
    assert "v0-0 beside v1-0" in text


def test_runs_on_other_data_are_not_compared(trained: Path, tmp_path: Path) -> None:
    runs = copies(trained, tmp_path / "two", 1, 1.0)
    record = json.loads((runs[0] / "run.json").read_text())
    record["provenance"]["data_fingerprint"] = "other"
    (runs[0] / "run.json").write_text(json.dumps(record))
    text = page_of(*runs, out=tmp_path / "page.html").text
    assert "so their scores are not compared" in text
    assert "one pair" not in text


# ---- other tasks


def test_a_classifier_has_one(classify_tiny, tmp_path: Path) -> None:
    page = page_of(classify_tiny(tmp_path / "classes", images=320).path, out=tmp_path / "p.html")
    assert {"scores", "answers", "timeline"} <= set(page.sections)
    assert "Accuracy (guessing: " in page.text
    assert "real data" not in page.text
    assert "taken for" in page.text


def test_a_language_model_has_one(tiny_text, tiny_language, tmp_path: Path, one_thread) -> None:
    run = og.train_language(tiny_text, tokens=640, run=tmp_path / "text", settings=tiny_language,
                            show_progress=False)  # fmt: skip
    page = page_of(run.path, out=tmp_path / "p.html")
    assert {"scores", "text", "timeline"} <= set(page.sections)
    assert "tokens shown in" in page.text


# ---- ways in


def test_the_command_writes_and_names_the_page(
    told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    assert command(["report", str(told), "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["out"] == str(out)
    assert EVIL in answer["verdicts"][str(told)]
    assert "orthogan report" in Page(out.read_text()).text
    assert command(["report", str(tmp_path)]) == DataError.exit_code
    assert "is not a run folder" in capsys.readouterr().err


def test_a_run_is_named_as_elsewhere(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    assert report("mine").path == Path("runs/mine/report.html")


def test_it_is_called_from_python_and_shows_itself(told: Path, tmp_path: Path) -> None:
    made = og.report(told, out=tmp_path / "page.html")
    shown = made._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown
    assert callable(og.report)


def test_lines_are_thinned_to_their_means() -> None:
    seen, values = thinned(([float(at) for at in range(1000)], [1.0] * 1000), 240)
    assert len(seen) <= 240
    assert set(values) == {1.0}


def test_scores_that_are_no_numbers_are_left_out() -> None:
    assert scores_of({"a": {"value": float("inf")}, "b": {"value": True}, "c": 1}) == []


def test_settings_that_came_later_are_no_difference(trained: Path, tmp_path: Path) -> None:
    runs = copies(trained, tmp_path / "two", 1, 1.0)
    record = json.loads((runs[0] / "run.json").read_text())
    del record["config"]["data"]["fit"]
    (runs[0] / "run.json").write_text(json.dumps(record))
    assert "differ in one setting, batch_size" in page_of(*runs, out=tmp_path / "p.html").text


def test_heads_are_told_once(trained: Path, tmp_path: Path) -> None:
    words = "Among how many patches a head spreads its attention"
    assert words not in page_of(trained, out=tmp_path / "page.html").text
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    shutil.rmtree(run / "bundle")
    shutil.rmtree(run / "checkpoints")
    assert words in page_of(run, out=tmp_path / "page.html").text
