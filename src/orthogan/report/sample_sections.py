"""What a run draws: its latest grid, and how the same seeds looked before."""

from __future__ import annotations

from collections.abc import Sequence

from orthogan.errors import DataError
from orthogan.report.embedded import embedded, opened
from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.run_facts import RunFacts
from orthogan.report.side_by_side import run_name, side_by_side
from orthogan.report.tables import notes
from orthogan.report.wording import count

MOST_FRAMES = 16  # of all runs together
LEAST_FRAMES = 4  # of each
FRAME_BYTES = 2_000_000  # of all earlier grids together
LATEST_BYTES = 700_000  # of the latest grids together


def samples(runs: Sequence[RunFacts]) -> Section | None:
    """The sample grids; None where no run has one."""
    if not any(run.grids for run in runs):
        return None
    most = max(LEAST_FRAMES, MOST_FRAMES // len(runs))
    players = [_player(run, most, len(runs)) for run in runs]
    has_course = any(len(run.grids) > 1 for run in runs)
    course = (
        " A seed stays the same image throughout, so that the slider shows what training made of "
        "it." if has_course else ""
    )  # fmt: skip
    return Section(
        "samples",
        "What does it draw?",
        f"One image for each seed, as the averaged generator draws it.{course}",
        side_by_side(runs, players),
        "Images",
    )


def chosen(counts: Sequence[int], most: int) -> list[int]:
    """At most so many of the counts, evenly spread, the first and the last among them.

    >>> chosen([1, 2, 3, 4, 5], 3), chosen([1, 2], 3)
    ([1, 3, 5], [1, 2])
    """
    if len(counts) <= most:
        return list(counts)
    step = (len(counts) - 1) / (most - 1)
    return [counts[round(place * step)] for place in range(most)]


def _player(run: RunFacts, most: int, num_runs: int) -> list[Html | None]:
    frames: list[Html] = []
    problems: list[str] = []
    counts = chosen(list(run.grids), most)
    earlier = FRAME_BYTES // (max(1, len(counts) - 1) * num_runs)
    for at in counts:
        words = f"after {count(at)} images"
        is_latest = at == counts[-1]
        room = LATEST_BYTES // num_runs if is_latest else earlier
        try:
            picture = embedded(opened(run.grids[at]), f"Images of {run_name(run.path)} {words}",
                               room)  # fmt: skip
        except DataError as error:
            problems.append(str(error))
            continue
        frames.append(
            element("li", element("figure", picture, element("figcaption", words.capitalize())))
        )
    if not frames:
        return [notes(problems)]
    slider = element(
        "label", "Over training ",
        element("input", type="range", min=0, max=len(frames) - 1, step=1,
                value=len(frames) - 1, autocomplete="off"),
        class_="slider",
    ) if len(frames) > 1 else None  # fmt: skip
    style = "player" if slider else "still"
    return [element("div", slider, element("ol", *frames, class_="frames"), class_=style),
            notes(problems)]  # fmt: skip
