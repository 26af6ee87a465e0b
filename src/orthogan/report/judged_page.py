"""Judged images on one page, the most real ones first."""

from __future__ import annotations

from pathlib import Path

from orthogan.analysis.judging import Judged, Judgement
from orthogan.images.sheet import sheet
from orthogan.report.embedded import embedded
from orthogan.report.markup import Html, element
from orthogan.report.page import Section, page
from orthogan.report.side_by_side import run_name
from orthogan.report.tables import notes, table
from orthogan.report.target import check_target, write_page
from orthogan.report.wording import count, plural, share
from orthogan.shapes import Pixels
from orthogan.terminal import printable

MOST_SHOWN = 600  # images; a longer page cannot be looked at
PICTURE_BYTES = 6_000


def judged_page(found: Judgement, command: str) -> str:
    """The whole page.

    Args:
        found: What was judged.
        command: What writes the page again.
    """
    name = run_name(Path(found.run))
    probabilities = [each.probability for each in found.images]
    shown = found.images[:MOST_SHOWN]
    more = len(found.images) - len(shown)
    left_out = f" The last {count(more)} are left out here." if more > 0 else ""
    pictures = Section(
        "images",
        "Which are found most real?",
        f"From the highest probability to the lowest.{left_out}",
        [_gallery(shown, found.pixels), _table(shown)],
        "Images",
    )
    meaning = Section(
        "meaning",
        "What does the probability mean?",
        found.meaning,
        [element("p", BESIDE), notes([printable(note) for note in found.notes])],
        "Meaning",
    )
    return page(
        title=f"What {name} says of {plural(len(found.images), 'image')}",
        summary=f"From {share(min(probabilities))} to {share(max(probabilities))}. {found.beside}",
        tiles=[],
        sections=[pictures, meaning],
        remade_by=printable(command),
        numbers=found.to_dict(),
        kicker="orthogan judge",
    )


BESIDE = (
    "Beside generated (real) images: the mean probability that the image is found more real than "
    "one of them. Against real images, 50 % is as real as the data."
)


def write_judged_page(found: Judgement, path: Path, command: str) -> Path:
    """Writes `judged_page` to a file, entirely or not at all.

    Raises:
        ConfigError: the path is a folder, or not named as an HTML file.
        StorageError: the place cannot be written.
    """
    check_target(path)
    text = judged_page(found, command)
    return write_page(path, text)


def _gallery(images: tuple[Judged, ...], pixels: Pixels) -> Html:
    items = []
    for each, image in zip(images, pixels, strict=False):
        picture = sheet(image.permute(1, 2, 0)[None].numpy(), scale=1)
        caption = element("figcaption", share(each.probability))
        shown = embedded(picture, printable(each.name), PICTURE_BYTES)
        items.append(element("li", element("figure", shown, caption)))
    return element("ol", *items, class_="gallery")


def _table(images: tuple[Judged, ...]) -> Html:
    rows = [
        (
            element("bdi", printable(each.name)),
            share(each.probability),
            share(each.beats_generated),
            "-" if each.beats_real is None else share(each.beats_real),
        )
        for each in images
    ]
    headers = ["File", "probability", "beside generated", "beside real"]
    return table("Every image.", headers, rows, (1, 2, 3))
