"""What a run does with augmentations: the draws, the held-out images, the probability."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogan import rng
from orthogan.data import ImageSet, Order
from orthogan.data.ordering import Arrangement, ordered
from orthogan.errors import ConfigError
from orthogan.gan.augmentations import AUGMENTATIONS, Augmentation, augmented, num_draws
from orthogan.gan.config import AugmentationConfig
from orthogan.gan.objectives import Batch
from orthogan.gan.overfitting import Overfitting
from orthogan.parallel import ALONE, Ranks
from orthogan.shapes import Images, Indices

UNRESOLVED = ("none", "auto")
# One in 16 is held out, which training hardly misses; 512 tell r to a twentieth, 32 to a fifth.
IMAGES_A_HELD_OUT = 16
LEAST_HELD_OUT, MOST_HELD_OUT = 32, 512


def chosen(policy: str) -> list[Augmentation]:
    """The augmentations that a policy names.

    >>> chosen("none")
    []
    """
    return [] if policy in UNRESOLVED else [AUGMENTATIONS[name] for name in policy.split(",")]


def num_held_out(config: AugmentationConfig, images: ImageSet) -> int:
    """How many images are kept from training: none unless overfitting is to be measured.

    Raises:
        ConfigError: too few or too many are asked for, or no image is seen twice.
    """
    if not chosen(config.policy) or config.probability is not None:
        return 0
    if images.draws_afresh:
        raise ConfigError(
            f"{images.name} draws each image afresh, so no image can be held out to measure "
            "overfitting; set augmentation.probability."
        )
    wanted = config.held_out
    if wanted is None:
        wanted = min(images.num_images // IMAGES_A_HELD_OUT, MOST_HELD_OUT)
    if not LEAST_HELD_OUT <= wanted <= images.num_images // 2:
        raise ConfigError(
            f"Overfitting is measured on {LEAST_HELD_OUT} held-out images or more, and on half of "
            f"the set at most; of {images.num_images:,} images {wanted} would be held out. Set "
            "augmentation.probability, or augmentation.held_out."
        )
    return wanted


class Part:
    """An endless order over some of the images of a set, as `Order` is over all.

    Args:
        members: Indices of the images.
        order: Over that many.
    """

    def __init__(self, members: Indices, order: Order) -> None:
        self.members, self._order = members, order

    def batch(self, images_seen: int, batch_size: int) -> Indices:
        """Indices of the `batch_size` images that follow the first `images_seen`."""
        return self.members[self._order.batch(images_seen, batch_size)]


def split(images: ImageSet, held_out: int, seed: int, wanted: Arrangement) -> tuple[Part, Part]:
    """The images that are trained on, and those held out, each as `ordered` orders them.

    Which ones are held out, the seed decides.
    """
    shuffled = rng.permutation(images.num_images, seed, "held-out", 0)

    def part(members: Indices) -> Part:
        return Part(members, ordered(images, wanted, seed, members))

    return part(shuffled[held_out:].sort().values), part(shuffled[:held_out])


class Augmenter:
    """Changes both images of a pair alike, with a probability that is given or found.

    Alike, since the relativistic loss is a difference of the two logits: what a change does to both
    drops out of it, as the class of a pair does. Every draw is a function of the seed and
    `images_seen`.

    Args:
        config: Which augmentations, and how often.
        seed: Run seed.
        overfitting: What has been found so far; None at a start.
        ranks: This process among those that train together.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        seed: int,
        overfitting: Overfitting | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._chosen, self._seed, self._ranks = chosen(config.policy), seed, ranks
        self._fixed = config.probability
        self.overfitting = overfitting or Overfitting()

    @property
    def is_adaptive(self) -> bool:
        """Whether the probability follows from the overfitting."""
        return bool(self._chosen) and self._fixed is None

    @property
    def probability(self) -> float:
        """Of each augmentation, at the next step."""
        return self.overfitting.probability if self._fixed is None else self._fixed

    def numbers(self) -> dict[str, float]:
        """The probability, and how much the discriminator overfits, where each has a meaning."""
        if not self._chosen:
            return {}
        found = {"augmentation": self.probability}
        return found | {"overfitting": self.overfitting.ratio} if self.is_adaptive else found

    def pairs(self, pairs: Batch, images_seen: int) -> Batch:
        """The pairs as the discriminator is to see them; gradients reach the fakes through it."""
        draws = self._draws(pairs.real, "augmentation", images_seen)
        if draws is None:
            return pairs
        real, fake = (self._apply(each, draws) for each in (pairs.real, pairs.fake))
        return pairs._replace(real=real, fake=fake)

    def held_out(self, images: Images, images_seen: int) -> Images:
        """Held-out images, under draws of their own."""
        draws = self._draws(images, "augmentation-held-out", images_seen)
        return images if draws is None else self._apply(images, draws)

    def _draws(self, images: Images, name: str, images_seen: int) -> Tensor | None:
        """None where nothing is to be changed."""
        if not self._chosen or self.probability == 0:
            return None
        shape = (self._ranks.count * len(images), num_draws(self._chosen))
        drawn = rng.stream(self._seed, name, images_seen).random(shape, dtype="float32")
        return rng.to_device(self._ranks.own(torch.from_numpy(drawn)), images.device)

    def _apply(self, images: Images, draws: Tensor) -> Images:
        return augmented(images, draws, self._chosen, self.probability)
