"""The latents and the bytes of a page are those of Python."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from page_scripts import NEEDS_NODE, computed

from orthogan import rng
from orthogan.data import to_pixels
from orthogan.streams import LATENTS, stream, stream_key

SEEDS = [0, 1, 7, 63, 2**31, 2**32 + 1, 2**53 + 1, 2**63 - 1]
PER_SEED = 40_000  # draws: every layer of the ziggurat, its wedges and its tail are met


@NEEDS_NODE
def test_latents_are_those_of_python() -> None:
    script = """
        return given.seeds.map((seed) => Array.from(
          latentOf(BigInt(seed), BigInt(given.stream), given.size)));
    """
    made = np.array(
        computed(script, seeds=[*map(str, SEEDS)], stream=str(stream_key(LATENTS)), size=PER_SEED),
        dtype=np.float32,
    )
    wanted = rng.latents(SEEDS, PER_SEED).numpy()
    # Logarithms of the tail may be rounded to the other side; everything else is the same bits.
    assert int((made != wanted).sum()) <= 2
    assert float(np.abs(made - wanted).max()) <= 1e-6
    assert float(np.abs(wanted).max()) > 3.7  # so the tail was met


@NEEDS_NODE
def test_another_stream_has_other_draws() -> None:
    script = "return Array.from(latentOf(3n, BigInt(given.stream), 8));"
    made = computed(script, stream=str(stream_key("another")))
    wanted = stream(3, "another").standard_normal(8, dtype=np.float32)
    assert np.array_equal(np.array(made, dtype=np.float32), wanted)


@NEEDS_NODE
@pytest.mark.parametrize("colours", [1, 3, 4])
def test_bytes_are_those_of_python(colours: int) -> None:
    planes = rng.normal((colours, 64, 64), rng.stream(0, "bytes", colours))
    planes[:, 0, :40] = torch.arange(-20, 20) / 20 + torch.tensor(1.0) / 255  # near half a step
    script = "return Array.from(rgba(Float32Array.from(given.values), given.colours));"
    made = np.array(computed(script, values=planes.flatten().tolist(), colours=colours))
    wanted = to_pixels(planes[None])[0].permute(1, 2, 0).numpy()
    made = made.reshape(64, 64, 4)
    shown = {1: made[..., :1], 3: made[..., :3], 4: made}[colours]
    assert np.array_equal(shown, wanted)
    assert bool((made[..., 3] == 255).all()) == (colours < 4)
