"""Sections on causes and cures: controls, amplitudes, repairs, directions, correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orthogan.analysis.control_draws import ControlDraws
from orthogan.analysis.result import Analysis
from orthogan.geometry.spectra.estimates import Estimate
from orthogan.report.figures import Axis, Plot, boundary, colours, dust, figure, says, spanning
from orthogan.report.markup import Html, element
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import bar, table, terms
from orthogan.report.wording import THIN, TIMES, count, decimal, plural, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTROLS = {
    "rotated": "The same codes, turned at random",
    "isotropic": "Random directions of the same lengths",
    "sinusoidal": "Sinusoids of the same energy",
}
REPAIRS = {
    "rotate": "Turn all codes as one into the directions where tokens vary least",
    "scale": "Shorten all codes by one factor",
    "remove-mean": "Take the mean code off",
    "project": "Clear the tokens' leading directions",
}
SMOOTHING = 48  # a running mean over this share of the directions
FLOOR = 1e-7  # of the largest variance: directions below it are left out of the plot
STRIP = 220.0  # width of the small picture of an estimate
BEYOND = 2.0  # standard deviations of random rotations: what counts as unlike chance


def controls(analysis: Analysis, _: Measured | None) -> Section | None:
    """Whether any codes would do this."""
    found = analysis.flip_count
    if found is None or not analysis.control_draws:
        return None
    own = "The source's own codes" if analysis.own else "The sinusoids that stand in"
    rate = 1 - found.kept
    largest = max(rate, *(each.mean for each in analysis.control_draws.values())) or 1.0
    rows = [(own, share(rate), "-", "-", bar(rate / largest, "codes"))]
    rows += [
        (CONTROLS.get(name, name), share(each.mean), _interval(each), count(len(each.counts)),
         bar(each.mean / largest, "control"))
        for name, each in analysis.control_draws.items()
    ]  # fmt: skip
    return Section(
        "controls",
        "Would any codes of this size do the same?",
        _beside(rate, analysis.control_draws),
        [table("Flips of the codes beside codes that know nothing of the tokens: the mean over "
               "the draws, and where one more draw would lie with 95\u202f%",
               ["Codes", "flip", "one more draw", "draws", ""], rows, (1, 2, 3))],
        "Controls",
    )  # fmt: skip


def _interval(found: ControlDraws) -> str:
    return "-" if found.interval is None else _range(*found.interval)


def _beside(rate: float, draws: dict[str, ControlDraws]) -> str:
    """Whether these codes flip more pairs than one more draw of any control would."""
    ranges = [each.interval or (each.mean, each.mean) for each in draws.values()]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if low == high == rate:
        return f"Yes: the controls flip exactly as many pairs, {share(rate)}."
    word = "more" if rate > high else "fewer" if rate < low else None
    if word is None:
        return f"About so: controls flip {_range(low, high)} of the pairs, these {share(rate)}."
    return (
        f"No: these codes flip {share(rate)} of the pairs, {word} than any control "
        f"({_range(low, high)}, draws included)."
    )


def _range(low: float, high: float) -> str:
    return share(low) if share(low) == share(high) else f"{share(low)} to {share(high)}"


def amplitudes(analysis: Analysis, _: Measured | None) -> Section | None:
    """What happens with longer or shorter codes."""
    found = analysis.flip_count
    if found is None or not analysis.amplitudes:
        return None
    curve = sorted(({1.0: found.kept} | analysis.amplitudes).items())
    factors, kept = [list(map(float, numbers)) for numbers in zip(*curve, strict=True)]
    limits = [found.tolerance] if found.tolerance and found.tolerance < float("inf") else []
    low, high = min(*factors, *limits), max(*factors, *limits)
    across = Axis("codes multiplied by", low / 1.15, high * 1.15, "log", lambda v: f"{v:g}")
    bottom = max(0.0, min(kept) - 0.12 * max(1 - min(kept), 1e-6))

    def draw(axes: Axes) -> None:
        for factor in limits:
            boundary(axes, factor, "first flip", at_foot=True)
        axes.plot(*_in_order(factors, kept, limits), color=colours()["codes"], lw=2)
        for factor, value in curve:
            (dot,) = axes.plot(factor, value, "o", color=colours()["codes"], ms=7)
            says(dot, f"{TIMES}{THIN}{factor:g}: {share(value)} kept")

    picture = figure(
        "kept-by-amplitude",
        "Identities kept against the factor on the codes",
        "Share of identities kept when all codes are multiplied by a factor; 1 is as they are.",
        [Plot(across, Axis("identities kept", bottom, 1.0, written=share), draw)],
    )
    numbers = table(
        "The same in numbers", ["Factor", "kept"],
        [(f"{factor:g}", share(value)) for factor, value in curve], (0, 1),
    )  # fmt: skip
    folded = element("details", element("summary", "Numbers of this curve"), numbers)
    return Section(
        "amplitude",
        "What if the codes were longer or shorter?",
        _lengths(found.kept, factors, kept),
        [picture, folded],
        "Length of the codes",
    )


def _lengths(now: float, factors: list[float], kept: list[float]) -> str:
    ends = [(factors[-1], kept[-1])] if factors[-1] > 1 else []
    ends += [(factors[0], kept[0])] if factors[0] < 1 else []
    others = " and ".join(f"{share(value)} multiplied by {factor:g}" for factor, value in ends)
    return f"As they are, they keep {share(now)} of the identities; {others}."


def _in_order(
    factors: list[float], kept: list[float], limits: list[float]
) -> tuple[list[float], list[float]]:
    """The curve with the factor of the first flip, up to which everything is kept."""
    points = sorted([*zip(factors, kept, strict=True), *((factor, 1.0) for factor in limits)])
    return [factor for factor, _ in points], [value for _, value in points]


def corrections(analysis: Analysis, _: Measured | None) -> Section | None:
    """What would stop it."""
    # Where nothing flips there is nothing to stop.
    if not analysis.corrections or not analysis.corrections[0].before.flips:
        return None
    rows = [
        (
            REPAIRS.get(each.name, each.name),
            count(each.before.flips),
            count(each.after.flips),
            share(each.after.kept),
            share(round(each.energy_kept, 6)),
            f"{share(round(each.token_r2[0], 6))} \u2192 {share(round(each.token_r2[1], 6))}",
            f"{share(round(each.position_r2[0], 6))} \u2192 {share(round(each.position_r2[1], 6))}",
        )
        for each in analysis.corrections
    ]
    best = min(analysis.corrections, key=lambda each: (each.after.flips, -each.energy_kept))
    what = REPAIRS.get(best.name, best.name)
    verb = "leaves the" if best.after.flips == best.before.flips else "takes the"
    change = (
        f"{verb} {count(best.before.flips)} flips as they are."
        if best.after.flips == best.before.flips
        else f"{verb} flips from {count(best.before.flips)} to {count(best.after.flips)}."
    )
    return Section(
        "repairs",
        "What would stop it?",
        f"\u201c{what}\u201d {change}",
        [table("Changes of the codes, each counted again over all pairs",
               ["Change", "flips before", "after", "kept", "energy left", "token readable",
                "position readable"], rows, (1, 2, 3, 4, 5, 6))],
        "Repairs",
    )  # fmt: skip


def directions(analysis: Analysis, measured: Measured | None) -> Section | None:
    """Whether the codes lie where the tokens vary."""
    if measured is None or len(measured.spectrum.tokens) < 2:
        return None
    found = measured.spectrum
    placed = next((each.codes for each in analysis.corrections if each.name == "rotate"), None)
    curves: list[tuple[str, str, list[float], str]] = [
        ("tokens", "variance of the tokens", found.tokens.tolist(), "-"),
        ("codes", "mean square of the codes", found.codes.tolist(), "-"),
    ]
    if placed is not None:
        turned = found.along(placed).tolist()
        curves.append(("repaired", "the codes after the rotation", turned, "--"))
    largest = max(max(values) for _, _, values, _ in curves)
    if not largest:
        return None
    floor = FLOOR * largest

    def draw(axes: Axes) -> None:
        axes.axhline(max(float(found.codes.mean()), floor), color=colours()["control"], ls=":")
        for role, _, values, dash in curves:
            _draw_curve(axes, role, values, floor, dash)

    seen = [v for _, _, values, _ in curves for v in values if v > floor]
    low, high = min(seen) / 1.5, max(seen) * 1.5
    across = Axis("principal direction of the tokens, by variance", 0.5, len(found.tokens) + 0.5,
                  whole=True)  # fmt: skip
    picture = figure(
        "spectrum",
        "Variance of tokens and energy of codes along the tokens' principal directions",
        "From the direction in which tokens vary most (left) to the one in which they vary least. "
        "Faint dots are single directions, lines their running mean. The dotted line is where "
        "codes turned at random would lie.",
        [Plot(across, Axis("variance (logarithmic)", low, high, "log"), draw, 280.0)],
        [(role, word) for role, word, _, _ in curves],
    )
    return Section(
        "directions",
        "Do the codes lie where the tokens vary?",
        _overlap(measured),
        [picture, _facts(measured, analysis)],
        "Directions",
    )


def _overlap(measured: Measured) -> str:
    found = measured.spectrum
    apart = found.overlap - 1
    if abs(apart) <= BEYOND * found.spread:
        word = "No more and no less than chance"
    else:
        word = "Yes, more than chance" if apart > 0 else "No, less than chance"
    return (
        f"{word}: their overlap is {decimal(found.overlap)}, where codes turned at random have 1 "
        f"\u00b1 {decimal(found.spread, 2)}; rotations reach from {decimal(found.least)} to "
        f"{decimal(found.most)}."
    )


def _facts(measured: Measured, analysis: Analysis) -> Html:
    count_, width = analysis.tables.tokens.shape
    most = min(count_ - 1, width)
    rank, ratio = measured.token_ranks
    facts = [
        ("Directions that tokens use", (f"effective rank {decimal(rank)}, participation ratio "
         f"{decimal(ratio)}, of at most {count(most)}")),
        ("Mean code", (f"{share(measured.mean_share)} of the codes' energy is common to all "
         "positions")),
        ("A linear read-out of the sum", (f"gets back {share(measured.token_r2)} of the tokens' "
         f"variance and {share(measured.position_r2)} of the codes'")),
    ]  # fmt: skip
    return terms(facts, "facts")


def _draw_curve(axes: Axes, role: str, values: list[float], floor: float, dash: str) -> None:
    """A running mean, over faint dots where it runs over several directions."""
    reach = len(values) // SMOOTHING // 2
    shown = [(k + 1, value) for k, value in enumerate(values) if value > floor]
    if not shown:
        return
    if reach:
        dust(axes, role, *zip(*shown, strict=True))
    windows = [values[max(0, k - reach) : k + reach + 1] for k in range(len(values))]
    smooth = [(k + 1, sum(window) / len(window)) for k, window in enumerate(windows)]
    above = [point for point in smooth if point[1] > floor]
    axes.plot(*zip(*above, strict=True), dash, color=colours()[role], lw=2)


def correlations(analysis: Analysis, measured: Measured | None) -> Section | None:
    """How correlated tokens and codes are."""
    if measured is None or not measured.correlations:
        return None
    reach = max(max(each.value, each.null_high) for _, each in measured.correlations)
    rows = [
        (
            what[0].upper() + what[1:],
            decimal(each.value),
            f"{decimal(each.null_low)} to {decimal(each.null_high)}",
            _strip(each, 1.05 * reach or 1.0),
            "beyond chance" if each.is_beyond_null else "as chance",
        )
        for what, each in measured.correlations
    ]
    beyond = sum(each.is_beyond_null for _, each in measured.correlations)
    drawn = (
        f" Taken from {plural(measured.num_rows, 'token')} drawn at random."
        if measured.num_rows < len(analysis.tables.tokens)
        else ""
    )
    return Section(
        "correlations",
        "Are tokens and codes correlated among themselves?",
        f"{beyond} of {plural(len(rows), 'correlation')} lie beyond what tables with the same "
        "columns, each shuffled on its own, reach.",
        [table(f"Root mean square correlation of all pairs, beside 39 shuffled tables.{drawn}",
               ["Correlation of", "value", "shuffled", "found (dot), shuffled (bar)",
                "verdict"], rows, (1, 2))],
        "Correlation",
    )  # fmt: skip


def _strip(each: Estimate, reach: float) -> Html:
    low, high = (STRIP * value / reach for value in spanning([each.null_low, each.null_high], 0.0))
    return element(
        "svg",
        element("line", x1=0, x2=STRIP, y1=9, y2=9, class_="grid"),
        element("rect", x=max(low, 0.0), y=4, width=max(high - low, 2.0), height=10, rx=2,
                class_="column control"),
        element("circle", cx=STRIP * each.value / reach, cy=9, r=4.5, class_="dot codes"),
        viewBox=f"-6 0 {STRIP + 12:.0f} 18", class_="strip", aria_hidden="true",
        preserveAspectRatio="xMinYMid meet",
    )  # fmt: skip
