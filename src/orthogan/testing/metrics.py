"""What every registered metric promises."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from orthogan.data import ImageSet, load
from orthogan.data.stacked import stack
from orthogan.evaluation.comparison import Comparison, Sample
from orthogan.evaluation.description import count_classes, describe_pixels, is_by_channel
from orthogan.evaluation.extractors import load_extractor
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.evaluation.own import learning
from orthogan.rng import permutation, stream
from orthogan.testing.contract import Contract

COUNT = 600  # images of a side: enough for every metric's smallest sample
ROUNDING = 1e-6


def sample(pixels: torch.Tensor, images: ImageSet) -> Sample:
    net = load_extractor("digits-cls")
    found = describe_pixels(pixels, net, is_by_channel(images, net))
    labels = None if images.labels is None else images.labels[: len(pixels)]
    return Sample(pixels, found.features, found.classes, labels)


@cache
def comparison(stacked: bool) -> Comparison:
    """Real images against other real ones: digits, or stacks of them."""
    test = load("mnist", split="test")
    images: ImageSet = stack(test, 2 * COUNT) if stacked else test
    described = sample(images.images[: 2 * COUNT], images)
    first, second = (described.take(torch.arange(start, start + COUNT)) for start in (0, COUNT))
    num_classes = count_classes(images, load_extractor("digits-cls"))
    return Comparison(first, second, first, second, num_classes, seed=0)


def measure(name: str, pair: Comparison, candidate: Sample) -> Estimate:
    return METRICS[name].compute(replace(pair, candidate=candidate))


class MetricContract(Contract):
    """A metric is finite, repeatable, blind to order, and worse for noise."""

    registry = METRICS

    @pytest.fixture
    def measured(self, name: str) -> Comparison:
        """What the metric measures."""
        return comparison(METRICS[name].only_stacks)

    @pytest.fixture(autouse=True)
    def short_training(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A metric that trains a classifier does so in a second."""
        monkeypatch.setattr(learning, "NUM_SHOWN", 1500)

    def test_it_says_what_it_is_and_which_values_are_good(self, name: str) -> None:
        assert METRICS.describe(name).endswith(".")
        assert METRICS[name].better in ("lower", "higher")

    def test_real_images_and_the_set_itself_give_finite_values(
        self, name: str, measured: Comparison
    ) -> None:
        within = METRICS[name].within
        for candidate in (measured.candidate, measured.reference):
            found = measure(name, measured, candidate)
            values = (found.value, *found.interval)
            assert all(map(math.isfinite, values))
            low, high = within.cut(found.interval, found.value)
            assert low - ROUNDING <= found.value <= high + ROUNDING
            assert 0 < found.n <= COUNT

    def test_it_is_the_same_twice_and_changes_nothing(
        self, name: str, measured: Comparison
    ) -> None:
        before = measured.candidate.pixels.clone(), measured.candidate.features.clone()
        first, second = (measure(name, measured, measured.candidate) for _ in range(2))
        assert first == second
        assert torch.equal(measured.candidate.pixels, before[0])
        assert torch.equal(measured.candidate.features, before[1])

    def test_the_order_of_the_images_is_no_matter(self, name: str, measured: Comparison) -> None:
        """But for the choice of subsets, which the interval covers."""
        found = measure(name, measured, measured.candidate)
        shuffled = measured.candidate.take(permutation(COUNT, 0, "metric-order", 0))
        value = measure(name, measured, shuffled).value
        low, high = found.interval
        slack = ROUNDING * max(1.0, abs(found.value))
        assert low - slack <= value <= high + slack

    def test_noise_is_worse_where_it_is_said_to_be(self, name: str, measured: Comparison) -> None:
        shape = measured.candidate.pixels.shape
        draws = stream(0, "metric-noise").integers(0, 256, tuple(shape), dtype="uint8")
        names = tuple(map(str, range(1000 if METRICS[name].only_stacks else 10)))
        labels = torch.arange(COUNT) % len(names)
        images = ImageSet(torch.from_numpy(draws), labels, names)
        real = measure(name, measured, measured.candidate).value
        noise = measure(name, measured, sample(images.images, images)).value
        sign = 1 if METRICS[name].better == "lower" else -1
        assert sign * noise > sign * real or not METRICS[name].notices_noise
