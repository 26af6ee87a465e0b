"""The report of a run in Chromium: nothing foreign runs or is loaded, and all can read it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from chromium import Visit, needed, visited
from hostile import hostile

import orthogan as og
from orthogan.analysis.judging import Judged, Judgement
from orthogan.report import report
from orthogan.report.judged_page import write_judged_page

NUM_HOSTILE = 200


@pytest.fixture(scope="module")
def run(
    scored_file: Path, tiny_settings: Callable[..., tuple[str, ...]],
    feature_cache: Path, tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    needed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOGAN_CACHE", str(feature_cache))
        folder = tmp_path_factory.mktemp("runs") / "tiny"
        settings = tiny_settings("attention-gan", "signals_every=64", "score_every_s=1e-6")
        og.train(scored_file, images=128, run=folder, settings=settings, show_progress=False,
                 threads=1)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(run, out=tmp_path_factory.mktemp("page") / "report.html").path


def test_names_run_nothing(run: Path, tmp_path: Path) -> None:
    names = hostile(NUM_HOSTILE)
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    shutil.copytree(run, folder)
    record = json.loads((folder / "run.json").read_text())
    record |= {"reason": names[0], "recipe": names[1], "why": names[2:10], "created": names[10]}
    record["config"][names[11]] = names[12]
    record["provenance"] |= {"command": names[13], "platform": names[14], names[15]: names[16]}
    (folder / "run.json").write_text(json.dumps(record))
    groups = [{"name": each, "share": 0.1, "real_share": 0.1} for each in names]
    scores = {each: {"value": 0.5, "floor": 0.5} for each in names}
    lines = [
        {"images_seen": 200, "event": "verdict", "verdict": names[17], "groups": groups,
         "scores": scores, "notes": names},
        *({"images_seen": 201 + at, "event": "escape", "reason": each}
          for at, each in enumerate(names[:40])),
        {"images_seen": 300, "event": "alarm", "reasons": names},
        {"images_seen": 301, "event": "geometry", "geometry": {"generator": {"attention": {
            each: {"entropy": [1.0], "tokens": 4} for each in names}}}},
        {"images_seen": 302, "event": "score", f"fd[{names[18]}": 1.0},
        {"images_seen": 303, "event": "score", f"fd[{names[18]}": 2.0},
    ]  # fmt: skip
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
    one = report(folder, out=tmp_path / "one.html").path
    two = report(folder, run, out=tmp_path / "two.html").path
    steps = (
        "document.querySelectorAll('script').length",
        (
            "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some("
            "a => a.name.startsWith('on'))).length"
        ),
        "document.querySelectorAll('iframe, meta[http-equiv=refresh], a[href^=java]').length",
    )
    for seen in visited(*(Visit(file=file, steps=steps) for file in (one, two))):
        assert seen.dialogs == 0
        assert seen.messages == []
        assert seen.requests == []
        assert seen.values == [2, 0, 0]  # the numbers and the sliders


def test_names_of_judged_files_run_nothing(tmp_path: Path) -> None:
    needed()
    names = hostile(NUM_HOSTILE)
    images = tuple(Judged(each, 0.0, 0.5, 0.5, None) for each in names)
    pixels = torch.zeros(len(names), 1, 16, 16, dtype=torch.uint8)
    found = Judgement(images, f"runs/{names[0]}", pixels, 0.5, None, notes=tuple(names))
    file = write_judged_page(found, tmp_path / "judged.html", names[1])
    steps = ("document.querySelectorAll('script').length",
             ("[...document.querySelectorAll('*')].filter(e => [...e.attributes].some("
             "a => a.name.startsWith('on'))).length"),
             "document.querySelectorAll('.gallery img').length")  # fmt: skip
    quiet, narrow = visited(
        Visit(file=file, steps=steps), Visit(file=file, width=390, scheme="dark", axe=True)
    )
    assert (quiet.dialogs, quiet.messages, quiet.requests) == (0, [], [])
    assert quiet.values == [1, 0, NUM_HOSTILE]
    assert narrow.violations == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(page: Path, width: int, scheme: str) -> None:
    fits = "document.documentElement.scrollWidth <= innerWidth"
    quiet, checked = visited(
        Visit(file=page, width=width, scheme=scheme, steps=(fits,)),
        Visit(file=page, width=width, scheme=scheme, axe=True),
    )
    assert quiet.messages == []
    assert quiet.requests == []
    assert quiet.values == [True]
    assert checked.violations == []


def test_the_slider_moves_through_training(page: Path) -> None:
    shown = "[...document.querySelectorAll('.player li')].map(one => one.checkVisibility())"
    back = "const s = document.querySelector('.player input'); s.value = 0; s.dispatchEvent("
    (moved,) = visited(
        Visit(file=page, steps=(shown, f"(() => {{ {back}new Event('input')) }})()", shown))
    )
    first, _, then = moved.values
    assert len(first) >= 2
    assert first == [False] * (len(first) - 1) + [True]
    assert then == [True] + [False] * (len(first) - 1)


def test_without_scripts_every_frame_is_there(page: Path) -> None:
    shown = "[...document.querySelectorAll('.player li')].map(one => one.checkVisibility())"
    slider = "document.querySelector('.slider').checkVisibility()"
    (seen,) = visited(Visit(file=page, scripts=False, steps=(shown, slider)))
    assert all(seen.values[0])
    assert seen.values[1] is False
