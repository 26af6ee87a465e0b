"""A generator's page in Chromium: the images of PyTorch, from a file, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chromium import Seen, Visit, needed, visited
from hostile import hostile

from orthogan import rng
from orthogan.export.html import export_html
from orthogan.models import bundle
from orthogan.models.generator import load
from orthogan.networks import GENERATORS
from orthogan.terminal import printable

NUM_SEEDS = 64
HOSTILE = hostile(200)
# The bytes of the images of the first seeds, as the page draws them.
DRAWN = """(() => {
  const { generator } = orthogan;
  return [...Array(8).keys()].flatMap((part) => {
    const latents = [...Array(8).keys()].map((i) => generator.latent(BigInt(8 * part + i)));
    const noises = latents.map((latent) => generator.noise(latent, generator.classOf(latent)));
    return generator.draw(noises).pixels.map((bytes) => Array.from(bytes));
  });
})()"""
# The bytes of a canvas, read from a copy, since Chromium remarks on canvases that are read often.
BYTES = """((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
})"""
SHOWN = f'Array.from({BYTES}(document.getElementById("large")))'
OVERLAID = f'{BYTES}(document.getElementById("overlay")).some((byte) => byte > 0)'
SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
TEXTS = """["said", "attended", "range"].map((id) => document.getElementById(id).textContent)"""


def bundled(folder: Path, card: dict[str, Any], names: list[str], **settings: Any) -> Path:
    """A bundle of a network that was never trained, no part of which is at zero."""
    config = GENERATORS["attention"](**settings, classes=len(names))
    with rng.initialization(0, "page"):
        network = config.build()
    with torch.no_grad():
        for i, weight in enumerate(network.parameters()):
            weight.add_(0.02 * rng.normal(tuple(weight.shape), rng.stream(0, "wake", i)))
    data = {"source": "none", "size": config.size, "colours": config.colours}
    data |= {"class_names": names} if names else {}
    return bundle.save_bundle(
        folder,
        network_config=config.to_dict(),
        tensors=network.state_dict(),
        data=data,
        card=card,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Sources by name: digits, a folder of colour images, stacked digits, icons that fade."""
    needed()
    home = tmp_path_factory.mktemp("models")
    return {
        "mnist": "mnist-demo",
        "rgb": str(bundled(home / "rgb", {"title": "rgb"}, ["cats", "dogs"], size=32, colours=3)),
        "stacked": str(bundled(home / "stacked", {"title": "stacked"}, [], size=28, colours=3)),
        "hostile": str(bundled(
            home / "x", {"title": HOSTILE[0], "summary": HOSTILE[1], "verdict": HOSTILE[2],
                         HOSTILE[0]: HOSTILE[1], "scores": {HOSTILE[0]: {"value": 0.5}}},
            HOSTILE, size=20, colours=4, patch=8, width=8, hidden=8, channels=8, score="none",
        )),
    }  # fmt: skip


