"""Which parts of the data generated images are short of: its classes, or groups that look alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.rng import stream
from orthogan.shapes import Features, Labels, OtherFeatures, OtherLabels

MOST_GROUPS = 10
IMAGES_A_GROUP = 40  # of fewer, the share of a group is mostly chance
ITERATIONS = 30  # Lloyd's; more change little
NUM_EXAMPLES = 5
MOSTLY = 0.8  # of a group's images are of one class: it bears its name
LEAST_ACCURACY = 0.95  # of a classifier, before it may say that a class is missing
SHRINKAGE = 0.1  # of the covariance within classes towards its mean variance
# Standard errors between two fractions before they are called different: by chance once in 16,000,
# as there are several groups in each of many evaluations. Fewer do if all groups together differ by
# more than chance explains once in a thousand times.
Z_SCORE, Z_SCORE_TOGETHER, Z_TOGETHER = 4.0, 2.8, 3.1


@dataclass(frozen=True)
class Group:
    """A part of the data, and how much of it generated images make up.

    Attributes:
        name: A class, as in "class bag", or a group, as in "group 3".
        share: Fraction of generated images.
        real_share: Fraction of real images.
        examples: Real images in its middle, by their place in the set; none for a class.
        is_certain: The difference is not chance.
    """

    name: str
    share: float
    real_share: float
    examples: tuple[int, ...] = ()
    is_certain: bool = False


def groups_of(
    ours: Features, real: OtherFeatures, labels: OtherLabels | None, names: Sequence[str], seed: int
) -> list[Group]:
    """The shares of the classes if features tell them apart, else of groups that look alike.

    Args:
        ours: Features of generated images.
        real: Features of real images, as many columns.
        labels: The class of each real image, if known.
        names: The names of the classes.
        seed: Of the first centres of the groups.
    """
    if (
        labels is not None
        and len(names) > 1
        and _held_out_accuracy(real, labels, len(names), seed) >= LEAST_ACCURACY
    ):
        classifier = _Classifier(real, labels, len(names))
        found = torch.bincount(classifier.classes(ours), minlength=len(names))
        known = torch.bincount(labels, minlength=len(names))
        return shares_of([f"class {name}" for name in names], found, known)
    count = min(MOST_GROUPS, len(real) // IMAGES_A_GROUP)
    if count < 2:
        return []
    centres = _centres(real, count, seed)
    count = len(centres)
    place = torch.cdist(real, centres).argmin(1)
    found = torch.bincount(torch.cdist(ours, centres).argmin(1), minlength=count)
    examples = [_middle(real, centres, place, group) for group in range(count)]
    titles = [
        f"group {group + 1}{_mostly(place == group, labels, names)}" for group in range(count)
    ]
    return shares_of(titles, found, torch.bincount(place, minlength=count), examples)


def shares_of(
    names: Sequence[str],
    ours: Tensor,
    real: Tensor,
    examples: Sequence[tuple[int, ...]] | None = None,
) -> list[Group]:
    """The share of each part from how many images fall in it.

    Args:
        names: Of the parts.
        ours: Generated images in each.
        real: Real images in each.
        examples: Real images in the middle of each.
    """
    n, m = int(ours.sum()), int(real.sum())
    shares, real_shares, pooled = ours.double() / n, real.double() / m, (ours + real) / (n + m)
    apart = (shares - real_shares) / (1 / n + 1 / m) ** 0.5
    z_scores = apart.abs() / (pooled * (1 - pooled)).sqrt().clamp_min(1e-12)
    chi_squared = float((apart.square() / pooled.clamp_min(1e-12)).sum())
    least = Z_SCORE_TOGETHER if _as_normal(chi_squared, len(names) - 1) > Z_TOGETHER else Z_SCORE
    return [
        Group(name, share, real_share, shown, z_score > least)
        for name, share, real_share, shown, z_score in zip(
            names,
            shares.tolist(),
            real_shares.tolist(),
            examples or [()] * len(names),
            z_scores.tolist(),
            strict=True,
        )
    ]


def _as_normal(chi_squared: float, freedom: int) -> float:
    """The z-score with the tail of a chi-squared value (Wilson and Hilferty 1931)."""
    if freedom < 1:
        return 0.0
    spread = 2 / (9 * freedom)
    return float(((chi_squared / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


def _mostly(members: Tensor, labels: Labels | None, names: Sequence[str]) -> str:
    if labels is None or not names:
        return ""
    counts = torch.bincount(labels[members], minlength=len(names))
    if int(counts.max()) < MOSTLY * int(counts.sum()):
        return ""
    return f" (mostly class {names[int(counts.argmax())]})"


def _middle(real: Features, centres: OtherFeatures, place: Labels, group: int) -> tuple[int, ...]:
    members = (place == group).nonzero()[:, 0]
    apart = (real[members] - centres[group]).square().sum(1)
    near = apart.topk(min(NUM_EXAMPLES, len(members)), largest=False).indices
    return tuple(members[near].tolist())


def _centres(points: Features, count: int, seed: int) -> OtherFeatures:
    """Centres of k-means; the first ones spread as in k-means++ (Arthur and Vassilvitskii 2007)."""
    source = stream(seed, "evaluation-groups")
    centres = points[int(source.integers(len(points)))][None]
    while len(centres) < count:
        weights = torch.cdist(points, centres).amin(1).square().double().numpy()
        total = weights.sum()
        if total == 0:  # fewer different points than groups
            return centres
        chosen = int(source.choice(len(points), p=weights / total))
        centres = torch.cat([centres, points[chosen][None]])
    for _ in range(ITERATIONS):
        place = torch.cdist(points, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, place, points)
        counts = torch.bincount(place, minlength=count)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
    return centres


class _Classifier:
    """Linear discriminants: the nearest class mean in the metric of the spread within classes.

    Source: Fisher 1936; the shrinkage as in Friedman 1989, equation 18.
    """

    def __init__(self, features: Features, labels: Labels, num_classes: int) -> None:
        exact = features.double()
        counts = torch.bincount(labels, minlength=num_classes).clamp_min(1)
        sums = torch.zeros(num_classes, exact.shape[1], dtype=torch.float64)
        means = sums.index_add_(0, labels, exact) / counts[:, None]
        within = exact - means[labels]
        covariance = within.T @ within / max(1, len(exact) - num_classes)
        level = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * level
        self._weights = torch.linalg.solve(covariance, means.T)
        self._bias = (counts / len(labels)).log() - (means.T * self._weights).sum(0) / 2

    def classes(self, features: Features) -> Labels:
        """The most likely class of every image."""
        logits: Tensor = features.double() @ self._weights + self._bias
        return logits.argmax(1)


def _held_out_accuracy(features: Features, labels: Labels, num_classes: int, seed: int) -> float:
    order = torch.from_numpy(stream(seed, "evaluation-classes").permutation(len(labels)))
    halves = order.tensor_split(2)
    right = 0
    for fitted, tested in (halves, halves[::-1]):
        classifier = _Classifier(features[fitted], labels[fitted], num_classes)
        right += int((classifier.classes(features[tested]) == labels[tested]).sum())
    return right / len(labels)
