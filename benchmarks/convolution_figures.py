"""The pictures of `convolution_pictures.py`: one function a picture, no numbers of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.patches import Rectangle
from torch import Tensor

INK, BLUE, RED, GOLD, GREY = "#22223b", "#2a6f97", "#c1443c", "#d99a2b", "#8d99ae"
SIGNED = "RdBu_r"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlepad": 8,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def draw_convolution(record: dict[str, Any], path: Path) -> None:
    """A kernel becomes nine heads; below, all heads together for each padding mode."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(13, 9), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=[1, 0.92])
        left, middle, right = top.subfigures(1, 3, width_ratios=[1.05, 1.1, 1.05])
        _draw_kernel(left, record)
        _draw_heads(middle, record)
        _draw_outputs(right, record)
        bottom.suptitle(
            "All heads together, $\\sum_n v_n W_n$, on 6 x 6 pixels: one row a query. "
            "Only the border tells the padding modes apart.",
            fontsize=12.5,
            fontweight="bold",
        )
        for axes, (mode, weights) in zip(
            bottom.subplots(1, 4), record["maps"].items(), strict=True
        ):
            _draw_signed(axes, weights, float(record["kernel"].abs().max()))
            _rule_blocks(axes, 6, 36)
            axes.set_title(mode)
            axes.set_xlabel("token $s$")
            axes.set_ylabel("query $t$" if mode == "zeros" else "")
        figure.savefig(path, dpi=110)
        plt.close(figure)


def draw_forms(record: dict[str, Any], reach: dict[str, Any], path: Path) -> None:
    """Omega to map to kernel on a ring; the torus; what is not reached."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(13, 12), layout="constrained")
        ring, torus, false = figure.subfigures(3, 1)
        ring.suptitle(
            "On a ring: 2 x 2 blocks on sinusoidal codes are a kernel",
            fontsize=12.5,
            fontweight="bold",
        )
        _draw_ring(ring.subplots(1, 3), record)
        torus.suptitle(
            "On a torus: the same, with one frequency vector a wave",
            fontsize=12.5,
            fontweight="bold",
        )
        _draw_torus(torus.subplots(1, 3), record)
        false.suptitle("What sinusoids alone do not give", fontsize=12.5, fontweight="bold")
        _draw_limits(false.subplots(1, 3), record, reach)
        figure.savefig(path, dpi=110)
        plt.close(figure)


def draw_sharpness(record: dict[str, Any], path: Path) -> None:
    """The error of sharp softmax heads, and what one of them sees."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(13, 5.6), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])
        _draw_curves(left.subplots(), record["curves"])
        right.suptitle("The head of the upper left tap", fontsize=12.5, fontweight="bold")
        grid = right.subplots(2, 3)
        shown = zip(grid.flat, record["maps"], record["shown"], strict=False)
        for axes, weights, alpha in shown:
            _draw_attention(axes, weights, (4, 4))
            axes.set_title(rf"$\alpha = {alpha:g}$")
        for axes, weights, name in zip(
            grid.flat[4:], record["border maps"], ("zero padding", "no padding"), strict=True
        ):
            _draw_attention(axes, weights[0, 4].tolist(), (0, 4))
            axes.set_title(f"at the border,\n{name}")
        figure.savefig(path, dpi=110)
        plt.close(figure)


def _draw_kernel(figure: Any, record: dict[str, Any]) -> None:
    figure.suptitle("A convolution: image and kernel", fontsize=12.5, fontweight="bold")
    image, kernel = figure.subplots(1, 2, width_ratios=[1, 1])
    image.imshow(record["image"], cmap="gray_r")
    _bare(image)
    _draw_signed(kernel, record["kernel"])
    for (row, col), value in zip(
        [(r, c) for r in range(3) for c in range(3)],
        record["kernel"].flatten().tolist(),
        strict=True,
    ):
        colour = "white" if abs(value) > 0.25 else INK
        kernel.text(
            col, row, f"{value:+.2f}" if value else "0", ha="center", va="center", color=colour
        )
    _bare(kernel)