@pytest.fixture(scope="module")
def pages(models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("pages")
    return {
        name: export_html(source, home / f"{name} #1?.html").path for name, source in models.items()
    }


def quiet(seen: Seen) -> None:
    assert seen.messages == []
    assert seen.dialogs == 0
    assert seen.requests == []


@pytest.mark.parametrize("name", ["mnist", "rgb", "stacked"])
def test_the_images_are_those_of_pytorch(
    name: str, models: dict[str, str], pages: dict[str, Path]
) -> None:
    has_vectors = "orthogan.generator.network.heap !== null"
    steps = (DRAWN, ("fill", "#seed", "7"), SETTLED, SHOWN, has_vectors)
    (seen,) = visited(Visit(file=pages[name], steps=steps))
    quiet(seen)
    wanted = load(models[name]).sample(range(NUM_SEEDS)).permute(0, 2, 3, 1).int().numpy()
    side = wanted.shape[1]
    made = np.array(seen.values[0]).reshape(NUM_SEEDS, side, side, 4)
    assert int(np.abs(made[..., :3] - wanted).max()) <= 1  # grey is the same in each channel
    assert bool((made[..., 3] == 255).all())
    assert wanted.std() > 10
    shown = np.array(seen.values[3]).reshape(side, side, 4)
    assert np.array_equal(shown, made[7])
    assert seen.values[4] is True  # so the policy lets the page's own WebAssembly run


def test_a_seed_of_63_bits_and_a_class_by_name(
    models: dict[str, str], pages: dict[str, Path]
) -> None:
    seed = 2**63 - 1
    steps = (
        ("fill", "#seed", str(seed)), ("selectOption", "#class", {"label": "3"}), SETTLED, SHOWN,
        TEXTS, ("fill", "#seed", str(seed + 1)), SETTLED, SHOWN,
        "document.getElementById('seed-fault').textContent",
    )  # fmt: skip
    (seen,) = visited(Visit(file=pages["mnist"], steps=steps))
    quiet(seen)
    wanted = load(models["mnist"]).sample([seed], classes=["3"])[0, 0].int().numpy()
    shown = np.array(seen.values[3]).reshape(28, 28, 4)[..., 0]
    assert int(np.abs(shown - wanted).max()) <= 1
    assert seen.values[4][0] == f"Seed {seed}, class 3"
    assert seen.values[7] == seen.values[3]  # what is no seed changes nothing
    assert "from 0 to 9223372036854775807" in seen.values[8]


def test_sliders_move_the_image_and_come_back(pages: dict[str, Path]) -> None:
    steps = (
        SHOWN, ("fill", "#direction-0", "3"), SETTLED, SHOWN, TEXTS, ("click", "#level"), SETTLED,
        SHOWN, "orthogan.amounts", ("focus", "#direction-1"),
        ("press", "#direction-1", "ArrowRight"), SETTLED, SHOWN,
    )  # fmt: skip
    (seen,) = visited(Visit(file=pages["mnist"], steps=steps))
    quiet(seen)
    start, moved, back, by_key = (seen.values[at] for at in (0, 3, 7, 12))
    assert np.abs(np.array(moved) - np.array(start)).max() > 100
    assert "moved" in seen.values[4][0]
    assert back == start
    assert by_key != start


def test_the_way_to_another_seed_ends_there(models: dict[str, str], pages: dict[str, Path]) -> None:
    steps = (
        SHOWN, ("fill", "#goal", "3"), ("fill", "#way", "0.5"), SETTLED, SHOWN, TEXTS,
        ("fill", "#way", "1"), SETTLED, SHOWN, ("fill", "#way", "0"), SETTLED, ("click", "#play"),
        ("waitForTimeout", 700), "orthogan.way", ("click", "#play"), "orthogan.isPlaying",
    )  # fmt: skip
    (seen,) = visited(Visit(file=pages["mnist"], steps=steps))
    quiet(seen)
    start, middle, end = (np.array(seen.values[at]) for at in (0, 4, 8))
    assert np.abs(middle - start).max() > 50
    wanted = load(models["mnist"]).interpolate([0, 3], steps=3)[:, 0].int().numpy()
    made = np.stack([start, middle, end]).reshape(3, 28, 28, 4)[..., 0]
    assert int(np.abs(made - wanted).max()) <= 1
    assert "50 % of the way to seed 3" in seen.values[5][0]
    assert 0 < seen.values[13] < 1
    assert seen.values[15] is False


def test_a_patch_under_the_pointer_shows_what_it_reads(
    models: dict[str, str], pages: dict[str, Path]
) -> None:
    corner = {"position": {"x": 30, "y": 100}}
    steps = (
        OVERLAID, ("hover", "#stage", corner), TEXTS, OVERLAID,
        "Array.from(orthogan.reading)",
        ("selectOption", "#head", "1"), TEXTS, ("hover", "h1"), OVERLAID,
        ("focus", "#stage"), ("press", "#stage", "ArrowDown"), ("press", "#stage", "ArrowDown"),
        TEXTS, ("press", "#stage", "Escape"), OVERLAID,
    )  # fmt: skip
    (seen,) = visited(Visit(file=pages["mnist"], steps=steps))
    quiet(seen)
    assert [seen.values[at] for at in (0, 3, 8, 14)] == [False, True, False, False]
    assert seen.values[2][1].startswith("The patch in row 2, column 1 attends most to ")
    assert seen.values[12][1].startswith("The patch in row 5, column 4 attends most to ")
    generator = load(models["mnist"]).generator
    weights: list[torch.Tensor] = []
    layer = generator.blocks[0].attention
    hook = layer.register_forward_pre_hook(lambda part, given: weights.append(part.weights(*given)))
    with torch.inference_mode():
        generator(rng.latents([0], 64))
    hook.remove()
    assert np.allclose(seen.values[4], weights[0][0].mean(0)[7].numpy(), atol=1e-3)


def test_the_grid_turns_and_is_chosen_from(models: dict[str, str], pages: dict[str, Path]) -> None:
    label = "document.querySelector('#grid button:nth-child(6)').getAttribute('aria-label')"
    steps = (
        ("waitForTimeout", 500), label, ("click", "#later"), ("waitForTimeout", 500), TEXTS, label,
        ("click", "#grid button:nth-child(6)"), SETTLED, TEXTS, SHOWN,
        ("press", "#grid button:first-child", "ArrowRight"), "document.activeElement.title",
        "document.querySelectorAll('#grid button[aria-pressed=true]').length",
    )  # fmt: skip
    (seen,) = visited(Visit(file=pages["mnist"], steps=steps))
    quiet(seen)
    assert seen.values[1].startswith("Seed 5, class ")
    assert seen.values[4][2] == "Seeds 64 to 127"
    assert seen.values[5].startswith("Seed 69, class ")
    assert seen.values[8][0].startswith("Seed 69, class ")
    wanted = load(models["mnist"]).sample([69])[0, 0].int().numpy()
    shown = np.array(seen.values[9]).reshape(28, 28, 4)[..., 0]
    assert int(np.abs(shown - wanted).max()) <= 1
    assert seen.values[11].startswith("Seed 65, class ")
    assert seen.values[12] == 1


def test_hostile_names_do_nothing(pages: dict[str, Path]) -> None:
    every = """(() => {
      const select = document.getElementById("class");
      return [...select.options].map((option) => {
        select.value = option.value;
        select.dispatchEvent(new Event("change"));
        orthogan.draw();
        return document.getElementById("said").textContent;
      });
    })()"""
    foreign = "document.querySelectorAll('img, iframe, header script, main script').length"
    steps = (("hover", "#stage"), every, SETTLED, TEXTS, foreign)
    (seen,) = visited(Visit(file=pages["hostile"], steps=steps))
    quiet(seen)
    assert seen.values[1][1:] == [f"Seed 0, class {printable(name)}" for name in HOSTILE]
    assert seen.values[4] == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_anyone_can_use_it(width: int, pages: dict[str, Path], tmp_path: Path) -> None:
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    visits = [
        Visit(file=pages[name], width=width, scheme=scheme, steps=(overflow,), axe=True,
              picture=tmp_path / f"{name}-{scheme}.png")
        for name in ("mnist", "hostile")
        for scheme in ("light", "dark")
    ]  # fmt: skip
    for seen in visited(*visits):
        quiet(seen)
        assert seen.values == [0]
        assert json.dumps(seen.violations) == "[]"


def test_without_scripts_it_says_so(pages: dict[str, Path]) -> None:
    steps = ("document.querySelector('noscript').textContent",)
    (seen,) = visited(Visit(file=pages["mnist"], scripts=False, steps=steps))
    assert "drawn by scripts" in seen.values[0]
