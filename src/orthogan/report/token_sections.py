"""The geometry of a GAN's tokens while it trained, and how widely its heads look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from orthogan.gan.watch.detectors import GEOMETRY_THRESHOLD as THRESHOLD
from orthogan.report.curve_sections import Line, legend_of_runs, lines_of, panel
from orthogan.report.figures import figure
from orthogan.report.markup import Html
from orthogan.report.page import Section
from orthogan.report.run_facts import RunFacts, number, within
from orthogan.report.side_by_side import role_of, side_by_side
from orthogan.report.tables import table
from orthogan.report.wording import decimal
from orthogan.terminal import printable

SIGNS = (
    ("mode_collapse", "images: variation lost"),
    ("generator_rank_collapse", "generator: tokens alike"),
    ("discriminator_rank_collapse", "discriminator: tokens alike"),
)
MOST_HEADS = 64  # rows of a table


def tokens(runs: Sequence[RunFacts], *, heads: bool) -> Section | None:
    """Signs of a collapse, and ranks; None where a run has not looked.

    Args:
        runs: In order.
        heads: Whether to say how widely each head looks, which attention maps say better.
    """
    if not any(run.latest("geometry") for run in runs):
        return None
    widths = side_by_side(runs, [[_heads(run)] for run in runs]) if heads else []
    return Section(
        "tokens",
        "Do its tokens stay apart?",
        _answer(runs),
        [_signs(runs), _ranks(runs), *widths],
        "Tokens",
    )


def _answer(runs: Sequence[RunFacts]) -> str:
    worst = max(
        (
            value
            for run in runs
            for key, _ in SIGNS
            for value in run.points("geometry", "geometry", key)[1]
        ),
        default=0.0,
    )
    state = "no look came near to a collapse" if worst < THRESHOLD else "a look showed a collapse"
    return (
        "Inside the networks, an image is a set of tokens, one per patch. In a collapse they "
        f"become all alike: {state} (at worst {decimal(worst)} on a scale from 0, healthy, to 1, "
        "complete)."
    )


def _signs(runs: Sequence[RunFacts]) -> Html | None:
    marks = [(THRESHOLD, "alarm")]
    if len(runs) == 1:
        lines = [
            Line(role_of(at), runs[0].points("geometry", "geometry", key))
            for at, (key, _) in enumerate(SIGNS)
        ]
        plots = [panel("0: healthy, 1: collapsed", "linear", lines, "images", low=0.0, high=1.0,
                       marks=marks)]  # fmt: skip
        legend = [(role_of(at), word) for at, (_, word) in enumerate(SIGNS)]
    else:
        plots = [
            panel(word, "linear",
                  lines_of(runs, "geometry", "geometry", key),
                  "images", low=0.0, high=1.0, marks=marks)
            for key, word in SIGNS
        ]  # fmt: skip
        legend = legend_of_runs(runs)
    kept = [plot for plot in plots if plot is not None]
    if not kept:
        return None
    caption = (
        "How much of the variation of real images the generated ones have lost, and how far the "
        "tokens of one image are on their way to being all the same, in either network."
    )
    return figure("signs", "Signs of a collapse over training", caption, kept, legend)


def _ranks(runs: Sequence[RunFacts]) -> Html | None:
    def of(kind: str, run: RunFacts) -> Any:
        return run.points("geometry", "geometry", "discriminator", "features", f"{kind}_rank")

    lines = [
        Line(role_of(index if len(runs) > 1 else place), of(kind, run), dash)
        for index, run in enumerate(runs)
        for place, (kind, dash) in enumerate((("real", "-"), ("fake", "--")))
    ]
    plot = panel("rank over chance", "linear", lines, "images")
    if plot is None:
        return None
    legend = legend_of_runs(runs) or [("codes", "real images"), ("tokens", "generated (dashed)")]
    caption = (
        "How many directions the discriminator's view of real images fills, and of generated ones "
        "(dashed), as a fraction of what unrelated directions would. Generated images that repeat "
        "themselves fill fewer."
    )
    return figure("ranks", "Rank of the discriminator's features", caption, [plot], legend)


def _heads(run: RunFacts) -> Html | None:
    look = within(run.latest("geometry"), "geometry")
    rows = [
        row
        for network in ("generator", "discriminator")
        for name, layer in (within(look, network, "attention") or {}).items()
        for row in _rows(network, name, layer)
    ] if isinstance(look, dict) else []  # fmt: skip
    if not rows:
        return None
    caption = (
        "Among how many patches a head spreads its attention on average (the exponential of its "
        "entropy), at the latest look. All of them: the head averages; one: it picks."
    )
    return table(caption, ["Layer", "head", "patches", "of"], rows[:MOST_HEADS], (1, 2, 3))


def _rows(network: str, name: str, layer: Any) -> list[tuple[str, ...]]:
    entropies, num_tokens = within(layer, "entropy"), number(within(layer, "tokens"))
    if not isinstance(entropies, list) or num_tokens is None:
        return []
    title = f"{network} {printable(name.removesuffix('.attention'))}"
    return [
        (title, str(head), decimal(math.exp(value)), decimal(num_tokens, 2))
        for head, entropy in enumerate(entropies, 1)
        if (value := number(entropy)) is not None and 0 <= value < 50
    ]
