r"""What displaced word vectors still mean: analogies and similarities judged by people.

Every word of a question stands at a position of its own, drawn uniformly and independently; the
vectors it is compared with are the displaced ones of the other words. The answer to an analogy is
looked up in the table itself, as a decision rule of identities does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.geometry.inputs import (
    check_directions,
    check_equal,
    exact,
    position_codes,
    token_table,
)
from orthogan.rng import stream
from orthogan.statistics import correlation_interval, share_interval

BLOCK_VALUES = 2**23  # cosines at a time: 32 MB of float32
TINY = 1e-30  # stands for the length of a vector that a code has cancelled exactly


@dataclass(frozen=True)
class Meaning:
    """How well vectors answer the questions of a test.

    Attributes:
        value: Share of analogies that are solved, or rank correlation of similarities; the mean
            over the draws of positions.
        low: Lower end of its 95 % interval over the choice of questions.
        high: Upper end.
        spread: Standard deviation over the draws of positions; 0 without codes.
        n: Questions asked.
    """

    value: float
    low: float
    high: float
    spread: float
    n: int


def analogy_hits(
    tokens: Tensor,
    questions: Tensor,
    codes: Tensor | None = None,
    *,
    num_draws: int = 3,
    seed: int = 0,
) -> Tensor:
    r"""Whether each analogy is solved: "a is to b as c is to d", where d is to be found.

    $\hat d = \arg\max_{w \notin \{a, b, c\}} \cos(e_w, \hat b - \hat a + \hat c)$ with
    $\hat x = (e_x + p) / \|e_x + p\|$, known as 3CosAdd.

    Args:
        tokens: Vectors, one row a word.
        questions: Rows of a, b, c and d, one question a row.
        codes: Position codes; None: the words stand as they are.
        num_draws: How often the positions of all words are drawn.
        seed: Of the positions.

    Returns:
        One row a draw (one row without codes), one column a question.

    Raises:
        ShapeError: not a matrix, or not four words a question.
        DataError: a value is not finite, a vector is zero, or a row does not exist.
        ConfigError: `num_draws` is below 1.

    Source: Mikolov, Yih and Zweig 2013, "Linguistic regularities in continuous space word
    representations", section 4; normalised before the sum as in Levy and Goldberg 2014.

    >>> square = torch.tensor([[1.0, 0.0], [1.0, 1.0], [2.0, -1.0], [2.0, 1.0]])
    >>> analogy_hits(square, torch.tensor([[0, 1, 2, 3]])).tolist()
    [[True]]
    """
    table, asked = _checked(tokens, questions, 4)
    directions = (table / table.norm(dim=1, keepdim=True)).float()
    rows = asked[:, :3]
    hits = []
    for moved in _displaced(table, rows, codes, num_draws, seed):
        sought = (moved[:, 1] - moved[:, 0] + moved[:, 2]).float()
        answers = []
        for part, known in zip(_blocks(sought, table), _blocks(rows, table), strict=True):
            cosines = (part @ directions.T).scatter_(1, known, -torch.inf)
            answers.append(cosines.argmax(1))
        hits.append(torch.cat(answers) == asked[:, 3])
    return torch.stack(hits)


def solved_share(hits: Tensor) -> Meaning:
    """The share of analogies that are solved, with Wilson's interval.

    Raises:
        ShapeError: no draws or no questions.
        DataError: a hit is not between 0 and 1.

    >>> found = solved_share(torch.tensor([[True, False], [True, True]]))
    >>> found.value, round(found.spread, 3), found.n
    (0.75, 0.354, 2)
    """
    exact_hits = exact("hits", hits, "draws questions")
    if not bool(((exact_hits >= 0) & (exact_hits <= 1)).all()):
        raise DataError("'hits' are 0 or 1 (or False and True) for each question.")
    shares = exact_hits.mean(1)
    n = hits.shape[1]
    value = float(shares.mean())
    low, high = share_interval(round(value * n) / n, n)
    return Meaning(value, min(low, value), max(high, value), _spread(shares), n)


def similarity_score(
    tokens: Tensor,
    pairs: Tensor,
    judged: Tensor,
    codes: Tensor | None = None,
    *,
    num_draws: int = 3,
    seed: int = 0,
) -> Meaning:
    r"""How the cosines of pairs of words are ordered beside the judgements of people.

    Spearman's rank correlation; its interval by Fisher's transformation.

    Args:
        tokens: Vectors, one row a word.
        pairs: Rows of two words, one pair a row.
        judged: What people said of each pair; more is more similar.
        codes: Position codes; None: the words stand as they are.
        num_draws: How often the positions of all words are drawn.
        seed: Of the positions.

    Raises:
        ShapeError: not a matrix, not two words a pair, or not one judgement a pair.
        DataError: a value is not finite, a vector is zero, or a row does not exist.
        ConfigError: `num_draws` is below 1.

    Source: Spearman 1904.

    >>> words = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.1]])
    >>> pairs, judged = torch.tensor([[0, 1], [0, 2], [0, 3]]), torch.tensor([9.0, 5.0, 1.0])
    >>> round(similarity_score(words, pairs, judged).value, 9)
    1.0
    """
    table, asked = _checked(tokens, pairs, 2)
    wanted = exact("judged", judged, "pairs")
    if len(wanted) != len(asked):
        raise ShapeError(f"'judged' needs one number a pair: {len(asked)}, got {len(wanted)}.")
    found = torch.tensor(
        [
            rank_correlation((moved[:, 0] * moved[:, 1]).sum(1), wanted)
            for moved in _displaced(table, asked, codes, num_draws, seed)
        ],
        dtype=torch.float64,
    )
    value = float(found.mean())
    low, high = correlation_interval(value, len(asked))
    return Meaning(value, low, high, _spread(found), len(asked))


def rank_correlation(left: Tensor, right: Tensor) -> float:
    """Spearman's correlation of two lists of numbers; 0 where one of them orders nothing.

    Equal numbers share the mean of their ranks.

    Raises:
        ShapeError: not two lists of one length.
        DataError: a value is not finite.

    >>> rank_correlation(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([2.0, 1.0, 3.0]))
    0.5
    """
    check_equal("left", left.numel(), "right", right.numel(), "length")
    first, second = (
        _ranks(exact(name, values, "values")) for name, values in (("left", left), ("right", right))
    )
    size = float((first.square().sum() * second.square().sum()).sqrt())
    return float(first @ second) / size if size > 0 else 0.0


def _ranks(values: Tensor) -> Tensor:
    """Ranks less their mean; equal values share one."""
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = (last - (counts - 1) / 2)[place]
    return ranks - (len(values) + 1) / 2


def _checked(tokens: Tensor, questions: Tensor, size: int) -> tuple[Tensor, Tensor]:
    table = token_table(tokens)
    check_directions(table)
    if questions.ndim != 2 or questions.shape[1] != size or len(questions) == 0:
        raise ShapeError(
            f"Each question needs {size} words and there must be one, got shape "
            f"{tuple(questions.shape)}."
        )
    rows = questions.long()
    if int(rows.min()) < 0 or int(rows.max()) >= len(table):
        raise DataError(f"A question names a row outside the table's 0..{len(table) - 1}.")
    return table, rows


def _displaced(
    table: Tensor, rows: Tensor, codes: Tensor | None, num_draws: int, seed: int
) -> list[Tensor]:
    """Unit vectors of the words of every question, once a draw of their positions."""
    if num_draws < 1:
        raise ConfigError(f"'num_draws' must be at least 1, got {num_draws}.")
    if codes is None:
        return [_unit(table[rows])]
    shifts = position_codes(table, codes)
    found = []
    for draw in range(num_draws):
        source = stream(seed, "meanings-positions", draw)
        at = torch.from_numpy(source.integers(len(shifts), size=tuple(rows.shape)))
        found.append(_unit(table[rows] + shifts[at]))
    return found


def _unit(vectors: Tensor) -> Tensor:
    unit: Tensor = vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(TINY)
    return unit


def _blocks(rows: Tensor, table: Tensor) -> Sequence[Tensor]:
    blocks: Sequence[Tensor] = rows.split(max(1, BLOCK_VALUES // len(table)))
    return blocks


def _spread(values: Tensor) -> float:
    return float(values.std()) if len(values) > 1 else 0.0
