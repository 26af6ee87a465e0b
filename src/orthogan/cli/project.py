"""`orthogan project`: the image of a generator that comes nearest to one's own."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli.options import AsJson
from orthogan.cli.output import say, show, show_json
from orthogan.errors import ConfigError

LATENTS = (".npz", ".safetensors")


def project(
    *,
    source: Annotated[
        str, typer.Argument(metavar="RUN", help="Run folder, bundle, or mnist-demo.")
    ],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write both pictures side by side. [default: projected-NAME.png]"
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the latent there: .npz or .safetensors."),
    ] = None,
    starts: Annotated[
        int, typer.Option(min=1, max=512, metavar="N", help="Random latents that are improved.")
    ] = 6,
    steps: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="Steps of Adam, for each.")
    ] = 200,
    as_json: AsJson = False,
) -> None:
    """Find the latent of a generator whose image comes nearest to your own.

    Its distance stands beside those of images that the generator made itself and of training
    images, taken through the same search.
    """
    from orthogan.cli.sample_files import check_picture_name, write_picture

    target = out or Path(f"projected-{image.stem or 'image'}.png")
    check_picture_name(target)
    if save is not None and save.suffix.lower() not in LATENTS:
        raise ConfigError(f"--save is a .npz or .safetensors file, got '{save}'.")
    from orthogan.cli.counting import Countdown
    from orthogan.models.projection import project as projected
    from orthogan.training.progress import ProgressDisplay

    with ProgressDisplay("projecting") as display:
        found = projected(
            source, image, starts=starts, steps=steps, progress=Countdown(display).advance
        )
    write_picture(found.picture(), target)
    if save is not None:
        _save(found, save)
        say(f"Wrote {save}.")
    if as_json:
        show_json({"out": str(target)} | found.to_dict())
    else:
        show(str(target))
        show(found.sentence)
    for note in found.notes:
        say(note)


def _save(found: Any, target: Path) -> None:
    """Writes the latent (unit mean square) and, with classes, its label."""
    import numpy as np

    from orthogan.files import write_file

    arrays = {"latent": found.latent.numpy()}
    if found.label is not None:
        arrays["label"] = np.array(found.label, dtype=np.int64)
    if target.suffix.lower() == ".npz":
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        write_file(target, buffer.getvalue())
        return
    from safetensors.numpy import save as packed

    write_file(target, packed(arrays))
