"""An extractor trained on a data set itself, once, and kept on disk."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn

from orthogan.data import ImageSet
from orthogan.errors import ConfigError
from orthogan.evaluation.cache import keep, kept
from orthogan.evaluation.description import Report
from orthogan.evaluation.extractors import HASH_DIGITS
from orthogan.evaluation.inputs import full_batches
from orthogan.evaluation.own.classifier import accuracy
from orthogan.evaluation.own.inputs import as_input, num_channels, opaque
from orthogan.evaluation.own.learning import learn_classes, learn_images
from orthogan.evaluation.own.network import NUM_FEATURES, SIDE, OwnNet
from orthogan.evaluation.own.views import views
from orthogan.rng import permutation, stream
from orthogan.shapes import Features, Images, Pixels

OWN = "own"
CHECK = "check"  # beside the weights, on disk
RECIPE = 1  # of the training: another one makes another extractor, so nothing kept is taken
LEAST_IMAGES = 400  # fewer are learned by heart
MOST_IMAGES = 50_000  # more are not shown in the time that training takes
LEAST_A_CLASS = 50  # images, on average, before labels are learned from
HELD_OUT, MOST_CHECKED = 0.1, 500  # the part that tells how well it has learned
BATCH_SIZE = 256
NUM_COMPONENTS = 64
SEED = 0


class OwnExtractor:
    """Features of a small network that has learned from the very images it judges.

    Trained from labels, if there are at least two classes of 50 images on average, else from the
    images alone: it tells an image by any part of it. Nothing that it knows comes from elsewhere,
    and its architecture is another one than that of the packaged extractors; so it is a second
    judge where training or stopping have used one of these.

    Args:
        net: The trained network.
        channels: 1 or 3.
        num_labels: Classes of the labels it was trained on; 0 without.
        check: Of images that were held out the fraction that is classified rightly, or whose second
            view is told from the views of the other ones.

    Not covered: detail finer than 32 pixels a side, and mirroring, which it may see or not.
    """

    size = SIDE
    num_features = NUM_FEATURES
    num_components = NUM_COMPONENTS
    num_classes = 0  # labels shape its features; what it says of classes goes through these
    domain = "the images it was trained on"

    def __init__(self, net: OwnNet, channels: int, num_labels: int, check: float) -> None:
        self.channels, self.num_labels, self.check = channels, num_labels, check
        self.sha256 = hashlib.sha256(safetensors.torch.save(_weights(net))).hexdigest()
        self.name = f"{OWN}@{self.sha256[:HASH_DIGITS]}"
        self._net = net

    def knows(self, images: ImageSet) -> bool:
        """Whether it was trained on images like these; the caller has seen to that."""
        del images
        return True

    def describe(self, pixels: Pixels) -> tuple[Features, Tensor]:
        """Features, and no class probabilities (`B 0`); other sizes are made to fit."""
        features = torch.empty(len(pixels), self.num_features)
        with torch.inference_mode():
            convert = partial(as_input, channels=self.channels)
            for part, images in full_batches(pixels, BATCH_SIZE, convert):
                features[part] = self._net.features(images)[: part.stop - part.start]
        return features, torch.zeros(len(pixels), 0)

    @property
    def sentence(self) -> str:
        """What it has learned from, and how well, in words."""
        if self.num_labels:
            return (
                f"{self.name} was trained on these images and their {self.num_labels} classes; of "
                f"held-out ones it classifies {self.check:.1%} rightly."
            )
        return (
            f"{self.name} was trained on these images, without labels; of two views of held-out "
            f"ones it finds {self.check:.0%} to be of the same image."
        )


def own_extractor(images: ImageSet, report: Report | None = None) -> OwnExtractor:
    """The extractor of a data set: trained in about half a minute on two cores, then kept on disk.

    A damaged file is trained again; a folder that cannot be written costs a warning. Training takes
    at most 50,000 of the images, and holds a tenth out to say how well it has learned.

    Args:
        images: What it is trained on; of other images, even of the same size, it is another one.
        report: Is told what is done, and how much of how much.

    Raises:
        ConfigError: there are fewer than 400 images, or they are drawn afresh all the time.
    """
    if images.draws_afresh or len(images) < LEAST_IMAGES:
        count = "none twice" if images.draws_afresh else f"{len(images)}"
        raise ConfigError(
            f"An extractor of its own takes a set of at least {LEAST_IMAGES} images, and of "
            f"{images.name} there are {count}; leave its choice to orthogan."
        )
    channels = num_channels(images.images)
    num_labels = _num_labels(images)
    key = f"{images.fingerprint()}-{OWN}-{RECIPE}"
    known = _known(key, channels)
    if known is None:
        known = _learned(images, channels, num_labels, report)
        keep(key, {**_weights(known.net), CHECK: torch.tensor(known.check, dtype=torch.float64)})
    return OwnExtractor(known.net, channels, num_labels, known.check)


class _Learned(NamedTuple):
    net: OwnNet
    check: float


def _known(key: str, channels: int) -> _Learned | None:
    """What is kept on disk; None where there is nothing, or not such a network."""
    tensors = kept(key)
    try:
        if tensors is None:
            return None
        check = float(tensors.pop(CHECK))
        net = OwnNet(channels, len(tensors["head.bias"]))
        net.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError):
        return None
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    return _Learned(net.eval().requires_grad_(False), check)


def _learned(images: ImageSet, channels: int, num_labels: int, report: Report | None) -> _Learned:
    order = permutation(len(images), SEED, "own-part", 0)[:MOST_IMAGES]
    num_checked = min(MOST_CHECKED, int(HELD_OUT * len(order)))
    inputs = as_input(opaque(images.images[order.to(images.images.device)].cpu()), channels)
    checked, learned = inputs[:num_checked], inputs[num_checked:]

    def told(done: int, total: int) -> None:
        if report is not None:
            report("Training an extractor on the images", done, total)

    if not num_labels or images.labels is None:
        net = learn_images(learned, SEED, told)
        return _Learned(net, _found_again(net, checked))
    labels = images.labels.cpu()[order].long()
    net = learn_classes(learned, labels[num_checked:], num_labels, SEED, told)
    return _Learned(net, accuracy(net, checked, labels[:num_checked]))


@torch.inference_mode()
def _found_again(net: OwnNet, images: Images) -> float:
    """The fraction of images one view of which is told by another among those of all images."""
    source = stream(SEED, "own-check")
    first, second = (nn.functional.normalize(net(views(images, source)), dim=1) for _ in range(2))
    found = (first @ second.T).argmax(1) == torch.arange(len(images))
    return float(found.float().mean())


def _num_labels(images: ImageSet) -> int:
    """How many classes are learned from; 0 where there are none, or too few images of each."""
    count = len(images.class_names)
    is_rich = images.labels is not None and len(images) >= LEAST_A_CLASS * count
    return count if is_rich and count > 1 else 0


def _weights(net: OwnNet) -> dict[str, Tensor]:
    return {name: value.contiguous() for name, value in net.state_dict().items()}
