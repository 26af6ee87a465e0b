"""A packed set: a folder of bytes that `orthogan pack` writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from orthogan.data.assembly import assemble
from orthogan.data.catalogue import FORMATS, LoadOptions, colour_of
from orthogan.data.image_set import ImageSet
from orthogan.data.packed.images import sampled, whole
from orthogan.data.packed.layout import INDEX, SUFFIX, Layout, read_layout
from orthogan.data.packed.reading import Reader
from orthogan.data.packed.writing import pack_images
from orthogan.errors import DataError
from orthogan.rng import stream

WHOLE_BYTES = 512 * 2**20  # a set up to here is read into memory, as all others are


def write_example(path: Path) -> None:
    """Twenty small images in four classes."""
    draws = stream(0, "packed-example").integers(0, 256, (20, 1, 16, 16), dtype="uint8")
    labels = torch.arange(20) % 4
    pack_images(ImageSet(torch.from_numpy(draws), labels, tuple("abcd")), path)


@FORMATS.register("packed", suffixes=(SUFFIX,), is_folder=True, example=write_example)
def load_packed(path: Path, options: LoadOptions) -> ImageSet:
    """A folder that `orthogan pack` wrote; a large one stays on disk while training reads it.

    Raises:
        DataError: a file is missing or damaged, or a large set is asked for in another form.
    """
    if not (path / INDEX).is_file():
        raise DataError(f"{path}: holds no {INDEX}, so it is no packed set; pack the set again.")
    layout = read_layout(path)
    reader, name = Reader(path, layout), path.stem
    if layout.num_bytes > WHOLE_BYTES:
        if not _is_stored_form(layout, options):
            raise DataError(
                f"{path}: holds images of {layout.size} px, {colour_of(layout.colours)}, and is "
                "too large to be made into others while it is read; pack it again in the form "
                "that is wanted."
            )
        return sampled(reader, name)
    images = whole(reader, name)
    if _is_stored_form(layout, options):
        return images
    pictures = images.images.permute(0, 2, 3, 1).numpy()
    made, notes = assemble(pictures[..., 0] if images.colours == 1 else pictures, options)
    return replace(images, images=made, notes=(*images.notes, *notes))


def _is_stored_form(layout: Layout, options: LoadOptions) -> bool:
    return options.size in (None, layout.size) and options.colour in (
        "auto",
        colour_of(layout.colours),
    )
