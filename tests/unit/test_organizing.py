"""Copies are found in every disguise, and nothing else; balance, correlation, outliers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import orthogan as og
from orthogan.cli import main
from orthogan.data import ImageSet, load
from orthogan.data.facts import Note
from orthogan.errors import ConfigError
from orthogan.organizing.brightness import difference
from orthogan.organizing.descriptors import REACH, Descriptors, ways
from orthogan.organizing.duplicates import RADIUS, find_duplicates
from orthogan.organizing.evenness import Part, effective_number, parts_of, remoteness
from orthogan.organizing.leaving_out import without_copies
from orthogan.organizing.near_pairs import NearPairs
from orthogan.report.organization_page import organization_page

COUNT = 300


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return load("mnist", split="test").images[:COUNT]


def moved(image: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Moved over black."""
    wide = torch.nn.functional.pad(image, (REACH,) * 4)
    side = image.shape[-1]
    return wide[
        :, REACH - rows : REACH - rows + side, REACH - columns : REACH - columns + side
    ].clone()


def brighter(image: torch.Tensor, factor: float) -> torch.Tensor:
    return (image.float() * factor).round().clamp(0, 255).to(torch.uint8)


DISGUISES = {
    "exact": lambda image: image,
    "moved": lambda image: moved(image, -2, 1),
    "mirrored": lambda image: image.flip(-1),
    "changed": lambda image: brighter(image, 0.9),
    "moved and mirrored": lambda image: moved(image, 0, 2).flip(-1),
}


@pytest.mark.parametrize("how", DISGUISES)
def test_a_copy_is_found_in_its_disguise(digits: torch.Tensor, how: str) -> None:
    pixels = digits.clone()
    originals = torch.arange(0, 40)
    places = torch.arange(200, 240)
    for original, place in zip(originals.tolist(), places.tolist(), strict=True):
        pixels[place] = DISGUISES[how](pixels[original])
    found = find_duplicates(pixels)
    assert [copy.index for copy in found.copies] == places.tolist()
    assert [copy.original for copy in found.copies] == originals.tolist()
    assert {copy.how for copy in found.copies} == {how}
    assert found.kept.tolist() == [n for n in range(COUNT) if n not in set(places.tolist())]


def test_digits_of_many_hands_are_no_copies(digits: torch.Tensor) -> None:
    assert find_duplicates(digits).copies == ()


def test_the_same_shape_with_other_detail_is_another_image() -> None:
    """Their cells agree; it is pixel by pixel that they differ."""
    source = np.random.default_rng(0)
    coarse = torch.from_numpy(source.integers(20, 236, (20, 1, 8, 8)).astype(np.float32))
    shapes = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")
    detail = torch.from_numpy(source.uniform(-10, 10, (2, 20, 1, 32, 32)).astype(np.float32))
    first, second = (shapes + detail).clamp(0, 255).to(torch.uint8)
    described = Descriptors(torch.cat([first, second]))
    codes = described.of((0, 0), mirrored=False)
    assert float((codes[:20] - codes[20:]).norm(dim=1).max()) < RADIUS
    assert find_duplicates(torch.cat([first, second])).copies == ()
    assert len(find_duplicates(torch.cat([first, first])).copies) == 20


@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_what_is_much_darker_or_brighter_is_another_image(
    digits: torch.Tensor, factor: float
) -> None:
    grey = brighter(digits, 0.5)
    pixels = torch.cat([grey, brighter(grey[:20], factor)])
    assert find_duplicates(pixels).copies == ()


def test_other_colours_are_another_image(digits: torch.Tensor) -> None:
    red = digits.expand(-1, 3, -1, -1).clone()
    red[:, 1:] = 0
    assert find_duplicates(torch.cat([red[:20], red[:20].roll(1, 1)])).copies == ()


