"""Controls drawn many times: what share of pairs other codes of the same size would flip."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.flip_count import FlipCount, Progress
from orthogan.geometry.positions.controls import CONTROLS
from orthogan.statistics.student import student_quantile

# A count of 2,000 tokens takes a fraction of a second, one of 30,000 more than ten.
QUICK = 2_000
DRAWS, FEWEST_DRAWS = 20, 3
LEVEL = 0.95
FIXED = "sinusoidal"  # nothing is drawn


@dataclass(frozen=True)
class ControlDraws:
    """A control, drawn once or several times, each counted over all pairs.

    Attributes:
        counts: One a draw.
    """

    counts: tuple[FlipCount, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the pairs that flip, one a draw."""
        return tuple(1 - count.kept for count in self.counts)

    @property
    def mean(self) -> float:
        """Of the shares."""
        return statistics.fmean(self.shares)

    @property
    def interval(self) -> tuple[float, float] | None:
        r"""Where the share of one more draw lies with 95 %; None of a single draw.

        $\bar x \pm t_{n-1} s \sqrt{1 + 1/n}$, cut to what a share can be.
        """
        count = len(self.shares)
        if count < 2:
            return None
        reach = student_quantile(LEVEL, count - 1) * statistics.stdev(self.shares)
        reach *= math.sqrt(1 + 1 / count)
        return max(0.0, self.mean - reach), min(1.0, self.mean + reach)


def draw_controls(
    tokens: Tensor,
    codes: Tensor,
    reader: str,
    seed: int,
    *,
    own: bool,
    say: Callable[[str], None],
    progress: Progress | None,
) -> dict[str, ControlDraws]:
    """Every control of these codes, with as many draws as the size of the table allows.

    Args:
        tokens: The token table.
        codes: The position codes.
        reader: Decision rule.
        seed: Of the first draw; the others take the next ones.
        own: Whether the codes are the source's own: sinusoids are no control for sinusoids.
        say: Hears what is being counted.
        progress: As of `count_flips`.
    """
    found = {}
    for name, control in CONTROLS.items():
        if name == FIXED and (not own or codes.shape[1] % 2):
            continue
        num = num_draws(name, len(tokens))
        say(f"counting with {name} codes" + (f", {num} draws" if num > 1 else ""))
        found[name] = ControlDraws(
            tuple(
                count_flips(tokens, control(codes, seed + draw), reader, progress=progress)
                for draw in range(num)
            )
        )
    return found


def num_draws(name: str, num_tokens: int) -> int:
    """How often a control is drawn.

    >>> num_draws("rotated", 1000), num_draws("rotated", 30_522), num_draws("isotropic", 30_522)
    (20, 3, 1)
    """
    if name == FIXED:
        return 1
    if num_tokens <= QUICK:
        return DRAWS
    # Each position of isotropic codes is a draw of its own, and they take longest to count.
    return 1 if name == "isotropic" else FEWEST_DRAWS
