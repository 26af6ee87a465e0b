"""Every generator leaves as ONNX, with classes and without, and makes the same images there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from orthogan import rng
from orthogan.export import onnx as export
from orthogan.models import bundle
from orthogan.models.generator import load
from orthogan.networks import GENERATORS

SMALL = {"hidden": 8, "width": 8, "channels": 8, "blocks": 1}


@pytest.mark.parametrize("kind", list(GENERATORS))
@pytest.mark.parametrize(("classes", "colours"), [(0, 3), (3, 1)])
def test_every_generator_leaves_as_onnx(
    kind: str, classes: int, colours: int, tmp_path: Path
) -> None:
    form = GENERATORS[kind]
    settings = {name: size for name, size in SMALL.items() if name in form.model_fields}
    config = form(size=16, classes=classes, colours=colours, **settings)
    with rng.initialization(0, "leaves"):
        network = config.build()
    with torch.no_grad():  # some parts start at zero, and would hide what they do
        for i, weight in enumerate(network.parameters()):
            weight.add_(0.1 * rng.normal(tuple(weight.shape), rng.stream(0, "wake", i)))
    folder = bundle.save_bundle(
        tmp_path / "model",
        network_config=config.to_dict(),
        tensors=network.state_dict(),
        data={"source": "none", "size": 16, "colours": colours},
        card={"title": kind},
    )
    made = export.export_onnx(folder, tmp_path / f"{kind}.onnx")
    assert made.largest_difference <= export.TOLERANCE
    pixels = made.generator.sample(range(9))
    wanted = load(folder).sample(range(9)).permute(0, 2, 3, 1).numpy()
    assert pixels.shape == (9, 16, 16, colours)
    assert int(np.abs(pixels.astype(int) - wanted).max()) <= 1
