"""Every generator becomes a program that a page runs: the same images and attention weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import pytest
import torch
from page_scripts import NEEDS_NODE, computed, drawn
from torch import Tensor, nn

from orthogan import rng
from orthogan.attention import Attention, key_names, score_names
from orthogan.errors import ConfigError
from orthogan.export.web.capture import captured
from orthogan.export.web.lowering import lowered
from orthogan.export.web.program import KERNELS, Program, run
from orthogan.networks import GENERATORS, Generator
from orthogan.networks.attending import PositionMode
from orthogan.networks.calibration import calibrate
from orthogan.networks.network import GeneratorConfig, normalise

SMALL = {"hidden": 8, "width": 8, "channels": 8, "blocks": 1, "style_size": 8, "latent_size": 6}
NOISE = normalise(rng.normal((5, SMALL["latent_size"]), rng.stream(0, "page")))
# Of values of about 1; sums are in another order, and in float64 on the page.
CLOSE = 2e-5


def settled(kind: str, **settings: Any) -> Generator:
    """A small generator, none of whose parts is left at zero."""
    form = GENERATORS[kind]
    known = {name: size for name, size in SMALL.items() if name in form.model_fields}
    with rng.initialization(0, "page"):
        network = form(**{"size": 16, **known, **settings}).build()
    with torch.no_grad():
        for i, weight in enumerate(network.parameters()):
            weight.add_(0.1 * rng.normal(tuple(weight.shape), rng.stream(0, "wake", i)))
    calibrate(network, NOISE)
    return network.eval()


def agrees(network: Generator, program: Program) -> None:
    """The program as PyTorch runs it, and as the page does, is the network."""
    with torch.inference_mode():
        wanted = network.synthesise(NOISE).numpy()
    scale = max(1.0, float(np.abs(wanted).max()))
    assert float(np.abs(run(program, NOISE).numpy() - wanted).max()) <= CLOSE * scale
    images, weights = drawn(program, NOISE)
    assert images.shape == wanted.shape
    assert float(np.abs(images - wanted).max()) <= CLOSE * scale
    expected = weights_of(network)
    assert len(weights) == len(expected)
    for made, right in zip(weights, expected, strict=True):
        assert float(np.abs(made - right).max()) <= CLOSE
    alone, _ = drawn(program, NOISE[:1], vectors=False)
    assert float(np.abs(alone - images[:1]).max()) <= CLOSE * scale


def weights_of(network: nn.Module) -> list[np.ndarray]:
    """The attention weights of each layer, in the order of the pass."""
    seen: list[np.ndarray] = []

    def watch(layer: Attention, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append(layer.weights(*given, **named).numpy())

    layers = [part for part in network.modules() if isinstance(part, Attention)]
    hooks = [layer.register_forward_pre_hook(watch, with_kwargs=True) for layer in layers]
    with torch.inference_mode():
        network.synthesise(NOISE)
    for hook in hooks:
        hook.remove()
    return seen


@NEEDS_NODE
def test_a_page_has_every_kernel() -> None:
    there = computed(
        "return [UNARY, BINARY, REDUCED, KERNELS].flatMap(Object.keys).concat([...VIEWS]);"
    )
    assert set(there) - {"copy"} == set(KERNELS)


@NEEDS_NODE
@pytest.mark.parametrize("kind", list(GENERATORS))
@pytest.mark.parametrize(("size", "patch"), [(16, 4), (20, 8)])
def test_a_page_draws_what_the_network_draws(kind: str, size: int, patch: int) -> None:
    network = settled(kind, size=size, patch=patch, colours=1 + 2 * (patch // 8))
    agrees(network, lowered(captured(network)))


class ForeignConfig(GeneratorConfig):
    """Of a generator of somebody else."""

    kind: Literal["foreign"] = "foreign"

    def build(self) -> Generator:
        raise NotImplementedError


class Foreign(Generator):
    """A generator of somebody else, who knows other layers."""

    def __init__(self, work: Callable[[Generator, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__(ForeignConfig(size=16, latent_size=6))
        self.work = work
        self.parts = nn.ModuleDict(parts)

    def synthesise(self, noise: Tensor) -> Tensor:
        made = self.work(self, noise)
        return made[(slice(None), *[None] * (4 - made.dim()))]


def grid(noise: Tensor) -> Tensor:
    return (noise[:, :, None, None] * torch.linspace(-1, 1, 16).reshape(4, 4)).repeat(1, 2, 2, 2)


def layers(**settings: list[Any]) -> dict[str, nn.Module]:
    """Attention layers of every kind, each with its name."""
    (name, values), *_ = settings.items()
    return {
        f"{name} {value}": Attention(8, heads=2, **{"score": "softmax", name: value})
        for value in values
    }


def each_layer(network: Generator, noise: Tensor) -> Tensor:
    """What each layer makes of the same tokens, side by side."""
    tokens = grid(noise).flatten(2).reshape(-1, 96, 8)[:, ::6]
    return torch.cat([part(tokens) for part in network.parts.values()], 1)


MODES = {
    "add": "learned",
    "concatenate": "sinusoidal",
    "rotate": "sinusoidal",
    "untied": "learned",
    "orthogonal": "sinusoidal-1d",
}


def positioned() -> dict[str, nn.Module]:
    """A positional encoding in every mode, each before an attention layer."""
    assert set(MODES) == set(get_args(PositionMode))
    parts: dict[str, nn.Module] = {}
    for mode, positions in MODES.items():
        config = GENERATORS["attention"](width=8, heads=2, positions=positions, position_mode=mode)
        # The narrower tokens that leave room for an appended code are made as they are there.
        narrow = nn.Linear(8, config.token_width)
        parts[mode] = nn.Sequential(narrow, config.place(4), config.attend(4))
    return parts


FOREIGN: dict[str, tuple[Callable[[Any, Tensor], Tensor], dict[str, nn.Module]]] = {
    "scores": (each_layer, layers(score=score_names())),
    "keys": (each_layer, layers(keys=key_names())),
    "positions": (each_layer, positioned()),
    "layer norm": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.LayerNorm([8, 8])}),
    "group norm": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.GroupNorm(3, 12)}),
    "batch norm": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.BatchNorm2d(12)}),
    "gelu": (lambda g, z: g.parts["a"](3 * grid(z)), {"a": nn.GELU()}),
    "silu": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.SiLU()}),
    "elu": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.ELU()}),
    "leaky relu": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.LeakyReLU(0.2)}),
    "softplus": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.Softplus()}),
    "tanh and clamp": (lambda g, z: grid(z).tanh().clamp(-0.5, 0.7), {}),
    "hardtanh": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.Hardtanh()}),
    "nearest": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.Upsample(scale_factor=2)}),
    "bilinear": (
        lambda g, z: g.parts["a"](grid(z)),
        {"a": nn.Upsample(scale_factor=2, mode="bilinear")},
    ),
    "pixel shuffle": (lambda g, z: g.parts["a"](grid(z)), {"a": nn.PixelShuffle(2)}),
    "strided convolution": (
        lambda g, z: g.parts["a"](grid(z)),
        {"a": nn.Conv2d(12, 5, 3, stride=2, padding=1)},
    ),
    "dilated convolution": (
        lambda g, z: g.parts["a"](grid(z)),
        {"a": nn.Conv2d(12, 5, (3, 2), dilation=(2, 1), padding=(2, 0), bias=False)},
    ),
    "grouped convolution": (
        lambda g, z: g.parts["a"](grid(z)),
        {"a": nn.Conv2d(12, 8, 3, padding=1, groups=4)},
    ),
    "grouped transposed convolution": (
        lambda g, z: g.parts["a"](grid(z)),
        {"a": nn.ConvTranspose2d(12, 8, 3, stride=2, padding=1, output_padding=1, groups=2)},
    ),
    "convolution of lines": (
        lambda g, z: g.parts["a"](grid(z).flatten(2)),
        {"a": nn.Conv1d(12, 4, 5, padding=2)},
    ),
    "torch's attention": (
        lambda g, z: g.parts["a"](*3 * [grid(z).flatten(2)], need_weights=False)[0],
        {"a": nn.MultiheadAttention(64, 2, batch_first=True)},
    ),
    "einsum": (lambda g, z: torch.einsum("bchw,bdhw->bcd", grid(z), grid(z).cos()), {}),
    "flip, roll and pad": (
        lambda g, z: nn.functional.pad(grid(z).flip(2).roll(3, 3), (1, 2, 0, 3), value=0.5),
        {},
    ),
    "softmax across": (lambda g, z: grid(z).softmax(1), {}),
    "log softmax": (lambda g, z: grid(z).log_softmax(-1), {}),
    "extremes": (lambda g, z: torch.cat([grid(z).amax(1), grid(z).amin((1, 2))[:, None]], 1), {}),
    "variance": (lambda g, z: grid(z).var(1) + grid(z).std((2, 3), keepdim=True).mean(1), {}),
    "comparisons": (
        lambda g, z: torch.where(
            (grid(z) > 0) & ~(grid(z) >= 1) | (grid(z) != grid(z).floor()), grid(z), -grid(z)
        ),
        {},
    ),
    "powers": (
        lambda g, z: grid(z).abs() ** 1.7 + grid(z).square() + (1 + grid(z) ** 2) ** -0.5,
        {},
    ),
    "functions": (
        lambda g, z: (grid(z).exp().log1p() + grid(z).expm1().abs().sqrt() + grid(z).sign()
                      + torch.erf(grid(z)) + grid(z).sin() + (grid(z) ** 2 + 1).log().reciprocal()),
        {},
    ),
    "places": (lambda g, z: grid(z)[:, [3, 1, 1]].index_select(2, torch.tensor([5, 0])), {}),
    "pieces": (
        lambda g, z: sum(part.sum(1) for part in grid(z).chunk(3, 1)) + grid(z).unbind(1)[2],
        {},
    ),
    "steps": (lambda g, z: grid(z)[:, 1::3, -5:, ::2], {}),
    "numbers alone": (lambda g, z: 1 - 2 / (3 + grid(z) ** 2) + torch.ones_like(grid(z)), {}),
}  # fmt: skip


def foreign(name: str) -> Foreign:
    work, parts = FOREIGN[name]
    network = Foreign(work, **parts).eval()
    with torch.no_grad():
        for i, weight in enumerate(network.parameters()):
            weight.copy_(rng.normal(tuple(weight.shape), rng.stream(0, "foreign", i)) / 2)
    calibrate(network, NOISE.repeat(8, 1) + rng.normal((40, 6), rng.stream(0, "tokens")))
    return network


@NEEDS_NODE
@pytest.mark.parametrize("name", FOREIGN)
def test_networks_of_others_are_drawn_too(name: str) -> None:
    network = foreign(name)
    agrees(network, lowered(captured(network)))


REFUSED: dict[str, tuple[Callable[[Any, Tensor], Tensor], str]] = {
    "sorting": (lambda g, z: grid(z).sort(1).values, "no kernel for the operation 'sort'"),
    "counting": (lambda g, z: grid(z).cumsum(1), "no kernel for the operation 'cumsum'"),
    "looking up": (lambda g, z: grid(z)[:, z[0].long().abs()], "indices that depend|integers"),
    "rounding": (lambda g, z: grid(z).div(2, rounding_mode="floor"), "division that rounds"),
    "one batch": (lambda g, z: grid(z).reshape(2, -1, 8, 8), "one graph for any number of images"),
    "branches": (lambda g, z: grid(z) if z.sum() > 0 else -grid(z), "one graph for any number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_page_cannot_do_is_said(name: str) -> None:
    work, sentence = REFUSED[name]
    with pytest.raises(ConfigError, match=sentence) as caught:
        lowered(captured(Foreign(work).eval()))
    assert len(str(caught.value).splitlines()) == 1
