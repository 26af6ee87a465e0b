"""What heads have in common: hand-computed cases, and heads planted to do one thing only."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from orthogan.analysis.attention_statistics import (
    HeadStatistics,
    MapTally,
    Patches,
    moved_fraction,
)
from orthogan.analysis.attention_weights import LayerRecord, patches_of
from orthogan.analysis.look_query import chosen_query, liveliest_patch
from orthogan.analysis.patch_detail import detail_lifts, patch_variance, variance_between
from orthogan.attention.offset_forms import grid_positions
from orthogan.errors import ConfigError, DataError, ShapeError
from orthogan.rng import normal, stream

GRID = (4, 4)


def tallied(maps: Tensor, patches: Patches | None = None) -> tuple[HeadStatistics, ...]:
    tally = MapTally(patches or Patches(GRID))
    tally.add(maps)
    return tally.statistics()


def test_two_tokens_by_hand() -> None:
    # Token 0 always reads itself; token 1 reads each of the two in half of the images.
    maps = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]], [[[1.0, 0.0], [0.0, 1.0]]]])
    (head,) = tallied(maps, Patches((1, 2)))
    assert (head.entropy_fraction, head.attended) == (0.0, 1.0)
    # Mean map [[1, 0], [.5, .5]]: between (.25 + .25 + 0 + 0), within 2 x .5; less within / 2.
    assert head.position_fraction == pytest.approx(0.0)  # .5 - 1 / 2 = 0
    assert head.content_fraction == pytest.approx(1.0)
    # Columns .75 and .25 explain 4 x .25^2 of the mean map's 2 x .5^2.
    assert head.place_fraction == pytest.approx(0.5)
    assert head.distance == pytest.approx(0.25)
    assert head.uniform_distance == pytest.approx(0.5)
    assert head.profile == pytest.approx((1.5, 0.5))
    assert head.mean_offset == pytest.approx((0.0, -0.25))
    assert (head.top_offset, head.top_lift) == ((0, 0), pytest.approx(1.5))
    assert head.self_fraction == pytest.approx(0.75)
    assert (head.class_fraction, head.negative_fraction) == (0.0, 0.0)


def test_even_attention_has_no_direction() -> None:
    (head,) = tallied(torch.full((5, 1, 16, 16), 1 / 16))
    assert head.entropy_fraction == pytest.approx(1.0)
    assert head.attended == pytest.approx(16)
    assert head.distance == pytest.approx(head.uniform_distance)
    assert head.profile == pytest.approx([1.0] * len(head.profile))
    assert head.mean_offset == pytest.approx((0.0, 0.0))
    fractions = (head.position_fraction, head.place_fraction, head.offset_fraction)
    assert fractions == (None, None, None)
    noise = 1e-8 * normal((5, 1, 16, 16), stream(0, "noise"))  # as rounding leaves it
    (rounded,) = tallied(torch.full((5, 1, 16, 16), 1 / 16) + noise)
    assert rounded.position_fraction is None


def test_a_head_of_position_alone() -> None:
    """Every patch reads the one to its right: nothing depends on the image."""
    places = grid_positions(GRID)
    offsets = places[None] - places[:, None]
    logits = 20 * ((offsets[..., 0] == 0) & (offsets[..., 1] == 1)).double()
    fixed = logits.softmax(-1)[None, None]
    # Two images that differ by rounding.
    maps = torch.cat([fixed, fixed * (1 + 1e-7)])
    (head,) = tallied(maps)
    assert head.position_fraction == pytest.approx(1.0)
    assert head.content_fraction == pytest.approx(0.0, abs=1e-6)
    assert head.top_offset == (0, 1)
    assert head.top_lift > 10
    assert head.profile[1] == max(head.profile)
    # The last column has no right neighbour and reads all alike; the rest is the offset's.
    assert head.offset_fraction is not None
    assert head.place_fraction is not None
    assert head.offset_fraction > 0.85 > head.place_fraction


def test_a_head_that_reads_certain_patches() -> None:
    maps = torch.zeros(3, 1, 16, 16)
    maps[..., 5] = 1.0
    (head,) = tallied(maps)
    assert head.position_fraction == head.place_fraction == pytest.approx(1.0)
    # All queries read row 1, column 1: from the 16 places on average half a step up and left.
    assert head.mean_offset == pytest.approx((-0.5, -0.5))
    assert head.self_fraction == pytest.approx(1 / 16)


@pytest.mark.parametrize("num_images", [8, 64, 512])
def test_a_head_of_content_alone(num_images: int) -> None:
    """Independent contents at every place: the mean over few images leaves no trace of its own."""
    keys = normal((num_images, 1, 1, 16), stream(0, "keys"))
    maps = (2 * keys).softmax(-1).expand(-1, -1, 16, -1)
    (head,) = tallied(maps)
    assert head.position_fraction is not None
    # The naive fraction, of the mean map's variance, would be 1 / num_images.
    assert head.position_fraction == pytest.approx(0.0, abs=0.5 / num_images + 0.005)


def test_a_mixture_has_its_fractions() -> None:
    fixed = normal((1, 1, 16, 16), stream(0, "fixed"))
    varying = normal((20_000 // 16, 1, 16, 16), stream(0, "varying"))
    (head,) = tallied(fixed + 2 * varying)
    spread = float((fixed - fixed.mean()).square().mean())
    assert head.position_fraction == pytest.approx(spread / (spread + 4), abs=0.005)


def test_batches_add_up() -> None:
    maps = normal((7, 2, 17, 17), stream(0, "maps")).softmax(-1)
    whole, parts = MapTally(Patches(GRID, 1)), MapTally(Patches(GRID, 1))
    whole.add(maps)
    for part in maps.split([3, 1, 3]):
        parts.add(part)
    assert parts.num_images == 7
    for one, other in zip(whole.statistics(), parts.statistics(), strict=True):
        for name, value in one.to_dict().items():
            assert other.to_dict()[name] == pytest.approx(value), name
    torch.testing.assert_close(parts.mean, maps.double().mean(0))


def test_class_tokens_are_no_places() -> None:
    maps = torch.zeros(2, 1, 17, 17)
    maps[..., 0] = 0.25  # a quarter of everything goes to the class token
    maps[0, 0, 1:, 1:] = 0.75 * torch.eye(16)
    maps[1] = maps[0]
    maps[:, :, 0, 0] = 1.0
    (head,) = tallied(maps, Patches(GRID, 1))
    assert head.class_fraction == pytest.approx(0.25)
    assert head.self_fraction == pytest.approx(0.75)
    assert head.distance == pytest.approx(0.0)
    assert head.top_offset == (0, 0)


def test_signed_weights_are_measured_by_size() -> None:
    maps = torch.tensor([[[[0.0, -3.0], [1.0, 0.0]]]])
    (head,) = tallied(maps, Patches((1, 2)))
    assert head.entropy_fraction == 0.0
    assert head.distance == pytest.approx(1.0)
    assert head.negative_fraction == pytest.approx(0.75)
    (silent,) = tallied(torch.zeros(2, 1, 2, 2), Patches((1, 2)))
    assert all(
        math.isfinite(x) for x in (silent.entropy_fraction, silent.distance, *silent.profile)
    )


def test_what_cannot_be_measured_is_refused() -> None:
    tally = MapTally(Patches(GRID))
    with pytest.raises(DataError, match="No attention map was seen"):
        tally.statistics()
    with pytest.raises(ShapeError, match="16 tokens attend to themselves with weights 16 x 16"):
        tally.add(torch.zeros(1, 1, 16, 4))
    with pytest.raises(DataError, match="NaN or infinite"):
        tally.add(torch.full((1, 1, 16, 16), torch.nan))
    (one,) = tallied(torch.eye(16)[None, None])
    assert (one.position_fraction, one.content_fraction) == (None, None)  # of a single image


def test_moved_attention() -> None:
    one = torch.eye(4)[None].repeat(2, 1, 1)
    other = torch.stack([torch.eye(4), torch.eye(4).roll(1, 1)])
    assert moved_fraction(one, other) == [0.0, 1.0]
    assert moved_fraction(one, (one + other) / 2) == [0.0, 0.5]


def test_padding_counts_nothing() -> None:
    record = LayerRecord("block 1", Patches((1, 2)), num_shown=3, num_images=5)
    maps = torch.arange(24.0).reshape(6, 1, 2, 2)
    record.add(maps[:4])
    record.add(maps[3:])  # the second of these is the fifth image, and the last one padding
    assert record.tally.num_images == 5
    assert torch.equal(record.shown, maps[:3])
    expected = torch.cat([maps[:4], maps[3:4]])
    torch.testing.assert_close(record.tally.mean, expected.double().mean(0))
    torch.testing.assert_close(record.received, expected.double().mean(2))


@pytest.mark.parametrize(
    ("num_tokens", "expected"),
    [(1, Patches((1, 1))), (16, Patches((4, 4))), (17, Patches((4, 4), 1)),
     (198, Patches((14, 14), 2)), (7, Patches((1, 7)))],
)  # fmt: skip
def test_patches_are_found(num_tokens: int, expected: Patches) -> None:
    assert patches_of(num_tokens) == expected
    assert expected.num_tokens == num_tokens


def test_patches_are_given() -> None:
    assert patches_of(13, (3, 4)) == Patches((3, 4), 1)
    assert patches_of(16, in_image=False) == Patches((1, 16))
    with pytest.raises(ShapeError, match="3 x 4 patches needs as many tokens, got 11"):
        patches_of(11, (3, 4))


def test_detail_by_hand() -> None:
    pixels = torch.zeros(2, 1, 2, 4, dtype=torch.uint8)
    pixels[0, 0, :, 2:] = torch.tensor([0, 20], dtype=torch.uint8)
    assert patch_variance(pixels, (1, 2)).tolist() == [[0.0, 100.0], [0.0, 0.0]]
    assert variance_between(pixels, (1, 2)).tolist() == [0.0, 400.0]
    received = torch.tensor([[[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]]).repeat(2, 1, 1)
    assert detail_lifts(received, pixels, (1, 2)) == [2.0, 1.0, 0.0]
    assert detail_lifts(received, torch.zeros_like(pixels), (1, 2)) == [None] * 3


def test_the_liveliest_patch() -> None:
    blank = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    assert liveliest_patch(blank, (7, 7)) == (3, 3)
    assert liveliest_patch(None, (3, 5)) == (1, 2)
    one = blank[:1].clone()
    one[0, 0, 27, 0] = 255
    assert liveliest_patch(one, (7, 7)) == (6, 0)
    blank[1, 0, 5, 20] = 9
    assert liveliest_patch(blank, (7, 7)) == (1, 5)


@pytest.mark.parametrize(
    ("given", "patches", "expected"),
    [((0, 3), Patches(GRID), (0, 3)), ("class", Patches(GRID, 1), "class")],
)
def test_a_query_is_taken(given: object, patches: Patches, expected: object) -> None:
    query, said = chosen_query(given, patches, None, False, "generator")  # type: ignore[arg-type]
    assert query == expected
    assert said.startswith("Asked: the ")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ((4, 0), r"4,0 lies outside of the generator's 4 x 4 grid of patches: rows go from 0 to 3"),
        ((0, 4), "columns from 0 to 3"),
        ((-1, 0), "lies outside"),
        ("class", "The generator has no class token; ask a patch of its 4 x 4 grid"),
        ("middle", "row,column or 'class', got 'middle'"),
    ],
)
def test_other_queries_are_refused(given: object, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        chosen_query(given, Patches(GRID), None, True, "generator")  # type: ignore[arg-type]


def test_a_classifier_is_asked_through_its_class_token() -> None:
    assert chosen_query(None, Patches(GRID, 1), None, True, "classifier")[0] == "class"
    assert chosen_query(None, Patches(GRID, 1), None, False, "discriminator")[0] == (1, 1)
