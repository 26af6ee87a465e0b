"""Generated images beside the training images that they come nearest to."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from orthogan.images.sheet import sheet
from orthogan.report.embedded import embedded
from orthogan.report.evidence import Evidence, Neighbours
from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.run_facts import RunFacts
from orthogan.report.side_by_side import side_by_side
from orthogan.report.wording import count
from orthogan.terminal import printable

PANEL_BYTES = 300_000  # of one group of a run


def neighbours(runs: Sequence[RunFacts], evidence: Sequence[Evidence]) -> Section | None:
    """Whether the images are copies, and what the strangest of them look like."""
    if not any(each.neighbours or each.missing for each in evidence):
        return None
    return Section(
        "neighbours",
        "Are they copies, and what do the worst look like?",
        "In each pair of rows, generated images stand above the training image that comes nearest "
        "to each, found also where it is moved, mirrored, brightened or cropped.",
        side_by_side(runs, [_panels(each, len(runs)) for each in evidence]),
        "Neighbours",
    )


def _panels(evidence: Evidence, num_runs: int) -> list[Html | None]:
    found = evidence.neighbours
    if found is None:
        missing = printable(evidence.missing)
        return [element("p", missing, class_="muted")] if missing else []
    drawn = (
        f" Searched: {count(found.num_train)} of {count(found.num_all)} training images, drawn at "
        "random." if found.num_train < found.num_all else ""
    )  # fmt: skip
    kinds = (
        ("Most like copies", found.copies, (
            f"Of {count(len(found.fakes))} images, those whose nearest training image is much "
            "nearer than the next ones. If upper and lower row show the same picture, the "
            f"generator has memorised it.{drawn}")),
        ("Farthest from the data", found.worst, (
            "Those that no training image comes near to: where the generator goes wrong, this is "
            "where it shows.")),
        ("Others", found.others, "The first of the rest: what to expect of any seed."),
    )  # fmt: skip
    return [
        _panel(found, title, chosen, caption, num_runs)
        for title, chosen, caption in kinds
        if chosen
    ]


def _panel(found: Neighbours, title: str, chosen: list[int], caption: str, num_runs: int) -> Html:
    both = torch.cat([found.fakes[chosen], found.nearest[chosen]])
    picture = sheet(both.permute(0, 2, 3, 1).numpy(), columns=len(chosen), scale=1)
    alt = f"{title}: {len(chosen)} generated images above their nearest training images"
    words = (element("b", f"{title}. "), caption)
    return element(
        "figure",
        embedded(picture, alt, PANEL_BYTES // num_runs),
        element("figcaption", *words),
        class_="panel",
    )
