"""How training went: distance, losses, logits, penalty and gradients over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from orthogan.report.figures import Axis, Kind, Plot, colours, figure, spanning
from orthogan.report.markup import Html
from orthogan.report.page import Section
from orthogan.report.run_facts import Points, RunFacts, number
from orthogan.report.side_by_side import role_of, titles
from orthogan.report.wording import count, decimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 240  # of a line: more than the picture has pixels between two of them
HEIGHT = 190.0


@dataclass(frozen=True)
class Line:
    """A line of a panel: its colour, whether it is dashed, and its points."""

    role: str
    points: Points
    dash: str = "-"


@dataclass(frozen=True)
class Curve:
    """A number of `step` lines that is drawn.

    Attributes:
        key: Its name there.
        label: Beside the axis.
        kind: Of the axis.
    """

    key: str
    label: str
    kind: Kind = "linear"


@dataclass(frozen=True)
class Chart:
    """Curves under one caption; of one run in one panel, of several in a panel each.

    Attributes:
        key: Its place in links.
        title: Read aloud in the place of the picture.
        caption: How to read it.
        label: Beside the axis, where the curves share a panel.
        curves: In the order of their colours.
        words: Name of each curve, where they share a panel.
    """

    key: str
    title: str
    caption: str
    label: str
    curves: tuple[Curve, ...]
    words: tuple[str, ...] = ()


CHARTS = (
    Chart("losses", "Losses over training",
          "How wrong each network is at its own task. Neither falls to zero in a healthy run: the "
          "better one gets, the harder it makes it for the other.", "loss",
          (Curve("discriminator_loss", "loss of the discriminator"),
           Curve("generator_loss", "loss of the generator")), ("discriminator", "generator")),
    Chart("logits", "Logits of real and generated images over training",
          "How real the discriminator finds the images on average, before the sigmoid. Only the "
          "difference has a meaning: the wider the gap, the more clearly it tells them apart.",
          "logit", (Curve("real_logit", "logit of real images"),
                    Curve("fake_logit", "logit of generated images")), ("real", "generated")),
    Chart("penalty", "Gradient penalty over training",
          "The squared slope of the discriminator at the images, which the penalty keeps small. A "
          "steady rise means that it becomes too sharp; near zero from the start, that it has "
          "given up.", "penalty", (Curve("penalty", "squared slope of D", "log"),)),
    Chart("gradients", "Gradient norms over training",
          "How strongly each step would change the weights. Peaks are instability; a generator "
          "whose gradient fades away learns nothing more.", "gradient norm",
          (Curve("discriminator_gradient", "gradient of the discriminator", "log"),
           Curve("generator_gradient", "gradient of the generator", "log")),
          ("discriminator", "generator")),
    Chart("augmentation", "Augmentation over training",
          "How often images are changed before the discriminator sees them, and how far it has "
          "begun to know the training images by heart.", "fraction",
          (Curve("augmentation", "augmentation"), Curve("overfitting", "overfitting")),
          ("probability of a change", "overfitting")),
    Chart("loss", "Loss over training", "How wrong the network is on what it learns from.", "loss",
          (Curve("loss", "loss"),)),
    Chart("accuracy-of-steps", "Accuracy on training images",
          "How many images of a batch it answers rightly.", "accuracy",
          (Curve("accuracy", "accuracy on training images"),)),
    Chart("bits", "Bits per token over training",
          "How uncertain the model is of the next token of the text it learns from.",
          "bits per token", (Curve("bits", "bits per token"),)),
)  # fmt: skip
SCORED = {
    "modes": ("Modes", "linear"),
    "accuracy": ("accuracy on held-out images", "linear"),
    "bits_per_character": ("bits per character, held out", "linear"),
    "bits_per_byte": ("bits per byte, held out", "linear"),
    "perplexity": ("perplexity, held out", "linear"),
}  # fmt: skip


def curves(runs: Sequence[RunFacts]) -> Section | None:
    """The curves that the lines of the runs hold; None without any."""
    drawn: list[Html | None] = [_distance(runs), *(_scored(runs, name) for name in SCORED),
                                *(_chart(runs, chart) for chart in CHARTS)]  # fmt: skip
    body = [each for each in drawn if each is not None]
    if not body:
        return None
    return Section(
        "curves", "How did training go?", _answer(runs), body, "Curves",
    )  # fmt: skip


def thinned(points: Points, most: int = MOST_POINTS) -> Points:
    """At most so many points, each the mean of its neighbours.

    >>> thinned(([0.0, 1.0, 2.0, 3.0], [0.0, 2.0, 4.0, 6.0]), 2)
    ([0.5, 2.5], [1.0, 5.0])
    """
    seen, values = points
    size = -(-len(seen) // most)
    if size <= 1:
        return points
    starts = range(0, len(seen), size)
    return _means(seen, starts, size), _means(values, starts, size)


def panel(label: str, kind: Kind, lines: Sequence[Line], unit: str, **axis: Any) -> Plot | None:
    """A panel of lines over the images; None where no line has two points.

    Args:
        label: Beside the axis.
        kind: Of the axis; on a logarithmic one, what is not positive is left out.
        lines: What is drawn.
        unit: What is counted along the panel.
        axis: `low` and `high` of the axis, `marks`: [(height, word)] of level lines.
    """
    marks: Sequence[tuple[float, str]] = axis.get("marks", ())
    kept = [Line(line.role, thinned(_fit(line.points, kind)), line.dash) for line in lines]
    kept = [line for line in kept if len(line.points[0]) > 1]
    if not kept:
        return None
    values = [value for line in kept for value in line.points[1]]
    low, high = spanning([*values, *(at for at, _ in marks if kind == "linear" or at > 0)])
    if kind == "log":
        low, high = min(values) / 1.3, max(values) * 1.3
        low = min([low, *(at / 1.3 for at, _ in marks if at > 0)])
    across = Axis(unit, 0.0, max(seen for line in kept for seen in line.points[0]))
    up = Axis(label, axis.get("low", low), axis.get("high", high), kind)
    return Plot(across, up, partial(_draw, lines=kept, marks=marks), HEIGHT)


def _draw(axes: Axes, lines: Sequence[Line], marks: Sequence[tuple[float, str]]) -> None:
    role = colours()
    for at, word in marks:
        axes.axhline(at, color=role["control"], lw=1.5, ls="--")
        axes.annotate(word, (0.0, at), (4, 5), textcoords="offset points", gid="label",
                      color=role["soft"])  # fmt: skip
    for line in lines:
        axes.plot(*line.points, line.dash, color=role[line.role], lw=2)


def _fit(points: Points, kind: Kind) -> Points:
    if kind != "log":
        return points
    pairs = [(seen, value) for seen, value in zip(*points, strict=True) if value > 0]
    return [seen for seen, _ in pairs], [value for _, value in pairs]


def _means(values: Sequence[float], starts: range, size: int) -> list[float]:
    parts = [values[start : start + size] for start in starts]
    return [sum(part) / len(part) for part in parts]


def legend_of_runs(runs: Sequence[RunFacts]) -> list[tuple[str, str]]:
    """(colour, name) of each run; nothing for a single one."""
    if len(runs) == 1:
        return []
    return [(role_of(index), title) for index, title in enumerate(titles(runs))]


def lines_of(runs: Sequence[RunFacts], event: str, *keys: str) -> list[Line]:
    """One line per run, of a number in its lines of one kind."""
    return [Line(role_of(index), run.points(event, *keys)) for index, run in enumerate(runs)]


def _distance(runs: Sequence[RunFacts]) -> Html | None:
    lines = [
        Line(role_of(index), run.points("score", run.distance_name))
        for index, run in enumerate(runs)
    ]
    floors = [floor for run in runs if (floor := number(run.latest("score").get("floor")))]
    marks = [(floors[0], "real images")] if len({round(each, 12) for each in floors}) == 1 else []
    plot = panel("Frechet distance", "log", lines, runs[0].unit, marks=marks)
    if plot is None:
        return None
    caption = (
        "How far the generated images as a whole lie from the real ones, measured while training. "
        "Lower is better; the dashed line is what real images score, the least to hope for."
    )
    title = "Distance over training"
    return figure("distance", title, caption, [plot], legend_of_runs(runs))


def _scored(runs: Sequence[RunFacts], name: str) -> Html | None:
    label, kind = SCORED[name]
    lines = lines_of(runs, "score", name)
    plot = panel(label, "log" if kind == "log" else "linear", lines, runs[0].unit)
    if plot is None:
        return None
    caption = "Measured while training, on what the run does not learn from."
    title = f"{label} over training"
    return figure(f"score-{name}", title, caption, [plot], legend_of_runs(runs))


def _chart(runs: Sequence[RunFacts], chart: Chart) -> Html | None:
    if len(runs) > 1:
        plots = [
            panel(curve.label, curve.kind,
                  lines_of(runs, "step", curve.key),
                  runs[0].unit)
            for curve in chart.curves
        ]  # fmt: skip
        legend = legend_of_runs(runs)
    else:
        lines = [
            Line(role_of(index), runs[0].points("step", curve.key))
            for index, curve in enumerate(chart.curves)
        ]
        plots = [panel(chart.label, chart.curves[0].kind, lines, runs[0].unit)]
        legend = [(role_of(index), word) for index, word in enumerate(chart.words)]
    kept = [plot for plot in plots if plot is not None]
    return figure(chart.key, chart.title, chart.caption, kept, legend) if kept else None


def _answer(runs: Sequence[RunFacts]) -> str:
    if len(runs) > 1:
        return "Every run in its own colour, over what training has shown it."
    run = runs[0]
    seen, values = run.points("score", run.distance_name)
    if len(values) < 2:
        return f"From the first step to {count(run.num_seen)} {run.unit}."
    best = min(range(len(values)), key=values.__getitem__)
    now = f"The distance to real images went from {decimal(values[0])} to {decimal(values[-1])}"
    if values[best] * 1.1 < values[-1]:
        return (
            f"{now}; its lowest was {decimal(values[best])} after {count(int(seen[best]))} images."
        )
    return f"{now}."
