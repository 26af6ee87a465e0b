"""What every registered extractor promises."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch

from orthogan.data import ImageSet, load
from orthogan.evaluation import EXTRACTORS, Extractor, LiveScore, evaluate_images
from orthogan.evaluation.extractors import HASH_DIGITS
from orthogan.rng import stream
from orthogan.testing.contract import Contract


@cache
def held_out_digits() -> torch.Tensor:
    return load("mnist", split="test").images


class ExtractorContract(Contract):
    """Images of any form are described, each alone, under a name with a hash."""

    registry = EXTRACTORS

    @pytest.fixture
    def net(self, name: str) -> Extractor:
        return EXTRACTORS[name]()

    @pytest.fixture
    def digits(self) -> torch.Tensor:
        return held_out_digits()

    def test_it_says_what_it_is(self, name: str, net: Extractor) -> None:
        assert isinstance(net, Extractor)
        assert net.name.endswith(f"@{net.sha256[:HASH_DIGITS]}")
        assert len(bytes.fromhex(net.sha256)) == 32
        assert net.channels in (1, 3)
        assert net.size is None or net.size > 0
        assert net.domain
        assert EXTRACTORS[name]().sha256 == net.sha256

    @pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 16), (3, 64, 64), (1, 32, 32)])
    def test_images_of_any_form_are_described(
        self, name: str, net: Extractor, shape: tuple[int, ...]
    ) -> None:
        pixels = torch.from_numpy(
            stream(0, "extractor").integers(0, 256, (5, *shape), dtype="uint8")
        )
        before = pixels.clone()
        features, probabilities = net.describe(pixels)
        assert features.shape == (5, net.num_features)
        assert features.dtype == torch.float32
        assert bool(features.isfinite().all())
        assert probabilities.shape == (5, net.num_classes)
        if net.num_classes:
            torch.testing.assert_close(probabilities.sum(1), torch.ones(5), rtol=1e-5, atol=1e-5)
        assert torch.equal(pixels, before)
        assert len(features.unique(dim=0)) == 5

    def test_each_image_is_described_alone(
        self, name: str, net: Extractor, digits: torch.Tensor
    ) -> None:
        together, _ = net.describe(digits[:40])
        apart = torch.cat([net.describe(digits[i : i + 1])[0] for i in range(5)])
        torch.testing.assert_close(together[:5], apart, rtol=1e-4, atol=1e-5)
        assert torch.equal(net.describe(digits[:40])[0], together)
        assert net.describe(digits[:0])[0].shape == (0, net.num_features)

    def test_scores_speak_of_it_and_of_its_classes_alone(
        self,
        name: str,
        net: Extractor,
        digits: torch.Tensor,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("ORTHOGAN_CACHE", str(tmp_path))
        count = max(400, 3 * (net.num_components or net.num_features))
        real = ImageSet(digits[: 2 * count], name="some images")
        found = evaluate_images(digits[-count:], real, extractor=net)
        json.dumps(found.to_dict())
        assert f"fd[{net.name}]" in found.scores
        assert (
            (found.class_shares is None)
            == ("class-kl" not in found.scores)
            == (not net.num_classes)
        )
        assert any(net.domain in note for note in found.notes) == (not net.knows(real))
        live = LiveScore(real, num_fakes=count, extractor=net)
        assert len(live.read(digits[-count:]).class_shares) == net.num_classes
        assert live.name == f"fd[{net.name}]"
