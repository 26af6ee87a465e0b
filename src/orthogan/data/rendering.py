"""How pictures that leave it open become bytes: one ground and one white for a whole set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from orthogan.data.catalogue import LARGEST_KEPT

FULL = 2**16 - 1
WHITE, BLACK, GREY = 255, 0, 128
GROUNDS = {WHITE: "white", BLACK: "black", GREY: "grey"}
# White, the ground of paper and of web pages, stays unless it takes more than this share of the
# contrast that a picture has on its best ground.
LEAST_KEPT = 0.25
OUTLIERS = 0.01  # share of pictures that may fade: one odd file does not decide for all
# A set whose largest value is in the upper quarter of 16 bits uses them; below, fewer were meant.
LEAST_FULL = 2**14


@dataclass(frozen=True)
class Rendering:
    """What transparent pixels lie over (None: they stay so), and which 16-bit value is white."""

    ground: int | None = WHITE
    white: int = FULL


AS_STORED = Rendering()
TRANSPARENT = Rendering(ground=None)


@dataclass(frozen=True)
class Traits:
    """What a picture leaves open.

    Attributes:
        contrasts: Its standard deviation over each of `GROUNDS`; empty if it is opaque.
        peak: An upper bound of its values, of as many bits; None if it has 8 bits a channel.
        bits: Significant bits that the file states, or None.
    """

    contrasts: tuple[float, ...] = ()
    peak: int | None = None
    bits: int | None = None


def rendering_of(traits: Sequence[Traits]) -> Rendering:
    """One rendering for all pictures of a set.

    >>> rendering_of([Traits(contrasts=(0.0, 90.0, 45.0)), Traits(peak=4090)])
    Rendering(ground=0, white=4095)
    """
    return Rendering(_ground(traits), _white(traits))


def remarks(traits: Traits, rendering: Rendering) -> list[str]:
    """What was done to one picture, in plain words."""
    done = []
    if traits.contrasts and rendering.ground is not None:
        why = "" if rendering.ground == WHITE else ", as white would hide some"
        keep = "; --colour rgba keeps transparency"
        done.append(f"transparent, laid over {GROUNDS[rendering.ground]}{why}{keep}")
    if traits.peak is not None and rendering.white != FULL:
        done.append(f"of 16 bits, of which the set uses {rendering.white.bit_length()}")
    return done


def contrasts_of(layered: Image.Image) -> tuple[float, ...]:
    """The standard deviation that an RGBA picture has over each of `GROUNDS`, in bytes."""
    small = layered.reduce(max(1, min(layered.size) // LARGEST_KEPT))
    values = np.asarray(small).reshape(-1, 4).astype(np.float64)
    opacity = values[:, 3:] / 255
    # Over ground g a channel is c + g t. Its variance, var c + 2 g cov(c, t) + g^2 var t, takes no
    # picture laid over anything, of which there would be one for each ground.
    parts = np.concatenate([values[:, :3] * opacity, 1 - opacity], axis=1)
    spread = np.cov(parts, rowvar=False, bias=True)
    colour, mixed, clear = spread.diagonal()[:3].mean(), spread[:3, 3].mean(), spread[3, 3]
    spreads = [
        float(np.sqrt(max(colour + 2 * ground * mixed + ground**2 * clear, 0.0)))
        for ground in GROUNDS
    ]
    # Less than a step of a byte cannot be seen: it is rounding.
    return tuple(spread if spread > 0.5 else 0.0 for spread in spreads)


def _ground(traits: Sequence[Traits]) -> int:
    # How much of its best contrast a picture keeps; those without any are blank on every ground.
    kept = [
        [contrast / max(each.contrasts) for contrast in each.contrasts]
        for each in traits
        if each.contrasts and max(each.contrasts) > 0
    ]
    if not kept:
        return WHITE
    outliers = int(OUTLIERS * len(kept))
    worst = {
        ground: sorted(column)[outliers]
        for ground, column in zip(GROUNDS, zip(*kept, strict=True), strict=True)
    }
    return WHITE if worst[WHITE] >= LEAST_KEPT else max(worst, key=lambda ground: worst[ground])


def _white(traits: Sequence[Traits]) -> int:
    deep = [each for each in traits if each.peak is not None]
    peak = max((each.peak or 0 for each in deep), default=0)
    stated = [each.bits for each in deep if each.bits is not None]
    if stated and len(stated) == len(deep):
        white: int = 2 ** max(stated) - 1
        # By the standard, values with few significant bits are scaled up, but not every writer is.
        return white if peak <= white else FULL
    if not 0 < peak < LEAST_FULL:
        return FULL
    return int(2 ** max(peak.bit_length(), 8) - 1)
