"""The section on attention heads: what each of them uses its own key matrix for."""

from __future__ import annotations

from collections.abc import Callable

from orthogan.analysis.result import Analysis
from orthogan.geometry.heads.keys import HeadForm, HeadTable
from orthogan.report.markup import Html, element
from orthogan.report.measured import Measured
from orthogan.report.page import Section
from orthogan.report.tables import heat_grid, notes
from orthogan.report.wording import count, plural, share
from orthogan.terminal import printable

# (name, what it says, the number of a head as a share of 1 or None, as text)
Cell = tuple[float | None, str]
Quantity = tuple[str, str, Callable[[HeadForm, int], float | None]]
QUANTITIES: tuple[Quantity, ...] = (
    ("Symmetric share", ("of the energy: 1 where x asks of y what y asks of x; the rest is "
     "direction, which no change of basis gives. Random heads have about one half."),
     lambda head, _: head.symmetric),
    ("Attraction", ("share of the symmetric part's eigenvalues that are positive; the rest repel. "
     "1 is a positive form, one half neither."), lambda head, _: _attraction(head)),
    ("Tied defect", ("share of the energy that is lost if queries are tied to keys; 0 where keys "
     "are not needed."), lambda head, _: head.tied_defect),
    ("Keys from values", ("share of the energy that is lost if keys are made from the values; 0 "
     "where the values hold all that the keys do."), lambda head, _: head.value_defect),
    ("Rank", "how many directions the form selects; darkest where they are most.",
     lambda head, largest: head.rank / largest if largest else 0.0),
)  # fmt: skip


def heads(analysis: Analysis, _: Measured | None) -> Section | None:
    """What the heads use their keys for."""
    layers = {name: layer for name, layer in analysis.heads.items() if layer.heads}
    if not layers:
        return None
    every = [head for layer in layers.values() for head in layer.heads]
    free = sum(head.is_change_of_basis for head in every)
    mixed = sum(head.signature == "indefinite" for head in every)
    tied = sorted(head.tied_defect for head in every)
    few = f"{plural(free, 'head')} of {count(len(every))}" if free else "No head"
    grids = [grid for one in QUANTITIES if (grid := _grid(one, layers)) is not None]
    alike = [words for one in QUANTITIES if (words := _alike(one, layers)) is not None]
    names = [element("li", element("code", printable(name))) for name in layers]
    listed = element("ol", *names, start="0")
    where = element("details", element("summary", "Names of the layers"), listed)
    return Section(
        "heads",
        "What do the heads use their keys for?",
        f"{few} could do without a key matrix of its own by a change of basis; "
        f"{count(mixed)} of {count(len(every))} both attract and repel. Tying queries to keys "
        f"would cost the median head {share(tied[len(tied) // 2])} of its energy.",
        [element("div", *grids, class_="grids"), notes(alike), where],
        "Heads",
    )


def _grid(quantity: Quantity, layers: dict[str, HeadTable]) -> Html | None:
    """The numbers of every head, unless they are all alike."""
    every = _numbers(quantity, layers)
    if len({text for cells in every for _, text in cells}) < 2:
        return None
    widest = max(map(len, every))
    rows = [
        (f"layer {number}", [*cells, *[(None, "")] * (widest - len(cells))])
        for number, cells in enumerate(every)
    ]
    columns = [str(k) for k in range(widest)]
    return heat_grid(f"{quantity[0]}: {quantity[1]}", "head", columns, rows)


def _alike(quantity: Quantity, layers: dict[str, HeadTable]) -> str | None:
    """A sentence on a number that is the same for every head."""
    values = {text for cells in _numbers(quantity, layers) for _, text in cells}
    if len(values) != 1 or values == {""}:
        return None
    return f"{quantity[0]} is {values.pop()} in every head: {quantity[1]}"


def _numbers(quantity: Quantity, layers: dict[str, HeadTable]) -> list[list[Cell]]:
    name, _, measure = quantity
    largest = max(head.rank for layer in layers.values() for head in layer.heads)
    return [
        [_cell(measure(head, largest), head, name) for head in layer.heads]
        for layer in layers.values()
    ]


def _cell(value: float | None, head: HeadForm, name: str) -> Cell:
    if value is None:
        return None, ""
    return value, str(head.rank) if name == "Rank" else f"{value:.2f}"


def _attraction(head: HeadForm) -> float | None:
    whole = head.positive + head.negative
    return head.positive / whole if whole else None
