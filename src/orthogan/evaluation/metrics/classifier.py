"""How much a classifier learns from generated images that it can use on real ones."""

from __future__ import annotations

from orthogan.errors import ConfigError
from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.evaluation.own import classifier_accuracy
from orthogan.rng import permutation
from orthogan.statistics import SHARE, share_interval


@METRICS.register("classifier-accuracy", better="higher", on_request=True, within=SHARE)
def classifier_score(pair: Comparison) -> Estimate:
    """Of real images, those that a classifier trained on generated ones gives their class.

    The floor is that of a classifier trained on as many real images, none of which is asked about.

    Source: Ravuri and Vinyals 2019, "Classification accuracy score for conditional generative
    models", section 3, with a small network in the place of a ResNet.
    """
    ours, real, asked = pair.candidate, pair.unseen_reference, pair.unseen
    if ours.labels is None or real.labels is None or asked.labels is None:
        raise ConfigError(
            "'classifier-accuracy' takes images whose classes are known: those of a generator that "
            "is conditioned on classes (condition=classes), beside real images with labels."
        )
    number = min(len(ours), len(real))
    chosen = permutation(len(real), pair.seed, "classifier-reference", 0)[:number]
    of_asked = (asked.pixels, asked.labels, pair.seed)
    value = classifier_accuracy(ours.pixels, ours.labels, *of_asked)
    floor = classifier_accuracy(real.pixels[chosen], real.labels[chosen], *of_asked)
    return Estimate(value, share_interval(value, len(asked)), len(ours), floor)
