"""The picture that `orthogan classify --look` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orthogan.files import write_file
from orthogan.images.encoding import png

NUM_SHOWN = 16  # rows of a picture that still fits a screen when shrunk


def write_look(target: Path, trained: Any, found: Any, test: str | None) -> None:
    """Writes the attention over the first pictures found, or over test images, to `target`.

    Args:
        target: A `.png`.
        trained: The classifier.
        found: Predicted pictures; None to take test images.
        test: The source of those.

    Raises:
        StorageError: the place cannot be written.
    """
    if found is not None:
        names = [Path(file).name for file in found.files[:NUM_SHOWN]]
        picture = trained.draw_attention(found.pixels[:NUM_SHOWN], names)
    else:
        images = trained.images_of(test)
        true = trained.scheme.decode(trained.scheme.encode(images)[:NUM_SHOWN])
        picture = trained.draw_attention(
            images.images[:NUM_SHOWN], [f"true {name}" for name in true]
        )
    write_file(target, png(picture))
