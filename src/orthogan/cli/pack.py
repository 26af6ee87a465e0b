"""`orthogan pack`: images as shards on disk, for sets that are larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orthogan.cli.options import AsJson, ColourPlanes, Labels, Size
from orthogan.cli.output import say, show, show_json
from orthogan.errors import ConfigError
from orthogan.terminal import pasteable

if TYPE_CHECKING:
    from orthogan.data.catalogue import LoadOptions
    from orthogan.data.packed.layout import Layout


def pack(
    *,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A data set, folder or file, as for train; or tar shards in the layout of "
            "WebDataset: a folder of them, or a pattern such as 'train-{000..127}.tar'.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The packed set to write, NAME.orthogan."),
    ] = None,
    size: Size = None,
    colour: ColourPlanes = None,
    labels: Labels = None,
    fit: Annotated[
        str | None, typer.Option(metavar="crop|pad", help="What makes pictures square.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read all of the packed set DATA and check every file."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write images as shards that training reads from the disk, when they do not fit into memory.

    A packed set of up to 512 MB is read into memory and is then what it was packed from. A larger
    one stays on disk: training reads every image, in the order in which it would see the same
    images in memory, and a sample of 20,000 stands for the set in scores and reports.

    Tar shards are packed as they are read, so they may be larger than memory; other sources are
    loaded first.
    """
    if verify:
        given = {"--out": out, "--size": size, "--colour": colour, "--labels": labels, "--fit": fit}
        if idle := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"--verify writes nothing, so {idle[0]} has no effect; leave it out.")
        _verify(Path(data), as_json)
        return
    if out is None:
        raise ConfigError("Say where the packed set goes: --out NAME.orthogan.")
    from orthogan.data.catalogue import LoadOptions

    asked = LoadOptions(size, colour or "auto", "train", labels or "auto", fit or "crop")
    _show(_packed(data, out, asked), out, as_json)


def _packed(data: str, out: Path, options: LoadOptions) -> Layout:
    from orthogan.data import load
    from orthogan.data.packed.streaming import pack_shards
    from orthogan.data.packed.writing import check_place, pack_images
    from orthogan.data.tar_shards import is_shards

    check_place(out)
    if is_shards(data):
        return pack_shards(data, out, options, _tell)
    form: dict[str, Any] = {name: value for name, value in vars(options).items() if name != "split"}
    images = load(data, **form)
    if images.is_sample:
        raise ConfigError(f"{data} is packed already.")
    return pack_images(images, out)


def _tell(count: int) -> None:
    say(f"{count:,} images packed")


def _verify(path: Path, as_json: bool) -> None:
    from orthogan.data.packed.layout import read_layout
    from orthogan.data.packed.reading import verify

    layout = read_layout(path)
    verify(path, layout, lambda _done, _total: None)
    if as_json:
        show_json({"path": str(path), "files": len(layout.files()) + 1, "intact": True})
    else:
        show(f"{path}: all {len(layout.files())} files have the checksums of the index.")


def _show(layout: Layout, out: Path, as_json: bool) -> None:
    held = sum(layout.files().values())
    if as_json:
        show_json({
            "out": str(out),
            "images": layout.num_images,
            "size": layout.size,
            "channels": layout.colours,
            "classes": list(layout.class_names),
            "shards": layout.num_shards,
            "bytes": held,
            "notes": list(layout.notes),
        })  # fmt: skip
        return
    for note in layout.notes:
        say(note)
    channels = {1: "gray", 3: "RGB", 4: "RGBA"}[layout.colours]
    classes = len(layout.class_names)
    plural = "" if layout.num_shards == 1 else "s"
    show(
        f"{out}: {layout.num_images:,} images of {layout.size} x {layout.size}, {channels}, "
        f"{classes or 'no'} classes, {held / 1e6:,.1f} MB in {layout.num_shards} "
        f"shard{plural}."
    )
    show(f"Next: {pasteable(['orthogan', 'train', out])}")