def _draw_heads(figure: Any, record: dict[str, Any]) -> None:
    figure.suptitle(
        "As attention: nine heads, each reads one token", fontsize=12.5, fontweight="bold"
    )
    values = record["kernel"].flatten().tolist()
    for axes, shift, value in zip(
        figure.subplots(3, 3).flat, record["shifts"].tolist(), values, strict=True
    ):
        weights = [[0.0] * 5 for _ in range(5)]
        weights[2 + shift[0]][2 + shift[1]] = 1.0
        _draw_attention(axes, weights, (2, 2))
        axes.set_xlabel(f"$v = {value:+.2f}$" if value else "$v = 0$", fontsize=9)


def _draw_outputs(figure: Any, record: dict[str, Any]) -> None:
    worst = max(record["largest difference, by index"], record["largest difference, dense"])
    equal = f"largest difference {worst:.0e}" if worst else "equal to the last bit"
    figure.suptitle(f"One output, both ways\n({equal})", fontsize=12.5, fontweight="bold")
    axes = figure.subplots()
    _draw_signed(axes, record["output"])
    _bare(axes)


def _draw_ring(panels: Any, record: dict[str, Any]) -> None:
    omega, weights, kernel = panels
    _draw_signed(omega, record["omega"][:18, :18])
    _rule_blocks(omega, 2, 18)
    omega.set_title(r"$\Omega$: blocks $[[a_k, -b_k], [b_k, a_k]]$" + "\n(the first nine of 17)")
    omega.set(xlabel="key code", ylabel="query code")
    _draw_signed(weights, record["ring map"])
    weights.set_title(r"attention map $P\,\Omega P^\top$")
    weights.set(xlabel="token $s$", ylabel="query $t$")
    n = len(record["ring kernel"])
    order = [offset % n for offset in range(-n // 2, n // 2)]
    offsets = range(-n // 2, n // 2)
    kernel.axhline(0, color=GREY, lw=0.8)
    kernel.plot(offsets, record["ring kernel"][order], color=BLUE, lw=2, label="wanted")
    read = record["ring kernel read back"][order]
    kernel.plot(offsets, read, "o", color=RED, ms=4, label="read from the map")
    kernel.set_title(f"kernel, error {record['ring error']:.0e}")
    kernel.set(xlabel="offset $s - t$")
    _open(kernel)
    kernel.legend(frameon=False)


def _draw_torus(panels: Any, record: dict[str, Any]) -> None:
    wanted, corner, weights = panels
    rows, cols = record["torus kernel"].shape
    centred = record["torus kernel"].roll((rows // 2, cols // 2), (0, 1))
    _draw_signed(wanted, centred)
    wanted.set_title("the kernel, a wavelet")
    wanted.set(xlabel="offset, columns", ylabel="offset, rows")
    _centre_ticks(wanted, rows)
    query = (3, 11)
    seen = record["torus map"][query[0] * cols + query[1]].unflatten(0, (rows, cols))
    _draw_signed(corner, seen)
    corner.plot(query[1], query[0], "o", mfc="none", mec=INK, ms=9, mew=1.5)
    corner.set_title("one row of the map: what the ringed query sees")
    corner.set(xlabel="column", ylabel="row", xticks=range(0, cols, 4), yticks=range(0, rows, 4))
    _draw_signed(weights, record["torus map"])
    weights.set_title(f"the whole map, kernel error {record['torus error']:.0e}")
    weights.set(xlabel="token $s$", ylabel="query $t$")


def _draw_limits(panels: Any, record: dict[str, Any], reach: dict[str, Any]) -> None:
    free, cross, widths = panels
    _draw_signed(free, record["free map"])
    free.set_title(f"free 2 x 2 blocks see $s + t$: offset share {record['free share']:.2f}")
    free.set(xlabel="token $s$", ylabel="query $t$")
    rows, cols = record["row plus column"].shape
    _draw_signed(cross, record["row plus column"].roll((rows // 2, cols // 2), (0, 1)))
    share = record["row plus column share"]
    cross.set_title(f"row code + column code: nearest to the wavelet, {share:.2f} of it")
    cross.set(xlabel="offset, columns", ylabel="offset, rows")
    _centre_ticks(cross, rows)
    for name, colour, label in (
        ("geometric", RED, "geometric wavelengths"),
        ("fourier", BLUE, "Fourier frequencies"),
    ):
        points = reach[name]
        widths.plot(
            [p["width"] for p in points],
            [p["error"] for p in points],
            "o-",
            color=colour,
            ms=4,
            label=label,
        )
    band = (1 - 1 / math.pi) ** 0.5
    widths.axhline(band, color=GREY, ls=":", lw=1.2)
    widths.text(512, band + 0.02, "outside the band of 1 rad", ha="right", color=GREY, fontsize=9)
    widths.set(xscale="log", ylim=(-0.03, 1.08), xlabel="width of the code")
    widths.set_ylabel("relative error")
    ticks = [4, 8, 16, 32, 64, 128, 256, 512]
    widths.set_xticks(ticks, [str(tick) for tick in ticks])
    widths.minorticks_off()
    widths.set_title('the kernel "next token", 28 positions')
    _open(widths)
    widths.legend(frameon=False, loc="lower left")


def _draw_curves(axes: Axes, curves: dict[str, Any]) -> None:
    padded, unpadded = curves["padded"], curves["unpadded"]
    alpha = padded["sharpness"]
    axes.plot(alpha, padded["weight_bound"], color=GREY, lw=5, alpha=0.45, label="bound on a row")
    axes.plot(alpha, padded["weight_error"], color=INK, lw=1.5, label="worst row of weights")
    axes.plot(alpha, padded["output_error"], color=BLUE, lw=2, label="output, zero padding")
    axes.plot(
        alpha,
        unpadded["output_error"],
        color=GOLD,
        lw=2,
        ls="--",
        label="output, no padding (limit: replicate)",
    )
    axes.set(yscale="log", ylim=(1e-17, 5), xlim=(0, 38))
    axes.set(xlabel=r"sharpness $\alpha$", ylabel="error")
    axes.set_title(r"Nine softmax heads become a 3 x 3 convolution at the rate $e^{-\alpha}$")
    axes.grid(visible=True, alpha=0.25)
    _open(axes)
    axes.legend(frameon=False)


def _draw_signed(axes: Axes, values: Tensor, largest: float | None = None) -> None:
    largest = largest or float(values.abs().max())
    norm = TwoSlopeNorm(0, -largest, largest)
    axes.imshow(values, cmap=SIGNED, norm=norm, interpolation="nearest")


def _draw_attention(axes: Axes, weights: list[list[float]], query: tuple[int, int]) -> None:
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    row, col = query
    axes.add_patch(Rectangle((col - 0.5, row - 0.5), 1, 1, fill=False, ec=RED, lw=1.6))
    axes.set_xticks([i - 0.5 for i in range(1, len(weights[0]))], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, len(weights))], minor=True)
    axes.grid(visible=True, which="minor", color=GREY, lw=0.3, alpha=0.6)
    axes.tick_params(which="both", length=0)
    _bare(axes)


def _rule_blocks(axes: Axes, block: int, size: int) -> None:
    for line in range(block, size, block):
        axes.axhline(line - 0.5, color=GREY, lw=0.4)
        axes.axvline(line - 0.5, color=GREY, lw=0.4)
    axes.set_xticks(range(0, size, block))
    axes.set_yticks(range(0, size, block))


def _centre_ticks(axes: Axes, size: int) -> None:
    ticks = range(0, size, size // 4)
    axes.set_xticks(ticks, [str(tick - size // 2) for tick in ticks])
    axes.set_yticks(ticks, [str(tick - size // 2) for tick in ticks])


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def _open(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
