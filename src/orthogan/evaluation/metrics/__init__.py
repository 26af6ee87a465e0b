"""The registered metrics: a new one is one file here with one decorated function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor

from orthogan.evaluation.comparison import Comparison
from orthogan.registry import TraitRegistry
from orthogan.statistics import REAL, Interval, Range, share_interval


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `floor` only where it is not the value of held-out images."""

    value: float
    interval: Interval
    n: int
    floor: float | None = None


Compute: TypeAlias = Callable[[Comparison], Estimate]


@dataclass(frozen=True)
class Metric:
    """How one score is computed, and what may be said of it.

    Attributes:
        compute: The metric itself.
        better: Which values are good.
        notices_noise: Images of noise score worse than real ones.
        names_extractor: The number depends on the extractor's scale, so its name is shown.
        needs_classes: It counts classes, so it has no meaning where the extractor has none.
        on_stacks: Measured by default on stacked digits.
        only_stacks: Has no meaning elsewhere.
        on_request: Measured only if it is named, as it takes long.
        within: Where its values can lie, so that intervals stay there.
    """

    compute: Compute
    better: Literal["lower", "higher"]
    notices_noise: bool = True
    names_extractor: bool = False
    needs_classes: bool = False
    on_stacks: bool = True
    only_stacks: bool = False
    on_request: bool = False
    within: Range = REAL


METRICS = TraitRegistry("metric", Metric, "orthogan.evaluation.metrics", group="metrics")


def fraction_of(members: Tensor) -> Estimate:
    """The fraction of images that have a property, with its interval."""
    fraction = float(members.double().mean())
    return Estimate(fraction, share_interval(fraction, len(members)), len(members))
