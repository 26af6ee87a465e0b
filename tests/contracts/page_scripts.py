"""The scripts of an exported page, run by node as the browser runs them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from orthogan.export.web.page import SCRIPTS, _read
from orthogan.export.web.program import Program

NODE = shutil.which("node")
NEEDS_NODE = pytest.mark.skipif(
    NODE is None, reason="node, which runs the page's scripts, is not installed"
)
SCOPE = '"use strict";\n' + "\n".join(_read(name) for name in SCRIPTS)
INPUT = "const given = JSON.parse(require('fs').readFileSync(0, 'utf-8'));\n"


def computed(script: str, **given: Any) -> Any:
    """What a script returns of what it is given, in the scope of the page."""
    text = f"{SCOPE}\n{INPUT}console.log(JSON.stringify((() => {{ {script} }})()));"
    done = subprocess.run(
        [NODE, "-e", text], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def drawn(
    program: Program, noise: Tensor, *, vectors: bool = True
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Images and attention weights of a program, as the page computes them.

    Args:
        program: The program.
        noise: What it is given.
        vectors: Whether there is WebAssembly, with its vectors.
    """
    steps = [
        {"kind": step.kind, "inputs": step.inputs, "shape": step.shape, "settings": step.settings}
        for step in program.steps
    ]
    return _arrays(
        computed(
            """
            const floats = (text) => new Float32Array(bytesOf(text).buffer);
            const constants = {};
            for (const place in given.constants) constants[place] = floats(given.constants[place]);
            if (!given.vectors) delete globalThis.WebAssembly;
            const network = new Network(given.program, constants);
            if ((network.heap !== null) !== given.vectors) throw new Error("another kernel");
            const made = network.run(floats(given.noise), given.count, true);
            const text = ({ data, offset, shape }) => Buffer.from(
              data.slice(offset, offset + sizeOf(shape)).buffer).toString("base64");
            return [made.images, ...made.weights].map((view) => [text(view), view.shape]);
            """,
            program={"steps": steps, "images": program.images, "weights": list(program.weights)},
            constants={place: _text(tensor) for place, tensor in program.constants.items()},
            noise=_text(noise),
            vectors=vectors,
            count=len(noise),
        )
    )


def _text(tensor: Tensor) -> str:
    return base64.b64encode(tensor.to(torch.float32).contiguous().numpy().tobytes()).decode()


def _arrays(made: list[tuple[str, list[int]]]) -> tuple[np.ndarray, list[np.ndarray]]:
    images, *weights = (
        np.frombuffer(base64.b64decode(text), np.float32).reshape(shape) for text, shape in made
    )
    return images, weights
