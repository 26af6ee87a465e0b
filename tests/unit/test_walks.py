"""Ways through the latent space: their ends, their middle, and the files that show them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import orthogan as og
from orthogan.cli.entry import run as command
from orthogan.errors import ConfigError
from orthogan.images.animation import MOST_FRAMES, animation
from orthogan.networks.walks import Places, along, between, drawn, on_great_circle, places

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def demo() -> Any:
    return og.load("mnist-demo")


def test_places_are_where_seeds_draw(demo) -> None:
    where = places(demo.generator, range(70), None)
    assert torch.equal(drawn(demo.generator, where), demo.sample(range(70)))
    nines = places(demo.generator, [3, 4], [9])
    assert torch.equal(drawn(demo.generator, nines), demo.sample([3, 4], [9]))


def test_a_way_begins_and_ends_at_its_seeds(demo) -> None:
    walked = demo.interpolate([3, 8, 1], steps=5)
    assert len(walked) == 2 * 5
    ends = demo.sample([3, 8, 1])
    for at, end in ((0, 0), (4, 1), (5, 1), (9, 2)):
        assert (walked[at].int() - ends[end].int()).abs().max() <= 1, at


def test_the_middle_is_as_far_from_the_origin_as_the_ends() -> None:
    torch.manual_seed(0)
    first, last = (torch.nn.functional.normalize(torch.randn(6, 8)) * math.sqrt(8) for _ in "ab")
    way = on_great_circle(first, last, torch.linspace(0, 1, 7))
    assert torch.allclose(way.square().mean(2), torch.ones(6, 7), atol=1e-5)
    halves = [torch.nn.functional.cosine_similarity(end, way[:, 3]) for end in (first, last)]
    assert torch.allclose(*halves, atol=1e-5)  # the middle is as near to both


def test_a_way_from_a_place_to_itself_stays_there() -> None:
    place = torch.ones(1, 4)
    assert torch.allclose(on_great_circle(place, place, torch.tensor([0.0, 0.3, 1.0])), place)


def test_one_seed_walks_through_its_classes(demo) -> None:
    walked = demo.interpolate([5], [3, 8, 1], steps=4)
    assert len(walked) == 2 * 4
    assert (walked[-1].int() - demo.sample([5], [1])[0].int()).abs().max() <= 1
    with pytest.raises(ConfigError, match="at least two seeds, or two classes"):
        demo.interpolate([5])
    with pytest.raises(ConfigError, match="at least 2 steps"):
        demo.interpolate([5, 6], steps=1)


def test_a_direction_keeps_the_middle_and_the_first_changes_most(demo) -> None:
    seeds = list(range(8))
    first, last = (demo.move(seeds, direction=at, steps=3).unflatten(0, (8, 3)).int()
                   for at in (1, 64))  # fmt: skip
    own = demo.sample(seeds).int()
    assert (first[:, 1] - own).abs().max() <= 1
    changes = [(way[:, 2] - way[:, 0]).abs().float().mean() for way in (first, last)]
    assert changes[0] > 2 * changes[1]
    with pytest.raises(ConfigError, match=r"Directions lie in 1\.\.64, got 65"):
        demo.move(seeds, direction=65)


def test_along_an_axis_places_keep_their_length() -> None:
    start = torch.nn.functional.normalize(torch.randn(4, 6)) * math.sqrt(6)
    way = along(Places(start, torch.zeros(4, 6)), torch.eye(6)[2], 5, 0.8)
    assert torch.allclose(way.directions.square().mean(1), torch.ones(20), atol=1e-5)
    turned = torch.nn.functional.cosine_similarity(way.directions[0], start[0], dim=0)
    assert turned == pytest.approx(math.cos(0.8), abs=1e-4)


def test_truncation_makes_images_alike(demo) -> None:
    whole, half = demo.sample(range(64), [3]), demo.sample(range(64), [3], truncation=0.5)
    spread = [pixels.float().var(0).mean() for pixels in (whole, half)]
    assert spread[1] < 0.8 * spread[0]
    assert torch.equal(demo.sample([7], [3], truncation=0.5)[0], half[7])  # whatever is beside it
    for wrong in (0.0, 1.5):
        with pytest.raises(ConfigError, match="above 0 and is at most 1"):
            demo.sample([1], truncation=wrong)


def test_ways_without_classes(train_tiny, tmp_path: Path) -> None:
    run = train_tiny(tmp_path / "run", "condition=none", images=64)
    model = og.load(run.path)
    assert len(model.interpolate([1, 2], steps=3)) == 3
    with pytest.raises(ConfigError, match="trained without classes"):
        model.interpolate([1, 2], [0])


def test_the_command_writes_grids_animations_and_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def sample(*words: str) -> int:
        return command(["sample", "mnist-demo", *words])

    grid, gif, webp, folder = (tmp_path / name for name in ("a.png", "a.gif", "a.webp", "frames"))
    assert sample("--seeds", "0-2", "--interpolate", "--out", str(grid), "--scale", "1") == 0
    with Image.open(grid) as picture:
        assert picture.size == (8 * 29 - 1, 2 * 29 - 1)
    assert sample("--seeds", "0-2", "--interpolate", "--steps", "4", "--out", str(gif)) == 0
    with Image.open(gif) as picture:
        assert picture.n_frames == 7 + 5  # seven places, and back between the ends
    assert sample("--seeds", "0-3", "--direction", "1", "--steps", "3", "--out", str(webp)) == 0
    with Image.open(webp) as picture:
        assert picture.n_frames == 3 + 1
    words = ("--seeds", "7", "--classes", "0-2", "--interpolate", "--steps", "5")
    assert sample(*words, "--out", str(folder), "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["num_images"] == 10
    assert len(list(folder.iterdir())) == 9


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--interpolate", "--direction", "1"), "two kinds of ways"),
        (("--steps", "4"), "--steps goes with --interpolate or --direction"),
        (("--interpolate", "--out", "a.npz"), "a .gif or .webp animation, or a folder"),
        (("--interpolate", "--format", "png", "--out", "a.gif"), "--format is for the frames"),
        (("--interpolate", "--seeds", "3"), "at least two seeds"),
        (("--truncation", "2"), "at most 1"),
    ],
)
def test_the_command_refuses(words, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["sample", "mnist-demo", *words]) == ConfigError.exit_code
    assert sentence in capsys.readouterr().err


def test_exported_files_walk_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["sample", "a.onnx", "--interpolate"]) == ConfigError.exit_code
    assert "has no latent space to walk" in capsys.readouterr().err


def test_an_animation_has_an_end() -> None:
    frame = Image.new("L", (4, 4))
    with pytest.raises(ConfigError, match="at most 2,000 frames"):
        animation([frame] * (MOST_FRAMES + 1), ".gif")


def test_ways_need_two_places(demo) -> None:
    with pytest.raises(ConfigError, match="two seeds"):
        between(places(demo.generator, [1], None), 4)
