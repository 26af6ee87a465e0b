"""How much a classifier learns from generated images that it can use on real ones."""

from __future__ import annotations

from orthogan.errors import ConfigError
from orthogan.evaluation.comparison import Comparison
from orthogan.evaluation.metrics import METRICS, Estimate
from orthogan.evaluation.own import classifier_accuracy
from orthogan.statistics import SHARE, share_interval


@METRICS.register("classifier-accuracy", better="higher", on_request=True, within=SHARE)
def classifier_score(pair: Comparison) -> Estimate:
    """Of real images, those that a classifier trained on generated ones gives their class.

    The floor is that of a classifier trained on as many real images.

    Source: Ravuri and Vinyals 2019, "Classification accuracy score for conditional generative
    models", section 3, with a small network in the place of a ResNet.
    """
    ours, real = pair.candidate, pair.unseen
    if ours.labels is None or real.labels is None:
        raise ConfigError(
            "'classifier-accuracy' takes images whose classes are known: those of a generator that "
            "is conditioned on classes (condition=classes), beside real images with labels."
        )
    taught, asked = (ours.pixels, ours.labels), (real.pixels, real.labels)
    value = classifier_accuracy(*taught, *asked, pair.seed)
    return Estimate(value, share_interval(value, len(real)), len(ours))
