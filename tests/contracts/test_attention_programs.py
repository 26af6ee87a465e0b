"""The layer inside other people's programs: compiled whole, and exported for every length."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orthogan.attention import key_names, score_names
from orthogan.attention.scores import score_traits

# A process of its own: the checks of shapes that tests add to every function cannot be traced.
PROGRAM = """
import sys
import torch
from orthogan.attention import Attention
from orthogan.rng import initialization

torch.set_num_threads(1)
way, *layers = sys.argv[1:]
draw = torch.Generator().manual_seed(0)

def tokens(length):
    return torch.randn(2, length, 8, generator=draw)

def whole(layer, *parts):
    # Capturing is what can fail; the stages behind it are the compiler's own.
    torch._dynamo.reset()  # else its limit of programs per function counts all cases together
    return torch.compile(layer, fullgraph=True, backend="eager")

def exported(layer, *parts):
    names = [torch.export.Dim(name, min=1, max=4096) for name in ("T", "S")]
    if len(parts) == 1:
        shapes = ({1: names[0]},)
    else:
        mask = None if parts[2] is None else dict(enumerate(names))
        shapes = ({1: names[0]}, {1: names[1]}, mask)
    return torch.export.export(layer, parts, dynamic_shapes=shapes).module()

make = {"compile": whole, "export": exported}[way]
for asked in layers:
    score, keys, order = asked.split()
    with initialization(0, "layer"):
        layer = Attention(8, 2, score, keys, order=order)
    if layer.keys.needs_calibration:
        layer.fit_keys(tokens(99))
    cases = {"alone": lambda n: (tokens(n),)}
    if asked in ("softmax learned auto", "none learned auto"):
        cases["context"] = lambda n: (tokens(n), tokens(n // 2 + 2), None)
        cases["masked"] = lambda n: (
            tokens(n), tokens(n + 1), torch.rand(n, n + 1, generator=draw) < 0.5
        )
    for case, inputs in cases.items():
        program = make(layer, *inputs(7))
        # A quarter of a billion weights once are enough; the symbolic length is the same for all.
        cheap = order == "linear" or asked == "softmax learned auto"
        longest = 4096 if case == "alone" and cheap else 333
        for length in (1, 2, 170, longest):
            given = inputs(length)
            with torch.set_grad_enabled(way == "compile" and length < 4096):
                torch.testing.assert_close(
                    program(*given), layer(*given), rtol=1e-4, atol=1e-5,
                    msg=lambda why: f"{asked}, {case}, {length} tokens: {why}",
                )
print("done")
"""
LAYERS = [
    *(
        f"{score} learned {order}"
        for score in score_names()
        for order in (
            ("auto", "quadratic", "linear") if score_traits(score).is_linear else ("auto",)
        )
    ),
    # Score and keys are traced one after the other: each kind of keys once is enough.
    *(f"softmax {keys} auto" for keys in key_names() if keys != "learned"),
]


@pytest.mark.parametrize("way", ["compile", "export"])
def test_one_program_serves_from_one_to_4096_tokens(way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, way, *LAYERS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr[-3000:]
