"""What a step trains where fine detail is emphasised: the judge of images that already are."""

from __future__ import annotations

from torch import nn

from orthogan.gan.objectives import Batch
from orthogan.networks import Discriminator
from orthogan.shapes import Images, Labels, Logits


class Judge(nn.Module):
    """A discriminator as a function of emphasised images, in which penalties are then taken.

    Args:
        discriminator: Shares its weights.
    """

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Images, labels: Labels | None = None) -> Logits:
        """One logit an image."""
        return self.discriminator.judge(images, labels)

    def sees(self, pairs: Batch) -> Batch:
        """The pairs, emphasised; gradients reach the fakes through it."""
        real, fake = (self.discriminator.emphasised(each) for each in (pairs.real, pairs.fake))
        return pairs._replace(real=real, fake=fake)
