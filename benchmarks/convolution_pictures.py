"""Convolution as attention and attention as convolution, in pictures, with the errors measured.

    python benchmarks/convolution_pictures.py                 # three pictures and their numbers
    python benchmarks/convolution_pictures.py --out folder

Nothing is trained: every number is an identity checked in float64, or the error of a construction
that is only exact in a limit.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from convolution_figures import draw_convolution, draw_forms, draw_sharpness
from provenance import provenance
from torch import Tensor, nn

from orthogan import data
from orthogan.attention import (
    OffsetForm,
    as_attention,
    as_convolution,
    fit_form,
    fourier_form,
    grid_positions,
    offset_kernel,
    sharp_weights,
    sharpness_curve,
)
from orthogan.attention.positions import SINUSOID_BASE

RESULTS = Path(__file__).parent / "results"
MODES = ("zeros", "circular", "reflect", "replicate")
RING = 32  # positions on the ring
TORUS = (16, 16)
LINE = 28  # positions on the line: a row of MNIST
WIDTHS = (4, 8, 12, 16, 24, 32, 40, 48, 52, 56, 64, 96, 128, 256, 512)
ALPHAS = tuple(2 ** (step / 4) for step in range(-16, 22))  # 1/16 to 38: error 2 to rounding
SHOWN_ALPHAS = (0.1, 0.5, 2.0, 8.0)


def edge_convolution(**settings: Any) -> nn.Conv2d:
    """A 3 x 3 convolution that answers to edges falling from upper left to lower right."""
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False, dtype=torch.float64, **settings)
    kernel = torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0, 2.0]])
    conv.weight.data.copy_(kernel.double() / 6)
    return conv


def convolution_to_attention(image: Tensor) -> dict[str, Any]:
    """A kernel as nine heads; its map of all heads together for every padding mode."""
    conv = edge_convolution()
    attention = as_attention(conv)
    with torch.no_grad():
        wanted, found = conv(image), attention(image)
        dense = attention.mix(image, attention.weights(image.shape[-2:]))
    maps = {}
    for mode in MODES:
        heads = as_attention(edge_convolution(padding_mode=mode))
        maps[mode] = torch.einsum(
            "nts,n->ts", heads.weights((6, 6)), heads.value.flatten().detach()
        )
    return {
        "image": image[0, 0],
        "kernel": conv.weight.detach()[0, 0],
        "output": found[0, 0],
        "shifts": attention.taps.shifts(),
        "maps": maps,
        "largest difference, by index": float((found - wanted).abs().max()),
        "largest difference, dense": float((dense - wanted).abs().max()),
        "weights come back bit for bit": torch.equal(as_convolution(attention).weight, conv.weight),
    }


def ring_kernel() -> Tensor:
    """A bump that leans to one side, so that left and right can be distinguished."""
    offset = torch.arange(RING, dtype=torch.float64)
    offset = torch.where(offset > RING / 2, offset - RING, offset)
    return (1 - (offset - 2).square() / 6) * (-(offset - 2).square() / 12).exp()


def torus_kernel() -> Tensor:
    """A Gabor wavelet on the torus, centred at offset 0."""
    axes = [torch.arange(n, dtype=torch.float64) for n in TORUS]
    wrapped = [
        torch.where(axis > n / 2, axis - n, axis) for axis, n in zip(axes, TORUS, strict=True)
    ]
    rows, cols = torch.meshgrid(*wrapped, indexing="ij")
    return (-(rows.square() + cols.square()) / 10).exp() * (1.1 * (rows + 0.6 * cols)).cos()


def attention_to_convolution() -> dict[str, Any]:
    """Forms on sinusoidal codes and the kernels that they are."""
    ring, torus = ring_kernel(), torus_kernel()
    form, plane = fourier_form(ring), fourier_form(torus)
    ring_map = form.weights(grid_positions((RING,)))
    torus_map = plane.weights(grid_positions(TORUS))
    read = offset_kernel(ring_map, RING, circular=True)
    return {
        "ring kernel": ring,
        "omega": form.omega(),
        "ring map": ring_map,
        "ring kernel read back": read.kernel,
        "torus kernel": torus,
        "torus map": torus_map,
        "row plus column": row_plus_column(torus),
        "free map": free_map(form),
        "ring error": float((read.kernel - ring).abs().max()),
        "torus error": float(
            (offset_kernel(torus_map, TORUS, circular=True).kernel - torus).abs().max()
        ),
        "ring share": read.share,
        "free share": offset_kernel(free_map(form), RING, circular=True).share,
        "row plus column share": float(
            (row_plus_column(torus) - torus.mean()).square().sum()
            / (torus - torus.mean()).square().sum()
        ),
    }


def free_map(form: OffsetForm) -> Tensor:
    """The map of blocks with the same entries in another order: they do not commute."""
    omega = form.omega() @ torch.diag(torch.tensor([1.0, -1.0]).double().repeat(len(form.sine)))
    codes = form.codes(grid_positions((RING,)))
    return codes @ omega @ codes.T


def row_plus_column(kernel: Tensor) -> Tensor:
    """The nearest kernel on codes of which one half is for rows, the other for columns."""
    waves = [fourier_form(torch.zeros(n).double()).frequencies for n in kernel.shape]
    rows = torch.cat([waves[0], torch.zeros_like(waves[0])], dim=1)
    cols = torch.cat([torch.zeros_like(waves[1]), waves[1]], dim=1)
    offsets = grid_positions(kernel.shape)
    return fit_form(offsets, kernel.flatten(), torch.cat([rows, cols])).kernel(kernel.shape)


def reach_of_sinusoids() -> dict[str, list[dict[str, float]]]:
    """How near "attend to the next token" comes on a line, by width and by frequencies."""
    offsets = torch.arange(1 - LINE, LINE, dtype=torch.float64)[:, None]
    wanted = (offsets[:, 0] == 1).double()
    period = len(offsets)
    reach: dict[str, list[dict[str, float]]] = {"geometric": [], "fourier": []}
    for width in WIDTHS:
        steps = torch.arange(width // 2, dtype=torch.float64)[:, None]
        for name, frequencies in (
            ("geometric", SINUSOID_BASE ** (-2 * steps / width)),
            ("fourier", 2 * math.pi * steps[: period // 2 + 1] / period),
        ):
            form = fit_form(offsets, wanted, frequencies)
            entries = torch.cat([form.cosine, form.sine]).abs()
            error = float((form.at(offsets) - wanted).norm() / wanted.norm())
            reach[name].append(
                {"width": width, "error": error, "largest entry": float(entries.max())}
            )
    return reach


def sharp_heads(image: Tensor) -> dict[str, Any]:
    """The error curves of nine softmax heads with quadratic codes."""
    conv = edge_convolution()
    curves = {
        name: asdict(sharpness_curve(conv, image, ALPHAS, pad=pad))
        for name, pad in (("padded", True), ("unpadded", False))
    }
    heads = as_attention(conv)
    size = (9, 9)
    maps = [
        sharp_weights(heads, size, alpha, pad=False).unflatten(2, size) for alpha in SHOWN_ALPHAS
    ]
    return {
        "curves": curves,
        # The head that looks up and to the left, from the centre pixel.
        "maps": [attention[0, 40].tolist() for attention in maps],
        "shown": list(SHOWN_ALPHAS),
        "border maps": [
            sharp_weights(heads, size, 8.0, pad=pad).unflatten(2, size) for pad in (True, False)
        ],
    }


def measured(record: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a record without what is only drawn."""
    return {name: value for name, value in record.items() if isinstance(value, float | bool)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--digit", type=int, default=7, help="which MNIST image is convolved")
    asked = parser.parse_args()
    # Before the pictures are written anew, which would make the commit dirty.
    origin = provenance()
    # From 0 (paper) to 1 (ink), so that zero padding looks like more paper.
    image = (data.load("mnist").floats(torch.tensor([asked.digit])).double() + 1) / 2
    there, back = convolution_to_attention(image), attention_to_convolution()
    reach, sharp = reach_of_sinusoids(), sharp_heads(image)
    draw_convolution(there, asked.out / "convolution_to_attention.png")
    draw_forms(back, reach, asked.out / "attention_to_convolution.png")
    draw_sharpness(sharp, asked.out / "convolution_sharp_heads.png")
    record = {
        "provenance": origin,
        "digit": asked.digit,
        "convolution to attention": measured(there),
        "attention to convolution": measured(back),
        "next token on a line": {"positions": LINE, "reach": reach},
        "sharp heads": sharp["curves"],
    }
    path = asked.out / "convolution_pictures.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps({name: record[name] for name in list(record)[2:4]}, indent=1))


if __name__ == "__main__":
    main()
