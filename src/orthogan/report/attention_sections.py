"""Sections on attention: maps as pictures, and what each head has in common over many images."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orthogan.analysis.attention_sheet import Cell, MapRow, column_titles, map_rows
from orthogan.analysis.attention_statistics import HeadStatistics
from orthogan.analysis.attention_words import describe, offset_words
from orthogan.analysis.look_result import LayerLook, Look, NetworkLook
from orthogan.images.encoding import png
from orthogan.report.figures import Axis, Plot, colours, figure, says
from orthogan.report.markup import Html, element
from orthogan.report.page import Section
from orthogan.report.tables import notes, table, terms
from orthogan.report.wording import decimal, plural, share, short_name
from orthogan.terminal import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROLES = ("codes", "tokens", "lost", "repaired", "sure", "unsure")  # colours of heads, in turn
MOST_LINES = 12  # heads in one plot; of more no line could be followed
COLUMNS = ("head", "attended to", "same in every image", "by patch", "by offset",
           "detail", "distance (even)", "top offset")  # fmt: skip
DEFINITIONS = (
    ("Attended to", ("e to the power of the mean entropy of a query's attention: 1 where it "
     "attends to one token, the number of tokens where it attends to all alike.")),
    ("Same in every image", ("The fraction of the variance of a head's weights that its mean map "
     "has, free of what a mean over so many images varies by chance (components of variance, "
     "one-way). 100\u202f% is a head that position alone decides, 0\u202f% one that content alone "
     "decides. What all images have in common at a place counts as position.")),
    ("By patch, by offset", ("Fractions of the variance of the mean map explained by which patch "
     "is attended to, whoever asks, and by the offset between the two, as in a convolution.")),
    ("Detail", ("Mean detail (standard deviation of the pixels) of the patches attended to, as a "
     "multiple of that of all patches: above 1 strokes and edges, below 1 plain patches.")),
    ("Distance", ("Mean distance from a patch to what it attends to, in patches, beside that of "
     "even attention.")),
    ("Moved", ("How much of the mean attention lies on other patches than in the untrained "
     "network of the same seed: 0\u202f% nothing, 100\u202f% all.")),
    ("Colours", ("On images, the strongest weight of each map has the full colour and is written "
     "below it; orange is positive, blue negative. In the rows of every patch and by offset, the "
     "colour is full from four times the mean weight on.")),
)  # fmt: skip


def attention_sections(looks: Sequence[Look]) -> list[Section]:
    """What the networks of each source attend to, a section a network, and the definitions.

    Args:
        looks: At least one; several stand one below the other, with a table that compares them.
    """
    several = len(looks) > 1
    sections = [_beside(looks)] if several else []
    for number, look in enumerate(looks):
        for network in look.networks:
            where = short_name(look.source) if several else ""
            sections.append(_network(network, f"attention-{number}", where))
    meaning = Section(
        "attention-definitions",
        "What do the numbers mean?",
        "All are measured over all the images named above, and not only over those shown.",
        [terms(DEFINITIONS, "terms")],
        "Definitions",
    )
    return [*sections, meaning]


def _network(network: NetworkLook, key: str, where: str) -> Section:
    of = f" of {where}" if where else ""
    body: list[Html | None] = [notes([printable(note) for note in network.notes])]
    for number, layer in enumerate(network.layers):
        name = f"{network.role}{of}, {layer.name}"
        body += [
            _sentences(layer, _before(network, number)),
            _maps(network, number, name),
            _numbers(network, number, name),
            _profile(layer, _before(network, number), f"{key}-{network.role}-{number}"),
        ]
    return Section(
        f"{key}-{network.role}",
        f"What does the {network.role}{of} attend to?",
        _answer(network),
        body,
        f"{network.role.capitalize()}{of}",
    )


def _answer(network: NetworkLook) -> str:
    heads = [head for layer in network.layers for head in layer.heads]
    tokens = network.layers[0].patches.num_tokens
    mean = sum(head.attended for head in heads) / len(heads)
    before = [head for layer in network.untrained for head in layer.heads]
    was = ""
    if before:
        old = sum(head.attended for head in before) / len(before)
        was = f"; before training it was {decimal(old)}"
    return (
        f"Over {printable(network.seen)}, a token attends to {decimal(mean)} of {tokens} tokens "
        f"at a time, on average of {plural(len(heads), 'head')}{was}."
    )


def _maps(network: NetworkLook, number: int, name: str) -> Html:
    layer = network.layers[number]
    titles = ["over", *column_titles(layer)]
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    rows = [_map_row(row) for row in map_rows(network, number)]
    caption = f"Attention maps of the {name}. The framed patch asks."
    whole = element(
        "table", element("caption", caption), element("thead", head), element("tbody", *rows),
        class_="maps",
    )  # fmt: skip
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex="0")


def _map_row(row: MapRow) -> Html:
    name = element("th", element("bdi", printable(row.caption)), scope="row")
    return element("tr", name, *map(_cell, row.cells))


def _cell(cell: Cell) -> Html:
    if not cell.says:
        return element("td", "")
    data = base64.b64encode(png(cell.picture)).decode()
    width, height = cell.picture.size
    picture = element("img", src=f"data:image/png;base64,{data}", alt=cell.says, title=cell.says,
                      width=width, height=height)  # fmt: skip
    return element("td", picture, element("span", cell.note, class_="note") if cell.note else None)


def _numbers(network: NetworkLook, number: int, name: str) -> Html:
    layer, before = network.layers[number], _before(network, number)
    moved = network.moved()[number] if before else []
    rows = []
    for index, head in enumerate(layer.heads):
        old = before[index] if before else None
        rows.append([str(index + 1), *_row(head), share(moved[index]) if moved else "-"])
        if old is not None:
            rows.append([f"{index + 1}, untrained", *_row(old), ""])
    return table(
        f"The {name} in numbers",
        [*COLUMNS, "moved"],
        rows,
        range(1, 9),
    )  # fmt: skip


def _row(head: HeadStatistics) -> list[str]:
    return [
        decimal(head.attended),
        *(_fraction(one) for one in (head.position_fraction, head.place_fraction,
                                     head.offset_fraction)),
        decimal(head.detail_lift),
        f"{head.distance:.2f} ({head.uniform_distance:.2f})",
        f"{offset_words(head.top_offset)}, {head.top_lift:.1f}\u00d7",
    ]  # fmt: skip


def _fraction(value: float | None) -> str:
    return "-" if value is None else share(round(value, 3))


def _before(network: NetworkLook, number: int) -> tuple[HeadStatistics, ...]:
    return network.untrained[number].heads if network.untrained else ()


def _sentences(layer: LayerLook, before: Sequence[HeadStatistics]) -> Html | None:
    return notes(
        [
            f"Head {index + 1}: {describe(head, layer.patches, before[index] if before else None)}"
            for index, head in enumerate(layer.heads)
        ]
    )


def _profile(layer: LayerLook, before: Sequence[HeadStatistics], key: str) -> Html | None:
    """Attention by distance, a line a head, as multiples of even attention."""
    reach = len(layer.heads[0].profile)
    if reach < 2 or len(layer.heads) > MOST_LINES:
        return None
    lines = [
        (ROLES[index % len(ROLES)], f"head {index + 1}", head.profile)
        for index, head in enumerate(layer.heads)
    ]
    if before:
        even = [sum(old.profile[step] for old in before) / len(before) for step in range(reach)]
        lines.append(("control", "untrained, mean of the heads", tuple(even)))
    top = 1.08 * max(max(values) for _, _, values in lines)

    def draw(axes: Axes) -> None:
        axes.axhline(1.0, color=colours()["line"], lw=1.5)
        for role, word, values in lines:
            axes.plot(range(reach), values, color=colours()[role], lw=2)
            for at, value in enumerate(values):
                (dot,) = axes.plot(at, value, "o", color=colours()[role], ms=5)
                says(dot, f"{word}, {at} patches away: {value:.2f} times even attention")

    return figure(
        f"{key}-profile",
        f"Attention of {layer.name} by distance",
        "Mean attention between two patches by their distance, rounded to whole patches, as a "
        "multiple of even attention (1).",
        [
            Plot(
                Axis("distance, patches", -0.2, reach - 0.8, whole=True),
                Axis("times even", 0.0, top),
                draw,
            )
        ],
        [(role, word) for role, word, _ in lines],
    )


def _beside(looks: Sequence[Look]) -> Section:
    rows = []
    for look in looks:
        for network in look.networks:
            for layer in network.layers:
                rows += [
                    [f"{short_name(look.source)}: {network.role}, {layer.name} head {at + 1}",
                     *_row(head)]
                    for at, head in enumerate(layer.heads)
                ]  # fmt: skip
    whole = table(
        "Every head of every source",
        COLUMNS,
        rows,
        range(1, 8),
    )  # fmt: skip
    return Section(
        "attention-beside",
        "How do they differ?",
        "The same seeds and, of the same data, the same training images were used for all.",
        [whole],
        "Side by side",
    )
