"""What a family of models adds to its tokens, as rules on its configuration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Config: TypeAlias = Mapping[str, Any]
ScaleRule: TypeAlias = Callable[[Config, int], float]
RowRule: TypeAlias = Callable[[Config], int]

ROTARY = "rotary model: queries and keys are turned, tokens are not displaced"
RELATIVE = "relative position bias: it is added to the logits, tokens are not displaced"
ALIBI = "linear position bias (ALiBi): added to the logits, tokens are not displaced"
ORDERED = "tokens are read one after the other: their order is known without a code"
PADDING_TOKEN = 1  # of models that count from it, unless their configuration says otherwise


@dataclass(frozen=True)
class Formula:
    """Sinusoids that a library computes and does not store.

    Attributes:
        is_halved: All sines before all cosines; else sine and cosine take turns.
        is_cosine_first: The cosines come first.
        reaches_end: The slowest plane has exactly the base as wavelength over 2 pi, as in
            tensor2tensor; else it stays one step short of it, as in Vaswani et al. 2017.
        is_padding_zero: The row of the padding token is zero, also where it is a position's.
    """

    is_halved: bool = True
    is_cosine_first: bool = False
    reaches_end: bool = False
    is_padding_zero: bool = False


@dataclass(frozen=True)
class Family:
    """How a family makes the sum of token and position that its first layer reads.

    Attributes:
        codes: "stored" in a table, "computed" by a formula, "none" is added, or "refused": the
            sum is none of a row for the token and a row for the position.
        why: Why none is added, or how the sum is made instead.
        scale: The factor of the tokens in the sum.
        first_row: The row of the table, or the number put into the formula, of position 0.
        formula: The formula of computed codes.
        projection: The end of the name of a matrix that takes tokens to the width of the sum.
        tokens: The end of the name of the token table, where others have names like it.
    """

    codes: str = "stored"
    why: str = ""
    scale: ScaleRule = lambda _, __: 1.0
    first_row: RowRule = lambda _: 0
    formula: Formula | None = None
    projection: str | None = None
    tokens: str | None = None


FamilyRule: TypeAlias = "Family | Callable[[Config], Family]"


def switched(setting: str, default: bool, yes: Family, no: Family) -> FamilyRule:
    """One family where a setting is true, another where it is not."""
    return lambda config: yes if _is_on(config, setting, default) else no


def rooted(_: Config, width: int) -> float:
    """The square root of the width."""
    return math.sqrt(width)


def rooted_if(setting: str, default: bool) -> ScaleRule:
    """The square root of the width where a setting is true."""
    return lambda config, width: math.sqrt(width) if _is_on(config, setting, default) else 1.0


def factor(setting: str, default: float = 1.0) -> ScaleRule:
    """A setting that is the factor itself."""

    def scale(config: Config, _: int) -> float:
        value = config.get(setting, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and math.isfinite(value) else default

    return scale


def after_padding(config: Config) -> int:
    """The row after the padding token's: so fairseq counts."""
    padding = config.get("pad_token_id")
    return 1 + (padding if type(padding) is int and padding >= 0 else PADDING_TOKEN)


def row(number: int) -> RowRule:
    """Always the same row."""
    return lambda _: number


def _is_on(config: Config, setting: str, default: bool) -> bool:
    value = config.get(setting)
    return value if isinstance(value, bool) else default
