"""`evaluate` takes the held-out part of the real images for the floors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogan.gan import api


def fill(folder: Path, num: int, seed: int) -> Path:
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (num, 16, 16)).astype(np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("num_held", "words"),
    [
        (140, "the 300 training images of REAL; floors are of 130 held-out images."),
        (20, "the 300 images of REAL; floors are of a part of them."),
    ],
)
def test_floors_come_from_the_held_out_folder(tmp_path: Path, num_held: int, words: str) -> None:
    real = tmp_path / "real"
    fill(real / "train", 300, 0)
    fill(real / "val", num_held, 1)
    fake = fill(tmp_path / "fake", 130, 2)
    found = api.evaluate(fake, real, metrics=["fd"])
    compared = words.replace("REAL", str(real))
    assert found.compared is not None
    assert found.compared.sentence == f"Compared 130 images of {fake} with {compared}"
    facts = {"source": str(fake), "checkpoint": None, "num_images": 130, "num_real": 300}
    assert facts.items() <= found.to_dict()["compared"].items()
    assert any("too few for floors" in sentence for sentence in found.notes) == (num_held < 128)
    assert any("val (" in sentence and "held out" in sentence for sentence in found.notes)
    split = any("No held-out images: floors compare" in sentence for sentence in found.notes)
    assert split == (num_held < 128)
