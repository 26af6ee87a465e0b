"""The latents of a page are those of `orthogan.rng`."""

from __future__ import annotations

import numpy as np
from page_scripts import NEEDS_NODE, computed

from orthogan import rng
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