def test_a_group_has_one_original(digits: torch.Tensor) -> None:
    pixels = torch.cat([digits[:30], digits[:1], digits[:1].flip(-1), digits[:1]])
    found = find_duplicates(pixels)
    assert [(copy.index, copy.original) for copy in found.copies] == [(30, 0), (31, 0), (32, 0)]
    assert found.kinds == {"exact": 2, "mirrored": 1}


def test_blank_images_are_nobodys_copies(digits: torch.Tensor) -> None:
    pixels = digits.clone()
    pixels[[3, 7]] = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None]
    found = find_duplicates(pixels)
    assert found.blank == (3, 7)
    assert found.copies == ()
    assert find_duplicates(torch.zeros(3, 1, 16, 16, dtype=torch.uint8)).blank == (0, 1, 2)
    assert find_duplicates(digits[:1]).copies == ()


@pytest.mark.parametrize(("channels", "size"), [(3, 48), (4, 16)])
def test_colour_transparency_and_large_images(channels: int, size: int) -> None:
    source = np.random.default_rng(0)
    coarse = torch.from_numpy(source.integers(0, 256, (40, channels, 8, 8)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    pixels = smooth.to(torch.uint8)
    found = find_duplicates(torch.cat([pixels, pixels[:8].flip(-1)]))
    assert [copy.index for copy in found.copies] == list(range(40, 48))


def test_every_way_is_there_once() -> None:
    every = list(ways())
    assert len(set(every)) == len(every)
    both = {(moved, False) for moved, mirrored in every if not mirrored}
    both |= {((-rows, -columns), False) for (rows, columns), mirrored in every if not mirrored}
    assert len(both) == (2 * REACH + 1) ** 2


def test_a_moved_middle_is_that_of_the_original(digits: torch.Tensor) -> None:
    shifted = torch.stack([moved(image, 1, -2) for image in digits[:20]])
    both = Descriptors(torch.cat([digits[:20], shifted]))
    first, second = torch.arange(20), torch.arange(20, 40)
    base = both.middles(first, (0, 0), mirrored=False)
    assert torch.equal(both.middles(second, (1, -2), mirrored=False), base)
    assert torch.allclose(
        both.of((1, -2), mirrored=False)[20:], both.of((0, 0), mirrored=False)[:20]
    )


@pytest.mark.parametrize("count", [1, 3, 700])
def test_near_pairs_are_all_that_there_are(count: int) -> None:
    draws = torch.Generator().manual_seed(count)
    points, queries = (torch.randn(count, 4, generator=draws) for _ in range(2))
    asked, found = NearPairs(points, 0.8).of(queries)
    near = torch.cdist(queries.double(), points.double()) <= 0.8
    assert set(zip(asked.tolist(), found.tolist(), strict=True)) == {
        (int(i), int(j)) for i, j in near.nonzero()
    }


def test_brightness_is_fitted_through_white() -> None:
    rows = torch.rand(5, 60, generator=torch.Generator().manual_seed(0))
    made = (1.3 * rows - 0.05).clamp(0, 1)
    found = difference(rows, made)
    assert float(found.distance.max()) < 0.02
    assert torch.allclose(found.gain, torch.full((5,), 1.3), atol=0.05)
    assert torch.allclose(found.offset, torch.full((5,), -0.05), atol=0.02)
    assert float(difference(rows, rows.flip(0)).distance[0]) > 0.5


def test_evenness_and_remoteness() -> None:
    labels = torch.tensor([0] * 30 + [2] * 10)
    codes = torch.cat([torch.zeros(30, 2), torch.ones(10, 2)])
    codes += 0.01 * torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    parts = parts_of(labels, ["a", "b", "c"], codes)
    assert [part.count for part in parts] == [30, 0, 10]
    shares = (0.75, 0.25)
    entropy = -sum(share * math.log(share) for share in shares)
    assert effective_number(parts) == pytest.approx(math.exp(entropy))
    assert effective_number([Part("a", 4, ())]) == 1
    far = remoteness(torch.cat([codes, torch.full((1, 2), 9.0)]), torch.arange(41), 3)
    assert int(far.argmax()) == 40
    by_hand = torch.cdist(codes.double(), codes.double()).sort(1).values[:, 3]
    found = remoteness(codes.double(), torch.arange(40), 3)
    assert torch.allclose(found, by_hand / by_hand.median())


def test_a_set_without_its_copies(digits: torch.Tensor) -> None:
    labels = torch.arange(COUNT + 20) % 10
    notes = (Note("20 images are exact copies.", topic="copies"), "other")
    images = ImageSet(
        torch.cat([digits, digits[:20]]), labels, tuple("0123456789"), name="some", notes=notes
    )
    found = without_copies(images)
    assert torch.equal(found.images, digits)
    assert found.labels is not None
    assert torch.equal(found.labels, labels[:COUNT])
    assert found.notes == ("other", "20 copies are left out (20 exact); 300 images are kept.")
    few = replace(images, images=digits[:1].expand(320, -1, -1, -1), name="one")
    with pytest.raises(ConfigError, match="Without copies one would hold 1 images"):
        without_copies(few)
    with pytest.raises(ConfigError, match="draws each image afresh"):
        without_copies(og.load_data("stacked-mnist"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, digits: torch.Tensor) -> Path:
    path = tmp_path_factory.mktemp("organizing") / "digits.npz"
    pixels = torch.cat([digits, digits[:15].flip(-1)])
    test = load("mnist", split="test").labels
    assert test is not None
    labels = torch.cat([test[:COUNT], test[:15]])
    np.savez(path, images=pixels[:, 0].numpy(), labels=labels.numpy())
    return path


def test_a_set_is_organized(folder: Path) -> None:
    found = og.organize(str(folder))
    assert found.duplicates.kinds == {"mirrored": 15}
    assert [part.count for part in found.classes] == torch.bincount(
        og.load_data(str(folder)).labels
    ).tolist()
    assert found.batches["decorrelated"] < found.batches["iid"] < found.batches["correlated"]
    assert found.pixels.is_beyond_null
    assert found.rank.value < found.rank.null
    said = " ".join(found.sentences())
    assert "15 of 315 images (4.8%) are earlier ones again: 15 mirrored." in said
    assert "data.copies=drop" in said
    json.dumps(found.to_dict())
    with pytest.raises(ConfigError, match="A batch holds between 2 and all 315 images"):
        og.organize(str(folder), batch_size=1)
    with pytest.raises(ConfigError, match="no set to organize"):
        og.organize("stacked-mnist")


def test_a_name_does_no_harm_on_the_page(folder: Path) -> None:
    images = og.load_data(str(folder))
    bad = "<script>alert(1)</script>"
    hostile = replace(images, name=bad, class_names=tuple(f"{bad}{n}" for n in range(10)))
    text = organization_page(og.organize(hostile), hostile, command=bad)
    assert "<script>alert" not in text


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, tree = tmp_path / "set.html", tmp_path / "set.json"
    assert main(["organize", str(folder), "--out", str(page)]) == 0
    assert "15 mirrored" in capsys.readouterr().out
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.count("<img") > 5
    assert main(["organize", str(folder), "--out", str(tree), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(tree.read_text())
    assert len(printed["kept"]) == COUNT
    assert main(["organize", str(folder), "--out", str(tmp_path / "set.png")]) == 2
    assert main(["organize", str(folder), "--out", str(tmp_path)]) == 2
    assert main(["organize", str(tmp_path / "nothing")]) == 3


def test_training_leaves_copies_out(
    folder: Path, tmp_path: Path, tiny_settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [word for name in tiny_settings() for word in ("--set", name)]
    words = ["train", str(folder), "--run", str(tmp_path / "run"), "--images", "32", *settings]
    assert main([*words, "--set", "data.copies=drop"]) == 0
    assert "15 copies are left out (15 mirrored); 300 images are kept." in capsys.readouterr().err
