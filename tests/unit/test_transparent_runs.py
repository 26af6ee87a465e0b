"""Runs on transparent images, from the files to samples, scores and an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import orthogan
from orthogan.classification.attention_picture import draw_attention
from orthogan.classification.labels import scheme_of
from orthogan.cli import main
from orthogan.data import ImageSet, load
from orthogan.evaluation import evaluate_images
from orthogan.evaluation.description import describe_pixels, is_stacked
from orthogan.evaluation.extractors import load_extractor
from orthogan.evaluation.extractors.digits import DigitsExtractor
from orthogan.export import onnx as export
from orthogan.networks.classifier import AttentionClassifierConfig

RANDOM = np.random.default_rng(0)
SEEDS = range(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 wide pictures of discs on nothing."""
    place = tmp_path_factory.mktemp("discs")
    rows, cols = np.mgrid[:16, :24]
    for number in range(320):
        row, col = RANDOM.uniform(5, 11), RANDOM.uniform(9, 15)
        picture = np.zeros((16, 24, 4), np.uint8)
        picture[..., :3] = RANDOM.integers(0, 256, 3)
        picture[..., 3] = np.where(np.hypot(rows - row, cols - col) < 4, 255, 0)
        Image.fromarray(picture).save(place / f"{number:03d}.png")
    return place


@pytest.fixture(scope="module")
def run(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, feature_cache: Path
) -> orthogan.Run:
    settings = (
        *("data.colour=rgba", "data.fit=pad", "data.size=16", "batch_size=16"),
        *("generator.hidden=8", "generator.width=8", "generator.channels=8"),
        *("discriminator.channels=4", "discriminator.width=8", "discriminator.hidden=8"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORTHOGAN_CACHE", str(feature_cache))
        return orthogan.train(
            folder,
            images=320,
            run=tmp_path_factory.mktemp("runs") / "discs",
            settings=settings,
            device="cpu",
            show_progress=False,
        )


def test_a_run_learns_makes_and_remembers_opacity(run: orthogan.Run, folder: Path) -> None:
    model = run.load()
    made = model.sample(SEEDS)
    assert made.shape == (5, 4, 16, 16)
    hidden = (made[:, 3:] == 0).expand(-1, 3, -1, -1)
    assert int(made[:, :3][hidden].max() if hidden.any() else 0) == 0
    assert (model.generator.config.colours, model.data["colours"]) == (4, 4)
    assert (model.data["fit"], model.generator.config.patch) == ("pad", 4)
    assert "labels" not in model.data


def test_a_run_is_scored_on_images_in_its_own_form(
    run: orthogan.Run, feature_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORTHOGAN_CACHE", str(feature_cache))
    found = orthogan.evaluate(run, metrics=["fd"], num_images=160)
    said = " ".join(found.notes)
    assert "described over white and over black, and averaged" in said
    assert "padded with the median colour" in said
    assert "opacity is their fourth channel" in said


def test_samples_and_onnx_keep_opacity(run: orthogan.Run, tmp_path: Path) -> None:
    target = tmp_path / "single"
    assert main(["sample", str(run.path), "--seeds", "0-4", "--out", str(target)]) == 0
    made = run.load().sample(SEEDS).permute(0, 2, 3, 1).numpy()
    for seed in SEEDS:
        with Image.open(target / f"{seed:06d}.png") as image:
            assert (np.asarray(image) == made[seed]).all()
    file = export.export_onnx(run.path, tmp_path / "discs.onnx").generator
    drawn = file.sample(SEEDS)
    assert drawn.shape == made.shape
    assert np.abs(drawn[..., 3].astype(int) - made[..., 3]).max() <= 1
    opaque = made[..., 3] > 127
    assert np.abs(drawn.astype(int) - made)[opaque].max() <= 2


def test_opacity_counts_when_images_are_described() -> None:
    shapes = torch.zeros(8, 4, 28, 28, dtype=torch.uint8)
    shapes[:, 3, 8:20, 8:20] = 255  # black squares on nothing
    boards = shapes.clone()
    boards[:, 3] = 255  # and on black
    whites = boards.clone()
    whites[:, :3] = torch.where(shapes[:, 3:] > 0, 0, 255)  # and on white
    net = load_extractor("digits-cls")
    (mine, *others) = (
        describe_pixels(each, net, False).features for each in (shapes, boards, whites)
    )
    for other in others:
        assert (mine - other).abs().max() > 0.1
    over_white = describe_pixels(whites[:, :3], net, False).features
    over_black = describe_pixels(boards[:, :3], net, False).features
    torch.testing.assert_close(mine, (over_white + over_black) / 2)


def test_four_channels_are_no_stack_of_digits() -> None:
    names = tuple(f"{number:03d}" for number in range(1000))
    labels = torch.arange(1000)
    pixels = torch.zeros(1000, 4, 28, 28, dtype=torch.uint8)
    assert not is_stacked(ImageSet(pixels, labels, names))
    assert is_stacked(ImageSet(pixels[:, :3], labels, names))


def test_unseen_colours_do_not_matter_to_scores(tmp_path: Path) -> None:
    pixels = torch.from_numpy(RANDOM.integers(0, 256, (300, 4, 16, 16), dtype=np.uint8))
    pixels[:, 3] = torch.where(pixels[:, 3] > 127, 255, 0)
    real, fake = ImageSet(pixels), pixels.clone()
    fake[:, :3][(pixels[:, 3:] == 0).expand(-1, 3, -1, -1)] = 77
    found = [
        evaluate_images(each, real, metrics=["fd"], extractor=DigitsExtractor())
        for each in (pixels, fake)
    ]
    assert found[0].scores == found[1].scores


def test_a_classifier_takes_opacity_and_draws_what_it_looks_at(folder: Path) -> None:
    network = AttentionClassifierConfig(size=16, colours=4, classes=2, width=16, channels=4).build()
    images = load(folder, size=16, colour="rgba")
    names, labels = ("left", "right"), torch.arange(len(images)) % 2
    scheme = scheme_of(ImageSet(images.images, labels, names), 1)
    picture = draw_attention(network.eval(), images.images[:2], scheme)
    assert picture.mode == "RGB"
    assert len(np.unique(np.asarray(picture))) > 2
