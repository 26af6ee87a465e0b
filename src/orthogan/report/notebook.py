"""Results as a few lines of HTML for notebooks, which have a style of their own."""

from __future__ import annotations

from collections.abc import Sequence

from orthogan.analysis.result import Analysis
from orthogan.errors import DataError, OrthoganError
from orthogan.evaluation import Evaluation
from orthogan.geometry import FlipCount
from orthogan.report import identity_sections
from orthogan.report.embedded import embedded, opened
from orthogan.report.markup import Html, element
from orthogan.report.run_facts import RunFacts, Score, read_run, scores_of
from orthogan.report.score_sections import interval, written
from orthogan.report.score_words import said_of
from orthogan.report.wording import count, decimal, share, token
from orthogan.terminal import printable
from orthogan.training.duration import duration
from orthogan.training.run import Run

NUM_WORST = 5
GRID_BYTES = 300_000
PICTURE = "image-rendering:pixelated;width:360px;max-width:100%;height:auto"


def run(result: Run) -> Html:
    """A run: its verdict or why it stopped, its latest grid, its scores, and what to type next."""
    head = element("b", printable(result.path.name))
    spent = f" {printable(result.status)}: {count(result.num_seen)} {result.unit} in "
    line = element("p", head, spent, duration(result.seconds))
    told = element("p", printable(result.reason))
    following = element("p", "Next: ", element("code", printable(result.next_command)))
    try:
        facts = read_run(result.path)
    except OrthoganError:  # the folder is gone; what the result holds is shown
        scores = [Score(name, value) for name, value in result.scores.items()]
        return element("div", line, told, _scores(scores), following)
    return element("div", line, told, _grid(facts), _scores(facts.scores), following)


def evaluation(result: Evaluation) -> Html:
    """An evaluation: its verdict, its scores beside real data, its notes."""
    said = [element("li", printable(note)) for note in result.notes]
    return element(
        "div",
        element("p", element("b", printable(result.verdict))),
        _scores(scores_of(result.to_dict()["scores"])),
        element("ul", *said) if said else None,
    )


def analysis(result: Analysis) -> Html:
    """An analysis of position codes: the answer, the numbers, and the deepest flips."""
    facts = [(meaning, number) for number, meaning in identity_sections.tiles(result)]
    worst = []
    if result.flip_count is not None:
        worst = [
            (token(name), count(position), token(becomes), decimal(flip.margin))
            for name, position, becomes, flip in result.worst(
                min(NUM_WORST, len(result.flip_count.worst_flips))
            )
        ]
    headers = ("token", "position", "is read as", "margin")
    return element(
        "div",
        element("p", identity_sections.summary(result)),
        _table((), facts),
        _table(headers, worst),
    )


def flip_count(result: FlipCount) -> Html:
    """An exact flip count."""
    rows = [
        ("pairs of token and position", count(result.pairs)),
        ("change identity", count(result.flips)),
        ("keep it", share(result.kept)),
        ("proved safe by length alone", share(result.certified)),
    ]
    return element("div", _table((), rows))


def _grid(facts: RunFacts) -> Html | None:
    if not facts.grids:
        return None
    at, file = list(facts.grids.items())[-1]
    try:
        picture = embedded(opened(file), f"Images after {count(at)} images", GRID_BYTES)
    except DataError:
        return None
    return Html(picture.replace("<img ", f'<img style="{PICTURE}" ', 1))


def _scores(scores: Sequence[Score]) -> Html | None:
    rows = [
        (printable(said_of(score.name)[0]), written(score, score.value), interval(score) or "-",
         written(score, score.floor))
        for score in scores
    ]  # fmt: skip
    return _table(("score", "value", "95 % interval", "real"), rows)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Html | None:
    if not rows:
        return None
    top = [element("tr", *(element("th", each) for each in headers))] if headers else []
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    return element("table", *top, *body)
