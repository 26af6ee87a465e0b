r"""What is correlated with what: dimensions, tokens, batch members, content with position.

Each kind is one number from 0 to 1 beside its null model (the dependence in question destroyed by
seeded permutation) and with a 95 % jackknife interval over independent units. Correlations of
unrelated things are not 0 in a finite sample, so a number alone says nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orthogan.geometry.inputs import centre, check_at_least, check_equal, exact
from orthogan.geometry.spectra.estimates import NUM_DRAWS, Estimate, beside_null
from orthogan.geometry.spectra.nulls import check_num_draws, permuted_columns
from orthogan.rng import stream
from orthogan.shapes import Table, Tokens
from orthogan.statistics import jackknife_interval

SMALLEST = 3  # two rows are always perfectly correlated
UNIT_RANGE = (0.0, 1.0)


def dimension_correlation(table: Table, num_draws: int = NUM_DRAWS, seed: int = 0) -> Estimate:
    r"""Root mean square correlation of two different columns.

    $\sqrt{\operatorname{mean}_{k \ne l} r_{kl}^2}$, Pearson's $r$; unrelated columns give about
    $1 / \sqrt{N - 1}$. Constant columns correlate with nothing. The null permutes every column on
    its own; the interval is over rows.

    Args:
        table: One row a sample, at least three rows and two columns.
        num_draws: Draws of the null; 39 make their range a 95 % interval.
        seed: Of the permutations.

    Raises:
        ShapeError: fewer than three rows or two columns.
        DataError: a value is not finite.
        ConfigError: no draws.

    Source: Pearson 1895; the expectation $1 / (N - 1)$ of $r^2$ under permutation: Pitman 1937.

    >>> table = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    >>> dimension_correlation(table).is_beyond_null
    False
    """
    rows = exact("table", table, "rows width")
    check_at_least("table", len(rows), SMALLEST, "rows", "to correlate columns over")
    check_at_least("table", rows.shape[1], 2, "columns", "to correlate")
    draws = [permuted_columns(rows, seed, draw) for draw in range(check_num_draws(num_draws))]
    interval = jackknife_interval(column_correlation, rows, SMALLEST, UNIT_RANGE)
    return beside_null(
        "correlation of dimensions",
        column_correlation(rows),
        [column_correlation(draw) for draw in draws],
        interval,
    )


def member_correlation(table: Table, num_draws: int = NUM_DRAWS, seed: int = 0) -> Estimate:
    r"""Root mean square cosine of two different rows about their mean row.

    $\sqrt{\operatorname{mean}_{i \ne j} \cos^2(x_i - \bar x, x_j - \bar x)}$: how alike or opposite
    the members of a batch, or the tokens of an embedding table, are. The null permutes every
    column on its own, so it keeps what each feature does; the interval is over rows.

    Args:
        table: One row a member, at least three rows; features in the columns.
        num_draws: Draws of the null; 39 make their range a 95 % interval.
        seed: Of the permutations.

    Raises:
        ShapeError: fewer than three rows.
        DataError: a value is not finite.
        ConfigError: no draws.

    Source: row and column correlations are two sides of one matrix,
        $\|XX^\top\|_F = \|X^\top X\|_F$ (Efron 2009, "Are a set of microarrays independent of each
        other?"). Not covered: a shift common to all members; see `mean_cosine`.

    >>> table = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    >>> member_correlation(table.repeat(20, 1)).is_beyond_null
    True
    """
    rows = exact("table", table, "rows width")
    check_at_least("table", len(rows), SMALLEST, "rows", "to correlate")
    draws = [permuted_columns(rows, seed, draw) for draw in range(check_num_draws(num_draws))]
    interval = jackknife_interval(row_correlation, rows, SMALLEST, UNIT_RANGE)
    return beside_null(
        "correlation of members",
        row_correlation(rows),
        [row_correlation(draw) for draw in draws],
        interval,
    )


def token_correlation(states: Tokens, num_draws: int = NUM_DRAWS, seed: int = 0) -> Estimate:
    r"""Root mean square correlation over images of the states at two different token positions.

    $r_{st} = \frac{\sum_c \langle \tilde h_{cs}, \tilde h_{ct} \rangle}
    {\sqrt{\sum_c \|\tilde h_{cs}\|^2 \sum_c \|\tilde h_{ct}\|^2}}$ with $\tilde h_{ct}$ the state
    less its mean over images. The null permutes the images at every position on its own, whole
    states at a time; the interval is over images.

    Args:
        states: Images x tokens x width, at least three images and two tokens.
        num_draws: Draws of the null; 39 make their range a 95 % interval.
        seed: Of the permutations.

    Raises:
        ShapeError: fewer than three images or two tokens.
        DataError: a value is not finite.
        ConfigError: no draws.

    Source: the vector correlation of Stephens 1979, without rotation.

    >>> states = torch.randn(100, 4, 3, generator=torch.Generator().manual_seed(0))
    >>> token_correlation(states).is_beyond_null
    False
    """
    cube = exact("states", states, "images tokens width")
    check_at_least("states", len(cube), SMALLEST, "images", "to correlate tokens over")
    check_at_least("states", cube.shape[1], 2, "tokens", "to correlate")
    draws = [_images_permuted(cube, seed, draw) for draw in range(check_num_draws(num_draws))]
    interval = jackknife_interval(_token_statistic, cube, SMALLEST, UNIT_RANGE)
    return beside_null(
        "correlation of tokens",
        _token_statistic(cube),
        [_token_statistic(draw) for draw in draws],
        interval,
    )


def content_position_correlation(
    content: Tensor, position: Tensor, num_draws: int = NUM_DRAWS, seed: int = 0
) -> Estimate:
    r"""How much of content can be told from position, linearly: the RV coefficient.

    $\mathrm{RV} = \frac{\|C^\top P\|_F^2}{\|C^\top C\|_F \|P^\top P\|_F}$ of centred rows; 0 when
    every cross covariance is 0, 1 when one is a rotated and scaled copy of the other. The null
    permutes the pairing; its mean is $\sqrt{r_C r_P} / (N - 1)$ with the participation ratios $r$,
    so small samples of wide codes score high by chance. The interval is over pairs.

    Independence of content and position makes this 0 in the limit. It does not make the cross
    terms $c^\top \Omega p$ of a logit 0; see `four_terms`.

    Args:
        content: One row an occurrence of a token: its content vector.
        position: The code of the position where it occurred, same number of rows.
        num_draws: Draws of the null; 39 make their range a 95 % interval.
        seed: Of the permutations.

    Raises:
        ShapeError: not two tables, unequal numbers of rows, or fewer than three.
        DataError: a value is not finite.
        ConfigError: no draws.

    Source: Robert and Escoufier 1976; the same as linear CKA (Kornblith et al. 2019, section 3);
        mean of the null: Kazi-Aoual et al. 1995.

    >>> content = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    >>> round(content_position_correlation(content, 2 * content).value, 12)
    1.0
    """
    left = exact("content", content, "rows width")
    right = exact("position", position, "rows width")
    check_equal("content", len(left), "position", len(right), "number of rows")
    check_at_least("content", len(left), SMALLEST, "rows", "to correlate over")
    width = left.shape[1]
    orders = [
        torch.from_numpy(stream(seed, "pair-permutation", draw).permutation(len(left)))
        for draw in range(check_num_draws(num_draws))
    ]
    interval = jackknife_interval(
        lambda rows: rv_coefficient(rows[:, :width], rows[:, width:]),
        torch.cat([left, right], 1),
        SMALLEST,
        UNIT_RANGE,
    )
    nulls = [rv_coefficient(left, right[order]) for order in orders]
    name = "correlation of content with position"
    return beside_null(name, rv_coefficient(left, right), nulls, interval)


def column_correlation(rows: Tensor) -> float:
    """Root mean square Pearson correlation of two different columns."""
    return _off_diagonal(_unit(centre(rows).T))


def row_correlation(rows: Tensor) -> float:
    """Root mean square cosine of two different rows about their mean row."""
    return _off_diagonal(_unit(centre(rows)))


def rv_coefficient(left: Tensor, right: Tensor) -> float:
    """The RV coefficient of two float64 tables with paired rows; 0 where one does not vary."""
    left, right = _scaled(centre(left)), _scaled(centre(right))
    energy = float((left.T @ left).norm() * (right.T @ right).norm())
    return float((left.T @ right).square().sum()) / energy if energy else 0.0


def _off_diagonal(unit: Tensor) -> float:
    # Of n unit rows. Long tables take the smaller of both Gram matrices: their norms are equal.
    count, width = unit.shape
    if count <= width:
        energy = float((unit @ unit.T).fill_diagonal_(0).square().sum())
    else:
        diagonal = unit.square().sum(1).square().sum()
        energy = float((unit.T @ unit).square().sum() - diagonal)
    return math.sqrt(min(max(energy / (count * (count - 1)), 0.0), 1.0))


def _unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(_scaled(rows, 1), dim=1)


def _scaled(rows: Tensor, dim: int | None = None) -> Tensor:
    # In units of the largest entry, so that no square under- or overflows.
    largest = rows.abs().max() if dim is None else rows.abs().amax(dim, keepdim=True)
    return rows / torch.where(largest > 0, largest, 1.0)


def _token_statistic(cube: Tensor) -> float:
    return _off_diagonal(_unit(centre(cube).transpose(0, 1).flatten(1)))


def _images_permuted(cube: Tensor, seed: int, draw: int) -> Tensor:
    source = stream(seed, "image-permutation", draw)
    orders = [torch.from_numpy(source.permutation(len(cube))) for _ in range(cube.shape[1])]
    return torch.stack([cube[order, token] for token, order in enumerate(orders)], 1)
