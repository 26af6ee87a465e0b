import pytest
import torch

from orthogan import data
from orthogan.errors import ConfigError
from orthogan.evaluation.memorise import memorisation


@pytest.fixture(scope="module")
def split():
    images = data.load("mnist").images
    return {"train": images[:6000], "unseen": images[6000:8000], "others": images[8000:10000]}


def noisy(pixels, spread):
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0)) * spread
    return (pixels.float() + noise).clamp(0, 255).to(torch.uint8)


def test_unseen_real_images_score_the_one_percent_they_define(split):
    found = memorisation(split["others"], split["train"], split["unseen"])
    assert found.interval.low < 0.012
    assert found.share < 0.025
    assert found.nearness == pytest.approx(1, abs=0.03)
    assert found.n == 2000


def test_a_planted_copycat_is_caught(split):
    exact = memorisation(split["train"][:500], split["train"], split["unseen"])
    assert exact.share == 1
    assert exact.nearness == 0
    hidden = memorisation(noisy(split["train"][:500], 20), split["train"], split["unseen"])
    assert hidden.share > 0.8


def test_half_a_copycat_scores_half(split):
    mixed = torch.cat([split["train"][:400], split["others"][:400]])
    found = memorisation(mixed, split["train"], split["unseen"])
    assert found.share == pytest.approx(0.505, abs=0.02)
    assert found.interval.low < found.share < found.interval.high


def test_blurred_unseen_images_are_not_taken_for_copies(split):
    blurred = torch.nn.functional.avg_pool2d(split["others"].float(), 3, 1, 1).to(torch.uint8)
    assert memorisation(blurred, split["train"], split["unseen"]).share < 0.03


def test_one_picture_repeated_is_not_a_division_by_zero():
    same = torch.full((200, 1, 28, 28), 9, dtype=torch.uint8)
    assert memorisation(same, same, same).share == 1  # nothing to tell apart: all are close


@pytest.mark.parametrize("short", ["fake", "train", "unseen"])
def test_too_few_images_are_refused(split, short):
    sets = {"fake": split["others"], "train": split["train"], "unseen": split["unseen"]}
    sets[short] = sets[short][:99]
    with pytest.raises(ConfigError, match=r"at least 100 \w+ images, got 99"):
        memorisation(**sets)
