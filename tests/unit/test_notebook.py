"""Results show themselves in notebooks: true, escaped, and never in the way of their use."""

from __future__ import annotations

import copy
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import EVIL, Page
from PIL import Image

import orthogan as og
from orthogan.evaluation import Evaluation, Score
from orthogan.images.samples import Samples, as_samples

pytestmark = pytest.mark.usefixtures("one_thread")


def page(result: Any) -> Page:
    return Page(result._repr_html_())


def test_a_run_shows_what_it_draws_and_what_it_is_worth(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "mine", images=64)
    lines = [{"images_seen": 64, "event": "score", "fd[x@1]": 2.5, "floor": 0.5},
             {"images_seen": 64, "event": "verdict", "verdict": EVIL,
              "scores": {EVIL: {"value": 0.5}}}]  # fmt: skip
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
    seen = page(run)
    assert "script" not in [tag for tag, _ in seen.tags]
    assert [found["src"][:16] for tag, found in seen.tags if tag == "img"] == ["data:image/webp;"]
    for words in ("mine", "64 images", "Frechet distance", "2.50", "orthogan sample", EVIL):
        assert words in seen.text, words
    shutil.rmtree(run.path)
    assert "64 images" in page(replace(run, reason=EVIL)).text


def test_an_evaluation_shows_its_scores() -> None:
    scores = {"precision": Score(0.9, 0.85, 0.95, 1.0, 100), EVIL: Score(2.0, 1.0, 3.0, 0.1, 100)}
    seen = page(Evaluation(scores, f"Usable. {EVIL}", "x@1", notes=(EVIL,)))
    assert "script" not in [tag for tag, _ in seen.tags]
    assert "90.0 %85.0 % to 95.0 %100 %" in seen.text
    assert seen.text.count(EVIL) == 3


def test_geometry_shows_its_counts() -> None:
    found = og.analyze(torch.nn.Embedding.from_pretrained(torch.eye(6)), num_positions=9)
    assert found.flip_count is not None
    assert f"of 54 pairs change identity{found.flip_count.flips}" in page(found).text
    counted = page(found.flip_count).text
    assert f"change identity{found.flip_count.flips}" in counted


def test_samples_are_a_picture_and_a_tensor() -> None:
    pixels = og.sample("mnist-demo", seeds=range(4))
    assert isinstance(pixels, Samples)
    with Image.open(io.BytesIO(pixels._repr_png_() or b"")) as picture:
        assert picture.size == (57 * 8, 57 * 8)
    assert isinstance(pixels[1:], Samples)
    for plain in (pixels[0], pixels.float(), pixels.permute(0, 2, 3, 1), torch.cat([pixels] * 2)):
        assert type(plain) is torch.Tensor
    assert as_samples(pixels[:0])._repr_png_() is None


def test_samples_are_copied_and_kept_as_any_tensor(tmp_path: Path) -> None:
    pixels = og.sample("mnist-demo", seeds=range(16))
    assert torch.equal(copy.deepcopy(pixels), pixels)
    assert np.asarray(pixels).dtype == np.uint8
    torch.save(pixels, tmp_path / "pixels.pt")
    kept = torch.load(tmp_path / "pixels.pt", weights_only=True)
    assert type(kept) is torch.Tensor
    assert torch.equal(kept, pixels)
    assert len(og.load_data(pixels).images) == 16
