"""What a GAN's discriminator says of one's own images, and beside what that is to be read.

Under a relativistic loss the discriminator learns differences of logits alone: adding a number to
all of them changes nothing that it was trained for. So the sigmoid of one logit has a scale of its
own in each run; what has a meaning is whether an image is found more real than others. The images
are therefore judged beside generated and, where they can be had, real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orthogan.analysis.judged_sheet import judged_sheet
from orthogan.analysis.trained import load_trained
from orthogan.data import load as load_images
from orthogan.data import to_floats
from orthogan.data.catalogue import colour_of
from orthogan.data.named import read_named
from orthogan.errors import BundleError, OrthoganError
from orthogan.images.encoding import png
from orthogan.models.generator import load
from orthogan.networks import Discriminator
from orthogan.rng import permutation
from orthogan.shapes import Logits, OtherPixels, Pixels
from orthogan.training.run_record import read_record

RELATIVE = (
    "The probability is the sigmoid of the discriminator's logit. Its loss compared logits of real "
    "and generated images with each other, so only differences have a meaning: 50% is no border "
    "between real and fake, and numbers of two runs cannot be compared."
)
ABSOLUTE = (
    "The probability is the sigmoid of the discriminator's logit: how sure it was, at the end of "
    "training, that an image is from the data and not from its own generator."
)
NO_REALISM = (
    "It is no score of realism: the discriminator knows in what this generator's images differ "
    "from these data, and nothing of other pictures."
)
NUM_BESIDE = 512  # generated, and real images: fractions to within four per cent
FIRST_SEED = 20_000_000  # images that nothing else has looked at
BATCH = 256


@dataclass(frozen=True)
class Judged:
    """One image and what the discriminator says of it.

    Attributes:
        name: Its file.
        logit: Higher: found more real.
        probability: Sigmoid of the logit; its scale is that of this discriminator alone.
        beats_generated: Mean probability that it is found more real than a generated image.
        beats_real: The same beside training images, where half is as real as they are; None where
            these cannot be read.
    """

    name: str
    logit: float
    probability: float
    beats_generated: float
    beats_real: float | None


@dataclass(frozen=True)
class Judgement:
    """What the discriminator of a run says of images, the most real ones first.

    Attributes:
        images: In order of their logits.
        run: The run folder.
        pixels: The images in that order, as the discriminator saw them.
        generated: Mean probability of images of the run's own generator.
        real: Mean probability of training images; None where these cannot be read.
        is_relative: Whether the loss compares logits, so that one alone has no meaning.
        notes: What was resized, skipped or cannot be had, and how to read the numbers.
    """

    images: tuple[Judged, ...]
    run: str
    pixels: Pixels = field(repr=False)
    generated: float
    real: float | None
    is_relative: bool = True
    notes: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What the probability is and what it is not, a few sentences."""
        return f"{RELATIVE if self.is_relative else ABSOLUTE} {NO_REALISM}"

    @property
    def beside(self) -> str:
        """How the images of the run itself fare, a sentence."""
        real = "" if self.real is None else f", its training images {self.real:.1%}"
        return f"On average the images of its own generator get {self.generated:.1%}{real}."

    def _repr_png_(self) -> bytes:
        """The pictures with their probabilities, for notebooks."""
        return png(judged_sheet(self.pixels, [each.probability for each in self.images]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `json.dumps` takes it."""
        return {
            "run": self.run,
            "images": [vars(each) for each in self.images],
            "generated": self.generated,
            "real": self.real,
            "meaning": self.meaning,
            "notes": list(self.notes),
        }


def judge(run: str | Path, images: str | Path, *, num_beside: int = NUM_BESIDE) -> Judgement:
    """The discriminator's opinion of one's own images, beside generated and real ones.

    Not a score of realism: it was trained to tell this generator's images from these data, and of
    anything else it knows nothing. A picture of another kind may get any number.

    Args:
        run: Run folder of a GAN; the discriminator lies in its checkpoints.
        images: A picture, or a folder of them; made into the size and colours of the run.
        num_beside: Generated and real images to judge beside them, at least 1.

    Raises:
        BundleError: no run of a GAN, or a bundle, which holds no discriminator.
        DataError: no picture can be read.
        ResumeError: no checkpoint can be read.
    """
    found = load_trained(run, "discriminator")
    network = found.network
    if not isinstance(network, Discriminator):
        raise BundleError(f"{run}: holds no discriminator.")
    form = network.config
    given = read_named(Path(images), form.size, form.colours, str(found.data.get("fit", "crop")))
    logits = logits_of(network, given.pixels)
    fake = logits_of(network, _generated(run, num_beside))
    real, missing = _real(network, found.data, num_beside)
    order = logits.argsort(descending=True)
    judged = [
        _judged(given.names[place], float(logits[place]), fake, real) for place in order.tolist()
    ]
    skipped = [f"{name} was skipped: {why}." for name, why in given.skipped]
    return Judgement(
        images=tuple(judged),
        run=str(found.where),
        pixels=given.pixels[order],
        generated=float(fake.sigmoid().mean()),
        real=None if real is None else float(real.sigmoid().mean()),
        is_relative=_loss(found.where) == "relativistic",
        notes=tuple(dict.fromkeys([*given.notes, *skipped, *missing])),
    )


@torch.inference_mode()
def logits_of(network: Discriminator, pixels: Pixels) -> Logits:
    """One logit per image, averaged over the classes of a conditioned discriminator."""
    parts = [network(to_floats(part)) for part in pixels.split(BATCH)]
    return torch.cat(parts).double()


def _judged(name: str, logit: float, fake: Tensor, real: Tensor | None) -> Judged:
    def beats(others: Tensor) -> float:
        return float((logit - others).sigmoid().mean())

    probability = float(torch.tensor(logit, dtype=torch.float64).sigmoid())
    return Judged(name, logit, probability, beats(fake), None if real is None else beats(real))


def _loss(run: Path) -> str:
    return str(read_record(run)["config"].get("loss", ""))


def _generated(run: str | Path, count: int) -> OtherPixels:
    return load(run).sample(range(FIRST_SEED, FIRST_SEED + count))


def _real(
    network: Discriminator, data: dict[str, Any], count: int
) -> tuple[Tensor | None, Sequence[str]]:
    """Logits of some training images; without any, why."""
    form = network.config
    kept = {name: data[name] for name in ("labels", "fit") if name in data}
    try:
        found = load_images(
            str(data.get("source")), size=form.size, colour=colour_of(form.colours), **kept
        )
    except OrthoganError as error:
        return None, [f"The training images cannot be read, so none are judged beside. {error}"]
    chosen = permutation(len(found.images), 0, "judged-beside", 0)[:count]
    return logits_of(network, found.images[chosen].cpu()), []
