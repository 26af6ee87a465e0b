"""Items of a data set of PyTorch, or of any sequence: an image each, with its label or without."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from orthogan.data.catalogue import MAX_BYTES
from orthogan.data.facts import Note
from orthogan.data.formats.arrays import channels_last
from orthogan.data.pictures import DECODE_ERRORS, decode, reason
from orthogan.data.rendering import TRANSPARENT, remarks, rendering_of
from orthogan.data.squares import Picture
from orthogan.errors import DataError

IMAGE_KEYS, LABEL_KEYS = ("image", "img", "pixel_values"), ("label", "labels", "fine_label")
SHAPES = "an image is H x W, H x W x C or C x H x W with 1, 3 or 4 channels"


def read_items(source: Any) -> tuple[list[Picture], list[Any] | None, list[str]]:
    """The images, their labels if every one has a class, and what is to be said.

    Images are arrays or tensors of bytes or of floats in [0, 1], or pictures of Pillow.

    Raises:
        DataError: an item is no image, or there are none.
    """
    pictures: list[Picture] = []
    drawn: list[bytes] = []
    labels: list[Any] = []
    num_bytes = 0
    for number, item in enumerate(_items(source)):
        image, label = _parts(item, number)
        if isinstance(image, Image.Image):
            drawn.append(_png(image, number))
            num_bytes += len(drawn[-1])
        else:
            pictures.append(_picture(image, number))
            num_bytes += pictures[-1].nbytes
        labels.append(label)
        if num_bytes > MAX_BYTES:
            raise DataError(
                f"The images take more than {MAX_BYTES:,} bytes; give fewer or smaller ones."
            )
    if not labels:
        raise DataError("The data set is empty; give at least 16 images.")
    if drawn and pictures:
        raise DataError("Some images are pictures of Pillow and some arrays; give one kind.")
    notes: list[str] = []
    if drawn:
        pictures, said = _drawn(drawn)
        notes += said
    classes = [_class(label) for label in labels]
    known = [label for label in classes if label is not None]
    if len(known) < len(labels):
        if any(label is not None for label in labels):
            notes.append("The labels are not one whole number or text an image, so none are used.")
        return pictures, None, notes
    kinds = {type(label) for label in known}
    return pictures, known if len(kinds) == 1 else [str(label) for label in known], notes


def _items(source: Any) -> Iterator[Any]:
    """The items in order; a data set that ends by its length alone is asked for no more."""
    if isinstance(source, Iterable):
        return iter(source)
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        return (source[number] for number in range(len(source)))
    raise DataError(
        f"Images are a path, a name, an array, a tensor or a data set, got {type(source).__name__}."
    )


def _parts(item: Any, number: int) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        image = next((item[key] for key in IMAGE_KEYS if key in item), None)
        if image is None:
            raise DataError(f"Item {number} has none of the keys {', '.join(IMAGE_KEYS)}.")
        return image, next((item[key] for key in LABEL_KEYS if key in item), None)
    if isinstance(item, tuple | list) and item and not np.isscalar(item[0]):
        return item[0], item[1] if len(item) > 1 else None
    return item, None


def _picture(image: Any, number: int) -> Picture:
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"Item {number} of the data set: {SHAPES}, or a picture of Pillow; got "
            f"{type(image).__name__}."
        )
    name = f"Item {number} of the data set"
    if image.ndim not in (2, 3):
        shape = " x ".join(map(str, image.shape)) or "a number"
        raise DataError(f"{name}: {SHAPES}, got {shape}.")
    image = channels_last(image[None], name)[0]
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    if image.dtype.kind != "f":
        raise DataError(f"{name}: images are bytes (uint8) or floats in [0, 1], got {image.dtype}.")
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):
        raise DataError(
            f"{name}: floats lie in [0, 1], got {low:g} to {high:g}; leave out the transform that "
            "normalises them."
        )
    return np.asarray((image * 255).round(), np.uint8)


def _class(label: Any) -> int | str | None:
    if isinstance(label, Tensor | np.ndarray):
        if label.size != 1 if isinstance(label, np.ndarray) else label.numel() != 1:
            return None
        label = label.item()
    if isinstance(label, bool | np.bool_):
        return str(bool(label))
    if isinstance(label, int | np.integer):
        return int(label)
    return label if isinstance(label, str) else None


def _png(image: Image.Image, number: int) -> bytes:
    stream = io.BytesIO()
    try:
        image.save(stream, "PNG")
    except DECODE_ERRORS as error:
        raise DataError(
            f"Item {number} of the data set: cannot be used ({reason(error)}); convert it to RGB."
        ) from None
    return stream.getvalue()


def _drawn(contents: Sequence[bytes]) -> tuple[list[Picture], list[Note]]:
    """Pictures of Pillow as arrays, by the same rules as those in files."""
    decoded = [decode(content, TRANSPARENT) for content in contents]
    rendering = rendering_of([each.traits for each in decoded if each.traits])
    rendering = replace(rendering, ground=None)  # chosen when it is known whether one is needed
    said = Counter(
        remark for each in decoded if each.traits for remark in remarks(each.traits, rendering)
    )
    if rendering != TRANSPARENT:
        decoded = [decode(content, rendering) for content in contents]
    total = len(contents)
    notes = [Note(f"{n} of {total} images: {remark}.", "pixels") for remark, n in said.items()]
    return [each.picture for each in decoded], notes
