"""The parts of the benchmark scripts that compute: counted products, modes, the diffusion peer."""

from __future__ import annotations

import math

import penalty
import precision
import pytest
import torch
from ddpm import DDPM
from precision import EmulatedBfloat16
from products import Product, Products
from time_to_modes import first_time, kl_facts, summarise
from torch import nn
from torch.nn import functional

from orthogan.data import load
from orthogan.evaluation import Reading
from orthogan.gan import api
from orthogan.gan.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
FLOAT = torch.float32


def test_the_products_of_a_step_are_all_of_its_operations(tiny_file, tiny_settings) -> None:
    settings = tiny_settings("attention-gan", "precision=float32")
    config = api.resolve(tiny_file, images=640, settings=settings)
    trainer = Trainer(config, load(tiny_file), torch.device("cpu"))
    with Products() as products:
        trainer.step(0.0)
    counted = sum(count * product.flops for product, count in products.found.items())
    assert counted == products.flops > 0


def test_convolutions_are_the_products_they_are_computed_by() -> None:
    images, layer = torch.randn(2, 3, 9, 9, requires_grad=True), nn.Conv2d(3, 5, 3, 2, 1)
    with Products() as products:
        layer(images).sum().backward()
    pixels, entries = 2 * 5 * 5, 3 * 3 * 3
    assert products.found == {
        Product(1, pixels, 5, entries, FLOAT): 1,  # the output
        Product(1, pixels, entries, 5, FLOAT): 1,  # the gradient by the images
        Product(1, entries, 5, pixels, FLOAT): 1,  # by the weights
    }
    with Products() as products:
        functional.conv_transpose2d(torch.randn(2, 6, 4, 4), torch.randn(6, 3, 4, 4), stride=2)
        torch.bmm(torch.randn(7, 2, 3), torch.randn(7, 3, 4))
        torch.addmm(torch.zeros(4), torch.randn(2, 3), torch.randn(3, 4))
    assert set(products.found) == {
        Product(1, 2 * 4 * 4, 3 * 4 * 4, 6, FLOAT),
        Product(7, 2, 4, 3, FLOAT),
        Product(1, 2, 4, 3, FLOAT),
    }


def test_emulated_bfloat16_is_that_of_the_library(tiny_file, tiny_settings) -> None:
    settings = tiny_settings("attention-gan", "precision=bfloat16")
    config = api.resolve(tiny_file, images=640, settings=settings)
    own, emulated = (Trainer(config, load(tiny_file), torch.device("cpu")) for _ in "ab")
    expected = own.step(0.0).numbers()
    with EmulatedBfloat16() as mode:
        found = emulated.step(0.0).numbers()
    assert mode.count > 100
    full = Trainer(
        api.resolve(tiny_file, images=640, settings=[*settings, "precision=float32"]),
        load(tiny_file),
        torch.device("cpu"),
    )
    other = full.step(0.0).numbers()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-2, abs=1e-4)
    # As far from float32 as the library's own.
    far, near = (
        sum(abs(one[name] - two[name]) for name in expected)
        for one, two in ((expected, other), (expected, found))
    )
    assert far > 0
    assert near < far


def test_precision_is_compared_seed_by_seed() -> None:
    runs = {
        "float32": {"0": {"10": 2.0}, "1": {"10": 3.0}, "2": {"10": 5.0}},
        "bfloat16": {"1": {"10": 6.0}, "0": {"10": 2.0}},
    }
    row = precision.summarise(runs)["10"]
    assert row["seeds"] == 2
    assert row["distance in bfloat16 over float32"] == pytest.approx(math.sqrt(2))
    assert row["interval"][0] < 1 < row["interval"][1]
    assert precision.summarise({"float32": runs["float32"]}) == {}


def test_modes_and_divergence_of_a_reading() -> None:
    half = Reading(0.5, (0.002,) * 500 + (0.0,) * 500, 500.0, math.log(2))
    facts = kl_facts(half, 26_000, seed=0)
    assert (facts["modes"], facts["fd"]) == (500, 0.5)
    assert facts["kl corrected"] == pytest.approx(math.log(2) - 499 / 52_000)
    assert facts["kl corrected low"] < facts["kl corrected"] < facts["kl corrected high"]
    curve = [{"seconds": 5.0, "modes": 990}, {"seconds": 9.0, "modes": 1000}]
    assert (first_time(curve, 900), first_time(curve, 1000)) == (5.0, 9.0)
    assert first_time(curve, 1001) is None


def test_a_seed_that_never_arrives_counts_as_late() -> None:
    def run(seconds: float | None) -> dict:
        last = {"modes": 1000 if seconds else 998, "kl": 0.03, "kl corrected": 0.01}
        return {"seconds to": {"1000": seconds}, "curve": [last]}

    few = summarise({"a": [run(100.0), run(None), run(None)], "b": [run(100.0), run(90.0)]})
    assert few["a"]["median seconds to all modes"] is None
    assert (few["a"]["seeds that reached all modes"], few["a"]["least modes at the end"]) == (
        1,
        998,
    )
    assert few["b"]["median seconds to all modes"] == 100.0


def test_variants_of_the_penalty_are_tested_by_their_ratio_seed_by_seed() -> None:
    def runs(*distances: float) -> dict[str, dict[str, float]]:
        return {str(seed): {"fd": fd} for seed, fd in enumerate(distances)}

    found = penalty.summarise(
        {"1 x 10": runs(0.2, 0.4), "lower": runs(0.1, 0.19), "higher": runs(0.4, 0.81)}
    )
    assert found["lower"]["distance over that of 1 x 10"] == pytest.approx(math.sqrt(0.5 * 0.475))
    # Student's t with one degree of freedom is Cauchy's: its tail is an arctangent.
    logs = math.log(0.5), math.log(0.475)
    t = abs(sum(logs)) / abs(logs[0] - logs[1])
    assert found["lower"]["p, one-sided"] == pytest.approx(0.5 - math.atan(t) / math.pi)
    assert found["higher"]["p, one-sided"] > 0.99
    assert "p, one-sided" not in found["1 x 10"]
    assert penalty.settings_of("0.5 x 5 to 10") == (
        "penalty.share=0.5",
        "penalty.gamma_start=5",
        "penalty.gamma_end=10",
    )


def test_the_diffusion_sampler_finds_the_image_whose_noise_it_is_told() -> None:
    model = DDPM(seed=0, passes=4)
    image = torch.rand(1, 1, 28, 28) * 2 - 1

    def told(noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        kept = model.signal[level].view(-1, 1, 1, 1)
        return (noisy - kept.sqrt() * image) / (1 - kept).sqrt()

    del model.average
    model.average = told
    torch.testing.assert_close(model.sample(2), image.expand(2, -1, -1, -1), atol=2e-2, rtol=0)


def test_the_diffusion_model_learns() -> None:
    model = DDPM(seed=0, passes=2)
    real = load("mnist", split="test").floats(torch.arange(8))
    losses = [model.step(real) for _ in range(12)]
    assert losses[0] == pytest.approx(1.0, abs=0.15)  # nothing known: the noise's own variance
    assert sum(losses[-3:]) / 3 < 0.93 * losses[0]
    assert model.sample(3).shape == (3, 1, 28, 28)
