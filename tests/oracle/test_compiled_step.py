"""The compiled step against the one written as in the papers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# A process of its own: the checks of shapes that tests add to every function cannot be compiled.
PARITY = """
import functools, sys, torch
from plain_step import in_float64, parity
from orthogan.gan import api
from orthogan.data import load
from orthogan.gan import trainer as module
from orthogan.gan.trainer import Trainer

# All but the last stage, which writes C++; benchmarks/step.py compares that too.
module.compiled = functools.partial(module.compiled, backend="aot_eager")
torch.set_num_threads(1)
source, model, *settings = sys.argv[1:]
images = load(source)
asked = api.resolve(source, model=model, images=640, settings=settings)
trainer = Trainer(asked, images, torch.device("cpu"))
trainer.compile()
found = parity(in_float64(trainer), images, steps=20)
print(found, torch._dynamo.utils.counters["stats"]["unique_graphs"])
"""


@pytest.mark.parametrize("model", ["attention-gan", "transformer-gan"])
def test_a_compiled_step_is_the_plain_step(tiny_file, tiny_settings, model) -> None:
    asked = tiny_settings(model, "precision=float32", "condition=classes")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PARITY,
            tiny_file,
            model,
            *asked,
            "penalty.share=0.5",
        ],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        check=True,
    )
    difference, graphs = done.stdout.split()
    assert float(difference) < 1e-5
    assert int(graphs) == 3  # the images, and the gradients of each player
