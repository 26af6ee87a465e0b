"""The page of `organize`: what is in a set of images, with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from orthogan.data import ImageSet
from orthogan.images.grid import grid
from orthogan.organizing.evenness import Part
from orthogan.organizing.result import Organization
from orthogan.report.embedded import embedded
from orthogan.report.markup import Html, element
from orthogan.report.page import Section, page
from orthogan.report.tables import bar, table, terms
from orthogan.report.target import check_target, write_page
from orthogan.report.wording import count, decimal, share, short_name
from orthogan.terminal import printable

MOST_PAIRS = 32  # copies drawn beside their originals
PAIRS_A_ROW = 16
DEFINITIONS = (
    ("Correlation", ("Root mean square over all pairs: 0 for things that have nothing to do with "
     "each other, 1 for the same. Beside it, in brackets, the same after shuffling, which is what "
     "chance alone makes of so many images.")),
    ("Effective rank", ("How many directions the images really vary in, weighted by how much: e to "
     "the entropy of the spectrum.")),
    ("Batches", ("iid: any images; balanced: each class, or group, in its proportion; "
     "decorrelated: images that are as unlike as can be; correlated: alike ones, to compare. "
     "Chosen with data.batches. No rule shows an image more often than another.")),
)  # fmt: skip


def organization_page(found: Organization, images: ImageSet, *, command: str | None = None) -> str:
    """What was found in a set, as one HTML page that needs nothing else.

    Args:
        found: What `organize` returned.
        images: The set.
        command: What writes the page again; None names the Python call.
    """
    name = printable(short_name(found.name))
    sections = (_copies(found, images), _parts(found, images), _correlation(found),
                _outliers(found, images))  # fmt: skip
    return page(
        title=f"What is in {name}",
        summary=printable(" ".join([found.copies_said(), *found.advice()])),
        tiles=_tiles(found),
        sections=[section for section in sections if section is not None],
        remade_by=printable(command or f"write_organization_page(og.organize({found.name!r}), ..."),
        numbers=found.to_dict(),
        kicker="orthogan organize",
    )


def write_organization_page(
    found: Organization, images: ImageSet, path: str | Path, *, command: str | None = None
) -> Path:
    """Writes `organization_page` to a file, entirely or not at all.

    Args:
        found: What `organize` returned.
        images: The set.
        path: An `.html` file, replaced if it exists; folders above it are made.
        command: What writes the page again.

    Raises:
        ConfigError: the path is a folder, or not named as an HTML file.
        StorageError: the place cannot be written.
    """
    target = Path(path)
    check_target(target)
    text = organization_page(found, images, command=command)
    return write_page(target, text)


def _tiles(found: Organization) -> list[tuple[str, str]]:
    copies = len(found.duplicates.copies)
    return [
        (count(found.num_images), "images"),
        (f"{share(copies / found.num_images)}", "are earlier ones again"),
        (decimal(found.rank.value), "effective rank of 64 cells"),
        (decimal(found.images.value), "correlation of two images"),
    ]


def _copies(found: Organization, images: ImageSet) -> Section:
    body: list[Html | None] = []
    pairs = found.duplicates.copies[:: max(1, len(found.duplicates.copies) // MOST_PAIRS)]
    for start in range(0, min(len(pairs), MOST_PAIRS), PAIRS_A_ROW):
        part = pairs[start : min(start + PAIRS_A_ROW, MOST_PAIRS)]
        places = [copy.original for copy in part] + [copy.index for copy in part]
        caption = "Above, where an image stands first; below it, the copy."
        body.append(_picture(images, places, len(part), caption))
    kinds = found.duplicates.kinds
    if kinds:
        rows = [[how, count(number)] for how, number in kinds.items()]
        body.append(table("Copies by kind", ["kind", "copies"], rows, numeric=[1]))
    return Section("copies", "Is an image there twice?", printable(found.copies_said()), body,
                   "Copies")  # fmt: skip


def _parts(found: Organization, images: ImageSet) -> Section:
    body = [
        _table_of(parts, kind, images)
        for kind, parts in (("Classes", found.classes), ("Groups that look alike", found.clusters))
        if parts
    ]
    said = found.sentences()[1 : 3 if found.classes else 2]
    return Section("balance", "Is every kind there as often?", printable(" ".join(said)), body,
                   "Balance")  # fmt: skip


def _table_of(parts: Sequence[Part], kind: str, images: ImageSet) -> Html:
    most = max(part.count for part in parts)
    rows: list[list[str]] = []
    for part in parts:
        shown = _strip(images, part.examples, f"Images in the middle of {part.name}")
        rows.append([printable(part.name), count(part.count), bar(part.count / most, "tokens"),
                     shown])  # fmt: skip
    return table(kind, ["name", "images", "", "in the middle"], rows, numeric=[1])


def _correlation(found: Organization) -> Section:
    rows = [
        ["of two cells of an image", decimal(found.pixels.value), decimal(found.pixels.null)],
        ["of two images", decimal(found.images.value), decimal(found.images.null)],
        ["effective rank of the cells", decimal(found.rank.value), decimal(found.rank.null)],
    ]
    batches = [[rule, decimal(value)] for rule, value in found.batches.items()]
    body = [
        table(f"Correlation, of {count(found.num_measured)} images drawn at random",
              ["", "found", "shuffled"], rows, numeric=[1, 2]),
        table(f"Two images of a batch of {found.batch_size}", ["batches", "correlation"], batches,
              numeric=[1]),
        terms(DEFINITIONS, "definitions"),
    ]  # fmt: skip
    return Section("correlation", "What is correlated?",
                   f"{found.correlation_said()} {found.batches_said()}", body,
                   "Correlation")  # fmt: skip


def _outliers(found: Organization, images: ImageSet) -> Section | None:
    if not found.outliers:
        return None
    places = [outlier.index for outlier in found.outliers]
    first = found.outliers[0]
    return Section(
        "outliers",
        "Which images are like no other?",
        f"The one furthest from all others is {decimal(first.remoteness)} times as far from its "
        "fifth nearest image as images usually are. An outlier may be a treasure or a mistake: "
        "look.",
        [_picture(images, places, len(places), "The twelve furthest, the furthest first.")],
        "Outliers",
    )


def _picture(images: ImageSet, places: Sequence[int], columns: int, caption: str) -> Html:
    pixels = images.images[torch.tensor(places)]
    drawn = embedded(grid(pixels, columns=columns, scale=2), caption)
    return element("figure", drawn, element("figcaption", caption))


def _strip(images: ImageSet, places: Sequence[int], alt: str) -> Html:
    if not places:
        return element("span", "none")
    pixels = images.images[torch.tensor(places)]
    return embedded(grid(pixels, columns=len(places), scale=1), printable(alt))
