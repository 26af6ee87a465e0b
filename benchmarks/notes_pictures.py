"""The pictures of `notes_numbers.py`: one function a picture, no numbers of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from convolution_figures import BLUE, GOLD, GREY, INK, RED, STYLE
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = (BLUE, RED, GOLD, INK, GREY)
SIZE = (10.5, 4.0)


def draw_all(record: dict[str, Any], folder: Path) -> None:
    """Every picture, as `notes_NAME.png` in a folder."""
    for name, draw in PICTURES.items():
        with plt.rc_context(STYLE):
            figure, panels = plt.subplots(1, 2, figsize=SIZE, layout="constrained")
            for axes in panels:
                axes.spines[["top", "right"]].set_visible(False)
            draw(figure, panels, record)
            figure.savefig(folder / f"notes_{name}.png", dpi=90)
            plt.close(figure)


def _sinusoids(_: Figure, panels: Any, record: dict[str, Any]) -> None:
    found = record["sinusoids"]
    left, right = panels
    steps = found["product"]["step"]
    for width, colour in zip((8, 64, 512), COLOURS, strict=False):
        left.semilogx(steps, found["product"][str(width)], color=colour, lw=1.5,
                      label=f"width {width}")  # fmt: skip
    left.axhline(1 - found["within"] ** 2 / 2, color=INK, ls=":", lw=1)
    left.set(title="How alike are two codes?", xlabel="distance of the positions",
             ylabel="product over its value at 0", xlim=(1, 1e5))  # fmt: skip
    left.legend(frameon=False, loc="lower left")
    returns = {int(width): step for width, step in found["first near return"].items()}
    shown = {width: step for width, step in returns.items() if step is not None}
    longest = [found["longest period"][str(width)] for width in shown]
    right.semilogy(list(shown), list(shown.values()), "o-", color=BLUE, label="first near-return")
    right.semilogy(list(shown), longest, "s--", color=GREY, label="longest single period")
    never = min((width for width, step in returns.items() if step is None), default=None)
    if never is not None:
        right.axvspan(never - 1, never + 3, color=GOLD, alpha=0.25, lw=0)
        right.text(never + 1, 30, f"from width {never}:\nnone in {found['steps']:,}\npositions",
                   ha="center", va="bottom", fontsize=9)  # fmt: skip
        right.set_xlim(1, never + 3)
    right.set(title=f"When does a code come back (within {found['within']:g})?",
              xlabel="width of the code", ylabel="positions")  # fmt: skip
    right.legend(frameon=False, loc="lower right")


def _turns(_: Figure, panels: Any, record: dict[str, Any]) -> None:
    left, right = panels
    found = record["turns"]
    for (radius, curve), colour in zip(found["curves"].items(), COLOURS, strict=False):
        left.plot(found["angle"], curve["turn"], color=colour, label=f"|p| = {radius} |e|")
        left.plot(curve["at"], curve["largest"], "o", color=colour)
        left.plot(90, curve["perpendicular"], "x", color=colour, ms=8, mew=2)
    left.set(title="Largest turn (dot): not where p is perpendicular (cross)",
             xlabel="angle between token and code, degrees", ylabel="turn of the token, degrees",
             xticks=range(0, 181, 45))  # fmt: skip
    left.legend(frameon=False)
    wide = record["wide models"]
    for (width, curve), colour in zip(wide["widths"].items(), COLOURS, strict=False):
        right.semilogx(wide["factor"], curve["flips"], color=colour, label=f"width {width}")
        right.plot(curve["bound"], 0.5, "|", color=colour, ms=22, mew=2)
    right.axhline(0.5, color=GREY, lw=0.8, ls=":")
    right.set(title="Codes of random direction (upright marks: the bound)",
              xlabel="length of the code over the token's safe radius",
              ylabel="tokens that change", ylim=(0, 1))  # fmt: skip
    right.legend(frameon=False)


def _arrow(axes: Axes, at: list[float], colour: str, text: str, **options: Any) -> None:
    axes.annotate("", at, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2}
                  | options)  # fmt: skip
    axes.annotate(text, at, xytext=(6, 4), textcoords="offset points", color=colour, fontsize=12)


def _frames(_: Figure, panels: Any, record: dict[str, Any]) -> None:
    found = record["frames"]
    left, right = panels
    (first, second), x = found["frame"], found["vector"]
    for at, name in ((first, "$b_1$"), (second, "$b_2$")):
        _arrow(left, at, BLUE, name)
    for at, name in zip(found["dual"], (r"$\tilde b_1$", r"$\tilde b_2$"), strict=True):
        _arrow(left, at, GOLD, name, ls="--")
    _arrow(left, x, INK, "$x$")
    wrong = [found["plain products"][0] * a + found["plain products"][1] * b
             for a, b in zip(first, second, strict=True)]  # fmt: skip
    _arrow(left, wrong, RED, r"$\langle x, b_1\rangle b_1 + \langle x, b_2\rangle b_2$")
    left.set(title="Coordinates need the dual basis",
             xlim=(-0.6, 3.6), ylim=(-1.45, 1.9), aspect="equal")  # fmt: skip
    fit = found["regression"]
    right.plot(fit["places"], fit["values"], ".", color=GREY, label="keys and values")
    right.plot(fit["queries"], fit["plain"], color=RED, label="plain keys")
    right.plot(fit["queries"], fit["dual"], color=BLUE, label="dual keys = ridge regression")
    right.set(title="Attention without softmax, read at every query", xlabel="query", ylabel="read")
    right.legend(frameon=False)


def _correlation(_: Figure, panels: Any, record: dict[str, Any]) -> None:
    found = record["correlation"]
    left, right = panels
    left.fill_between(found["rows"], found["null low"], found["null high"], color=GREY, alpha=0.5,
                      label="shuffled columns")  # fmt: skip
    left.loglog(found["rows"], found["unrelated"], "o", color=BLUE, label="unrelated columns")
    left.loglog(found["rows"], found["linked"], "s-", color=RED, mfc="none",
                label="columns linked in pairs (r = 0.1)")  # fmt: skip
    left.set(title=f"Correlation of {found['columns']} columns", xlabel="rows",
             ylabel="root mean square correlation")  # fmt: skip
    left.legend(frameon=False)
    right.plot(found["shift"], found["mean cosine"], "o-", color=RED, label="mean cosine")
    right.plot(found["shift"], found["isoscore"], "s-", color=BLUE, label="IsoScore")
    right.set(title="One round cloud, moved away from the origin", ylim=(-0.03, 1.03),
              xlabel="shift, standard deviations")  # fmt: skip
    right.legend(frameon=False)


def _equivariance(figure: Figure, panels: Any, record: dict[str, Any]) -> None:
    found = record["equivariance"]
    left, right = panels
    gathered = (("permuted", left), ("shifted around", right))
    names = list(found)
    for way, axes in gathered:
        values = [max(found[name][way], 1e-17) for name in names]
        axes.barh(names, values, left=0, color=[BLUE if v < 1e-12 else RED for v in values])
        axes.set_xscale("log")
        axes.set(xlim=(1e-17, 3), xlabel="relative error of f(moved) - moved f", title=way)
        axes.invert_yaxis()
    right.set_yticklabels([])
    figure.suptitle("Does one attention layer commute with moving its tokens?", fontsize=11)


PICTURES = {
    "sinusoids": _sinusoids,
    "turns": _turns,
    "frames": _frames,
    "correlation": _correlation,
    "equivariance": _equivariance,
}
