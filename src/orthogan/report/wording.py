"""Numbers and words as the page shows them."""

from __future__ import annotations

import math
from pathlib import Path

from orthogan.report.markup import Html, element
from orthogan.terminal import printable

MOST_CHARACTERS = 48  # of a token in a table
THIN = "\u202f"  # narrow space that does not break
TIMES = "\u00d7"
MINUS = "\u2212"
ELLIPSIS = "\u2026"


def share(value: float) -> str:
    r"""A share in per cent, with as many digits as tell it from none and from all.

    >>> share(0.5), share(0.99826), share(1.0), share(0.0)
    ('50.0\u202f%', '99.83\u202f%', '100\u202f%', '0\u202f%')
    """
    if value in {0.0, 1.0}:
        return f"{100 * value:.0f}{THIN}%"
    nearest = 100 * min(abs(value), abs(1 - value))
    digits = min(max(1, math.ceil(-math.log10(nearest)) + 1 if nearest else 1), 9)
    return f"{100 * value:.{digits}f}{THIN}%"


def count(value: int) -> str:
    """A whole number in groups of three.

    >>> count(15627264)
    '15,627,264'
    """
    return f"{value:,}"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with that many significant digits; a dash for None, and words for infinity.

    >>> decimal(0.012345), decimal(None), decimal(12345.6), decimal(1e-9)
    ('0.0123', '-', '12,346', '1.00e-9')
    """
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "infinite" if value > 0 else f"{MINUS}infinite"
    sign, size = MINUS if value < 0 else "", abs(value)
    if size and not 1e-4 <= size < 1e7:
        mantissa, power = f"{size:.{digits - 1}e}".split("e")
        return f"{sign}{mantissa}e{int(power)}"
    behind = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    return f"{sign}{size:,.{behind}f}"


def tick(value: float) -> str:
    """A round number beside an axis.

    >>> tick(0.5), tick(20000.0), tick(1e-5), tick(0.0)
    ('0.5', '20,000', '1e-5', '0')
    """
    sign, size = MINUS if value < 0 else "", abs(value)
    if size and not 1e-4 < size < 1e7:
        mantissa, power = f"{size:e}".split("e")
        return f"{sign}{float(mantissa):g}e{int(power)}"
    return f"{sign}{size:,g}"


def plural(number: int, word: str, words: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "token"), plural(2000, "token"), plural(2, "identity", "identities")
    ('1 token', '2,000 tokens', '2 identities')
    """
    return f"{count(number)} {word if number == 1 else words or word + 's'}"


def token(label: str) -> Html:
    """A token as its vocabulary spells it, safe to show: no control characters, own direction.

    >>> token("<b>")
    '<bdi class="token">&lt;b&gt;</bdi>'
    """
    shown = label if len(label) <= MOST_CHARACTERS else label[: MOST_CHARACTERS - 1] + ELLIPSIS
    if not shown:
        return element("i", "empty", class_="muted")
    return element("bdi", printable(shown), class_="token")


def short_name(source: str) -> str:
    """A source as a title names it: of a long path the last two parts.

    >>> short_name("minilm"), short_name("/home/me/models/model.safetensors")
    ('minilm', 'models/model.safetensors')
    """
    parts = Path(source).parts
    return printable(source if len(parts) < 3 else "/".join(parts[-2:]))
