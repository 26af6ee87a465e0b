"""What every registered augmentation promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orthogan.gan.augmentations import AUGMENTATIONS, augmented, num_draws
from orthogan.rng import normal, stream
from orthogan.testing.contract import Contract

COUNT = 64


def images(channels: int = 3, size: int = 16, count: int = COUNT) -> Tensor:
    return normal((count, channels, size, size), stream(0, "augmentation-images")).tanh()


def draws(name: str, count: int = COUNT) -> Tensor:
    shape = (count, AUGMENTATIONS[name].num_draws)
    return torch.from_numpy(stream(0, "augmentation-draws").random(shape, dtype="float32"))


class AugmentationContract(Contract):
    """Images stay images, each is changed alone, as often as asked."""

    registry = AUGMENTATIONS

    @pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 16), (4, 20)])
    def test_images_stay_images_and_the_given_ones_as_they_are(
        self, name: str, channels: int, size: int
    ) -> None:
        given = images(channels, size)
        before, drawn = given.clone(), draws(name)
        found = AUGMENTATIONS[name].apply(given, drawn)
        assert found.shape == given.shape
        assert found.dtype == given.dtype
        assert bool(found.isfinite().all())
        assert torch.equal(given, before)
        assert not torch.equal(found, before)
        assert torch.equal(AUGMENTATIONS[name].apply(given, drawn), found)

    def test_each_image_is_changed_alone(self, name: str) -> None:
        given, drawn = images(), draws(name)
        whole = AUGMENTATIONS[name].apply(given, drawn)
        for index in range(8):
            part = slice(index, index + 1)
            torch.testing.assert_close(
                AUGMENTATIONS[name].apply(given[part], drawn[part]), whole[part]
            )

    def test_gradients_reach_the_images(self, name: str) -> None:
        given = images(size=16, count=2).double().requires_grad_()
        drawn = draws(name, 2).double()
        assert torch.autograd.gradcheck(
            lambda points: AUGMENTATIONS[name].apply(points, drawn), given, fast_mode=True
        )
        (gradient,) = torch.autograd.grad(AUGMENTATIONS[name].apply(given, drawn).sum(), given)
        assert bool((gradient != 0).flatten(1).any(1).all())

    def test_it_says_whether_it_mirrors(self, name: str) -> None:
        """Bright on the left, dark on the right, and not the other way round."""
        given = torch.ones(COUNT, 3, 16, 16)
        given[..., 8:] = -1
        found = AUGMENTATIONS[name].apply(given, draws(name))
        left, right = found[..., :8].mean((1, 2, 3)), found[..., 8:].mean((1, 2, 3))
        assert bool((left < right).any()) is AUGMENTATIONS[name].mirrors

    def test_it_is_made_as_often_as_asked(self, name: str) -> None:
        chosen = [AUGMENTATIONS[name]]
        given = images(count=1).expand(2000, -1, -1, -1)
        shape = (2000, num_draws(chosen))
        drawn = torch.from_numpy(stream(0, "how-often").random(shape, dtype="float32"))
        assert torch.equal(augmented(given, drawn, chosen, 0.0), given)
        for probability in (0.2, 0.8):
            found = augmented(given, drawn, chosen, probability)
            is_whole = (found == given).flatten(1).all(1).double().mean()
            # A flip leaves half of them, a cutout or translation some, as they are.
            assert 1 - probability - 0.03 < is_whole < 1 - probability / 2.5
