"""A set of images in memory, and the border between its bytes and the floats of a network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from orthogan.data.facts import Facts
from orthogan.data.order import Order
from orthogan.errors import ShapeError
from orthogan.rng import to_device
from orthogan.shapes import Images, Labels, Pixels

NUM_RGBA = 4


def to_floats(pixels: Pixels) -> Images:
    """Bytes 0..255 as float32 in [-1, 1]; colours of RGBA times their opacity, from -1 on.

    A network then sees and makes what shows of a colour, whatever stands in a file where nothing
    does; and edges of half opacity are no darker or brighter than their colour.

    >>> to_floats(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    tensor([[[[-1.,  1.]]]])
    """
    if pixels.shape[-3] == NUM_RGBA:
        values = pixels.float().div_(255)
        values[..., :3, :, :] *= values[..., 3:, :, :]
        return values.mul_(2).sub_(1)
    return pixels.float().div_(127.5).sub_(1.0)


def to_pixels(images: Images) -> Pixels:
    """Floats in [-1, 1] as bytes: rounded to the nearest, clipped outside.

    The counterpart of `to_floats`: colours of RGBA are divided by their opacity again, and are
    black where that is 0.

    >>> to_pixels(torch.tensor([[[[-1.0, 0.0, 3.0]]]]))
    tensor([[[[  0, 128, 255]]]], dtype=torch.uint8)
    """
    if images.shape[-3] == NUM_RGBA:
        values = images.float().add(1).mul_(127.5)
        opacity = values[..., 3:, :, :].round().clamp_(0, 255)
        seen = (values[..., :3, :, :] * 255 / opacity.clamp_min(1)).where(opacity > 0, 0.0)
        return torch.cat([seen, opacity], -3).round_().clamp_(0, 255).to(torch.uint8)
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class ImageSet:
    """Square images of one size as one uint8 tensor, with labels where the source has them.

    Attributes:
        images: The pixels, one (grey), three (RGB) or four (RGBA) colours.
        labels: The class of each image, or None.
        class_names: One name per class; empty without labels.
        name: What the source is called.
        notes: What was resized, converted or skipped, and why, in plain words.
        split: "train" or "test".
        facts: What the source held before it was made into squares.

    Raises:
        ShapeError: the images are not square grey, RGB or RGBA, or the labels do not match them.
    """

    images: Pixels
    labels: Labels | None = None
    class_names: tuple[str, ...] = ()
    name: str = "images"
    notes: tuple[str, ...] = field(default=())
    split: str = "train"
    facts: Facts = field(default_factory=Facts)

    # Whether training sees other images than the ones in memory, none of them twice.
    draws_afresh: ClassVar[bool] = False
    # Whether the images in memory are a sample of those that training sees.
    is_sample: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _, colours, height, width = self.images.shape
        if colours not in (1, 3, NUM_RGBA) or height != width:
            raise ShapeError(
                f"{self.name}: images are square with 1, 3 or 4 colours, "
                f"got {colours} colours and {height} x {width} pixels."
            )
        if self.labels is not None and len(self.labels) != len(self.images):
            raise ShapeError(
                f"{self.name}: one label per image is needed, "
                f"got {len(self.labels)} labels for {len(self.images)} images."
            )

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @property
    def num_images(self) -> int:
        """How many images training sees; of a set in memory, all of it."""
        return len(self)

    @property
    def training_labels(self) -> Labels | None:
        """The class of every image that training sees, or None."""
        return self.labels

    def class_counts(self) -> Tensor | None:
        """How many images that training sees each class has; None without labels."""
        labels = self.training_labels
        return None if labels is None else labels.bincount(minlength=len(self.class_names))

    @property
    def colours(self) -> int:
        """1 for grey, 3 for RGB, 4 for RGBA."""
        return int(self.images.shape[1])

    @property
    def size(self) -> int:
        """Side of the square, in pixels."""
        return int(self.images.shape[-1])

    def order(self, seed: int) -> Order:
        """The endless sequence in which a run of that seed sees the images, if nothing is asked.

        Args:
            seed: Run seed.
        """
        return Order(self.num_images, seed)

    def placed(self, index: Tensor) -> Tensor:
        """Places of the order for `take`, on the device of the images."""
        return to_device(index, self.images.device)

    def take(self, index: Tensor) -> tuple[Pixels, Labels | None]:
        """The pixels, and the labels if there are any, of a batch of the order."""
        return self.images[index], None if self.labels is None else self.labels[index]

    def floats(self, index: Tensor) -> Images:
        """The images of a batch of the order as float32 in [-1, 1]."""
        return to_floats(self.take(index)[0])

    def only(self, index: Tensor) -> ImageSet:
        """The set of those images alone."""
        pixels, labels = self.take(index.to(self.images.device))
        return replace(self, images=pixels, labels=labels)

    def to(self, device: torch.device | str) -> ImageSet:
        """The same set with its tensors on `device`."""
        labels = None if self.labels is None else self.labels.to(device)
        return replace(self, images=self.images.to(device), labels=labels)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any pixel, label or the shape.

        Source: BLAKE2b, RFC 7693.
        """
        digest = hashlib.blake2b(repr(tuple(self.images.shape)).encode(), digest_size=8)
        digest.update(self.images.cpu().contiguous().numpy().data)
        if self.labels is not None:
            digest.update(self.labels.cpu().contiguous().numpy().data)
        return digest.hexdigest()
