"""Which images a course is judged by: held out in the source, and of the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orthogan import data as image_data
from orthogan.data import ImageSet
from orthogan.data.inspection import inspections
from orthogan.errors import ConfigError
from orthogan.evaluation.live import gap_of
from orthogan.gan import unseen as module
from orthogan.gan.config import TrainingConfig
from orthogan.gan.unseen import num_kept_back, unseen_images

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 16, 16), dtype=np.uint8)


def config(path: Path, *settings: str) -> TrainingConfig:
    return TrainingConfig().evolve(f"data.source={path}", *settings)


def of(count: int, size: int = 16) -> ImageSet:
    return ImageSet(torch.zeros(count, 1, size, size, dtype=torch.uint8))


def test_the_held_out_part_of_a_source_is_found_and_not_told(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, x_train=PIXELS[:40], x_test=PIXELS[40:])
    with inspections() as told:
        found = unseen_images(config(path), of(40))
    assert found is not None
    assert np.array_equal(found.images[:, 0].numpy(), PIXELS[40:])
    assert told == []


def test_of_many_only_some_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNSEEN", 7)
    path = tmp_path / "set.npz"
    np.savez(path, x_train=PIXELS[:40], x_test=PIXELS[40:])
    found = unseen_images(config(path), of(40))
    assert found is not None
    assert len(found) == 7


def test_a_source_without_one_or_with_one_of_another_form_has_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", images=PIXELS)
    assert unseen_images(config(tmp_path / "one.npz"), of(60)) is None
    np.savez(tmp_path / "two.npz", x_train=PIXELS[:40], x_test=PIXELS[40:])
    assert unseen_images(config(tmp_path / "two.npz"), of(40, size=20)) is None
    assert unseen_images(config(tmp_path / "gone.npz"), of(40)) is None


def test_a_run_until_converged_reads_them_once(
    train_tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, x_train=PIXELS[:40], x_test=PIXELS[40:])
    load, splits = image_data.load, []

    def counted(*given: Any, **form: Any) -> ImageSet:
        splits.append(form.get("split", "train"))
        return load(*given, **form)

    monkeypatch.setattr(image_data, "load", counted)
    train_tiny(tmp_path / "run", "until=converged", source=path, images=16)
    assert splits == ["train", "test"]


@pytest.mark.parametrize(("count", "kept"), [(512, 128), (2047, 128), (3200, 200), (60_000, 2048)])
def test_how_many_are_kept_back(count: int, kept: int) -> None:
    until = TrainingConfig().evolve("until=converged")
    assert num_kept_back(until, of(count)) == kept
    assert num_kept_back(TrainingConfig(), of(count)) == 0


def test_too_few_are_refused() -> None:
    with pytest.raises(ConfigError, match="a quarter of the set at most; images has 511"):
        num_kept_back(TrainingConfig().evolve("until=converged"), of(511))


def test_the_gap_is_one_for_images_of_one_kind_and_large_for_others() -> None:
    source = torch.Generator().manual_seed(0)
    own = torch.randn(800, 6, generator=source)
    like, other = torch.randn(200, 6, generator=source), torch.randn(200, 6, generator=source) + 2
    assert 0.4 < gap_of(own, like) < 2.5
    assert gap_of(own, other) > 20
