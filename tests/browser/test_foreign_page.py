"""The page of an ONNX file in Chromium: ONNX Runtime Web draws what ONNX Runtime draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from chromium import Visit, needed, visited
from hostile import hostile

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from onnx import helper
from onnx_generators import Form, model, save, with_classes

from orthogan.export.foreign.graph import LARGEST_IR, LARGEST_OPSET, read_graph
from orthogan.export.foreign.trial import tried
from orthogan.export.html import HtmlExport, export_html
from orthogan.rng import latents
from orthogan.terminal import printable

NUM_SEEDS = 64
HOSTILE = hostile(200)
MOST_MB = 6.0
DRAWN = """(async () => {
  const { generator } = orthogan;
  const made = [];
  for (let seed = 0n; seed < 64n; seed++) {
    const latent = generator.latent(seed);
    const given = generator.noise(latent, generator.classOf(latent, seed));
    made.push(Array.from((await generator.draw([given])).pixels[0]));
  }
  return made;
})()"""
BEGUN = ("until", "performance.getEntriesByName('first image').length > 0")
TEXTS = """["said", "attended", "range"].map((id) => document.getElementById(id).textContent)"""
SETTLED = "new Promise((done) => setTimeout(done, 300))"
LARGE = """(() => {
  const { width, height } = document.getElementById("large");
  const copy = new OffscreenCanvas(width, height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(document.getElementById("large"), 0, 0);
  return [width, height, Array.from(context.getImageData(0, 0, width, height).data)];
})()"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour images that are no squares, of classes and inputs with hostile names."""
    needed()
    form = with_classes(
        HOSTILE,
        height=16,
        width=24,
        latent_size=128,
        width_inside=16,
        names=("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "x"),
    )
    return save(tmp_path_factory.mktemp("onnx") / "<b>'\"&.onnx", form)  # fmt: skip


@pytest.fixture(scope="module")
def made(file: Path) -> HtmlExport:
    return export_html(file, file.with_name("page #1?.html"))


def wanted(file: Path) -> np.ndarray:
    """The images of the first seeds by ONNX Runtime, bytes."""
    found = tried(read_graph(file))
    labels = np.arange(NUM_SEEDS) % len(found.class_names) if found.class_names else None
    images = found.images(latents(range(NUM_SEEDS), found.graph.latent_size).numpy(), labels)
    return np.rint((images.transpose(0, 2, 3, 1) + 1) * 127.5).astype(int)


def test_the_images_are_those_of_the_file(made: HtmlExport, file: Path) -> None:
    steps = (
        BEGUN, DRAWN, TEXTS, ("fill", "#seed", "7"), SETTLED, LARGE,
        ("fill", "#direction-0", "3"), SETTLED, LARGE, ("click", "#level"), SETTLED, LARGE,
        ("fill", "#way", "1"), SETTLED, LARGE, ("click", "#licenses summary"),
        ("until", "document.querySelector('#licenses pre').textContent.length > 100000"),
        "document.querySelectorAll('#grid button').length",
    )  # fmt: skip
    (seen,) = visited(Visit(file=made.path, steps=steps))
    assert (seen.messages, seen.dialogs, seen.requests) == ([], 0, [])
    expected = wanted(file)
    drawn = np.array(seen.values[1]).reshape(NUM_SEEDS, 16, 24, 4)
    assert int(np.abs(drawn[..., :3] - expected).max()) <= 1
    assert expected.std() > 10
    assert seen.values[2] == [
        f"Seed 0, class {printable(HOSTILE[0])}",
        "What its network attends to cannot be seen in an ONNX file.",
        "Seeds 0 to 63",
    ]
    width, height, seventh = seen.values[5]
    assert (width, height) == (24, 16)
    assert np.array_equal(seventh, drawn[7].ravel())
    assert np.abs(np.array(seen.values[8][2]) - seventh).max() > 20
    assert seen.values[11][2] == seventh
    assert int(np.abs(np.array(seen.values[14][2]) - drawn[1].ravel()).max()) <= 1
    assert seen.values[17] == NUM_SEEDS
    assert made.bits == 16
    assert made.size / 1e6 <= MOST_MB


def test_anyone_can_use_it(made: HtmlExport) -> None:
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    foreign = "document.querySelectorAll('img, iframe, header script, main script').length"
    looks = visited(*(
        Visit(file=made.path, width=width, scheme=scheme, steps=(BEGUN, overflow, foreign),
              axe=True)
        for width, scheme in ((1280, "light"), (390, "dark"))
    ))  # fmt: skip
    for seen in looks:
        assert (seen.messages, seen.dialogs, seen.requests) == ([], 0, [])
        assert seen.values[1:] == [0, 0]
        assert json.dumps(seen.violations) == "[]"


def test_the_newest_files_that_are_taken_can_be_run(tmp_path: Path) -> None:
    needed()
    newest = model(Form(last="Sigmoid", colours=1, convolves=True))
    newest.ir_version = LARGEST_IR
    newest.opset_import[0].CopyFrom(helper.make_opsetid("", LARGEST_OPSET))
    path = tmp_path / "newest.onnx"
    onnx.save(newest, path)
    page = export_html(path, tmp_path / "newest.html").path
    (seen,) = visited(Visit(file=page, steps=(BEGUN, DRAWN)))
    assert (seen.messages, seen.dialogs, seen.requests) == ([], 0, [])
    drawn = np.array(seen.values[1]).reshape(NUM_SEEDS, 16, 16, 4)[..., :1]
    assert int(np.abs(drawn - wanted(path)).max()) <= 1
